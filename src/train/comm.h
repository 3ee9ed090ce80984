/* Communicators: what the ranks of a data-parallel training say to each other. Each rank has a model
 * of its own with equal values, and takes its part of every batch; what is divided by a count is
 * divided by that of all ranks, and gradients are added up before the update, so that all make the
 * same one: a training with R ranks is that of one process with batches R times as large.
 *
 *     NULL               one process
 *     nf_comm_threads    threads of a process, each of them a rank
 *     nf_comm_mpi        processes of an MPI job (comm_mpi.h)
 *
 * Another way to talk is another constructor that fills the table. Collective calls are made
 * by all ranks in the same order. A rank that fails says so by `leave`: the others' calls then fail
 * with NERFIT_CANCELLED instead of waiting for it. Inside a rank, a team (model/team.h) may divide
 * its texts further. */
#ifndef NF_TRAIN_COMM_H
#define NF_TRAIN_COMM_H

#include "tensor/backend.h"

typedef struct nf_comm nf_comm;

struct nf_comm {
    size_t rank, size;
    bool bf16; /* sums may travel rounded to bfloat16 */
    /* y [n] becomes the sum over all ranks, taken in their order: the same bits everywhere. It may
     * take until finish_sums, so that ranks compute meanwhile: y is left alone until then. */
    nerfit_status (*begin_sum)(nf_comm *comm, nf_backend *be, nf_values *y, size_t n,
                               nerfit_error *err);
    nerfit_status (*finish_sums)(nf_comm *comm, nerfit_error *err);
    /* Numbers on the host: rank r's values [n] are all [r * n ..] on every rank. */
    nerfit_status (*all_gather)(nf_comm *comm, const double *values, size_t n, double *all,
                                nerfit_error *err);
    /* The union of all ranks' rows, ascending; *out is freed by the caller. */
    nerfit_status (*gather_rows)(nf_comm *comm, const int32_t *rows, size_t n, int32_t **out,
                                 size_t *n_out, nerfit_error *err);
    void (*leave)(nf_comm *comm);
};

static inline size_t nf_comm_size(const nf_comm *comm) {
    return comm ? comm->size : 1;
}

static inline size_t nf_comm_rank(const nf_comm *comm) {
    return comm ? comm->rank : 0;
}

/* Sorts the rows of all ranks [n] and leaves each once; how many. */
size_t nf_comm_rows_union(int32_t *rows, size_t n);

/* `size` communicators out [size], one for each thread. */
nerfit_status nf_comm_threads(nf_comm **out, size_t size, nerfit_error *err);
/* All of them at once, when no thread uses one any more. */
void nf_comm_threads_free(nf_comm **comms, size_t size);

#endif
