/* A weight's two products are y = x W^T ("forward") and dx = dy W ("backward"); each has its own
 * reordered copy, in f32 or bf16. In bf16 the activations are converted into scratch, and sums and
 * results are f32.
 *
 * Rows are multiplied in equal runs of at most MOST_ROWS, which is as fast as all at once and keeps
 * them in the second-level cache. Primitives are made for exact numbers of rows and cached by shape
 * (making one takes a fraction of a millisecond), so that there are few of them whatever the
 * batches' sizes. */
#include "tensor/cpu/matmul.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <dnnl.h>
#include <omp.h>

#include "base/hash.h"
#include "tensor/cpu/dropped.h"
#include "tensor/cpu/fork.h"
#include "tensor/cpu/memory.h"

enum {
    FORWARD,
    BACKWARD,
    MAX_PRIMITIVES = 4096,
    TYPICAL_ROWS = 128,
    MAX_PARTS = 256,
    FEWEST_ROWS = 8,
    MOST_ROWS = 64
};

/* By nf_product_type: int8 activations are unsigned, 128 added, as the CPU's product takes them;
 * what that adds is taken off again with the sums of the weight's rows. */
static const dnnl_data_type_t source_types[] = {dnnl_f32, dnnl_bf16, dnnl_u8};
static const dnnl_data_type_t weight_types[] = {dnnl_f32, dnnl_bf16, dnnl_s8};
static const dnnl_data_type_t result_types[] = {dnnl_f32, dnnl_f32, dnnl_s32};

typedef struct product_key {
    size_t rows, k, n;
    int32_t direction, type, bias, accumulate;
    int32_t part, padding; /* of the rows: each thread has memory objects of its own */
} product_key;

typedef struct product {
    product_key key;
    dnnl_primitive_t primitive;
    dnnl_memory_t source, bias, destination, scratchpad;
    UT_hash_handle hh;
} product;

/* oneDNN only lets memory, primitives and streams of one engine work together: a handle, its forks
 * and their weights share one, and the last of them frees it. */
typedef struct shared_engine {
    dnnl_engine_t engine;
    atomic_int users;
    pthread_mutex_t making; /* weights are made by one thread at a time */
    nf_pool pool;           /* of packed weights */
} shared_engine;

static shared_engine *engine_share(shared_engine *e) {
    atomic_fetch_add(&e->users, 1);
    return e;
}

static void engine_drop(shared_engine *e) {
    if (!e || atomic_fetch_sub(&e->users, 1) != 1) return;
    dnnl_engine_destroy(e->engine);
    pthread_mutex_destroy(&e->making);
    nf_pool_free(&e->pool);
    free(e);
}

static dnnl_status_t engine_new(shared_engine **out) {
    *out = calloc(1, sizeof **out);
    if (!*out) return dnnl_out_of_memory;
    atomic_init(&(*out)->users, 1);
    pthread_mutex_init(&(*out)->making, NULL);
    dnnl_status_t status = dnnl_engine_create(&(*out)->engine, dnnl_cpu, 0);
    if (status == dnnl_success) return status;
    pthread_mutex_destroy(&(*out)->making);
    free(*out);
    *out = NULL;
    return status;
}

struct nf_matmul {
    const nf_kernels *kernels;
    int threads;
    shared_engine *shared;
    dnnl_engine_t engine; /* the shared one's */
    dnnl_stream_t stream;
    product *products;
    uint16_t *scratch; /* activations in bf16 or int8 */
    size_t scratch_size;
    float *row_scales; /* of activations in int8 */
    size_t row_scales_size;
};

struct nf_weight {
    const float *values; /* [out, in] */
    size_t out, in;
    nf_product_type type;
    shared_engine *shared;
    /* int8: W = scales[out] times the packed numbers; sums [out] of the numbers, times 128 */
    float *scales;
    int32_t *sums;
    nf_pooled columns;       /* see nf_weight_columns */
    dnnl_memory_t plain[2];  /* view of the values, as the product reads them */
    dnnl_memory_t packed[2]; /* NULL: not used in that direction */
    nf_pooled memory[2];     /* of these */
    dnnl_primitive_t reorder[2];
};

size_t nf_weight_out(const nf_weight *w) {
    return w->out;
}
size_t nf_weight_in(const nf_weight *w) {
    return w->in;
}

