/* What a training's model finds in the texts that it learned from and was measured with, beside what was
 * annotated there then: predictions.jsonl and all.jsonl of the run's folder. */
#ifndef NF_SERVE_PROJECT_FINDINGS_H
#define NF_SERVE_PROJECT_FINDINGS_H

#include "serve/project/project.h"

typedef struct nf_found {
    uint32_t start, end; /* code points */
    const nf_label *label;
    double score;  /* of what was annotated: 1 */
    bool is_equal; /* to one of the other side */
} nf_found;

typedef struct nf_found_text {
    size_t id;
    bool held_out;
    nf_found *annotated, *found; /* [n_annotated], [n_found] */
    size_t n_annotated, n_found;
} nf_found_text;

typedef struct nf_findings {
    nf_found_text *texts; /* [count] */
    size_t count;
} nf_findings;

/* Of a run with its texts, as nf_trainer_run has it. Entities of labels that are gone are left out. */
nerfit_status nf_findings_read(nf_findings *findings, const nf_project *project, const json_t *run,
                               nerfit_error *err);
void nf_findings_free(nf_findings *findings);
/* Numbers of texts whose entities the run's model sees otherwise and nobody has changed since:
 * {"12": true}. Kept until another run is asked for; belongs to the project. NULL: there is no run. */
const json_t *nf_project_disagreements(nf_project *project);

#endif
