#include "tensor/profile.h"

#include "base/clock.h"

const char *nf_operation_name(nf_operation operation) {
    static const char *const names[NF_OPERATIONS] = {"products with weights",
                                                     "adapters",
                                                     "attention",
                                                     "layer norm",
                                                     "activation",
                                                     "dropout",
                                                     "embeddings",
                                                     "optimizer",
                                                     "loss",
                                                     "sums and copies"};
    return names[operation];
}

/* The time from begin to end counts as one kind of operation. */
typedef struct measurement {
    nf_profile *profile;
    nf_operation kind;
    double began;
} measurement;

static measurement measurement_begin(nf_backend *be, nf_operation kind) {
    return (measurement){(nf_profile *)be, kind, nf_clock_now()};
}

static void measurement_end(const measurement *m) {
    m->profile->seconds[m->kind] += nf_clock_now() - m->began;
}

/* A function for each operation: the inner backend's, measured. `be` is the profile, and then the
 * inner backend. */
#define MEASURED(result, name, operation, answers, parameters, arguments)                          \
    static result measured_##name parameters {                                                     \
        __attribute__((cleanup(measurement_end))) measurement m =                                  \
            measurement_begin(be, NF_OPERATION_##operation);                                       \
        m.profile->calls[NF_CALL_##name]++;                                                        \
        m.profile->waits += answers;                                                               \
        be = m.profile->inner;                                                                     \
        return be->name arguments;                                                                 \
    }
#define NF_OPERATION(result, name, kind, parameters, arguments)                                    \
    MEASURED(result, name, kind, 0, parameters, arguments)
#define NF_SHORTCUT(result, name, kind, parameters, arguments)                                     \
    MEASURED(result, name, kind, 0, parameters, arguments)
#define NF_ANSWER(result, name, kind, parameters, arguments)                                       \
    MEASURED(result, name, kind, 1, parameters, arguments)
#include "tensor/operations.h"

void nf_profile_init(nf_profile *p, nf_backend *inner) {
    *p = (nf_profile){.be = *inner, .inner = inner};
#define NF_OPERATION(result, name, ...) p->be.name = measured_##name;
#define NF_ANSWER(result, name, ...) p->be.name = measured_##name;
#define NF_SHORTCUT(result, name, ...)                                                             \
    if (inner->name) p->be.name = measured_##name;
#include "tensor/operations.h"
}
