/* Sequences that are made as they are read, and the walk over whatever has elements. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "lang/lang.h"
#include "base/banned.h"

/* What is made at once must have an end well before this. */
enum { MOST_ELEMENTS = 1 << 24 };

/* ---- lazy sequences ----------------------------------------------------------------------------------- */

static avout_value new_lazy(lang_run *run, avout_value make, avout_value first, avout_value rest)
{
    lang_lazy *lazy = avout__calloc(1, sizeof *lazy);
    if (!lazy) {
        avout_release(make);
        avout_release(first);
        avout_release(rest);
        return avout__lang_failed(run, AVOUT_ENOMEM);
    }
    lazy->object.kind = LANG_LAZY;
    pthread_mutex_init(&lazy->lock, NULL);
    lazy->make = make;
    lazy->first = first;
    lazy->rest = rest;
    atomic_store_explicit(&run->lang->lazy, true, memory_order_relaxed);
    return avout__lang_made(run, avout__lang_box(lazy));
}

avout_value avout__lang_lazy(lang_run *run, avout_value make)
{
    return new_lazy(run, make, AVOUT_NONE, AVOUT_NONE);
}

avout_value avout__lang_cons(lang_run *run, avout_value first, avout_value rest)
{
    if (!first.bits || !rest.bits) {
        avout_release(first);
        avout_release(rest);
        return AVOUT_NONE;
    }
    if (!avout__lang_is_lazy(rest) && avout_value_type(rest) == AVOUT_TYPE_LIST) {
        avout_status status = avout_conj(&rest, first);
        if (!status) return rest;
        avout_release(rest);
        return avout__lang_failed(run, status);
    }
    return new_lazy(run, AVOUT_NONE, first, rest);
}

bool avout__lang_is_lazy(avout_value value)
{
    return avout__lang_object_of(value, LANG_LAZY) != NULL;
}

/* The first element and the rest of what `make` made, which is consumed. */
static bool take_apart(lang_run *run, avout_value made, avout_value *first, avout_value *rest)
{
    lang_walk walk;
    if (!avout__lang_walk(&walk, run, "lazy-seq", made)) {
        avout_release(made);
        return false;
    }
    avout_release(made);
    if (!avout__lang_walk_next(&walk, first)) return avout__lang_walk_end(&walk);
    /* What is left of it is a list. */
    lang_items items = {0};
    avout_value item;
    bool fine = true;
    while (fine && avout__lang_walk_next(&walk, &item)) fine = avout__lang_add(run, &items, item);
    fine = avout__lang_walk_end(&walk) && fine;
    if (fine) *rest = avout__lang_list(run, &items);
    avout__lang_drop(&items);
    if (fine && rest->bits) return true;
    avout_release(lang_take(first));
    return false;
}

/* What a lazy sequence is, seen at one moment: other threads may make it at the same time. */
static lang_lazy look(lang_lazy *lazy)
{
    lang_lazy seen = {.object = lazy->object};
    pthread_mutex_lock(&lazy->lock);
    seen.make = avout_share(lazy->make);
    seen.first = avout_share(lazy->first);
    seen.rest = avout_share(lazy->rest);
    pthread_mutex_unlock(&lazy->lock);
    return seen;
}

static void drop(lang_lazy *seen)
{
    avout_release(seen->make);
    avout_release(seen->first);
    avout_release(seen->rest);
}

/* Whether it is what `rest` is. */
static bool is_other(const lang_lazy *seen)
{
    return !seen->make.bits && !seen->first.bits && seen->rest.bits;
}

/* Gives it a first element and a rest, or only a rest: what it is the same as; all consumed. Nothing is done if it
 * is not any more as it was seen: another thread was faster, and its result stays. */
static void put(lang_lazy *lazy, const lang_lazy *seen, avout_value first, avout_value rest)
{
    lang_lazy before = {.object = lazy->object};
    pthread_mutex_lock(&lazy->lock);
    if (lazy->make.bits == seen->make.bits && !lazy->first.bits &&
        lazy->rest.bits == seen->rest.bits) {
        before.make = lang_take(&lazy->make);
        before.rest = lazy->rest;
        lazy->first = lang_take(&first);
        lazy->rest = lang_take(&rest);
    }
    pthread_mutex_unlock(&lazy->lock);
    drop(&before);
    avout_release(first);
    avout_release(rest);
}

/* Calls the function. What answers another lazy sequence is the same as that one from now on. */
static bool make_one(lang_run *run, lang_lazy *lazy, const lang_lazy *seen)
{
    avout_value made = avout__lang_call(run, seen->make, 0, NULL);
    avout_value first = AVOUT_NONE, rest = AVOUT_NONE;
    if (!made.bits) return false;
    if (avout__lang_is_lazy(made)) rest = made;
    else if (!take_apart(run, made, &first, &rest)) return false;
    put(lazy, seen, first, rest);
    return true;
}

