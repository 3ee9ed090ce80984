/* Compiled with -ffast-math: expf becomes libmvec's vector function. NF_ISA names the instruction
 * set. */
#include "tensor/cpu/attention.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "tensor/cpu/kernels.h"

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)

enum { QUERIES = 64, TERM_ROWS = 16 }; /* of a block; those for which a table's rows are chosen */

static size_t up16(size_t n) {
    return (n + 15) & ~(size_t)15;
}

/* Everything about one text and head, its scratch included. Matrices whose rows are read in whole
 * vectors have rows of a multiple of 16 floats. */
typedef struct work {
    const nf_attention_job *job;
    const nf_attention_shape *shape;
    const nf_relative *relative;
    const nf_kernels *kernels;
    int32_t first, length, head, d, heads;
    float scale;
    ptrdiff_t q_row, kv_row, flat; /* strides of q; of k and v; of out and its gradient */
    size_t q_at, kv_at, flat_at;   /* of the text's first row and this head in them */
    /* rows of q, k, v, dout of which up16(d) columns can be read, and their strides */
    const float *q, *k, *v, *g;
    size_t q_stride, k_stride, v_stride, g_stride;
    float *kt, *vt; /* [d, width] */
    size_t width;
    /* a block: scores or probabilities, their gradients, dropout factors of a row */
    float *p, *ds, *dp, *factors;
    size_t block_width;
    /* relative terms: rows low .. low + n of the tables are met */
    int32_t low, n;
    const float *keys, *queries; /* [n, up16(d)]: of this head; NULL: given by columns */
    size_t table_stride, part;
    const float *keys_t, *queries_t; /* [d, columns_stride] */
    size_t columns_stride;
    float *c2p, *dc2p;   /* [QUERIES, relative_width] */
    float *p2c, *dp2c;   /* [length, relative_width] */
    float *bias, *dbias; /* [2 length - 1], by distance */
    size_t relative_width;
} work;

static size_t block_width(const nf_attention_shape *shape, int32_t longest) {
    size_t all = up16((size_t)longest) + 16;
    size_t window = up16(QUERIES + 2 * (size_t)shape->rule.window + 8) + 16;
    return shape->rule.window && window < all ? window : all;
}

static float *take(float **scratch, size_t count) {
    float *taken = *scratch;
    *scratch += up16(count);
    return taken;
}

/* x itself, or with other head sizes than whole vectors a copy that is rounded up */
static const float *readable(float **scratch, const float *x, ptrdiff_t stride, int32_t rows,
                             int32_t d, size_t *out_stride) {
    *out_stride = (size_t)stride;
    if (d % 16 == 0) return x;
    *out_stride = up16((size_t)d);
    float *copy = take(scratch, (size_t)rows * *out_stride);
    memset(copy, 0, (size_t)rows * *out_stride * sizeof *copy);
    for (int32_t i = 0; i < rows; i++)
        memcpy(copy + (size_t)i * *out_stride, x + i * stride, (size_t)d * sizeof *copy);
    return copy;
}

static void transpose(float *xt, size_t width, const float *x, size_t stride, int32_t rows,
                      int32_t d) {
    for (int32_t l = 0; l < d; l++) {
        float *row = xt + (size_t)l * width;
        for (int32_t j = 0; j < rows; j++) row[j] = x[(size_t)j * stride + (size_t)l];
        memset(row + rows, 0, (width - (size_t)rows) * sizeof *row);
    }
}

/* Which rows of the tables this text's distances meet. */
static void find_rows(work *w) {
    const nf_relative *r = w->relative;
    int32_t low = r->n_rows, high = -1;
    for (int32_t distance = 1 - w->length; distance < w->length; distance++) {
        int32_t row = r->rows[r->reach + distance];
        if (row < low) low = row;
        if (row > high) high = row;
    }
    w->low = low;
    w->n = high - low + 1;
}

