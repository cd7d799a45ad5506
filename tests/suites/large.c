/* Values that do not fit into a node, on any store: as all others, and nothing of them is left behind
 * (I1, I2, I6, I7; F1 to F3 in src/stm/foreign.c). What lies in the store is looked at as a stranger
 * would, below the library. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/store.h"
#include "support/raw.h"
#include "support/suite.h"

/* ---- the store itself -------------------------------------------------------------------------------- */

static size_t names_below(avout_store *store, const char *path, bool deep)
{
    avout__reply reply;
    size_t count = raw_list(&reply, store, path);
    for (size_t i = 0; deep && i < reply.is.name_count; i++) {
        char child[4096];
        snprintf(child, sizeof child, "%s/%s", path, reply.is.names[i]);
        count += names_below(store, child, false);
    }
    avout__reply_release(&reply);
    return count;
}

static void no_node(avout_node_event event, const char *path, void *payload)
{
    (void)event, (void)path, (void)payload;
}

static void no_session(avout_event event, void *payload)
{
    (void)event, (void)payload;
}

static avout_store *open_store(void)
{
    avout_store *store;
    avout_listener listener = {.on_node = no_node, .on_session = no_session};
    CHECK_OK(avout__store_open(&store, suite_url(), NULL, &listener));
    return store;
}

/* Nodes below /avout/chunks; *most: what a request may have. */
static size_t chunk_nodes(size_t *most)
{
    avout_store_info info;
    avout_store *store = open_store();
    store->ops->info(store, &info);
    if (most) *most = info.max_request;
    size_t count = names_below(store, "/avout/chunks", true);
    avout__store_close(store);
    return count;
}

static size_t limit(void)
{
    size_t most;
    chunk_nodes(&most);
    return most;
}

/* ---- values ------------------------------------------------------------------------------------------ */

static avout_value text_of(char letter, size_t size)
{
    char *text = malloc(size);
    memset(text, letter, size);
    avout_value value = avout_string_n(text, size);
    free(text);
    return value;
}

static void check_text(avout_value value, char letter, size_t size)
{
    const char *text;
    size_t length;
    CHECK_OK(avout_value_to_text(&text, &length, value));
    CHECK_INT((int64_t)size, (int64_t)length);
    CHECK(text[0] == letter && text[size / 2] == letter && text[size - 1] == letter);
}

static void check_ref(avout_ref *ref, char letter, size_t size)
{
    avout_value value;
    CHECK_OK(avout_ref_deref_strict(&value, ref, 0));
    check_text(value, letter, size);
    avout_release(value);
}

TEST_WITHIN(a_value_larger_than_a_request_is_as_any_other, 120)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    size_t size = limit() + limit() / 2;
    avout_ref *ref, *seen;
    bool created;
    CHECK_OK(avout_ref_create(&ref, client, "/dir/large", text_of('a', size), &created));
    CHECK(created);
    CHECK_OK(avout_ref_open(&seen, other, "/dir/large"));
    check_ref(seen, 'a', size);
    check_ref(ref, 'a', size);
    CHECK_OK(avout_ref_destroy(ref));
    avout_ref_close(ref);
    avout_ref_close(seen);
    avout_close(client);
    CHECK_INT(0, (int64_t)chunk_nodes(NULL));
    suite_close(other);
}

typedef struct change {
    avout_ref *refs[3];
    char letter;
    size_t size;
} change;

static avout_status set_all(avout_txn *txn, void *payload)
{
    const change *c = payload;
    avout_status status = AVOUT_OK;
    for (int i = 0; !status && i < 3; i++)
        status = avout_ref_set(txn, c->refs[i], text_of(c->letter, c->size));
    return status;
}

