/* What the recipe nerfit begins with besides the encoder: what a pre-training left (pretraining.h),
 * an adapter of the encoder and the description head's shared part. It is, in this order,
 *   - in the encoder's own folder, if nerfit pretrain wrote it,
 *   - in the folder that the option `pretrained` names,
 *   - with `pretrained: auto`, what comes with nerfit for just these weights (model/builtin.h). */
#ifndef NF_RECIPE_PRETRAINED_H
#define NF_RECIPE_PRETRAINED_H

#include "base/log.h"
#include "model/builtin.h"
#include "recipe/embeddings.h"

typedef struct nf_pretrained {
    nf_arena arena;
    nf_safetensors *head; /* NULL: there is none */
    const char *name;     /* for messages: the folder, or the built-in one's name */
    const char
        *adapter; /* folder of an adapter to put on the encoder; NULL: none, or it is on it */
    const nf_builtin *builtin; /* or NULL */
    /* folder of the encoder that embedded descriptions; NULL: unknown. The built-in one's is the
     * encoder itself. */
    const char *sentence_encoder;
} nf_pretrained;

/* Finds it for an encoder's folder; wanted: "auto" (NULL), "none" or a folder. known: what was found
 * for this folder before, so that its weights are not read again to tell them apart; or NULL. Freed
 * with nf_pretrained_free, also on failure. */
nerfit_status nf_pretrained_find(nf_pretrained *out, const char *encoder, const char *wanted,
                                 const nf_pretrained *known, const nf_log *log, nerfit_error *err);
void nf_pretrained_free(nf_pretrained *pretrained);
/* Puts its adapter on the model and merges it (and one that the model came with). *changed: whether
 * the encoder is not the one of model->folder any more. */
nerfit_status nf_pretrained_apply(const nf_pretrained *pretrained, nf_model *model, bool *changed,
                                  nerfit_error *err);

/* Zero-shot tagging: gives a loaded model, of the folder `encoder`, a classifier and decoding for
 * labels that it was never trained on. `labels`: a JSON or YAML file of descriptions, or the
 * labels' names, divided by commas; `rule`: what of them is embedded (auto: the mean).
 * sentence_encoder: a folder, or NULL for the one that belongs to it. */
nerfit_status nf_pretrained_label(nf_model *model, const char *encoder, const char *labels,
                                  nf_label_text rule, const char *sentence_encoder,
                                  const nf_log *log, nerfit_error *err);

#endif
