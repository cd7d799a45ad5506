/* The public latches and barriers, where they begin with a client. */
#include "avout/latch.h"

#include "avout/barrier.h"
#include "lock/barrier.h"
#include "lock/countdown.h"
#include "stm/handles.h"
#include "base/banned.h"

avout_status avout_latch_create(avout_latch **latch, avout_client *client, const char *name,
                                uint32_t count)
{
    return avout__countdown_create(latch, client->locks, name, count);
}

avout_status avout_latch_open(avout_latch **latch, avout_client *client, const char *name)
{
    return avout__countdown_open(latch, client->locks, name);
}

avout_status avout_latch_remove(avout_client *client, const char *name)
{
    return avout__countdown_remove(client->locks, name);
}

avout_status avout_barrier_create(avout_barrier **barrier, avout_client *client, const char *name,
                                  uint32_t parties)
{
    return avout__barrier_create(barrier, client->locks, name, parties);
}

avout_status avout_barrier_open(avout_barrier **barrier, avout_client *client, const char *name)
{
    return avout__barrier_open(barrier, client->locks, name);
}

avout_status avout_barrier_inspect(avout_barrier_report **report, avout_client *client,
                                   const char *name)
{
    return avout__barrier_inspect(report, client->locks, name);
}

avout_status avout_barrier_remove(avout_client *client, const char *name)
{
    return avout__barrier_remove(client->locks, name);
}
