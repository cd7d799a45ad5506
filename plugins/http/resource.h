/* What both containers of the http kind do with single resources and the collections above them. */
#ifndef PLUGINS_HTTP_RESOURCE_H
#define PLUGINS_HTTP_RESOURCE_H

#include <avout/codec.h>

#include "request.h"

bool avout__http_is_done(long code);   /* 200, 201, 204 */
bool avout__http_is_absent(long code); /* 404, 410 */
/* What such an answer is among ours, as the detail. */
avout_status avout__http_refused(const avout__http_answer *answer, const char *method);

/* "application/edn", as the codec has it. */
const char *avout__http_type_of(const avout_codec *codec);

/* A request without a body. Redirections are followed where it reads. */
avout_status avout__http_ask(avout__http_answer *answer, const avout__http_server *server,
                             const char *method, const char *name, int64_t deadline_ms);
/* *absent (may be NULL): it was not there, which is no failure. */
avout_status avout__http_delete(bool *absent, const avout__http_server *server, const char *name,
                                int64_t deadline_ms);
/* The collections of the base, where there are none. */
avout_status avout__http_make_place(const avout__http_server *server, int64_t deadline_ms);

#endif
