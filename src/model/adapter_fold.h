/* Parts of an adapter's file that are not matrices of a linear layer: they are added to what they stand on,
 * which goes with the adapter as a whole from then on. PEFT 0.21's forms:
 *   lora_embedding_A, _B                    E += s (B A)^T of a table of embeddings
 *   token_adapter.trainable_tokens_delta    rows of such a table, in the order of trainable_token_indices; in
 *                                           spite of the name they replace the base's
 *   lora_B.bias (lora_bias)                 the layer's bias += s b */
#ifndef NF_MODEL_ADAPTER_FOLD_H
#define NF_MODEL_ADAPTER_FOLD_H

#include "model/adapter_config.h"
#include "model/model.h"

#define NF_PEFT_PREFIX "base_model.model."

/* An adapter's files, while they are read. */
typedef struct nf_adapter_loading {
    nf_model *model;
    const nf_safetensors *file;
    const json_t *json; /* adapter_config.json's content */
    const char *where;  /* the file */
    const char *config; /* adapter_config.json */
    const char *folder; /* NULL: in memory */
    const char *prefix; /* of the architecture, if the file's names have it; else "" */
    const nf_adapter_config *options; /* json, read */
    bool *folded; /* the adapter's mark that a part was added to what it stood on */
    bool *filled; /* [n_parameters] by index: the file has it */
    const nf_log *log;
    nerfit_error *err;
} nf_adapter_loading;

/* A stored name without PEFT's prefix, the architecture's, and what PEFT puts around a layer that it
 * has adapted; false: it has no such prefix. */
bool nf_adapter_own_name(const nf_adapter_loading *in, const char *stored, char name[512]);
/* Whether a tensor of that name is one of those above. */
bool nf_adapter_is_folded(const char *name);
/* Adds them, behind everything else of the file. */
nerfit_status nf_adapter_fold(const nf_adapter_loading *in);

#endif
