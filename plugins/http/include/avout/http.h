/* A state container that keeps values on an HTTP server, as a REST service or WebDAV: each version one
 * resource BASE/VERSION.edn with EDN text, written by PUT, read by GET, removed by DELETE. Its last line is a
 * comment with a checksum (docs/formats.md), so what arrives cut short or altered is noticed.
 *
 *     cc program.c $(pkg-config --cflags --libs avout-http)
 *
 * The server must store what is PUT, answer 404 to what is not there, and be asked where it was written: no
 * cache in between that answers for it. Values are as durable as the server makes what it acknowledges with
 * 200, 201 or 204. Versions are put with `If-None-Match: *`. On servers that ignore it (nginx does; opening
 * an identity finds out) a version is claimed first by making a collection BASE/VERSION.claim/, which only one
 * can; those that have no collections either are refused. The place itself is made by MKCOL where the
 * server knows it, and never deleted, since DELETE takes what is in it. Versions are listed by PROPFIND;
 * where the server has none what dead clients left stays.
 *
 * libcurl is initialised when the first container is made, and never cleaned up. Its environment is heeded:
 * http_proxy, https_proxy and no_proxy; CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR, as by the command
 * curl, say which certificates are trusted. Those of servers are always verified. */
#ifndef AVOUT_HTTP_H
#define AVOUT_HTTP_H

#include <avout/codec.h>
#include <avout/distributed.h>

AVOUT_BEGIN

/* A container for the values of one atom or ref below `place`:
 *
 *     https://user:password@host:8443/plans/
 *     http://127.0.0.1/dav
 *
 * The credentials are sent as basic authentication (%XX is decoded in them; over plain http everybody on the
 * way can read them), and only to that host; they are in no message. Any number of identities may share a
 * place; each knows its own versions. All containers of the process for one host, port and user share their
 * connections. The text is copied.
 *
 * Does not connect. Later calls keep their deadlines. What fails on the way, and what the server answers with
 * 429, 502, 503 or 504, is tried again, after the time that Retry-After names, if that is before the
 * deadline; a server that cannot be reached for half a minute is given up. Redirections are followed when
 * reading (never from https to http), and refused when writing. AVOUT_EINVAL (the place: no query, no
 * fragment), AVOUT_ENOMEM. */
AVOUT_API avout_status avout_http_container(avout_versioned_container **container,
                                            const char *place);

/* The same with another codec than EDN (copied; its name and payload must stay as long as the container):
 * everybody who opens the identity uses the same. NULL: EDN. A version is the resource BASE/VERSION.CODEC, for
 * avout_codec_json() BASE/VERSION.json, which is what the codec writes and nothing else; the checksum is in
 * BASE/VERSION.seal, so writing and reading take a request more. The content type is application/json for JSON,
 * application/octet-stream for others. The names seal and claim are no codec's here, and edn is no other's than
 * EDN's: AVOUT_EINVAL. */
AVOUT_API avout_status avout_http_container_coded(avout_versioned_container **container,
                                                  const char *place, const avout_codec *codec);

/* A container without versions: one resource that is replaced by PUT, and that other programs may GET at any time.
 * To be handed to avout_unversioned_atom. `place` is its address, which does not end with a slash:
 *
 *     https://user:password@host/config/app.json
 *
 * `codec` as above: the resource is what it writes, with NULL the EDN text (application/edn), and it is asked for
 * with that content type (Accept). What is there before, of whatever origin, is the atom's first value; others must
 * not write it afterwards. Answers that do not say how long they are (no Content-Length, not chunked) are refused:
 * AVOUT_EIO, for they may be cut. Collections above it are made by MKCOL where they are missing;
 * DELETE removes it with the atom.
 *
 * Each PUT has a header `Avout-Token: POINT-COUNT`, the fencing token as avout_token_text writes it. A service that
 * keeps the greatest one (compared byte by byte) and answers 412 to a smaller one lets no change get lost, also when a
 * holder of the atom's lock was stopped past its session; others ignore it. A PUT whose answer got lost is
 * sent again, and is AVOUT_UNKNOWN when none is answered, or with what leaves it open whether it was done (500, 503
 * and others, 202, 303); what a server carries out long after its client has gone may overwrite what came later,
 * unless it looks at the token.
 *
 * AVOUT_EINVAL (place, codec), AVOUT_ENOMEM. */
AVOUT_API avout_status avout_http_value_container(avout_container **container, const char *place,
                                                  const avout_codec *codec);

AVOUT_END

#endif
