/* What a call may answer while its store misbehaves: what the fault explains, and nothing else. */
#ifndef TESTS_FAULT_EXCUSE_H
#define TESTS_FAULT_EXCUSE_H

#include "avout.h"
#include "store/mem/mem.h"
#include "support/test.h"

typedef struct excuse {
    bool may_time_out;          /* the fault is a silence */
    bool may_lose;              /* it ends a session */
    avout_status may_fail_with; /* it is this refusal */
    /* To be set: what is held goes with the session, and with the lease, which a silence outlasts; ... */
    bool of_holds;
    bool of_containers; /* ... what a container is refused may come as AVOUT_EIO */
} excuse;

static inline excuse excuse_of(const avout__mem_fault *fault)
{
    excuse e = {.may_fail_with = fault->kind == AVOUT__MEM_FAIL ? fault->status : AVOUT_OK};
    e.may_time_out = fault->kind == AVOUT__MEM_HOLD_REQUEST || fault->kind == AVOUT__MEM_HOLD_REPLY;
    e.may_lose = fault->kind == AVOUT__MEM_EXPIRE_BEFORE || fault->kind == AVOUT__MEM_EXPIRE_AFTER;
    return e;
}

/* AVOUT_OK, or what the fault explains. */
static inline avout_status excused(const excuse *e, avout_status status, const char *file, int line)
{
    bool fits = !status || (e->may_fail_with && status == e->may_fail_with) ||
                (e->may_fail_with && e->of_containers && status == AVOUT_EIO) ||
                (e->may_time_out && (status == AVOUT_ETIMEOUT || status == AVOUT_UNKNOWN)) ||
                (e->of_holds && (e->may_lose || e->may_time_out) && status == AVOUT_ELOST);
    if (!fits) test_failed(file, line, "%s (%s)", avout_status_name(status), avout_error_detail());
    return status;
}
#define EXCUSED(excuse, call) excused((excuse), (call), __FILE__, __LINE__)

/* How long to wait for what may never come. */
static inline avout_wait_options excuse_patience(const excuse *e)
{
    int64_t timeout_ms = e->may_time_out ? 60 : 20000;
    return (avout_wait_options){.timeout_ms = timeout_ms, .reacquire_ms = timeout_ms};
}

/* For clients whose calls are to end as soon. They connect before the fault. */
static inline avout_options excuse_options(const excuse *e)
{
    return (avout_options){.timeout_ms = excuse_patience(e).timeout_ms,
                           .connect_timeout_ms = 20000};
}

#endif
