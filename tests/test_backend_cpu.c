/* Every operation of the cpu backend against the reference backend, over shapes that end in the
 * middle of a vector, empty ones, and large ones that are divided among threads. */
#include "test.h"

#include <math.h>

#include "base/rng.h"
#include "tensor/backends.h"
#include "tensor/profile.h"

static nerfit_error error;
static nf_backend *ref, *cpu; /* cpu: measured, so that it shows what was never called */
static nf_profile profile;
static bool has_bf16;
static nf_rng rng;

typedef struct shape {
    size_t n, c;
} shape;
static const shape shapes[] = {{0, 16}, {1, 1},    {1, 7},     {3, 16},
                               {5, 33}, {64, 384}, {130, 257}, {700, 520}};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

/* Equal random values on both sides; the float backends' memory is the host's. */
static float *values(size_t n) {
    float *x = aligned_alloc(64, (n * sizeof *x + 191) & ~(size_t)63);
    for (size_t i = 0; i < n; i++) x[i] = (float)nf_rng_normal(&rng);
    return x;
}
static float *same(const float *x, size_t n) {
    float *y = aligned_alloc(64, (n * sizeof *y + 191) & ~(size_t)63);
    memcpy(y, x, n * sizeof *y);
    return y;
}
#define V(x) ((nf_values *)(x))

static void compare(const char *name, const float *expected, const float *given, size_t n,
                    double tolerance, const shape *s) {
    double size = 1e-2;
    for (size_t i = 0; i < n; i++) size = fmax(size, fabs((double)expected[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)expected[i] - (double)given[i]) <= tolerance * size))
            fail_msg("%s [%zu, %zu]: element %zu is %.9g, expected %.9g", name, s->n, s->c, i,
                     (double)given[i], (double)expected[i]);
}

