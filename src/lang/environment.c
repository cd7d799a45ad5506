/* Environments: what def defines, the limits of a run, and its stack of values. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "lang/future.h"
#include "lang/state.h"
#include "lang/wait.h"
#include "base/banned.h"

enum {
    FUEL = 1024,
    FIRST_CHUNK = 512,
    /* What is left of the C stack for those who do not ask (lang_deep). */
    STACK_RESERVE = 160 << 10,
    STACK_DEFAULT = 6 << 20,
    /* Steps that finally has when the others are used up, all of a run's together. */
    GRACE = 10000,
};

static const uint64_t DEFAULT_STEPS = 100000000;
static const int64_t NS_PER_MS = 1000000;

/* ---- the C stack ----------------------------------------------------------------------------------------- */

/* The lowest address this thread's stack may use; asked for once, as the answer takes long. */
static const char *stack_bottom(void)
{
    static _Thread_local const char *bottom;
    pthread_attr_t attributes;
    void *start = NULL;
    size_t size = 0;
    if (bottom) return bottom;
    if (!pthread_getattr_np(pthread_self(), &attributes)) {
        pthread_attr_getstack(&attributes, &start, &size);
        pthread_attr_destroy(&attributes);
    }
    const char *here = __builtin_frame_address(0);
    /* Nobody can say: a little is there for sure. */
    bottom = start ? start : here - (256 << 10);
    return bottom;
}

static const char *stack_limit(const avout_lang *lang)
{
    const char *here = __builtin_frame_address(0), *bottom = stack_bottom();
    size_t room = (size_t)(here - bottom), most = lang->options.max_stack;
    size_t reserve = room / 4 < STACK_RESERVE ? room / 4 : STACK_RESERVE;
    if (!most) most = STACK_DEFAULT;
    room = room > reserve ? room - reserve : 0;
    return here - (room < most ? room : most);
}

bool avout__lang_too_deep(lang_run *run)
{
    avout__lang_fail(run, AVOUT_ELIMIT, "calls are nested too deeply: recursion without an end?");
    return true;
}

/* ---- runs ------------------------------------------------------------------------------------------------- */

void avout__lang_run_start(lang_run *run, avout_lang *lang)
{
    uint64_t most = lang->options.max_steps ? lang->options.max_steps : DEFAULT_STEPS;
    *run = (lang_run){.lang = lang};
    run->fuel = most < FUEL ? (int64_t)most : FUEL;
    run->steps = most == UINT64_MAX ? most : most - (uint64_t)run->fuel;
    run->grace = GRACE;
    run->wait_left_ns =
        lang->options.max_wait_ms > 0 ? lang->options.max_wait_ms * NS_PER_MS : AVOUT__NEVER;
    /* Who runs inside of another run, or a future, is interrupted by what interrupts that. */
    avout__interruptible by = avout__interruptible_now();
    if (by.source != &lang->interrupts && !avout__lang_hired(lang))
        by = avout__interruptible_by(&lang->interrupts);
    run->outside = avout__interrupt_use(by);
    run->stack_limit = stack_limit(lang);
}

void avout__lang_run_end(lang_run *run)
{
    while (run->chunk) {
        lang_chunk *chunk = run->chunk;
        run->chunk = chunk->below;
        avout__free(chunk);
    }
    avout_release(lang_take(&run->thrown));
    avout__interrupt_use(run->outside);
    if (run->pool && run->fuel > 0) atomic_fetch_add(&run->pool->left, (uint64_t)run->fuel);
    avout__lang_pool_unref(run->pool);
    run->pool = NULL;
}

void avout__lang_pool_unref(lang_pool *pool)
{
    if (pool && atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) == 1)
        avout__free(pool);
}

bool avout__lang_share_steps(lang_run *run, lang_pool **out)
{
    *out = NULL;
    if (run->lang->options.max_steps == UINT64_MAX) return true;
    if (!run->pool) {
        lang_pool *pool = avout__alloc(sizeof *pool);
        if (!pool) return avout__lang_failed(run, AVOUT_ENOMEM).bits;
        atomic_init(&pool->refs, 1);
        atomic_init(&pool->left, run->steps);
        run->pool = pool;
        run->steps = 0;
    }
    atomic_fetch_add_explicit(&run->pool->refs, 1, memory_order_relaxed);
    *out = run->pool;
    return true;
}

void avout__lang_run_pool(lang_run *run, lang_pool *pool)
{
    if (!pool) return;
    atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
    run->pool = pool;
    run->steps = 0;
    run->fuel = 0;
}

/* At most that many. */
static uint64_t take_steps(lang_run *run, uint64_t wanted)
{
    if (!run->pool) {
        uint64_t got = run->steps < wanted ? run->steps : wanted;
        run->steps -= got;
        return got;
    }
    uint64_t left = atomic_load(&run->pool->left), got;
    do got = left < wanted ? left : wanted;
    while (!atomic_compare_exchange_weak(&run->pool->left, &left, left - got));
    return got;
}

