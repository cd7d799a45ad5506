/* Which rows are shown, and in which order. Equal ones are in the order of their names. */
#include "top.h"

#include <stdlib.h>
#include <string.h>

typedef int (*comparison)(const top_row *a, const top_row *b);

static int by_name(const top_row *a, const top_row *b)
{
    return strcmp(a->name, b->name);
}

static int compare(double a, double b)
{
    return (a > b) - (a < b);
}

/* What is largest comes first in all of these; what is not known, last. */
static int by_changes(const top_row *a, const top_row *b)
{
    return compare(b->rated ? b->rate : -1, a->rated ? a->rate : -1);
}
static int by_time(const top_row *a, const top_row *b)
{
    return compare((double)b->stat.changed_ms, (double)a->stat.changed_ms);
}
static int by_watchers(const top_row *a, const top_row *b)
{
    return compare((double)b->stat.watchers, (double)a->stat.watchers);
}
static int by_queue(const top_row *a, const top_row *b)
{
    return compare((double)b->stat.queued, (double)a->stat.queued);
}
static int by_lock(const top_row *a, const top_row *b)
{
    if (a->waiting != b->waiting) return a->waiting < b->waiting ? 1 : -1;
    return compare((double)b->holders, (double)a->holders);
}

static const struct {
    const char *name;
    char key;
    comparison compare;
} orders[TOP_ORDERS] = {
    [TOP_BY_NAME] = {"name", 'n', by_name},    [TOP_BY_CHANGES] = {"changes", 'c', by_changes},
    [TOP_BY_TIME] = {"time", 't', by_time},    [TOP_BY_WATCHERS] = {"watchers", 'w', by_watchers},
    [TOP_BY_QUEUE] = {"queue", 'u', by_queue}, [TOP_BY_LOCK] = {"lock", 'l', by_lock},
};

const char *top_order_name(top_order order)
{
    return orders[order].name;
}

char top_order_key(top_order order)
{
    return orders[order].key;
}

top_order top_order_find(const char *name)
{
    top_order order = 0;
    while (order < TOP_ORDERS && strcmp(orders[order].name, name) != 0) order++;
    return order;
}

static int in_order(const void *a, const void *b, void *payload)
{
    const top_row *left = *(top_row *const *)a, *right = *(top_row *const *)b;
    const top_model *model = payload;
    int order = orders[model->order].compare(left, right);
    if (model->reversed) order = -order;
    return order ? order : by_name(left, right);
}

/* Names that were removed leave a trace in the store for a while; locks that nobody wants do, too. */
static bool is_shown(const top_model *model, const top_row *row)
{
    bool name = row->is_name && row->looked && row->stat.status != AVOUT_ENOTFOUND;
    bool lock = row->is_lock && row->lock_looked && row->holders + row->waiting > 0;
    return (name || lock) && (!*model->filter || strcasestr(row->name, model->filter));
}

/* Without memory the view is cut short. */
void top_view_make(top_model *model)
{
    top_rows *view = &model->view;
    view->count = model->unseen = 0;
    for (size_t i = 0; i < model->rows.count; i++) {
        top_row *row = model->rows.at[i];
        model->unseen += row->is_name && !row->looked;
        if (is_shown(model, row) && !top_rows_add(view, row)) break;
    }
    bool sorted = model->order == TOP_BY_NAME && !model->reversed;
    if (view->count && !sorted) qsort_r(view->at, view->count, sizeof *view->at, in_order, model);
}
