/* What a word could become: names of the language and of the program, or, in a string that begins with a slash,
 * names of the stores that the program is connected to. */
#include "repl.h"

#include <stdlib.h>
#include <string.h>

/* What the names of the store are asked for with. */
static const char HIDDEN[] = "names-below*";

/* ---- the words --------------------------------------------------------------------------------- */

static void add(completion *c, const char *directory, size_t length, const char *name)
{
    if (c->count == c->room) {
        size_t room = c->room ? c->room * 2 : 64;
        char **words = realloc(c->words, room * sizeof *words);
        if (!words) return;
        c->words = words;
        c->room = room;
    }
    if (asprintf(&c->words[c->count], "%.*s%s", (int)length, directory, name) >= 0) c->count++;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_once(completion *c)
{
    size_t kept = 0;
    if (c->count) qsort(c->words, c->count, sizeof *c->words, by_text);
    for (size_t i = 0; i < c->count; i++) {
        if (kept && !strcmp(c->words[kept - 1], c->words[i])) free(c->words[i]);
        else c->words[kept++] = c->words[i];
    }
    c->count = kept;
}

void completion_release(completion *c)
{
    for (size_t i = 0; i < c->count; i++) free(c->words[i]);
    free(c->words);
    *c = (completion){0};
}

size_t completion_common(const completion *c)
{
    if (!c->count) return 0;
    /* They are sorted: what the first and the last share, all do. */
    const char *first = c->words[0], *last = c->words[c->count - 1];
    size_t length = 0;
    while (first[length] && first[length] == last[length]) length++;
    /* Not half a character. */
    while (length && ((unsigned char)first[length] & 0xc0) == 0x80) length--;
    return length;
}

/* ---- where the cursor is -------------------------------------------------------------------------- */

static bool delimits(char c)
{
    return !c || strchr(" \t\r\n,()[]{}\"';`~@^", c);
}

/* The string that the text ends in; NULL: in none. *comment: it ends in a comment. */
static const char *open_string(const char *text, bool *comment)
{
    const char *string = NULL;
    *comment = false;
    for (; *text; text++) {
        if (*comment) *comment = *text != '\n';
        else if (*text == '\\' && text[1]) text++; /* also a character, as \" */
        else if (*text == '"') string = string ? NULL : text + 1;
        else if (*text == ';' && !string) *comment = true;
    }
    return string;
}

/* ---- names of the language -------------------------------------------------------------------------- */

/* Under which the functions of a namespace are known without being required. */
static const struct {
    const char *space, *alias;
} aliases[] = {{"clojure.string/", "str/"},
               {"clojure.string/", "string/"},
               {"clojure.set/", "set/"},
               {"clojure.edn/", "edn/"}};

static void consider(completion *c, const char *word, const char *name)
{
    if (!strncmp(name, word, c->length)) add(c, "", 0, name);
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        size_t space = strlen(aliases[i].space), alias = strlen(aliases[i].alias);
        char text[128];
        if (c->length < alias || strncmp(name, aliases[i].space, space)) continue;
        snprintf(text, sizeof text, "%s%s", aliases[i].alias, name + space);
        if (!strncmp(text, word, c->length)) add(c, "", 0, text);
    }
}

static void complete_name(completion *c, avout_lang *lang, const char *word)
{
    const avout_function_info *info;
    avout_value names;
    const char *name;
    for (size_t i = 0; (info = avout_lang_function_at(i)); i++) consider(c, word, info->name);
    if (avout_lang_names(&names, lang)) return;
    avout_iterator at = avout_value_iterate(names);
    while (avout_iterator_next(&at))
        if (!avout_value_to_text(&name, NULL, at.item) && strcmp(name, HIDDEN) != 0)
            consider(c, word, name);
    avout_release(names);
}

/* ---- names of the store -------------------------------------------------------------------------------- */

typedef struct listing {
    completion *c;
    cli_program *program;
    const char *word;
    size_t directory; /* bytes of the word, with the slash at its end */
} listing;

static void add_names(const listing *l, avout_client *client)
{
    char directory[1024];
    avout_value names;
    const char *name;
    size_t length = l->directory > 1 ? l->directory - 1 : 1;
    snprintf(directory, sizeof directory, "%.*s", (int)length, l->word);
    if (avout_ls(&names, client, directory)) return;
    avout_iterator at = avout_value_iterate(names);
    while (avout_iterator_next(&at))
        if (!avout_value_to_text(&name, NULL, at.item) && !strpbrk(name, "\"\\") &&
            !strncmp(name, l->word + l->directory, l->c->length - l->directory))
            add(l->c, l->word, l->directory, name);
    avout_release(names);
}

/* Called from the language, so that Ctrl-C ends it as it ends everything else. */
static avout_status list_names(avout_value *result, size_t count, const avout_value *arguments,
                               void *payload)
{
    const listing *l = payload;
    (void)count, (void)arguments;
    size_t clients = l->program->client_count;
    for (size_t i = 0; i < clients; i++) {
        pthread_mutex_lock(&l->program->lock);
        avout_client *client = l->program->clients[i];
        pthread_mutex_unlock(&l->program->lock);
        add_names(l, client);
    }
    *result = avout_nil();
    return AVOUT_OK;
}

static void complete_stored(completion *c, cli_program *program, const char *word)
{
    static const char list[] = "(names-below*)", connect_first[] = "(do (connect) (names-below*))";
    const char *text = program->client_count ? list : connect_first;
    listing l = {c, program, word, (size_t)(strrchr(word, '/') - word) + 1};
    avout_value none;
    c->shown = l.directory;
    if (avout_lang_define_function(program->lang, HIDDEN, 0, 0, list_names, &l, NULL)) return;
    if (!avout_lang_eval(&none, program->lang, text, strlen(text), NULL)) avout_release(none);
    /* Nobody is to call it later. */
    (void)avout_lang_define(program->lang, HIDDEN, avout_nil());
}

void complete(completion *c, cli_program *program, const char *text)
{
    bool comment;
    const char *string = open_string(text, &comment), *word = text + strlen(text);
    *c = (completion){0};
    if (string && *string == '/') {
        c->length = strlen(string);
        complete_stored(c, program, string);
    } else if (!string && !comment) {
        while (word > text && !delimits(word[-1])) word--;
        c->length = strlen(word);
        if (c->length) complete_name(c, program->lang, word);
    }
    sort_once(c);
}
