/* A model: encoder, tokenizer, and possibly a token-classification head, as a Hugging Face folder
 * holds them. */
#ifndef NF_MODEL_MODEL_H
#define NF_MODEL_MODEL_H

#include "base/log.h"
#include "heads/description_head.h"
#include "heads/token_classifier.h"
#include "model/architecture.h"
#include "nn/batch.h"
#include "text/shared_tokenizers.h"

typedef struct nf_adapter nf_adapter;
typedef struct nf_gliner nf_gliner;
typedef struct nf_model_kind nf_model_kind;

typedef struct nf_model {
    nf_network net;
    const nf_model_kind *kind; /* of its folder; NULL: transformers' */
    const nf_architecture *architecture;
    nf_encoder encoder;
    nf_tokenizer *tokenizer; /* NULL if the folder has none (encoding is then an error) */
    json_t *config;          /* config.json */
    nf_safetensors
        *weights; /* stays open: values may lie in its mapping. The network's shared file's,
                              * if it has one */
    nf_shared_weights
        *share; /* where such files are looked for, borrowed while it is loaded; or NULL */
    nf_shared_tokenizers *tokenizers; /* the same for its tokenizer */
    const char *folder;               /* where it was loaded from */

    /* What gives its labels, and is saved with it; NULL: bare encoder. */
    nf_head *head;
    char **labels; /* [n_labels] id2label, in the network's arena */
    size_t n_labels;
    uint32_t head_stream; /* of the dropout before such a head's last layer */
    /* A head that is trained in its place or before it, and is not saved: what it learns it folds
     * into `head`, if that is there. NULL: none */
    nf_head *learner;
    nf_decoding decoding; /* how the head's labels are decoded: nerfit.json */
    nf_gliner *gliner;    /* heads of a GLiNER model (gliner.h); NULL: another one */
    nf_adapter *adapter;  /* the adapter that was added or loaded; NULL: none */
} nf_model;

/* Folders in another form than transformers': a row of model.c's table. */
struct nf_model_kind {
    bool (*found)(const char *folder);
    /* base: of nf_model_source. */
    nerfit_status (*load)(nf_model *model, const char *folder, const char *base, const nf_log *log,
                          nerfit_error *err);
    /* Writes its files into a folder that is there; beside them stand nerfit's own. */
    nerfit_status (*save)(const nf_model *model, const char *folder, nerfit_error *err);
    /* Labels [count] for calls that name none, and the texts that describe them to the model, both
     * copied. NULL: labels are not given as texts with each call, but are the head's. */
    nerfit_status (*set_labels)(nf_model *model, const char *const *names, const char *const *texts,
                                size_t count, nerfit_error *err);
    void (*free)(nf_model *model); /* what is the kind's own; of every model */
};
/* Whether labels are given as texts with each call (kind: NULL of most models). */
static inline bool nf_model_reads_labels(const nf_model_kind *kind) {
    return kind && kind->set_labels;
}

/* Whether a tokenizer's files are there. */
bool nf_model_has_tokenizer(const char *folder);
/* NULL: transformers' form, or none. */
const nf_model_kind *nf_model_kind_of(const char *folder);

/* Loads config.json, the weights and the tokenizer. A folder of a token-classification model comes
 * with its head and labels; a PEFT adapter folder (adapter_config.json) loads its base model
 * (`base_model_name_or_path`, a path that counts from the adapter's folder if relative) and the
 * adapter. The weights are not yet prepared for products: nf_network_prepare does it, or, for use alone,
 * nf_model_prepare_use. The backend is borrowed. */
nerfit_status nf_model_load(nf_model **out, const char *folder, nf_backend *be, const nf_log *log,
                            nerfit_error *err);
/* Prepares the weights of a model that is from here on only used. */
nerfit_status nf_model_prepare_use(nf_model *model, nerfit_error *err);
/* Where a model comes from. */
typedef struct nf_model_source {
    const char *folder;
    /* of an adapter's base model, whatever the adapter calls it, or of what a GLiNER folder's encoder has
     * that it lacks (tokenizer, config.json); or NULL */
    const char *base;
    nf_shared_weights *share;         /* whose files are not loaded again; or NULL */
    nf_shared_tokenizers *tokenizers; /* nor are these; or NULL */
} nf_model_source;
nerfit_status nf_model_load_from(nf_model **out, const nf_model_source *source, nf_backend *be,
                                 const nf_log *log, nerfit_error *err);
/* The folder's weights (or a file's), for a kind's load. */
nerfit_status nf_model_open_weights(nf_model *model, const char *path, const nf_log *log,
                                    nerfit_error *err);
/* A folder's tokenizer, perhaps one that other models have, too: it must not be changed. */
nerfit_status nf_model_load_tokenizer(const nf_model *model, nf_tokenizer **out, const char *folder,
                                      nerfit_error *err);
void nf_model_free(nf_model *model);

/* Tokens of the longest text it can take, special ones included. */
size_t nf_model_max_length(const nf_model *model);

/* A classifier of n_labels without values and without names, where there is no head. */
nerfit_status nf_model_new_classifier(nf_model *model, size_t n_labels, nerfit_error *err);
/* Puts a new head on: weights Normal(0, initializer_range^2), bias 0 (transformers' rule). `labels`
 * [n_labels] are copied. A head that is there is removed first. */
nerfit_status nf_model_add_classifier(nf_model *model, const char *const *labels, size_t n_labels,
                                      uint64_t seed, nerfit_error *err);
/* Gives the classifier's labels [n_labels] other names, which are copied. */
nerfit_status nf_model_name_labels(nf_model *model, const char *const *labels, size_t n_labels,
                                   nerfit_error *err);
void nf_model_remove_classifier(nf_model *model);

/* ---- learners; one that is there is removed first */

/* The original's stage 1: contrastive_head.h. */
nerfit_status nf_model_add_projection(nf_model *model, size_t size, uint64_t seed,
                                      nerfit_error *err);
/* The recipe nerfit's head without types (description_head.h). */
nerfit_status nf_model_add_description_head(nf_model *model, size_t size, bool identity,
                                            uint64_t seed, nerfit_error *err);
/* Gives it types with their descriptions' vectors [n_types, size] (ignored if size is 0), and the
 * model a classifier of labels [2 n_types + 1] that is not trained but receives what the head folds
 * into. */
nerfit_status nf_model_add_types(nf_model *model, const char *const *labels, size_t n_types,
                                 const float *vectors, uint64_t seed, nerfit_error *err);
/* Brings the model's head and decoding up to date with the learner, if there is one and it folds;
 * the decoding's least probability and kind of words stay. */
nerfit_status nf_model_fold(nf_model *model, nerfit_error *err);
/* The head stays, as it was folded last. */
void nf_model_remove_learner(nf_model *model);

/* Marks all encoder parameters as trained (full fine-tuning), or none. */
void nf_model_train_encoder(nf_model *model, bool trained);

/* logits [N, n_labels] of a batch, from the last hidden state; [n_rows, n_labels] of a pass with
 * rows. */
nerfit_status nf_model_logits(const nf_model *model, const nf_pass *pass, nf_values **logits);

/* Writes the folder as transformers does: config.json (with labels, if there is a head),
 * model.safetensors (f32), the tokenizer's files; and nerfit.json, if it is decoded our way. A
 * learner is not written: fold it first. Adapters must have been merged. */
nerfit_status nf_model_save(const nf_model *model, const char *folder, nerfit_error *err);

#endif
