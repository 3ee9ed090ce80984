/* What is used of Open MPI's library; its handles are pointers. */
#ifndef NF_TRAIN_COMM_MPI_CALLS_H
#define NF_TRAIN_COMM_MPI_CALLS_H

#include "base/error.h"

typedef struct mpi_calls {
    int (*Init_thread)(int *argc, char ***argv, int required, int *provided);
    int (*Initialized)(int *is);
    int (*Finalized)(int *is);
    int (*Finalize)(void);
    int (*Abort)(void *comm, int code);
    int (*Comm_rank)(void *comm, int *rank);
    int (*Comm_size)(void *comm, int *size);
    int (*Comm_dup)(void *comm, void **copy);
    int (*Comm_free)(void **comm);
    int (*Isend)(const void *values, int n, void *type, int to, int tag, void *comm,
                 void **request);
    int (*Irecv)(void *values, int n, void *type, int from, int tag, void *comm, void **request);
    int (*Testall)(int n, void **requests, int *flag, void *statuses);
    int (*Waitall)(int n, void **requests, void *statuses);
    int (*Allgather)(const void *send, int n, void *type, void *receive, int m, void *received,
                     void *comm);
    int (*Allgatherv)(const void *send, int n, void *type, void *receive, const int *counts,
                      const int *places, void *received, void *comm);
    int (*Ibarrier)(void *comm, void **request);
    int (*Test)(void **request, int *flag, void *status);
    void *world, *byte_type, *double_type, *int32_type;
} mpi_calls;

/* MPI's own handling of errors ends the job with its message; this is for builds that return. */
static inline nerfit_status nf_mpi_check(int code, const char *what, nerfit_error *err) {
    return code == 0 ? NERFIT_OK
                     : nf_fail(err, NERFIT_IO, "MPI: %s failed with error %d", what, code);
}

#endif