/* Runs `call` on both backends with outputs a and b that start equal, and compares them. */
#define BOTH(name, count, tolerance, s, ...)                                                       \
    do {                                                                                           \
        float *a_ = values(count), *b_ = same(a_, count);                                          \
        for (int side_ = 0; side_ < 2; side_++) {                                                  \
            nf_backend *be = side_ ? cpu : ref;                                                    \
            float *y = side_ ? b_ : a_;                                                            \
            (void)y;                                                                               \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
        compare(name, a_, b_, count, tolerance, s);                                                \
        free(a_);                                                                                  \
        free(b_);                                                                                  \
    } while (0)

static void elementwise(const shape *s) {
    size_t n = s->n * s->c;
    float *x = values(n), *z = values(n), *column = values(s->c);
    const nf_dropout drop = {
        .p = 0.3, .seed = 0x123456789abcull, .step = 0x100000007ull, .stream = 5};
    const nf_dropout none = {0};
    BOTH("axpy", n, 1e-6, s, be->axpy(be, V(y), 0.7, V(x), n));
    BOTH("dropout", n, 1e-6, s, be->dropout(be, V(y), V(x), n, &drop));
    nf_dropout part = drop; /* of a stream whose first elements belong to another thread */
    part.first = 24;
    BOTH("dropout, a part", n, 1e-6, s, be->dropout(be, V(y), V(x), n, &part));
    BOTH("dropout 0", n, 0, s, be->dropout(be, V(y), V(x), n, &none));
    BOTH("dropout in place", n, 1e-6, s, be->dropout(be, V(y), V(y), n, &drop));
    static const char *const names[] = {"none", "gelu", "gelu_tanh", "relu", "tanh", "silu"};
    for (int k = NF_ACTIVATION_NONE; k <= NF_ACTIVATION_SILU; k++) {
        BOTH(names[k], n, 2e-6, s, be->activation_forward(be, (nf_activation)k, V(y), V(x), n));
        BOTH(names[k], n, 4e-6, s,
             be->activation_backward(be, (nf_activation)k, V(y), V(z), V(x), n));
    }
    BOTH("scale_columns", n, 1e-6, s,
         be->scale_columns(be, V(y), V(x), V(column), s->n, s->c, true));
    BOTH("scale_columns", n, 1e-6, s,
         be->scale_columns(be, V(y), V(x), V(column), s->n, s->c, false));
    BOTH("add_rows", n, 1e-6, s, be->add_rows(be, V(y), V(column), s->n, s->c));
    BOTH("copy", n, 0, s, be->copy(be, V(y), V(x), n));
    BOTH("zero", n, 0, s, be->zero(be, V(y), n));
    BOTH("from_f32", n, 0, s, be->from_f32(be, V(y), x, n));
    BOTH("to_f32", n, 0, s, be->to_f32(be, y, V(x), n));
    BOTH("to_f64, from_f64", n, 0, s, {
        double *wide = malloc(n * sizeof *wide + 1);
        be->to_f64(be, wide, V(x), n);
        for (size_t i = 0; i < n; i++) wide[i] *= 3.0;
        be->from_f64(be, V(y), wide, n);
        free(wide);
    });
    BOTH("ints", n, 0, s, {
        be->ints_in(be, (int32_t *)y, (const int32_t *)x, n);
        be->ints_out(be, (int32_t *)y, (const int32_t *)y, n);
    });
    BOTH("column_sums", s->c, 1e-5, s, be->column_sums(be, V(y), V(x), s->n, s->c));
    BOTH("column_dots", s->c, 1e-5, s, be->column_dots(be, V(y), V(x), V(z), s->n, s->c));
    BOTH("row_squares", s->n, 1e-5, s, be->row_squares(be, V(y), V(x), s->n, s->c));
    BOTH("divide", s->c, 1e-6, s, be->divide(be, V(y), V(column), V(column), s->c));
    double a = ref->sum_of_squares(ref, V(x), n), b = cpu->sum_of_squares(cpu, V(x), n);
    assert_true(fabs(a - b) <= 1e-5 * fmax(1.0, a));
    const int32_t some[] = {2, 0};
    if (s->n > 2) {
        a = ref->sum_of_squares_rows(ref, V(x), some, 2, s->c);
        b = cpu->sum_of_squares_rows(cpu, V(x), some, 2, s->c);
        assert_true(fabs(a - b) <= 1e-5 * fmax(1.0, a));
        double parts =
            ref->sum_of_squares(ref, V(x), s->c) + ref->sum_of_squares(ref, V(x + 2 * s->c), s->c);
        assert_true(fabs(a - parts) <= 1e-9 * fmax(1.0, a));
    }
    BOTH("normalize", n, 1e-5, s, {
        float *norms = values(s->n);
        be->normalize_forward(be, V(y), V(norms), V(x), s->n, s->c);
        be->normalize_backward(be, V(y), V(z), V(y), V(norms), s->n, s->c);
        free(norms);
    });
    BOTH("softmax", n, 1e-5, s, be->softmax(be, V(y), V(x), s->n, s->c));
    BOTH("adamw", n, 1e-5, s, {
        nf_adamw o = {.learning_rate = 0.1,
                      .beta1 = 0.9,
                      .beta2 = 0.999,
                      .epsilon = 1e-8,
                      .weight_decay = 0.01,
                      .grad_scale = 0.5,
                      .step = 3};
        float *m = same(x, n), *v = same(x, n);
        for (size_t i = 0; i < n; i++) v[i] = fabsf(v[i]);
        be->adamw(be, &(nf_adamw_arrays){V(y), V(z), V(m), V(v)}, n, &o);
        free(m);
        free(v);
    });
    const double rates[] = {1e-3, 0.0, 3e-7, 0.25};
    BOTH("decay", n, 1e-6, s, be->decay(be, V(y), n, rates, 4));
    if (s->n > 2)
        BOTH("adamw_rows", n, 1e-5, s, {
            nf_adamw o = {.learning_rate = 0.1,
                          .beta1 = 0.9,
                          .beta2 = 0.999,
                          .epsilon = 1e-8,
                          .weight_decay = 0.01,
                          .grad_scale = 0.5,
                          .step = 3};
            const int32_t rows[] = {2, 0};
            float *m = same(x, n), *v = same(x, n);
            for (size_t i = 0; i < n; i++) v[i] = fabsf(v[i]);
            be->adamw_rows(be, &(nf_adamw_arrays){V(y), V(z), V(m), V(v)}, rows, 2, s->c, &o);
            free(m);
            free(v);
        });
    free(x);
    free(z);
    free(column);
}

/* Decay that was owed gives the bits of AdamW's steps over zero gradients and moments. */
static void test_owed_decay(void **state) {
    (void)state;
    enum { N = 1000, STEPS = 40 };
    nf_backend *backends[] = {ref, cpu};
    for (int k = 0; k < 2; k++) {
        nf_backend *be = backends[k];
        float *eager = values(N), *late = same(eager, N), *zeros[3];
        for (int i = 0; i < 3; i++) zeros[i] = calloc(N, sizeof(float));
        double rates[STEPS];
        for (int64_t step = 1; step <= STEPS; step++) {
            nf_adamw o = {.learning_rate = 1e-4 * (double)step,
                          .beta1 = 0.9,
                          .beta2 = 0.999,
                          .epsilon = 1e-8,
                          .weight_decay = 0.03,
                          .grad_scale = 0.7,
                          .step = step};
            const nf_adamw_arrays arrays = {V(eager), V(zeros[0]), V(zeros[1]), V(zeros[2])};
            be->adamw(be, &arrays, N, &o);
            rates[step - 1] = o.learning_rate * o.weight_decay;
        }
        be->decay(be, V(late), N, rates, STEPS);
        assert_memory_equal(eager, late, N * sizeof *late);
        free(eager);
        free(late);
        for (int i = 0; i < 3; i++) free(zeros[i]);
    }
}

/* Rows and tokens rounded to int8 against f32: within what rounding to 127 steps allows. */
static void test_int8(void **state) {
    (void)state;
    nf_backend *be;
    if (nf_backend_cpu(&be, NF_PRECISION_INT8, 2, &error) != NERFIT_OK) {
        print_message("skipped: this CPU has no int8 products\n");
        return;
    }
    static const size_t sizes[][3] = {{1, 128, 128}, {70, 130, 257}, {200, 384, 1536}};
    for (size_t k = 0; k < 3; k++) {
        size_t n = sizes[k][0], out = sizes[k][1], in = sizes[k][2];
        float *x = values(n * in), *w = values(out * in), *bias = values(out);
        float *expected = values(n * out), *given = values(n * out);
        for (size_t i = 0; i < in; i++) x[i] = 0.0f; /* a row of zeros has no scale */
        nf_weight *weights[2];
        nf_weight_plan plan = {out, in, NF_USE_FORWARD, NF_PRECISION_AUTO};
        assert_ok(ref->weight_new(ref, &weights[0], V(w), &plan, &error), &error);
        assert_ok(be->weight_new(be, &weights[1], V(w), &plan, &error), &error);
        for (int b = 0; b < 2; b++) {
            const nf_epilogue added = {.bias = b ? V(bias) : NULL};
            ref->linear_forward(ref, V(expected), V(x), weights[0], n, &added);
            be->linear_forward(be, V(given), V(x), weights[1], n, &added);
            double off = 0.0, all = 0.0;
            for (size_t i = 0; i < n * out; i++) {
                off += pow((double)expected[i] - (double)given[i], 2);
                all += pow((double)expected[i], 2);
            }
            assert_true(off <= 4e-4 * all); /* 2 % of the norm */
            for (size_t i = 0; i < out; i++)
                assert_true(fabsf(given[i] - (b ? bias[i] : 0.0f)) < 1e-6f);
        }
        nf_weight *none;
        plan.uses = NF_USE_BACKWARD;
        assert_int_equal(be->weight_new(be, &none, V(w), &plan, &error), NERFIT_UNSUPPORTED);
        ref->weight_free(ref, weights[0]);
        be->weight_free(be, weights[1]);
        float *all[] = {x, w, bias, expected, given};
        for (size_t i = 0; i < 5; i++) free(all[i]);
    }
    be->free(be);
}

static void norms(const shape *s) {
    size_t n = s->n, c = s->c;
    float *x = values(n * c), *residual = values(n * c), *gamma = values(c), *beta = values(c);
    float *dy = values(n * c), *mean = values(n), *rstd = values(n), *sum = values(n * c);
    const nf_dropout drop = {.p = 0.2, .seed = 9, .step = 4, .stream = 1}, none = {0};
    const nf_dropout *const drops[] = {&drop, &none};
    for (int k = 0; k < 8; k++) {
        const nf_dropout *d = drops[k & 1];
        const nf_values *r = k & 2 ? V(residual) : NULL;
        bool rms = (k & 4) != 0;
        nf_norm_operands o = {.n = n,
                              .c = c,
                              .epsilon = 1e-5,
                              .rms = rms,
                              .gamma = V(gamma),
                              .beta = rms ? NULL : V(beta)};
        BOTH(rms ? "rms norm_forward, nothing kept" : "norm_forward, nothing kept", n * c, 2e-5, s,
             be->norm_forward(be, V(y), V(x), r, &o, d));
        o.sum = V(sum);
        o.mean = rms ? NULL : V(mean);
        o.rstd = V(rstd);
        BOTH(rms ? "rms norm_forward" : "norm_forward", n * c, 2e-5, s,
             be->norm_forward(be, V(y), V(x), r, &o, d));
        BOTH(rms ? "rms norm_backward" : "norm_backward", n * c + 2 * c, 3e-5, s, {
            float *g = y + n * c;
            be->norm_backward(be, V(y), V(g), rms ? NULL : V(g + c), V(dy), &o);
        });
    }
    float *all[] = {x, residual, gamma, beta, dy, mean, rstd, sum};
    for (size_t i = 0; i < 8; i++) free(all[i]);
}

static void products(const shape *s, bool bf16) {
    static const size_t outs[] = {1, 7, 130, 384};
    double tolerance = bf16 ? 2e-2 : 2e-5;
    for (size_t o = 0; o < 4; o++) {
        size_t out = outs[o], in = s->c, n = s->n;
        float *w = values(out * in), *x = values(n * in), *dy = values(n * out),
              *bias = values(out);
        nf_weight *weights[2];
        const nf_weight_plan plan = {out, in, NF_USE_FORWARD | NF_USE_BACKWARD,
                                     bf16 ? NF_PRECISION_BF16 : NF_PRECISION_F32};
        assert_ok(ref->weight_new(ref, &weights[0], V(w), &plan, &error), &error);
        assert_ok(cpu->weight_new(cpu, &weights[1], V(w), &plan, &error), &error);
        for (int round = 0; round < 2; round++) {
            BOTH("linear_forward", n * out, tolerance, s,
                 be->linear_forward(be, V(y), V(x), weights[side_], n,
                                    &(nf_epilogue){V(bias), NF_ACTIVATION_GELU, NULL}));
            BOTH("linear_forward, pre", 2 * n * out, tolerance, s,
                 be->linear_forward(be, V(y), V(x), weights[side_], n,
                                    &(nf_epilogue){NULL, NF_ACTIVATION_TANH, V(y + n * out)}));
            BOTH("linear_forward, nothing else", n * out, tolerance, s,
                 be->linear_forward(be, V(y), V(x), weights[side_], n, NULL));
            BOTH("linear_backward_input", n * in, tolerance, s,
                 be->linear_backward_input(be, V(y), V(dy), weights[side_], n, false));
            BOTH("linear_backward_input, added", n * in, tolerance, s,
                 be->linear_backward_input(be, V(y), V(dy), weights[side_], n, true));
            for (size_t i = 0; i < out * in; i++) w[i] *= -0.5f; /* and prepared again */
            assert_ok(ref->weight_update(ref, weights[0], &error), &error);
            assert_ok(cpu->weight_update(cpu, weights[1], &error), &error);
        }
        for (int t = 0; t < 8; t++) {
            size_t m = out, k = n;
            const float *a = dy, *b = x;
            if (t & 1) m = n, k = out; /* [n,out] [out,..] */
            size_t cols = (t & 1) ? in : in;
            bool trans_a = !(t & 1), trans_b = false;
            if (t & 1) b = w;
            BOTH("matmul", m * cols, 5e-5, s,
                 be->matmul(be, V(y), V(a), V(b),
                            &(nf_product){m, cols, k, trans_a, trans_b, (t & 2) ? 0.5 : 1.0,
                                          (t & 4) != 0}));
        }
        BOTH("weight_gradient", out * in, tolerance, s,
             be->weight_gradient(be, V(y), V(dy), V(x), weights[side_], n, true));
        BOTH("weight_gradient, written", out * in, tolerance, s,
             be->weight_gradient(be, V(y), V(dy), V(x), weights[side_], n, false));
        BOTH("matmul, b transposed", n * out, 5e-5, s,
             be->matmul(be, V(y), V(x), V(w), &(nf_product){n, out, in, false, true, 2.0, true}));
        ref->weight_free(ref, weights[0]);
        cpu->weight_free(cpu, weights[1]);
        float *all[] = {w, x, dy, bias};
        for (size_t i = 0; i < 4; i++) free(all[i]);
    }
}

/* DoRA's shortcuts against what they stand for. */
static void test_dropped(void **state) {
    (void)state;
    nf_backend *be = cpu;
    if (!has_bf16 || !be->linear_forward_dropped) {
        print_message("skipped: this CPU has no bf16 products\n");
        return;
    }
    static const size_t sizes[][4] = {/* rows, in, out, rank */
                                      {1, 128, 128, 1},
                                      {9, 384, 384, 16},
                                      {33, 400, 160, 8},
                                      {5, 128, 928, 3}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t n = sizes[k][0], in = sizes[k][1], out = sizes[k][2], r = sizes[k][3];
        const shape s = {n, in};
        const nf_dropout drop = {.p = 0.1, .seed = 77, .step = 3, .stream = (uint32_t)k};
        float *w = values(out * in), *x = values(n * in), *bias = values(out);
        float *dy = values(n * out), *scaled = values(n * out), *low = values(n * r);
        float *a = values(r * in), *known = values(n * out), *dropped = values(n * in);
        float *y = values(n * out), *expected = values(n * out);
        float *dx = values(n * in), *dx_expected = same(dx, n * in), *through = values(n * in);
        nf_weight *weight;
        const nf_weight_plan plan = {out, in, NF_USE_FORWARD | NF_USE_BACKWARD | NF_USE_DROPPED,
                                     NF_PRECISION_BF16};
        assert_ok(be->weight_new(be, &weight, V(w), &plan, &error), &error);
        be->linear_forward(be, V(known), V(x), weight, n, &(nf_epilogue){.bias = V(bias)});
        be->dropout(be, V(dropped), V(x), n * in, &drop);
        be->linear_forward(be, V(expected), V(dropped), weight, n, NULL);
        nf_dropped_forward_operands forward = {n, V(x), V(known), V(bias), weight, &drop};
        assert_true(be->linear_forward_dropped(be, V(y), &forward));
        compare("linear_forward_dropped", expected, y, n * out, 2e-2, &s);
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            be->linear_backward_input(be, V(dx_expected), V(dy), weight, n, accumulate);
            const nf_dropped_backward_operands backward = {n,      r,    V(dy),  V(scaled),
                                                           V(low), V(a), weight, &drop};
            assert_true(be->linear_backward_dropped(be, V(dx), &backward, accumulate));
            float *change = same(scaled, n * out);
            be->axpy(be, V(change), -1.0, V(dy), n * out);
            be->linear_backward_input(be, V(through), V(change), weight, n, false);
            be->matmul(be, V(through), V(low), V(a),
                       &(nf_product){n, in, r, false, false, 1.0, true});
            be->dropout(be, V(through), V(through), n * in, &drop);
            be->axpy(be, V(dx_expected), 1.0, V(through), n * in);
            compare("linear_backward_dropped", dx_expected, dx, n * in, 2e-2, &s);
            free(change);
        }
        const nf_dropout most = {.p = 0.5, .seed = 77, .step = 3};
        forward.dropout = &most;
        assert_false(be->linear_forward_dropped(be, V(y), &forward));
        be->weight_free(be, weight);
        float *all[] = {w,     x,       bias, dy,       scaled, low,         a,
                        known, dropped, y,    expected, dx,     dx_expected, through};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    }
}

