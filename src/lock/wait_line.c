/* The line of those who wait for a condition. Only the first looks for signals: it watches the children. Every other
 * waiter watches the one before it. So a signal wakes one. */
#include "lock/wait.h"

#include <string.h>

#include "base/banned.h"

typedef struct line {
    const char *mine, *before, *signal;
    int64_t sequence, before_sequence, signal_sequence;
} line;

static bool is_known(avout__locks *room, const avout__claim_name *name)
{
    AVOUT__LIST_EACH(link, &room->waits)
    if (AVOUT__LINK_OF(link, avout__wait, link)->number == name->number) return true;
    return false;
}

static bool find_mine(line *seen, const avout__wait *wait, const avout_reply *reply)
{
    avout__locks *room = wait->lock->room;
    for (size_t i = 0; i < reply->name_count; i++) {
        avout__claim_name name;
        if (!avout__name_parse(&name, 't', reply->names[i]) || strcmp(name.client, room->client_id))
            continue;
        if (name.number == wait->number) {
            seen->mine = reply->names[i];
            seen->sequence = name.sequence;
        } else if (!is_known(room, &name)) { /* no thread waits for it (L2) */
            avout__node_sweep(room, wait->path, reply->names[i]);
        }
    }
    return seen->mine != NULL;
}

/* The last waiter before it, and the first signal that is its own if there is none. */
static line line_of(const avout__wait *wait, const avout_reply *reply)
{
    line seen = {0};
    if (!find_mine(&seen, wait, reply)) return seen;
    for (size_t i = 0; i < reply->name_count; i++) {
        const char *name = reply->names[i];
        avout__claim_name other;
        int64_t sequence;
        if (avout__name_parse(&other, 't', name)) {
            if (other.sequence >= seen.sequence) continue;
            if (seen.before && other.sequence < seen.before_sequence) continue;
            seen.before = name;
            seen.before_sequence = other.sequence;
        } else if (avout__signal_parse(&sequence, name)) {
            if (sequence < seen.sequence) continue;
            if (seen.signal && sequence > seen.signal_sequence) continue;
            seen.signal = name;
            seen.signal_sequence = sequence;
        }
    }
    return seen;
}

/* It is the first in line: signals smaller than itself are nobody's. */
static void sweep_signals(const avout__wait *wait, const avout_reply *reply)
{
    for (size_t i = 0; i < reply->name_count; i++) {
        int64_t sequence;
        if (avout__signal_parse(&sequence, reply->names[i]) && sequence < wait->sequence)
            avout__node_sweep(wait->lock->room, wait->path, reply->names[i]);
    }
}

static void before_seen(const avout_reply *reply, void *payload)
{
    avout__wait *wait = avout__order_begin(payload, reply);
    avout__locks *room = wait->lock->room;
    if (wait->state == AVOUT__WAIT_WAITING && wait->watching && reply->status) {
        wait->watching = false;
        if (reply->status == AVOUT_ENOTFOUND) avout__wait_list(wait, false);
        else avout__retry_later(room, &wait->asker.retry);
    }
    avout__wait_reply_end(payload);
}

static void watch_before(avout__wait *wait, const char *name)
{
    char path[AVOUT__CONDITION_PATH];
    snprintf(wait->before, sizeof wait->before, "%s", name);
    snprintf(path, sizeof path, "%s/%s", wait->path, name);
    wait->watching = avout__wait_ask(
        wait, (avout_request){
                  .kind = AVOUT_REQUEST_GET, .watch = true, .path = path, .done = before_seen});
}

static void place(avout__wait *wait, const avout_reply *reply, bool watched)
{
    line seen = line_of(wait, reply);
    if (!seen.mine) {
        avout__wait_gone(wait); /* removed by a stranger */
        return;
    }
    snprintf(wait->name, sizeof wait->name, "%s", seen.mine);
    wait->sequence = seen.sequence;
    if (!seen.before) sweep_signals(wait, reply);
    if (seen.sequence >= INT32_MAX && !wait->woken) {
        wait->status = AVOUT_ELIMIT; /* nobody could tell who was first, and whose a signal is */
        avout__wait_delete(wait);
        avout__wait_wake(wait);
    } else if (wait->woken) {
        avout__wait_delete(wait);
    } else if (seen.before) {
        watch_before(wait, seen.before);
    } else if (seen.signal) {
        snprintf(wait->signal, sizeof wait->signal, "%s", seen.signal);
        wait->state = AVOUT__WAIT_TAKING;
        avout__wait_wake(wait);
    } else if (watched) {
        wait->armed = true;
    } else {
        avout__wait_list(wait, true);
    }
}

void avout__wait_listed(const avout_reply *reply, void *payload)
{
    const avout__order *order = payload;
    avout__wait *wait = avout__order_begin(payload, reply);
    wait->listing = false;
    if (wait->state == AVOUT__WAIT_WAITING) {
        if (!reply->status) place(wait, reply, order->watch);
        else if (reply->status == AVOUT_ENOTFOUND) avout__wait_gone(wait);
        else avout__retry_later(wait->lock->room, &wait->asker.retry);
    }
    avout__wait_reply_end(payload);
}

void avout__wait_list(avout__wait *wait, bool watch)
{
    if (wait->listing || !wait->lock->room->connected) return;
    wait->listing = avout__wait_ask(wait, (avout_request){.kind = AVOUT_REQUEST_LIST,
                                                          .watch = watch,
                                                          .path = wait->path,
                                                          .done = avout__wait_listed});
}

void avout__wait_event(avout__wait *wait, const char *path)
{
    if (wait->state != AVOUT__WAIT_WAITING) return;
    size_t length = strlen(wait->path);
    if (strncmp(path, wait->path, length)) return;
    if (wait->armed && !path[length]) {
        wait->armed = false;
        avout__wait_list(wait, true);
    } else if (wait->watching && path[length] == '/' && !strcmp(path + length + 1, wait->before)) {
        wait->watching = false;
        avout__wait_list(wait, false);
    }
}