TEST_WITHIN(values_that_fit_alone_but_not_together_change_together, 120)
{
    avout_client *client = suite_connect(), *other = suite_connect(), *witness = suite_connect();
    change c = {.letter = 'b', .size = limit() / 10 * 6}, seen = c;
    static const char *const names[] = {"/one", "/two", "/three"};
    for (int i = 0; i < 3; i++) {
        CHECK_OK(avout_ref_create(&c.refs[i], client, names[i], avout_int(0), NULL));
        CHECK_OK(avout_ref_open(&seen.refs[i], other, names[i]));
    }
    CHECK_OK(avout_dosync(client, set_all, &c, NULL));
    for (int i = 0; i < 3; i++) check_ref(seen.refs[i], 'b', c.size);
    /* What fits again goes back into the node, and the pieces go. */
    c.letter = 'c';
    c.size = 100;
    CHECK_OK(avout_dosync(other, set_all,
                          &(change){{seen.refs[0], seen.refs[1], seen.refs[2]}, 'c', 100}, NULL));
    avout_value values[3];
    for (int i = 0; i < 3; i++) {
        CHECK_OK(avout_ref_deref_strict(&values[i], c.refs[i], 0));
        check_text(values[i], 'c', 100);
        avout_release(values[i]);
        avout_ref_close(c.refs[i]);
        avout_ref_close(seen.refs[i]);
    }
    avout_close(client);
    avout_close(other);
    /* Their directories stay until the refs are destroyed. */
    CHECK((int64_t)chunk_nodes(NULL) <= 3);
    suite_close(witness);
}

/* ---- what is left behind -------------------------------------------------------------------------------- */

static void make_node(avout_store *store, const char *path, const char *bytes)
{
    avout_status status =
        raw_do(store, (avout_op){.kind = AVOUT_OP_CREATE, .path = path, .bytes = bytes});
    if (status != AVOUT_EEXISTS) CHECK_OK(status);
}

/* As a client leaves it that dies while it writes, or is done: two pieces and perhaps the node that counts. */
static void leave_pieces(avout_store *store, const char *name, int number, bool whole)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    char home[60], path[120];
    make_node(store, "/avout/chunks", "");
    snprintf(home, sizeof home, "/avout/chunks/%016llx", (unsigned long long)hash);
    make_node(store, home, "");
    for (int i = 0; i < 2 + whole; i++) {
        snprintf(path, sizeof path, "%s/feed-%d%s", home, number,
                 i == 0   ? ".0"
                 : i == 1 ? ".1"
                          : "");
        make_node(store, path, i == 2 ? "{:chunks 2, :bytes 4}" : "ab");
    }
}

static size_t gone(avout_client *client, int64_t older_ms, bool remove)
{
    size_t orphans = 77;
    CHECK_OK(avout_distributed_collect_gone(&orphans, client, older_ms, remove, 20000));
    return orphans;
}

TEST_WITHIN(pieces_of_names_that_are_gone_are_collected_when_they_are_old, 60)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    CHECK_INT(0, (int64_t)gone(client, 0, true)); /* there is not even a place for them */
    avout_store *store = open_store();
    avout_atom *here;
    CHECK_OK(avout_atom_create(&here, client, "/a/b/here", avout_int(0), NULL));
    avout_atom_close(here);
    CHECK_OK(avout_atom_create(&here, client, "/a/dead", avout_int(0), NULL));
    CHECK_OK(avout_atom_destroy(here));
    avout_atom_close(here);
    leave_pieces(store, "/a/b/here", 1, true);
    leave_pieces(store, "/a/dead", 1, true);
    leave_pieces(store, "/a/b/gone", 1, true);
    leave_pieces(store, "/a/b/gone", 10, false);
    leave_pieces(store, "/a", 1, false); /* a directory is no name */
    CHECK_INT(17, (int64_t)chunk_nodes(NULL));
    /* They may be of names that are just being created. */
    CHECK_INT(0, (int64_t)gone(client, 0, true));
    CHECK_INT(0, (int64_t)gone(client, 3600000, true));
    while (gone(client, 1, false) != 3) sched_yield();
    CHECK_INT(17, (int64_t)chunk_nodes(NULL));
    CHECK_INT(3, (int64_t)gone(client, 1, true));
    CHECK_INT(0, (int64_t)gone(client, 1, true));
    CHECK_INT(8, (int64_t)chunk_nodes(NULL));
    /* The names that are known are each one's own matter, the destroyed one included. */
    size_t orphans;
    CHECK_OK(avout_distributed_collect(&orphans, client, "/a/b/here", true, 20000));
    CHECK_INT(1, (int64_t)orphans);
    CHECK_OK(avout_distributed_collect(&orphans, client, "/a/dead", true, 20000));
    CHECK_INT(1, (int64_t)orphans);
    CHECK_INT(2, (int64_t)chunk_nodes(NULL));
    CHECK_STATUS(AVOUT_EINVAL, avout_distributed_collect_gone(&orphans, client, -1, true, 20000));
    avout__store_close(store);
    avout_close(other);
    suite_close(client);
}

