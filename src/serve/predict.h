/* The routes that work on texts. */
#ifndef NF_SERVE_PREDICT_H
#define NF_SERVE_PREDICT_H

#include "serve/request.h"

void nf_route_predict(nf_request *request);
void nf_route_embed(nf_request *request);
void nf_route_tokenize(nf_request *request);

#endif
