/* Ranks that are processes of a job which Open MPI's mpirun started, on one machine or many.
 *
 * The library is opened when it is asked for (libmpi.so.40: Open MPI 4 and 5), so that nerfit neither
 * needs it nor its headers.
 *
 * A rank that fails ends the job (MPI_Abort) when its communicator is freed, after its message was
 * told; of a rank that is killed mpirun tells, and ends the others. */
#ifndef NF_TRAIN_COMM_MPI_H
#define NF_TRAIN_COMM_MPI_H

#include "train/comm.h"

/* Joins the job; once in a process, unless the process has initialised MPI itself (mpi4py): it then
 * stays in the job, and may be joined again. */
nerfit_status nf_comm_mpi(nf_comm **out, nerfit_error *err);
/* The rank has done what it had to do: its end is no failure. */
void nf_comm_mpi_done(nf_comm *comm);
/* Waits for the others, and leaves the job that it joined; ends the whole job unless the rank is done.
 * NULL is fine. */
void nf_comm_mpi_free(nf_comm *comm);

#endif
