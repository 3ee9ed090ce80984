/* Pre-trained adapters that come with nerfit, inside the library: the folders of adapters/, each an
 * adapter in PEFT's format and a description head (description_file.h) for one encoder, which is
 * known by a checksum of its weights. Not all of them are read for it, since most of a multilingual encoder
 * is a table of which a run needs a few rows: of each tensor the name, the size, and blocks from its first
 * to its last bytes. Whatever trains a tensor changes these; an encoder in which nothing but a few rows of
 * the table are other ones is taken for the same. */
#ifndef NF_MODEL_BUILTIN_H
#define NF_MODEL_BUILTIN_H

#include "model/model.h"

typedef struct nf_builtin nf_builtin;

/* The one for the weights of an encoder's folder; NULL if there is none. */
const nf_builtin *nf_builtin_find(const char *encoder);
const char *nf_builtin_name(const nf_builtin *builtin);
/* Puts its adapter on the model (nf_adapter_load). */
nerfit_status nf_builtin_adapter(const nf_builtin *builtin, nf_model *model, nerfit_error *err);
/* Opens its description head. */
nerfit_status nf_builtin_head(const nf_builtin *builtin, nf_safetensors **out, nerfit_error *err);
/* The checksum that tells encoders apart. */
uint64_t nf_builtin_checksum(const nf_safetensors *weights);

#endif
