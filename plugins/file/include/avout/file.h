/* A state container that keeps values as files in a directory: each version one file of EDN text, named
 * as the version. Survives kill -9 and power loss at any point, and works on file systems that several
 * machines share (NFS, with its usual care for the order of one client's operations).
 *
 *     cc program.c $(pkg-config --cflags --libs avout-file) */
#ifndef AVOUT_FILE_H
#define AVOUT_FILE_H

#include <avout/codec.h>
#include <avout/distributed.h>

AVOUT_BEGIN

/* A container for the values of one atom or ref in `directory`, which is created when it is not there
 * (the directories above it, too). To be handed to avout_distributed_ref or avout_distributed_atom. The
 * path is copied; a relative one is taken from the working directory of each moment, so better give an
 * absolute one. Several identities of one store may share a directory; each knows its own versions.
 *
 * Files are as durable as fsync makes them. A call that waits for a disk or a server cannot be
 * interrupted: deadlines are looked at between the steps. AVOUT_EINVAL, AVOUT_ENOMEM. */
AVOUT_API avout_status avout_file_container(avout_versioned_container **container,
                                            const char *directory);

/* The same with another codec than EDN (copied; its name and payload must stay as long as the container):
 * everybody who opens the identity uses the same. NULL: EDN. */
AVOUT_API avout_status avout_file_container_coded(avout_versioned_container **container,
                                                  const char *directory, const avout_codec *codec);

/* A container without versions: one file, which other programs may read at any time, and find whole. To be
 * handed to avout_unversioned_atom. `codec` as above: with avout_codec_json() it is a JSON file. The path is
 * copied; the directory is created when it is not there. Others must not write the file. Its
 * permissions stay (its owner, where the process may give files away; its group, where the process is in it: the
 * process's own gets no more than everybody has); a symbolic link is replaced by a file. It does not refuse old
 * fencing tokens. AVOUT_EINVAL, AVOUT_ENOMEM. */
AVOUT_API avout_status avout_file_value_container(avout_container **container, const char *file,
                                                  const avout_codec *codec);

AVOUT_END

#endif
