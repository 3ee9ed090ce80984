/* What is suspicious in texts that are each well formed: repeated texts, repeated texts with other
 * entities, files without an entity, labels that the descriptions do not match, and what
 * consistency.h lists. */
#ifndef NF_DATA_CHECKING_H
#define NF_DATA_CHECKING_H

#include "data/annotation_report.h"
#include "data/descriptions.h"
#include "data/document.h"

/* Adds its findings to the report. A label without a description is an error, the rest are
 * warnings. Repeated texts are looked for in all corpora together: one that a training and a test
 * file share is told of. `descriptions` may be NULL. */
nerfit_status nf_corpora_check(const nf_corpus *const *corpora, size_t count,
                               const nf_descriptions *descriptions, const char *descriptions_file,
                               nf_annotation_report *report, nerfit_error *err);
/* Whether two documents have the same entities. */
bool nf_same_entities(const nf_document *a, const nf_document *b);

#endif
