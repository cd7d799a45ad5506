/* What is asked of the store about the rows: many versions at once, one lock after the other, and the values
 * of what is shown, through atoms that are open as long as it is: the store watches those for us, and no
 * others. */
#include "top.h"

#include <stdlib.h>
#include <string.h>

enum {
    TOGETHER = 2000,  /* rows of which the versions are asked for at a time, beside those shown, */
    LOOK_MS = 50,     /* and how long that is repeated */
    LOCKS_MS = 100,   /* how long other locks than those shown are looked at, */
    LOCKS_LEAST = 16, /* and how many at least */
    RATE_MS = 1,      /* a shorter time tells no rate */
    TEXT_MOST = 1 << 12, /* what is kept of a value's text for the screen */
};

/* ---- versions ----------------------------------------------------------------------------------- */

static void take_stat(top_row *row, const avout_name_stat *stat, int64_t now_ns)
{
    int64_t passed_ns = now_ns - row->looked_ns;
    bool same =
        row->looked && !row->stat.status && !stat->status && row->stat.created == stat->created;
    if (same && passed_ns < RATE_MS * INT64_C(1000000)) {
        row->stat = *stat; /* the version is that of the earlier time, which goes on counting */
        return;
    }
    int64_t changes = stat->version - row->stat.version;
    if (changes < 0) changes += INT64_C(1) << 32; /* ZooKeeper's has 32 bits */
    row->rated = same;
    row->rate = same ? (double)changes * 1e9 / (double)passed_ns : 0;
    row->stat = *stat;
    row->looked = true;
    row->looked_ns = now_ns;
}

/* Rows of the view from `first` on. Another thread may make the view anew. */
static bool add_shown(top_rows *chosen, top_model *model, size_t first, size_t count)
{
    bool fine = true;
    pthread_mutex_lock(&model->lock);
    for (size_t i = first; fine && i < model->view.count && i - first < count; i++)
        fine = top_rows_add(chosen, model->view.at[i]);
    pthread_mutex_unlock(&model->lock);
    return fine;
}

/* And those whose turn it is. */
static bool add_others(top_rows *chosen, top_model *model, bool all)
{
    size_t count = model->rows.count, most = all || count < TOGETHER ? count : TOGETHER;
    bool fine = true;
    if (all) model->next_look = 0;
    for (size_t i = 0; fine && i < most; i++) {
        if (model->next_look >= count) model->next_look = 0;
        top_row *row = model->rows.at[model->next_look++];
        fine = top_rows_add(chosen, row);
    }
    return fine;
}

static avout_status look_at(top_model *model, const top_rows *chosen)
{
    const char **names = calloc(chosen->count + 1, sizeof *names);
    avout_name_stat *stats = calloc(chosen->count + 1, sizeof *stats);
    avout_status st = names && stats ? AVOUT_OK : AVOUT_ENOMEM;
    for (size_t i = 0; !st && i < chosen->count; i++) names[i] = chosen->at[i]->name;
    if (!st) st = avout_stat_names(stats, model->client, names, chosen->count, 0);
    int64_t now_ns = top_now_ns();
    if (!st) {
        pthread_mutex_lock(&model->lock);
        for (size_t i = 0; i < chosen->count; i++) take_stat(chosen->at[i], &stats[i], now_ns);
        pthread_mutex_unlock(&model->lock);
    }
    free(names);
    free(stats);
    return st;
}

avout_status top_look(top_model *model, size_t first, size_t count, bool all)
{
    int64_t until_ns = top_now_ns() + LOOK_MS * INT64_C(1000000);
    size_t rows = model->rows.count, looked = 0;
    avout_status st = AVOUT_OK;
    do {
        top_rows chosen = {0};
        bool fine = looked || all || add_shown(&chosen, model, first, count);
        st = fine && add_others(&chosen, model, all) ? look_at(model, &chosen) : AVOUT_ENOMEM;
        free(chosen.at);
        looked += all ? rows : TOGETHER;
    } while (!st && looked < rows && top_now_ns() < until_ns);
    pthread_mutex_lock(&model->lock);
    top_view_make(model);
    pthread_mutex_unlock(&model->lock);
    return st;
}

/* ---- locks --------------------------------------------------------------------------------------- */

static avout_status look_at_lock(top_model *model, top_row *row)
{
    avout_lock_report *report = NULL;
    avout_status st = avout_lock_inspect(&report, model->client, row->name);
    if (st) return st;
    pthread_mutex_lock(&model->lock);
    row->lock_looked = true;
    row->holders = row->waiting = 0;
    for (size_t i = 0; i < report->count; i++) {
        *(report->entries[i].holds ? &row->holders : &row->waiting) += 1;
        if (report->entries[i].holds) row->shared = report->entries[i].shared;
    }
    pthread_mutex_unlock(&model->lock);
    avout_lock_report_free(report);
    return AVOUT_OK;
}