static void set_bias(work *w, bool backward, float **scratch) {
    const nf_relative *r = w->relative;
    size_t length = (size_t)w->length;
    w->bias = take(scratch, 2 * length);
    w->dbias = take(scratch, 2 * length);
    for (int32_t i = 0; i < 2 * w->length - 1; i++) {
        int32_t row = r->rows[r->reach + i - w->length + 1];
        w->bias[i] = ((const float *)r->bias)[row * w->heads + w->head];
    }
    if (backward) memset(w->dbias, 0, 2 * length * sizeof *w->dbias);
}

/* This head's part of a table by columns [d, columns_stride]: as it is given, or made of its rows. */
static const float *by_columns(work *w, const nf_values *columns, const nf_values *rows,
                               const float **own_rows, float **scratch) {
    const nf_relative *r = w->relative;
    if (columns) {
        w->columns_stride = r->columns_stride;
        return (const float *)columns + (size_t)w->head * (size_t)w->d * r->columns_stride + w->low;
    }
    float *made = take(scratch, (size_t)w->d * w->relative_width);
    *own_rows = readable(scratch, (const float *)rows + w->part, (ptrdiff_t)w->heads * w->d, w->n,
                         w->d, &w->table_stride);
    transpose(made, w->relative_width, *own_rows, w->table_stride, w->n, w->d);
    w->columns_stride = w->relative_width;
    return made;
}

/* terms [rows, relative_width] = scale x table, for rows first .. first + rows of the text, which are
 * keys or queries; of the table only those rows that their distances meet. */
static void relative_product(const work *w, float *terms, const float *x, size_t stride,
                             const float *table, int32_t first, int32_t rows, bool keys) {
    for (int32_t i = 0; i < rows; i += TERM_ROWS) {
        int32_t n = rows - i < TERM_ROWS ? rows - i : TERM_ROWS, at = first + i;
        /* a key's distance from a query is the key's place less the query's */
        int32_t nearest = keys ? at - w->length + 1 : 1 - at - n;
        int32_t low = w->n, high = -1;
        const int32_t *met = w->relative->rows + w->relative->reach + nearest;
        for (int32_t k = 0; k < w->length + n - 1; k++) {
            int32_t row = met[k] - w->low;
            low = row < low ? row : low;
            high = row > high ? row : high;
        }
        w->kernels->thin_product(terms + (size_t)i * w->relative_width + low,
                                 x + (size_t)i * stride, table + low,
                                 &(nf_thin){.m = (size_t)n,
                                            .n = up16((size_t)(high - low + 1)),
                                            .k = (size_t)w->d,
                                            .c_stride = w->relative_width,
                                            .a_row = stride,
                                            .a_col = 1,
                                            .b_stride = w->columns_stride,
                                            .alpha = w->scale});
    }
}

static void set_relative(work *w, bool backward, float **scratch) {
    const nf_relative *r = w->relative;
    size_t rw = w->relative_width = up16((size_t)r->n_rows) + 16, length = (size_t)w->length;
    find_rows(w);
    w->part = ((size_t)w->low * (size_t)w->heads + (size_t)w->head) * (size_t)w->d;
    if (r->bias) set_bias(w, backward, scratch);
    if (r->keys || r->key_columns) {
        w->keys_t = by_columns(w, r->key_columns, r->keys, &w->keys, scratch);
        w->c2p = take(scratch, QUERIES * rw);
        w->dc2p = take(scratch, QUERIES * rw);
    }
    if (r->queries || r->query_columns) {
        w->queries_t = by_columns(w, r->query_columns, r->queries, &w->queries, scratch);
        w->p2c = take(scratch, length * rw);
        w->dp2c = take(scratch, length * rw);
        relative_product(w, w->p2c, w->k, w->k_stride, w->queries_t, 0, w->length, true);
        if (backward) memset(w->dp2c, 0, length * rw * sizeof *w->dp2c);
    }
}

