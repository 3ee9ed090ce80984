/* Adapters in PEFT's terms: which linear layers get LoRA, rsLoRA or DoRA matrices, and which
 * modules are trained and saved beside them; folders as PEFT writes and reads them
 * (adapter_config.json, adapter_model.safetensors; names as of PEFT 0.12 and later). */
#ifndef NF_MODEL_ADAPTER_H
#define NF_MODEL_ADAPTER_H

#include "model/model.h"

typedef struct nf_adapter_config {
    size_t r;
    double lora_alpha;
    double lora_dropout;
    bool use_dora;
    bool use_rslora;
    bool inference_mode;
    /* Names of modules: a layer is adapted if its name is one of these or ends in "." + one
     * (PEFT's rule). "all-linear" alone: every linear layer but the head. NULL: the architecture's
     * default. */
    char **target_modules;
    size_t n_target_modules;
    /* Trained in full and saved with the adapter ("classifier" always is, with a head). */
    char **modules_to_save;
    size_t n_modules_to_save;
} nf_adapter_config;

struct nf_adapter {
    nf_adapter_config config; /* strings in the network's arena */
    size_t n_adapted;         /* linear layers */
};

/* Adds fresh adapters; freezes everything else but modules_to_save and the heads. A target that
 * names no layer is an error that lists the names there are. */
nerfit_status nf_adapter_add(nf_model *model, const nf_adapter_config *config, uint64_t seed,
                             nerfit_error *err);
/* Whether a folder holds an adapter. */
bool nf_adapter_folder(const char *folder);
/* Loads a folder's adapter onto a base model. With labels in its classifier, the model must have a
 * head of that size, or gets one with the labels LABEL_0... unless the folder's config.json (which
 * we write beside PEFT's files) has id2label. */
nerfit_status nf_adapter_load(nf_model *model, const char *folder, nerfit_error *err);
/* The same from contents that are in memory, for a bare encoder; `name` stands for them. */
nerfit_status nf_adapter_load_memory(nf_model *model, const char *config, size_t config_size,
                                     const void *weights, size_t weights_size, const char *name,
                                     nerfit_error *err);
/* Writes adapter_config.json and adapter_model.safetensors (f32), and for the labels config.json
 * and the tokenizer's files. */
nerfit_status nf_adapter_save(const nf_model *model, const char *folder, nerfit_error *err);
/* Adds all adapters into the base weights. */
nerfit_status nf_adapter_merge(nf_model *model, nerfit_error *err);
/* "base_model_name_or_path" of a folder's adapter_config.json, as a path (relative ones counted
 * from the folder), in `arena`. */
nerfit_status nf_adapter_base(char **out, nf_arena *arena, const char *folder, nerfit_error *err);

#endif
