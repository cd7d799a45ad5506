/* Changing atoms and refs; transactions.
 *
 * The program's function runs inside of the library's swap or dosync, perhaps several times. Its error is
 * the run's, and its status travels through the library; an attempt that is run again starts without
 * the error of the one before (L7: AVOUT_RETRY cannot be caught). */
#include "lang/state.h"

#include "base/alloc.h"
#include "lang/future.h"
#include "base/banned.h"

/* A function of the program with its arguments behind the value. */
typedef struct change {
    lang_run *run;
    avout_value function;
    size_t count;
    const avout_value *args;
    struct change *next; /* of the commutes of one transaction */
} change;

/* What is left of an attempt before. */
static void forget_error(lang_run *run)
{
    avout_release(avout__lang_catch(run));
    run->fatal = false;
}

/* The library answers `status`: the run's own error if it came from there. */
static avout_value not_done(lang_run *run, avout_status status)
{
    if (run->status == status && status) return AVOUT_NONE;
    return avout__lang_failed(run, status);
}

/* An avout_change_fn. */
static avout_status apply_change(avout_value *value, void *payload)
{
    change *c = payload;
    lang_run *run = c->run;
    forget_error(run);
    avout_value *args = avout__lang_push(run, c->count + 1), result = AVOUT_NONE;
    bool repeats = run->repeats;
    run->repeats = true;
    if (args) {
        args[0] = avout_share(*value);
        for (size_t i = 0; i < c->count; i++) args[i + 1] = avout_share(c->args[i]);
        result = avout__lang_call(run, c->function, c->count + 1, args);
        avout__lang_pop(run, args, c->count + 1);
    }
    run->repeats = repeats;
    if (result.bits && !avout__lang_realize(run, &result, true)) avout_release(lang_take(&result));
    if (!result.bits) return run->status;
    avout_release(*value);
    *value = result;
    return AVOUT_OK;
}

/* The atom in args[0], or behind a client: the oldest tutorial says so. */
static lang_cell *atom_of(lang_run *run, const char *name, size_t *count, avout_value **args)
{
    if (*count > 1 && avout__lang_is_client((*args)[0])) {
        ++*args;
        --*count;
    }
    lang_cell *cell = avout__lang_object_of((*args)[0], LANG_CELL);
    if (cell && cell->atom) return cell;
    avout__lang_wrong(run, name, "an atom", (*args)[0]);
    return NULL;
}

static bool enough(lang_run *run, const char *name, size_t count, size_t wanted, bool more)
{
    if (count == wanted || (more && count > wanted)) return true;
    return avout__lang_fail(run, AVOUT_EINVAL, "%s: %zu argument%s given, expected %zu%s", name,
                            count, count == 1 ? "" : "s", wanted, more ? " or more" : "")
        .bits;
}

CORE(swap)
{
    const lang_cell *cell = atom_of(run, "swap!!", &count, &args);
    avout_value after = AVOUT_NONE;
    if (!cell || !enough(run, "swap!!", count, 2, true)) return AVOUT_NONE;
    change c = {run, args[1], count - 2, args + 2, NULL};
    avout_status status = avout_swap(cell->atom, apply_change, &c, NULL, &after, NULL);
    return status ? not_done(run, status) : after;
}

CORE(reset)
{
    const lang_cell *cell = atom_of(run, "reset!!", &count, &args);
    if (!cell || !enough(run, "reset!!", count, 2, false) ||
        !avout__lang_realize(run, &args[1], true))
        return AVOUT_NONE;
    avout_status status = avout_reset(cell->atom, avout_share(args[1]), NULL);
    return status ? not_done(run, status) : lang_take(&args[1]);
}

CORE(compare_and_set)
{
    const lang_cell *cell = atom_of(run, "compare-and-set!!", &count, &args);
    if (!cell || !enough(run, "compare-and-set!!", count, 3, false) ||
        !avout__lang_realize(run, &args[1], true) || !avout__lang_realize(run, &args[2], true))
        return AVOUT_NONE;
    avout_status status = avout_compare_and_set(cell->atom, args[1], lang_take(&args[2]), NULL);
    if (status == AVOUT_ECONFLICT) return avout_bool(false);
    return status ? not_done(run, status) : avout_bool(true);
}

/* ---- transactions ------------------------------------------------------------------------------------------- */

/* What one dosync!! needs; its commutes live until it has ended. */
typedef struct lang_txn {
    lang_run *run;
    avout_txn *txn;
    avout_value body, value;
    change *commutes;
    bool paused; /* it has waited for others */
} lang_txn;

static void drop_commutes(lang_txn *t)
{
    while (t->commutes) {
        change *c = t->commutes;
        t->commutes = c->next;
        avout_release(c->function);
        for (size_t i = 0; i < c->count; i++) avout_release(c->args[i]);
        avout__free(c);
    }
}

