#include "resource.h"

#include <string.h>

/* ---- answers ------------------------------------------------------------------------------------------ */

bool avout__http_is_done(long code)
{
    return code == 200 || code == 201 || code == 204;
}

bool avout__http_is_absent(long code)
{
    return code == 404 || code == 410;
}

static avout_status status_of(long code)
{
    switch (code) {
    case 401:
    case 407: return AVOUT_EAUTH;
    case 403: return AVOUT_EPERM;
    case 405:
    case 501: return AVOUT_ENOTSUP;
    case 408: return AVOUT_ETIMEOUT;
    case 412: return AVOUT_EEXISTS;
    case 413: return AVOUT_ELIMIT;
    case 507: return AVOUT_ENOSPACE;
    default: return AVOUT_EIO;
    }
}

avout_status avout__http_refused(const avout__http_answer *answer, const char *method)
{
    return avout_fail(status_of(answer->code), "the server answers %ld to %s", answer->code,
                      method);
}

const char *avout__http_type_of(const avout_codec *codec)
{
    if (codec->encode == avout_codec_edn()->encode) return "application/edn";
    if (codec->encode == avout_codec_json()->encode) return "application/json";
    return "application/octet-stream";
}

/* ---- requests ------------------------------------------------------------------------------------------ */

avout_status avout__http_ask(avout__http_answer *answer, const avout__http_server *server,
                             const char *method, const char *name, int64_t deadline_ms)
{
    avout__http_request request = {.method = method,
                                   .name = name,
                                   .follow = !strcmp(method, "GET") || !strcmp(method, "HEAD")};
    return avout__http_call(answer, server, &request, deadline_ms);
}

avout_status avout__http_delete(bool *absent, const avout__http_server *server, const char *name,
                                int64_t deadline_ms)
{
    avout__http_answer answer;
    avout_status status = avout__http_ask(&answer, server, "DELETE", name, deadline_ms);
    if (absent) *absent = avout__http_is_absent(answer.code);
    if (!status && !avout__http_is_done(answer.code) && !avout__http_is_absent(answer.code))
        status = avout__http_refused(&answer, "DELETE");
    avout__http_answer_release(&answer);
    return status;
}

/* ---- collections -------------------------------------------------------------------------------------------- */

/* 405: it is there, or the server has no collections and needs none; who may not make one may still be
 * allowed to write into it. */
static avout_status make_collection(long *code, const avout__http_server *server, size_t path,
                                    int64_t deadline_ms)
{
    avout__http_request request = {.method = "MKCOL", .name = "", .path = path};
    avout__http_answer answer;
    avout_status status = avout__http_call(&answer, server, &request, deadline_ms);
    if (!status && answer.code == 401) status = avout__http_refused(&answer, "MKCOL");
    *code = answer.code;
    avout__http_answer_release(&answer);
    return status;
}

avout_status avout__http_make_place(const avout__http_server *server, int64_t deadline_ms)
{
    const avout__http_address *address = &server->address;
    long code;
    if (!address->base[address->root]) return AVOUT_OK;
    avout_status status = make_collection(&code, server, strlen(address->base), deadline_ms);
    if (status || (code != 409 && code != 404)) return status;
    for (size_t i = address->root; !status && address->base[i]; i++)
        if (address->base[i] == '/' && i > address->root)
            status = make_collection(&code, server, i + 1, deadline_ms);
    return status;
}
