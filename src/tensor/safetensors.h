/* safetensors files: read by mapping, written atomically.
 * Format: 8 bytes little-endian header size, JSON header {name: {dtype, shape, data_offsets}},
 * then the data. Every number is checked before use. */
#ifndef NF_TENSOR_SAFETENSORS_H
#define NF_TENSOR_SAFETENSORS_H

#include "tensor/stored.h"

enum { NF_SAFETENSORS_MAX_HEADER = 100000000 };

/* One file, or the shards of an index, as one set of tensors. */
typedef struct nf_safetensors nf_safetensors;

/* `path`: a .safetensors file, a file of torch.save (torch_file.h), an index (*.index.json) of parts of
 * either, or a folder that holds model.safetensors, model.safetensors.index.json, pytorch_model.bin or
 * pytorch_model.bin.index.json: the first of these. A tensor of a type that is not in
 * nf_stored_type (F8_E4M3, U32, ...) makes the whole file NERFIT_UNSUPPORTED: a model with a part
 * that cannot be read is of no use. Shards are taken in the order of their names. */
nerfit_status nf_safetensors_open(nf_safetensors **out, const char *path, nerfit_error *err);
/* A file's contents that are in memory, which must outlive the set; `name` stands for it. */
nerfit_status nf_safetensors_open_memory(nf_safetensors **out, const void *data, size_t size,
                                         const char *name, nerfit_error *err);
void nf_safetensors_close(nf_safetensors *file);
/* After values were used: an error if a file lost some of them meanwhile (nf_file_check); NULL is fine. */
nerfit_status nf_safetensors_check(const nf_safetensors *file, nerfit_error *err);
/* Whether both are of files that hold the same (nf_file_same). */
bool nf_safetensors_same(const nf_safetensors *a, const nf_safetensors *b);
/* After the values were packed elsewhere: gives the mappings' pages back (nf_file_forget). */
void nf_safetensors_forget(const nf_safetensors *file);
size_t nf_safetensors_count(const nf_safetensors *file);
/* In the order of the files' data. */
const nf_stored *nf_safetensors_at(const nf_safetensors *file, size_t index);
/* NULL if there is none of that name. */
const nf_stored *nf_safetensors_find(const nf_safetensors *file, const char *name);
/* The value of a "__metadata__" key of the (first) file, or NULL. */
const char *nf_safetensors_metadata(const nf_safetensors *file, const char *key);
/* What was done to the names of a file of torch.save, for a message; NULL: nothing. */
const char *nf_safetensors_note(const nf_safetensors *file);
/* For messages: the path given to open. */
const char *nf_safetensors_path(const nf_safetensors *file);

/* A tensor to be written; `data` [product of dims] of `type`, native byte order. */
typedef struct nf_to_store {
    const char *name;
    nf_stored_type type;
    int n_dims;
    int64_t dims[NF_STORED_MAX_DIMS];
    const void *data;
    /* With data NULL: called when the tensor's turn comes, to put its values into `out`, a buffer
     * that all tensors share: so that saving takes the memory of the largest tensor, not of all. */
    void (*fill)(const void *user, void *out);
    const void *fill_user;
} nf_to_store;

/* metadata: NULL-terminated pairs {key, value, key, value, NULL}, or NULL. The file is, byte for
 * byte, what the Python package writes (data by alignment, then name, so that readers map it
 * aligned). Atomic; a name given twice, one that is not UTF-8, or a negative or too large dimension
 * is NERFIT_ARGUMENT. */
nerfit_status nf_safetensors_save(const char *path, const nf_to_store *tensors, size_t count,
                                  const char *const *metadata, nerfit_error *err);

#endif
