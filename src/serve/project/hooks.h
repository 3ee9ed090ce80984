/* What Label Studio tells a service that has a project: what is annotated there becomes the project's, and "Start
 * training" trains. The requests come from a server, which has no token; those that pages send are refused. */
#ifndef NF_SERVE_PROJECT_HOOKS_H
#define NF_SERVE_PROJECT_HOOKS_H

#include "serve/project/project.h"
#include "serve/request.h"

/* The project that is meant; NULL: there is none, or the path names another model. */
nf_project *nf_hook_project(const nf_request *request);
/* A message of the webhook. False: nothing follows from it, and there is no reply. */
bool nf_hook(nf_request *request, const char *action, const json_t *message);

#endif