static work start(const nf_attention_job *job, int32_t sequence, int32_t head, bool backward,
                  float *scratch) {
    const nf_attention_operands *a = &job->operands;
    const nf_attention_shape *shape = a->shape;
    work w = {.job = job,
              .shape = shape,
              .relative = shape->relative,
              .kernels = job->kernels,
              .head = head,
              .d = shape->head_size,
              .heads = shape->n_heads,
              .scale = (float)shape->scale,
              .q_row = shape->q_stride,
              .kv_row = shape->kv_stride};
    w.first = a->sequences->cu_seqlens[sequence];
    w.length = a->sequences->cu_seqlens[sequence + 1] - w.first;
    if (w.length == 0) return w;
    int32_t kv_head = head / nf_attention_group(shape);
    w.flat = (ptrdiff_t)w.heads * w.d;
    w.q_at = (size_t)(w.first * w.q_row + (ptrdiff_t)head * w.d);
    w.kv_at = (size_t)(w.first * w.kv_row + (ptrdiff_t)kv_head * w.d);
    w.flat_at = (size_t)(w.first * w.flat + (ptrdiff_t)head * w.d);
    w.q = readable(&scratch, (const float *)a->q + w.q_at, w.q_row, w.length, w.d, &w.q_stride);
    w.k = readable(&scratch, (const float *)a->k + w.kv_at, w.kv_row, w.length, w.d, &w.k_stride);
    w.v = readable(&scratch, (const float *)a->v + w.kv_at, w.kv_row, w.length, w.d, &w.v_stride);
    w.width = up16((size_t)w.length) + 16;
    w.kt = take(&scratch, (size_t)w.d * w.width);
    transpose(w.kt, w.width, w.k, w.k_stride, w.length, w.d);
    w.block_width = block_width(shape, w.length);
    w.p = take(&scratch, QUERIES * w.block_width);
    w.factors = take(&scratch, w.block_width);
    if (backward) {
        w.g = readable(&scratch, job->dout + w.flat_at, w.flat, w.length, w.d, &w.g_stride);
        w.vt = take(&scratch, (size_t)w.d * w.width);
        transpose(w.vt, w.width, w.v, w.v_stride, w.length, w.d);
        w.ds = take(&scratch, QUERIES * w.block_width);
        w.dp = take(&scratch, QUERIES * w.block_width);
    }
    if (w.relative) set_relative(&w, backward, &scratch);
    return w;
}

static size_t scratch_size(const nf_attention_shape *shape, int32_t longest) {
    size_t length = (size_t)longest, d = up16((size_t)shape->head_size), width = up16(length) + 16;
    size_t count = 4 * length * d + 2 * d * width + (3 * QUERIES + 1) * block_width(shape, longest);
    if (shape->relative) {
        size_t rows = (size_t)shape->relative->n_rows, rw = up16(rows) + 16;
        count +=
            2 * up16(2 * length) + 2 * rows * d + 2 * d * rw + 2 * QUERIES * rw + 2 * length * rw;
    }
    return up16(count) + 256; /* what each array is rounded up */
}

/* Queries i .. i + rows of the text and the keys from .. to that any of them sees. */
typedef struct block {
    int32_t i, rows, from, to;
} block;

static block block_at(const work *w, int32_t i) {
    block b = {i, w->length - i < QUERIES ? w->length - i : QUERIES, 0, w->length};
    int32_t window = w->shape->rule.window;
    if (window && i > window) b.from = (i - window) & ~7; /* dropout's numbers come in eights */
    if (window && i + b.rows + window < w->length) b.to = i + b.rows + window;
    return b;
}

/* The keys that query i + t sees, counted from the block's first. */
static int32_t seen_from(const work *w, const block *b, int32_t t) {
    int32_t window = w->shape->rule.window, from = b->i + t - window;
    return window && from > b->from ? from - b->from : 0;
}
static int32_t seen_to(const work *w, const block *b, int32_t t) {
    int32_t window = w->shape->rule.window, to = b->i + t + window + 1;
    return (window && to < b->to ? to : b->to) - b->from;
}

