#include "support/ledger.h"
#include "support/value.h"

#include <pthread.h>

static const char *const group_names[LEDGER_GROUPS] = {"/group/0", "/group/1", "/group/2"};

/* ---- opening ----------------------------------------------------------------------------------- */

static void create_all(int number)
{
    (void)number;
    avout_client *client = suite_connect();
    avout_ref *refs[LEDGER_GROUPS + 3];
    avout_atom *counter;
    avout_value members = avout_set(0, NULL);
    for (int64_t i = 0; i < LEDGER_MEMBERS; i++) CHECK_OK(avout_conj(&members, avout_int(i)));
    CHECK_OK(avout_ref_create(&refs[0], client, group_names[0], members, NULL));
    for (int i = 1; i < LEDGER_GROUPS; i++)
        CHECK_OK(avout_ref_create(&refs[i], client, group_names[i], avout_set(0, NULL), NULL));
    CHECK_OK(avout_ref_create(&refs[3], client, "/x", avout_int(LEDGER_SUM), NULL));
    CHECK_OK(avout_ref_create(&refs[4], client, "/y", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&refs[5], client, "/moves", avout_int(0), NULL));
    CHECK_OK(avout_atom_create(&counter, client, "/counter", avout_int(0), NULL));
    for (int i = 0; i < LEDGER_GROUPS + 3; i++) avout_ref_close(refs[i]);
    avout_atom_close(counter);
    suite_close(client);
}

void ledger_create(void)
{
    crowd_process creator;
    suite_url();
    crowd_start(&creator, create_all, 0);
    crowd_finish(&creator, 1, 60);
}

void ledger_open(ledger *all, const avout_options *options)
{
    all->client = suite_connect_with(options);
    CHECK_OK(avout_ref_open(&all->x, all->client, "/x"));
    CHECK_OK(avout_ref_open(&all->y, all->client, "/y"));
    CHECK_OK(avout_ref_open(&all->moves, all->client, "/moves"));
    for (int i = 0; i < LEDGER_GROUPS; i++)
        CHECK_OK(avout_ref_open(&all->groups[i], all->client, group_names[i]));
    CHECK_OK(avout_atom_open(&all->counter, all->client, "/counter"));
}

void ledger_close(ledger *all, ledger_book *book)
{
    avout_statistics did;
    avout_client_statistics(all->client, &did);
    atomic_fetch_add(&book->fences, (int64_t)did.fences);
    atomic_fetch_add(&book->retries, (int64_t)did.retries);
    atomic_fetch_add(&book->commits, (int64_t)did.commits);
    avout_ref_close(all->x);
    avout_ref_close(all->y);
    avout_ref_close(all->moves);
    for (int i = 0; i < LEDGER_GROUPS; i++) avout_ref_close(all->groups[i]);
    avout_atom_close(all->counter);
    suite_close(all->client);
    suite_check_memory();
}

/* ---- changes ------------------------------------------------------------------------------------- */

typedef struct change {
    ledger *all;
    uint64_t *random;
    bool wait; /* between two reads: somebody may come in between */
} change;

static void dawdle(const change *mine)
{
    if (mine->wait) test_pause_ms(1);
}

static avout_status add_move(avout_txn *txn, const change *mine)
{
    if (crowd_random_of(mine->random, 2))
        return avout_commute(txn, mine->all->moves, suite_plus, &suite_one);
    return avout_alter(txn, mine->all->moves, suite_plus, &suite_one);
}

static avout_status transfer(avout_txn *txn, void *payload)
{
    const change *mine = payload;
    int64_t x, y, amount = (int64_t)crowd_random_of(mine->random, 21) - 10;
    avout_status status = suite_txn_int(&x, txn, mine->all->x);
    if (status) return status;
    dawdle(mine);
    status = suite_txn_int(&y, txn, mine->all->y);
    if (status) return status;
    CHECK_INT(LEDGER_SUM, x + y);
    status = avout_ref_set(txn, mine->all->x, avout_int(x + amount));
    if (!status) status = avout_ref_set(txn, mine->all->y, avout_int(y - amount));
    return status ? status : add_move(txn, mine);
}

