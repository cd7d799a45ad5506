/* A state container of one's own: an atom's values are where this file says, here in an array of this
 * process; think of a database. Refs in it change in one transaction with all others.
 *
 *     container lmdb:DIRECTORY | zk://HOST:PORT */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <avout.h>
#include <avout/sys/container.h>

typedef avout_versioned_container container;
typedef struct slot {
    char version[AVOUT_VERSION_MAX + 1]; /* "": free */
    avout_value value;
} slot;
static slot slots[64];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* any thread may call */
static slot *find(const char *version)
{
    for (slot *at = slots; at < slots + 64; at++)
        if (!strcmp(at->version, version)) return at;
    return NULL;
}
static avout_status nothing(container *c, int64_t timeout_ms)
{
    return (void)c, (void)timeout_ms, AVOUT_OK;
}
static avout_status get(avout_value *value, container *c, const char *version, int64_t timeout_ms)
{
    pthread_mutex_lock(&lock);
    slot *found = find(version);
    if (found) *value = avout_share(found->value);
    pthread_mutex_unlock(&lock);
    return found ? nothing(c, timeout_ms) : avout_fail(AVOUT_ENOTFOUND, "no such version");
}
static avout_status set(container *c, const char *version, avout_value value, int64_t timeout_ms)
{
    pthread_mutex_lock(&lock);
    slot *there = find(version), *fresh = there ? NULL : find("");
    if (fresh) *fresh = (slot){.value = avout_share(value)};
    if (fresh) memcpy(fresh->version, version, strlen(version) + 1);
    pthread_mutex_unlock(&lock);
    if (there) return avout_fail(AVOUT_EEXISTS, "a version is used once");
    return fresh ? nothing(c, timeout_ms) : avout_fail(AVOUT_ENOSPACE, "the array is full");
}
static avout_status drop(container *c, const char *version, int64_t timeout_ms)
{
    pthread_mutex_lock(&lock);
    slot *gone = find(version);
    if (gone) avout_release(gone->value), gone->version[0] = '\0';
    pthread_mutex_unlock(&lock);
    return nothing(c, timeout_ms);
}
static void end(container *c)
{
    (void)c;
}
/* clang-format off */
static const avout_versioned_container_ops ops = {
    AVOUT_VERSIONED_CONTAINER_OPS_VERSION, sizeof ops, "array",
    nothing, nothing, get, set, drop, NULL, end};
/* clang-format on */

int main(int argc, char **argv)
{
    container array = {&ops, "memory"};
    avout_client *client = NULL;
    avout_atom *atom = NULL;
    avout_status st = avout_connect(argc > 1 ? argv[1] : NULL, NULL, &client);
    if (!st) (void)avout_destroy(client, "/array"); /* it was in an earlier process */
    if (!st) st = avout_distributed_atom(&atom, client, "/array", &array, avout_int(1), NULL);
    if (!st) st = avout_swap(atom, avout_inc_fn, NULL, NULL, NULL, NULL);
    printf("container: %s\n", st ? avout_error_detail() : "changed");
    avout_atom_close(atom);
    avout_close(client);
    return st != AVOUT_OK;
}
