/* Atoms and refs whose values live in a state container: in a database, in files, wherever somebody has
 * written a container for (avout/sys/container.h). The store keeps a small pointer to the version that
 * counts, and one transaction may span the store and any containers: all of it happens, or nothing.
 *
 *     avout_versioned_container *files;
 *     avout_status st = avout_file_container(&files, "/srv/shared/plans");
 *     if (!st) st = avout_distributed_ref(&plans, client, "/plans", files, avout_vector(0, NULL), NULL);
 *
 * From then on they are as all others, and the functions of atom.h and ref.h take them, with these
 * differences:
 *
 *  - a change costs the writing of its value to the container, before the store is asked; several
 *    containers in one transaction are written side by side;
 *  - a value that is not cached is read from the container, by the thread that wants it;
 *  - the container's failures reach who touches the ref, and nobody else: the detail names the ref, the
 *    kind of container and its place. AVOUT_EIO is answered when a version that counts is missing until
 *    the deadline;
 *  - values are as large as the container takes (in the store itself a value that exceeds what one
 *    request may have is kept in pieces: no difference but of speed);
 *  - everybody who uses such a name opens it with a container of that kind and place. Who opens it as an
 *    ordinary one gets AVOUT_EDATA, and cannot overwrite it (but destroy it). */
#ifndef AVOUT_DISTRIBUTED_H
#define AVOUT_DISTRIBUTED_H

#include "atom.h"
#include "ref.h"

AVOUT_BEGIN

typedef struct avout_versioned_container avout_versioned_container;
typedef struct avout_container avout_container;

/* Opens the ref or atom of that name with its values in `container`, creating it with `initial` if there
 * is none; *created (may be NULL) tells. Consumes `initial` and takes over the container, whatever the
 * outcome. Handles of one client share one container, the first. Blocks for the client's timeout_ms at
 * most.
 * AVOUT_EINVAL (the container's table), AVOUT_ESTATE (the client has the name open in another way),
 * AVOUT_EDATA (its values are not in a container of this kind), what the container answers. */
AVOUT_API avout_status avout_distributed_ref(avout_ref **ref, avout_client *client,
                                             const char *name, avout_versioned_container *container,
                                             avout_value initial, bool *created);
AVOUT_API avout_status avout_distributed_atom(avout_atom **atom, avout_client *client,
                                              const char *name,
                                              avout_versioned_container *container,
                                              avout_value initial, bool *created);

/* A container by the name of its kind, for programs that are told it at run time: loads libavout-KIND.so.0
 * (beside libavout itself, else where the dynamic loader looks) and calls its avout_KIND_container(container,
 * place), a dash in the kind being an underscore there. What is loaded stays loaded. `place` is what that
 * function takes: a directory for "file", a connection string for databases. The program must use libavout
 * as a shared library, as the containers do.
 *
 * Any thread; blocks for the time of loading. AVOUT_EINVAL (a kind is made of a to z, digits and dashes);
 * AVOUT_ENOTSUP: it is not installed or cannot be loaded (the detail says which file, and why), or the
 * program has libavout.a in it; what the container's own function answers. */
AVOUT_API avout_status avout_container_open(avout_versioned_container **container, const char *kind,
                                            const char *place);

/* Loads what avout_container_open needs for that kind, or finds it loaded. AVOUT_EINVAL, AVOUT_ENOTSUP, as above. */
AVOUT_API avout_status avout_container_load(const char *kind);

/* Looks for versions that nothing leads to (their writers died) in the container of the atom or ref of
 * that name, or among the pieces of large values of one in the store itself, and with `remove` deletes
 * them; *orphans (may be NULL) is how many there were. One with its values in a container has to be open
 * in this client. Safe at any time: a transaction that was about to use one is run again. Clients also
 * do it by themselves, now and then. AVOUT_EDATA (in a container, and not open), AVOUT_ENOTSUP (the
 * container cannot list), what the container answers. */
AVOUT_API avout_status avout_distributed_collect(size_t *orphans, avout_client *client,
                                                 const char *name, bool remove, int64_t timeout_ms);