static void test_shapes(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SHAPES; i++) {
        elementwise(&shapes[i]);
        norms(&shapes[i]);
    }
}

static void test_products(void **state) {
    (void)state;
    if (!has_bf16) print_message("skipped: bf16 products, which this CPU has not\n");
    for (size_t i = 0; i + 1 < N_SHAPES; i++) {
        products(&shapes[i], false);
        if (has_bf16) products(&shapes[i], true);
    }
}

/* Texts of many lengths, head sizes that are and are not whole vectors, rows wider than the heads,
 * heads that have keys and values of their own or share them; by both of the cpu's kernels. */
static void test_attention(void **state) {
    (void)state;
    static const int32_t cu[] = {0, 1, 4, 20, 85, 85, 215};
    static const int32_t sizes[] = {8, 16, 32, 40, 64};
    static const int32_t heads[][2] = {{3, 3}, {6, 2}, {4, 1}};
    enum { SEQUENCES = 6, N = 215 };
    for (size_t k = 0; k < 5 * 3 * 4; k++) {
        int32_t size = sizes[k % 5], all_heads = heads[k / 5 % 3][0],
                kv_heads = heads[k / 5 % 3][1];
        bool drops = k / 15 % 2, terms = k / 30;
        size_t width = (size_t)(all_heads * size), stride = width + 5;
        size_t kv_width = (size_t)(kv_heads * size), kv_stride = kv_width + 3;
        shape s = {N, width};
        nf_sequences sequences = {cu, SEQUENCES, N, 130};
        nf_attention_shape as = {.n_heads = all_heads,
                                 .n_kv_heads = kv_heads,
                                 .head_size = size,
                                 .scale = 1.0 / sqrt(size),
                                 .q_stride = (ptrdiff_t)stride,
                                 .kv_stride = (ptrdiff_t)kv_stride,
                                 .rule.window = terms ? 128 : 0};
        nf_dropout drop = {.p = drops ? 0.25 : 0.0, .seed = 77, .step = 3, .stream = 2};
        size_t n_lse = (size_t)(N * all_heads);
        float *q = values(N * stride), *kk = values(N * kv_stride), *v = values(N * kv_stride);
        float *dout = values(N * width), *out = values(N * width), *lse = values(n_lse);
        nf_attention_operands o = {V(q), V(kk), V(v), V(out), V(lse), &sequences, &as, &drop};
        ref->attention_forward(ref, &o);
        BOTH("attention_forward", N * width + n_lse, 2e-5, &s, {
            nf_attention_operands own = o;
            own.out = V(y);
            own.lse = V(y + N * width);
            be->attention_forward(be, &own);
        });
        for (int part = 0; part < 3; part++) {
            size_t row = part ? kv_width : width, rows = part ? kv_stride : stride;
            BOTH("attention_backward", N * row, 3e-5, &s, {
                float *g[3];
                for (int i = 0; i < 3; i++) g[i] = values(N * stride);
                be->attention_backward(be, V(g[0]), V(g[1]), V(g[2]), V(dout), &o);
                for (size_t t = 0; t < N; t++) /* what lies between the rows is nobody's */
                    memcpy(y + t * row, g[part] + t * rows, row * sizeof *y);
                for (int i = 0; i < 3; i++) free(g[i]);
            });
        }
        float *all[] = {q, kk, v, dout, out, lse};
        for (size_t i = 0; i < 6; i++) free(all[i]);
    }
}

