#include "annotate/asking.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/assert.h"
#include "base/number.h"

/* A message of a worker, for the calling thread to log. */
typedef struct asking_message {
    nerfit_log_level level;
    char *text;
} asking_message;

typedef struct asking_run {
    const nf_asking *asking;
    nf_asked *out;
    nf_asking_totals *totals;
    pthread_mutex_t mutex;
    pthread_cond_t changed;           /* for the caller */
    pthread_cond_t landed;            /* for workers: an answer is there, or will not come */
    char (*under_way)[NF_DIGEST_HEX]; /* [workers] what each asks; "": nothing */
    size_t n_workers;
    size_t next, done, running;
    bool stop;                 /* no further question */
    bool cancelled;            /* the caller said so */
    bool no_schema, no_warmth; /* what the model turned out not to take */
    double reserved;           /* for requests under way */
    size_t failures;           /* in a row */
    nerfit_status status;
    nerfit_error error;
    asking_message *messages;
    size_t n_messages, messages_capacity;
} asking_run;

/* ---------------------------------------------------------------- keys and costs */

/* Of what decides an answer: the model, the question, how it is asked. What the provider takes of form
 * and temperature is no part of it. */
static void asking_key(const nf_asking *a, const nf_llm_question *q, uint32_t pass,
                       const char *complaint, char key[NF_DIGEST_HEX]) {
    char number[16];
    const char *parts[] = {a->llm->name, q->system, q->text, q->schema ? q->schema : "",
                           complaint ? complaint : ""};
    nf_digest digest = nf_digest_sha256();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        nf_digest_add(&digest, parts[i], strlen(parts[i]) + 1);
    nf_print(number, sizeof number, "%u", pass);
    nf_digest_add(&digest, number, strlen(number));
    nf_digest_end(&digest, key);
}

/* About four bytes a token of English, fewer of other scripts: rather too many than too few. */
static double tokens_of(size_t bytes) {
    return (double)bytes / 3.0;
}

static double asking_cost(const nf_asking *a, double in, double out) {
    bool money = a->price_in > 0 || a->price_out > 0;
    return money ? 1e-6 * (in * a->price_in + out * a->price_out) : in + out;
}

/* Of an answer that has not come yet: half as long as the question's own text would be too much to
 * expect, a tenth of the whole question and 100 tokens are about right. */
static double expected_out(size_t bytes) {
    return 100 + 0.1 * tokens_of(bytes);
}

nerfit_status nf_asking_estimate_make(nf_asking_estimate *out, const nf_asking *a,
                                      nerfit_error *err) {
    nf_str text = {0}, schema = {0};
    nerfit_status status = NERFIT_OK;
    *out = (nf_asking_estimate){.questions = a->n_questions};
    for (size_t i = 0; i < a->n_questions && status == NERFIT_OK; i++) {
        nf_llm_question q = {0};
        nf_cached_answer known;
        char key[NF_DIGEST_HEX];
        uint32_t pass = 0;
        nf_str_clear(&text);
        nf_str_clear(&schema);
        status = a->question(a->owner, i, &text, &schema, &q, &pass, err);
        if (status != NERFIT_OK) break;
        asking_key(a, &q, pass, NULL, key);
        if (nf_answer_cache_get(a->cache, key, &known)) {
            out->cached++;
            continue;
        }
        out->tokens_in += tokens_of(text.length + strlen(q.system) + schema.length);
        out->tokens_out += expected_out(text.length);
    }
    nf_str_free(&text);
    nf_str_free(&schema);
    return status;
}

/* ---------------------------------------------------------------- a worker's side */