/* One step nearer to what the other one is. Nobody but the last of a long row is kept. */
static bool follow(lang_run *run, lang_lazy *lazy, const lang_lazy *seen)
{
    lang_lazy *other = avout__lang_object_of(seen->rest, LANG_LAZY);
    lang_lazy there = look(other);
    bool fine = true;
    if (there.make.bits) fine = make_one(run, other, &there);
    else put(lazy, seen, avout_share(there.first), avout_share(there.rest));
    drop(&there);
    return fine;
}

/* No lock is held while the program's function runs: two threads may both call it, and the first
 * result stays. A row of sequences each of which is the next one takes no stack. */
bool avout__lang_force(lang_run *run, avout_value value, bool *empty)
{
    lang_lazy *lazy = avout__lang_object_of(value, LANG_LAZY);
    for (bool fine = true; fine;) {
        lang_lazy seen = look(lazy);
        bool other = is_other(&seen), done = !seen.make.bits && !other;
        *empty = !seen.first.bits;
        if (other) fine = lang_step(run, 1) && follow(run, lazy, &seen);
        else if (!done) fine = make_one(run, lazy, &seen);
        drop(&seen);
        if (done) return true;
    }
    return false;
}

avout_value avout__lang_rest(avout_value value)
{
    lang_lazy seen = look(avout__lang_object_of(value, LANG_LAZY));
    avout_release(seen.make);
    avout_release(seen.first);
    return seen.rest;
}

/* ---- walks --------------------------------------------------------------------------------------------- */

bool avout__lang_walk(lang_walk *walk, lang_run *run, const char *name, avout_value value)
{
    *walk = (lang_walk){.run = run, .type = avout_value_type(value)};
    walk->lazy = avout__lang_is_lazy(value);
    switch (walk->type) {
    case AVOUT_TYPE_NIL: break;
    case AVOUT_TYPE_STRING: avout_value_to_text(&walk->text, &walk->left, value); break;
    case AVOUT_TYPE_LIST:
    case AVOUT_TYPE_VECTOR:
    case AVOUT_TYPE_MAP:
    case AVOUT_TYPE_SET: walk->at = avout_value_iterate(value); break;
    default:
        if (walk->lazy) break;
        avout__lang_wrong(run, name, "a collection, a string or nil", value);
        return false;
    }
    walk->whole = avout_share(value);
    return true;
}

static bool failed(lang_walk *walk)
{
    walk->failed = true;
    return false;
}

static bool next_lazy(lang_walk *walk, avout_value *item)
{
    bool empty;
    if (!avout__lang_force(walk->run, walk->whole, &empty)) return failed(walk);
    if (empty) return false;
    lang_lazy seen = look(avout__lang_object_of(walk->whole, LANG_LAZY));
    *item = seen.first;
    lang_walk rest;
    bool fine = avout__lang_walk(&rest, walk->run, "lazy-seq", seen.rest);
    avout_release(seen.rest);
    avout_release(walk->whole);
    walk->whole = AVOUT_NONE;
    if (fine) {
        *walk = rest;
        return true;
    }
    avout_release(lang_take(item));
    return failed(walk);
}

/* Strings are valid UTF-8. */
static avout_value next_char(lang_walk *walk)
{
    const unsigned char *at = (const unsigned char *)walk->text;
    size_t length = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
    uint32_t c = length == 1 ? *at : *at & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) c = c << 6 | (at[i] & 0x3f);
    walk->text += length;
    walk->left -= length;
    return avout_char(c);
}

bool avout__lang_walk_next(lang_walk *walk, avout_value *item)
{
    if (walk->failed) return false;
    if (!lang_step(walk->run, 1)) return failed(walk);
    if (walk->lazy) return next_lazy(walk, item);
    if (walk->type == AVOUT_TYPE_NIL) return false;
    if (walk->type == AVOUT_TYPE_STRING) {
        if (!walk->left) return false;
        *item = next_char(walk);
        return true;
    }
    if (!avout_iterator_next(&walk->at)) return false;
    *item = avout_share(walk->at.item);
    if (walk->type != AVOUT_TYPE_MAP) return true;
    *item = avout_vector(2, (avout_value[]){avout_share(walk->at.key), *item});
    if (item->bits) return true;
    avout__lang_failed(walk->run, AVOUT_ENOMEM);
    return failed(walk);
}

bool avout__lang_walk_end(lang_walk *walk)
{
    avout_release(lang_take(&walk->whole));
    return !walk->failed;
}

/* ---- items --------------------------------------------------------------------------------------------- */

