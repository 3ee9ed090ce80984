/* How fast a model is on this machine: texts tagged and training steps a second, where the time
 * goes, and what share of the speed of bare matrix products is reached (`nerfit bench`). */
#ifndef NF_EXPERIMENT_BENCHMARK_H
#define NF_EXPERIMENT_BENCHMARK_H

#include "model/model.h"
#include "tensor/profile.h"

typedef struct nf_benchmark_row {
    const char *name;
    double per_second;            /* texts or steps */
    double tokens;                /* a second */
    double flops;                 /* of products with weights, a second */
    double shares[NF_OPERATIONS]; /* of one thread's time; what is in none of them is not counted */
    double rest;                  /* tokenizer, labels, entities, batches */
} nf_benchmark_row;

enum { NF_BENCHMARK_ROWS = 4 };

typedef struct nf_benchmark {
    double peak; /* flops a second of the model's largest product alone, on all threads */
    nf_benchmark_row rows[NF_BENCHMARK_ROWS];
    size_t n_rows;
} nf_benchmark;

/* Takes about `seconds` for each row. The model must be loaded with adapters merged, and is of no
 * use afterwards: it has been trained on made-up labels. Precision int8, and models
 * that read labels (ten are looked for), are measured in tagging alone. */
nerfit_status nf_benchmark_run(nf_benchmark *out, nf_model *model, double seconds,
                               nerfit_error *err);

#endif
