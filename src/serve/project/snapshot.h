/* What a training gets of a project: its accepted texts as they are now. */
#ifndef NF_SERVE_PROJECT_SNAPSHOT_H
#define NF_SERVE_PROJECT_SNAPSHOT_H

#include "serve/project/project.h"

/* With fewer texts nothing is measured; the parts of a cross-validation. */
enum { NF_LEAST_MEASURED = 6, NF_FOLDS = 3 };

/* Writes all.jsonl, train.jsonl, held_out.jsonl (if there are such) and labels.json into the folder; `run` gets
 * "texts" (the numbers of all.jsonl's), "held_out" (those that F1 is measured on, the first ones), "parts",
 * "annotations", "entities". "parts" are the sizes of parts of all.jsonl, one behind the other, for a
 * cross-validation: train.jsonl has all texts then. Else it is empty, and about a fifth is held out, the same
 * texts whenever it is asked. NERFIT_ARGUMENT: there is too little. */
nerfit_status nf_snapshot_write(const nf_project *project, const char *folder, json_t *run,
                                nerfit_error *err);
/* Appends a JSON line with "text" and "entities" in code points, and with "id", or with the fields that the
 * text came with. */
void nf_item_line(nf_str *lines, const nf_item *text, bool with_id);

#endif
