/* Sums are kept as logarithms: no scaling, and nothing is lost however far apart the logits are. */
#include "labels/decoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

struct nf_decoder {
    double *forward, *backward; /* [words, L] */
    double *ahead;          /* [words, L] logits + backward: what follows a step to this label */
    double *others;         /* [words, T] log of the sum of `ahead` over the B of other types */
    double *left, *leave;   /* [T] scratch */
    int32_t *from;          /* [words, L] the best path's label before */
    size_t doubles, labels; /* capacities of the blocks behind them */
    double *memory;
    /* of the last sum */
    const nf_transitions *transitions;
    const double *logits;
    size_t words, types;
    double log_z;
};

nerfit_status nf_decoder_new(nf_decoder **out, nerfit_error *err) {
    *out = calloc(1, sizeof **out);
    return *out ? NERFIT_OK : nf_no_memory(err, sizeof **out);
}

void nf_decoder_free(nf_decoder *d) {
    if (!d) return;
    free(d->memory);
    free(d->from);
    free(d);
}

static nerfit_status reserve(nf_decoder *d, size_t words, size_t types, nerfit_error *err) {
    size_t l = 2 * types + 1, doubles = words * (3 * l + types) + 2 * types + 1;
    if (doubles > d->doubles) {
        free(d->memory);
        d->doubles = 0;
        d->memory = malloc(doubles * sizeof *d->memory);
        if (!d->memory) return nf_no_memory(err, doubles * sizeof *d->memory);
        d->doubles = doubles;
    }
    if (words * l > d->labels) {
        free(d->from);
        d->labels = 0;
        d->from = malloc(words * l * sizeof *d->from);
        if (!d->from) return nf_no_memory(err, words * l * sizeof *d->from);
        d->labels = words * l;
    }
    d->forward = d->memory;
    d->backward = d->forward + words * l;
    d->ahead = d->backward + words * l;
    d->others = d->ahead + words * l;
    d->left = d->others + words * types;
    d->leave = d->left + types;
    return NERFIT_OK;
}

/* log(exp(a) + exp(b)) */
static double add(double a, double b) {
    if (a < b) {
        double t = a;
        a = b;
        b = t;
    }
    return b == -HUGE_VAL ? a : a + log1p(exp(b - a));
}

static size_t label_b(size_t type) {
    return 1 + 2 * type;
}
static size_t label_i(size_t type) {
    return 2 + 2 * type;
}

/* ---------------------------------------------------------------- paths */

/* The scalar of a step, or NULL if the step is forbidden. */
static const double *step_of(const nf_transitions *t, int32_t from, int32_t to) {
    int kind = nf_label_kind(to);
    bool same = nf_label_type(from) == nf_label_type(to);
    const double *row = t->next[nf_label_kind(from)];
    if (kind == NF_KIND_O) return &row[NF_STEP_O];
    if (kind == NF_KIND_B) return &row[same ? NF_STEP_B_SAME : NF_STEP_B_OTHER];
    return same ? &row[NF_STEP_I] : NULL;
}

double nf_decoder_path_score(const nf_decoder_input *in, const int32_t *path) {
    const nf_transitions *t = in->transitions;
    size_t l = 2 * in->types + 1;
    double score = 0.0;
    for (size_t w = 0; w < in->words; w++) {
        const double *step = w ? step_of(t, path[w - 1], path[w])
                             : nf_label_kind(path[0]) == NF_KIND_I
                                 ? NULL
                                 : &t->first[nf_label_kind(path[0])];
        if (!step) return -HUGE_VAL;
        score += *step + in->logits[w * l + (size_t)path[w]];
    }
    return score;
}

void nf_decoder_path_gradient(const int32_t *path, size_t words, size_t types, double scale,
                              double *dlogits, nf_transitions *d) {
    size_t l = 2 * types + 1;
    for (size_t w = 0; w < words; w++) {
        dlogits[w * l + (size_t)path[w]] += scale;
        const double *step =
            w ? step_of(d, path[w - 1], path[w]) : &d->first[nf_label_kind(path[0])];
        if (step) *(double *)(uintptr_t)step += scale;
    }
}

/* The best and the second best type to leave for another type's B. */
typedef struct leader {
    double score[2];
    int32_t label[2];
} leader;

