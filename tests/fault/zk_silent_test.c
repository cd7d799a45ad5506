/* Servers that take the connection and never answer, as a stopped one does, next to one that is well:
 * they cost a client time, but neither its opening nor its session.
 * Test-tags: threads waits */
#include <pthread.h>

#include "store/zk/internal.h"
#include "support/contract.h"
#include "support/server.h"
#include "support/zookeeper.h"

/* The servers of `good`, with others before them: so many are silent, so many refuse. */
static void reach_among(const char *good, int silent, int closed, const avout_options *options)
{
    static char text[512];
    int n = snprintf(text, sizeof text, "zk://");
    for (int i = 0; i < silent + closed; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "127.0.0.1:%d,",
                      test_silent_port(i < silent));
    snprintf(text + n, sizeof text - (size_t)n, "%s", good + strlen("zk://"));
    contract_reach_at(&avout__zk_ops, text, options);
}

/* In which order a client tries the servers is left to chance: so there are several clients. */
enum { CLIENTS = 8, LIMIT_MS = 6000 };

static void *open_one(void *payload)
{
    *(contract_client **)payload = contract_open();
    return NULL;
}

static void open_all(contract_client **clients)
{
    pthread_t threads[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        CHECK(!pthread_create(&threads[i], NULL, open_one, &clients[i]));
    for (int i = 0; i < CLIENTS; i++) pthread_join(threads[i], NULL);
}

static void close_all(contract_client **clients)
{
    for (int i = 0; i < CLIENTS; i++) contract_close(clients[i]);
}

TEST(opening_passes_over_silent_servers_in_time)
{
    contract_client *clients[CLIENTS];
    avout_options options = {.session_timeout_ms = 30000, .connect_timeout_ms = LIMIT_MS};
    reach_among(test_zk_shared_url(), 2, 0, &options);
    open_all(clients);
    close_all(clients);
}

TEST(a_session_survives_a_minority_of_silent_servers)
{
    contract_client *clients[CLIENTS];
    avout_options options = {.session_timeout_ms = LIMIT_MS, .connect_timeout_ms = 30000};
    reach_among(test_zk_shared_url(), 2, 2, &options);
    open_all(clients);
    for (int i = 0; i < CLIENTS; i++) CHECK(avout__zk_link_break((avout__zk *)clients[i]->store));
    for (int i = 0; i < CLIENTS; i++) {
        contract_wait(clients[i], CONTRACT_SESSION, 3);
        CHECK_INT(AVOUT_EVENT_SUSPENDED, contract_nth(clients[i], CONTRACT_SESSION, 1).session);
        CHECK_INT(AVOUT_EVENT_RESUMED, contract_nth(clients[i], CONTRACT_SESSION, 2).session);
    }
    close_all(clients);
}