static avout_status look_at_other_locks(top_model *model, bool all)
{
    int64_t until_ns = top_now_ns() + LOCKS_MS * INT64_C(1000000);
    avout_status st = AVOUT_OK;
    size_t looked = 0;
    for (size_t i = 0; !st && i < model->rows.count; i++) {
        if (model->next_lock >= model->rows.count) model->next_lock = 0;
        top_row *row = model->rows.at[model->next_lock++];
        if (!row->is_lock) continue;
        if (!all && looked++ >= LOCKS_LEAST && top_now_ns() > until_ns) break;
        st = look_at_lock(model, row);
    }
    return st;
}

avout_status top_look_at_locks(top_model *model, size_t first, size_t count, bool all)
{
    top_rows shown = {0};
    avout_status st = all || add_shown(&shown, model, first, count) ? AVOUT_OK : AVOUT_ENOMEM;
    for (size_t i = 0; !st && i < shown.count; i++)
        if (shown.at[i]->is_lock) st = look_at_lock(model, shown.at[i]);
    free(shown.at);
    if (!st) st = look_at_other_locks(model, all);
    pthread_mutex_lock(&model->lock);
    top_view_make(model);
    pthread_mutex_unlock(&model->lock);
    return st;
}

/* ---- values --------------------------------------------------------------------------------------- */

static void set_texts(top_model *model, top_row *row, char *text, char *why)
{
    pthread_mutex_lock(&model->lock);
    char *old_text = row->text, *old_why = row->why;
    row->text = text;
    row->why = why;
    pthread_mutex_unlock(&model->lock);
    free(old_text);
    free(old_why);
}

void top_forget_row(top_row *row)
{
    avout_atom_close(row->atom);
    row->atom = NULL;
    free(row->text);
    free(row->why);
    row->text = row->why = NULL;
}

/* Takes the ownership of `value`. */
static avout_status take_value(top_model *model, top_row *row, avout_value value)
{
    char *text;
    size_t length;
    const cli_settings *settings = &model->session->settings;
    avout_status st = settings->json ? avout_json_text(&text, &length, value)
                                     : avout_edn_text(&text, &length, value);
    avout_release(value);
    if (st) return st;
    bool cut = !settings->once && length > TEXT_MOST;
    char *kept = strndup(text, cut ? TEXT_MOST : length);
    avout_edn_free(text);
    if (!kept) return AVOUT_ENOMEM;
    set_texts(model, row, kept, NULL);
    row->text_version = row->stat.version;
    return AVOUT_OK;
}

/* What is wrong with one value is shown in its place; what is wrong with the store is the answer. */
static bool is_of_the_value(avout_status st)
{
    return st == AVOUT_EDATA || st == AVOUT_EPERM || st == AVOUT_ELIMIT || st == AVOUT_ENOPRINT ||
           st == AVOUT_ENOTFOUND;
}

avout_status top_read_row(top_model *model, top_row *row)
{
    avout_value value = AVOUT_NONE;
    avout_status st = AVOUT_OK;
    if (!row->is_name) return AVOUT_OK;
    /* A deref behind the look is not older than it: the store tells of changes before it answers. */
    if (row->text && row->text_version == row->stat.version) return AVOUT_OK;
    if (!row->atom) st = avout_atom_open(&row->atom, model->client, row->name);
    if (!st) st = avout_atom_deref(&value, row->atom);
    if (!st) st = take_value(model, row, value);
    if (!is_of_the_value(st)) return st;
    const char *detail = avout_error_detail();
    char *why = strdup(*detail ? detail : avout_status_text(st));
    if (!why) return AVOUT_ENOMEM;
    set_texts(model, row, NULL, why);
    return AVOUT_OK;
}

static void close_others(top_model *model)
{
    size_t kept = 0;
    pthread_mutex_lock(&model->lock);
    for (size_t i = 0; i < model->open.count; i++) {
        top_row *row = model->open.at[i];
        if (row->shown == model->reading) model->open.at[kept++] = row;
        else top_forget_row(row);
    }
    model->open.count = kept;
    pthread_mutex_unlock(&model->lock);
}

avout_status top_read(top_model *model, size_t first, size_t count)
{
    top_rows shown = {0};
    avout_status st = add_shown(&shown, model, first, count) ? AVOUT_OK : AVOUT_ENOMEM;
    model->reading++;
    for (size_t i = 0; !st && i < shown.count; i++) {
        top_row *row = shown.at[i];
        bool was_open = row->atom != NULL;
        row->shown = model->reading;
        st = top_read_row(model, row);
        if (was_open || !row->atom || top_rows_add(&model->open, row)) continue;
        pthread_mutex_lock(&model->lock);
        top_forget_row(row);
        pthread_mutex_unlock(&model->lock);
        st = AVOUT_ENOMEM;
    }
    free(shown.at);
    /* After a failure what was not reached stays as it is. */
    if (!st) close_others(model);
    return st;
}
