/* Label Studio's machine learning backend (label_studio_ml 1.0.9): the service is one. */
#ifndef NF_SERVE_LABEL_STUDIO_H
#define NF_SERVE_LABEL_STUDIO_H

#include "serve/request.h"

extern const nf_route nf_label_studio_routes[];
/* POST /predict with "tasks"; takes `body` over. The reply comes with nf_request_done. */
void nf_label_studio_predict(nf_request *request, json_t *body);

#endif