static void lead(leader *best, double score, int32_t label) {
    int at = score > best->score[0] ? 0 : score > best->score[1] ? 1 : 2;
    if (at == 0) {
        best->score[1] = best->score[0];
        best->label[1] = best->label[0];
    }
    if (at == 2) return;
    best->score[at] = score;
    best->label[at] = label;
}

typedef struct choice {
    double score;
    int32_t label;
} choice;

static void take(choice *c, double score, int32_t label) {
    if (score > c->score) *c = (choice){score, label};
}

/* One step of the search: scores [L] after a word from those before it. */
static void best_step(const nf_transitions *t, const double *logits, size_t types,
                      const double *before, double *after, int32_t *from) {
    const double *o = t->next[NF_KIND_O], *b = t->next[NF_KIND_B], *i = t->next[NF_KIND_I];
    leader best = {{-HUGE_VAL, -HUGE_VAL}, {0, 0}};
    choice to_o = {before[0] + o[NF_STEP_O], 0};
    for (size_t k = 0; k < types; k++) {
        double sb = before[label_b(k)], si = before[label_i(k)];
        int32_t lb = (int32_t)label_b(k), li = (int32_t)label_i(k);
        take(&to_o, sb + b[NF_STEP_O], lb);
        take(&to_o, si + i[NF_STEP_O], li);
        double vb = sb + b[NF_STEP_B_OTHER], vi = si + i[NF_STEP_B_OTHER];
        lead(&best, vi > vb ? vi : vb, vi > vb ? li : lb);
    }
    after[0] = to_o.score + logits[0];
    from[0] = to_o.label;
    for (size_t k = 0; k < types; k++) {
        double sb = before[label_b(k)], si = before[label_i(k)];
        int32_t lb = (int32_t)label_b(k), li = (int32_t)label_i(k);
        int other = nf_label_type(best.label[0]) == (int32_t)k ? 1 : 0;
        choice to_b = {before[0] + o[NF_STEP_B_OTHER], 0};
        take(&to_b, best.score[other], best.label[other]);
        take(&to_b, sb + b[NF_STEP_B_SAME], lb);
        take(&to_b, si + i[NF_STEP_B_SAME], li);
        choice to_i = {sb + b[NF_STEP_I], lb};
        take(&to_i, si + i[NF_STEP_I], li);
        after[lb] = to_b.score + logits[lb];
        from[lb] = to_b.label;
        after[li] = to_i.score + logits[li];
        from[li] = to_i.label;
    }
}

static void first_word(const nf_transitions *t, const double *logits, size_t types, double *out) {
    out[0] = logits[0] + t->first[NF_KIND_O];
    for (size_t k = 0; k < types; k++) {
        out[label_b(k)] = logits[label_b(k)] + t->first[NF_KIND_B];
        out[label_i(k)] = -HUGE_VAL;
    }
}

