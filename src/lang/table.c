/* The one table of functions, made of the themes' lists; looked up by hash. */
#include "lang/core.h"

#include <string.h>

#include "lang/compile.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "base/banned.h"

enum { SLOTS = 2048 };

static const lang_core *const lists[] = {
    avout__lang_numbers,  avout__lang_predicates,  avout__lang_collections, avout__lang_sequences,
    avout__lang_texts,    avout__lang_output,      avout__lang_errors,      avout__lang_state,
    avout__lang_changes,  avout__lang_watches,     avout__lang_regexes,     avout__lang_formats,
    avout__lang_openings, avout__lang_containers,  avout__lang_transducers, avout__lang_spaces,
    avout__lang_locks,    avout__lang_futures,     avout__lang_prelude,     avout__lang_bits,
    avout__lang_math,     avout__lang_conversions, avout__lang_chances,     avout__lang_makers,
    avout__lang_sets,     avout__lang_strings,
};

/* Filled once, then only read. */
static const lang_core *entries[SLOTS];
static uint16_t by_hash[SLOTS]; /* index + 1; open addressing */
static size_t entry_count;
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static size_t hash(const char *name)
{
    uint32_t h = avout__hash_text(name, strlen(name));
    return h ^ h >> 15;
}

static void fill(void)
{
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (const lang_core *core = lists[i]; core->name; core++) {
            AVOUT__ASSERT(entry_count < SLOTS / 2);
            size_t at = hash(core->name) % SLOTS;
            while (by_hash[at]) {
                AVOUT__ASSERT(strcmp(entries[by_hash[at] - 1]->name, core->name) != 0);
                at = (at + 1) % SLOTS;
            }
            entries[entry_count++] = core;
            by_hash[at] = (uint16_t)entry_count;
        }
    }
}

static size_t index_of(const char *name)
{
    pthread_once(&filled, fill);
    size_t at = hash(name) % SLOTS;
    while (by_hash[at] && strcmp(entries[by_hash[at] - 1]->name, name) != 0) at = (at + 1) % SLOTS;
    return by_hash[at];
}

const lang_core *avout__lang_core_find(const char *name)
{
    size_t index = index_of(name);
    return index ? entries[index - 1] : NULL;
}

const lang_core *avout__lang_core_at(size_t index)
{
    pthread_once(&filled, fill);
    return index < entry_count ? entries[index] : NULL;
}

size_t avout__lang_core_index(const lang_core *core)
{
    return index_of(core->name) - 1;
}

size_t avout__lang_core_count(void)
{
    pthread_once(&filled, fill);
    return entry_count;
}

/* ---- functions as values ------------------------------------------------------------------------------------ */

static avout_value make_value(lang_run *run, const lang_core *core)
{
    if (!core->call) return avout__lang_evaluate_core(run, core);
    lang_core_object *object = avout__alloc(sizeof *object);
    if (!object) return avout__lang_failed(run, AVOUT_ENOMEM);
    *object = (lang_core_object){{LANG_CORE, NULL}, core};
    return avout__lang_made(run, avout__lang_box(object));
}

/* Made outside of the lock, as making one may need others; the first one made stays. */
avout_value avout__lang_core_value(lang_run *run, const lang_core *core)
{
    avout_lang *lang = run->lang;
    avout_value *place = &lang->core_values[avout__lang_core_index(core)];
    pthread_mutex_lock(&lang->lock);
    avout_value value = avout_share(*place);
    pthread_mutex_unlock(&lang->lock);
    if (value.bits) return value;
    avout_value made = make_value(run, core);
    if (!made.bits) return AVOUT_NONE;
    pthread_mutex_lock(&lang->lock);
    if (!place->bits) *place = avout_share(made);
    value = avout_share(*place);
    pthread_mutex_unlock(&lang->lock);
    avout_release(made);
    return value;
}

avout_value avout__lang_core_call(lang_run *run, const char *name, size_t count,
                                  avout_value *arguments)
{
    const lang_core *core = avout__lang_core_find(name);
    AVOUT__ASSERT(core);
    if (core->call) return core->call(run, count, arguments);
    avout_value function = avout__lang_core_value(run, core), result = AVOUT_NONE;
    if (function.bits) result = avout__lang_call(run, function, count, arguments);
    avout_release(function);
    return result;
}

/* ---- for help texts -------------------------------------------------------------------------------------------- */

enum { MOST_INFOS = SLOTS };

static avout_function_info infos[MOST_INFOS];
static size_t info_count;

/* Names that end with a star are the language's own business. */
static void fill_infos(void)
{
    const lang_core *core;
    const lang_special *special;
    for (size_t i = 0; (special = avout__lang_special_at(i)); i++)
        if (*special->doc && !avout__lang_why_refused(special->name))
            infos[info_count++] =
                (avout_function_info){special->name, special->arguments, special->doc};
    for (size_t i = 0; (core = avout__lang_core_at(i)); i++)
        if (*core->doc)
            infos[info_count++] = (avout_function_info){core->name, core->arguments, core->doc};
}

const avout_function_info *avout_lang_function_at(size_t index)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_infos);
    return index < info_count ? &infos[index] : NULL;
}