static void add_relative(const work *w, const block *b) {
    const nf_relative *r = w->relative;
    size_t rw = w->relative_width;
    int32_t count = b->to - b->from;
    if (w->keys_t)
        relative_product(w, w->c2p, w->q + (size_t)b->i * w->q_stride, w->q_stride, w->keys_t, b->i,
                         b->rows, false);
    for (int32_t t = 0; t < b->rows; t++) {
        float *row = w->p + (size_t)t * w->block_width;
        int32_t distance = b->from - b->i - t;
        const int32_t *rows = r->rows + r->reach + distance;
        if (w->bias) {
            const float *bias = w->bias + w->length - 1 + distance;
            for (int32_t j = 0; j < count; j++) row[j] += bias[j];
        }
        if (w->keys_t) {
            const float *terms = w->c2p + (size_t)t * rw;
            for (int32_t j = 0; j < count; j++) row[j] += terms[rows[j] - w->low];
        }
        if (w->queries_t) {
            const float *terms = w->p2c + (size_t)b->from * rw;
            for (int32_t j = 0; j < count; j++)
                row[j] += terms[(size_t)j * rw + (size_t)(rows[j] - w->low)];
        }
    }
}

static void scores(const work *w, const block *b) {
    w->kernels->thin_product(w->p, w->q + (size_t)b->i * w->q_stride, w->kt + b->from,
                             &(nf_thin){.m = (size_t)b->rows,
                                        .n = up16((size_t)(b->to - b->from)),
                                        .k = (size_t)w->d,
                                        .c_stride = w->block_width,
                                        .a_row = w->q_stride,
                                        .a_col = 1,
                                        .b_stride = w->width,
                                        .alpha = w->scale});
    if (w->relative) add_relative(w, b);
}

static void set_factors(const work *w, const block *b, int32_t t) {
    const nf_dropout *d = w->job->operands.dropout;
    for (size_t j = 0; j < w->block_width; j++) w->factors[j] = 1.0f;
    if (!d || d->p <= 0.0) return;
    uint64_t element = nf_attention_element(w->first + b->i + t, b->from, w->head, w->heads,
                                            w->job->operands.sequences->longest);
    w->kernels->dropout_at(w->factors, element, (size_t)(b->to - b->from), d);
}

static void forward(const nf_attention_job *job, int32_t sequence, int32_t head, float *scratch) {
    const nf_attention_operands *a = &job->operands;
    work w = start(job, sequence, head, false, scratch);
    float *out = (float *)a->out + w.flat_at, *lse = (float *)a->lse;
    bool drops = a->dropout && a->dropout->p > 0.0;
    for (int32_t i = 0; i < w.length; i += QUERIES) {
        block b = block_at(&w, i);
        int32_t count = b.to - b.from;
        scores(&w, &b);
        for (int32_t t = 0; t < b.rows; t++) {
            float *row = w.p + (size_t)t * w.block_width, most = -FLT_MAX, sum = 0.0f;
            int32_t from = seen_from(&w, &b, t), to = seen_to(&w, &b, t);
            for (int32_t j = from; j < to; j++) most = row[j] > most ? row[j] : most;
            for (int32_t j = from; j < to; j++) {
                row[j] = expf(row[j] - most);
                sum += row[j];
            }
            float inverse = 1.0f / sum;
            for (int32_t j = 0; j < from; j++) row[j] = 0.0f;
            for (int32_t j = from; j < to; j++) row[j] *= inverse;
            for (int32_t j = to; j < count; j++) row[j] = 0.0f;
            if (lse) lse[(w.first + i + t) * w.heads + head] = most + logf(sum);
            if (!drops) continue;
            set_factors(&w, &b, t);
            for (int32_t j = 0; j < count; j++) row[j] *= w.factors[j];
        }
        w.kernels->thin_product(out + i * w.flat, w.p, w.v + (size_t)b.from * w.v_stride,
                                &(nf_thin){.m = (size_t)b.rows,
                                           .n = (size_t)w.d,
                                           .k = (size_t)count,
                                           .c_stride = (size_t)w.flat,
                                           .a_row = w.block_width,
                                           .a_col = 1,
                                           .b_stride = w.v_stride,
                                           .alpha = 1.0f});
    }
}

