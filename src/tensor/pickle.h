/* The part of Python's pickle format that torch.save writes tensors in, and nothing else. A pickle is a
 * program for a small machine that may call anything in Python; here it may name a closed set of
 * things (OrderedDict, torch's storages, the functions that make a tensor of one), none of which is
 * called: they become the values below. Whatever else it asks for is an error that names it.
 * What is taken is what torch.load(weights_only=True) takes of files of tensors. */
#ifndef NF_TENSOR_PICKLE_H
#define NF_TENSOR_PICKLE_H

#include "base/arena.h"
#include "tensor/stored.h"

typedef enum nf_pickle_kind {
    NF_PICKLE_NONE,
    NF_PICKLE_BOOL,
    NF_PICKLE_INT,
    NF_PICKLE_FLOAT, /* its value is not kept */
    NF_PICKLE_TEXT,
    NF_PICKLE_TUPLE, /* and lists: `items` */
    NF_PICKLE_DICT,  /* `items`: key, value, key, value, ... */
    NF_PICKLE_GLOBAL,
    NF_PICKLE_STORAGE,
    NF_PICKLE_TENSOR,
} nf_pickle_kind;

/* The globals that a pickle may name. */
typedef enum nf_pickle_global {
    NF_PICKLE_ORDERED_DICT,
    NF_PICKLE_REBUILD_TENSOR,
    NF_PICKLE_REBUILD_TENSOR_V2,
    NF_PICKLE_REBUILD_PARAMETER,
    NF_PICKLE_STORAGE_TYPE, /* `type` says which */
} nf_pickle_global;

typedef struct nf_pickle_value {
    nf_pickle_kind kind;
    int64_t integer;  /* of BOOL and INT; STORAGE: its elements */
    const char *text; /* of TEXT; STORAGE: its key */
    nf_pickle_global global;
    nf_stored_type type; /* of a storage, and of its type */
    struct nf_pickle_item *items, *last;
    size_t n_items;
    /* TENSOR: `storage` from element `offset` on, `n_dims` of `dims` and `strides` */
    const struct nf_pickle_value *storage;
    const struct nf_pickle_value *next_storage; /* STORAGE: another one of the pickle */
    int64_t offset;
    int n_dims;
    int64_t dims[NF_STORED_MAX_DIMS], strides[NF_STORED_MAX_DIMS];
} nf_pickle_value;

typedef struct nf_pickle_item {
    nf_pickle_value *value;
    struct nf_pickle_item *next;
} nf_pickle_item;

typedef struct nf_pickle {
    const nf_pickle_value *value;
    const nf_pickle_value *storages; /* all that it names, by next_storage */
    size_t length;                   /* bytes */
} nf_pickle;

/* Reads one pickle from `size` bytes at `data`. Values are in the arena. `path` is for messages. */
nerfit_status nf_pickle_read(nf_pickle *out, const char *data, size_t size, nf_arena *arena,
                             const char *path, nerfit_error *err);
/* The value of a dict's text key; NULL: there is none. */
const nf_pickle_value *nf_pickle_get(const nf_pickle_value *dict, const char *key);

#endif
