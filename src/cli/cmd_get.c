/* avout get: values, several of them at one point in time. */
#include "cli.h"

#include <stdlib.h>

typedef struct reading {
    int count;
    avout_ref **refs;
    avout_value *values;
} reading;

static avout_status read_in_transaction(avout_txn *txn, void *payload)
{
    reading *r = payload;
    for (int i = 0; i < r->count; i++) {
        avout_value value;
        avout_status st = avout_txn_deref(&value, txn, r->refs[i]);
        if (!st) st = avout_put(&r->values[i], value);
        if (st) return st;
    }
    return AVOUT_OK;
}

static cli_exit open_all(reading *r, cli_session *session)
{
    for (int i = 0; i < r->count; i++) {
        avout_status st = avout_ref_open_coded(&r->refs[i], session->client, session->words.at[i],
                                               cli_codec(session));
        if (st) return cli_failed(session, session->words.at[i], st);
    }
    return CLI_DONE;
}

static cli_exit read_all(reading *r, cli_session *session)
{
    avout_status st;
    if (session->settings.strict) {
        avout_call_options options = {.strict = true};
        st = avout_dosync(session->client, read_in_transaction, r, &options);
    } else {
        st = avout_refs_deref(r->values, r->refs, (size_t)r->count);
    }
    return st ? cli_failed(session, r->count == 1 ? session->words.at[0] : NULL, st) : CLI_DONE;
}

cli_exit cli_get(cli_session *session)
{
    size_t count = (size_t)session->words.count;
    reading r = {
        .count = session->words.count,
        .refs = calloc(count, sizeof *r.refs),
        .values = calloc(count, sizeof *r.values),
    };
    cli_exit status;
    if (!r.refs || !r.values) {
        status = cli_error(CLI_SYSTEM, "get", "out of memory");
        goto done;
    }
    status = cli_open(session);
    if (!status) status = open_all(&r, session);
    if (!status) status = read_all(&r, session);
    for (size_t i = 0; i < count && !status; i++)
        status = cli_print_value(session, session->words.at[i], r.values[i]);
done:
    for (size_t i = 0; i < count && r.refs && r.values; i++) {
        avout_release(r.values[i]);
        avout_ref_close(r.refs[i]);
    }
    free(r.values);
    free(r.refs);
    return status;
}
