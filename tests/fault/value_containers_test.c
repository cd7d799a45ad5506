/* Atoms over one string in Redis and over one resource on an HTTP server, changed by several processes: no change
 * that was confirmed is lost, none happens twice, and other programs find JSON. Test-tags: single */
#include "avout/http.h"
#include "avout/redis.h"
#include "avout/sys/container.h"
#include "support/crowd.h"
#include "support/redis.h"
#include "support/suite.h"
#include "support/webdav.h"

enum { PROCESSES = 3, ROUNDS = 20, DEATHS = 12 };

__attribute__((constructor)) static void use(void)
{
    suite_use(suite_lmdb_url);
}

static const char *place;
static avout_status (*make)(avout_container **container, const char *place,
                            const avout_codec *codec);

typedef struct counts {
    _Atomic int64_t begun, done;
    _Atomic bool over;
} counts;

static counts *all;

static avout_atom *open_atom(avout_client *client)
{
    avout_container *container;
    avout_atom *atom;
    CHECK_OK(make(&container, place, avout_codec_json()));
    CHECK_OK(avout_unversioned_atom(&atom, client, "/one", container, avout_int(0), NULL));
    return atom;
}

static void change(int number)
{
    avout_client *client = suite_connect();
    avout_atom *atom = open_atom(client);
    (void)number;
    for (int i = 0; !atomic_load(&all->over) && (i < ROUNDS || number < 0); i++) {
        atomic_fetch_add(&all->begun, 1);
        CHECK_OK(avout_swap(atom, suite_plus, &suite_one, NULL, NULL, NULL));
        atomic_fetch_add(&all->done, 1);
    }
    avout_atom_close(atom);
    avout_close(client);
}

static int64_t look(void)
{
    avout_client *client = suite_connect();
    avout_atom *atom = open_atom(client);
    int64_t number = suite_atom_int(atom);
    avout_atom_close(atom);
    avout_close(client);
    return number;
}

static void change_together(void)
{
    crowd_process processes[PROCESSES];
    all = crowd_share(sizeof *all);
    for (int i = 0; i < PROCESSES; i++) crowd_start(&processes[i], change, i);
    crowd_finish(processes, PROCESSES, 50);
    CHECK_INT((int64_t)PROCESSES * ROUNDS, look());
}

/* What is there, read by a container that knows nothing of the atom. */
static void check_json(int64_t expected)
{
    avout_container *container;
    avout_value value;
    int64_t number;
    CHECK_OK(make(&container, place, avout_codec_json()));
    CHECK_OK(container->ops->get_state(&value, container, 10000));
    CHECK_OK(avout_value_to_int(&number, value));
    CHECK_INT(expected, number);
    container->ops->close(container);
}

static void use_redis(void)
{
    make = avout_redis_value_container;
    place = test_server_text("redis://127.0.0.1:%d?key=one", test_server_port(test_redis_start()));
}

TEST(processes_change_one_string)
{
    use_redis();
    change_together();
    check_json((int64_t)PROCESSES * ROUNDS);
}

TEST(processes_change_one_resource)
{
    static char text[TEST_PLACE];
    make = avout_http_value_container;
    place = test_webdav_place(text, test_webdav_start(), "dav/below/one.json");
    change_together();
    check_json((int64_t)PROCESSES * ROUNDS);
}

/* What one that was killed had begun may have happened, once. */
TEST(processes_that_change_one_string_are_killed)
{
    use_redis();
    crowd_process processes[PROCESSES];
    all = crowd_share(sizeof *all);
    for (int i = 0; i < PROCESSES; i++) crowd_start(&processes[i], change, -1 - i);
    for (int i = 0; i < DEATHS; i++) {
        test_pause_us(20000 + crowd_random(100000));
        crowd_replace(&processes[crowd_random(PROCESSES)]);
    }
    int64_t before = atomic_load(&all->done);
    TEST_AWAIT(atomic_load(&all->done) >= before + 5);
    atomic_store(&all->over, true);
    crowd_finish(processes, PROCESSES, 50);
    int64_t number = look();
    fprintf(stderr, "# %lld begun, %lld done, %lld there\n", (long long)all->begun,
            (long long)all->done, (long long)number);
    CHECK(number >= all->done && number <= all->begun);
    check_json(number);
}
