/* Who may ask: the key, and what a browser must not be led to do. */
#ifndef NF_SERVE_GUARD_H
#define NF_SERVE_GUARD_H

#include "serve/request.h"

/* Whether the request may have its route; else the reply says why not. */
bool nf_guard_admits(nf_request *request);
/* Compares two texts in a time that tells nothing of `secret` but its length. */
bool nf_guard_same(const char *given, const char *secret);

#endif
