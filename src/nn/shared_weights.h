/* Weights that several models of a process hold in common: a file that is opened again, as the base of
 * another adapter, say, is mapped once, what has to be converted is converted once, and a weight is
 * prepared for products once. A file and all that was made of it goes when no network uses it any
 * more. Which values are a file's own is told by where they lie: a weight that an adapter was merged
 * into, or a head of another folder, is its model's.
 *
 * Safe from several threads. */
#ifndef NF_NN_SHARED_WEIGHTS_H
#define NF_NN_SHARED_WEIGHTS_H

#include "tensor/backend.h"
#include "tensor/safetensors.h"

typedef struct nf_shared_weights nf_shared_weights;
/* A file that a network uses. */
typedef struct nf_shared_file nf_shared_file;

/* The backend's own handle is not kept, but a fork of it: weights are for handles that were forked from
 * the same one. */
nerfit_status nf_shared_weights_new(nf_shared_weights **out, nf_backend *be, nerfit_error *err);
nf_shared_weights *nf_shared_weights_hold(nf_shared_weights *shared);
/* The last one frees it; NULL is fine. */
void nf_shared_weights_drop(nf_shared_weights *shared);
/* A fork of its backend for one more model. */
nerfit_status nf_shared_weights_backend(nf_shared_weights *shared, nf_backend **out,
                                        nerfit_error *err);

/* nf_safetensors_open; a file that is open already, or one of the same bytes, is shared. */
nerfit_status nf_shared_weights_open(nf_shared_weights *shared, nf_shared_file **out,
                                     const char *path, nerfit_error *err);
/* NULL is fine. */
void nf_shared_file_drop(nf_shared_file *file);
nf_safetensors *nf_shared_file_tensors(const nf_shared_file *file);
/* The tensor's values as the backend has them: in the mapping, or converted. They are never written. */
nerfit_status nf_shared_file_values(nf_shared_file *file, const nf_stored *stored,
                                    const nf_values **out, nerfit_error *err);
/* The prepared form of values that nf_shared_file_values gave; NULL: they are not of this file. */
nerfit_status nf_shared_file_weight(nf_shared_file *file, const nf_values *values,
                                    const nf_weight_plan *plan, nf_weight **out, nerfit_error *err);

#endif
