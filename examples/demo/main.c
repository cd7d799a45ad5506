/* avout-demo: what transactions are good for, in a few seconds.
 *
 *     avout-demo [--seconds N] [--processes N] [--kill] [--fresh] [STORE]
 *
 * Part 1 runs one transaction over two refs. In part 2 several processes move members between three
 * groups, all at the same time, while one more process looks at the groups. Part 3 checks that nobody
 * was lost, nobody was in two groups, and every move happened exactly once.
 *
 * The parent starts the other processes as new programs (fork and exec of itself), with their standard
 * input as the sign to stop: when it closes, whoever closed it, they end. They report on a pipe. No
 * client is open in the parent while it forks.
 *
 * Everything lives below /avout-demo and stays there: the next run goes on from it, and several runs
 * can share a store. Exit status 0: everything held. */
#define _GNU_SOURCE 1

#include "demo.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- part 1: one transaction over two refs --------------------------------------------------------- */

/* Of a vector that has grown long in many runs only the end. */
static void print_value(const char *name, avout_value value)
{
    char *text = NULL;
    size_t length;
    if (avout_edn_text(&text, &length, value)) return;
    const char *end = length > 70 ? strchr(text + length - 60, ' ') : NULL;
    printf("   %s = %s%s\n", name, end ? "[..." : "", end ? end : text);
    avout_edn_free(text);
}

typedef struct two_refs {
    avout_ref *r0, *r1;
} two_refs;

/* Increment r0, append r0's new value to r1. */
static avout_status count_and_remember(avout_txn *txn, void *payload)
{
    two_refs *refs = payload;
    avout_value r0;
    avout_status st = avout_alter(txn, refs->r0, avout_inc_fn, NULL);
    if (!st) st = avout_txn_deref(&r0, txn, refs->r0);
    if (st) return st;
    st = avout_alter(txn, refs->r1, avout_conj_fn, &r0);
    avout_release(r0);
    return st;
}

static avout_status show_two_refs(avout_client *client)
{
    two_refs refs = {NULL, NULL};
    avout_value values[2] = {AVOUT_NONE, AVOUT_NONE};
    bool created = false;
    avout_status st = avout_ref_create(&refs.r0, client, "/avout-demo/r0", avout_int(0), &created);
    if (!st) st = avout_ref_create(&refs.r1, client, "/avout-demo/r1", avout_vector(0, NULL), NULL);
    if (!st) st = avout_dosync(client, count_and_remember, &refs, NULL);
    if (!st) st = avout_refs_deref(values, (avout_ref *[]){refs.r0, refs.r1}, 2);
    if (!st) {
        print_value("r0", values[0]);
        print_value("r1", values[1]);
        puts(created ? "   Run the demo again: they go on from here, the store keeps them."
                     : "   They went on from where an earlier run had left them in the store.");
    }
    avout_release(values[0]);
    avout_release(values[1]);
    avout_ref_close(refs.r0);
    avout_ref_close(refs.r1);
    return st;
}

/* ---- parts 2 and 3 in the store --------------------------------------------------------------------- */

typedef struct entry {
    avout_value run;
    int64_t moves;
} entry;

static avout_status add_entry(avout_value *moves, void *payload)
{
    const entry *e = payload;
    return avout_assoc(moves, avout_share(e->run), avout_int(0));
}

/* Takes this run's count away again, telling what it was. */
static avout_status take_entry(avout_value *moves, void *payload)
{
    entry *e = payload;
    avout_status st = avout_value_to_int(&e->moves, avout_value_get(*moves, e->run));
    return st ? st : avout_dissoc(moves, avout_share(e->run));
}

static avout_status prepare(demo *d, avout_client *client)
{
    avout_ref *groups[GROUPS] = {NULL};
    avout_atom *moves = NULL;
    entry e = {.run = avout_string(d->run)};
    avout_status st = AVOUT_OK;
    for (int g = 0; g < GROUPS && !st && d->fresh; g++) {
        st = avout_ref_create_or_reset(&groups[g], client, group_names[g], first_members(g));
        avout_ref_close(groups[g]);
        groups[g] = NULL;
    }
    if (!st) st = open_groups(groups, client);
    size_t sizes[GROUPS];
    if (!st) st = look(groups, sizes);
    if (st > 0) fputs("the store's demo data is damaged; --fresh starts over\n", stderr);
    if (!st) st = avout_atom_create(&moves, client, MOVES_NAME, avout_map(0, NULL), NULL);
    if (!st) st = avout_swap(moves, add_entry, &e, NULL, NULL, NULL);
    avout_atom_close(moves);
    close_groups(groups);
    avout_release(e.run);
    return st;
}