/* The groups as one run sees them. Owned where the status is AVOUT_OK. */
static avout_status read_groups(avout_value groups[LEDGER_GROUPS], avout_txn *txn,
                                const change *mine)
{
    for (int i = 0; i < LEDGER_GROUPS; i++) {
        avout_status status = avout_txn_deref(&groups[i], txn, mine->all->groups[i]);
        if (status) {
            while (i--) avout_release(groups[i]);
            return status;
        }
        dawdle(mine);
    }
    return AVOUT_OK;
}

static int group_of(avout_value groups[LEDGER_GROUPS], int64_t member)
{
    int where = -1;
    for (int i = 0; i < LEDGER_GROUPS; i++) {
        bool found;
        CHECK_OK(avout_value_contains(&found, groups[i], avout_int(member)));
        if (found && where >= 0)
            test_failed(__FILE__, __LINE__, "member %" PRId64 " is in groups %d and %d", member,
                        where, i);
        if (found) where = i;
    }
    if (where < 0) test_failed(__FILE__, __LINE__, "member %" PRId64 " is in no group", member);
    return where;
}

static void check_groups(avout_value groups[LEDGER_GROUPS])
{
    size_t total = 0;
    for (int i = 0; i < LEDGER_GROUPS; i++) {
        size_t count;
        CHECK_OK(avout_value_count(&count, groups[i]));
        total += count;
    }
    for (int64_t i = 0; i < LEDGER_MEMBERS; i++) group_of(groups, i);
    CHECK_INT(LEDGER_MEMBERS, total);
}

static avout_status change_groups(avout_txn *txn, const change *mine,
                                  avout_value groups[LEDGER_GROUPS])
{
    int64_t member = crowd_random_of(mine->random, LEDGER_MEMBERS);
    int from = group_of(groups, member);
    int to = (from + 1 + (int)crowd_random_of(mine->random, LEDGER_GROUPS - 1)) % LEDGER_GROUPS;
    avout_value moved = avout_int(member);
    avout_status status = avout_alter(txn, mine->all->groups[from], avout_disj_fn, &moved);
    dawdle(mine);
    if (!status) status = avout_alter(txn, mine->all->groups[to], avout_conj_fn, &moved);
    return status ? status : add_move(txn, mine);
}

static avout_status move_member(avout_txn *txn, void *payload)
{
    const change *mine = payload;
    avout_value groups[LEDGER_GROUPS];
    avout_status status = read_groups(groups, txn, mine);
    if (status) return status;
    check_groups(groups);
    status = change_groups(txn, mine, groups);
    for (int i = 0; i < LEDGER_GROUPS; i++) avout_release(groups[i]);
    return status;
}

static void note(ledger_count *count, avout_status status)
{
    switch (status) {
    case AVOUT_OK: atomic_fetch_add(&count->confirmed, 1); break;
    case AVOUT_ETIMEOUT: atomic_fetch_add(&count->refused, 1); break;
    case AVOUT_UNKNOWN: atomic_fetch_add(&count->unknown, 1); break;
    default: CHECK_OK(status);
    }
}

void ledger_work(ledger *all, ledger_book *book, int worker, uint64_t *random)
{
    change mine = {all, random, crowd_random_of(random, 8) == 0};
    uint32_t kind = crowd_random_of(random, 3);
    ledger_count *count = kind ? &book->moves[worker] : &book->swaps[worker];
    avout_call_options options = {
        .isolation = crowd_random_of(random, 4) == 0 ? AVOUT_SNAPSHOT : AVOUT_SERIALIZABLE};
    atomic_fetch_add(&count->begun, 1);
    avout_status status =
        kind == 0 ? avout_swap(all->counter, suite_plus, &suite_one, NULL, NULL, NULL)
        : kind == 1
            ? avout_dosync(all->client, transfer, &mine, &options)
            /* Two members that leave for each other's group: only the serializable notices. */
            : avout_dosync(all->client, move_member, &mine, NULL);
    note(count, status);
}

/* ---- looking ------------------------------------------------------------------------------------- */

static int64_t sum_confirmed(ledger_count *counts)
{
    int64_t sum = 0;
    for (int i = 0; i < LEDGER_WORKERS; i++) sum += atomic_load(&counts[i].confirmed);
    return sum;
}

