/* The names there are. The store has no list of all names, only directories: they are walked one after
 * the other, some at a time, again and again. A walk that takes long is repeated seldom. */
#include "top.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REST = 20 }; /* a walk is followed by that many times its own time without one */

int64_t top_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* The list, with room for one more; NULL: no memory, and the list is as it was. */
static void *with_room(void *list, size_t count, size_t *room, size_t size)
{
    if (count < *room) return list;
    size_t wanted = *room ? 2 * *room : 64;
    void *larger = realloc(list, wanted * size);
    if (larger) *room = wanted;
    return larger;
}

bool top_rows_add(top_rows *rows, top_row *row)
{
    top_row **at = with_room(rows->at, rows->count, &rows->room, sizeof *at);
    if (!at) return false;
    rows->at = at;
    rows->at[rows->count++] = row;
    return true;
}

/* Takes over the name. */
static avout_status places_add(top_places *places, char *name, bool lock)
{
    top_place *at = name ? with_room(places->at, places->count, &places->room, sizeof *at) : NULL;
    if (!at) {
        free(name);
        return AVOUT_ENOMEM;
    }
    places->at = at;
    places->at[places->count++] = (top_place){name, lock};
    return AVOUT_OK;
}

static void places_release(top_places *places)
{
    for (size_t i = 0; i < places->count; i++) free(places->at[i].name);
    free(places->at);
    *places = (top_places){0};
}

static int by_name(const void *a, const void *b)
{
    const top_place *left = a, *right = b;
    return strcmp(left->name, right->name);
}

/* ---- the model -------------------------------------------------------------------------------- */

void top_model_init(top_model *model, cli_session *session, const char *directory)
{
    *model = (top_model){.session = session, .client = session->client, .directory = directory};
    pthread_mutex_init(&model->lock, NULL);
}

static void row_free(top_row *row)
{
    top_forget_row(row);
    free(row->name);
    free(row);
}

void top_model_release(top_model *model)
{
    for (size_t i = 0; i < model->rows.count; i++) row_free(model->rows.at[i]);
    free(model->rows.at);
    free(model->view.at);
    free(model->open.at);
    places_release(&model->to_list);
    places_release(&model->found);
    pthread_mutex_destroy(&model->lock);
}

/* ---- listing ----------------------------------------------------------------------------------- */

static char *join(const char *directory, const char *name, size_t length)
{
    size_t before = strcmp(directory, "/") != 0 ? strlen(directory) : 0;
    char *path = malloc(before + 1 + length + 1);
    if (!path) return NULL;
    memcpy(path, directory, before);
    path[before] = '/';
    memcpy(path + before + 1, name, length);
    path[before + 1 + length] = '\0';
    return path;
}

static avout_status list_names(top_model *model, const char *directory)
{
    avout_value names = AVOUT_NONE;
    avout_status st = avout_ls(&names, model->client, directory);
    if (st) return st;
    avout_iterator it = avout_value_iterate(names);
    while (!st && avout_iterator_next(&it)) {
        const char *text;
        size_t length;
        st = avout_value_to_text(&text, &length, it.item);
        if (st) break;
        bool below = length && text[length - 1] == '/';
        st = places_add(below ? &model->to_list : &model->found,
                        join(directory, text, length - below), false);
    }
    avout_release(names);
    return st;
}

static avout_status take_lock(const char *name, bool directory, void *payload)
{
    top_model *model = payload;
    return places_add(directory ? &model->to_list : &model->found, strdup(name), true);
}

/* A directory that went meanwhile has nothing in it. The top of the walk has to be there. */
static avout_status list_next(top_model *model)
{
    top_place place = model->to_list.at[--model->to_list.count];
    avout_status st = place.lock ? avout_locks_each(model->client, place.name, take_lock, model)
                                 : list_names(model, place.name);
    if (st && st != AVOUT_ENOTFOUND) {
        /* It stays to be done. What was found of it so far is found again. */
        avout_status kept = places_add(&model->to_list, place.name, place.lock);
        return kept ? kept : st;
    }
    free(place.name);
    return AVOUT_OK;
}