nf_product_type nf_weight_type(const nf_weight *w) {
    return w->type;
}
const uint16_t *nf_weight_columns(const nf_weight *w) {
    return w->columns.memory;
}

static nerfit_status failed(nerfit_error *err, const char *what, dnnl_status_t status) {
    return nf_fail(err, status == dnnl_out_of_memory ? NERFIT_NO_MEMORY : NERFIT_INTERNAL,
                   "oneDNN: %s failed (status %d)", what, (int)status);
}

nerfit_status nf_matmul_new(nf_matmul **out, const nf_matmul *parent, const nf_kernels *kernels,
                            int threads, nerfit_error *err) {
    *out = calloc(1, sizeof **out);
    if (!*out) return nf_no_memory(err, sizeof **out);
    (*out)->kernels = kernels;
    (*out)->threads = threads;
    dnnl_status_t status = dnnl_success;
    if (parent)
        (*out)->shared = engine_share(parent->shared);
    else
        status = engine_new(&(*out)->shared);
    if (status == dnnl_success) {
        (*out)->engine = (*out)->shared->engine;
        status = dnnl_stream_create(&(*out)->stream, (*out)->engine, dnnl_stream_default_flags);
    }
    if (status == dnnl_success) return NERFIT_OK;
    nf_matmul_free(*out);
    *out = NULL;
    return failed(err, "making an engine", status);
}

static void product_free(product *p) {
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    dnnl_memory_t memories[] = {p->source, p->bias, p->destination, p->scratchpad};
    for (size_t i = 0; i < 4; i++)
        if (memories[i]) dnnl_memory_destroy(memories[i]);
    free(p);
}

static void drop_products(nf_matmul *mm) {
    product *p, *next;
    HASH_ITER(hh, mm->products, p, next) {
        HASH_DEL(mm->products, p);
        product_free(p);
    }
}

void nf_matmul_free(nf_matmul *mm) {
    if (!mm) return;
    drop_products(mm);
    if (mm->stream) dnnl_stream_destroy(mm->stream);
    engine_drop(mm->shared);
    free(mm->scratch);
    free(mm->row_scales);
    free(mm);
}

/* ---------------------------------------------------------------- descriptors */

static dnnl_memory_desc_t matrix(size_t rows, size_t cols, dnnl_data_type_t type, size_t row_stride,
                                 size_t col_stride) {
    dnnl_memory_desc_t md;
    dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)cols};
    dnnl_dims_t strides = {(dnnl_dim_t)row_stride, (dnnl_dim_t)col_stride};
    dnnl_memory_desc_init_by_strides(&md, 2, dims, type, strides);
    return md;
}

/* Plans the product [rows,k] x [k,n]; with `packed` NULL oneDNN chooses the weight's layout. */
static dnnl_status_t plan(dnnl_primitive_desc_t *out, dnnl_engine_t engine, const product_key *key,
                          const dnnl_memory_desc_t *packed) {
    dnnl_data_type_t type = weight_types[key->type];
    dnnl_memory_desc_t source = matrix(key->rows, key->k, source_types[key->type], key->k, 1),
                       weights;
    dnnl_memory_desc_t destination = matrix(key->rows, key->n, result_types[key->type], key->n, 1);
    dnnl_memory_desc_t bias = matrix(1, key->n, dnnl_f32, key->n, 1);
    if (packed) {
        weights = *packed;
    } else {
        dnnl_dims_t dims = {(dnnl_dim_t)key->k, (dnnl_dim_t)key->n};
        dnnl_memory_desc_init_by_tag(&weights, 2, dims, type, dnnl_format_tag_any);
    }
    dnnl_matmul_desc_t desc;
    dnnl_status_t status =
        dnnl_matmul_desc_init(&desc, &source, &weights, key->bias ? &bias : NULL, &destination);
    if (status != dnnl_success) return status;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t post = NULL;
    status = dnnl_primitive_attr_create(&attributes);
    if (status == dnnl_success) status = dnnl_post_ops_create(&post);
    if (status == dnnl_success && key->accumulate) status = dnnl_post_ops_append_sum(post, 1.0f);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attributes, post);
    /* oneDNN's own scratchpad belongs to the thread that made the primitive */
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(out, &desc, attributes, engine, NULL);
    if (post) dnnl_post_ops_destroy(post);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    return status;
}

/* ---------------------------------------------------------------- weights */

