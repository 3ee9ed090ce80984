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

typedef struct nf_profile {
    nf_backend be;     /* use this one; must not be freed */
    nf_backend *inner; /* borrowed */
    double seconds[NF_OPERATIONS];
} nf_profile;

void nf_profile_init(nf_profile *profile, nf_backend *inner);
const char *nf_operation_name(nf_operation operation);

#endif
