/* The arena of a unit, and what its forms are made of. */
#include "lang/form.h"

#include <string.h>

#include "base/alloc.h"
#include "base/banned.h"

enum { BLOCK_SIZE = 4000 };

struct lang_block {
    lang_block *next;
    size_t used, size;
    max_align_t at[];
};

/* ---- arena ----------------------------------------------------------------------------------- */

void *avout__lang_arena_take(lang_arena *arena, size_t size)
{
    size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
    lang_block *block = arena->blocks;
    if (!block || block->size - block->used < size) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        block = avout__calloc(1, sizeof *block + room);
        if (!block) return NULL;
        block->size = room;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *taken = (char *)block->at + block->used;
    block->used += size;
    return taken;
}

avout_value avout__lang_arena_keep(lang_arena *arena, avout_value value)
{
    if (!value.bits) return value;
    if (AVOUT__GROW(&arena->values, &arena->value_room, arena->value_count + 1)) {
        avout_release(value);
        return AVOUT_NONE;
    }
    arena->values[arena->value_count++] = value;
    return value;
}

void avout__lang_arena_release(lang_arena *arena)
{
    for (size_t i = 0; i < arena->value_count; i++) avout_release(arena->values[i]);
    avout__free(arena->values);
    while (arena->blocks) {
        lang_block *block = arena->blocks;
        arena->blocks = block->next;
        avout__free(block);
    }
    *arena = (lang_arena){0};
}

/* ---- forms ----------------------------------------------------------------------------------- */

bool avout__lang_is_symbol(const lang_form *form)
{
    return form->kind == FORM_VALUE && avout_value_type(form->value) == AVOUT_TYPE_SYMBOL;
}

const char *avout__lang_name(const lang_form *form)
{
    const char *text = NULL;
    if (form->kind != FORM_VALUE) return NULL;
    avout_type type = avout_value_type(form->value);
    if (type != AVOUT_TYPE_SYMBOL && type != AVOUT_TYPE_KEYWORD) return NULL;
    return avout_value_to_text(&text, NULL, form->value) ? NULL : text;
}

bool avout__lang_is_named(const lang_form *form, const char *name)
{
    return avout__lang_is_symbol(form) && !strcmp(avout__lang_name(form), name);
}

const lang_form *avout__lang_form_symbol(lang_arena *arena, const lang_form *like, const char *name)
{
    lang_form *form = avout__lang_arena_take(arena, sizeof *form);
    if (!form) return NULL;
    form->kind = FORM_VALUE;
    form->place = like->place;
    form->value = avout__lang_arena_keep(arena, avout_symbol(name));
    return form->value.bits ? form : NULL;
}

const lang_form *avout__lang_form_list(lang_arena *arena, const lang_form *like, size_t count,
                                       const lang_form *const *items)
{
    lang_form *form = avout__lang_arena_take(arena, sizeof *form);
    const lang_form **copy = avout__lang_arena_take(arena, (count + 1) * sizeof *copy);
    if (!form || !copy) return NULL;
    for (size_t i = 0; i < count; i++) {
        if (!items[i]) return NULL;
        copy[i] = items[i];
    }
    *form = (lang_form){FORM_LIST, like->place, AVOUT_NONE, count, copy};
    return form;
}

/* ---- values of forms ------------------------------------------------------------------------- */

static avout_value collection_of(const lang_form *form, avout_value *items)
{
    switch (form->kind) {
    case FORM_LIST: return avout_list(form->count, items);
    case FORM_VECTOR: return avout_vector(form->count, items);
    case FORM_MAP: return avout_map(form->count / 2, items);
    default: return avout_set(form->count, items);
    }
}

avout_value avout__lang_form_value(const lang_form *form)
{
    if (form->kind == FORM_VALUE || form->kind == FORM_REGEX) return avout_share(form->value);
    if (form->kind == FORM_TAGGED)
        return avout_tagged(avout__lang_name(&(lang_form){.value = form->value}),
                            avout__lang_form_value(form->items[0]));
    avout_value *items = avout__alloc((form->count + 1) * sizeof *items);
    if (!items) return AVOUT_NONE;
    for (size_t i = 0; i < form->count; i++) items[i] = avout__lang_form_value(form->items[i]);
    avout_value made = collection_of(form, items);
    avout__free(items);
    return made;
}