/* The tables given by columns, some of which stand before those that are meant: `expected` [n]. */
static void attention_by_columns(const nf_attention_operands *given, const float *expected,
                                 size_t n, size_t rows, const shape *s) {
    enum { BEFORE = 3 };
    const nf_relative *relative = given->shape->relative;
    if (!relative || (!relative->keys && !relative->queries)) return;
    size_t width = (size_t)(given->shape->n_heads * given->shape->head_size);
    size_t stride = BEFORE + rows;
    const float *tables[] = {(const float *)relative->keys, (const float *)relative->queries};
    float *columns[2];
    for (size_t i = 0; i < 2; i++) {
        columns[i] = values(stride * width + 32);
        for (size_t k = 0; k < rows * width && tables[i]; k++)
            columns[i][k % width * stride + BEFORE + k / width] = tables[i][k];
    }
    nf_relative own = *relative;
    own.keys = own.queries = NULL;
    own.key_columns = relative->keys ? V(columns[0] + BEFORE) : NULL;
    own.query_columns = relative->queries ? V(columns[1] + BEFORE) : NULL;
    own.columns_stride = stride;
    for (int i = 0; i < 2; i++) {
        nf_backend *be = i ? cpu : ref;
        float *y = values(n);
        nf_attention_shape attention = *given->shape;
        nf_attention_operands o = *given;
        attention.relative = &own;
        o.shape = &attention;
        o.out = V(y);
        o.lse = NULL;
        be->attention_forward(be, &o);
        compare(i ? "attention_forward, columns" : "attention_forward, columns in ref", expected, y,
                n, 2e-5, s);
        free(y);
    }
    for (size_t i = 0; i < 2; i++) free(columns[i]);
}

