/* Examples for heads that read labels in a prompt (model/gliner.h). What stays is a text's words and
 * entities; which labels its prompt names is drawn anew for every step: its own, and others of the label
 * set as negatives, in another order each time, so that a model learns to find any choice of them and
 * none where there is none. An evaluation asks for all labels. */
#ifndef NF_TRAIN_PROMPTED_H
#define NF_TRAIN_PROMPTED_H

#include "model/gliner_prompt.h"
#include "text/word_windows.h"
#include "train/task.h"

/* How labels are read. */
typedef struct nf_prompter nf_prompter;

/* `prompts` [labels->n_types]: what the model reads for each type. All are borrowed. max_length: tokens
 * of a sequence, its prompt counted; 0: as many as the model takes. */
nerfit_status nf_prompter_new(nf_prompter **out, const nf_model *model, const nf_label_set *labels,
                              const char *const *prompts, size_t max_length, nerfit_error *err);
void nf_prompter_free(nf_prompter *prompter);

/* Examples whose prompts name all labels; longer texts become several, which overlap. Entities may
 * overlap and nest. Those that cannot be learned (of more words than the model's spans have, or cut) are
 * told. A label that is not in the set is an error that names the document. */
nerfit_status nf_prompted_examples_make(nf_examples *out, nf_prompter *prompter,
                                        const nf_corpus *corpus, const nf_log *log,
                                        nerfit_error *err);
/* Lets a task's training draw the labels of its prompts. */
void nf_prompter_serve(nf_prompter *prompter, nf_task *task);

#endif
