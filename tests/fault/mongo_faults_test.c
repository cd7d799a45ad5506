/* tests/suites/database_faults.c on MongoDB.
 * Test-tags: threads waits */
#include "avout/mongo.h"
#include "support/impostor.h"
#include "support/mongodb.h"
#include "support/suite.h"

#define DATABASE_KIND "mongo"
#define DATABASE_PLACE "/test.faults"
#define DATABASE_ONE "maxPoolSize=1"
#define DATABASE_SOON "serverSelectionTimeoutMS=300"
#define DATABASE_SETS "insert"

static const impostor_answer database_nonsense[] = {
    {"\0\0\0\x10\x01\0\0\0\0\0\0\0\x01\0\0\0", 16},
    {"\x64\0\0\0\0\x01\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0", 20},
};

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_mem_url);
}

static test_server *database_start(void)
{
    return test_mongo_start();
}

/* FerretDB without authentication takes no credentials. */
static avout_status database_open(avout_versioned_container **container, int port,
                                  const char *options)
{
    bool secret = !strcmp(options, "password");
    return avout_mongo_container(
        container,
        test_server_text("mongodb://%s127.0.0.1:%d/test.faults?%s", secret ? "ann:sesame@" : "",
                         port, secret ? "authSource=admin&connectTimeoutMS=300" : options));
}

#include "suites/database_faults.c"