/* The optional terms, each alone and all together, over texts longer and shorter than a block of
 * queries, with rows of the tables that distances share, skip, and meet in no order. */
static void test_attention_terms(void **state) {
    (void)state;
    static const int32_t cu[] = {0, 1, 4, 4, 20, 35, 136};
    static const int32_t sizes[] = {8, 16, 40, 64};
    static const struct {
        int32_t window;
        bool bias, keys, queries;
    } kinds[] = {{5, false, false, false}, {64, false, false, false}, {0, true, false, false},
                 {0, false, true, false},  {0, false, false, true},   {0, false, true, true},
                 {9, true, true, true},    {101, true, false, false}};
    enum { SEQUENCES = 6, N = 136, LONGEST = 101, REACH = 110, ROWS = 37, KINDS = 8 };
    int32_t rows[2 * REACH + 1];
    for (int32_t i = 0; i <= 2 * REACH; i++) rows[i] = 3 + (i * 7 % 64) / 2;
    for (size_t k = 0; k < 4 * KINDS * 2; k++) {
        int32_t size = sizes[k % 4], heads = 3;
        size_t width = (size_t)(heads * size), stride = width + 5, table = ROWS * width;
        size_t kind = k / 4 % KINDS, all = 3 * N * width + ROWS * 3 + 2 * table;
        shape s = {N, kind};
        nf_sequences sequences = {cu, SEQUENCES, N, LONGEST};
        nf_dropout drop = {.p = k >= 4 * KINDS ? 0.25 : 0.0, .seed = 77, .step = 3, .stream = 2};
        float *q = values(N * stride), *kk = values(N * stride), *v = values(N * stride);
        float *dout = values(N * width), *out = values(N * width), *lse = values(N * 3);
        float *bias = values(ROWS * 3), *keys = values(table), *queries = values(table);
        nf_relative relative = {.rows = rows,
                                .reach = REACH,
                                .n_rows = ROWS,
                                .bias = kinds[kind].bias ? V(bias) : NULL,
                                .keys = kinds[kind].keys ? V(keys) : NULL,
                                .queries = kinds[kind].queries ? V(queries) : NULL};
        bool any = relative.bias || relative.keys || relative.queries;
        nf_attention_shape as = {.n_heads = heads,
                                 .n_kv_heads = heads,
                                 .head_size = size,
                                 .scale = 1.0 / sqrt(size),
                                 .q_stride = (ptrdiff_t)stride,
                                 .kv_stride = (ptrdiff_t)stride,
                                 .rule.window = kinds[kind].window,
                                 .relative = any ? &relative : NULL};
        nf_attention_operands o = {V(q), V(kk), V(v), V(out), V(lse), &sequences, &as, &drop};
        ref->attention_forward(ref, &o);
        BOTH("attention_forward, terms", N * width + N * 3, 2e-5, &s, {
            nf_attention_operands own = o;
            own.out = V(y);
            own.lse = V(y + N * width);
            be->attention_forward(be, &own);
        });
        attention_by_columns(&o, out, N * width, ROWS, &s);
        BOTH("attention_backward, terms", all, 3e-5, &s, {
            float *g[3], *dtables = y + 3 * N * width, *given = same(y, all);
            for (int i = 0; i < 3; i++) g[i] = values(N * stride);
            relative.dbias = any ? V(dtables) : NULL; /* added to, the others overwritten */
            relative.dkeys = relative.keys ? V(dtables + ROWS * 3) : NULL;
            relative.dqueries = relative.queries ? V(dtables + ROWS * 3 + table) : NULL;
            be->attention_backward(be, V(g[0]), V(g[1]), V(g[2]), V(dout), &o);
            for (size_t t = 0; t < 3 * N; t++)
                memcpy(y + t * width, g[t / N] + t % N * stride, width * sizeof *y);
            /* asked for or not, what is not there stays as it was */
            if (!relative.bias)
                assert_memory_equal(dtables, given + 3 * N * width, ROWS * 3 * sizeof *y);
            for (int i = 0; i < 3; i++) free(g[i]);
            free(given);
            relative.dbias = relative.dkeys = relative.dqueries = NULL;
        });
        float *arrays[] = {q, kk, v, dout, out, lse, bias, keys, queries};
        for (size_t i = 0; i < 9; i++) free(arrays[i]);
    }
}