TEST(what_kind_of_container_a_name_has)
{
    avout_client *client = suite_connect();
    char kind[AVOUT_KIND_SIZE];
    bool versioned;
    avout_atom *atom;
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_distributed_kind(kind, &versioned, client, "/atom", 0));
    CHECK_STATUS(AVOUT_ENAME, avout_distributed_kind(kind, &versioned, client, "atom", 0));
    CHECK_OK(avout_atom_create(&atom, client, "/atom", avout_int(1), NULL));
    CHECK_OK(avout_distributed_kind(kind, &versioned, client, "/atom", 0));
    CHECK_TEXT("", kind);
    CHECK(!versioned);
    /* One that looks like a pointer is kept in pieces whatever its size. */
    avout_value odd;
    const char *text = "#avout/state {:kind \"file\", :version \"v\"}";
    CHECK_OK(avout_edn_read(&odd, text, strlen(text), NULL, NULL));
    CHECK_OK(avout_reset(atom, odd, NULL));
    CHECK_OK(avout_distributed_kind(kind, &versioned, client, "/atom", 0));
    CHECK_TEXT("chunks", kind);
    CHECK(versioned);
    CHECK_OK(avout_atom_destroy(atom));
    CHECK_STATUS(AVOUT_ENOTFOUND, avout_distributed_kind(kind, &versioned, client, "/atom", 0));
    avout_atom_close(atom);
    suite_close(client);
}

/* ---- what would be taken for something else ----------------------------------------------------------- */

TEST(a_value_that_looks_like_a_pointer_is_a_value)
{
    static const char *const texts[] = {
        "#avout/state {:kind \"chunks\", :version \"0123456789abcdef-1-1\"}",
        "#avout/state {:kind \"file\", :version \"v\"}",
        "#avout/state {:kind \"",
    };
    avout_client *client = suite_connect(), *other = suite_connect();
    for (size_t i = 0; i < 3; i++) {
        avout_value value, seen;
        avout_atom *atom, *there;
        char name[16];
        snprintf(name, sizeof name, "/odd/%zu", i);
        if (avout_edn_read(&value, texts[i], strlen(texts[i]), NULL, NULL))
            value = avout_string(texts[i]);
        CHECK_OK(avout_atom_create(&atom, client, name, avout_share(value), NULL));
        CHECK_OK(avout_atom_open(&there, other, name));
        CHECK_OK(avout_atom_deref(&seen, there));
        CHECK(avout_value_equal(value, seen));
        avout_release(seen);
        avout_release(value);
        avout_atom_close(atom);
        avout_atom_close(there);
    }
    avout_close(other);
    suite_close(client);
}

/* ---- watches ------------------------------------------------------------------------------------------ */

typedef struct told {
    _Atomic size_t from, to;
} told;

static size_t length_of(avout_value value)
{
    const char *text;
    size_t length = 0;
    return avout_value_to_text(&text, &length, value) ? 0 : length;
}

static void tell(const char *key, avout_value old_value, avout_value new_value, void *payload)
{
    told *t = payload;
    (void)key;
    atomic_store(&t->from, length_of(old_value));
    atomic_store(&t->to, length_of(new_value));
}

TEST_WITHIN(a_watch_is_shown_what_does_not_fit, 120)
{
    avout_client *client = suite_connect(), *other = suite_connect();
    size_t size = limit() + 10;
    avout_atom *atom, *watched;
    told t = {0};
    CHECK_OK(avout_atom_create(&atom, client, "/atom", text_of('a', size), NULL));
    CHECK_OK(avout_atom_open(&watched, other, "/atom"));
    CHECK_OK(avout_atom_add_watch(watched, "key", tell, &t, NULL));
    CHECK_OK(avout_reset(atom, text_of('b', size + 1), NULL));
    while (atomic_load(&t.to) != size + 1) sched_yield();
    CHECK_INT((int64_t)size, (int64_t)atomic_load(&t.from));
    CHECK_OK(avout_reset(atom, avout_string("small"), NULL));
    while (atomic_load(&t.to) != 5) sched_yield();
    CHECK_INT((int64_t)size + 1, (int64_t)atomic_load(&t.from));
    /* Who has never seen a large one of it is told as well. */
    avout_client *third = suite_connect();
    avout_atom *fresh;
    told u = {0};
    CHECK_OK(avout_atom_open(&fresh, third, "/atom"));
    CHECK_OK(avout_atom_add_watch(fresh, "key", tell, &u, NULL));
    CHECK_OK(avout_reset(atom, text_of('c', size), NULL));
    while (atomic_load(&u.to) != size) sched_yield();
    avout_atom_close(fresh);
    avout_close(third);
    avout_atom_close(watched);
    avout_atom_close(atom);
    avout_close(other);
    suite_close(client);
}