bool avout__lang_add(lang_run *run, lang_items *items, avout_value item)
{
    if (!item.bits) return false;
    avout_status status = AVOUT_OK;
    if (items->count == MOST_ELEMENTS)
        avout__lang_fail(run, status = AVOUT_ELIMIT,
                         "more than %d elements: a sequence without an end?", MOST_ELEMENTS);
    else if ((status = AVOUT__GROW(&items->at, &items->room, items->count + 1)))
        avout__lang_failed(run, status);
    if (status) {
        avout_release(item);
        return false;
    }
    items->at[items->count++] = item;
    return true;
}

bool avout__lang_add_all(lang_run *run, lang_items *items, const char *name, avout_value value)
{
    lang_walk walk;
    avout_value item;
    if (!avout__lang_walk(&walk, run, name, value)) return false;
    bool fine = true;
    while (fine && avout__lang_walk_next(&walk, &item)) fine = avout__lang_add(run, items, item);
    return avout__lang_walk_end(&walk) && fine;
}

void avout__lang_drop(lang_items *items)
{
    for (size_t i = 0; i < items->count; i++) avout_release(items->at[i]);
    avout__free(items->at);
    *items = (lang_items){0};
}

static avout_value finish(lang_run *run, lang_items *items,
                          avout_value (*make)(size_t, const avout_value *))
{
    avout_value made = make(items->count, items->at);
    avout__free(items->at);
    *items = (lang_items){0};
    return avout__lang_made(run, made);
}

avout_value avout__lang_list(lang_run *run, lang_items *items)
{
    return finish(run, items, avout_list);
}

avout_value avout__lang_vector(lang_run *run, lang_items *items)
{
    return finish(run, items, avout_vector);
}

/* ---- making whole ---------------------------------------------------------------------------------------- */

static bool is_collection(avout_value value)
{
    avout_type type = avout_value_type(value);
    return type >= AVOUT_TYPE_LIST && type <= AVOUT_TYPE_SET;
}

static bool has_lazy(lang_run *run, avout_value value)
{
    if (avout__lang_is_lazy(value)) return true;
    if (!is_collection(value) || lang_deep(run)) return false;
    avout_iterator at = avout_value_iterate(value);
    while (avout_iterator_next(&at))
        if ((at.key.bits && has_lazy(run, at.key)) || has_lazy(run, at.item)) return true;
    return false;
}

static avout_value whole_of(lang_run *run, avout_value value);

static avout_value whole_map(lang_run *run, avout_value value)
{
    avout_value map = avout_map(0, NULL);
    avout_iterator at = avout_value_iterate(value);
    while (map.bits && avout_iterator_next(&at)) {
        avout_value key = whole_of(run, at.key);
        avout_value item = key.bits ? whole_of(run, at.item) : AVOUT_NONE;
        if (item.bits && !avout_assoc(&map, key, item)) continue;
        if (!item.bits) avout_release(key);
        avout_release(lang_take(&map));
    }
    return map;
}

/* An owned copy without lazy sequences; AVOUT_NONE: the error is set, or will be by the caller. */
static avout_value whole_of(lang_run *run, avout_value value)
{
    if (!is_collection(value) && !avout__lang_is_lazy(value)) return avout_share(value);
    if (lang_deep(run)) return AVOUT_NONE;
    if (avout_value_type(value) == AVOUT_TYPE_MAP) return whole_map(run, value);
    lang_items items = {0};
    lang_walk walk;
    avout_value item, made = AVOUT_NONE;
    bool fine = avout__lang_walk(&walk, run, "seq", value);
    while (fine && avout__lang_walk_next(&walk, &item)) {
        avout_value part = whole_of(run, item);
        avout_release(item);
        fine = part.bits && avout__lang_add(run, &items, part);
    }
    fine = avout__lang_walk_end(&walk) && fine;
    if (fine && avout_value_type(value) == AVOUT_TYPE_VECTOR)
        return avout__lang_vector(run, &items);
    if (fine && avout_value_type(value) == AVOUT_TYPE_SET) {
        made = avout_set(0, NULL);
        for (size_t i = 0; i < items.count && made.bits; i++)
            if (avout_conj(&made, lang_take(&items.at[i]))) avout_release(lang_take(&made));
    } else if (fine) {
        made = avout__lang_list(run, &items);
    }
    avout__lang_drop(&items);
    return made;
}

bool avout__lang_realize(lang_run *run, avout_value *value, bool deep)
{
    if (!atomic_load_explicit(&run->lang->lazy, memory_order_relaxed)) return true;
    if (deep ? !has_lazy(run, *value) : !avout__lang_is_lazy(*value)) return run->status == 0;
    avout_value whole = AVOUT_NONE;
    if (deep) {
        whole = whole_of(run, *value);
    } else {
        lang_items items = {0};
        if (avout__lang_add_all(run, &items, "seq", *value)) whole = avout__lang_list(run, &items);
        avout__lang_drop(&items);
    }
    if (!whole.bits) {
        if (!run->status) avout__lang_failed(run, AVOUT_ENOMEM);
        return false;
    }
    avout_release(*value);
    *value = whole;
    return true;
}
