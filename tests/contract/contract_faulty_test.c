/* The decorator of tests/support/faulty.h: without a script it keeps the contract of what is below
 * it; with one it does as written, on the embedded store.
 * Test-tags: threads */
#include "base/clock.h"
#include "store/lmdb/lmdb.h"
#include "support/contract.h"
#include "support/faulty.h"

static const char *url(void)
{
    static char text[128];
    CHECK_OK(avout__store_register(&avout__lmdb_ops));
    snprintf(text, sizeof text, "faulty:lmdb:%s/store", test_directory());
    return text;
}

static void set_options(avout_options *options)
{
    options->durability = AVOUT_DURABLE_NONE;
}

static const contract_adapter adapter = {&test_faulty_ops, url, set_options};

__attribute__((constructor)) static void use(void)
{
    contract_use(&adapter);
}

static void drop(test_faulty fault, avout_status status, const char *text)
{
    contract_client *c = contract_open();
    avout__reply reply;
    avout_op set = op_set("/a", "new", AVOUT_VERSION_ANY);
    if (contract_version(c, "/a") < 0) CHECK_OK(contract_one(c, op_create("/a", "")));
    CHECK_OK(contract_one(c, op_set("/a", "old", AVOUT_VERSION_ANY)));
    CHECK_OK(contract_read(c, NULL, AVOUT_REQUEST_GET, "/a", true));
    fault.multis = true;
    test_faulty_add(&fault);
    CHECK_STATUS(status, contract_multi(c, &reply, &set, 1));
    CHECK_INT(fault.kind != TEST_FAULTY_REFUSE, reply.is.maybe_done);
    avout__reply_release(&reply);
    CHECK_INT(0, test_faulty_left());
    if (fault.suspends) {
        contract_wait(c, CONTRACT_SESSION, 3);
        CHECK_INT(AVOUT_EVENT_SUSPENDED, contract_nth(c, CONTRACT_SESSION, 1).session);
        CHECK_INT(AVOUT_EVENT_RESUMED, contract_nth(c, CONTRACT_SESSION, 2).session);
    }
    contract_check_text(c, "/a", text);
    CHECK_INT(strcmp(text, "new") ? 0 : 1, contract_events(c, "/a"));
    contract_close(c);
}

TEST(a_reply_is_lost)
{
    drop((test_faulty){.kind = TEST_FAULTY_REFUSE, .status = AVOUT_ENOSPACE}, AVOUT_ENOSPACE,
         "old");
    drop((test_faulty){.kind = TEST_FAULTY_DROP_BEFORE, .status = AVOUT_EIO}, AVOUT_EIO, "old");
    drop((test_faulty){.kind = TEST_FAULTY_DROP_AFTER, .status = AVOUT_EIO}, AVOUT_EIO, "new");
    drop((test_faulty){.kind = TEST_FAULTY_DROP_BEFORE, .suspends = true}, AVOUT_ECONNECTION,
         "old");
    drop((test_faulty){.kind = TEST_FAULTY_DROP_AFTER, .suspends = true}, AVOUT_ECONNECTION, "new");
}

TEST(all_on_its_way_is_lost_with_the_connection)
{
    enum { COUNT = 50, AT = 20 };
    contract_client *c = contract_open();
    avout_op set = op_set("/a", "x", AVOUT_VERSION_ANY);
    avout_request requests[COUNT];
    uint64_t tags[COUNT];
    CHECK_OK(contract_one(c, op_create("/a", "")));
    CHECK_OK(contract_read(c, NULL, AVOUT_REQUEST_GET, "/a", true));
    test_faulty_add(
        &(test_faulty){.kind = TEST_FAULTY_DROP_AFTER, .nth = AT + 1, .suspends = true});
    for (uint64_t i = 0; i < COUNT; i++) {
        tags[i] = i;
        requests[i] = i % 2 ? request_read(AVOUT_REQUEST_GET, "/a", false) : request_multi(&set, 1);
    }
    contract_submit(c, requests, COUNT, tags);
    contract_wait(c, CONTRACT_REPLY, COUNT);
    contract_wait(c, CONTRACT_SESSION, 3);
    for (uint64_t i = 0; i < COUNT; i++) {
        contract_note note = contract_nth(c, CONTRACT_REPLY, i);
        CHECK_INT(i, note.tag);
        CHECK_STATUS(i < AT ? AVOUT_OK : AVOUT_ECONNECTION, note.status);
        CHECK_INT(i >= AT && i % 2 == 0, note.maybe_done);
    }
    CHECK_INT(COUNT / 2, contract_version(c, "/a"));
    contract_close(c);
}

/* An event of the time without connection comes after RESUMED (P6). */
TEST(events_wait_for_RESUMED)
{
    contract_client *c = contract_open();
    avout_op ops[] = {op_set("/a", "x", 0), op_set("/b", "x", 0)};
    CHECK_OK(contract_multi(c, NULL, OPS(op_create("/a", ""), op_create("/b", ""))));
    CHECK_OK(contract_read(c, NULL, AVOUT_REQUEST_GET, "/b", true));
    test_faulty_add(&(test_faulty){.kind = TEST_FAULTY_DROP_BEFORE, .suspends = true});
    avout_request requests[] = {request_multi(&ops[0], 1), request_multi(&ops[1], 1)};
    contract_submit(c, requests, 2, (const uint64_t[]){0, 1});
    contract_wait(c, CONTRACT_EVENT, 1);
    contract_wait(c, CONTRACT_SESSION, 3);
    contract_wait(c, CONTRACT_REPLY, 2);
    for (size_t i = 0, sessions = 0; i < c->note_count; i++) {
        sessions += c->notes[i].kind == CONTRACT_SESSION;
        if (c->notes[i].kind == CONTRACT_EVENT) CHECK(sessions != 2);
        if (c->notes[i].kind == CONTRACT_REPLY) CHECK_INT(2, sessions);
    }
    CHECK_INT(0, contract_version(c, "/a"));
    CHECK_INT(1, contract_version(c, "/b"));
    contract_close(c);
}

TEST(a_late_reply)
{
    contract_client *c = contract_open();
    int64_t start = avout__now_ns();
    test_faulty_add(&(test_faulty){.kind = TEST_FAULTY_DELAY, .handle = 1, .delay_ms = 50});
    CHECK_OK(contract_one(c, op_create("/a", "")));
    CHECK(avout__now_ns() - start >= 50 * 1000000);
    contract_close(c);
}