/* ---- many at once -------------------------------------------------------------------------------------- */

/* Fewer where a request may be so large that these are minutes. */
enum { ROUNDS = 6, LARGE = 8 << 20 };

typedef struct pair {
    avout_client *client;
    avout_ref *number, *text;
    size_t size;
} pair;

static void pair_open(pair *p)
{
    p->client = suite_connect();
    CHECK_OK(avout_ref_create(&p->number, p->client, "/number", avout_int(0), NULL));
    CHECK_OK(avout_ref_create(&p->text, p->client, "/text", avout_string("a"), NULL));
}

static void pair_close(pair *p)
{
    avout_ref_close(p->number);
    avout_ref_close(p->text);
    avout_close(p->client);
}

/* The text has as many bytes more than its size as the number says, or is "a" before the first. */
static avout_status check_pair(int64_t *number, const pair *p, avout_value of_number,
                               avout_value of_text)
{
    avout_status status = avout_value_to_int(number, of_number);
    if (!status && *number) CHECK_INT((int64_t)p->size + *number, (int64_t)length_of(of_text));
    return status;
}

static avout_status grow(avout_txn *txn, void *payload)
{
    pair *p = payload;
    int64_t number;
    avout_value of_number, of_text;
    avout_status status = avout_txn_deref(&of_number, txn, p->number);
    if (status) return status;
    status = avout_txn_deref(&of_text, txn, p->text);
    if (!status) {
        status = check_pair(&number, p, of_number, of_text); /* I4 */
        avout_release(of_text);
    }
    avout_release(of_number);
    if (!status) status = avout_ref_set(txn, p->number, avout_int(number + 1));
    if (!status) status = avout_ref_set(txn, p->text, text_of('x', p->size + (size_t)number + 1));
    return status;
}

static int rounds(const pair *p)
{
    return p->size > LARGE ? 1 : ROUNDS;
}

static void *grower(void *payload)
{
    for (int i = 0; i < rounds(payload); i++)
        CHECK_OK(avout_dosync(((pair *)payload)->client, grow, payload, NULL));
    return NULL;
}

static _Atomic bool done;

static void *looker(void *payload)
{
    pair *p = payload;
    int64_t last = 0, number;
    while (!atomic_load(&done)) {
        avout_value values[2];
        CHECK_OK(avout_refs_deref(values, (avout_ref *[]){p->number, p->text}, 2));
        CHECK_OK(check_pair(&number, p, values[0], values[1])); /* I2 */
        CHECK(number >= last);                                  /* I6 */
        last = number;
        avout_release(values[0]);
        avout_release(values[1]);
    }
    return NULL;
}

TEST_WITHIN(many_threads_of_two_clients_change_and_see_what_does_not_fit, 240)
{
    pair p[2] = {0};
    pthread_t threads[6];
    for (int i = 0; i < 2; i++) pair_open(&p[i]);
    p[0].size = p[1].size = limit() + 100;
    for (int i = 0; i < 4; i++) CHECK(!pthread_create(&threads[i], NULL, grower, &p[i % 2]));
    for (int i = 4; i < 6; i++) CHECK(!pthread_create(&threads[i], NULL, looker, &p[i % 2]));
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    atomic_store(&done, true);
    for (int i = 4; i < 6; i++) pthread_join(threads[i], NULL);
    /* The last change may be the other client's. */
    CHECK_INT(4 * rounds(p), suite_ref_strict_int(p[0].number));
    CHECK_OK(avout_ref_destroy(p[0].text));
    pair_close(&p[0]);
    pair_close(&p[1]);
    suite_check_memory();
}
