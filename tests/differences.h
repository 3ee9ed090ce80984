/* Derivatives of a loss by central differences, which analytical gradients are held against. The
 * backend is ref in double, whose memory is the host's: the number that is moved is a parameter's own. */
#ifndef NF_DIFFERENCES_H
#define NF_DIFFERENCES_H

/* A number that a loss depends on, and the step by which it is moved. `loss` computes the loss anew. */
typedef struct probed {
    double *value, step;
    double (*loss)(void *user);
    void *user;
} probed;

/* Of second order: two losses. The number is as before when it returns. */
static inline double central_difference(const probed *p) {
    double kept = *p->value;
    *p->value = kept + p->step;
    double above = p->loss(p->user);
    *p->value = kept - p->step;
    double below = p->loss(p->user);
    *p->value = kept;
    return (above - below) / (2 * p->step);
}

/* Of fourth order, where `second`, that of second order by the same step, is not near enough: two more. */
static inline double finer_difference(const probed *p, double second) {
    probed twice = *p;
    twice.step = 2 * p->step;
    return (4 * second - central_difference(&twice)) / 3;
}

#endif
