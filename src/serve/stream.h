/* NDJSON: a line of JSON in, a line out, in the same order. Texts are tagged while others are still
 * sent, MOST_OPEN of them at once; HTTP/1.1 has the answer behind the question, so that results wait
 * for the last line (and count against memory_limit). */
#ifndef NF_SERVE_STREAM_H
#define NF_SERVE_STREAM_H

#include "serve/request.h"

/* Whether the request's body is NDJSON and its route takes that. */
bool nf_stream_wanted(const nf_request *request);
/* False: the reply says what is wrong with the query. */
bool nf_stream_begin(nf_request *request);
/* Bytes of the body. False: the reply says why it stops. */
bool nf_stream_take(nf_request *request, const char *data, size_t size);
bool nf_stream_is_full(nf_request *request);
/* Lets the connection sleep while the stream is full. */
void nf_stream_wait_for_room(nf_request *request);
/* The body has ended. */
void nf_stream_end(nf_request *request);
struct MHD_Response *nf_stream_response(nf_request *request);
void nf_stream_free(nf_stream_run *stream);

#endif
