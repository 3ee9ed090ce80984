#include "train/schedule.h"

#include <math.h>

typedef struct place {
    double step, warmup, total;
    double progress; /* 0 at the end of warm-up, 1 at the end */
    const nf_schedule_options *options;
} place;

static double or_default(double value, double fallback) {
    return value != 0.0 ? value : fallback;
}

static double linear(const place *at) {
    double left = at->total - at->step, span = at->total - at->warmup;
    return fmax(0.0, left / fmax(1.0, span));
}

static double cosine(const place *at) {
    double cycles = or_default(at->options->num_cycles, 0.5);
    return fmax(0.0, 0.5 * (1.0 + cos(M_PI * cycles * 2.0 * at->progress)));
}

static double cosine_with_restarts(const place *at) {
    double cycles = or_default(at->options->num_cycles, 1.0);
    if (at->progress >= 1.0) return 0.0;
    return fmax(0.0, 0.5 * (1.0 + cos(M_PI * fmod(cycles * at->progress, 1.0))));
}

static double polynomial(const place *at) {
    const nf_schedule_options *o = at->options;
    double end = or_default(o->lr_end, 1e-7) / o->lr_initial;
    if (at->step > at->total) return end;
    double remaining = 1.0 - (at->step - at->warmup) / (at->total - at->warmup);
    return (1.0 - end) * pow(remaining, or_default(o->power, 1.0)) + end;
}

static double constant(const place *at) {
    (void)at;
    return 1.0;
}

static double inverse_sqrt(const place *at) {
    double timescale = or_default(at->options->timescale, at->warmup > 0 ? at->warmup : 10000.0);
    return 1.0 / sqrt((at->step + timescale - at->warmup) / timescale);
}

/* By nf_schedule_kind. */
static const struct {
    double (*after_warmup)(const place *);
    bool warms_up;
} schedules[] = {
    {linear, true},    {cosine, true},   {cosine_with_restarts, true}, {polynomial, true},
    {constant, false}, {constant, true}, {inverse_sqrt, true},
};

double nf_schedule_factor(nf_schedule_kind kind, int64_t step, int64_t warmup_steps,
                          int64_t total_steps, const nf_schedule_options *options) {
    place at = {.step = (double)step,
                .warmup = (double)warmup_steps,
                .total = (double)total_steps,
                .options = options};
    if (schedules[kind].warms_up && step < warmup_steps) return at.step / fmax(1.0, at.warmup);
    at.progress = (at.step - at.warmup) / fmax(1.0, at.total - at.warmup);
    return schedules[kind].after_warmup(&at);
}