/* A text too long for the plain kernels' scratch. */
static void test_attention_long(void **state) {
    (void)state;
    enum { N = 600, D = 16 };
    static const int32_t cu[] = {0, N - 7, N};
    nf_sequences sequences = {cu, 2, N, N - 7};
    shape s = {N, D};
    float *x[4], *out = values(N * D), *lse = values(N);
    for (int i = 0; i < 4; i++) x[i] = values(N * D);
    for (int32_t window = 0; window < 200; window += 130) {
        nf_attention_shape as = {.n_heads = 1,
                                 .n_kv_heads = 1,
                                 .head_size = D,
                                 .scale = 0.25,
                                 .q_stride = D,
                                 .kv_stride = D,
                                 .rule.window = window};
        nf_dropout none = {0};
        nf_attention_operands o = {V(x[0]), V(x[1]),    V(x[2]), V(out),
                                   V(lse),  &sequences, &as,     &none};
        ref->attention_forward(ref, &o);
        BOTH("attention_forward, long", N * D, 2e-5, &s, {
            nf_attention_operands own = o;
            own.out = V(y);
            own.lse = NULL;
            be->attention_forward(be, &own);
        });
        BOTH("attention_backward, long", 3 * N * D, 3e-5, &s,
             be->attention_backward(be, V(y), V(y + N * D), V(y + 2 * N * D), V(x[3]), &o));
    }
    for (int i = 0; i < 4; i++) free(x[i]);
    free(out);
    free(lse);
}

static void test_gated_and_rotated(void **state) {
    (void)state;
    for (size_t i = 0; i + 1 < N_SHAPES; i++) {
        const shape *s = &shapes[i];
        size_t n = s->n, f = s->c;
        float *x = values(2 * n * f), *dy = values(n * f);
        for (int k = NF_ACTIVATION_NONE; k <= NF_ACTIVATION_SILU; k++) {
            const nf_activation kind = (nf_activation)k;
            /* halves of the same rows, and two matrices */
            const nf_gated_operands halves = {kind, V(x), V(x + f), n, f, 2 * f};
            const nf_gated_operands apart = {kind, V(x), V(x + n * f), n, f, f};
            BOTH("gated_forward", n * f, 2e-6, s, be->gated_forward(be, V(y), &halves));
            BOTH("gated_forward, apart", n * f, 2e-6, s, be->gated_forward(be, V(y), &apart));
            BOTH("gated_backward", 2 * n * f, 4e-6, s,
                 be->gated_backward(be, V(y), V(y + f), V(dy), &halves));
            BOTH("gated_backward, apart", 2 * n * f, 4e-6, s,
                 be->gated_backward(be, V(y), V(y + n * f), V(dy), &apart));
        }
        BOTH("norm_forward, no bias", n * f, 2e-5, s,
             be->norm_forward(be, V(y), V(x), NULL,
                              &(nf_norm_operands){.n = n, .c = f, .epsilon = 1e-5, .gamma = V(dy)},
                              NULL));
        free(x);
        free(dy);
    }
    static const int32_t sizes[] = {2, 10, 64};
    enum { N = 41, POSITIONS = 30, HEADS = 3 };
    int32_t positions[N];
    for (int32_t t = 0; t < N; t++) positions[t] = t * 7 % POSITIONS;
    for (size_t k = 0; k < 3; k++) {
        size_t d = (size_t)sizes[k], stride = HEADS * d + 7;
        shape s = {N, d};
        float *cos_sin = values(POSITIONS * d);
        for (size_t i = 0; i < POSITIONS * d; i++) { /* angles, so that there is a way back */
            size_t half = d / 2, l = i % d;
            double angle = (double)(i / d) * 0.37 * (double)(1 + l % half);
            cos_sin[i] = (float)(l < half ? cos(angle) : sin(angle));
        }
        float *x = values(N * stride), *back = same(x, N * stride);
        const nf_rotation r = {V(cos_sin), positions, HEADS, sizes[k], (ptrdiff_t)stride};
        BOTH("rotate", N * stride, 1e-6, &s, be->rotate(be, V(y), &r, N, false));
        cpu->rotate(cpu, V(back), &r, N, false);
        assert_memory_not_equal(back, x, N * stride * sizeof *x);
        cpu->rotate(cpu, V(back), &r, N, true);
        compare("rotate there and back", x, back, N * stride, 1e-6, &s);
        float *all[] = {cos_sin, x, back};
        for (size_t i = 0; i < 3; i++) free(all[i]);
    }
}