static avout_status begin_walk(top_model *model)
{
    bool top = !strcmp(model->directory, "/");
    model->walk++;
    model->walk_ns = 0;
    avout_status st = places_add(&model->to_list, strdup(model->directory), false);
    if (!st) st = places_add(&model->to_list, strdup(model->directory), true);
    /* The directory itself may be a name, too; whether it is shows when it is looked at. */
    if (!st && !top) st = places_add(&model->found, strdup(model->directory), false);
    if (!st && !top) st = places_add(&model->found, strdup(model->directory), true);
    return st;
}

/* ---- from what was found to rows ----------------------------------------------------------------- */

static void mark(top_row *row, unsigned walk, bool lock)
{
    if (lock) {
        row->is_lock = true;
        row->walked_lock = walk;
    } else {
        row->is_name = true;
        row->walked_name = walk;
    }
}

/* What a whole walk did not find is not there any more. */
static void drop_gone(top_model *model, top_rows *rows)
{
    size_t kept = 0, open = 0;
    for (size_t i = 0; i < rows->count; i++) {
        rows->at[i]->is_name = rows->at[i]->walked_name == model->walk;
        rows->at[i]->is_lock = rows->at[i]->walked_lock == model->walk;
    }
    for (size_t i = 0; i < model->open.count; i++) {
        top_row *row = model->open.at[i];
        if (row->is_name || row->is_lock) model->open.at[open++] = row;
    }
    model->open.count = open;
    for (size_t i = 0; i < rows->count; i++) {
        top_row *row = rows->at[i];
        if (row->is_name || row->is_lock) rows->at[kept++] = row;
        else row_free(row);
    }
    rows->count = kept;
}

/* Both lists are sorted. Under the lock, as rows go. */
static avout_status merge(top_model *model, bool complete)
{
    top_rows merged = {0}, *rows = &model->rows;
    top_places *found = &model->found;
    size_t row = 0, at = 0;
    merged.room = rows->count + found->count + 1;
    merged.at = malloc(merged.room * sizeof *merged.at);
    if (!merged.at) return AVOUT_ENOMEM;
    while (row < rows->count || at < found->count) {
        int order = row == rows->count   ? 1
                    : at == found->count ? -1
                                         : strcmp(rows->at[row]->name, found->at[at].name);
        top_row *next = order <= 0 ? rows->at[row++] : calloc(1, sizeof *next);
        if (!next) break; /* found again in the next walk */
        if (order > 0) {
            next->name = found->at[at].name;
            found->at[at].name = NULL;
            mark(next, model->walk, found->at[at++].lock);
        }
        for (; at < found->count && !strcmp(next->name, found->at[at].name); at++)
            mark(next, model->walk, found->at[at].lock);
        merged.at[merged.count++] = next;
    }
    bool whole = row == rows->count && at == found->count;
    while (row < rows->count) merged.at[merged.count++] = rows->at[row++];
    if (complete && whole) drop_gone(model, &merged);
    free(rows->at);
    *rows = merged;
    top_view_make(model);
    return whole ? AVOUT_OK : AVOUT_ENOMEM;
}

static avout_status take_found(top_model *model, bool complete)
{
    if (model->found.count)
        qsort(model->found.at, model->found.count, sizeof *model->found.at, by_name);
    pthread_mutex_lock(&model->lock);
    avout_status st = merge(model, complete);
    pthread_mutex_unlock(&model->lock);
    places_release(&model->found);
    return st;
}

avout_status top_walk(top_model *model, int64_t budget_ns)
{
    int64_t began_ns = top_now_ns(), now_ns = began_ns;
    avout_status st = AVOUT_OK;
    if (!model->to_list.count) {
        if (model->walked && began_ns < model->again_ns) return AVOUT_OK;
        st = begin_walk(model);
    }
    do {
        if (!st) st = list_next(model);
        now_ns = top_now_ns();
    } while (!st && model->to_list.count && now_ns - began_ns < budget_ns);
    bool complete = !st && !model->to_list.count;
    model->walk_ns += now_ns - began_ns;
    avout_status taken = take_found(model, complete);
    if (complete && !taken) {
        model->walked = true;
        model->again_ns = now_ns + REST * model->walk_ns;
    }
    return st ? st : taken;
}