static int64_t sum_possible(ledger_count *counts)
{
    int64_t sum = 0;
    for (int i = 0; i < LEDGER_WORKERS; i++)
        sum += atomic_load(&counts[i].begun) - atomic_load(&counts[i].refused);
    return sum;
}

int64_t ledger_confirmed(ledger_book *book)
{
    return sum_confirmed(book->moves) + sum_confirmed(book->swaps);
}

int64_t ledger_unknown(ledger_book *book)
{
    int64_t sum = 0;
    for (int i = 0; i < LEDGER_WORKERS; i++)
        sum += atomic_load(&book->moves[i].unknown) + atomic_load(&book->swaps[i].unknown);
    return sum;
}

int64_t ledger_refused(ledger_book *book)
{
    int64_t sum = 0;
    for (int i = 0; i < LEDGER_WORKERS; i++)
        sum += atomic_load(&book->moves[i].refused) + atomic_load(&book->swaps[i].refused);
    return sum;
}

typedef struct view {
    change how;
    int64_t x, y, moves;
} view;

static avout_status look_inside(avout_txn *txn, void *payload)
{
    view *mine = payload;
    avout_value groups[LEDGER_GROUPS];
    avout_status status = suite_txn_int(&mine->moves, txn, mine->how.all->moves);
    if (!status) status = suite_txn_int(&mine->x, txn, mine->how.all->x);
    if (status) return status;
    dawdle(&mine->how);
    status = suite_txn_int(&mine->y, txn, mine->how.all->y);
    if (status) return status;
    CHECK_INT(LEDGER_SUM, mine->x + mine->y);
    status = read_groups(groups, txn, &mine->how);
    if (status) return status;
    check_groups(groups);
    for (int i = 0; i < LEDGER_GROUPS; i++) avout_release(groups[i]);
    return AVOUT_OK;
}

/* Answers whether there was an answer before the deadline. */
static bool answered(avout_status status)
{
    if (status == AVOUT_ETIMEOUT) return false;
    CHECK_OK(status);
    return true;
}

static void check_forward(int64_t *seen, int64_t now, const char *what)
{
    if (now < *seen)
        test_failed(__FILE__, __LINE__, "%s went back from %" PRId64 " to %" PRId64, what, *seen,
                    now);
    *seen = now;
}

static void look_at_point(ledger *all, ledger_seen *seen)
{
    avout_ref *refs[3 + LEDGER_GROUPS] = {all->moves, all->x, all->y};
    avout_value values[3 + LEDGER_GROUPS];
    for (int i = 0; i < LEDGER_GROUPS; i++) refs[3 + i] = all->groups[i];
    if (!answered(avout_refs_deref(values, refs, 3 + LEDGER_GROUPS))) return;
    check_forward(&seen->moves, test_take_int(values[0]), "/moves");
    CHECK_INT(LEDGER_SUM, test_take_int(values[1]) + test_take_int(values[2]));
    check_groups(values + 3);
    for (int i = 0; i < LEDGER_GROUPS; i++) avout_release(values[3 + i]);
}

/* What was confirmed to anybody before the call is there. */
static void look_strictly(ledger *all, ledger_book *book, ledger_seen *seen)
{
    avout_value value;
    int64_t confirmed = sum_confirmed(book->swaps);
    if (!answered(avout_atom_deref_strict(&value, all->counter, 0))) return;
    int64_t counter = test_take_int(value);
    if (counter < confirmed)
        test_failed(__FILE__, __LINE__, "%" PRId64 " swaps were confirmed, the counter is %" PRId64,
                    confirmed, counter);
    check_forward(&seen->counter, counter, "/counter");
}

