/* Texts, some with entities, on their way into a project. */
#ifndef NF_SERVE_PROJECT_ADDING_H
#define NF_SERVE_PROJECT_ADDING_H

#include "serve/project/answers.h"

typedef struct nf_newcomers {
    nf_new_text *texts; /* [count]; their words belong to the caller */
    nf_marks *marks;    /* [count]; no items: none came */
    size_t count;
    bool replaces; /* entities take the place of what there is, whoever has worked on it */
    /* when they are added */
    size_t *ids;             /* [count], also of those that were there */
    size_t added, annotated; /* those that are new; those whose entities were taken */
    size_t contradicted;     /* that came once more, with other entities */
} nf_newcomers;

/* Room for so many; count stays 0. */
nerfit_status nf_newcomers_make(nf_newcomers *newcomers, size_t count, nerfit_error *err);
/* One more, with its entities, a list as nf_marks_read takes it; NULL: none. */
nerfit_status nf_newcomers_take(nf_newcomers *newcomers, const nf_project *project,
                                nf_new_text text, const json_t *entities, nf_unit unit,
                                nerfit_error *err);
/* Adds those that are not there yet. Entities become a text's, which gets the status, where nobody has worked
 * on it. Of the same words with several lists of entities the first one counts, or the last one if it replaces. */
nerfit_status nf_newcomers_add(nf_newcomers *newcomers, nf_project *project, nf_item_status status,
                               nerfit_error *err);
void nf_newcomers_free(nf_newcomers *newcomers);

#endif