/* The gradients by the relative terms of a block's scores, whose gradients are in ds. */
static void relative_backward(const work *w, const block *b) {
    const nf_relative *r = w->relative;
    const nf_kernels *k = w->kernels;
    size_t rw = w->relative_width;
    int32_t count = b->to - b->from;
    for (int32_t t = 0; t < b->rows; t++) {
        const float *row = w->ds + (size_t)t * w->block_width;
        int32_t distance = b->from - b->i - t;
        const int32_t *rows = r->rows + r->reach + distance;
        if (w->bias) {
            float *dbias = w->dbias + w->length - 1 + distance;
            for (int32_t j = 0; j < count; j++) dbias[j] += row[j];
        }
        if (w->keys) {
            float *terms = w->dc2p + (size_t)t * rw;
            memset(terms, 0, rw * sizeof *terms);
            for (int32_t j = 0; j < count; j++) terms[rows[j] - w->low] += row[j];
        }
        if (w->queries) {
            float *terms = w->dp2c + (size_t)b->from * rw;
            for (int32_t j = 0; j < count; j++)
                terms[(size_t)j * rw + (size_t)(rows[j] - w->low)] += row[j];
        }
    }
    if (!w->keys) return;
    nf_thin by_keys = {.m = (size_t)b->rows,
                       .n = (size_t)w->d,
                       .k = (size_t)w->n,
                       .c_stride = (size_t)w->q_row,
                       .a_row = rw,
                       .a_col = 1,
                       .b_stride = w->table_stride,
                       .alpha = w->scale,
                       .accumulate = true};
    k->thin_product(w->job->dq + w->q_at + b->i * w->q_row, w->dc2p, w->keys, &by_keys);
    nf_thin by_queries = {.m = (size_t)w->n,
                          .n = (size_t)w->d,
                          .k = (size_t)b->rows,
                          .c_stride = (size_t)w->flat,
                          .a_row = 1,
                          .a_col = rw,
                          .b_stride = w->q_stride,
                          .alpha = w->scale,
                          .accumulate = true};
    if (r->dkeys)
        k->thin_product((float *)r->dkeys + w->part, w->dc2p, w->q + (size_t)b->i * w->q_stride,
                        &by_queries);
}

/* What was gathered over all of a text's queries. */
static void relative_finish(const work *w) {
    const nf_relative *r = w->relative;
    const nf_kernels *k = w->kernels;
    size_t rw = w->relative_width;
    if (w->bias && r->dbias)
        for (int32_t i = 0; i < 2 * w->length - 1; i++) {
            int32_t row = r->rows[r->reach + i - w->length + 1];
            ((float *)r->dbias)[row * w->heads + w->head] += w->dbias[i];
        }
    if (!w->queries) return;
    nf_thin by_queries = {.m = (size_t)w->length,
                          .n = (size_t)w->d,
                          .k = (size_t)w->n,
                          .c_stride = (size_t)w->kv_row,
                          .a_row = rw,
                          .a_col = 1,
                          .b_stride = w->table_stride,
                          .alpha = w->scale,
                          .accumulate = true};
    k->thin_product(w->job->dk + w->kv_at, w->dp2c, w->queries, &by_queries);
    nf_thin by_keys = {.m = (size_t)w->n,
                       .n = (size_t)w->d,
                       .k = (size_t)w->length,
                       .c_stride = (size_t)w->flat,
                       .a_row = 1,
                       .a_col = rw,
                       .b_stride = w->k_stride,
                       .alpha = w->scale,
                       .accumulate = true};
    if (r->dqueries) k->thin_product((float *)r->dqueries + w->part, w->dp2c, w->k, &by_keys);
}