void nf_matmul_weight_free(nf_weight *w) {
    if (!w) return;
    for (int d = 0; d < 2; d++) {
        if (w->reorder[d]) dnnl_primitive_destroy(w->reorder[d]);
        if (w->packed[d]) dnnl_memory_destroy(w->packed[d]);
        if (w->plain[d]) dnnl_memory_destroy(w->plain[d]);
        nf_pool_give_back(&w->memory[d]);
    }
    nf_pool_give_back(&w->columns);
    free(w->scales);
    free(w->sums);
    engine_drop(w->shared);
    free(w);
}

static void fill_columns(const nf_matmul *mm, nf_weight *w) {
    float column[256];
    for (size_t i = 0; i < w->in; i++)
        for (size_t from = 0; from < w->out; from += 256) {
            size_t n = w->out - from < 256 ? w->out - from : 256;
            for (size_t o = 0; o < n; o++) column[o] = w->values[(from + o) * w->in + i];
            mm->kernels->to_bf16((uint16_t *)w->columns.memory + i * w->out + from, column, n);
        }
}

static dnnl_status_t pack(nf_weight *w, int direction) {
    size_t k = direction == FORWARD ? w->in : w->out, n = direction == FORWARD ? w->out : w->in;
    product_key key = {.rows = TYPICAL_ROWS, .k = k, .n = n, .type = w->type};
    dnnl_primitive_desc_t planned, moved;
    dnnl_status_t status = plan(&planned, w->shared->engine, &key, NULL);
    if (status != dnnl_success) return status;
    dnnl_memory_desc_t packed = *dnnl_primitive_desc_query_md(planned, dnnl_query_weights_md, 0);
    dnnl_primitive_desc_destroy(planned);
    /* W^T is the same memory read by columns */
    dnnl_data_type_t plain_type = w->type == NF_PRODUCT_INT8 ? dnnl_s8 : dnnl_f32;
    dnnl_memory_desc_t plain = direction == FORWARD ? matrix(k, n, plain_type, 1, w->in)
                                                    : matrix(k, n, plain_type, w->in, 1);
    status = dnnl_memory_create(&w->plain[direction], &plain, w->shared->engine,
                                (void *)(uintptr_t)w->values);
    w->memory[direction] = nf_pool_take(&w->shared->pool, dnnl_memory_desc_get_size(&packed));
    if (!w->memory[direction].memory) return dnnl_out_of_memory;
    if (status == dnnl_success)
        status = dnnl_memory_create(&w->packed[direction], &packed, w->shared->engine,
                                    w->memory[direction].memory);
    if (status != dnnl_success) return status;
    status = dnnl_reorder_primitive_desc_create(&moved, &plain, w->shared->engine, &packed,
                                                w->shared->engine, NULL);
    if (status != dnnl_success) return status;
    status = dnnl_primitive_create(&w->reorder[direction], moved);
    dnnl_primitive_desc_destroy(moved);
    return status;
}

/* oneDNN runs on as many threads as OpenMP is set to: the handle's number, for the call only. */
#define WITH_THREADS(threads, statement)                                                           \
    do {                                                                                           \
        int threads_before_ = omp_get_max_threads(), threads_now_ = nf_fork_threads(threads);      \
        if (threads_before_ != threads_now_) omp_set_num_threads(threads_now_);                    \
        statement;                                                                                 \
        if (threads_before_ != threads_now_) omp_set_num_threads(threads_before_);                 \
    } while (0)

nerfit_status nf_matmul_weight_new(nf_matmul *mm, nf_weight **out, const float *values,
                                   const nf_weight_plan *plan, nf_product_type type,
                                   nerfit_error *err) {
    size_t n_out = plan->out, n_in = plan->in;
    unsigned uses = plan->uses;
    nf_weight *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w) return nf_no_memory(err, sizeof *w);
    w->values = values;
    w->out = n_out;
    w->in = n_in;
    w->type = type;
    w->shared = engine_share(mm->shared);
    dnnl_status_t status = dnnl_success;
    pthread_mutex_lock(&mm->shared->making);
    if (type == NF_PRODUCT_BF16 && (uses & NF_USE_DROPPED) && !(n_out % NF_DROPPED_BLOCK)) {
        w->columns = nf_pool_take(&mm->shared->pool, n_out * n_in * sizeof(uint16_t));
        if (!w->columns.memory) status = dnnl_out_of_memory;
    }
    WITH_THREADS(mm->threads, {
        if (status == dnnl_success && (uses & NF_USE_FORWARD)) status = pack(w, FORWARD);
        if (status == dnnl_success && (uses & NF_USE_BACKWARD)) status = pack(w, BACKWARD);
    });
    nerfit_status result = status == dnnl_success ? nf_matmul_weight_update(mm, w, err)
                                                  : failed(err, "planning a product", status);
    pthread_mutex_unlock(&mm->shared->making);
    if (result == NERFIT_OK)
        *out = w;
    else
        nf_matmul_weight_free(w);
    return result;
}