nerfit_status nf_decoder_best(nf_decoder *d, const nf_decoder_input *in, int32_t *path,
                              double *score, nerfit_error *err) {
    size_t words = in->words, types = in->types, l = 2 * types + 1;
    if (score) *score = 0.0;
    if (words == 0) return NERFIT_OK;
    NF_TRY(reserve(d, words, types, err));
    first_word(in->transitions, in->logits, types, d->forward);
    for (size_t w = 1; w < words; w++)
        best_step(in->transitions, in->logits + w * l, types, d->forward + (w - 1) * l,
                  d->forward + w * l, d->from + w * l);
    const double *last = d->forward + (words - 1) * l;
    size_t best = 0;
    for (size_t k = 1; k < l; k++)
        if (last[k] > last[best]) best = k;
    if (score) *score = last[best];
    path[words - 1] = (int32_t)best;
    for (size_t w = words - 1; w > 0; w--) {
        path[w - 1] = d->from[w * l + (size_t)path[w]];
        nf_assert_below(path[w - 1], l);
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- sums */

/* out[k] = log of the sum of exp(x[j]) over j != k, by sums from both sides: a difference of the
 * whole sum and one term would lose all digits where the term is nearly the whole. */
static double sum_of_others(const double *x, size_t stride, size_t types, double *left,
                            double *out) {
    double sum = -HUGE_VAL;
    for (size_t k = 0; k < types; k++) {
        left[k] = sum;
        sum = add(sum, x[k * stride]);
    }
    double right = -HUGE_VAL;
    for (size_t k = types; k-- > 0;) {
        out[k] = add(left[k], right);
        right = add(right, x[k * stride]);
    }
    return sum;
}

static void forward_step(nf_decoder *d, size_t w) {
    const nf_transitions *t = d->transitions;
    const double *o = t->next[NF_KIND_O], *b = t->next[NF_KIND_B], *i = t->next[NF_KIND_I];
    size_t types = d->types, l = 2 * types + 1;
    const double *before = d->forward + (w - 1) * l, *x = d->logits + w * l;
    double *after = d->forward + w * l, *others = d->others + w * types;
    double to_o = before[0] + o[NF_STEP_O];
    for (size_t k = 0; k < types; k++) {
        double sb = before[label_b(k)], si = before[label_i(k)];
        to_o = add(to_o, add(sb + b[NF_STEP_O], si + i[NF_STEP_O]));
        d->leave[k] = add(sb + b[NF_STEP_B_OTHER], si + i[NF_STEP_B_OTHER]);
    }
    sum_of_others(d->leave, 1, types, d->left, others);
    after[0] = to_o + x[0];
    for (size_t k = 0; k < types; k++) {
        double sb = before[label_b(k)], si = before[label_i(k)];
        double to_b = add(before[0] + o[NF_STEP_B_OTHER], others[k]);
        to_b = add(to_b, add(sb + b[NF_STEP_B_SAME], si + i[NF_STEP_B_SAME]));
        after[label_b(k)] = to_b + x[label_b(k)];
        after[label_i(k)] = add(sb + b[NF_STEP_I], si + i[NF_STEP_I]) + x[label_i(k)];
    }
}

/* What follows a label of type k and this kind at word w, without going on to I-k. */
static double leaving(const nf_decoder *d, size_t w, int kind, size_t k) {
    size_t l = 2 * d->types + 1;
    if (w + 1 == d->words) return 0.0;
    const double *row = d->transitions->next[kind], *ahead = d->ahead + (w + 1) * l;
    return add(add(row[NF_STEP_O] + ahead[0], row[NF_STEP_B_SAME] + ahead[label_b(k)]),
               row[NF_STEP_B_OTHER] + d->others[(w + 1) * d->types + k]);
}

/* `others` of word w+1 holds from here on what backward sums need: sums of `ahead`. */
static void backward_step(nf_decoder *d, size_t w) {
    const nf_transitions *t = d->transitions;
    size_t types = d->types, l = 2 * types + 1;
    double *out = d->backward + w * l;
    if (w + 1 == d->words) {
        memset(out, 0, l * sizeof *out);
    } else {
        const double *ahead = d->ahead + (w + 1) * l;
        double all = sum_of_others(ahead + 1, 2, types, d->left, d->others + (w + 1) * types);
        out[0] = add(t->next[NF_KIND_O][NF_STEP_O] + ahead[0],
                     t->next[NF_KIND_O][NF_STEP_B_OTHER] + all);
        for (size_t k = 0; k < types; k++)
            for (int kind = NF_KIND_B; kind <= NF_KIND_I; kind++)
                out[2 * k + (size_t)kind] =
                    add(leaving(d, w, kind, k), t->next[kind][NF_STEP_I] + ahead[label_i(k)]);
    }
    for (size_t k = 0; k < l; k++) d->ahead[w * l + k] = out[k] + d->logits[w * l + k];
}

nerfit_status nf_decoder_sum(nf_decoder *d, const nf_decoder_input *in, double *log_z,
                             nerfit_error *err) {
    size_t words = in->words, l = 2 * in->types + 1;
    NF_TRY(reserve(d, words, in->types, err));
    d->transitions = in->transitions;
    d->logits = in->logits;
    d->words = words;
    d->types = in->types;
    d->log_z = *log_z = 0.0;
    if (words == 0) return NERFIT_OK;
    first_word(in->transitions, in->logits, in->types, d->forward);
    for (size_t w = 1; w < words; w++) forward_step(d, w);
    for (size_t w = words; w-- > 0;) backward_step(d, w);
    const double *last = d->forward + (words - 1) * l;
    double sum = last[0];
    for (size_t k = 1; k < l; k++) sum = add(sum, last[k]);
    d->log_z = *log_z = sum;
    return NERFIT_OK;
}

double nf_decoder_marginal(const nf_decoder *d, size_t word, int32_t label) {
    size_t at = word * (2 * d->types + 1) + (size_t)label;
    return exp(d->forward[at] + d->backward[at] - d->log_z);
}

double nf_decoder_span(const nf_decoder *d, size_t type, size_t start, size_t end) {
    size_t l = 2 * d->types + 1;
    double sum = d->forward[start * l + label_b(type)];
    for (size_t w = start + 1; w < end; w++)
        sum += d->transitions->next[w == start + 1 ? NF_KIND_B : NF_KIND_I][NF_STEP_I] +
               d->logits[w * l + label_i(type)];
    sum += leaving(d, end - 1, end - start == 1 ? NF_KIND_B : NF_KIND_I, type);
    return exp(sum - d->log_z);
}

static void take_out_improbable(const nf_decoder *d, double least, int32_t *path) {
    for (size_t start = 0; start < d->words;) {
        size_t end = start + 1;
        if (nf_label_kind(path[start]) == NF_KIND_B) {
            while (end < d->words && nf_label_kind(path[end]) == NF_KIND_I) end++;
            double p = nf_decoder_span(d, (size_t)nf_label_type(path[start]), start, end);
            for (size_t w = start; w < end && p < least; w++) path[w] = 0;
        }
        start = end;
    }
}

nerfit_status nf_decoder_labels(nf_decoder *d, const nf_decoder_input *in, double least, bool sums,
                                int32_t *path, nerfit_error *err) {
    double log_z;
    NF_TRY(nf_decoder_best(d, in, path, NULL, err));
    for (size_t w = 0; w < in->words && !sums; w++) sums = path[w] != NF_LABEL_O;
    if (!sums) return NERFIT_OK;
    NF_TRY(nf_decoder_sum(d, in, &log_z, err));
    take_out_improbable(d, least, path);
    return NERFIT_OK;
}

/* Expected counts of the steps from word w to the next one. */
static void count_steps(const nf_decoder *d, size_t w, double scale, nf_transitions *out) {
    const nf_transitions *t = d->transitions;
    size_t types = d->types, l = 2 * types + 1;
    const double *before = d->forward + w * l, *ahead = d->ahead + (w + 1) * l;
    const double *others = d->others + (w + 1) * types;
    double z = d->log_z, *o = out->next[NF_KIND_O];
    o[NF_STEP_O] += scale * exp(before[0] + t->next[NF_KIND_O][NF_STEP_O] + ahead[0] - z);
    for (size_t k = 0; k < types; k++) {
        o[NF_STEP_B_OTHER] +=
            scale * exp(before[0] + t->next[NF_KIND_O][NF_STEP_B_OTHER] + ahead[label_b(k)] - z);
        for (int kind = NF_KIND_B; kind <= NF_KIND_I; kind++) {
            const double *row = t->next[kind];
            double *to = out->next[kind], base = before[2 * k + (size_t)kind] - z;
            to[NF_STEP_O] += scale * exp(base + row[NF_STEP_O] + ahead[0]);
            to[NF_STEP_B_SAME] += scale * exp(base + row[NF_STEP_B_SAME] + ahead[label_b(k)]);
            to[NF_STEP_B_OTHER] += scale * exp(base + row[NF_STEP_B_OTHER] + others[k]);
            to[NF_STEP_I] += scale * exp(base + row[NF_STEP_I] + ahead[label_i(k)]);
        }
    }
}

void nf_decoder_sum_gradient(const nf_decoder *d, double scale, double *dlogits,
                             nf_transitions *dtransitions) {
    size_t l = 2 * d->types + 1;
    for (size_t w = 0; w < d->words; w++) {
        for (size_t k = 0; k < l; k++) {
            double p = scale * nf_decoder_marginal(d, w, (int32_t)k);
            dlogits[w * l + k] += p;
            if (w == 0) dtransitions->first[nf_label_kind((int32_t)k)] += p;
        }
        if (w + 1 < d->words) count_steps(d, w, scale, dtransitions);
    }
}
