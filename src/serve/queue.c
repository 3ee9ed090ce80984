#include "serve/queue.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "serve/server.h"

/* Fewer tokens than these are not worth a second worker: one batch of the pipeline. */
enum { LEAST_TOKENS = 256, MOST_TEXTS = 256 };

typedef struct worker {
    nf_queue *queue;
    pthread_t thread;
    double give_up; /* when the last of its batch's jobs is late */
    nf_job *batch;
} worker;

struct nf_queue {
    nf_server *server;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    nf_job *first, *last;
    size_t n_jobs, n_tokens, n_idle;
    double tokens_a_second; /* of all workers, lately; 0: unknown */
    bool end;
    atomic_bool stopped; /* the same, for those who do not hold the mutex */
    worker *workers;     /* [n_workers], set before the first begins */
    size_t n_workers, n_started;
};

/* ---------------------------------------------------------------- calls */

nf_call *nf_call_new(nf_served *model) {
    nf_call *call = calloc(1, sizeof *call);
    if (!call) return NULL;
    atomic_init(&call->refs, 1);
    call->model = model;
    call->options = (nerfit_call_options)NERFIT_CALL_OPTIONS_INIT;
    if ((call->key = strdup(""))) return call;
    free(call);
    return NULL;
}

void nf_call_ref(nf_call *call) {
    atomic_fetch_add(&call->refs, 1);
}

void nf_call_unref(nf_call *call) {
    if (!call || atomic_fetch_sub(&call->refs, 1) != 1) return;
    free(call->key);
    free(call->thresholds);
    free(call->labels);
    json_decref(call->source);
    free(call);
}

/* ---------------------------------------------------------------- the list */

static void unlink_job(nf_queue *q, nf_job *job) {
    *(job->before ? &job->before->next : &q->first) = job->next;
    *(job->next ? &job->next->before : &q->last) = job->before;
    job->before = job->next = NULL;
    q->n_jobs--;
    q->n_tokens -= job->tokens;
}

static void end_job(nf_job *job, const nf_job_result *result) {
    nf_request *request = job->request;
    nf_call *call = job->call;
    job->done(job, result); /* the job may be gone now */
    nf_call_unref(call);
    nf_request_unref(request);
}

bool nf_queue_put(nf_queue *q, nf_job *jobs, size_t count) {
    double now = nf_clock_now();
    pthread_mutex_lock(&q->mutex);
    bool taken = !q->end;
    for (size_t i = 0; i < count && taken; i++) {
        nf_job *job = &jobs[i];
        double tokens = (double)job->size * atomic_load(&job->call->model->tokens_a_byte);
        nf_request_ref(job->request);
        nf_call_ref(job->call);
        job->tokens = (size_t)tokens + 2; /* those around a text, too */
        job->since = now;
        job->deadline = now + q->server->options.request_timeout;
        job->next = NULL;
        job->before = q->last;
        *(q->last ? &q->last->next : &q->first) = job;
        q->last = job;
        q->n_jobs++;
        q->n_tokens += job->tokens;
    }
    if (q->tokens_a_second > 0.0)
        atomic_store(&q->server->queued, (double)q->n_tokens / q->tokens_a_second);
    if (taken && count == 1)
        pthread_cond_signal(&q->changed);
    else if (taken)
        pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->mutex);
    return taken;
}

size_t nf_queue_length(nf_queue *q) {
    pthread_mutex_lock(&q->mutex);
    size_t n = q->n_jobs;
    pthread_mutex_unlock(&q->mutex);
    return n;
}

void nf_queue_sweep(nf_queue *q) {
    static const nf_job_result late = {.failure = NF_FAILURE_TIMEOUT,
                                       .message = "no worker had time for it"};
    static const nf_job_result dropped = {.failure = NF_FAILURE_UNHEALTHY,
                                          .message = "the client has gone"};
    double now = nf_clock_now();
    nf_job *late_jobs = NULL, *gone_jobs = NULL;
    pthread_mutex_lock(&q->mutex);
    for (nf_job *job = q->first, *next; job; job = next) {
        next = job->next;
        bool gone = nf_request_is_gone(job->request);
        if (!gone && now <= job->deadline) continue;
        unlink_job(q, job);
        nf_job **list = gone ? &gone_jobs : &late_jobs;
        job->next = *list;
        *list = job;
    }
    pthread_mutex_unlock(&q->mutex);
    for (nf_job *job = late_jobs, *next; job; job = next) {
        next = job->next;
        end_job(job, &late);
    }
    for (nf_job *job = gone_jobs, *next; job; job = next) {
        next = job->next;
        end_job(job, &dropped);
    }
}

