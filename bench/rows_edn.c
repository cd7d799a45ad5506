/* Reading and printing EDN: a generated text as programs exchange it, of maps with keywords, names,
 * numbers, dates, some text with escapes and non-ASCII letters, vectors and sets, indented as people
 * write it. The text's size counts, white space included. */
#include "rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "world.h"

enum { RECORDS = 4000, RECORD_SIZE = 1024 };

typedef struct document {
    char *text;
    size_t length;
    avout_value value;
    double releasing; /* processor time of giving up what was read */
} document;

static const char *const names[] = {"Ann Lee", "Bo Ek",        "Zo\u00eb M\u00fcller",
                                    "Li Na",   "\u5f20\u4f1f", "Pat O'Hara"};
static const char *const states[] = {":active", ":invited", ":account/closed"};

static int add_record(char *to, size_t size, int i)
{
    return snprintf(
        to, size,
        " {:id %d\n  :name \"%s\"\n  :email \"user.%d@mail.example.org\"\n"
        "  :active? %s, :state %s\n  :balance %d.%02d, :limit %dM\n"
        "  :created #inst \"2024-%02d-%02dT08:30:%02d.000-00:00\"\n"
        "  :tags #{:a%d :b/c%d \"x%d\"}\n  :scores [%d %d %d -%d %d.5e3]\n"
        "  :address {:street \"%d Long Street\", :city \"Port \\\"%d\\\"\", :zip \"%05d\"}\n"
        "  :note \"a line\\nand another one, number %d, of some length\" :parent nil}\n",
        i, names[i % 6], i, i % 3 ? "true" : "false", states[i % 3], i * 37 % 9999, i % 100,
        i % 5000, i % 12 + 1, i % 28 + 1, i % 60, i % 7, i % 11, i % 13, i % 100, i * 7 % 1000,
        i * 13 % 100000, i, i % 50, i % 900, i % 30, i % 99999, i);
}

static void document_make(document *d)
{
    size_t size = (size_t)RECORDS * RECORD_SIZE;
    d->text = need_memory(size);
    d->text[d->length++] = '[';
    for (int i = 0; i < RECORDS; i++)
        d->length += (size_t)add_record(d->text + d->length, size - d->length, i);
    d->text[d->length++] = ']';
    need(avout_edn_read(&d->value, d->text, d->length, NULL, NULL), "edn read");
}

/* Operations are bytes here. */
static uint64_t reads(void *payload, double seconds)
{
    document *d = payload;
    uint64_t bytes = 0;
    for (double limit = seconds_now() + seconds; seconds_now() < limit; bytes += d->length) {
        avout_value value;
        need(avout_edn_read(&value, d->text, d->length, NULL, NULL), "edn read");
        double start = cpu_now();
        avout_release(value);
        d->releasing += cpu_now() - start;
    }
    return bytes;
}

static uint64_t prints(void *payload, double seconds)
{
    const document *d = payload;
    uint64_t bytes = 0;
    for (double limit = seconds_now() + seconds; seconds_now() < limit;) {
        char *text;
        size_t length;
        need(avout_edn_text(&text, &length, d->value), "edn print");
        avout_edn_free(text);
        bytes += length;
    }
    return bytes;
}

static void report_speed(const char *what, double bytes_a_second, double goal)
{
    report(&(result){.row = "edn",
                     .what = what,
                     .unit = "MB/s",
                     .raw = NAN,
                     .ours = bytes_a_second / 1e6,
                     .ratio = NAN,
                     .absolute = true,
                     .bound = AT_LEAST,
                     .goal = goal});
}

void row_edn(bench *b)
{
    document d = {0};
    document_make(&d);
    report_speed("EDN read into values, CPU time",
                 measure((side){reads, &d}, b->seconds / 4, &d.releasing), 300);
    report_speed("EDN print, CPU time", measure((side){prints, &d}, b->seconds / 4, NULL), 500);
    avout_release(d.value);
    free(d.text);
}