/* The same in a container that this client has not opened the name with: as avout_container_open made it, for
 * programs that look after containers. Takes it over, whatever the outcome; it is initialised, used and closed
 * again. Nothing is created or changed in the store. A name that was destroyed has versions of which none
 * counts; of one that never was nothing is looked for.
 * AVOUT_EDATA (its value is not in a container of this kind), AVOUT_EIO (the version that counts is not there:
 * this is not the name's place, and nothing was deleted), AVOUT_ENOTSUP, what the container answers. */
AVOUT_API avout_status avout_distributed_collect_in(size_t *orphans, avout_client *client,
                                                    const char *name,
                                                    avout_versioned_container *container,
                                                    bool remove, int64_t timeout_ms);

/* The pieces of large values whose names are in the store no more, not even as destroyed ones (somebody has
 * removed their nodes by other means): *orphans (may be NULL) is how many values that were. Counted, and with
 * `remove` deleted, are those that were written more than `older_ms` ago (0: a week; by the store's own clock
 * where they are deleted): a younger one may be of a name that is being created. Nobody creates names for
 * longer; who has to do it at once makes sure that no other client is at work. Reads the names of the whole
 * store. AVOUT_EINVAL (older_ms < 0). */
AVOUT_API avout_status avout_distributed_collect_gone(size_t *orphans, avout_client *client,
                                                      int64_t older_ms, bool remove,
                                                      int64_t timeout_ms);

enum { AVOUT_KIND_SIZE = 32 };

/* Where the value of the atom or ref of that name lies, as the store says: in its own node (""), in pieces
 * in the store ("chunks"), or in a container ("file", "mongo"); *versioned (may be NULL): in versions, and not
 * overwritten in its place. Asks the store. AVOUT_ENAME; AVOUT_ENOTFOUND: there is none of that name, or no
 * more. */
AVOUT_API avout_status avout_distributed_kind(char kind[AVOUT_KIND_SIZE], bool *versioned,
                                              avout_client *client, const char *name,
                                              int64_t timeout_ms);

/* ---- what is overwritten in its place ------------------------------------------------------------
 * An atom over an unversioned container, which knows one value and no versions: a configuration file, a row, a
 * device. It changes under a lock (the lock "/avout-atoms" and the atom's name, which shows in `avout
 * locks` and can be held by hand), one client at a time; the local changes that wait are made in one hold,
 * and written once. The store keeps a mark: clean, or being changed.
 *
 * What it promises, and no more: no change is lost while nobody loses the lock in the middle of one (a
 * session that ends before its client knows). A container that refuses old fencing tokens closes that hole,
 * too; where it has seen greater ones than the store gives (a store begun anew beside it), changes answer
 * AVOUT_EIO until it has forgotten them. Reads are reads of memory while the mark is clean; while it is not,
 * each asks the container, and may show a change that is not confirmed yet; one within a transaction sleeps
 * until it is clean. A change whose writing or marking is not answered until the deadline is AVOUT_UNKNOWN: it
 * may have happened, and those who read see what the container has. Callers whose changes are made together
 * have each their own deadline and interruption.
 *
 * It is an avout_atom, but: avout_swap_async answers AVOUT_ENOTSUP; a function may not change the atom it
 * is called for (AVOUT_EDEADLOCK), and holds up those who want to change it, in its own client until the
 * first deadline of those that are changed with it; of avout_call_options
 * timeout_ms alone counts; while it is open in a client, this is the only way to open the name there
 * (AVOUT_ESTATE). */

/* Opens the atom of that name with its value in `container`. Where there is no such atom it is created: with
 * what the container has, if there never was one, else with `initial`, and *created (may be NULL) tells
 * whether that was used. Consumes `initial` and takes over the container, whatever the outcome. Handles of
 * one client share one container, the first. Blocks for the client's timeout_ms at most. Any thread.
 * AVOUT_EINVAL (the container's table), AVOUT_ESTATE (the client has the name open in another way),
 * AVOUT_EDATA (it is not kept in a container of this kind), what the container and the lock answer. */
AVOUT_API avout_status avout_unversioned_atom(avout_atom **atom, avout_client *client,
                                              const char *name, avout_container *container,
                                              avout_value initial, bool *created);

AVOUT_END

#endif