/* The formulas are at ref.c's attention_backward. */
static void backward(const nf_attention_job *job, int32_t sequence, int32_t head, float *scratch) {
    const nf_attention_operands *a = &job->operands;
    work w = start(job, sequence, head, true, scratch);
    const nf_kernels *k = w.kernels;
    size_t q_row = (size_t)w.q_row, kv_row = (size_t)w.kv_row, d = (size_t)w.d, bw = w.block_width;
    const float *lse = (const float *)a->lse;
    bool writes = head % nf_attention_group(w.shape) == 0;
    for (int32_t i = 0; i < w.length && writes; i++) {
        memset(job->dk + w.kv_at + (size_t)i * kv_row, 0, d * sizeof(float));
        memset(job->dv + w.kv_at + (size_t)i * kv_row, 0, d * sizeof(float));
    }
    for (int32_t i = 0; i < w.length; i += QUERIES) {
        block b = block_at(&w, i);
        size_t rows = (size_t)b.rows, count = (size_t)(b.to - b.from), from = (size_t)b.from;
        const float *g = w.g + (size_t)i * w.g_stride, *q = w.q + (size_t)i * w.q_stride;
        const float *y = (const float *)a->out + w.flat_at + i * w.flat;
        float *dq = job->dq + w.q_at + (size_t)i * q_row;
        float *dk = job->dk + w.kv_at + from * kv_row, *dv = job->dv + w.kv_at + from * kv_row;
        scores(&w, &b);
        /* by values: dp [rows, count] = g v^T */
        nf_thin shape = {.m = rows,
                         .n = count,
                         .k = d,
                         .c_stride = bw,
                         .a_row = w.g_stride,
                         .a_col = 1,
                         .b_stride = w.width,
                         .alpha = 1.0f};
        k->thin_product(w.dp, g, w.vt + from, &shape);
        for (int32_t t = 0; t < b.rows; t++) {
            float *row = w.p + (size_t)t * bw, *drow = w.ds + (size_t)t * bw, own = 0.0f;
            const float *dprow = w.dp + (size_t)t * bw;
            float total = lse[(w.first + i + t) * w.heads + head];
            int32_t low = seen_from(&w, &b, t), high = seen_to(&w, &b, t);
            for (size_t l = 0; l < d; l++)
                own += g[(size_t)t * w.g_stride + l] * y[(ptrdiff_t)t * w.flat + (ptrdiff_t)l];
            set_factors(&w, &b, t);
            for (int32_t j = 0; j < low; j++) row[j] = drow[j] = 0.0f;
            for (int32_t j = low; j < high; j++) {
                float p = expf(row[j] - total);
                drow[j] = p * (w.factors[j] * dprow[j] - own);
                row[j] = p * w.factors[j];
            }
            for (size_t j = (size_t)high; j < count; j++) row[j] = drow[j] = 0.0f;
        }
        /* dq [rows, d] = scale ds k; dk [count, d] += scale ds^T q; dv += p^T g */
        shape = (nf_thin){.m = rows,
                          .n = d,
                          .k = count,
                          .c_stride = q_row,
                          .a_row = bw,
                          .a_col = 1,
                          .b_stride = w.k_stride,
                          .alpha = w.scale};
        k->thin_product(dq, w.ds, w.k + from * w.k_stride, &shape);
        shape = (nf_thin){.m = count,
                          .n = d,
                          .k = rows,
                          .c_stride = kv_row,
                          .a_row = 1,
                          .a_col = bw,
                          .b_stride = w.q_stride,
                          .alpha = w.scale,
                          .accumulate = true};
        k->thin_product(dk, w.ds, q, &shape);
        shape.b_stride = w.g_stride;
        shape.alpha = 1.0f;
        k->thin_product(dv, w.p, g, &shape);
        if (w.relative) relative_backward(&w, &b);
    }
    if (w.relative && w.length) relative_finish(&w);
}

static bool needed(const nf_attention_shape *shape, int32_t longest) {
    int32_t window = shape->rule.window;
    return shape->relative || (window && window < longest) || longest > NF_LONGEST_PLAIN;
}

extern const nf_attention_kernels JOIN(nf_attention_terms_, NF_ISA);
const nf_attention_kernels JOIN(nf_attention_terms_, NF_ISA) = {
    .needed = needed, .scratch = scratch_size, .forward = forward, .backward = backward};
