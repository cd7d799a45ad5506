/* tests/lang/tutorial.txt, form by form, on every store; and its part with MongoDB, by the command, which
 * loads the container. Test-tags: threads */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "avout.h"
#include "support/mongodb.h"
#include "support/test.h"
#include "support/zookeeper.h"

enum { SIZE = 1024 };

/* The next form of the file and its answer, which are parts of the line. */
static bool next_case(FILE *file, char line[SIZE], char **answer)
{
    while (fgets(line, SIZE, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *found = strstr(line, " ;=> ");
        if (!found || line[0] == ';') continue;
        *found = '\0';
        *answer = found + 5;
        return true;
    }
    return false;
}

static FILE *cases(const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "tests/lang/%s.txt", name);
    FILE *file = fopen(path, "r");
    CHECK(file);
    return file;
}

/* ---- in this process ------------------------------------------------------------------------------------ */

static avout_status connect_here(avout_client **client, const char *url, void *store)
{
    CHECK_TEXT("127.0.0.1", url);
    return avout_connect(store, NULL, client);
}

/* "A", or "A ;or> B"; ! is an error. */
static bool is_one_of(char *answers, const char *printed)
{
    char *other = strstr(answers, " ;or> ");
    if (other) *other = '\0';
    bool same = !strcmp(answers, printed) || (other && !strcmp(other + 6, printed));
    if (other) *other = ' ';
    return same;
}

static void read_tutorial(const char *store)
{
    char line[SIZE], url[512], *answer, *printed;
    int count = 0;
    snprintf(url, sizeof url, "%s", store);
    const avout_lang_options options = {.connect = connect_here, .connect_payload = url};
    avout_lang *lang;
    FILE *file = cases("tutorial");
    CHECK_OK(avout_lang_open(&lang, &options));
    for (; next_case(file, line, &answer); count++) {
        avout_value value;
        avout_status status = avout_lang_eval(&value, lang, line, strlen(line), NULL);
        if (status && !is_one_of(answer, "!"))
            test_failed(__FILE__, __LINE__, "%s: %s", line, avout_error_detail());
        if (status) continue;
        CHECK_OK(avout_lang_text(&printed, NULL, lang, value));
        if (!is_one_of(answer, printed))
            test_failed(__FILE__, __LINE__, "%s: %s, not %s", line, printed, answer);
        avout_edn_free(printed);
        avout_release(value);
    }
    fclose(file);
    CHECK(count > 70);
    avout_lang_close(lang);
    CHECK_INT(0, avout_memory_blocks());
}

TEST(on_the_embedded_store)
{
    char url[512];
    snprintf(url, sizeof url, "lmdb:%s/store", test_directory());
    read_tutorial(url);
}

TEST(on_a_store_in_this_process)
{
    read_tutorial("mem:tutorial");
}

TEST(on_zookeeper)
{
    char url[512];
    snprintf(url, sizeof url, "%s/tutorial-%d", test_zk_shared_url(), (int)getpid());
    read_tutorial(url);
}

/* ---- by the command ------------------------------------------------------------------------------------- */

/* A program that prints what each form of the file answers. */
static void write_program(const char *path, const test_server *server)
{
    char line[SIZE], *answer;
    FILE *file = cases("tutorial_mongo"), *program = fopen(path, "w");
    CHECK(program);
    fprintf(program, "(def client (connect))\n(def mongo-port %d)\n", test_server_port(server));
    while (next_case(file, line, &answer)) fprintf(program, "(prn %s)\n", line);
    fclose(program);
    fclose(file);
}

/* The release build's command, as the plugins are built with that alone. */
static const char *release_build(void)
{
    static char path[400];
    const char *built = getenv("AVOUT_TEST_BUILD");
    snprintf(path, sizeof path, "%s/../release", built ? built : "build/release");
    return path;
}

static FILE *run_program(const char *path, const char *store, const char *mongo)
{
    char command[2000];
    snprintf(command, sizeof command, "%s/lib/libavout-mongo.so", release_build());
    if (access(command, F_OK)) test_skip("the container mongo is not built: libmongoc is missing");
    snprintf(command, sizeof command,
             "AVOUT_STORE='%s' AVOUT_MONGO_URL='%s' '%s/bin/avout' eval -f '%s'", store, mongo,
             release_build(), path);
    FILE *output = popen(command, "r");
    CHECK(output);
    return output;
}

/* Sets have no order that anybody promises. */
static bool same(const char *a, const char *b)
{
    avout_value x, y;
    if (!strcmp(a, b)) return true;
    if (avout_edn_read(&x, a, strlen(a), NULL, NULL)) return false;
    bool equal = !avout_edn_read(&y, b, strlen(b), NULL, NULL);
    if (equal) {
        equal = avout_value_equal(x, y);
        avout_release(y);
    }
    avout_release(x);
    return equal;
}

static void read_with_mongo(const char *store)
{
    char path[300], line[SIZE], got[SIZE], *answer;
    test_server *server = test_mongo_start();
    snprintf(path, sizeof path, "%s/program", test_directory());
    write_program(path, server);
    FILE *output = run_program(path, store, test_mongo_place(server, "tutorial"));
    FILE *file = cases("tutorial_mongo");
    while (next_case(file, line, &answer)) {
        if (!fgets(got, sizeof got, output)) test_failed(__FILE__, __LINE__, "%s: no answer", line);
        got[strcspn(got, "\n")] = '\0';
        if (!same(answer, got))
            test_failed(__FILE__, __LINE__, "%s: %s, not %s", line, got, answer);
    }
    CHECK_INT(0, pclose(output));
    fclose(file);
}

TEST(with_mongodb_on_the_embedded_store)
{
    char url[512];
    snprintf(url, sizeof url, "lmdb:%s/store", test_directory());
    read_with_mongo(url);
}

TEST(with_mongodb_on_zookeeper)
{
    char url[512];
    snprintf(url, sizeof url, "%s/tutorial-mongo-%d", test_zk_shared_url(), (int)getpid());
    read_with_mongo(url);
}
