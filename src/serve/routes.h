/* The routes that tell about the service, and the files that are inside the program. */
#ifndef NF_SERVE_ROUTES_H
#define NF_SERVE_ROUTES_H

#include "serve/request.h"

void nf_route_info(nf_request *request);
void nf_route_health(nf_request *request);
void nf_route_metrics(nf_request *request);
void nf_route_token(nf_request *request);

/* static.c: the page where there is a project, else what text-embeddings-inference has at "/": health. */
void nf_route_root(nf_request *request);
/* A row for every file of src/serve/static. */
extern const nf_route nf_static_routes[];

/* The route of a path and method; NULL, with *allow the methods that the path has ("" if it is
 * unknown). */
const nf_route *nf_route_find(const char *method, const char *path, nf_str *allow);
/* A method's name as routes have it: HEAD is GET. */
const char *nf_route_method(const char *method);

#endif
