/* Semaphores and elections: the public functions that begin with a client. */
#include "avout/leader.h"
#include "avout/semaphore.h"

#include "lock/bid_look.h"
#include "lock/election.h"
#include "lock/inspect.h"
#include "lock/semaphore.h"
#include "stm/handles.h"
#include "base/banned.h"

avout_status avout_semaphore_open(avout_semaphore **semaphore, avout_client *client,
                                  const char *name, uint32_t permits)
{
    return avout__semaphore_open(semaphore, client->locks, name, permits);
}

avout_status avout_semaphore_inspect(avout_semaphore_report **report, avout_client *client,
                                     const char *name)
{
    return avout__semaphore_inspect(report, client->locks, name);
}

avout_status avout_semaphores_each(avout_client *client, const char *directory,
                                   avout_lock_each_fn each, void *payload)
{
    return avout__names_each(client->locks, AVOUT__SEMAPHORES_PATH, directory, each, payload);
}

avout_status avout_semaphore_remove(avout_client *client, const char *name)
{
    return avout__pool_remove(client->locks, AVOUT__SEMAPHORE, name);
}

avout_status avout_election_open(avout_election **election, avout_client *client, const char *name)
{
    return avout__election_open(election, client->locks, name);
}

avout_status avout_election_inspect(avout_election_report **report, avout_client *client,
                                    const char *name)
{
    return avout__election_inspect(report, client->locks, name);
}

avout_status avout_elections_each(avout_client *client, const char *directory,
                                  avout_lock_each_fn each, void *payload)
{
    return avout__names_each(client->locks, AVOUT__ELECTIONS_PATH, directory, each, payload);
}

avout_status avout_election_remove(avout_client *client, const char *name)
{
    return avout__pool_remove(client->locks, AVOUT__ELECTION, name);
}