bool avout__lang_refuel(lang_run *run)
{
    uint64_t used = (uint64_t)-run->fuel;
    bool limited = run->lang->options.max_steps != UINT64_MAX;
    if (avout__lang_stopped(run)) return false;
    uint64_t got = limited ? take_steps(run, used + FUEL) : 0;
    if (limited && got < used) {
        uint64_t most = run->lang->options.max_steps;
        avout__lang_fail(run, AVOUT_ELIMIT, "more than %llu steps: a loop without an end?",
                         (unsigned long long)(most ? most : DEFAULT_STEPS));
        run->fatal = run->spent = true;
        run->fuel = 0;
        return false;
    }
    run->fuel = limited ? (int64_t)(got - used) : FUEL;
    return true;
}

/* An interruption is over once it has ended something. */
lang_aside avout__lang_put_aside(lang_run *run)
{
    lang_aside aside = {lang_take(&run->thrown), run->status, run->fatal, run->spent};
    if (aside.status) {
        avout__interruptible before = avout__interrupt_again();
        if (avout__lang_leaving(run->lang)) avout__interrupt_use(before);
    }
    /* What is inside of finally has no other allowance than what is left of this one. */
    if (run->spent) {
        run->fuel = run->grace;
        run->grace = 0;
    }
    run->status = AVOUT_OK;
    run->fatal = false;
    return aside;
}

void avout__lang_put_back(lang_run *run, lang_aside *aside)
{
    if (aside->spent) {
        run->grace = run->fuel > 0 ? run->fuel : 0;
        run->fuel = 0;
    }
    if (run->status && !aside->fatal) {
        avout_release(lang_take(&aside->thrown));
        return;
    }
    avout_release(run->thrown);
    run->thrown = lang_take(&aside->thrown);
    run->status = aside->status;
    run->fatal = aside->fatal;
}

/* ---- the stack of values ------------------------------------------------------------------------------------ */

static lang_chunk *new_chunk(lang_run *run, size_t count)
{
    size_t size = run->chunk ? run->chunk->size * 2 : FIRST_CHUNK;
    if (size < count) size = count;
    lang_chunk *chunk = avout__alloc(sizeof *chunk + size * sizeof *chunk->at);
    if (!chunk) {
        avout__lang_failed(run, AVOUT_ENOMEM);
        return NULL;
    }
    chunk->below = run->chunk;
    chunk->used = 0;
    chunk->size = size;
    return run->chunk = chunk;
}

avout_value *avout__lang_push(lang_run *run, size_t count)
{
    lang_chunk *chunk = run->chunk;
    if (!chunk || chunk->size - chunk->used < count) chunk = new_chunk(run, count);
    if (!chunk) return NULL;
    avout_value *values = chunk->at + chunk->used;
    chunk->used += count;
    for (size_t i = 0; i < count; i++) values[i] = AVOUT_NONE;
    return values;
}

void avout__lang_pop(lang_run *run, avout_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) avout_release(values[i]);
    lang_chunk *chunk = run->chunk;
    /* The one above is kept only as long as it is used: recursion comes back rarely. */
    if (values < chunk->at || values > chunk->at + chunk->used) {
        AVOUT__ASSERT(!chunk->used && chunk->below);
        run->chunk = chunk->below;
        avout__free(chunk);
        chunk = run->chunk;
    }
    AVOUT__DEBUG_ASSERT(values + count == chunk->at + chunk->used);
    chunk->used -= count;
}

/* ---- vars -------------------------------------------------------------------------------------------------- */

static lang_var *var_of(avout_value box)
{
    return avout__lang_object_of(box, LANG_VAR);
}

/* Under the environment's lock. */
static lang_var *new_var(avout_lang *lang, avout_value symbol)
{
    const char *name;
    if (avout_value_to_text(&name, NULL, symbol)) return NULL;
    lang_var *var = avout__calloc(1, sizeof *var);
    if (!var) return NULL;
    var->object.kind = LANG_VAR;
    atomic_flag_clear(&var->lock);
    avout_value box;
    if (!(var->name = avout__strdup(name))) {
        avout__free(var);
        return NULL;
    }
    box = avout__lang_box(var);
    if (!box.bits) return NULL;
    var->self = box;
    return avout_assoc(&lang->vars, avout_share(symbol), box) ? NULL : var;
}

lang_var *avout__lang_var(avout_lang *lang, avout_value symbol, bool make)
{
    pthread_mutex_lock(&lang->lock);
    avout_value found = avout_value_get(lang->vars, symbol);
    lang_var *var = found.bits ? var_of(found) : NULL;
    if (!var && make) var = new_var(lang, symbol);
    pthread_mutex_unlock(&lang->lock);
    return var;
}

