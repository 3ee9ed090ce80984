/* How far an entity's score can be taken as a probability, and what a threshold on it brings. An
 * item is one predicted entity: its score, and whether a gold entity has its place and type. */
#ifndef NF_EVAL_RELIABILITY_H
#define NF_EVAL_RELIABILITY_H

#include <stdbool.h>
#include <stddef.h>

#include "infer/calibration.h"

enum { NF_RELIABILITY_BINS = 15 };

typedef struct nf_reliability_bin {
    double least, most; /* scores */
    size_t count;
    double score, precision; /* means */
} nf_reliability_bin;

/* Expected calibration error with bins of equal mass (Nguyen and O'Connor, 2015): entities in the
 * order of their scores are divided into 15 bins of about the same number, equal scores never
 * divided; error = sum over bins of count / all * |mean score - share of correct ones|. Bins of
 * equal width (Guo et al., 2017) would hold nearly everything in the last one, since most scores of
 * a trained tagger are near 1. */
typedef struct nf_reliability {
    double error;
    double score, precision; /* means over all */
    double brier;            /* mean squared difference of score and correct (1) or not (0) */
    size_t count;
    nf_reliability_bin bins[NF_RELIABILITY_BINS];
    size_t n_bins; /* 0 without entities */
} nf_reliability;

/* Sorts the items by score. */
void nf_reliability_measure(nf_reliability *out, nf_scored *items, size_t count);

/* Precision, recall and F1 of the entities whose score is at least a threshold. */
typedef struct nf_threshold_score {
    double threshold;
    size_t predicted, correct;
    double precision, recall, f1;
} nf_threshold_score;

enum { NF_THRESHOLDS = 12 };

/* Rows for 0, 0.1, ..., 0.9, 0.95, 0.99. `items` sorted by score; n_gold: entities to be found. */
void nf_threshold_table(nf_threshold_score rows[NF_THRESHOLDS], const nf_scored *items,
                        size_t count, size_t n_gold);
/* The threshold with the best F1 on these items; the lowest one of several. */
nf_threshold_score nf_threshold_best(const nf_scored *items, size_t count, size_t n_gold);

/* Where F1 over these is best, n_gold of which there were to find: between the score of the last one
 * that is kept and that of the first one that is not. Sorts the items. */
double nf_best_threshold(nf_scored *items, size_t count, size_t n_gold);

#endif
