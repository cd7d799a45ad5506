#include "lang/wait.h"

#include "base/clock.h"
#include "lang/future.h"
#include "base/banned.h"

bool avout__lang_stopped(lang_run *run)
{
    if (!avout__interrupted()) return false;
    avout__lang_fail(run, AVOUT_ECANCELLED, "interrupted");
    return true;
}

void avout__lang_wait_begin(lang_run *run, lang_wait *wait, int64_t deadline_ns)
{
    *wait = (lang_wait){avout__now_ns(), deadline_ns, false};
    if (run->wait_left_ns != AVOUT__NEVER && wait->began_ns + run->wait_left_ns < deadline_ns) {
        wait->limit_ns = wait->began_ns + run->wait_left_ns;
        wait->limited = true;
    }
    avout__lang_crew_pause(run->lang);
}

lang_waited avout__lang_wait_end(lang_run *run, const lang_wait *wait, avout_status status)
{
    avout__lang_crew_resume(run->lang);
    if (run->wait_left_ns != AVOUT__NEVER) {
        int64_t spent = avout__now_ns() - wait->began_ns;
        run->wait_left_ns = spent < run->wait_left_ns ? run->wait_left_ns - spent : 0;
    }
    if (!status) return WAIT_OVER;
    if (status == AVOUT_ETIMEOUT && !wait->limited) return WAIT_LATE;
    if (status != AVOUT_ETIMEOUT) {
        avout__lang_failed(run, status);
        return WAIT_FAILED;
    }
    avout__lang_fail(run, AVOUT_ELIMIT, "waited for more than %lld ms",
                     (long long)run->lang->options.max_wait_ms);
    run->fatal = true;
    return WAIT_FAILED;
}

lang_waited avout__lang_wait(lang_run *run, avout__latch *latch, int64_t deadline_ns)
{
    lang_wait wait;
    avout__lang_wait_begin(run, &wait, deadline_ns);
    bool over = avout__latch_wait(latch, wait.limit_ns);
    return avout__lang_wait_end(run, &wait, over ? AVOUT_OK : avout__late());
}