void ledger_look(ledger *all, ledger_book *book, ledger_seen *seen, uint64_t *random)
{
    view mine = {.how = {all, random, crowd_random_of(random, 4) == 0}};
    avout_value value;
    switch (crowd_random_of(random, 5)) {
    case 0: look_strictly(all, book, seen); break;
    case 1:
        if (answered(avout_dosync(all->client, look_inside, &mine, NULL)))
            check_forward(&seen->moves, mine.moves, "/moves in a transaction");
        break;
    case 2:
        if (answered(avout_atom_deref(&value, all->counter)))
            check_forward(&seen->counter, test_take_int(value), "/counter");
        if (answered(avout_ref_deref(&value, all->moves)))
            check_forward(&seen->moves, test_take_int(value), "/moves");
        break;
    case 3: {
        avout_call_options strict = {.strict = true};
        int64_t confirmed = sum_confirmed(book->moves);
        if (!answered(avout_dosync(all->client, look_inside, &mine, &strict))) break;
        if (mine.moves < confirmed)
            test_failed(__FILE__, __LINE__,
                        "%" PRId64 " moves were confirmed, the count is %" PRId64, confirmed,
                        mine.moves);
        check_forward(&seen->moves, mine.moves, "/moves in a strict transaction");
        break;
    }
    default: look_at_point(all, seen);
    }
    atomic_fetch_add(&book->looks, 1);
}

/* ---- lives --------------------------------------------------------------------------------------- */

typedef struct life {
    ledger *all;
    ledger_book *book;
    int worker;
} life;

static void *live(void *payload)
{
    const life *mine = payload;
    uint64_t random = crowd_thread_seed();
    ledger_seen seen = {0, 0};
    while (!atomic_load(&mine->book->over)) {
        ledger_work(mine->all, mine->book, mine->worker, &random);
        if (crowd_random_of(&random, 4) == 0) ledger_look(mine->all, mine->book, &seen, &random);
    }
    return NULL;
}

void ledger_live(ledger_book *book, int worker, int threads, const avout_options *options)
{
    enum { THREADS_MAX = 8 };
    ledger all;
    life mine = {&all, book, worker};
    pthread_t ids[THREADS_MAX];
    CHECK(threads <= THREADS_MAX);
    ledger_open(&all, options);
    for (int i = 0; i < threads; i++) CHECK(!pthread_create(&ids[i], NULL, live, &mine));
    for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
    ledger_close(&all, book);
}

void ledger_watch(ledger_book *book, const avout_options *options)
{
    ledger all;
    ledger_seen seen = {0, 0};
    uint64_t random = crowd_thread_seed();
    ledger_open(&all, options);
    while (!atomic_load(&book->over)) ledger_look(&all, book, &seen, &random);
    ledger_close(&all, book);
}

void ledger_await_progress(ledger_book *book, int count, int seconds, crowd_process *processes,
                           size_t process_count)
{
    int64_t limit = crowd_now_ms() + seconds * 1000;
    for (int i = 0; i < count; i++) {
        int64_t before = atomic_load(&book->moves[i].confirmed);
        while (atomic_load(&book->moves[i].confirmed) < before + 2) {
            crowd_check(processes, process_count);
            if (crowd_now_ms() > limit)
                test_failed(__FILE__, __LINE__, "worker %d does not go on", i);
            test_pause_ms(5);
        }
    }
}

/* ---- the end --------------------------------------------------------------------------------------- */

static ledger_book *audited;

static void check_total(const char *what, int64_t total, ledger_count *counts)
{
    int64_t confirmed = sum_confirmed(counts), possible = sum_possible(counts);
    fprintf(stderr, "# %s: %" PRId64 ", confirmed %" PRId64 ", in doubt %" PRId64 "\n", what, total,
            confirmed, possible - confirmed);
    if (total < confirmed) test_failed(__FILE__, __LINE__, "%s: confirmed ones are lost", what);
    if (total > possible) test_failed(__FILE__, __LINE__, "%s: some took effect twice", what);
}

static void audit(int number)
{
    (void)number;
    ledger all;
    ledger_seen seen = {0, 0};
    avout_value value;
    ledger_open(&all, &(avout_options){.durability = AVOUT_DURABLE_NONE});
    look_at_point(&all, &seen);
    CHECK_OK(avout_ref_deref_strict(&value, all.moves, 0));
    check_total("moves", test_take_int(value), audited->moves);
    CHECK_OK(avout_atom_deref_strict(&value, all.counter, 0));
    check_total("swaps", test_take_int(value), audited->swaps);
    ledger_close(&all, audited);
}

void ledger_audit(ledger_book *book)
{
    crowd_process auditor;
    audited = book;
    crowd_start(&auditor, audit, 0);
    crowd_finish(&auditor, 1, 60);
}
