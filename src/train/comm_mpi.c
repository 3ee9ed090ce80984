/* Values lie in the backend's memory, so they go through a buffer of the host's, a part at a time. */
#include "train/comm_mpi.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/library.h"

enum { PART = 1 << 18 };
enum { MPI_THREAD_FUNNELED = 1 };
#define IN_PLACE ((void *)1) /* as mpi.h of Open MPI has it */

/* What is used of the library; handles are pointers there. */
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
    int (*Allreduce)(const void *send, void *receive, int n, void *type, void *op, void *comm);
    int (*Allgather)(const void *send, int n, void *type, void *receive, int m, void *received,
                     void *comm);
    int (*Allgatherv)(const void *send, int n, void *type, void *receive, const int *counts,
                      const int *places, void *received, void *comm);
    int (*Ibarrier)(void *comm, void **request);
    int (*Test)(void **request, int *flag, void *status);
    void *world, *float_type, *double_type, *int32_type, *sum;
} mpi_calls;

static const nf_symbol symbols[] = {
    {"MPI_Init_thread", offsetof(mpi_calls, Init_thread)},
    {"MPI_Initialized", offsetof(mpi_calls, Initialized)},
    {"MPI_Finalized", offsetof(mpi_calls, Finalized)},
    {"MPI_Finalize", offsetof(mpi_calls, Finalize)},
    {"MPI_Abort", offsetof(mpi_calls, Abort)},
    {"MPI_Comm_rank", offsetof(mpi_calls, Comm_rank)},
    {"MPI_Comm_size", offsetof(mpi_calls, Comm_size)},
    {"MPI_Comm_dup", offsetof(mpi_calls, Comm_dup)},
    {"MPI_Comm_free", offsetof(mpi_calls, Comm_free)},
    {"MPI_Allreduce", offsetof(mpi_calls, Allreduce)},
    {"MPI_Allgather", offsetof(mpi_calls, Allgather)},
    {"MPI_Allgatherv", offsetof(mpi_calls, Allgatherv)},
    {"MPI_Ibarrier", offsetof(mpi_calls, Ibarrier)},
    {"MPI_Test", offsetof(mpi_calls, Test)},
    {"ompi_mpi_comm_world", offsetof(mpi_calls, world)},
    {"ompi_mpi_float", offsetof(mpi_calls, float_type)},
    {"ompi_mpi_double", offsetof(mpi_calls, double_type)},
    {"ompi_mpi_int32_t", offsetof(mpi_calls, int32_type)},
    {"ompi_mpi_op_sum", offsetof(mpi_calls, sum)},
};

typedef struct mpi_comm {
    nf_comm comm;
    mpi_calls mpi;
    void *end;    /* a communicator for the last meeting */
    double *part; /* [PART], floats or doubles */
    bool joined, done;
    bool guest; /* who joined the job before leaves it */
} mpi_comm;

/* MPI's own handling of errors ends the job with its message; this is for builds that return. */
static nerfit_status check(int code, const char *what, nerfit_error *err) {
    return code == 0 ? NERFIT_OK
                     : nf_fail(err, NERFIT_IO, "MPI: %s failed with error %d", what, code);
}

static nerfit_status mpi_all_reduce(nf_comm *comm, nf_backend *be, nf_values *y, size_t n,
                                    nerfit_error *err) {
    mpi_comm *m = (mpi_comm *)comm;
    bool wide = be->real_size == sizeof(double);
    void *type = wide ? m->mpi.double_type : m->mpi.float_type;
    for (size_t at = 0; at < n; at += PART) {
        size_t count = n - at < PART ? n - at : PART;
        nf_values *part = nf_at(be, y, at);
        if (wide)
            be->to_f64(be, m->part, part, count);
        else
            be->to_f32(be, (float *)m->part, part, count);
        NF_TRY(
            check(m->mpi.Allreduce(IN_PLACE, m->part, (int)count, type, m->mpi.sum, m->mpi.world),
                  "a sum", err));
        if (wide)
            be->from_f64(be, part, m->part, count);
        else
            be->from_f32(be, part, (float *)m->part, count);
    }
    return NERFIT_OK;
}

static nerfit_status mpi_all_gather(nf_comm *comm, const double *values, size_t n, double *all,
                                    nerfit_error *err) {
    mpi_comm *m = (mpi_comm *)comm;
    return check(m->mpi.Allgather(values, (int)n, m->mpi.double_type, all, (int)n,
                                  m->mpi.double_type, m->mpi.world),
                 "gathering numbers", err);
}

/* How many rows each rank has, and where they go; the sum in *count. */
static nerfit_status gather_counts(mpi_comm *m, size_t n, int *counts, int *places, size_t *count,
                                   nerfit_error *err) {
    int32_t own = (int32_t)n;
    *count = 0;
    NF_TRY(check(
        m->mpi.Allgather(&own, 1, m->mpi.int32_type, counts, 1, m->mpi.int32_type, m->mpi.world),
        "gathering counts", err));
    for (size_t r = 0; r < m->comm.size; r++) {
        places[r] = (int)*count;
        *count += (size_t)counts[r];
    }
    return *count <= INT_MAX ? NERFIT_OK
                             : nf_fail(err, NERFIT_UNSUPPORTED, "MPI: too many rows of embeddings");
}

