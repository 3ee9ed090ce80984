/* Pre-training on other label sets: NuNER's idea (Bogdanov et al. 2024) with annotated corpora. The
 * description head without a label set's own part learns, together with the encoder, to find what a
 * description says. Each step draws a corpus, with a probability that goes with the square root of
 * its size, and a batch of its texts; its types are the columns (of many, some are drawn: drawn_columns.h),
 * and each type is described anew by
 * its description, by its bare name, or by "name: description".
 *
 * Both draws are functions of seed and step: a resumed run draws the same. */
#ifndef NF_RECIPE_PRETRAINING_H
#define NF_RECIPE_PRETRAINING_H

#include "recipe/embeddings.h"
#include "recipe/options.h"
#include "train/task.h"

typedef struct nf_pretraining nf_pretraining;

/* Reads options->pretrain_annotations (files, folders of label sets, manifests: data/manifest.h) and
 * pretrain_ent2emb (the files' descriptions, in the same order). A label without a description is described by its name; the log says so. */
nerfit_status nf_pretraining_read(nf_pretraining **out, const nf_train_options *options,
                                  const nf_log *log, nerfit_error *err);
/* Of the texts and descriptions: fingerprint.h. */
nerfit_status nf_pretraining_fingerprint(const nf_pretraining *p, uint64_t *fingerprint,
                                         nerfit_error *err);
void nf_pretraining_free(nf_pretraining *p);
/* Embeds the descriptions in all forms; *size: of an embedding. */
nerfit_status nf_pretraining_embed(nf_pretraining *p, const char *sentence_encoder, nf_backend *be,
                                   const nf_log *log, size_t *size, nerfit_error *err);
/* The texts as the model sees them. */
nerfit_status nf_pretraining_encode(nf_pretraining *p, const nf_model *model, size_t max_length,
                                    const nf_log *log, nerfit_error *err);
/* The task, of a model with a description head; it borrows p. */
nerfit_status nf_task_pretraining(nf_task **out, nf_pretraining *p, nf_model *model,
                                  double label_smoothing, nerfit_error *err);

#endif
