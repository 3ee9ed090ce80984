#include "eval/reliability.h"

#include <math.h>
#include <stdlib.h>

static int by_score(const void *a, const void *b) {
    const nf_scored *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    return (int)x->correct - (int)y->correct;
}

static nf_reliability_bin bin_of(const nf_scored *items, size_t count) {
    nf_reliability_bin bin = {
        .least = items[0].score, .most = items[count - 1].score, .count = count};
    for (size_t i = 0; i < count; i++) {
        bin.score += items[i].score;
        bin.precision += items[i].correct;
    }
    bin.score /= (double)count;
    bin.precision /= (double)count;
    return bin;
}

void nf_reliability_measure(nf_reliability *out, nf_scored *items, size_t count) {
    *out = (nf_reliability){.count = count};
    if (!count) return;
    qsort(items, count, sizeof *items, by_score);
    nf_reliability_bin all = bin_of(items, count);
    out->score = all.score;
    out->precision = all.precision;
    for (size_t i = 0; i < count; i++)
        out->brier += pow(items[i].score - items[i].correct, 2) / (double)count;
    for (size_t b = 0, from = 0; b < NF_RELIABILITY_BINS && from < count; b++) {
        size_t to = (b + 1) * count / NF_RELIABILITY_BINS;
        if (to <= from) continue;
        while (to < count && items[to].score == items[to - 1].score) to++;
        nf_reliability_bin bin = bin_of(items + from, to - from);
        out->error += (double)bin.count / (double)count * fabs(bin.score - bin.precision);
        out->bins[out->n_bins++] = bin;
        from = to;
    }
}

static nf_threshold_score score_at(double threshold, size_t predicted, size_t correct,
                                   size_t n_gold) {
    nf_threshold_score s = {.threshold = threshold, .predicted = predicted, .correct = correct};
    s.precision = predicted ? (double)correct / (double)predicted : 0;
    s.recall = n_gold ? (double)correct / (double)n_gold : 0;
    size_t both = predicted + n_gold;
    s.f1 = both ? 2.0 * (double)correct / (double)both : 0;
    return s;
}

void nf_threshold_table(nf_threshold_score rows[NF_THRESHOLDS], const nf_scored *items,
                        size_t count, size_t n_gold) {
    static const double thresholds[NF_THRESHOLDS] = {0,   0.1, 0.2, 0.3, 0.4,  0.5,
                                                     0.6, 0.7, 0.8, 0.9, 0.95, 0.99};
    size_t at = count, correct = 0;
    for (size_t row = NF_THRESHOLDS; row-- > 0;) {
        while (at > 0 && items[at - 1].score >= thresholds[row]) correct += items[--at].correct;
        rows[row] = score_at(thresholds[row], count - at, correct, n_gold);
    }
}

nf_threshold_score nf_threshold_best(const nf_scored *items, size_t count, size_t n_gold) {
    nf_threshold_score best = score_at(1, 0, 0, n_gold);
    for (size_t at = count, correct = 0; at > 0;) {
        correct += items[--at].correct;
        if (at > 0 && items[at - 1].score == items[at].score) continue;
        nf_threshold_score here = score_at(items[at].score, count - at, correct, n_gold);
        if (here.f1 >= best.f1) best = here;
    }
    return best;
}

static int by_falling_score(const void *a, const void *b) {
    double x = ((const nf_scored *)a)->score, y = ((const nf_scored *)b)->score;
    return (x < y) - (x > y);
}

double nf_best_threshold(nf_scored *items, size_t count, size_t n_gold) {
    size_t correct = 0;
    double best = 0.0, threshold = 1.0;
    qsort(items, count, sizeof *items, by_falling_score);
    for (size_t i = 0; i < count; i++) {
        correct += items[i].correct;
        double below = i + 1 < count ? items[i + 1].score : 0.0;
        double f1 = 2.0 * (double)correct / (double)(i + 1 + n_gold);
        if (below == items[i].score || f1 <= best) continue;
        best = f1;
        threshold = (items[i].score + below) / 2.0;
    }
    return threshold;
}
