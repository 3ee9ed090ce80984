/* A backend that measures another: the same table, with the time of each kind of operation added
 * up. For one thread's handle (fork_alone), whose operations do not overlap. */
#ifndef NF_TENSOR_PROFILE_H
#define NF_TENSOR_PROFILE_H

#include "tensor/backend.h"

typedef enum nf_operation {
    NF_OPERATION_PRODUCT, /* with weights, and their gradients */
    NF_OPERATION_ADAPTER, /* thin products, DoRA's norms, sparse products */
    NF_OPERATION_ATTENTION,
    NF_OPERATION_NORM,
    NF_OPERATION_ACTIVATION,
    NF_OPERATION_DROPOUT,
    NF_OPERATION_EMBEDDING,
    NF_OPERATION_OPTIMIZER, /* update, norm of the gradients, weights prepared again */
    NF_OPERATION_LOSS,
    NF_OPERATION_OTHER, /* sums, copies, zeroing */
    NF_OPERATIONS
} nf_operation;

/* NF_CALL_axpy, ...: one for each operation. */
typedef enum nf_call {
#define NF_OPERATION(result, name, ...) NF_CALL_##name,
#define NF_ANSWER(result, name, ...) NF_CALL_##name,
#define NF_SHORTCUT(result, name, ...) NF_CALL_##name,
#include "tensor/operations.h"
    NF_CALLS
} nf_call;

typedef struct nf_profile {
    nf_backend be;     /* use this one; must not be freed */
    nf_backend *inner; /* borrowed */
    double seconds[NF_OPERATIONS];
    size_t calls[NF_CALLS];
    size_t waits; /* calls whose results the host gets (NF_ANSWER in operations.h) */
} nf_profile;

void nf_profile_init(nf_profile *profile, nf_backend *inner);
const char *nf_operation_name(nf_operation operation);

#endif
