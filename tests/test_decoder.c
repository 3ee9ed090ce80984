/* The decoder against brute force: every label sequence of short texts is enumerated; and its
 * gradients against central differences. */
#include "differences.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "labels/decoder_loss.h"

enum { WORDS = 5, TYPES = 3, LABELS = 2 * TYPES + 1, TRIES = 60 };
static nerfit_error error;

typedef struct problem {
    size_t words, types, labels;
    nf_transitions transitions;
    double logits[WORDS * LABELS];
} problem;
#define INPUT_OF(p)                                                                                \
    (&(const nf_decoder_input){&(p)->transitions, (p)->logits, (p)->words, (p)->types})

static problem make_problem(nf_rng *rng, double scale) {
    problem p = {.words = nf_rng_below(rng, WORDS + 1), .types = nf_rng_below(rng, TYPES + 1)};
    p.labels = 2 * p.types + 1;
    double *t = &p.transitions.next[0][0];
    for (int i = 0; i < NF_TRANSITION_COUNT; i++) t[i] = scale * nf_rng_normal(rng);
    for (size_t i = 0; i < p.words * p.labels; i++) p.logits[i] = scale * nf_rng_normal(rng);
    return p;
}

/* The score of a path, written a second time, from the definition. -HUGE_VAL: forbidden. */
static double score_of(const problem *p, const int32_t *path) {
    double sum = 0.0;
    for (size_t w = 0; w < p->words; w++) {
        int to = path[w], from = w ? path[w - 1] : -1;
        bool inside = to && to % 2 == 0;
        sum += p->logits[w * p->labels + (size_t)to];
        if (inside && (from < 1 || (from - 1) / 2 != (to - 1) / 2)) return -HUGE_VAL;
        if (from < 0) {
            sum += p->transitions.first[to == 0 ? 0 : 1];
            continue;
        }
        const double *row = p->transitions.next[from == 0 ? 0 : from % 2 ? 1 : 2];
        if (to == 0)
            sum += row[0];
        else if (inside)
            sum += row[3];
        else
            sum += row[from && (from - 1) / 2 == (to - 1) / 2 ? 1 : 2];
    }
    return sum;
}

static bool next_path(const problem *p, int32_t *path) {
    for (size_t w = 0; w < p->words; w++) {
        if (++path[w] < (int32_t)p->labels) return true;
        path[w] = 0;
    }
    return false;
}

/* Whether exactly start .. end-1 is an entity of the type in this (legal) path. */
static bool has_span(const problem *p, const int32_t *path, size_t type, size_t start, size_t end) {
    if (path[start] != (int32_t)(1 + 2 * type)) return false;
    for (size_t w = start + 1; w < end; w++)
        if (path[w] != (int32_t)(2 + 2 * type)) return false;
    return end == p->words || path[end] != (int32_t)(2 + 2 * type);
}

typedef struct truth {
    double best, log_z;
    double marginals[WORDS][LABELS];
    double spans[TYPES][WORDS][WORDS + 1];
} truth;

static void enumerate(const problem *p, truth *out) {
    int32_t path[WORDS] = {0};
    *out = (truth){.best = -HUGE_VAL};
    do {
        double score = score_of(p, path);
        if (score > out->best) out->best = score;
    } while (next_path(p, path));
    double sum = 0.0;
    do { /* the path is all 0 again */
        double weight = exp(score_of(p, path) - out->best);
        sum += weight;
        for (size_t w = 0; w < p->words; w++) out->marginals[w][path[w]] += weight;
        for (size_t k = 0; k < p->types && weight > 0; k++)
            for (size_t s = 0; s < p->words; s++)
                for (size_t e = s + 1; e <= p->words; e++)
                    if (has_span(p, path, k, s, e)) out->spans[k][s][e] += weight;
    } while (next_path(p, path));
    out->log_z = out->best + log(sum);
    for (size_t w = 0; w < p->words; w++)
        for (size_t k = 0; k < p->labels; k++) out->marginals[w][k] /= sum;
    for (size_t k = 0; k < p->types; k++)
        for (size_t s = 0; s < p->words; s++)
            for (size_t e = s + 1; e <= p->words; e++) out->spans[k][s][e] /= sum;
}