static void verdict(demo *d, bool held, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void verdict(demo *d, bool held, const char *format, ...)
{
    va_list arguments;
    printf("   %s  ", held ? "ok    " : "FAILED");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    d->failed = d->failed || !held;
}

static avout_status conclude(demo *d, avout_client *client)
{
    avout_ref *groups[GROUPS] = {NULL};
    avout_atom *moves = NULL;
    entry e = {.run = avout_string(d->run)};
    size_t sizes[GROUPS] = {0};
    report sum = sum_of(d);
    avout_status st = open_groups(groups, client);
    if (!st) st = avout_atom_open(&moves, client, MOVES_NAME);
    if (!st) st = avout_swap(moves, take_entry, &e, NULL, NULL, NULL);
    if (!st) {
        avout_status seen = look(groups, sizes);
        if (seen < 0) st = seen;
        verdict(d, seen == AVOUT_OK, "nobody lost, nobody in two groups: %zu + %zu + %zu = %d%s%s",
                sizes[0], sizes[1], sizes[2], MEMBERS, seen ? "; " : "",
                seen ? avout_error_detail() : "");
        verdict(d, d->watched && sum.looks > 0,
                "nor at any of %" PRIu64 " looks while they moved (%" PRIu64 " changes heard of)",
                sum.looks, sum.changes);
        uint64_t counted = (uint64_t)e.moves;
        if (d->exact)
            verdict(d, counted == sum.moves,
                    "moves counted in the store %" PRIu64 ", confirmed to the processes %" PRIu64
                    ": each happened exactly once",
                    counted, sum.moves);
        else
            verdict(d, counted >= sum.moves,
                    "moves counted in the store %" PRIu64 ", last told by the processes %" PRIu64
                    ": nothing confirmed was lost",
                    counted, sum.moves);
        printf("\n   %" PRIu64 " transactions by %d processes in %.1f s: %.0f a second;\n"
               "   %" PRIu64
               " runs were thrown away because another process was faster (retries).\n",
               counted, d->processes, d->took, (double)counted / d->took, sum.retries);
    }
    avout_atom_close(moves);
    close_groups(groups);
    avout_release(e.run);
    return st;
}

/* ---- all of it ------------------------------------------------------------------------------------- */

static int with_client(demo *d, bool first)
{
    avout_client *client = NULL;
    avout_status st = avout_connect(d->store, NULL, &client);
    if (!st && first) {
        snprintf(d->url, sizeof d->url, "%s", avout_client_url(client));
        printf("Avout: values that processes share and change together.\nStore: %s\n\n"
               "1. One transaction over two refs: increment r0, append its new value to r1.\n"
               "   Both change or none does.\n",
               d->url);
        st = show_two_refs(client);
        if (!st) st = prepare(d, client);
    } else if (!st) {
        st = conclude(d, client);
    }
    if (st) complain("avout-demo", first ? "start" : "check", st);
    avout_close(client);
    return st != AVOUT_OK;
}

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static int run_demo(demo *d)
{
    snprintf(d->run, sizeof d->run, "%ld-%ld", (long)time(NULL), (long)getpid());
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (with_client(d, true)) return 1;
    printf(
        "\n2. %d processes move %d members between three groups, for %g seconds. Each move is one\n"
        "   transaction: take a member out of its group, put it into another, count the move.\n"
        "   One more process looks at all groups at one point in time, at every change it hears "
        "of.\n",
        d->processes, MEMBERS, d->seconds);
    run_processes(d);
    printf("\n3. Checked%s:\n",
           interrupted ? " (interrupted, but all moves begun are finished)" : "");
    if (with_client(d, false)) return 1;
    if (d->failed) puts("\nThe demo has FAILED.");
    else printf("\nLook around: avout -s %s tree /avout-demo\n", d->url);
    return d->failed ? 1 : interrupted ? 130 : 0;
}

static int usage(void)
{
    fputs("usage: avout-demo [--seconds N] [--processes N] [--kill] [--fresh] [STORE]\n"
          "  --seconds N    how long the processes move members (5)\n"
          "  --processes N  how many do (4)\n"
          "  --kill         kill -9 one of them at half time; another takes its place\n"
          "  --fresh        begin with fresh groups; not while another demo runs on the store\n"
          "STORE: lmdb:PATH, zk://HOST:PORT; else AVOUT_STORE, else a store in your state "
          "directory\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seconds", required_argument, NULL, 's'},
        {"processes", required_argument, NULL, 'p'},
        {"kill", no_argument, NULL, 'k'},
        {"fresh", no_argument, NULL, 'f'},
        {"as", required_argument, NULL, 'a'},
        {"run", required_argument, NULL, 'r'},
        {NULL, 0, NULL, 0},
    };
    static demo d = {.seconds = 5, .processes = 4};
    const char *as = NULL, *run = "";
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        char *end = NULL;
        switch (c) {
        case 's': d.seconds = strtod(optarg, &end); break;
        case 'p': d.processes = (int)strtol(optarg, &end, 10); break;
        case 'k': d.kill_one = true; break;
        case 'f': d.fresh = true; break;
        case 'a': as = optarg; break;
        case 'r': run = optarg; break;
        default: return usage();
        }
        if (end && (end == optarg || *end)) return usage();
    }
    if (argc - optind > 1 || !(d.seconds > 0 && d.seconds <= 86400)) return usage();
    if (d.processes < 1 || d.processes > MOST_PROCESSES) return usage();
    d.store = argv[optind];
    if (as) signal(SIGPIPE, SIG_IGN);
    if (as && !strcmp(as, "watcher")) return run_watcher(d.store);
    if (as) return run_mover(d.store, run, (int)strtol(as, NULL, 10));
    return run_demo(&d);
}
