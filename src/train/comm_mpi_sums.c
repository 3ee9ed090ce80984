#include "train/comm_mpi_sums.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "tensor/stored.h"

enum {
    PART = 1 << 22,      /* most values of a sum: what is larger is several */
    MOST = 1 << 26,      /* values under way, which take as much memory again */
    TAGS = 1 << 14,      /* most sums under way; MPI allows 32767 in two rounds each */
    CACHE_LINE = 64,     /* bytes */
    ALIGN = 16,          /* parts of the ranks begin on a cache line of floats */
    ROUNDS = 2,          /* parts are gathered by who adds them up, and sums sent to all */
    BFLOAT_SHIFT = 16,   /* a bfloat16 is the upper half of a float */
    BFLOAT_HALF = 0x7fff /* rounds to the nearest, ties to even with the last bit kept */
};

/* One sum. What travels are `width` bytes a value: the backend's reals, or bfloat16. */
typedef struct sum {
    nf_backend *be;
    nf_values *y;
    char *values; /* [n] of the host: y itself, or a copy that goes back */
    size_t n, share, width;
    bool bf16, copied;
    char *received;  /* [size * share] of `width`: this rank's part from every other */
    uint16_t *small; /* [n] values as they travel; NULL: as they are */
    void **requests; /* [2 * size] */
    int n_requests, tag, round;
    char *room; /* where these lie; the next step's sums find it again */
    size_t room_size;
} sum;

struct nf_mpi_sums {
    const mpi_calls *mpi;
    void *comm;
    size_t rank, size;
    sum *all; /* [n_rooms] that had room, of which [n] are under way */
    size_t n, n_rooms, capacity;
    size_t values; /* of all */
    int next_tag;
};

nf_mpi_sums *nf_mpi_sums_new(const mpi_calls *mpi, void *comm, size_t rank, size_t size) {
    nf_mpi_sums *sums = calloc(1, sizeof *sums);
    if (sums) *sums = (nf_mpi_sums){.mpi = mpi, .comm = comm, .rank = rank, .size = size};
    return sums;
}

void nf_mpi_sums_free(nf_mpi_sums *sums) {
    if (!sums) return;
    for (size_t i = 0; i < sums->n_rooms; i++) free(sums->all[i].room);
    free(sums->all);
    free(sums);
}

/* ---------------------------------------------------------------- bfloat16 */

static void to_bf16(uint16_t *y, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        uint32_t rounded = bits + BFLOAT_HALF + (bits >> BFLOAT_SHIFT & 1);
        bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
        y[i] = (uint16_t)((is_nan ? bits | 0x400000 : rounded) >> BFLOAT_SHIFT);
    }
}

/* ---------------------------------------------------------------- one sum */

static size_t part_at(const sum *s, size_t rank) {
    size_t at = rank * s->share;
    return at < s->n ? at : s->n;
}

static size_t part_size(const sum *s, size_t rank) {
    return part_at(s, rank + 1) - part_at(s, rank);
}

/* Where values travel from. */
static char *outgoing(const sum *s, size_t at) {
    return s->bf16 ? (char *)(s->small + at) : s->values + at * s->width;
}

static nerfit_status exchange(nf_mpi_sums *sums, sum *s, size_t peer, const char *send,
                              size_t n_send, char *receive, size_t n_receive, nerfit_error *err) {
    const mpi_calls *mpi = sums->mpi;
    int tag = ROUNDS * s->tag + s->round;
    if (n_receive)
        NF_TRY(nf_mpi_check(mpi->Irecv(receive, (int)(n_receive * s->width), mpi->byte_type,
                                       (int)peer, tag, sums->comm, &s->requests[s->n_requests++]),
                            "receiving", err));
    if (n_send)
        NF_TRY(nf_mpi_check(mpi->Isend(send, (int)(n_send * s->width), mpi->byte_type, (int)peer,
                                       tag, sums->comm, &s->requests[s->n_requests++]),
                            "sending", err));
    return NERFIT_OK;
}

/* Everybody's part goes to the rank that adds it up; or, in the second round, its sum to everybody. */
static nerfit_status begin_round(nf_mpi_sums *sums, sum *s, nerfit_error *err) {
    size_t own = sums->rank;
    s->n_requests = 0;
    for (size_t step = 1; step < sums->size; step++) {
        size_t peer = (own + step) % sums->size; /* not all at once to the same one */
        char *theirs = outgoing(s, part_at(s, peer)), *mine = outgoing(s, part_at(s, own));
        if (s->round == 0)
            NF_TRY(exchange(sums, s, peer, theirs, part_size(s, peer),
                            s->received + peer * s->share * s->width, part_size(s, own), err));
        else
            NF_TRY(
                exchange(sums, s, peer, mine, part_size(s, own), theirs, part_size(s, peer), err));
    }
    return NERFIT_OK;
}

#define ADD_REALS(real)                                                                            \
    for (size_t i = 0; i < n; i++) {                                                               \
        real total = 0;                                                                            \
        for (size_t r = 0; r < sums->size; r++)                                                    \
            total += r == sums->rank                                                               \
                         ? ((const real *)own)[i]                                                  \
                         : ((const real *)(const void *)s->received)[r * s->share + i];            \
        ((real *)own)[i] = total;                                                                  \
    }

