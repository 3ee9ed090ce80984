/* The negative log-likelihood of logistic regression is convex in (1 / temperature, shift). For a
 * given temperature the best shift is found by Newton steps within a shrinking interval; the
 * temperature by golden section over its logarithm, in which what is left is unimodal. */
#include "infer/calibration.h"

#include <math.h>

#include "base/arena.h"
#include "heads/nerfit_json.h"

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

/* Scores that are 0 or 1 in floating point are not taken at their word. */
static double logit(double p) {
    static const double least = 1e-7;
    if (p < least) p = least;
    if (p > 1 - least) p = 1 - least;
    return log(p / (1 - p));
}

double nf_calibration_apply(const nf_calibration *c, double score) {
    if (!c->n_entities) return score;
    return sigmoid(logit(score) / c->temperature + c->shift);
}

double nf_calibration_invert(const nf_calibration *c, double probability) {
    if (!c->n_entities || probability <= 0 || probability >= 1) return probability;
    return sigmoid((logit(probability) - c->shift) * c->temperature);
}

double nf_calibration_loss(const nf_calibration *c, const nf_scored *items, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double p = nf_calibration_apply(c, items[i].score);
        p = fmin(fmax(items[i].correct ? p : 1 - p, 1e-12), 1);
        sum -= log(p);
    }
    return count ? sum / (double)count : 0;
}

/* ---------------------------------------------------------------- fitting */

static const double LEAST_TEMPERATURE = 0.05, MOST_TEMPERATURE = 50, MOST_SHIFT = 20;

typedef struct fit {
    const nf_scored *items;
    size_t count;
    double target[2]; /* of wrong and of correct ones */
    bool has_shift;
} fit;

/* log(1 + exp(x)) */
static double softplus(double x) {
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double loss_at(const fit *f, double temperature, double shift) {
    double sum = 0;
    for (size_t i = 0; i < f->count; i++) {
        double x = logit(f->items[i].score) / temperature + shift;
        sum += softplus(x) - f->target[f->items[i].correct] * x;
    }
    return sum;
}

/* The loss rises with the shift: its derivative's zero lies between two bounds that close in. */
static double best_shift(const fit *f, double temperature) {
    double low = -MOST_SHIFT, high = MOST_SHIFT, shift = 0;
    if (!f->has_shift) return 0;
    for (int step = 0; step < 60 && high - low > 1e-10; step++) {
        double slope = 0, curve = 0;
        for (size_t i = 0; i < f->count; i++) {
            double p = sigmoid(logit(f->items[i].score) / temperature + shift);
            slope += p - f->target[f->items[i].correct];
            curve += p * (1 - p);
        }
        if (fabs(slope) < 1e-12 * (double)f->count) break;
        if (slope > 0)
            high = shift;
        else
            low = shift;
        double next = curve > 0 ? shift - slope / curve : low;
        shift = next > low && next < high ? next : (low + high) / 2;
    }
    return shift;
}

static double loss_of(const fit *f, double log_temperature) {
    double temperature = exp(log_temperature);
    return loss_at(f, temperature, best_shift(f, temperature));
}

static double best_temperature(const fit *f) {
    const double ratio = (sqrt(5) - 1) / 2;
    double low = log(LEAST_TEMPERATURE), high = log(MOST_TEMPERATURE);
    double a = high - ratio * (high - low), b = low + ratio * (high - low);
    double at_a = loss_of(f, a), at_b = loss_of(f, b);
    while (high - low > 1e-7) {
        if (at_a <= at_b) {
            high = b, b = a, at_b = at_a;
            a = high - ratio * (high - low);
            at_a = loss_of(f, a);
        } else {
            low = a, a = b, at_a = at_b;
            b = low + ratio * (high - low);
            at_b = loss_of(f, b);
        }
    }
    return exp((low + high) / 2);
}

nf_calibration nf_calibration_fit(const nf_scored *items, size_t count) {
    size_t correct = 0;
    for (size_t i = 0; i < count; i++) correct += items[i].correct;
    if (!count) return NF_CALIBRATION_NONE;
    size_t wrong = count - correct;
    fit f = {.items = items, .count = count};
    f.target[1] = (double)(correct + 1) / (double)(correct + 2);
    f.target[0] = 1 / (double)(wrong + 2);
    f.has_shift =
        correct >= NF_CALIBRATION_LEAST_FOR_SHIFT && wrong >= NF_CALIBRATION_LEAST_FOR_SHIFT;
    double temperature = best_temperature(&f);
    return (nf_calibration){temperature, best_shift(&f, temperature), count};
}

/* ---------------------------------------------------------------- the file */

static const char KEY[] = "calibration";

static nerfit_status from_json(nf_calibration *out, const json_t *json, const char *path,
                               nerfit_error *err) {
    const json_t *temperature = json_object_get(json, "temperature");
    const json_t *shift = json_object_get(json, "shift"),
                 *count = json_object_get(json, "entities");
    double t = json_number_value(temperature), s = json_number_value(shift);
    if (!json_is_number(temperature) || !isfinite(t) || t <= 0)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "calibration.temperature is not a number above 0");
    if ((shift && !json_is_number(shift)) || !isfinite(s))
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "calibration.shift is not a number");
    json_int_t n =
        json_is_integer(count) && json_integer_value(count) > 0 ? json_integer_value(count) : 1;
    *out = (nf_calibration){t, s, (size_t)n};
    return NERFIT_OK;
}

nerfit_status nf_calibration_load(nf_calibration *out, const char *folder, nerfit_error *err) {
    nf_arena arena = {0};
    const char *path;
    json_t *json;
    *out = NF_CALIBRATION_NONE;
    nerfit_status status = nf_nerfit_json_load(&json, &path, &arena, folder, err);
    const json_t *own = status == NERFIT_OK ? json_object_get(json, KEY) : NULL;
    if (own) status = from_json(out, own, path, err);
    json_decref(json);
    nf_arena_free(&arena);
    return status;
}

/* The calibration's member, put into the file's or taken out. */
static int put_member(json_t *json, const nf_calibration *c, const char *from) {
    if (!c->n_entities) return json_object_del(json, KEY);
    return json_object_set_new(json, KEY,
                               json_pack("{s:f, s:f, s:I, s:s}", "temperature", c->temperature,
                                         "shift", c->shift, "entities", (json_int_t)c->n_entities,
                                         "from", from));
}

nerfit_status nf_calibration_save(const nf_calibration *c, const char *from, const char *folder,
                                  nerfit_error *err) {
    nf_arena arena = {0};
    const char *path;
    json_t *json;
    nerfit_status status = nf_nerfit_json_load(&json, &path, &arena, folder, err);
    bool changed = c->n_entities || (json && json_object_get(json, KEY));
    if (status == NERFIT_OK && changed) {
        if (!json) json = json_pack("{s:i}", "format", NF_NERFIT_JSON_FORMAT);
        status = json && put_member(json, c, from) == 0 ? nf_nerfit_json_save(json, folder, err)
                                                        : nf_no_memory(err, 0);
    }
    json_decref(json);
    nf_arena_free(&arena);
    return status;
}
