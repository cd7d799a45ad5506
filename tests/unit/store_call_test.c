/* The waiting call: what it copies, what it answers when there is no memory, and that it refuses to
 * wait for itself. */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/futex.h"
#include "store/mem/mem.h"
#include "support/contract.h"

static const char *url(void)
{
    return "mem:call";
}

static const contract_adapter adapter = {&avout__mem_ops, url, NULL};

__attribute__((constructor)) static void use(void)
{
    contract_reach(&adapter);
}

TEST(replies_outlive_the_handle)
{
    contract_client *c = contract_open();
    avout__reply made, got, list, refused;
    CHECK_OK(contract_multi(c, &made,
                            OPS(op_create("/a", "bytes"), op_sequential("/a/s-"), op_check("/a", 0),
                                op_set("/a", "other bytes", 0))));
    CHECK_OK(contract_read(c, &got, AVOUT_REQUEST_GET, "/a", false));
    CHECK_OK(contract_read(c, &list, AVOUT_REQUEST_LIST, "/a", false));
    CHECK_STATUS(AVOUT_EVERSION,
                 contract_multi(c, &refused, OPS(op_check("/a", 1), op_check("/a", 7))));
    contract_close(c);
    CHECK_INT(4, avout_memory_blocks());
    CHECK_INT(4, made.is.result_count);
    CHECK_TEXT("/a", made.is.results[0].path);
    CHECK_TEXT("/a/s-0000000000", made.is.results[1].path);
    CHECK(!made.is.results[2].path && !made.is.results[2].has_stat);
    CHECK_INT(1, made.is.results[3].stat.version);
    CHECK_TEXT("other bytes", got.is.bytes); /* a NUL follows them */
    CHECK_INT(11, got.is.length);
    CHECK_INT(1, list.is.name_count);
    CHECK_TEXT("s-0000000000", list.is.names[0]);
    CHECK_INT(1, refused.is.failed_op);
    CHECK_CONTAINS("/a: version is 1, expected 7", refused.is.detail);
    avout__reply_release(&made);
    avout__reply_release(&got);
    avout__reply_release(&list);
    avout__reply_release(&refused);
    avout__reply_release(&refused);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(the_detail_names_the_operation)
{
    contract_client *c = contract_open();
    avout__mem_fault fault = {.kind = AVOUT__MEM_FAIL, .status = AVOUT_EPERM, .failed_op = 1};
    CHECK_OK(contract_one(c, op_create("/a", "")));
    CHECK_OK(avout__mem_fault_add(c->store, &fault));
    CHECK_STATUS(AVOUT_EPERM, contract_multi(c, NULL, OPS(op_check("/a", 0), op_check("/b", 0))));
    CHECK_TEXT("/b: no permission", avout_error_detail());
    fault.status = AVOUT_EIO;
    CHECK_OK(avout__mem_fault_add(c->store, &fault));
    CHECK_STATUS(AVOUT_EIO, contract_read(c, NULL, AVOUT_REQUEST_GET, "/c", false));
    CHECK_CONTAINS("/c: ", avout_error_detail());
    contract_close(c);
}

/* A store that answers, from within submit, with more than the call has made room for. */
static char long_path[3000];

static avout_status answer_at_once(avout_store *store, const avout_request *requests, size_t count)
{
    (void)store, (void)count;
    avout_op_result result = {.path = long_path};
    avout_reply reply = {.status = AVOUT_OK, .results = &result, .result_count = 1, .point = 7};
    requests[0].done(&reply, requests[0].payload);
    return AVOUT_OK;
}

static const avout_store_ops generous = {.submit = answer_at_once};

static avout_status call_generous(void *payload)
{
    avout_store store = {&generous};
    avout_op op = op_create("/a", "");
    avout_request request = request_multi(&op, 1);
    avout__reply reply;
    avout_status status = avout__store_call(&reply, &store, &request, AVOUT__NEVER);
    if (!status) {
        /* Without memory for the results the multi still took effect, and is not called failed. */
        CHECK_INT(7, reply.is.point);
        *(bool *)payload = reply.is.result_count == 1;
        if (reply.is.result_count) CHECK_TEXT(long_path, reply.is.results[0].path);
    }
    avout__reply_release(&reply);
    return status;
}

static int allocations_left;

static void *scarce_allocate(size_t size, void *payload)
{
    (void)payload;
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *scarce_reallocate(void *block, size_t size, void *payload)
{
    (void)payload;
    return allocations_left-- > 0 ? realloc(block, size) : NULL;
}

static void scarce_release(void *block, void *payload)
{
    (void)payload;
    free(block);
}

TEST(a_multi_that_took_effect_is_not_called_failed_for_want_of_memory)
{
    static const avout_allocator scarce = {scarce_allocate, scarce_reallocate, scarce_release,
                                           NULL};
    memset(long_path, 'x', sizeof long_path - 1);
    CHECK_OK(avout_allocator_set(&scarce));
    for (int room = 0; room < 4; room++) {
        bool whole = false;
        allocations_left = room;
        CHECK_STATUS(room < 2 ? AVOUT_ENOMEM : AVOUT_OK, call_generous(&whole));
        CHECK_INT(room >= 3, whole);
        CHECK_INT(0, avout_memory_blocks());
    }
}

static void call_from_done(const avout_reply *reply, void *payload)
{
    (void)reply;
    contract_read(payload, NULL, AVOUT_REQUEST_GET, "/", false);
}

TEST(waiting_on_the_delivery_thread_is_caught)
{
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        CHECK(freopen("/dev/null", "w", stderr));
        signal(SIGABRT, SIG_DFL);
        contract_client *c = contract_open();
        avout_request request = request_read(AVOUT_REQUEST_SYNC, "/", false);
        request.done = call_from_done;
        request.payload = c;
        CHECK_OK(c->store->ops->submit(c->store, &request, 1));
        contract_read(c, NULL, AVOUT_REQUEST_SYNC, "/", false);
        _exit(0);
    }
    int status;
    CHECK_INT(child, waitpid(child, &status, 0));
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
