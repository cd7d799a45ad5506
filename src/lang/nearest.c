/* What a mistyped name was meant to be. */
#include <string.h>

#include "lang/compile.h"
#include "base/banned.h"

enum { LONGEST = 40 };

/* Over three rows of the usual table. */
static size_t edits(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++) above[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *unused = before;
        before = above;
        above = row;
        row = unused;
    }
    return above[m];
}

size_t avout_word_distance(const char *word, const char *candidate)
{
    size_t length = strlen(word), other = strlen(candidate);
    if (length < 2 || length > LONGEST || other > LONGEST) return SIZE_MAX;
    if (other > length && !strncmp(word, candidate, length)) return 1;
    size_t distance = edits(word, length, candidate, other);
    /* One mistake in short words, two in longer ones. */
    return distance <= (length < 4 ? 1u : 2u) && distance < length ? distance : SIZE_MAX;
}

typedef struct search {
    const char *word;
    char *best;
    size_t size, distance;
} search;

static void consider(search *s, const char *candidate)
{
    size_t distance = avout_word_distance(s->word, candidate);
    if (distance >= s->distance) return;
    s->distance = distance;
    snprintf(s->best, s->size, "%s", candidate);
}

static void consider_locals(search *s, const lang_scope *scope)
{
    for (; scope; scope = scope->outer) {
        for (size_t i = scope->local_count; i-- > 0;) consider(s, scope->locals[i].name);
        if (scope->self) consider(s, scope->self);
    }
}

static void consider_vars(search *s, avout_lang *lang)
{
    avout_value names;
    const char *name;
    if (avout_lang_names(&names, lang)) return;
    avout_iterator at = avout_value_iterate(names);
    while (avout_iterator_next(&at))
        if (!avout_value_to_text(&name, NULL, at.item)) consider(s, name);
    avout_release(names);
}

/* `str/jion`: what follows the slash, in the namespace that stands before it. */
static bool near_qualified(char *near, size_t size, const lang_compiler *c, const char *name)
{
    char full[128], best[LONGEST + 1] = "";
    const avout_function_info *info;
    const char *slash = strchr(name, '/');
    if (!slash || slash == name || !slash[1] ||
        !avout__lang_namespace(c->run->lang, full, sizeof full, name, (size_t)(slash - name)))
        return false;
    size_t length = strlen(full);
    search s = {slash + 1, best, sizeof best, SIZE_MAX};
    for (size_t i = 0; (info = avout_lang_function_at(i)); i++)
        if (!strncmp(info->name, full, length) && info->name[length] == '/')
            consider(&s, info->name + length + 1);
    snprintf(near, size, "%.*s%s", (int)(slash + 1 - name), name, best);
    return s.distance != SIZE_MAX;
}

/* Of several as near the innermost is meant: what the program has named itself comes first. */
bool avout__lang_near(char *near, size_t size, const lang_compiler *c, const char *name)
{
    search s = {name, near, size, SIZE_MAX};
    const avout_function_info *info;
    consider_locals(&s, c->scope);
    consider_vars(&s, c->run->lang);
    for (size_t i = 0; (info = avout_lang_function_at(i)); i++) consider(&s, info->name);
    return s.distance != SIZE_MAX || near_qualified(near, size, c, name);
}
