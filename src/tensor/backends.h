/* The backends that there are: a row here, and a function that makes one. */
#ifndef NF_TENSOR_BACKENDS_H
#define NF_TENSOR_BACKENDS_H

#include "tensor/backend.h"

/* name, what it is in a few words. "auto" takes the first one that this machine can run. */
#define NF_BACKENDS(X)                                                                             \
    X(cpu, "the fast one")                                                                         \
    X(ref, "plain C, to compare with")

/* "auto|cpu|ref": for tables of options */
#define NF_BACKEND_CHOICE(name, description) "|" #name
#define NF_BACKEND_CHOICES "auto" NF_BACKENDS(NF_BACKEND_CHOICE)
#define NF_BACKEND_ROW(name, description) "; " #name ": " description
#define NF_BACKEND_HELP "auto: the first that this machine can run" NF_BACKENDS(NF_BACKEND_ROW)
/* nf_precision in its order */
#define NF_PRECISION_CHOICES "auto|f32|bf16|int8"
#define NF_PRECISION_CHOICES_TRAINING "auto|f32|bf16"

typedef struct nf_backend_options {
    nf_precision precision; /* AUTO: the fastest that loses nothing that shows */
    int threads;            /* 0: all cores */
} nf_backend_options;

typedef struct nf_backend_kind {
    const char *name, *description;
    /* Whether this machine can run it. */
    bool (*probe)(void);
    nerfit_status (*create)(nf_backend **out, const nf_backend_options *options, nerfit_error *err);
} nf_backend_kind;

/* The index-th, in the order of NF_BACKENDS; NULL past the last. */
const nf_backend_kind *nf_backend_kind_at(size_t index);
/* Makes the one of that name ("auto" or NULL: the first that the machine can run); *out is NULL on
 * failure. */
nerfit_status nf_backend_create(nf_backend **out, const char *name,
                                const nf_backend_options *options, nerfit_error *err);
/* "auto", "f32", "bf16", "int8"; false: none of them. */
bool nf_precision_find(const char *name, nf_precision *out);
const char *nf_precision_name(nf_precision precision);

#endif
