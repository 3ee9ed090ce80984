/* Making a GLiNER folder of an encoder: the encoder's weights, and on them a new head. */
#ifndef NF_MODEL_GLINER_MAKE_H
#define NF_MODEL_GLINER_MAKE_H

#include "model/gliner.h"

/* What a description head knows (heads/description_head.h), for a head of words to begin with. */
typedef struct nf_gliner_described {
    const float *projection;  /* P [C, C] */
    const float *shared;      /* [3, C] o, u_B, u_I */
    const float *shared_bias; /* [3] */
    double norm; /* of what the labels' encoder makes of a label: the head knows unit vectors */
} nf_gliner_described;

typedef struct nf_gliner_plan {
    const nf_model *text; /* an encoder with its tokenizer; what else it has is left out */
    const nf_model
        *labels; /* the labels' own encoder; NULL: labels are read in the text's prompt */
    const char *text_name, *labels_name; /* what gliner_config.json calls them */
    const char *span_mode;               /* "markerV0", "marker", "markerV1", "token_level" */
    size_t size, max_width;              /* D, K */
    const nf_gliner_described
        *described; /* NULL: all of the head is drawn; else token_level, a labels'
                                           * encoder and D = C for both */
    uint64_t seed;
} nf_gliner_plan;

/* Writes gliner_config.json, model.safetensors and the tokenizers' files into a folder that is there, as
 * the package writes them. Layers begin as torch's do: uniform in +-1/sqrt(in); the two tokens of a prompt
 * at the mean of all. */
nerfit_status nf_gliner_make(const nf_gliner_plan *plan, const char *folder, const nf_log *log,
                             nerfit_error *err);
/* The mean length of what a model's last hidden states have for these texts [n] in the mean of a text's. */
nerfit_status nf_gliner_label_norm(nf_model *labels, const char *const *texts, size_t n,
                                   double *norm, nerfit_error *err);

#endif