static void near(double a, double b, double tolerance, const char *what, int at) {
    if (!(fabs(a - b) <= tolerance * fmax(1.0, fmax(fabs(a), fabs(b)))))
        fail_msg("%s, try %d: %.17g, expected %.17g", what, at, a, b);
}

static void test_brute_force(void **state) {
    (void)state;
    nf_rng rng = nf_rng_new(5, 0);
    nf_decoder *d;
    assert_ok(nf_decoder_new(&d, &error), &error);
    for (int i = 0; i < TRIES; i++) {
        problem p = make_problem(&rng, i % 3 == 2 ? 30.0 : 1.5);
        truth t;
        int32_t path[WORDS];
        double best, log_z;
        enumerate(&p, &t);
        assert_ok(nf_decoder_best(d, INPUT_OF(&p), path, &best, &error), &error);
        near(best, t.best, 1e-12, "best score", i);
        near(score_of(&p, path), t.best, 1e-12, "score of the best path", i);
        near(nf_decoder_path_score(INPUT_OF(&p), path), t.best, 1e-12, "path score", i);
        assert_ok(nf_decoder_sum(d, INPUT_OF(&p), &log_z, &error), &error);
        near(log_z, t.log_z, 1e-12, "log Z", i);
        for (size_t w = 0; w < p.words; w++)
            for (size_t k = 0; k < p.labels; k++)
                near(nf_decoder_marginal(d, w, (int32_t)k), t.marginals[w][k], 1e-10, "marginal",
                     i);
        for (size_t k = 0; k < p.types; k++)
            for (size_t s = 0; s < p.words; s++)
                for (size_t e = s + 1; e <= p.words; e++)
                    near(nf_decoder_span(d, k, s, e), t.spans[k][s][e], 1e-10, "span", i);
    }
    nf_decoder_free(d);
}

typedef struct lesson {
    nf_decoder *decoder;
    problem *problem;
    const int32_t *gold;
} lesson;

/* log Z - score of a gold path, as training has it. */
static double loss_of(void *user) {
    const lesson *l = user;
    double log_z;
    assert_ok(nf_decoder_sum(l->decoder, INPUT_OF(l->problem), &log_z, &error), &error);
    return log_z - nf_decoder_path_score(INPUT_OF(l->problem), l->gold);
}

static void check_derivative(lesson *l, double *value, double gradient, int at) {
    const probed by = {value, 1e-3, loss_of, l};
    near(gradient, finer_difference(&by, central_difference(&by)), 1e-9, "gradient", at);
}

static void test_gradients(void **state) {
    (void)state;
    nf_rng rng = nf_rng_new(6, 0);
    nf_decoder *d;
    assert_ok(nf_decoder_new(&d, &error), &error);
    for (int i = 0; i < TRIES; i++) {
        problem p = make_problem(&rng, 1.0), other = make_problem(&rng, 1.0);
        int32_t gold[WORDS];
        other.words = p.words, other.types = p.types;
        for (size_t k = 0; k < WORDS * LABELS; k++) other.logits[k] = nf_rng_normal(&rng);
        assert_ok(nf_decoder_best(d, INPUT_OF(&other), gold, NULL, &error),
                  &error); /* some legal path */
        double dlogits[WORDS * LABELS] = {0};
        nf_transitions dt = {0};
        lesson l = {d, &p, gold};
        loss_of(&l);
        nf_decoder_sum_gradient(d, 1.0, dlogits, &dt);
        nf_decoder_path_gradient(gold, p.words, p.types, -1.0, dlogits, &dt);
        for (size_t k = 0; k < p.words * p.labels; k++)
            check_derivative(&l, &p.logits[k], dlogits[k], i);
        for (int k = 0; k < NF_TRANSITION_COUNT; k++)
            check_derivative(&l, &p.transitions.next[0][0] + k, (&dt.next[0][0])[k], i);
    }
    nf_decoder_free(d);
}

