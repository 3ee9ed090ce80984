/* A tensor as it lies in a file, whatever the file's format: its type, shape and bytes. */
#ifndef NF_TENSOR_STORED_H
#define NF_TENSOR_STORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

typedef enum nf_stored_type {
    NF_STORED_F64,
    NF_STORED_F32,
    NF_STORED_F16,
    NF_STORED_BF16,
    NF_STORED_I64,
    NF_STORED_I32,
    NF_STORED_I16,
    NF_STORED_I8,
    NF_STORED_U8,
    NF_STORED_BOOL,
} nf_stored_type;

enum { NF_STORED_MAX_DIMS = 8 };

/* A bfloat16 is the upper half of a float. */
static inline float nf_bf16_to_f32(uint16_t value) {
    uint32_t bits = (uint32_t)value << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* "F32", ...: as the format spells it. */
const char *nf_stored_type_name(nf_stored_type type);
/* Bytes of an element. */
size_t nf_stored_type_size(nf_stored_type type);
/* False if the name is not one of ours. */
bool nf_stored_type_find(const char *name, nf_stored_type *type);

typedef struct nf_stored {
    const char *name;
    nf_stored_type type;
    int n_dims;
    int64_t dims[NF_STORED_MAX_DIMS];
    size_t count;     /* elements */
    const void *data; /* in the mapping; NOT necessarily aligned to the type */
    size_t size;      /* bytes */
} nf_stored;

/* Converts any floating type to float / double; out [count]. An integer type is an error. */
nerfit_status nf_stored_to_f32(const nf_stored *tensor, float *out, nerfit_error *err);
nerfit_status nf_stored_to_f64(const nf_stored *tensor, double *out, nerfit_error *err);

#endif
