/* Runs a job: asks the annotators, merges what they say, and writes it down (job.h). */
#ifndef NF_ANNOTATE_ANNOTATE_H
#define NF_ANNOTATE_ANNOTATE_H

#include "annotate/job.h"

nerfit_status nf_annotate(nf_annotated *out, const nf_annotate_job *job, nerfit_error *err);

#endif