/* Rounds W to int8, row by row, and hands it to the reorder: numbers [out,in] or NULL. */
static int8_t *round_weight(const nf_matmul *mm, nf_weight *w) {
    int8_t *numbers = malloc(w->out * w->in + 1);
    if (!w->scales) w->scales = malloc(w->out * sizeof *w->scales + 1);
    if (!w->sums) w->sums = malloc(w->out * sizeof *w->sums + 1);
    if (!numbers || !w->scales || !w->sums) {
        free(numbers);
        return NULL;
    }
#pragma omp parallel for num_threads(mm->threads) schedule(static)
    for (size_t o = 0; o < w->out; o++) {
        mm->kernels->round_rows((uint8_t *)numbers + o * w->in, &w->scales[o],
                                w->values + o * w->in, 1, w->in);
        int32_t sum = 0;
        for (size_t i = 0; i < w->in; i++) { /* the kernel adds 128 */
            numbers[o * w->in + i] = (int8_t)(uint8_t)(numbers[o * w->in + i] ^ (int8_t)0x80);
            sum += numbers[o * w->in + i];
        }
        w->sums[o] = 128 * sum;
    }
    if (w->plain[FORWARD]) dnnl_memory_set_data_handle(w->plain[FORWARD], numbers);
    return numbers;
}

nerfit_status nf_matmul_weight_update(nf_matmul *mm, nf_weight *w, nerfit_error *err) {
    dnnl_status_t status = dnnl_success;
    int8_t *numbers = w->type == NF_PRODUCT_INT8 ? round_weight(mm, w) : NULL;
    if (w->type == NF_PRODUCT_INT8 && !numbers) return nf_no_memory(err, w->out * w->in);
    for (int d = 0; d < 2 && status == dnnl_success; d++) {
        if (!w->reorder[d]) continue;
        dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, w->plain[d]}, {DNNL_ARG_TO, w->packed[d]}};
        WITH_THREADS(mm->threads,
                     status = dnnl_primitive_execute(w->reorder[d], mm->stream, 2, args));
    }
    if (w->columns.memory) fill_columns(mm, w);
    if (status == dnnl_success) status = dnnl_stream_wait(mm->stream);
    free(numbers);
    return status == dnnl_success ? NERFIT_OK : failed(err, "reordering a weight", status);
}

/* ---------------------------------------------------------------- products */

static dnnl_status_t make(nf_matmul *mm, product *p, const nf_weight *w) {
    const product_key *key = &p->key;
    const dnnl_memory_desc_t *packed;
    dnnl_memory_get_memory_desc(w->packed[key->direction], &packed);
    dnnl_primitive_desc_t planned;
    dnnl_status_t status = plan(&planned, mm->engine, key, packed);
    if (status != dnnl_success) return status;
    status = dnnl_primitive_create(&p->primitive, planned);
    dnnl_memory_desc_t scratchpad =
        *dnnl_primitive_desc_query_md(planned, dnnl_query_scratchpad_md, 0);
    dnnl_primitive_desc_destroy(planned);
    if (status == dnnl_success)
        status = dnnl_memory_create(&p->scratchpad, &scratchpad, mm->engine, DNNL_MEMORY_ALLOCATE);
    dnnl_memory_desc_t source = matrix(key->rows, key->k, source_types[key->type], key->k, 1);
    dnnl_memory_desc_t destination = matrix(key->rows, key->n, result_types[key->type], key->n, 1);
    dnnl_memory_desc_t bias = matrix(1, key->n, dnnl_f32, key->n, 1);
    if (status == dnnl_success)
        status = dnnl_memory_create(&p->source, &source, mm->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&p->destination, &destination, mm->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&p->bias, &bias, mm->engine, DNNL_MEMORY_NONE);
    return status;
}

