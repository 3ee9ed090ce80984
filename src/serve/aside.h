/* A thread for routes that may touch a disk (NF_ROUTE_ASIDE), one after another: whoever shares a file
 * needs no lock. */
#ifndef NF_SERVE_ASIDE_H
#define NF_SERVE_ASIDE_H

#include "serve/request.h"

typedef struct nf_aside nf_aside;

nerfit_status nf_aside_new(nf_aside **out, nerfit_error *err);
/* Runs the request's route; the reply comes with nf_request_done. */
void nf_aside_put(nf_aside *aside, nf_request *request);
/* What is there is done; what comes later is refused. NULL is fine, here and below. */
void nf_aside_stop(nf_aside *aside);
void nf_aside_free(nf_aside *aside);

#endif