/* Logits so far apart that their exponentials are 0 or infinite; and forbidden paths. */
static void test_extremes(void **state) {
    (void)state;
    nf_decoder *d;
    const nf_transitions zero = {0};
    const double logits[] = {0, -2000, 9000, -5000, 8000, 5000, 5000, 5000, 5000, 9000};
    const nf_decoder_input no_transitions = {&zero, logits, 2, 2};
    int32_t path[2];
    double log_z;
    const int32_t forbidden[] = {1, 4};
    assert_ok(nf_decoder_new(&d, &error), &error);
    assert_ok(nf_decoder_best(d, &no_transitions, path, NULL, &error), &error);
    assert_int_equal(path[0], 0); /* the B that the I of 9000 needs costs more than that */
    assert_true(nf_decoder_path_score(&no_transitions, forbidden) == -HUGE_VAL);
    assert_ok(nf_decoder_sum(d, &no_transitions, &log_z, &error), &error);
    near(log_z, 5000 + log(3), 1e-14, "log Z", 0); /* O, then O, B of either type */
    near(nf_decoder_span(d, 1, 1, 2), 1.0 / 3, 1e-12, "span", 0);
    assert_true(nf_decoder_span(d, 1, 0, 2) == 0.0);
    nf_decoder_free(d);
}

/* nf_decoder_labels: of the best path's entities just the improbable ones become O. */
static void test_keep(void **state) {
    (void)state;
    nf_decoder *d;
    nf_rng rng = nf_rng_new(8, 0);
    assert_ok(nf_decoder_new(&d, &error), &error);
    size_t kept = 0, taken = 0;
    for (int i = 0; i < TRIES; i++) {
        problem p = make_problem(&rng, 1.0);
        int32_t path[WORDS], left[WORDS];
        assert_ok(nf_decoder_best(d, INPUT_OF(&p), path, NULL, &error), &error);
        assert_ok(nf_decoder_labels(d, INPUT_OF(&p), 0.5, i % 2 == 0, left, &error), &error);
        for (size_t w = 0; w < p.words; w++) {
            if (path[w] == 0) assert_int_equal(left[w], 0);
            if (path[w] % 2 == 0) continue; /* not a beginning */
            size_t end = w + 1;
            while (end < p.words && path[end] == path[w] + 1) end++;
            bool probable = nf_decoder_span(d, (size_t)(path[w] - 1) / 2, w, end) >= 0.5;
            for (size_t k = w; k < end; k++) assert_int_equal(left[k], probable ? path[k] : 0);
            kept += probable, taken += !probable;
        }
    }
    assert_true(kept > 10 && taken > 10);
    nf_decoder_free(d);
}

/* ---------------------------------------------------------------- partly known labels */

/* A text of a problem with weights and labels that are allowed. */
typedef struct partial {
    problem p;
    int32_t gold[WORDS], allowed[LABELS];
    float weights[WORDS];
    bool weighted, restricted;
} partial;

/* Types are left out at random; the gold path has none of them. */
static partial make_partial(nf_decoder *d, nf_rng *rng, int at) {
    static const float values[] = {0, 0, 0.25f, 0.5f, 1, 1, 2.5f};
    partial out = {.weighted = at % 4 != 0, .restricted = at % 2};
    out.p = make_problem(rng, 1.0);
    problem other = out.p;
    out.allowed[0] = 1;
    for (size_t k = 0; k < out.p.types; k++)
        out.allowed[1 + 2 * k] = out.allowed[2 + 2 * k] =
            !out.restricted || nf_rng_below(rng, 3) > 0;
    for (size_t k = 0; k < out.p.words * out.p.labels; k++) {
        other.logits[k] = nf_rng_normal(rng);
        if (!out.allowed[k % out.p.labels]) other.logits[k] = -HUGE_VAL;
    }
    assert_ok(nf_decoder_best(d, INPUT_OF(&other), out.gold, NULL, &error), &error);
    for (size_t w = 0; w < WORDS; w++)
        out.weights[w] = at % 5 == 4 ? 0.75f : values[nf_rng_below(rng, 7)];
    return out;
}

/* log of the sum over the paths of allowed labels that have the gold labels of weights above
 * `least`. */
