/* Counters and histograms, as Prometheus reads them (/metrics). Names are those of
 * text-embeddings-inference with nerfit_ in the place of te_. */
#ifndef NF_SERVE_METRICS_H
#define NF_SERVE_METRICS_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/str.h"

/* name, help */
#define NF_COUNTERS(X)                                                                             \
    X(request_count, "requests whose headers have arrived")                                        \
    X(request_success, "requests that were answered with a status below 400")                      \
    X(request_failure, "requests that were answered with another status")                          \
    X(request_overloaded, "requests that were answered with 429")                                  \
    X(request_dropped, "requests whose client had gone before the reply")                          \
    X(request_timeout, "requests that took longer than request_timeout")                           \
    X(text_count, "texts that were tagged or embedded")                                            \
    X(token_count, "their sub-words")                                                              \
    X(connection_count, "connections")                                                             \
    X(connection_evicted, "connections that were closed because they were slow or idle")           \
    X(access_log_lost, "lines of the access log that nobody took")

/* name, help, unit of the buckets (seconds or a count) */
#define NF_HISTOGRAMS(X)                                                                           \
    X(request_duration, "seconds from a request's headers to its end", SECONDS)                    \
    X(request_queue_duration, "seconds that texts waited for a worker", SECONDS)                   \
    X(request_inference_duration, "seconds in which their batch was tagged", SECONDS)              \
    X(batch_next_size, "texts in a batch", COUNT)                                                  \
    X(batch_next_tokens, "sub-words in a batch", COUNT)

typedef enum nf_counter {
#define X(name, help) NF_COUNTED_##name,
    NF_COUNTERS(X)
#undef X
        NF_N_COUNTERS
} nf_counter;

typedef enum nf_histogram_id {
#define X(name, help, unit) NF_TIME_##name,
    NF_HISTOGRAMS(X)
#undef X
        NF_N_HISTOGRAMS
} nf_histogram_id;

enum { NF_BUCKETS = 16 };

typedef struct nf_histogram {
    atomic_size_t buckets[NF_BUCKETS + 1]; /* the last one: all above */
    _Atomic double sum;
} nf_histogram;

typedef struct nf_metrics {
    atomic_size_t counters[NF_N_COUNTERS];
    nf_histogram histograms[NF_N_HISTOGRAMS];
    atomic_size_t statuses[600]; /* replies by status */
} nf_metrics;

void nf_metrics_count(nf_metrics *metrics, nf_counter counter, size_t n);
void nf_metrics_observe(nf_metrics *metrics, nf_histogram_id histogram, double value);
void nf_metrics_status(nf_metrics *metrics, int status);
/* All of them in Prometheus' text format 0.0.4. */
void nf_metrics_append(nf_metrics *metrics, nf_str *out);
/* A value that is asked for when it is shown. */
void nf_metrics_append_gauge(nf_str *out, const char *name, const char *help, double value);

#endif
