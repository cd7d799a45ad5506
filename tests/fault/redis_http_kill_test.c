/* tests/suites/kills.c over ZooKeeper, Redis and HTTP in one transaction.
 *
 * Test-tags: single slow waits */
#include "avout/http.h"
#include "avout/redis.h"
#include "support/redis.h"
#include "support/suite.h"
#include "support/webdav.h"
#include "support/zookeeper.h"

enum { MOVES = 3, DEATHS = 20 };

__attribute__((constructor)) static void use(void)
{
    suite_use(test_zk_shared_url);
}

static test_server *redis, *webdav;

static void kills_prepare(void)
{
    suite_url();
    redis = test_redis_start();
    webdav = test_webdav_start();
}

static avout_status kills_open(avout_versioned_container **container, const char *name)
{
    char place[TEST_PLACE];
    if (!strcmp(name, "left"))
        return avout_redis_container(container, test_redis_place(redis, "kills:"));
    /* With a codec a version is two resources, and a claim. */
    return avout_http_container_coded(container, test_webdav_place(place, webdav, "dav/kills"),
                                      avout_codec_json());
}

#include "suites/kills.c"
