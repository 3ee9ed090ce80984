/* Sums over the ranks of an MPI job that are under way while the ranks compute. Of n values each
 * rank adds up a part: it receives that part of all others, adds them in the ranks' order, and sends
 * the sum to all. So the bits are the same on every rank and in every run, and a rank sends
 * 2 n (R-1)/R values, in two rounds however many ranks there are.
 *
 * Messages move while a rank is in MPI: where a sum begins, the earlier ones go on. With `bf16`
 * values travel rounded to bfloat16; the adding is in the backend's reals. */
#ifndef NF_TRAIN_COMM_MPI_SUMS_H
#define NF_TRAIN_COMM_MPI_SUMS_H

#include "tensor/backend.h"
#include "train/comm_mpi_calls.h"

typedef struct nf_mpi_sums nf_mpi_sums;

/* `comm`: MPI's, whose messages are the sums' alone; both borrowed. NULL when out of memory. */
nf_mpi_sums *nf_mpi_sums_new(const mpi_calls *mpi, void *comm, size_t rank, size_t size);
void nf_mpi_sums_free(nf_mpi_sums *sums);

/* y [n] becomes its sum over all ranks; nobody touches it before nf_mpi_sums_finish. All ranks begin
 * the same sums in the same order. */
nerfit_status nf_mpi_sums_begin(nf_mpi_sums *sums, nf_backend *be, nf_values *y, size_t n,
                                bool bf16, nerfit_error *err);
/* All that began are done. */
nerfit_status nf_mpi_sums_finish(nf_mpi_sums *sums, nerfit_error *err);

#endif