/* ---------------------------------------------------------------- batches */

/* The oldest job and those that go with it, as a list; *count and *tokens of them. They stay in the
 * queue. */
static bool goes_with(const nf_job *a, const nf_job *b) {
    return a->call == b->call ||
           (a->call->model == b->call->model && strcmp(a->call->key, b->call->key) == 0);
}

/* How many tokens a worker takes: its share of what is there, if others are idle. */
static size_t share(const nf_queue *q) {
    size_t most = q->server->options.max_batch_tokens, n = q->n_idle ? q->n_idle : 1;
    size_t part = (q->n_tokens + n - 1) / n;
    if (part < LEAST_TOKENS) part = LEAST_TOKENS;
    return part < most ? part : most;
}

/* Takes a batch out of the queue; NULL: wait, until *until. The mutex is held. */
static nf_job *take_batch(nf_queue *q, size_t *count, double *until) {
    nf_job *oldest = q->first, *batch = NULL, *end = NULL;
    size_t most = share(q), tokens = 0;
    *count = 0;
    *until = 0.0;
    if (!oldest) return NULL;
    double ripe = oldest->since + q->server->options.batch_window;
    if (q->n_tokens < LEAST_TOKENS && !q->end && nf_clock_now() < ripe) {
        *until = ripe;
        return NULL;
    }
    for (nf_job *job = oldest, *next; job && *count < MOST_TEXTS; job = next) {
        next = job->next;
        if (*count && (!goes_with(oldest, job) || tokens + job->tokens > most)) continue;
        tokens += job->tokens;
        unlink_job(q, job);
        if (end)
            end->next = job;
        else
            batch = job;
        end = job;
        ++*count;
        if (tokens >= most) break;
    }
    return batch;
}

static void wait_until(nf_queue *q, double until) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    double left = until - nf_clock_now();
    if (left <= 0.0) return;
    long nanoseconds = at.tv_nsec + (long)(left * 1e9);
    at.tv_sec += nanoseconds / 1000000000L;
    at.tv_nsec = nanoseconds % 1000000000L;
    pthread_cond_timedwait(&q->changed, &q->mutex, &at);
}

/* Drops what nobody waits for any more from a batch. */
static nf_job *drop_dead(nf_job *batch, size_t *count) {
    double now = nf_clock_now();
    nf_job *alive = NULL, **end = &alive;
    *count = 0;
    for (nf_job *job = batch, *next; job; job = next) {
        next = job->next;
        job->next = NULL;
        bool gone = nf_request_is_gone(job->request);
        if (gone || now > job->deadline) {
            const nf_job_result result = {
                .failure = gone ? NF_FAILURE_UNHEALTHY : NF_FAILURE_TIMEOUT,
                .message = gone ? "the client has gone" : "no worker had time for it"};
            end_job(job, &result);
            continue;
        }
        *end = job;
        end = &job->next;
        ++*count;
    }
    return alive;
}

/* Asked in the middle of a batch: whether anybody still waits for any of it. */
static bool batch_goes_on(void *user) {
    const worker *w = user;
    if (atomic_load(&w->queue->stopped) || nf_clock_now() > w->give_up) return false;
    for (const nf_job *job = w->batch; job; job = job->next)
        if (!nf_request_is_gone(job->request)) return true;
    return false;
}

/* ---------------------------------------------------------------- running one */

/* What a batch came to, before it is divided among its jobs. */
typedef struct outcome {
    nerfit_status status;
    nerfit_error error;
    const nerfit_prediction *predictions;
    float *embeddings;
    size_t size;
} outcome;

