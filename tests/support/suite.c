#include "support/suite.h"
#include "support/value.h"

#include <unistd.h>

#include "base/clock.h"
#include "stm/handles.h"
#include "store/store.h"

static const char *(*url_of_store)(void);

void suite_use(const char *(*url)(void))
{
    url_of_store = url;
}

const char *suite_url(void)
{
    static const char *url;
    if (!url) url = url_of_store();
    return url;
}

const char *suite_mem_url(void)
{
    static char url[40];
    snprintf(url, sizeof url, "mem:suite-%d", (int)getpid());
    return url;
}

const char *suite_lmdb_url(void)
{
    static char url[128];
    snprintf(url, sizeof url, "lmdb:%s/store", test_directory());
    return url;
}

avout_client *suite_connect_with(const avout_options *options)
{
    avout_client *client = NULL;
    CHECK_OK(avout_connect(suite_url(), options, &client));
    return client;
}

avout_client *suite_connect(void)
{
    return suite_connect_with(&(avout_options){.durability = AVOUT_DURABLE_NONE});
}

void suite_check_memory(void)
{
    CHECK_INT(0, avout_memory_blocks());
}

void suite_close(avout_client *client)
{
    avout_close(client);
}

void suite_settle(avout_client *client)
{
    avout_request sync = {.kind = AVOUT_REQUEST_SYNC, .path = "/"};
    for (int i = 0; i < SUITE_SETTLE_REQUESTS; i++)
        CHECK_OK(avout__store_call(NULL, &client->stm->door, &sync, avout__deadline_in_ms(20000)));
}

avout_status suite_add_name(const char *name, bool directory, void *payload)
{
    strcat(strcat(payload, name), directory ? "/ " : " ");
    return AVOUT_OK;
}

const char *const suite_no_names[SUITE_NO_NAMES] = {"",    "/",       "a",    "/a/",
                                                    "//a", "/a/../b", "/a\n", "/\xff"};

int64_t suite_one = 1, suite_minus_one = -1;

avout_status suite_plus(avout_value *value, void *payload)
{
    return avout_add(value, avout_int(*(int64_t *)payload));
}

int64_t suite_atom_int(avout_atom *atom)
{
    avout_value value;
    CHECK_OK(avout_atom_deref(&value, atom));
    return test_take_int(value);
}

int64_t suite_ref_int(avout_ref *ref)
{
    avout_value value;
    CHECK_OK(avout_ref_deref(&value, ref));
    return test_take_int(value);
}

int64_t suite_atom_strict_int(avout_atom *atom)
{
    avout_value value;
    CHECK_OK(avout_atom_deref_strict(&value, atom, 20000));
    return test_take_int(value);
}

int64_t suite_ref_strict_int(avout_ref *ref)
{
    avout_value value;
    CHECK_OK(avout_ref_deref_strict(&value, ref, 20000));
    return test_take_int(value);
}

avout_status suite_txn_int(int64_t *number, avout_txn *txn, avout_ref *ref)
{
    avout_value value;
    avout_status status = avout_txn_deref(&value, txn, ref);
    if (status) return status;
    status = avout_value_to_int(number, value);
    avout_release(value);
    return status;
}
