/* Texts that wait for a worker, and the workers.
 *
 * Requests put their texts in as jobs; a worker takes the oldest and those behind it that go with it
 * (the same model and options), up to max_batch_tokens, and tags them in one call. While there are
 * fewer it waits for more, until the oldest has waited batch_window. Idle workers share what is
 * there. Tokens are estimated from bytes, by what the model's tokenizer made of earlier texts: how
 * many there are decides only what goes together.
 *
 * Every job that was taken in ends with one call of `done`, whatever happens. */
#ifndef NF_SERVE_QUEUE_H
#define NF_SERVE_QUEUE_H

#include "serve/models.h"
#include "serve/request.h"

/* Options that jobs share; released with the last of them. */
typedef struct nf_call {
    atomic_int refs;
    nf_served *model;
    char *key;                   /* jobs whose keys are equal may be tagged in one call */
    nerfit_call_options options; /* go_on, log and text_labels are the queue's */
    nerfit_threshold *thresholds;
    const char **labels;
    json_t *source; /* has the texts that thresholds and labels point to */
} nf_call;
/* One without options; NULL: out of memory. */
nf_call *nf_call_new(nf_served *model);
void nf_call_ref(nf_call *call);
void nf_call_unref(nf_call *call);

/* How a job ended. */
typedef struct nf_job_result {
    nf_failure failure;  /* NONE: there is a result */
    const char *message; /* of a failure */
    const nerfit_prediction *prediction;
    const float *embedding; /* [embedding_size], in its place, of an encoder's job */
    size_t embedding_size;
    double queue, compute; /* seconds */
} nf_job_result;

typedef struct nf_job nf_job;
struct nf_job {
    nf_request *request; /* that the queue holds a reference to */
    nf_call *call;       /* and to this */
    const char *text;    /* [size], and a NUL; lives until `done` */
    size_t size, index;  /* index: of the request's texts */
    void (*done)(nf_job *job, const nf_job_result *result); /* on a worker; may free the job */
    void *user;
    /* the queue's own */
    double since, deadline;
    size_t tokens;
    nf_job *before, *next;
};

typedef struct nf_queue nf_queue;
nerfit_status nf_queue_new(nf_queue **out, nf_server *server, int workers, nerfit_error *err);
/* False, and none is taken, after nf_queue_stop. */
bool nf_queue_put(nf_queue *queue, nf_job *jobs, size_t count);
/* Ends jobs that nobody waits for, or whose time is over; called several times a second. */
void nf_queue_sweep(nf_queue *queue);
/* Texts that wait. */
size_t nf_queue_length(nf_queue *queue);
/* Ends all jobs (NF_FAILURE_UNHEALTHY) and the workers; NULL is fine, here and below. */
void nf_queue_stop(nf_queue *queue);
void nf_queue_free(nf_queue *queue);

#endif