typedef struct batch_texts {
    const char *texts[MOST_TEXTS];
    size_t sizes[MOST_TEXTS];
    size_t count;
} batch_texts;

static void collect(batch_texts *t, const nf_job *batch) {
    t->count = 0;
    for (const nf_job *job = batch; job; job = job->next) {
        t->texts[t->count] = job->text;
        t->sizes[t->count++] = job->size;
    }
}

static void embed(nf_generation *g, const batch_texts *t, outcome *out) {
    out->size = nerfit_encoder_size(g->encoder);
    out->embeddings = malloc(t->count * out->size * sizeof *out->embeddings + 1);
    if (!out->embeddings) {
        out->status = nf_no_memory(&out->error, t->count * out->size * sizeof *out->embeddings);
        return;
    }
    pthread_mutex_lock(&g->mutex);
    out->status = nerfit_encode(g->encoder, t->texts, t->count, out->embeddings, NULL, &out->error);
    pthread_mutex_unlock(&g->mutex);
}

static void tag(worker *w, nerfit_session *session, const nf_job *batch, const batch_texts *t,
                outcome *out) {
    nerfit_call_options options = batch->call->options;
    options.go_on = batch_goes_on;
    options.user = w;
    out->status = nerfit_predict_with(session, &options, t->texts, t->sizes, t->count,
                                      &out->predictions, &out->error);
}

static double mean_wait(const nf_job *batch, double now) {
    double sum = 0.0;
    size_t n = 0;
    for (const nf_job *job = batch; job; job = job->next, n++) sum += now - job->since;
    return n ? sum / (double)n : 0.0;
}

/* Each job gets its part of the outcome. */
static void divide(nf_job *batch, const outcome *out, double began, double seconds) {
    size_t i = 0;
    for (nf_job *job = batch, *next; job; job = next, i++) {
        next = job->next;
        nf_job_result result = {.queue = began - job->since, .compute = seconds};
        if (out->status == NERFIT_CANCELLED) {
            result.failure = NF_FAILURE_TIMEOUT;
            result.message = "it took longer than request_timeout";
        } else if (out->status != NERFIT_OK) {
            result.failure = nf_failure_of(out->status);
            result.message = out->error.text;
        } else if (out->embeddings) {
            result.embedding = out->embeddings + i * out->size;
            result.embedding_size = out->size;
        } else {
            result.prediction = &out->predictions[i];
        }
        end_job(job, &result);
    }
}

/* What was learned about speed and the tokenizer. */
static void learn(nf_queue *q, const nf_job *batch, const outcome *out, double seconds) {
    size_t tokens = 0, bytes = 0, texts = 0;
    nf_served *model = batch->call->model;
    for (const nf_job *job = batch; job; job = job->next, texts++) {
        bytes += job->size;
        tokens += out->predictions ? out->predictions[texts].n_tokens : job->tokens;
    }
    nf_metrics *m = &q->server->metrics;
    nf_metrics_count(m, NF_COUNTED_text_count, texts);
    nf_metrics_count(m, NF_COUNTED_token_count, out->predictions ? tokens : 0);
    nf_metrics_observe(m, NF_TIME_batch_next_size, (double)texts);
    nf_metrics_observe(m, NF_TIME_batch_next_tokens, (double)tokens);
    nf_metrics_observe(m, NF_TIME_request_inference_duration, seconds);
    if (out->predictions && bytes) {
        double before = atomic_load(&model->tokens_a_byte);
        double now = (double)tokens / (double)bytes;
        atomic_store(&model->tokens_a_byte, 0.9 * before + 0.1 * now);
    }
    if (seconds <= 0.0) return;
    double speed = (double)tokens / seconds * (double)q->n_workers;
    pthread_mutex_lock(&q->mutex);
    q->tokens_a_second = q->tokens_a_second > 0.0 ? 0.9 * q->tokens_a_second + 0.1 * speed : speed;
    pthread_mutex_unlock(&q->mutex);
}

static void run_batch(worker *w, nf_job *batch, size_t count);