static double log_sum_of(const partial *t, double least) {
    int32_t path[WORDS] = {0};
    double sum = 0.0;
    do {
        bool in = true;
        for (size_t w = 0; w < t->p.words; w++) {
            in &= t->allowed[path[w]] == 1;
            in &= (double)t->weights[w] <= least || path[w] == t->gold[w];
        }
        if (in) sum += exp(score_of(&t->p, path));
    } while (next_path(&t->p, path));
    return log(sum);
}

/* The definition: the integral over c of the loss of the words above c, from step to step. */
static double loss_by_enumeration(void *user) {
    const partial *t = user;
    double loss = 0.0, c = 0.0;
    for (;;) {
        double next = HUGE_VAL;
        for (size_t w = 0; w < t->p.words; w++)
            if ((double)t->weights[w] > c) next = fmin(next, (double)t->weights[w]);
        if (next == HUGE_VAL) return loss;
        loss += (next - c) * (log_sum_of(t, HUGE_VAL) - log_sum_of(t, c));
        c = next;
    }
}

static double partial_loss(nf_decoder *d, const partial *t, double *dlogits, nf_transitions *dt) {
    const nf_decoder_known known = {.gold = t->gold,
                                    .weights = t->weighted ? t->weights : NULL,
                                    .allowed = t->restricted ? t->allowed : NULL};
    const nf_decoder_gradient gradient = {.scale = 1.0, .logits = dlogits, .transitions = dt};
    double loss;
    assert_ok(nf_decoder_loss(d, INPUT_OF(&t->p), &known, &gradient, &loss, &error), &error);
    return loss;
}

/* Losses against the enumeration of all paths, gradients against central differences of it. */
static void test_partial(void **state) {
    (void)state;
    nf_rng rng = nf_rng_new(12, 0);
    nf_decoder *d;
    assert_ok(nf_decoder_new(&d, &error), &error);
    for (int i = 0; i < TRIES; i++) {
        partial t = make_partial(d, &rng, i);
        double dlogits[WORDS * LABELS] = {0};
        nf_transitions dt = {0};
        if (!t.weighted)
            for (size_t w = 0; w < WORDS; w++) t.weights[w] = 1.0f;
        near(partial_loss(d, &t, dlogits, &dt), loss_by_enumeration(&t), 1e-11, "loss", i);
        for (size_t k = 0; k < t.p.words * t.p.labels + NF_TRANSITION_COUNT; k++) {
            bool logit = k < t.p.words * t.p.labels;
            size_t at = logit ? k : k - t.p.words * t.p.labels;
            double *value = logit ? &t.p.logits[at] : &t.p.transitions.next[0][0] + at;
            const probed by = {value, 1e-4, loss_by_enumeration, &t};
            near(logit ? dlogits[at] : (&dt.next[0][0])[at], central_difference(&by), 1e-6,
                 logit ? "gradient by a logit" : "gradient by a transition", i);
        }
    }
    nf_decoder_free(d);
}

/* Weights of 1 give the bits of none; the same weight all over, that multiple; 0, nothing. */
static void test_weights(void **state) {
    (void)state;
    nf_rng rng = nf_rng_new(13, 0);
    nf_decoder *d;
    assert_ok(nf_decoder_new(&d, &error), &error);
    for (int i = 0; i < TRIES; i++) {
        partial t = make_partial(d, &rng, 0);
        static const float alike[] = {1.0f, 0.5f, 0.0f};
        double plain[WORDS * LABELS] = {0},
                             expected = partial_loss(d, &t, plain, &(nf_transitions){0});
        for (int k = 0; k < 3; k++) {
            double dlogits[WORDS * LABELS] = {0};
            t.weighted = true;
            for (size_t w = 0; w < WORDS; w++) t.weights[w] = alike[k];
            double loss = partial_loss(d, &t, dlogits, &(nf_transitions){0});
            if (k == 0) {
                assert_true(loss == expected);
                assert_memory_equal(dlogits, plain, sizeof plain);
            }
            near(loss, (double)alike[k] * expected, 1e-13, "weighted alike", i);
            for (size_t c = 0; c < WORDS * LABELS; c++)
                near(dlogits[c], (double)alike[k] * plain[c], 1e-12, "gradient", i);
        }
        t.weighted = false;
    }
    nf_decoder_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_brute_force), cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_keep),        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_partial),     cmocka_unit_test(test_weights)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