static void asking_say(void *user, nerfit_log_level level, const char *text) {
    asking_run *r = user;
    pthread_mutex_lock(&r->mutex);
    char *copy = strdup(text);
    if (copy && nf_array_reserve(&r->messages, &r->messages_capacity, r->n_messages + 1,
                                 sizeof *r->messages))
        r->messages[r->n_messages++] = (asking_message){level, copy};
    else
        free(copy);
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

static bool asking_may_go_on(void *user, uint64_t done, uint64_t total) {
    asking_run *r = user;
    (void)done;
    (void)total;
    pthread_mutex_lock(&r->mutex);
    bool on = !r->cancelled;
    pthread_mutex_unlock(&r->mutex);
    return on;
}

/* Takes what a request will cost from the budget; false: it is used up. */
static bool asking_reserve(asking_run *r, double cost) {
    const nf_asking *a = r->asking;
    pthread_mutex_lock(&r->mutex);
    bool enough = a->budget <= 0 || r->totals->spent + r->reserved + cost <= a->budget;
    if (enough) r->reserved += cost;
    pthread_mutex_unlock(&r->mutex);
    return enough;
}

static void asking_settle(asking_run *r, double reserved, double cost) {
    pthread_mutex_lock(&r->mutex);
    r->reserved -= reserved;
    r->totals->spent += cost;
    r->totals->requests++;
    pthread_mutex_unlock(&r->mutex);
}

/* A request that the provider calls bad: without a schema, then without a temperature, it may be a good
 * one. False: there is nothing left to leave out. */
static bool asking_yield(asking_run *r, const nf_llm_question *q, const nerfit_error *err) {
    char text[400];
    pthread_mutex_lock(&r->mutex);
    bool schema = q->schema && !r->no_schema, warmth = q->warm && !r->no_warmth;
    bool about_warmth = strstr(err->text, "temperature") != NULL;
    const char *what = schema && !(warmth && about_warmth) ? "a form of the answer"
                       : warmth                            ? "a temperature"
                                                           : NULL;
    if (schema && !(warmth && about_warmth))
        r->no_schema = true;
    else if (warmth)
        r->no_warmth = true;
    bool again = what || (q->schema && r->no_schema) || (q->warm && r->no_warmth);
    pthread_mutex_unlock(&r->mutex);
    nf_print(text, sizeof text, "%.300s; asking without %s from now on", err->text,
             what ? what : "it");
    if (what) asking_say(r, NERFIT_LOG_WARNING, text);
    return again;
}

/* One request, with what the model takes. */
static nerfit_status asking_send(asking_run *r, const nf_llm_question *question,
                                 nf_llm_answer *answer, nerfit_error *err) {
    const nf_log log = {asking_say, r};
    const nf_http_watch watch = {asking_may_go_on, r, &log};
    nerfit_status status = NERFIT_OK;
    for (int tries = 0; tries < 3; tries++) {
        nf_llm_question q = *question;
        pthread_mutex_lock(&r->mutex);
        if (r->no_schema) q.schema = NULL;
        if (r->no_warmth) q.warm = false;
        pthread_mutex_unlock(&r->mutex);
        status = nf_llm_ask_with(r->asking->llm, &q, &watch, answer, err);
        bool bad =
            status != NERFIT_OK && (answer->http_status == 400 || answer->http_status == 422);
        if (!bad || !asking_yield(r, &q, err)) break;
    }
    return status;
}

/* A request within the budget; *answer's text is freed by the caller, also on failure. */
static nerfit_status asking_request(asking_run *r, const nf_llm_question *q, const char *complaint,
                                    nf_llm_answer *answer, nerfit_error *err) {
    const nf_asking *a = r->asking;
    nf_str text = {0};
    nf_str_appendf(&text, "%s%s", q->text, complaint ? complaint : "");
    nf_llm_question full = *q;
    full.text = nf_str_text(&text);
    size_t bytes = text.length + strlen(q->system) + (q->schema ? strlen(q->schema) : 0);
    double reserved = asking_cost(a, tokens_of(bytes), expected_out(text.length));
    nerfit_status status = text.failed ? nf_no_memory(err, 0) : NERFIT_OK;
    if (status == NERFIT_OK && !asking_reserve(r, reserved)) {
        status = nf_fail(err, NERFIT_UNSUPPORTED, "not asked: the budget is used up");
    } else if (status == NERFIT_OK) {
        status = asking_send(r, &full, answer, err);
        bool counted = answer->tokens_in || answer->tokens_out;
        double cost = answer->http_status == 200 ? reserved : 0;
        if (counted) cost = asking_cost(a, (double)answer->tokens_in, (double)answer->tokens_out);
        asking_settle(r, reserved, cost);
    }
    nf_str_free(&text);
    return status;
}

/* Waits while another worker asks the very same question, then takes it up; the place is given back with
 * asking_land. Equal questions so have one answer, as they have when a run goes on from its cache. */
static char *asking_take_off(asking_run *r, const char *key) {
    char *own = NULL;
    pthread_mutex_lock(&r->mutex);
    for (bool waits = true; waits;) {
        waits = false;
        for (size_t i = 0; i < r->n_workers && !waits; i++)
            waits = strcmp(r->under_way[i], key) == 0;
        if (waits) pthread_cond_wait(&r->landed, &r->mutex);
    }
    for (size_t i = 0; i < r->n_workers && !own; i++)
        if (!*r->under_way[i]) own = r->under_way[i];
    nf_assert(own);
    memcpy(own, key, NF_DIGEST_HEX);
    pthread_mutex_unlock(&r->mutex);
    return own;
}

static void asking_land(asking_run *r, char *own) {
    pthread_mutex_lock(&r->mutex);
    *own = '\0';
    pthread_cond_broadcast(&r->landed);
    pthread_mutex_unlock(&r->mutex);
}

/* An answer from the cache or the model; out->text is freed by the caller. */
static nerfit_status asking_get(asking_run *r, const nf_llm_question *q, uint32_t pass,
                                const char *complaint, nf_asked *out, long *http_status,
                                nerfit_error *err) {
    char key[NF_DIGEST_HEX];
    nf_cached_answer known;
    nf_llm_answer answer = {0};
    nerfit_status status = NERFIT_OK;
    asking_key(r->asking, q, pass, complaint, key);
    char *own = asking_take_off(r, key);
    out->cached = nf_answer_cache_get(r->asking->cache, key, &known);
    if (!out->cached) {
        status = asking_request(r, q, complaint, &answer, err);
        *http_status = answer.http_status;
        known =
            (nf_cached_answer){answer.text, answer.truncated, answer.tokens_in, answer.tokens_out};
        if (status == NERFIT_OK) status = nf_answer_cache_put(r->asking->cache, key, &known, err);
    }
    asking_land(r, own);
    if (status == NERFIT_OK && !(out->text = strdup(known.text)))
        status = nf_no_memory(err, strlen(known.text));
    out->truncated = status == NERFIT_OK && known.truncated;
    free(answer.text);
    if (status != NERFIT_OK) return status;
    pthread_mutex_lock(&r->mutex);
    r->totals->answers++;
    r->totals->cached += out->cached;
    r->totals->tokens_in += known.tokens_in;
    r->totals->tokens_out += known.tokens_out;
    pthread_mutex_unlock(&r->mutex);
    return NERFIT_OK;
}

static const char COMPLAINT[] =
    "\n\nThe last answer could not be read. Answer with the JSON object alone, whole and valid.";

/* A question to its end: an answer that cannot be read is asked for once more. */
static nerfit_status asking_one(asking_run *r, size_t i, long *http_status, nerfit_error *err) {
    const nf_asking *a = r->asking;
    nf_str text = {0}, schema = {0};
    nf_llm_question q = {0};
    nf_asked *out = &r->out[i];
    uint32_t pass = 0;
    nerfit_status status = a->question(a->owner, i, &text, &schema, &q, &pass, err);
    const char *complaints[] = {NULL, COMPLAINT};
    for (int tries = 0; tries < 2 && status == NERFIT_OK; tries++) {
        free(out->text);
        out->text = NULL;
        status = asking_get(r, &q, pass, complaints[tries], out, http_status, err);
        if (status == NERFIT_OK && a->readable(a->owner, i, out->text, out->truncated)) break;
        if (status == NERFIT_OK && tries == 1)
            status =
                nf_fail(err, NERFIT_FORMAT, "llm: %s: two answers could not be read", a->llm->name);
    }
    nf_str_free(&text);
    nf_str_free(&schema);
    return status;
}

/* What an error of one question means for all: true, it ends them. */
static bool asking_is_fatal(const asking_run *r, nerfit_status status, long http_status) {
    enum { MOST_FAILURES = 5 };
    size_t most = r->asking->concurrency > MOST_FAILURES ? (size_t)r->asking->concurrency
                                                         : (size_t)MOST_FAILURES;
    if (status == NERFIT_NO_MEMORY || status == NERFIT_CANCELLED) return true;
    if (http_status == 401 || http_status == 403 || http_status == 404) return true;
    return r->failures >= most;
}

/* Called with the mutex held. */
static void asking_note(asking_run *r, size_t i, nerfit_status status, long http_status,
                        const nerfit_error *error) {
    bool budget = status == NERFIT_UNSUPPORTED && strstr(error->text, "budget") && !http_status;
    r->done++;
    if (status == NERFIT_OK) {
        r->failures = 0;
        return;
    }
    free(r->out[i].text);
    r->out[i].text = NULL;
    r->out[i].failure = strdup(error->text);
    r->totals->n_left_out += budget;
    /* answers of no use are the text's matter; those that do not come are everybody's */
    bool came = budget || status == NERFIT_FORMAT || status == NERFIT_UNSUPPORTED;
    r->failures = came ? 0 : r->failures + 1;
    if (!asking_is_fatal(r, status, http_status) || r->stop) return;
    r->stop = true;
    r->status = status;
    r->error = *error;
}

static void *asking_work(void *user) {
    asking_run *r = user;
    pthread_mutex_lock(&r->mutex);
    while (!r->stop && r->next < r->asking->n_questions) {
        size_t i = r->next++;
        pthread_mutex_unlock(&r->mutex);
        nerfit_error error;
        long http_status = 0;
        nerfit_status status = asking_one(r, i, &http_status, &error);
        pthread_mutex_lock(&r->mutex);
        asking_note(r, i, status, http_status, &error);
        pthread_cond_signal(&r->changed);
    }
    r->running--;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

/* ---------------------------------------------------------------- the caller's side */

/* Logs what workers said; called with the mutex held, which is let go of meanwhile. */
static void asking_log(asking_run *r) {
    asking_message *messages = r->messages;
    size_t n = r->n_messages;
    r->messages = NULL;
    r->n_messages = r->messages_capacity = 0;
    pthread_mutex_unlock(&r->mutex);
    for (size_t i = 0; i < n; i++) {
        nf_log_write(r->asking->log, messages[i].level, "%s", messages[i].text);
        free(messages[i].text);
    }
    free(messages);
    pthread_mutex_lock(&r->mutex);
}

static void asking_wait(asking_run *r) {
    const nf_asking *a = r->asking;
    pthread_mutex_lock(&r->mutex);
    for (bool last = false; !last;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
        if (r->running) pthread_cond_timedwait(&r->changed, &r->mutex, &until);
        last = r->running == 0;
        asking_log(r);
        size_t done = r->done;
        pthread_mutex_unlock(&r->mutex);
        bool on = !a->go_on || a->go_on(a->user, done, a->n_questions);
        pthread_mutex_lock(&r->mutex);
        if (!on) r->stop = r->cancelled = true;
    }
    pthread_mutex_unlock(&r->mutex);
}

nerfit_status nf_asking_run(const nf_asking *a, nf_asked *out, nf_asking_totals *totals,
                            nerfit_error *err) {
    asking_run r = {.asking = a, .out = out, .totals = totals};
    int n = a->concurrency < 1 ? 1 : a->concurrency, started = 0;
    memset(out, 0, a->n_questions * sizeof *out);
    if ((size_t)n > a->n_questions) n = (int)a->n_questions;
    if (a->n_questions) NF_TRY(nf_http_prepare(err));
    pthread_t *threads = calloc((size_t)n + 1, sizeof *threads);
    r.under_way = calloc((size_t)n + 1, sizeof *r.under_way);
    r.n_workers = (size_t)n;
    if (!threads || !r.under_way) {
        free(threads);
        free(r.under_way);
        return nf_no_memory(err, (size_t)n * sizeof *threads);
    }
    pthread_mutex_init(&r.mutex, NULL);
    pthread_cond_init(&r.changed, NULL);
    pthread_cond_init(&r.landed, NULL);
    pthread_mutex_lock(&r.mutex);
    for (; started < n; started++) {
        if (pthread_create(&threads[started], NULL, asking_work, &r) != 0) break;
        r.running++;
    }
    pthread_mutex_unlock(&r.mutex);
    if (started) asking_wait(&r);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    free(threads);
    free(r.under_way);
    pthread_mutex_destroy(&r.mutex);
    pthread_cond_destroy(&r.changed);
    pthread_cond_destroy(&r.landed);
    if (n && !started) return nf_no_memory(err, 0);
    if (r.cancelled && r.status == NERFIT_OK)
        return nf_fail(err, NERFIT_CANCELLED,
                       "cancelled after %zu of %zu questions; the answers are kept", r.done,
                       a->n_questions);
    if (r.status != NERFIT_OK && err) *err = r.error;
    return r.status;
}