/* One text of a batch is wrong: each is taken alone, and only that one fails. */
static void run_singly(worker *w, nf_job *batch) {
    for (nf_job *job = batch, *next; job; job = next) {
        next = job->next;
        job->next = NULL;
        run_batch(w, job, 1);
    }
}

static void run_batch(worker *w, nf_job *batch, size_t count) {
    nf_generation *g = nf_served_acquire(batch->call->model);
    nerfit_session *session = NULL;
    batch_texts texts;
    outcome out = {0};
    collect(&texts, batch);
    w->batch = batch;
    w->give_up = 0.0;
    for (const nf_job *job = batch; job; job = job->next)
        if (job->deadline > w->give_up) w->give_up = job->deadline;
    double began = nf_clock_now();
    nf_metrics_observe(&w->queue->server->metrics, NF_TIME_request_queue_duration,
                       mean_wait(batch, began));
    if (g->encoder)
        embed(g, &texts, &out);
    else if ((out.status = nf_generation_session(g, &session, &out.error)) == NERFIT_OK)
        tag(w, session, batch, &texts, &out);
    double seconds = nf_clock_now() - began;
    if (out.status != NERFIT_OK && out.status != NERFIT_CANCELLED && count > 1) {
        run_singly(w, batch);
    } else {
        if (out.status == NERFIT_OK) learn(w->queue, batch, &out, seconds);
        divide(batch, &out, began, seconds);
    }
    free(out.embeddings);
    if (session) nf_generation_give_back(g, session);
    nf_generation_release(g);
}

static void *work(void *user) {
    worker *w = user;
    nf_queue *q = w->queue;
    pthread_mutex_lock(&q->mutex);
    q->n_idle++;
    while (!q->end || q->first) {
        size_t count;
        double until;
        nf_job *batch = take_batch(q, &count, &until);
        if (!batch && until > 0.0) {
            wait_until(q, until);
            continue;
        }
        if (!batch) {
            pthread_cond_wait(&q->changed, &q->mutex);
            continue;
        }
        q->n_idle--;
        pthread_mutex_unlock(&q->mutex);
        if ((batch = drop_dead(batch, &count))) run_batch(w, batch, count);
        pthread_mutex_lock(&q->mutex);
        q->n_idle++;
    }
    q->n_idle--;
    pthread_mutex_unlock(&q->mutex);
    return NULL;
}

/* ---------------------------------------------------------------- life */

nerfit_status nf_queue_new(nf_queue **out, nf_server *server, int workers, nerfit_error *err) {
    nf_queue *q = *out = calloc(1, sizeof *q);
    if (!q) return nf_no_memory(err, sizeof *q);
    q->server = server;
    pthread_mutex_init(&q->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&q->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    q->workers = calloc((size_t)workers, sizeof *q->workers);
    if (!q->workers) return nf_no_memory(err, (size_t)workers * sizeof *q->workers);
    q->n_workers = (size_t)workers;
    for (; q->n_started < q->n_workers; q->n_started++) {
        worker *w = &q->workers[q->n_started];
        w->queue = q;
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            return nf_fail(err, NERFIT_IO, "a thread cannot be started");
    }
    return NERFIT_OK;
}

void nf_queue_stop(nf_queue *q) {
    static const nf_job_result ended = {.failure = NF_FAILURE_UNHEALTHY,
                                        .message = "the service ends"};
    if (!q) return;
    pthread_mutex_lock(&q->mutex);
    q->end = true;
    atomic_store(&q->stopped, true);
    nf_job *left = q->first;
    q->first = q->last = NULL;
    q->n_jobs = q->n_tokens = 0;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->mutex);
    for (nf_job *job = left, *next; job; job = next) {
        next = job->next;
        end_job(job, &ended);
    }
    for (size_t i = 0; i < q->n_started; i++) pthread_join(q->workers[i].thread, NULL);
    q->n_started = 0;
}

void nf_queue_free(nf_queue *q) {
    if (!q) return;
    nf_queue_stop(q);
    free(q->workers);
    pthread_mutex_destroy(&q->mutex);
    pthread_cond_destroy(&q->changed);
    free(q);
}
