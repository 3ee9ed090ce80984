/* Calibration: from an entity's score to the probability that it is right.
 *
 * Temperature scaling (Guo et al., 2017) on the score's logit, with a shift (Platt, 1999):
 *   p' = sigmoid(logit(p) / temperature + shift)
 * The order of the scores stays. Both numbers are fitted to predicted entities of texts that the
 * model did not learn from, by the least negative log-likelihood of "correct" and "not correct".
 *
 * It is kept in the model's folder, in nerfit.json, which holds what is nerfit's own and which
 * transformers passes over:
 *   "calibration": {"temperature": 1.7, "shift": -0.2, "entities": 812, "from": "validation"} */
#ifndef NF_INFER_CALIBRATION_H
#define NF_INFER_CALIBRATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* A predicted entity: its score, and whether a gold entity has its place and type. */
typedef struct nf_scored {
    double score;
    bool correct;
    const char *label; /* borrowed of who found it; NULL: not told */
} nf_scored;

typedef struct nf_calibration {
    double temperature, shift;
    size_t n_entities; /* that it was fitted to; 0: it is not fitted, and scores stay as they are */
} nf_calibration;

/* What leaves every score as it is. */
#define NF_CALIBRATION_NONE ((nf_calibration){1, 0, 0})

double nf_calibration_apply(const nf_calibration *calibration, double score);
/* The score that becomes this probability. */
double nf_calibration_invert(const nf_calibration *c, double probability);

/* With fewer entities, of either outcome too, the temperature alone is fitted. */
enum { NF_CALIBRATION_LEAST_FOR_SHIFT = 20 };

/* Fits to raw scores. Targets are drawn in a little, by Platt's rule ((n+ + 1) / (n+ + 2) in the
 * place of 1, 1 / (n- + 2) of 0), so that a fit exists where all are right or all are wrong.
 * Deterministic; the order of the items is of no account but for rounding. */
nf_calibration nf_calibration_fit(const nf_scored *items, size_t count);
/* Mean negative log-likelihood per entity, with the outcomes as they are; probabilities are kept
 * 1e-12 away from 0 and 1. */
double nf_calibration_loss(const nf_calibration *calibration, const nf_scored *items, size_t count);

/* Reads it from folder/nerfit.json; NF_CALIBRATION_NONE if there is no such file or key. */
nerfit_status nf_calibration_load(nf_calibration *out, const char *folder, nerfit_error *err);
/* Writes it there (not fitted: takes it out); other keys of the file stay. `from`: "validation",
 * "cross-validation". */
nerfit_status nf_calibration_save(const nf_calibration *calibration, const char *from,
                                  const char *folder, nerfit_error *err);

#endif