static nerfit_status mpi_gather_rows(nf_comm *comm, const int32_t *rows, size_t n, int32_t **out,
                                     size_t *n_out, nerfit_error *err) {
    mpi_comm *m = (mpi_comm *)comm;
    int *counts = malloc(2 * comm->size * sizeof *counts), *places = counts + comm->size;
    if (!counts) return nf_no_memory(err, 2 * comm->size * sizeof *counts);
    size_t count;
    int32_t *all = NULL;
    nerfit_status status = gather_counts(m, n, counts, places, &count, err);
    if (status == NERFIT_OK && !(all = malloc(count * sizeof *all + 1)))
        status = nf_no_memory(err, count * sizeof *all);
    if (status == NERFIT_OK)
        status = check(m->mpi.Allgatherv(rows, (int)n, m->mpi.int32_type, all, counts, places,
                                         m->mpi.int32_type, m->mpi.world),
                       "gathering rows", err);
    free(counts);
    if (status != NERFIT_OK) {
        free(all);
        return status;
    }
    *n_out = nf_comm_rows_union(all, count);
    *out = all;
    return NERFIT_OK;
}

/* Who fails ends the job, but tells why first: nf_comm_mpi_free. */
static void mpi_leave(nf_comm *comm) {
    (void)comm;
}

static nerfit_status open_library(mpi_calls *calls, nerfit_error *err) {
    static const nf_library library = {
        .file = "libmpi.so.40",
        .need = "a job of several processes needs Open MPI",
        .package = "openmpi-bin",
        .unfit = "it is no Open MPI 4 or 5",
        .global = true,
    };
    return nf_library_open(&library, symbols, NF_COUNT(symbols), calls, err);
}

static nerfit_status join(mpi_comm *m, nerfit_error *err) {
    int provided, rank, size, there = 0, gone = 0;
    NF_TRY(open_library(&m->mpi, err));
    NF_TRY(check(m->mpi.Finalized(&gone), "joining", err));
    if (gone)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "this process has left its MPI job, and cannot join it again: each training "
                       "takes an mpirun of its own");
    NF_TRY(check(m->mpi.Initialized(&there), "joining", err));
    m->guest = there;
    if (!there)
        NF_TRY(
            check(m->mpi.Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "joining", err));
    m->joined = true;
    NF_TRY(check(m->mpi.Comm_rank(m->mpi.world, &rank), "the rank", err));
    NF_TRY(check(m->mpi.Comm_size(m->mpi.world, &size), "the size", err));
    NF_TRY(check(m->mpi.Comm_dup(m->mpi.world, &m->end), "a communicator", err));
    m->comm = (nf_comm){(size_t)rank,   (size_t)size,    mpi_all_reduce,
                        mpi_all_gather, mpi_gather_rows, mpi_leave};
    return NERFIT_OK;
}

nerfit_status nf_comm_mpi(nf_comm **out, nerfit_error *err) {
    *out = NULL;
    mpi_comm *m = calloc(1, sizeof *m);
    if (!m || !(m->part = malloc(PART * sizeof *m->part))) {
        free(m);
        return nf_no_memory(err, PART * sizeof *m->part);
    }
    nerfit_status status = join(m, err);
    if (status == NERFIT_OK)
        *out = &m->comm;
    else
        nf_comm_mpi_free(&m->comm);
    return status;
}

void nf_comm_mpi_done(nf_comm *comm) {
    ((mpi_comm *)comm)->done = true;
}

/* Until all have come, asleep: rank 0 may have an hour of calibration to do. False: one does not come,
 * though this rank was told to stop. */
static bool meet_at_the_end(mpi_comm *m) {
    void *request;
    int arrived = 0;
    if (m->mpi.Ibarrier(m->end, &request) != 0) return false;
    while (!arrived) {
        const struct timespec pause = {0, 5000000};
        if (m->mpi.Test(&request, &arrived, NULL) != 0) return false; /* NULL: MPI_STATUS_IGNORE */
        if (!arrived) nanosleep(&pause, NULL);
    }
    return true;
}

void nf_comm_mpi_free(nf_comm *comm) {
    mpi_comm *m = (mpi_comm *)comm;
    if (!m) return;
    if (m->joined && m->done && meet_at_the_end(m)) {
        m->mpi.Comm_free(&m->end);
        if (!m->guest) m->mpi.Finalize();
    } else if (m->joined) {
        fflush(stdout);
        fflush(stderr);
        m->mpi.Abort(m->mpi.world, 1);
    }
    free(m->part);
    free(m);
}