static void lock_var(lang_var *var)
{
    while (atomic_flag_test_and_set_explicit(&var->lock, memory_order_acquire)) {}
}

static void set(lang_var *var, avout_value *place, avout_value value)
{
    lock_var(var);
    avout_value before = *place;
    *place = value;
    atomic_flag_clear_explicit(&var->lock, memory_order_release);
    avout_release(before);
}

static avout_value get(lang_var *var, const avout_value *place)
{
    lock_var(var);
    avout_value value = avout_share(*place);
    atomic_flag_clear_explicit(&var->lock, memory_order_release);
    return value;
}

void avout__lang_var_set(lang_var *var, avout_value value)
{
    set(var, &var->value, value);
}

avout_value avout__lang_var_get(lang_var *var)
{
    return get(var, &var->value);
}

void avout__lang_var_document(lang_var *var, avout_value doc)
{
    set(var, &var->doc, doc);
}

avout_value avout__lang_var_doc(lang_var *var)
{
    return get(var, &var->doc);
}

static avout_status add_name(avout_value *names, avout_value symbol)
{
    const char *name;
    avout_status status = avout_value_to_text(&name, NULL, symbol);
    return status ? status : avout_conj(names, avout_string(name));
}

/* Vars are never removed: their map can be walked outside of the lock. */
avout_status avout_lang_names(avout_value *out, avout_lang *lang)
{
    if (!out || !lang) return avout_fail(AVOUT_EINVAL, "avout_lang_names: an argument is NULL");
    pthread_mutex_lock(&lang->lock);
    avout_value vars = avout_share(lang->vars);
    pthread_mutex_unlock(&lang->lock);
    avout_value names = avout_vector(0, NULL);
    avout_status status = names.bits ? AVOUT_OK : AVOUT_ENOMEM;
    avout_iterator at = avout_value_iterate(vars);
    while (!status && avout_iterator_next(&at)) status = add_name(&names, at.key);
    avout_release(vars);
    if (!status) *out = names;
    else avout_release(names);
    return status;
}

/* ---- open, close --------------------------------------------------------------------------------------------- */

void avout__lang_ref(avout_lang *lang)
{
    atomic_fetch_add_explicit(&lang->refs, 1, memory_order_relaxed);
}

/* Vars may hold functions that name them: their values are given up before the vars are. */
void avout__lang_unref(avout_lang *lang)
{
    if (!lang || atomic_fetch_sub_explicit(&lang->refs, 1, memory_order_acq_rel) != 1) return;
    avout_iterator at = avout_value_iterate(lang->vars);
    while (avout_iterator_next(&at)) avout__lang_var_set(var_of(at.item), AVOUT_NONE);
    avout_release(lang->vars);
    avout_release(lang->aliases);
    avout_release(lang->clients);
    avout_release(lang->watched);
    for (size_t i = 0; lang->core_values && i < avout__lang_core_count(); i++)
        avout_release(lang->core_values[i]);
    avout__free(lang->core_values);
    avout__lang_empty_later(lang);
    avout__lang_crew_release(&lang->crew);
    pthread_mutex_destroy(&lang->lock);
    avout__free(lang);
}

avout_status avout_lang_open(avout_lang **out, const avout_lang_options *options)
{
    if (!out) return avout_fail(AVOUT_EINVAL, "avout_lang_open: lang is NULL");
    avout_lang *lang = avout__calloc(1, sizeof *lang);
    if (!lang) return AVOUT_ENOMEM;
    atomic_init(&lang->refs, 1);
    avout__interrupts_init(&lang->interrupts);
    pthread_mutex_init(&lang->lock, NULL);
    avout__lang_crew_init(&lang->crew);
    avout__list_init(&lang->later);
    if (options) lang->options = *options;
    lang->vars = avout_map(0, NULL);
    lang->aliases = avout_map(0, NULL);
    lang->core_values = avout__calloc(avout__lang_core_count(), sizeof *lang->core_values);
    lang->clients = avout_vector(0, NULL);
    lang->watched = avout_set(0, NULL);
    if (!lang->vars.bits || !lang->aliases.bits || !lang->core_values || !lang->clients.bits ||
        !lang->watched.bits) {
        avout__lang_unref(lang);
        return AVOUT_ENOMEM;
    }
    *out = lang;
    return AVOUT_OK;
}

void avout_lang_close(avout_lang *lang)
{
    if (!lang) return;
    /* They use all the rest. */
    avout__lang_crew_end(&lang->crew);
    /* Watches that run end where they wait: the clients' closing waits for them. */
    atomic_store(&lang->closing, true);
    avout__interrupt(&lang->interrupts);
    avout__lang_end_state(lang);
    avout__lang_empty_later(lang);
    avout__lang_unref(lang);
}

void avout_lang_interrupt(avout_lang *lang)
{
    avout__interrupt(&lang->interrupts);
}