/* An avout_txn_fn. */
static avout_status run_body(avout_txn *txn, void *payload)
{
    lang_txn *t = payload, *outer = t->run->txn;
    lang_run *run = t->run;
    forget_error(run);
    drop_commutes(t);
    avout_release(lang_take(&t->value));
    t->txn = txn;
    run->txn = t;
    t->value = avout__lang_call(run, t->body, 0, NULL);
    if (t->value.bits && !avout__lang_realize(run, &t->value, true))
        avout_release(lang_take(&t->value));
    run->txn = outer;
    return t->value.bits ? AVOUT_OK : run->status;
}

CORE(dosync)
{
    avout_client *client = avout__lang_client(run, "dosync!!", args[0]);
    if (!client) return AVOUT_NONE;
    /* A transaction inside of another is a part of it, and its commutes live as long as that. */
    if (run->txn) return avout__lang_call(run, args[1], 0, NULL);
    lang_txn t = {.run = run, .body = args[1]};
    avout_status status = avout_dosync(client, run_body, &t, NULL);
    if (t.paused) avout__lang_crew_resume(run->lang);
    drop_commutes(&t);
    if (!status) return t.value;
    avout_release(t.value);
    return not_done(run, status);
}

/* The ref in `value`, inside of a transaction. */
static lang_cell *ref_of(lang_run *run, const char *name, avout_value value)
{
    lang_cell *cell = avout__lang_object_of(value, LANG_CELL);
    if (!cell || !cell->ref) avout__lang_wrong(run, name, "a ref", value);
    else if (!run->txn)
        avout__lang_fail(run, AVOUT_ESTATE,
                         "%s: no transaction is running: it belongs into dosync!!", name);
    else return cell;
    return NULL;
}

CORE(ref_set)
{
    const lang_cell *cell = ref_of(run, "ref-set!!", args[0]);
    if (!cell || !avout__lang_realize(run, &args[1], true)) return AVOUT_NONE;
    avout_status status = avout_ref_set(run->txn->txn, cell->ref, avout_share(args[1]));
    return status ? not_done(run, status) : lang_take(&args[1]);
}

CORE(alter)
{
    lang_cell *cell = ref_of(run, "alter!!", args[0]);
    if (!cell) return AVOUT_NONE;
    change c = {run, args[1], count - 2, args + 2, NULL};
    avout_status status = avout_alter(run->txn->txn, cell->ref, apply_change, &c);
    return status ? not_done(run, status) : avout__lang_cell_value(run, cell);
}

/* Its value is decided at the end of the transaction, so it has none to answer. */
CORE(commute)
{
    const lang_cell *cell = ref_of(run, "commute!!", args[0]);
    if (!cell) return AVOUT_NONE;
    size_t more = count - 2;
    change *c = avout__alloc(sizeof *c + (more + 1) * sizeof *c->args);
    if (!c) return avout__lang_failed(run, AVOUT_ENOMEM);
    avout_value *copies = (avout_value *)(void *)(c + 1);
    for (size_t i = 0; i < more; i++) copies[i] = lang_take(&args[i + 2]);
    *c = (change){run, lang_take(&args[1]), more, copies, run->txn->commutes};
    run->txn->commutes = c;
    avout_status status = avout_commute(run->txn->txn, cell->ref, apply_change, c);
    return status ? not_done(run, status) : avout_nil();
}

CORE(ensure)
{
    lang_cell *cell = ref_of(run, "ensure!!", args[0]);
    if (!cell) return AVOUT_NONE;
    avout_status status = avout_ensure(run->txn->txn, cell->ref);
    return status ? not_done(run, status) : avout__lang_cell_value(run, cell);
}

/* Waits until something that was read changes, then runs the transaction again. */
CORE(retry)
{
    lang_txn *t = run->txn;
    if (!t)
        return avout__lang_fail(run, AVOUT_ESTATE,
                                "retry!!: no transaction is running: it belongs into dosync!!");
    if (!t->paused) avout__lang_crew_pause(run->lang);
    t->paused = true;
    return avout__lang_failed(run, avout_retry(t->txn));
}

const lang_core avout__lang_changes[] = {
    {"swap!!", "atom f arg ...", "the atom's value becomes (f value arg ...), exactly once", 2,
     LANG_MANY, swap, NULL},
    {"reset!!", "atom value", "sets the atom's value", 2, 3, reset, NULL},
    {"compare-and-set!!", "atom expected value",
     "sets the atom's value if it is the expected one, and answers whether", 3, 4, compare_and_set,
     NULL},
    {"ref-set!!", "ref value", "sets the ref's value, in a transaction", 2, 2, ref_set, NULL},
    {"alter!!", "ref f arg ...", "the ref's value becomes (f value arg ...), in a transaction", 2,
     LANG_MANY, alter, NULL},
    {"commute!!", "ref f arg ...", "as alter!!, for functions whose order does not matter; nil", 2,
     LANG_MANY, commute, NULL},
    {"ensure!!", "ref", "the ref's value, which stays as it is until the transaction is done", 1, 1,
     ensure, NULL},
    {"retry!!", "", "waits until what the transaction read has changed, and runs it again", 0, 0,
     retry, NULL},
    {"dosync*", "client f", "", 2, 2, dosync, NULL},
    LANG_END,
};
