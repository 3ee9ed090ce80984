/* Workspace: the memory of one step. A bump allocator over the backend's memory: what forward keeps
 * for backward is taken from it, and everything is released at once at the step's end. After the
 * first steps it is one block of the largest size seen, so that a step allocates nothing. */
#ifndef NF_TENSOR_WORKSPACE_H
#define NF_TENSOR_WORKSPACE_H

#include "tensor/backend.h"

typedef struct nf_workspace nf_workspace;

nerfit_status nf_workspace_new(nf_workspace **out, nf_backend *be, nerfit_error *err);
void nf_workspace_free(nf_workspace *ws);
/* Gives everything back (and joins the blocks into one). */
void nf_workspace_reset(nf_workspace *ws);
/* n reals, not zeroed; NULL when out of memory, and then nf_workspace_failed stays true until the
 * reset, so that a chain of allocations needs one check. */
nf_values *nf_workspace_reals(nf_workspace *ws, size_t n);
/* Copies n ints in. */
const int32_t *nf_workspace_ints(nf_workspace *ws, const int32_t *values, size_t n);
bool nf_workspace_failed(const nf_workspace *ws);
/* The same as an error that says how much was asked for. */
nerfit_status nf_workspace_check(const nf_workspace *ws, nerfit_error *err);
/* What failed in a thread's workspace has failed in that of the pass that it worked for. */
void nf_workspace_blame(nf_workspace *ws, const nf_workspace *of);
/* A place to return to: what was taken after the mark is given back. */
typedef struct nf_workspace_mark {
    void *block;
    size_t used;
} nf_workspace_mark;
nf_workspace_mark nf_workspace_here(const nf_workspace *ws);
void nf_workspace_return(nf_workspace *ws, nf_workspace_mark mark);

#endif
