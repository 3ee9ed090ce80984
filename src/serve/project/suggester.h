/* Which texts to annotate next: `nerfit suggest`, as a child process whose ranking is kept until the model
 * or the annotations have moved on. */
#ifndef NF_SERVE_PROJECT_SUGGESTER_H
#define NF_SERVE_PROJECT_SUGGESTER_H

#include "serve/project/project.h"

typedef struct nf_suggester nf_suggester;

nerfit_status nf_suggester_new(nf_suggester **out, const nf_project *project, int threads,
                               nerfit_error *err);
/* Ends what runs; NULL is fine. */
void nf_suggester_free(nf_suggester *suggester);

/* Ranks open texts by a model (labels: a file, of one without labels of its own; else NULL), unless that
 * is under way. */
nerfit_status nf_suggester_start(nf_suggester *suggester, const nf_project *project,
                                 const char *model, const char *labels, nerfit_error *err);
/* Whether a new ranking is due: there is none, or it is of another model, or many texts of it have been
 * annotated. */
bool nf_suggester_is_due(nf_suggester *suggester, const nf_project *project, const char *model);
/* The ranking: [[id, {"gain", ...}], ...], best first; a reference of the caller. */
json_t *nf_suggester_ranking(nf_suggester *suggester);
/* {"state", "texts", "error"} */
json_t *nf_suggester_answer(nf_suggester *suggester);

#endif