static dnnl_status_t find(nf_matmul *mm, const product_key *key, const nf_weight *w,
                          product **out) {
    product *p;
    HASH_FIND(hh, mm->products, key, sizeof *key, p);
    *out = p;
    if (p) return dnnl_success;
    p = calloc(1, sizeof *p);
    if (!p) return dnnl_out_of_memory;
    p->key = *key;
    dnnl_status_t status = make(mm, p, w);
    if (status == dnnl_success) {
        HASH_ADD(hh, mm->products, key, sizeof p->key, p);
        if (!p->hh.tbl) status = dnnl_out_of_memory;
    }
    if (status == dnnl_success)
        *out = p;
    else
        product_free(p);
    return status;
}

/* The rows of a product from `from` on, on the calling thread. */
static bool run_rows(nf_matmul *mm, product *p, const nf_weight *w, float *y, const float *x,
                     const float *bias, size_t from) {
    const product_key *key = &p->key;
    const void *source = x;
    const float *added = bias;
    if (key->type == NF_PRODUCT_BF16) {
        uint16_t *scratch = mm->scratch + from * key->k;
        mm->kernels->to_bf16(scratch, x, key->rows * key->k);
        source = scratch;
    } else if (key->type == NF_PRODUCT_INT8) {
        uint8_t *scratch = (uint8_t *)(mm->scratch + from * key->k);
        mm->kernels->round_rows(scratch, mm->row_scales + from, x, key->rows, key->k);
        source = scratch;
        bias = NULL;
    }
    dnnl_memory_set_data_handle(p->source, (void *)(uintptr_t)source);
    dnnl_memory_set_data_handle(p->destination, y);
    dnnl_memory_set_data_handle(p->bias, (void *)(uintptr_t)bias);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, p->source},
                              {DNNL_ARG_WEIGHTS, w->packed[key->direction]},
                              {DNNL_ARG_DST, p->destination},
                              {DNNL_ARG_SCRATCHPAD, p->scratchpad},
                              {DNNL_ARG_BIAS, p->bias}};
    bool done =
        dnnl_primitive_execute(p->primitive, mm->stream, key->bias ? 5 : 4, args) == dnnl_success &&
        dnnl_stream_wait(mm->stream) == dnnl_success;
    if (done && key->type == NF_PRODUCT_INT8)
        mm->kernels->from_sums(y, mm->row_scales + from, w->scales, w->sums, added, key->rows,
                               key->n);
    return done;
}

/* A thread's rows in runs of few + 1 and then `few`, with the primitives of these two. */
static bool run_part(nf_matmul *mm, product *const sizes[2], const nf_weight *w, float *y,
                     const float *x, const float *bias, size_t from, size_t rows) {
    size_t runs = (rows + MOST_ROWS - 1) / MOST_ROWS, few = rows / runs, more = rows % runs;
    for (size_t i = 0; i < runs; i++) {
        product *p = sizes[i < more];
        if (!run_rows(mm, p, w, y + from * p->key.n, x + from * p->key.k, bias, from)) return false;
        from += few + (i < more);
    }
    return true;
}

/* Threads divide the rows: one region for the conversion and the product, in which each thread
 * reads the whole weight but nothing that another one has made. With dnnl_unimplemented nothing was
 * computed; after any other failure the result is void (oneDNN's primitives fail for want of memory). */
