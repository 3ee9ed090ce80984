/* Ranks that are threads: each shows the others where its values lie; between two meetings every
 * rank adds up a slice of them. */
#include "train/comm.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLICE = 16 }; /* values: a cache line of floats */

/* What the ranks share. */
typedef struct meeting {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    size_t size, arrived;
    uint64_t round;
    bool left;          /* a rank gave up */
    const void **shown; /* [size] what each rank has laid out for the others */
    size_t *counts;     /* [size] */
} meeting;

typedef struct thread_comm {
    nf_comm comm;
    meeting *meeting;
} thread_comm;

/* All ranks go on when the last one has come. */
static nerfit_status meet(meeting *m, nerfit_error *err) {
    pthread_mutex_lock(&m->mutex);
    uint64_t round = m->round;
    if (++m->arrived == m->size) {
        m->arrived = 0;
        m->round++;
        pthread_cond_broadcast(&m->moved);
    }
    while (m->round == round && !m->left) pthread_cond_wait(&m->moved, &m->mutex);
    bool left = m->left;
    pthread_mutex_unlock(&m->mutex);
    return left ? nf_fail(err, NERFIT_CANCELLED, "another rank of the training failed") : NERFIT_OK;
}

static void threads_leave(nf_comm *comm) {
    meeting *m = ((thread_comm *)comm)->meeting;
    pthread_mutex_lock(&m->mutex);
    m->left = true;
    pthread_cond_broadcast(&m->moved);
    pthread_mutex_unlock(&m->mutex);
}

static nerfit_status threads_sum(nf_comm *comm, nf_backend *be, nf_values *y, size_t n,
                                 nerfit_error *err) {
    meeting *m = ((thread_comm *)comm)->meeting;
    size_t share = (n / comm->size + SLICE) / SLICE * SLICE;
    size_t from = comm->rank * share < n ? comm->rank * share : n;
    size_t to = from + share < n ? from + share : n;
    m->shown[comm->rank] = y;
    NF_TRY(meet(m, err));
    nf_values *first = (nf_values *)(uintptr_t)m->shown[0];
    for (size_t r = 1; r < comm->size && to > from; r++)
        be->axpy(be, nf_at(be, first, from), 1.0,
                 nf_at(be, (nf_values *)(uintptr_t)m->shown[r], from), to - from);
    NF_TRY(meet(m, err));
    if (comm->rank > 0) be->copy(be, y, first, n);
    return meet(m, err); /* rank 0 may change its values when all have them */
}

/* They are done as they begin. */
static nerfit_status threads_finish_sums(nf_comm *comm, nerfit_error *err) {
    (void)comm, (void)err;
    return NERFIT_OK;
}

static nerfit_status threads_all_gather(nf_comm *comm, const double *values, size_t n, double *all,
                                        nerfit_error *err) {
    meeting *m = ((thread_comm *)comm)->meeting;
    m->shown[comm->rank] = values;
    NF_TRY(meet(m, err));
    for (size_t r = 0; r < comm->size; r++) memcpy(all + r * n, m->shown[r], n * sizeof *all);
    return meet(m, err);
}

static int by_row(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

size_t nf_comm_rows_union(int32_t *rows, size_t n) {
    size_t kept = 0;
    if (n) qsort(rows, n, sizeof *rows, by_row);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || rows[i] != rows[i - 1]) rows[kept++] = rows[i];
    return kept;
}

static nerfit_status threads_gather_rows(nf_comm *comm, const int32_t *rows, size_t n,
                                         int32_t **out, size_t *n_out, nerfit_error *err) {
    meeting *m = ((thread_comm *)comm)->meeting;
    m->shown[comm->rank] = rows;
    m->counts[comm->rank] = n;
    NF_TRY(meet(m, err));
    size_t count = 0;
    for (size_t r = 0; r < comm->size; r++) count += m->counts[r];
    int32_t *all = malloc(count * sizeof *all + 1);
    if (!all) return nf_no_memory(err, count * sizeof *all);
    for (size_t r = 0, at = 0; r < comm->size; at += m->counts[r++])
        if (m->counts[r]) memcpy(all + at, m->shown[r], m->counts[r] * sizeof *all);
    *out = all;
    *n_out = nf_comm_rows_union(all, count);
    return meet(m, err);
}

void nf_comm_threads_free(nf_comm **comms, size_t size) {
    meeting *m = NULL;
    for (size_t r = 0; r < size; r++) {
        if (!comms[r]) continue;
        m = ((thread_comm *)comms[r])->meeting;
        free(comms[r]);
        comms[r] = NULL;
    }
    if (!m) return;
    pthread_mutex_destroy(&m->mutex);
    pthread_cond_destroy(&m->moved);
    free(m->shown);
    free(m->counts);
    free(m);
}

static meeting *meeting_new(size_t size) {
    meeting *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->size = size;
    m->shown = calloc(size, sizeof *m->shown);
    m->counts = calloc(size, sizeof *m->counts);
    if (m->shown && m->counts && pthread_mutex_init(&m->mutex, NULL) == 0) {
        if (pthread_cond_init(&m->moved, NULL) == 0) return m;
        pthread_mutex_destroy(&m->mutex);
    }
    free(m->shown);
    free(m->counts);
    free(m);
    return NULL;
}

nerfit_status nf_comm_threads(nf_comm **out, size_t size, nerfit_error *err) {
    memset(out, 0, size * sizeof *out);
    meeting *m = meeting_new(size);
    if (!m) return nf_no_memory(err, sizeof *m);
    for (size_t r = 0; r < size; r++) {
        thread_comm *t = calloc(1, sizeof *t);
        if (!t) {
            if (r == 0) {
                free(m->shown);
                free(m->counts);
                free(m);
            }
            nf_comm_threads_free(out, size);
            return nf_no_memory(err, sizeof *t);
        }
        t->comm = (nf_comm){.rank = r,
                            .size = size,
                            .begin_sum = threads_sum,
                            .finish_sums = threads_finish_sums,
                            .all_gather = threads_all_gather,
                            .gather_rows = threads_gather_rows,
                            .leave = threads_leave};
        t->meeting = m;
        out[r] = &t->comm;
    }
    return NERFIT_OK;
}
