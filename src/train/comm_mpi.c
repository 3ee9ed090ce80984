#include "train/comm_mpi.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/library.h"
#include "train/comm_mpi_calls.h"
#include "train/comm_mpi_sums.h"

enum { MPI_THREAD_FUNNELED = 1 };

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
    {"MPI_Isend", offsetof(mpi_calls, Isend)},
    {"MPI_Irecv", offsetof(mpi_calls, Irecv)},
    {"MPI_Testall", offsetof(mpi_calls, Testall)},
    {"MPI_Waitall", offsetof(mpi_calls, Waitall)},
    {"MPI_Allgather", offsetof(mpi_calls, Allgather)},
    {"MPI_Allgatherv", offsetof(mpi_calls, Allgatherv)},
    {"MPI_Ibarrier", offsetof(mpi_calls, Ibarrier)},
    {"MPI_Test", offsetof(mpi_calls, Test)},
    {"ompi_mpi_comm_world", offsetof(mpi_calls, world)},
    {"ompi_mpi_byte", offsetof(mpi_calls, byte_type)},
    {"ompi_mpi_double", offsetof(mpi_calls, double_type)},
    {"ompi_mpi_int32_t", offsetof(mpi_calls, int32_type)},
};

typedef struct mpi_comm {
    nf_comm comm;
    mpi_calls mpi;
    void *own; /* a communicator for the sums and the last meeting */
    nf_mpi_sums *sums;
    bool joined, done;
    bool guest; /* who joined the job before leaves it */
} mpi_comm;

static nerfit_status mpi_begin_sum(nf_comm *comm, nf_backend *be, nf_values *y, size_t n,
                                   nerfit_error *err) {
    return nf_mpi_sums_begin(((mpi_comm *)comm)->sums, be, y, n, comm->bf16, err);
}

static nerfit_status mpi_finish_sums(nf_comm *comm, nerfit_error *err) {
    return nf_mpi_sums_finish(((mpi_comm *)comm)->sums, err);
}

static nerfit_status mpi_all_gather(nf_comm *comm, const double *values, size_t n, double *all,
                                    nerfit_error *err) {
    mpi_comm *m = (mpi_comm *)comm;
    return nf_mpi_check(m->mpi.Allgather(values, (int)n, m->mpi.double_type, all, (int)n,
                                         m->mpi.double_type, m->mpi.world),
                        "gathering numbers", err);
}

/* How many rows each rank has, and where they go; the sum in *count. */
static nerfit_status gather_counts(mpi_comm *m, size_t n, int *counts, int *places, size_t *count,
                                   nerfit_error *err) {
    int32_t own = (int32_t)n;
    *count = 0;
    NF_TRY(nf_mpi_check(
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
        status = nf_mpi_check(m->mpi.Allgatherv(rows, (int)n, m->mpi.int32_type, all, counts,
                                                places, m->mpi.int32_type, m->mpi.world),
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
    NF_TRY(nf_mpi_check(m->mpi.Finalized(&gone), "joining", err));
    if (gone)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "this process has left its MPI job, and cannot join it again: each training "
                       "takes an mpirun of its own");
    NF_TRY(nf_mpi_check(m->mpi.Initialized(&there), "joining", err));
    m->guest = there;
    if (!there)
        NF_TRY(nf_mpi_check(m->mpi.Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided),
                            "joining", err));
    m->joined = true;
    NF_TRY(nf_mpi_check(m->mpi.Comm_rank(m->mpi.world, &rank), "the rank", err));
    NF_TRY(nf_mpi_check(m->mpi.Comm_size(m->mpi.world, &size), "the size", err));
    NF_TRY(nf_mpi_check(m->mpi.Comm_dup(m->mpi.world, &m->own), "a communicator", err));
    m->comm = (nf_comm){.rank = (size_t)rank,
                        .size = (size_t)size,
                        .begin_sum = mpi_begin_sum,
                        .finish_sums = mpi_finish_sums,
                        .all_gather = mpi_all_gather,
                        .gather_rows = mpi_gather_rows,
                        .leave = mpi_leave};
    m->sums = nf_mpi_sums_new(&m->mpi, m->own, m->comm.rank, m->comm.size);
    return m->sums ? NERFIT_OK : nf_no_memory(err, 0);
}

nerfit_status nf_comm_mpi(nf_comm **out, nerfit_error *err) {
    *out = NULL;
    mpi_comm *m = calloc(1, sizeof *m);
    if (!m) return nf_no_memory(err, sizeof *m);
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
    if (m->mpi.Ibarrier(m->own, &request) != 0) return false;
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
        m->mpi.Comm_free(&m->own);
        if (!m->guest) m->mpi.Finalize();
    } else if (m->joined) {
        fflush(stdout);
        fflush(stderr);
        m->mpi.Abort(m->mpi.world, 1);
    }
    nf_mpi_sums_free(m->sums);
    free(m);
}