static dnnl_status_t run_packed(nf_matmul *mm, const product_key *whole, const nf_weight *w,
                                float *y, const float *x, const float *bias) {
    size_t rows = whole->rows, parts = rows / FEWEST_ROWS, count = rows * whole->k;
    product *products[MAX_PARTS][2];
    bool done[MAX_PARTS], all = true;
    if (parts > (size_t)mm->threads) parts = (size_t)mm->threads;
    if (parts < 1) parts = 1;
    if (whole->type == NF_PRODUCT_INT8 && rows > mm->row_scales_size) {
        free(mm->row_scales);
        mm->row_scales = malloc(rows * sizeof *mm->row_scales);
        mm->row_scales_size = mm->row_scales ? rows : 0;
        if (!mm->row_scales) return dnnl_out_of_memory;
    }
    if (whole->type != NF_PRODUCT_F32 && count > mm->scratch_size) {
        free(mm->scratch);
        mm->scratch = aligned_alloc(64, (count * 2 + 127) & ~(size_t)63);
        mm->scratch_size = mm->scratch ? count : 0;
        if (!mm->scratch) return dnnl_out_of_memory;
    }
    if (HASH_COUNT(mm->products) + 2 * parts > MAX_PRIMITIVES) drop_products(mm);
    for (size_t i = 0; i < parts; i++) {
        product_key key = *whole;
        size_t own = rows * (i + 1) / parts - rows * i / parts;
        size_t runs = (own + MOST_ROWS - 1) / MOST_ROWS;
        key.part = (int32_t)i;
        for (size_t more = 0; more < 2; more++) {
            key.rows = own / runs + more;
            products[i][more] = NULL;
            if (more && own % runs == 0) continue;
            dnnl_status_t status = find(mm, &key, w, &products[i][more]);
            if (status != dnnl_success) return status;
        }
    }
#pragma omp parallel for num_threads((int)parts) schedule(static, 1) if (parts > 1)
    for (size_t i = 0; i < parts; i++) {
        size_t from = rows * i / parts;
        done[i] = run_part(mm, products[i], w, y, x, bias, from, rows * (i + 1) / parts - from);
    }
    for (size_t i = 0; i < parts; i++) all = all && done[i];
    return all ? dnnl_success : dnnl_out_of_memory;
}

size_t nf_matmul_plain(nf_matmul *mm, float *c, const float *a, const float *b,
                       const nf_product *p) {
    size_t m = p->m, n = p->n, k = p->k;
    dnnl_status_t status = dnnl_success;
    if (m == 0 || n == 0) return 0;
    if (k == 0) {
        if (!p->accumulate) memset(c, 0, m * n * sizeof *c);
        return 0;
    }
    WITH_THREADS(mm->threads,
                 status = dnnl_sgemm(p->trans_a ? 'T' : 'N', p->trans_b ? 'T' : 'N', (dnnl_dim_t)m,
                                     (dnnl_dim_t)n, (dnnl_dim_t)k, (float)p->alpha, a,
                                     (dnnl_dim_t)(p->trans_a ? m : k), b,
                                     (dnnl_dim_t)(p->trans_b ? k : n), p->accumulate ? 1.0f : 0.0f,
                                     c, (dnnl_dim_t)n));
    return status == dnnl_success ? 0 : m * n * sizeof *c;
}

/* Where oneDNN has no primitive for a product, the plain one does the work. Out of memory that would
 * be another rounding than with memory: it is an error. */
size_t nf_matmul_forward(nf_matmul *mm, float *y, const float *x, const nf_weight *w,
                         const float *bias, size_t n) {
    if (n == 0) return 0;
    product_key key = {.rows = n,
                       .k = w->in,
                       .n = w->out,
                       .direction = FORWARD,
                       .type = w->type,
                       .bias = bias != NULL && w->type != NF_PRODUCT_INT8};
    dnnl_status_t status = dnnl_unimplemented;
    if (w->packed[FORWARD]) WITH_THREADS(1, status = run_packed(mm, &key, w, y, x, bias));
    if (status != dnnl_unimplemented) return status == dnnl_success ? 0 : n * w->out * sizeof *y;
    const nf_product plain = {.m = n, .n = w->out, .k = w->in, .trans_b = true, .alpha = 1.0};
    size_t missing = nf_matmul_plain(mm, y, x, w->values, &plain);
    for (size_t t = 0; t < n && bias; t++) mm->kernels->axpy(y + t * w->out, 1.0f, bias, w->out);
    return missing;
}

size_t nf_matmul_backward(nf_matmul *mm, float *dx, const float *dy, const nf_weight *w, size_t n,
                          bool accumulate) {
    if (n == 0) return 0;
    product_key key = {.rows = n,
                       .k = w->out,
                       .n = w->in,
                       .direction = BACKWARD,
                       .type = w->type,
                       .accumulate = accumulate};
    dnnl_status_t status = dnnl_unimplemented;
    if (w->packed[BACKWARD]) WITH_THREADS(1, status = run_packed(mm, &key, w, dx, dy, NULL));
    if (status != dnnl_unimplemented) return status == dnnl_success ? 0 : n * w->in * sizeof *dx;
    const nf_product plain = {
        .m = n, .n = w->in, .k = w->out, .alpha = 1.0, .accumulate = accumulate};
    return nf_matmul_plain(mm, dx, dy, w->values, &plain);
}
