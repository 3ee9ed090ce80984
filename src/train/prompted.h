/* Examples for heads that read labels in a prompt (model/gliner.h): documents' words and entities, to which
 * prompter.h puts labels. */
#ifndef NF_TRAIN_PROMPTED_H
#define NF_TRAIN_PROMPTED_H

#include "text/word_windows.h"
#include "train/prompter.h"

/* Examples of the label set that was added as number `set`, at the end of `out`; longer texts become
 * several, which overlap. Of an evaluated set their prompts name all labels. Entities may overlap and
 * nest. Those that cannot be learned (of more words than the model's spans have, or cut) are told. A label
 * that is not in the set is an error that names the document. */
nerfit_status nf_prompted_examples_make(nf_examples *out, nf_prompter *prompter, size_t set,
                                        const nf_corpus *corpus, const nf_log *log,
                                        nerfit_error *err);
/* What of all sets' texts is cut or cannot be learned, in numbers, where the first few were not all. */
void nf_prompted_examples_tell(const nf_examples *examples, const nf_log *log);

#endif
