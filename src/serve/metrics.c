#include "serve/metrics.h"

typedef enum unit { UNIT_SECONDS, UNIT_COUNT } unit;

static const struct {
    const char *name, *help;
} counters[NF_N_COUNTERS] = {
#define X(name, help) {#name, help},
    NF_COUNTERS(X)
#undef X
};

static const struct {
    const char *name, *help;
    unit unit;
} histograms[NF_N_HISTOGRAMS] = {
#define X(name, help, unit) {#name, help, UNIT_##unit},
    NF_HISTOGRAMS(X)
#undef X
};

static const double bounds[2][NF_BUCKETS] = {
    [UNIT_SECONDS] = {0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05,
                      0.1, 0.25, 1.0, 5.0, 30.0},
    [UNIT_COUNT] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 65536},
};

void nf_metrics_count(nf_metrics *m, nf_counter counter, size_t n) {
    atomic_fetch_add_explicit(&m->counters[counter], n, memory_order_relaxed);
}

void nf_metrics_observe(nf_metrics *m, nf_histogram_id id, double value) {
    nf_histogram *h = &m->histograms[id];
    const double *bound = bounds[histograms[id].unit];
    size_t bucket = 0;
    while (bucket < NF_BUCKETS && value > bound[bucket]) bucket++;
    atomic_fetch_add_explicit(&h->buckets[bucket], 1, memory_order_relaxed);
    double sum = atomic_load_explicit(&h->sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&h->sum, &sum, sum + value, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

void nf_metrics_status(nf_metrics *m, int status) {
    if (status >= 100 && status < 600)
        atomic_fetch_add_explicit(&m->statuses[status], 1, memory_order_relaxed);
}

static void append_head(nf_str *out, const char *name, const char *help, const char *type) {
    nf_str_appendf(out, "# HELP nerfit_%s %s\n# TYPE nerfit_%s %s\n", name, help, name, type);
}

static void append_histogram(nf_str *out, nf_histogram *h, size_t id) {
    const char *name = histograms[id].name;
    const double *bound = bounds[histograms[id].unit];
    size_t count = 0;
    append_head(out, name, histograms[id].help, "histogram");
    for (size_t i = 0; i <= NF_BUCKETS; i++) {
        count += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        if (i < NF_BUCKETS)
            nf_str_appendf(out, "nerfit_%s_bucket{le=\"%g\"} %zu\n", name, bound[i], count);
        else
            nf_str_appendf(out, "nerfit_%s_bucket{le=\"+Inf\"} %zu\n", name, count);
    }
    nf_str_appendf(out, "nerfit_%s_sum %.9g\nnerfit_%s_count %zu\n", name,
                   atomic_load_explicit(&h->sum, memory_order_relaxed), name, count);
}

void nf_metrics_append(nf_metrics *m, nf_str *out) {
    for (size_t i = 0; i < NF_N_COUNTERS; i++) {
        append_head(out, counters[i].name, counters[i].help, "counter");
        nf_str_appendf(out, "nerfit_%s %zu\n", counters[i].name,
                       atomic_load_explicit(&m->counters[i], memory_order_relaxed));
    }
    append_head(out, "reply_status", "replies by status", "counter");
    for (int i = 100; i < 600; i++) {
        size_t count = atomic_load_explicit(&m->statuses[i], memory_order_relaxed);
        if (count) nf_str_appendf(out, "nerfit_reply_status{status=\"%d\"} %zu\n", i, count);
    }
    for (size_t i = 0; i < NF_N_HISTOGRAMS; i++) append_histogram(out, &m->histograms[i], i);
}

void nf_metrics_append_gauge(nf_str *out, const char *name, const char *help, double value) {
    append_head(out, name, help, "gauge");
    nf_str_appendf(out, "nerfit_%s %.9g\n", name, value);
}