static void test_rest(void **state) {
    (void)state;
    static const int32_t cu[] = {0, 3, 3, 10, 40}, cu_entities[] = {0, 1, 1, 3, 4};
    static const int32_t types[] = {0, 2, 1, 2}, starts[] = {1, 0, 3, 20}, ends[] = {2, 3, 7, 30};
    nf_sequences sequences = {cu, 4, 40, 30};
    int32_t ids[40], labels[40], sets[40], allowed[22];
    float weights[44];
    for (int i = 0; i < 40; i++) {
        ids[i] = (int32_t)nf_rng_below(&rng, 9);
        labels[i] = i % 4 ? (int32_t)nf_rng_below(&rng, 11) : -100;
        sets[i] = i / 20;
        weights[i] = (float)(i % 5) / 4;
    }
    weights[40] = weights[41] = weights[42] = weights[43] = 0.5f;
    for (int i = 0; i < 22; i++) allowed[i] = i < 11 || nf_rng_below(&rng, 2);
    for (int i = 20; i < 40; i++)
        if (labels[i] >= 0) allowed[11 + labels[i]] = i % 2; /* some of them stay */
    for (int i = 20; i < 40; i++)
        if (labels[i] >= 0 && !allowed[11 + labels[i]]) labels[i] = -100;
    for (size_t c = 5; c <= 384; c += 379) {
        shape s = {40, c};
        float *x = values(40 * c), *table = values(9 * c), *logits = values(40 * 11);
        for (int k = 0; k < NF_POOLINGS; k++)
            for (size_t skip = 0; skip < 12; skip += 3)
                BOTH("pool", 4 * (c + 3), 1e-5, &s,
                     be->pool(be, V(y), V(x), &sequences,
                              &(nf_pooling_shape){(nf_pooling)k, c, c + 3, skip}));
        float *dy = values(4 * (c + 3));
        for (int k = 0; k < NF_POOLINGS; k++)
            for (size_t skip = 0; skip < 12; skip += 3)
                BOTH("pool_backward", 40 * c, 1e-6, &s,
                     be->pool_backward(be, V(y), V(dy), V(x), &sequences,
                                       &(nf_pooling_shape){(nf_pooling)k, c, c + 3, skip}));
        BOTH("embedding_forward", 40 * c, 1e-6, &s, {
            be->embedding_forward(be, V(y), V(table), ids, 40, c, false);
            be->embedding_forward(be, V(y), V(table), ids, 40, c, true);
        });
        BOTH("embedding_backward", 9 * c, 1e-5, &s,
             be->embedding_backward(be, V(y), V(x), ids, 40, c, 4));
        double losses[2];
        nf_entities entities = {V(table), c, cu_entities, types, starts, ends, 4, NULL, NULL};
        BOTH("contrastive_loss", 40 * c, 1e-5, &s,
             losses[side_] = be->contrastive_loss(be, V(y), V(x), &sequences, &entities, 0.3));
        assert_true(fabs(losses[0] - losses[1]) < 1e-4 * fabs(losses[0]));
        entities.weights = V(weights), entities.token_weights = V(weights + 4);
        BOTH("contrastive_loss, weights", 40 * c, 1e-5, &s,
             losses[side_] = be->contrastive_loss(be, V(y), V(x), &sequences, &entities, 0.3));
        assert_true(fabs(losses[0] - losses[1]) < 1e-4 * fabs(losses[0]));
        for (int k = 0; k < 6; k++) {
            nf_targets targets = {.labels = labels, .n = 40, .l = 11, .smoothing = k % 2 ? 0.1 : 0};
            if (k >= 2) targets.weights = V(weights);
            if (k >= 4) targets.allowed = allowed, targets.sets = sets;
            BOTH("cross_entropy", 40 * 11, 1e-5, &s,
                 losses[side_] = be->cross_entropy(be, V(y), V(logits), &targets, 0.3));
            assert_true(fabs(losses[0] - losses[1]) < 1e-5 * fabs(losses[0]));
        }
        int32_t answers[40 * 11];
        for (int i = 0; i < 40 * 11; i++) answers[i] = (int32_t)nf_rng_below(&rng, 3) - 1;
        static const double focal[][4] = {{-1, 0, 0, 0}, {0.75, 2, 0.1, 0.05}, {0.3, 0.5, 0, 0}};
        for (int k = 0; k < 3; k++) {
            const nf_focal_targets targets = {answers,     40 * 11,     focal[k][0],
                                              focal[k][1], focal[k][2], focal[k][3]};
            BOTH("focal_loss", 40 * 11, 1e-5, &s,
                 losses[side_] = be->focal_loss(be, V(y), V(logits), &targets, 0.3));
            assert_true(fabs(losses[0] - losses[1]) < 1e-5 * fabs(losses[0]));
        }
        float *b = values(c * 4), *aw = values(4 * c), *aa = values(16), *squares = values(c);
        for (size_t i = 0; i < c; i++) squares[i] = 500 + squares[i];
        const nf_dora_operands dora = {c, 4, V(squares), V(b), V(aw), V(aa), 0.5};
        BOTH("dora_norms", c, 1e-5, &s, be->dora_norms(be, V(y), &dora));
        float *all[] = {x, table, logits, b, aw, aa, squares, dy};
        for (size_t i = 0; i < 8; i++) free(all[i]);
    }
}

