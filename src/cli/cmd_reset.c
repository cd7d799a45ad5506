/* avout reset: a new value, whatever the old one was. */
#include "cli.h"

/* Each consumes `value`. */
static avout_status reset_existing(avout_atom **atom, cli_session *session, avout_value value)
{
    avout_status st = cli_atom_open(atom, session, session->words.at[0]);
    if (!st) return avout_reset(*atom, value, NULL);
    avout_release(value);
    return st;
}

static avout_status create_new(avout_atom **atom, cli_session *session, avout_value value)
{
    bool created = false;
    const char *name = session->words.at[0];
    avout_status st = cli_atom_create(atom, session, name, value, &created);
    if (!st && !created) return avout_fail(AVOUT_EEXISTS, "%s exists already", name);
    return st;
}

static avout_status create_or_reset(avout_atom **atom, cli_session *session, avout_value value)
{
    bool created = false;
    const char *name = session->words.at[0];
    if (!session->settings.codec)
        return avout_atom_create_or_reset(atom, session->client, name, value);
    avout_status st = cli_atom_create(atom, session, name, avout_share(value), &created);
    if (!st && !created) return avout_reset(*atom, value, NULL);
    avout_release(value);
    return st;
}

cli_exit cli_reset(cli_session *session)
{
    const cli_settings *settings = &session->settings;
    const char *name = session->words.at[0];
    if (settings->existing && settings->fresh)
        return cli_error(CLI_USAGE, "reset", "--existing and --new exclude each other");
    avout_value value = AVOUT_NONE;
    cli_exit status = cli_read_value(&value, session, session->words.at[1]);
    if (status) return status;
    status = cli_open(session);
    if (status) {
        avout_release(value);
        return status;
    }
    avout_atom *atom = NULL;
    avout_status st;
    if (settings->existing) st = reset_existing(&atom, session, value);
    else if (settings->fresh) st = create_new(&atom, session, value);
    else st = create_or_reset(&atom, session, value);
    if (st) status = cli_failed(session, name, st);
    avout_atom_close(atom);
    return status;
}
