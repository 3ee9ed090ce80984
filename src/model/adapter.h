/* Adapters in PEFT's terms: which linear layers get LoRA, rsLoRA or DoRA matrices, and which
 * modules are trained and saved beside them; folders as PEFT writes and reads them
 * (adapter_config.json, adapter_model.safetensors; names as of PEFT 0.12 and later). */
#ifndef NF_MODEL_ADAPTER_H
#define NF_MODEL_ADAPTER_H

#include "model/adapter_config.h"
#include "model/model.h"

struct nf_adapter {
    nf_adapter_config config; /* strings in the network's arena */
    size_t n_adapted;         /* linear layers */
    /* a part of it (on embeddings, on the head) was added to what it stood on, which goes with the
     * adapter as a whole from then on */
    bool folded;
};

/* Adds fresh adapters; freezes everything else but modules_to_save and the heads. A target or module
 * that names nothing is an error (for a target it lists the names there are). */
nerfit_status nf_adapter_add(nf_model *model, const nf_adapter_config *config, uint64_t seed,
                             nerfit_error *err);
/* Whether a folder holds an adapter. */
bool nf_adapter_folder(const char *folder);
/* Loads a folder's adapter onto a base model. A classifier that it brings replaces the model's; its
 * labels are those of the folder's config.json (which nerfit writes beside PEFT's files), else the
 * base's if it has as many, else LABEL_0..., which the log is told. What the configuration calls for
 * and the file lacks, or the other way round, is an error, but for parts that nothing here uses
 * (the pooler). */
nerfit_status nf_adapter_load(nf_model *model, const char *folder, const nf_log *log,
                              nerfit_error *err);
/* The same from contents that are in memory, for a bare encoder; `name` stands for them. */
nerfit_status nf_adapter_load_memory(nf_model *model, const char *config, size_t config_size,
                                     const void *weights, size_t weights_size, const char *name,
                                     nerfit_error *err);
/* Writes adapter_config.json and adapter_model.safetensors (f32), and for the labels config.json
 * and the tokenizer's files. */
nerfit_status nf_adapter_save(const nf_model *model, const char *folder, nerfit_error *err);
/* Adds all adapters into the base weights. */
nerfit_status nf_adapter_merge(nf_model *model, nerfit_error *err);
/* Makes them ready to stay beside their weights, for tagging alone; those of weights that are the
 * model's own are added. */
nerfit_status nf_adapter_settle(nf_model *model, nerfit_error *err);
/* "base_model_name_or_path" of a folder's adapter_config.json, as a path (relative ones counted
 * from the folder), in `arena`. */
nerfit_status nf_adapter_base(char **out, nf_arena *arena, const char *folder, nerfit_error *err);

#endif
