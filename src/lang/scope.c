/* Names: which slot, capture or function a symbol means, and which use of a local is its last. */
#include "lang/compile.h"

#include <string.h>

#include "base/alloc.h"
#include "base/banned.h"

bool avout__lang_slot(lang_compiler *c, const lang_form *form, uint32_t *slot)
{
    if (c->scope->slots == LANG_MAX_SLOTS)
        return avout__lang_bad_status(c, form, AVOUT_ELIMIT, "a function with more than %d locals",
                                      LANG_MAX_SLOTS);
    *slot = c->scope->slots++;
    return true;
}

bool avout__lang_bind(lang_compiler *c, const lang_form *form, const char *name, uint32_t slot)
{
    lang_scope *s = c->scope;
    if (AVOUT__GROW(&s->locals, &s->local_room, s->local_count + 1))
        return avout__lang_bad_status(c, form, AVOUT_ENOMEM, "out of memory");
    s->locals[s->local_count++] = (lang_local){.name = name, .slot = slot, .loops = s->loops};
    return true;
}

void avout__lang_scope_release(lang_scope *scope)
{
    avout__free(scope->locals);
    avout__free(scope->captures);
}

/* ---- branches -------------------------------------------------------------------------------- */

uint32_t avout__lang_fork(lang_compiler *c)
{
    return c->scope->forks++;
}

bool avout__lang_arm(lang_compiler *c, uint32_t fork, uint32_t arm)
{
    lang_branch *branch = avout__lang_arena_take(&c->unit->arena, sizeof *branch);
    if (!branch) return avout__lang_failed(c->run, AVOUT_ENOMEM).bits;
    *branch = (lang_branch){c->scope->branch, fork, arm};
    c->scope->branch = branch;
    return true;
}

void avout__lang_join(lang_compiler *c)
{
    c->scope->branch = c->scope->branch->outer;
}

/* Never both in one run: two arms of one fork. */
static bool exclude(const lang_branch *a, const lang_branch *b)
{
    for (; a; a = a->outer)
        for (const lang_branch *other = b; other; other = other->outer)
            if (other->fork == a->fork && other->arm != a->arm) return true;
    return false;
}

/* ---- uses ------------------------------------------------------------------------------------ */

/* What was the last use until now is none any more, but in branches that exclude this one. */
static void used_again(lang_compiler *c, lang_local *local)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < local->use_count; i++) {
        lang_use use = local->uses[i];
        if (exclude(use.branch, c->scope->branch)) local->uses[kept++] = use;
        else use.node->node.eval = avout__lang_eval_slot;
    }
    local->use_count = kept;
}

static void maybe_last(lang_compiler *c, lang_local *local, lang_local_node *node)
{
    if (local->loops != c->scope->loops || local->shared) return;
    if (local->use_count == LANG_LAST_USES) {
        local->shared = true;
        return;
    }
    node->node.eval = avout__lang_eval_last;
    local->uses[local->use_count++] = (lang_use){node, c->scope->branch};
}

static lang_local *find_local(const lang_scope *scope, const char *name)
{
    for (size_t i = scope->local_count; i-- > 0;)
        if (!strcmp(scope->locals[i].name, name)) return &scope->locals[i];
    return NULL;
}

static bool capture(lang_compiler *c, lang_scope *scope, const char *name, lang_source from,
                    uint32_t *index)
{
    for (*index = 0; *index < scope->capture_count; ++*index)
        if (!strcmp(scope->captures[*index].name, name)) return true;
    if (AVOUT__GROW(&scope->captures, &scope->capture_room, scope->capture_count + 1))
        return avout__lang_failed(c->run, AVOUT_ENOMEM).bits;
    scope->captures[scope->capture_count++] = (lang_capture){name, from};
    return true;
}

/* Where `name` is found in `scope`, captured by all functions between. *found: it is a local. False:
 * the error is set. */
static bool look_up(lang_compiler *c, lang_scope *scope, const char *name, lang_source *source,
                    bool *found)
{
    *found = true;
    for (size_t i = 0; i < scope->capture_count; i++) {
        if (strcmp(scope->captures[i].name, name) || find_local(scope, name)) continue;
        *source = (lang_source){IN_CAPTURE, (uint32_t)i};
        return true;
    }
    lang_local *local = find_local(scope, name);
    if (local) {
        used_again(c, local);
        *source = (lang_source){IN_SLOT, local->slot};
        return true;
    }
    if (scope->self && !strcmp(scope->self, name)) {
        *source = (lang_source){IN_SELF, 0};
        return true;
    }
    *found = false;
    if (!scope->outer) return true;
    lang_source outside;
    lang_scope *here = c->scope;
    c->scope = scope->outer; /* whose branches count for the use there */
    bool fine = look_up(c, scope->outer, name, &outside, found);
    c->scope = here;
    if (!fine || !*found) return fine;
    source->where = IN_CAPTURE;
    return capture(c, scope, name, outside, &source->index);
}

static const lang_node *source_node(lang_compiler *c, const lang_form *form, lang_source source)
{
    static const lang_eval_fn evals[] = {avout__lang_eval_slot, avout__lang_eval_capture,
                                         avout__lang_eval_self};
    lang_local_node *node = avout__lang_node(c, form, sizeof *node, evals[source.where]);
    if (!node) return NULL;
    node->index = source.index;
    return &node->node;
}

const lang_node *avout__lang_use(lang_compiler *c, const lang_form *form, const char *name,
                                 bool *found)
{
    lang_source source = {IN_SLOT, 0};
    if (!look_up(c, c->scope, name, &source, found) || !*found) return NULL;
    const lang_node *node = source_node(c, form, source);
    if (!node || source.where != IN_SLOT) return node;
    /* The node is ours until the unit is compiled. */
    lang_local_node *use = (lang_local_node *)(uintptr_t)node;
    maybe_last(c, find_local(c->scope, name), use);
    return node;
}

bool avout__lang_is_local(const lang_compiler *c, const char *name)
{
    for (const lang_scope *s = c->scope; s; s = s->outer)
        if (find_local(s, name) || (s->self && !strcmp(s->self, name))) return true;
    return false;
}

const lang_node *avout__lang_slot_node(lang_compiler *c, const lang_form *form, uint32_t slot)
{
    return source_node(c, form, (lang_source){IN_SLOT, slot});
}
