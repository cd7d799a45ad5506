/* avout cas: compare and set in one step. */
#include "cli.h"

static cli_exit compare_and_set(cli_session *session, avout_value expected, avout_value *value)
{
    const char *name = session->words.at[0];
    avout_atom *atom = NULL;
    cli_exit status = cli_open(session);
    if (status) return status;
    avout_status st = cli_atom_open(&atom, session, name);
    if (!st) {
        st = avout_compare_and_set(atom, expected, *value, NULL);
        *value = AVOUT_NONE;
    }
    if (st == AVOUT_ECONFLICT && session->settings.quiet) status = CLI_NO;
    else if (st) status = cli_failed(session, name, st);
    avout_atom_close(atom);
    return status;
}

cli_exit cli_cas(cli_session *session)
{
    avout_value expected = AVOUT_NONE, value = AVOUT_NONE;
    cli_exit status = cli_read_value(&expected, session, session->words.at[1]);
    if (!status) status = cli_read_value(&value, session, session->words.at[2]);
    if (!status) status = compare_and_set(session, expected, &value);
    avout_release(value);
    avout_release(expected);
    return status;
}
