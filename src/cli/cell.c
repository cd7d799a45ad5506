/* Opening atoms as the settings say; kinds of containers. */
#include "cli.h"

const avout_codec *cli_codec(const cli_session *session)
{
    return session->settings.codec ? session->settings.codec : avout_codec_edn();
}

avout_status cli_atom_open(avout_atom **atom, cli_session *session, const char *name)
{
    return avout_atom_open_coded(atom, session->client, name, cli_codec(session));
}

avout_status cli_atom_create(avout_atom **atom, cli_session *session, const char *name,
                             avout_value initial, bool *created)
{
    return avout_atom_create_coded(atom, session->client, name, cli_codec(session), initial,
                                   created);
}

const char *cli_kind_at(size_t index)
{
    static const char *const kinds[] = {"file", "http", "mongo", "postgres", "redis"};
    return index < sizeof kinds / sizeof *kinds ? kinds[index] : NULL;
}