/* This rank's part, in the ranks' order. A sum of bfloat16 is what the others get: rounded. */
static void add_up(const nf_mpi_sums *sums, sum *s) {
    size_t at = part_at(s, sums->rank), n = part_size(s, sums->rank);
    void *own = s->values + at * s->be->real_size;
    if (s->bf16) {
        const uint16_t *received = (const uint16_t *)(const void *)s->received;
        float *y = own;
        for (size_t i = 0; i < n; i++) {
            float total = 0;
            for (size_t r = 0; r < sums->size; r++)
                total += r == sums->rank ? y[i] : nf_bf16_to_f32(received[r * s->share + i]);
            y[i] = total;
        }
        to_bf16(s->small + at, y, n);
    } else if (s->be->real_size == sizeof(double)) {
        ADD_REALS(double)
    } else {
        ADD_REALS(float)
    }
}

/* The sums are where they belong. */
static void take_back(sum *s) {
    if (s->bf16)
        for (size_t i = 0; i < s->n; i++)
            ((float *)(void *)s->values)[i] = nf_bf16_to_f32(s->small[i]);
    if (s->copied && s->be->real_size == sizeof(double))
        s->be->from_f64(s->be, s->y, (const double *)(void *)s->values, s->n);
    else if (s->copied)
        s->be->from_f32(s->be, s->y, (const float *)(void *)s->values, s->n);
}

/* Goes on with a sum whose messages have come. */
static nerfit_status end_round(nf_mpi_sums *sums, sum *s, nerfit_error *err) {
    if (s->round++ == 0) {
        add_up(sums, s);
        return begin_round(sums, s, err);
    }
    take_back(s);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- all of them */

static nerfit_status move_on(nf_mpi_sums *sums, nerfit_error *err) {
    for (size_t i = 0; i < sums->n; i++) {
        sum *s = &sums->all[i];
        int done = 0;
        if (s->round == ROUNDS) continue;
        NF_TRY(nf_mpi_check(sums->mpi->Testall(s->n_requests, s->requests, &done, NULL), "a sum",
                            err));
        if (done) NF_TRY(end_round(sums, s, err));
    }
    return NERFIT_OK;
}

static char *carve(char **at, size_t bytes) {
    char *piece = *at;
    *at += (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    return piece;
}

static bool make_room(const nf_mpi_sums *sums, sum *s) {
    size_t sizes[] = {2 * sums->size * sizeof *s->requests, sums->size * s->share * s->width,
                      s->bf16 ? s->n * sizeof *s->small : 0,
                      s->copied ? s->n * s->be->real_size : 0};
    size_t size = 0;
    for (size_t i = 0; i < NF_COUNT(sizes); i++) size += sizes[i] + CACHE_LINE;
    if (size > s->room_size) {
        free(s->room);
        s->room = malloc(size);
        s->room_size = s->room ? size : 0;
    }
    if (!s->room) return false;
    char *at = s->room;
    s->requests = (void **)(void *)carve(&at, sizes[0]);
    s->received = carve(&at, sizes[1]);
    s->small = (uint16_t *)(void *)carve(&at, sizes[2]);
    s->values = s->copied ? carve(&at, sizes[3]) : (char *)s->y;
    return true;
}

/* The sum that begins, in the room of an earlier step's. NULL when out of memory. */
static sum *next_sum(nf_mpi_sums *sums, const sum *given) {
    if (!nf_array_reserve(&sums->all, &sums->capacity, sums->n + 1, sizeof *sums->all)) return NULL;
    sum *s = &sums->all[sums->n];
    bool again = sums->n < sums->n_rooms;
    char *room = again ? s->room : NULL;
    size_t room_size = again ? s->room_size : 0;
    *s = *given;
    s->room = room;
    s->room_size = room_size;
    if (!again) sums->n_rooms++;
    s->share = ((s->n + sums->size - 1) / sums->size + ALIGN - 1) / ALIGN * ALIGN;
    s->bf16 = s->bf16 && s->be->real_size == sizeof(float);
    s->width = s->bf16 ? sizeof *s->small : s->be->real_size;
    s->copied = !s->be->is_host;
    return make_room(sums, s) ? s : NULL;
}

static nerfit_status begin_one(nf_mpi_sums *sums, const sum *given, nerfit_error *err) {
    sum *s = next_sum(sums, given);
    if (!s) return nf_no_memory(err, 2 * given->n * given->be->real_size);
    if (s->copied && s->be->real_size == sizeof(double))
        s->be->to_f64(s->be, (double *)(void *)s->values, s->y, s->n);
    else if (s->copied)
        s->be->to_f32(s->be, (float *)(void *)s->values, s->y, s->n);
    if (s->bf16) to_bf16(s->small, (const float *)(void *)s->values, s->n);
    s->tag = sums->next_tag;
    sums->next_tag = (sums->next_tag + 1) % TAGS;
    sums->n++;
    NF_TRY(begin_round(sums, s, err));
    return move_on(sums, err);
}

nerfit_status nf_mpi_sums_begin(nf_mpi_sums *sums, nf_backend *be, nf_values *y, size_t n,
                                bool bf16, nerfit_error *err) {
    for (size_t at = 0; at < n; at += PART) {
        size_t count = n - at < PART ? n - at : PART;
        if (sums->values + count > MOST || sums->n == TAGS) NF_TRY(nf_mpi_sums_finish(sums, err));
        sums->values += count;
        const sum s = {.be = be, .y = nf_at(be, y, at), .n = count, .bf16 = bf16};
        NF_TRY(begin_one(sums, &s, err));
    }
    return NERFIT_OK;
}

nerfit_status nf_mpi_sums_finish(nf_mpi_sums *sums, nerfit_error *err) {
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < sums->n; i++) {
            sum *s = &sums->all[i];
            if (s->round > round) continue;
            NF_TRY(
                nf_mpi_check(sums->mpi->Waitall(s->n_requests, s->requests, NULL), "a sum", err));
            NF_TRY(end_round(sums, s, err));
        }
    sums->n = sums->values = 0;
    return NERFIT_OK;
}
