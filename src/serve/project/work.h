/* What works for a project beside its routes: trainings, the ranking of texts, its model. */
#ifndef NF_SERVE_PROJECT_WORK_H
#define NF_SERVE_PROJECT_WORK_H

#include "serve/project/project.h"
#include "serve/server.h"

/* After the models' loading: gives the project's model its place. */
nerfit_status nf_project_work(nf_project *project, struct nf_server *server, nerfit_error *err);
/* Ends what works; NULL is fine. */
void nf_project_rest(nf_project *project);
/* Ranks texts with the model that is loaded, if that is due or `always`; none is loaded: nothing. */
nerfit_status nf_project_suggest(nf_project *project, const struct nf_server *server, bool always,
                                 nerfit_error *err);
/* Trains thoroughly if nobody has changed anything for a while and there is enough that the last thorough
 * training has not seen; the first training is always a person's. */
void nf_project_use_idleness(nf_project *project, const struct nf_server *server);
/* {"state", "kind", "run", ...} of the project's model. */
json_t *nf_project_model_answer(const nf_project *project, const struct nf_server *server);

#endif
