#include "run/tap.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The directive stands behind the first '#' of a result line. */
static int is_skip(const char *line)
{
    const char *hash = strchr(line, '#');
    if (!hash) return 0;
    hash += 1 + strspn(hash + 1, " ");
    return !strncasecmp(hash, "skip", 4);
}

/* "ok" and "not ok" count as results only as whole words: "okay" is talk. */
static int has_word(const char *line, const char *word)
{
    size_t length = strlen(word);
    return !strncmp(line, word, length) && (!line[length] || isspace((unsigned char)line[length]));
}

void tap_line(tap *counts, const char *line)
{
    int planned;
    if (has_word(line, "not ok")) counts->failed++;
    else if (has_word(line, "ok") && is_skip(line)) counts->skipped++;
    else if (has_word(line, "ok")) counts->passed++;
    else if (sscanf(line, "1..%d", &planned) == 1 && planned >= 0) counts->planned = planned;
}

int tap_seen(const tap *counts)
{
    return counts->passed + counts->failed + counts->skipped;
}
