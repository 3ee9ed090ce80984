/* Parameters as tensors of a file to be written. */
#ifndef NF_NN_STORE_H
#define NF_NN_STORE_H

#include "nn/network.h"

/* Describes a parameter for nf_safetensors_save as `prefix` + its name; the values are read
 * when it is written. */
nerfit_status nf_store_parameter(nf_to_store *out, nf_arena *arena, const nf_network *net,
                                 const nf_parameter *p, const char *prefix, nerfit_error *err);
/* The same under another name of its own. */
nerfit_status nf_store_parameter_as(nf_to_store *out, nf_arena *arena, const nf_network *net,
                                    const nf_parameter *p, const char *prefix, const char *own,
                                    nerfit_error *err);
#endif