/* Both directions, hidden sizes that are no multiple of a vector, texts of unlike lengths, one empty,
 * and more of them than are taken together. */
static void test_lstm(void **state) {
    (void)state;
    enum { TEXTS = 37, MOST = 9 };
    int32_t cu[TEXTS + 1] = {0};
    for (int i = 0; i < TEXTS; i++) cu[i + 1] = cu[i] + (int32_t)nf_rng_below(&rng, MOST + 1);
    cu[3] = cu[2];
    for (int i = 3; i < TEXTS; i++) cu[i + 1] = cu[i] + (i * 7) % (MOST + 1);
    size_t n = (size_t)cu[TEXTS];
    nf_sequences sequences = {cu, TEXTS, cu[TEXTS], MOST};
    for (size_t h = 3; h <= 131; h += 64) {
        shape s = {n, h};
        float *w = values(4 * h * h), *bias = values(4 * h), *x = values(n * 4 * h);
        float *dy = values(n * 2 * h);
        for (int reverse = 0; reverse < 2; reverse++) {
            float *gates = NULL, *cells = NULL, *kept = NULL;
            nf_lstm_operands o = {.hidden = h,
                                  .stride = 2 * h,
                                  .reverse = reverse,
                                  .sequences = &sequences,
                                  .recurrent = V(w),
                                  .bias = V(bias)};
            for (size_t i = 0; i < 4 * h * h; i++) w[i] *= 0.3f;
            BOTH("lstm_forward", n * 2 * h, 1e-5, &s, {
                free(gates);
                free(cells);
                free(kept);
                gates = same(x, n * 4 * h);
                cells = values(n * h);
                o.gates = V(gates);
                o.cells = V(cells);
                o.y = V(y + h * (size_t)reverse);
                be->lstm_forward(be, &o);
                kept = same(y, n * 2 * h);
            });
            o.y = V(kept + h * (size_t)reverse);
            BOTH("lstm_backward", n * 4 * h, 1e-5, &s,
                 be->lstm_backward(be, V(y), NULL, V(dy + h * (size_t)reverse), &o));
            BOTH("lstm_backward, the matrix", 4 * h * h, 1e-4, &s, {
                float *dgates = values(n * 4 * h);
                be->lstm_backward(be, V(dgates), V(y), V(dy + h * (size_t)reverse), &o);
                free(dgates);
            });
            float *all[] = {gates, cells, kept};
            for (size_t i = 0; i < 3; i++) free(all[i]);
        }
        float *all[] = {w, bias, x, dy};
        for (size_t i = 0; i < 4; i++) free(all[i]);
    }
}

/* Same input, same thread count: same bits. */
static void test_repeatable(void **state) {
    (void)state;
    size_t n = 300, c = 384;
    float *x = values(n * c), *w = values(c * c), *a = values(n * c), *b = values(n * c);
    nf_weight *weight;
    const nf_weight_plan plan = {c, c, NF_USE_FORWARD, NF_PRECISION_AUTO};
    const nf_epilogue gelu = {.activation = NF_ACTIVATION_GELU};
    assert_ok(cpu->weight_new(cpu, &weight, V(w), &plan, &error), &error);
    cpu->linear_forward(cpu, V(a), V(x), weight, n, &gelu);
    double first = cpu->sum_of_squares(cpu, V(a), n * c);
    for (int i = 0; i < 5; i++) {
        cpu->linear_forward(cpu, V(b), V(x), weight, n, &gelu);
        assert_memory_equal(a, b, n * c * sizeof *a);
        assert_true(cpu->sum_of_squares(cpu, V(b), n * c) == first);
    }
    cpu->weight_free(cpu, weight);
    float *all[] = {x, w, a, b};
    for (size_t i = 0; i < 4; i++) free(all[i]);
}

/* Of the list of operations, none was left out above; those that wait for an answer are few. */
static void test_every_operation(void **state) {
    (void)state;
    static const char *const names[NF_CALLS] = {
#define NF_OPERATION(result, name, ...) [NF_CALL_##name] = #name,
#define NF_ANSWER(result, name, ...) [NF_CALL_##name] = #name,
#include "tensor/operations.h"
    }; /* shortcuts depend on the CPU, and test_dropped says so */
    size_t answers = 0;
    for (size_t i = 0; i < NF_CALLS; i++)
        if (names[i] && profile.calls[i] == 0) fail_msg("%s is compared nowhere", names[i]);
#define NF_ANSWER(...) answers++;
#include "tensor/operations.h"
    assert_true(profile.waits > 0);
    assert_true(answers <= 8);
}

static int set_up(void **state) {
    (void)state;
    rng = nf_rng_new(1, 2);
    assert_ok(nf_backend_ref(&ref, sizeof(float), &error), &error);
    assert_ok(nf_backend_cpu(&cpu, NF_PRECISION_F32, 2, &error), &error);
    nf_profile_init(&profile, cpu);
    cpu = &profile.be;
    nf_backend *probe;
    has_bf16 = nf_backend_cpu(&probe, NF_PRECISION_BF16, 1, &error) == NERFIT_OK;
    if (has_bf16) probe->free(probe);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    ref->free(ref);
    profile.inner->free(profile.inner);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_attention_terms),
        cmocka_unit_test(test_attention_long),
        cmocka_unit_test(test_gated_and_rotated),
        cmocka_unit_test(test_owed_decay),
        cmocka_unit_test(test_lstm),
        cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_int8),
        cmocka_unit_test(test_every_operation), /* last */
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
