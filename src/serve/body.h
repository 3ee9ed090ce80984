/* Bodies: limits, gzip both ways. */
#ifndef NF_SERVE_BODY_H
#define NF_SERVE_BODY_H

#include "serve/request.h"

/* Reads what the head says of encodings. */
void nf_body_begin(nf_request *request);
/* Whether the body may be read; else the reply says why not. `stream`: it is read as it comes. */
bool nf_body_fits(nf_request *request, bool stream);
/* Takes what has come [*size]; a stream that has enough to do leaves the end, *size bytes. False:
 * the reply says what is wrong with it. */
bool nf_body_take(nf_request *request, const char *data, size_t *size);
/* At the body's end; false as above. */
bool nf_body_complete(nf_request *request);
/* Compresses the reply, if the client takes that and it has `least` bytes. */
void nf_body_pack(nf_request *request, size_t least);
void nf_body_end(nf_request *request);

#endif
