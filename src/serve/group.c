#include "serve/group.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/number.h"
#include "base/utf8.h"
#include "serve/server.h"

nf_group *nf_group_new(nf_request *r, nf_asked asked, json_t *source, size_t most) {
    nf_group *g = calloc(1, sizeof *g);
    if (g) {
        pthread_mutex_init(&g->mutex, NULL);
        g->request = r;
        g->asked = asked;
        g->source = source;
        g->capacity = most;
        g->jobs = calloc(most + 1, sizeof *g->jobs);
        g->outs = calloc(most + 1, sizeof *g->outs);
        if (g->jobs && g->outs) return g;
        nf_group_free(g);
    } else {
        nf_call_unref(asked.call);
        json_decref(source);
    }
    nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
    return NULL;
}

void nf_group_free(nf_group *g) {
    for (size_t i = 0; i < g->count && g->outs; i++) nf_str_free(&g->outs[i]);
    free(g->outs);
    free(g->jobs);
    if (g->release) g->release(g->user);
    nf_call_unref(g->asked.call);
    json_decref(g->source);
    pthread_mutex_destroy(&g->mutex);
    free(g);
}

void nf_group_join(nf_group *g) {
    nf_str *out = &g->request->reply.body;
    for (size_t i = 0; i < g->count; i++) {
        if (i) nf_str_append_text(out, ", ");
        nf_str_append(out, nf_str_text(&g->outs[i]), g->outs[i].length);
    }
}

static void set_headers(nf_group *g) {
    nf_request *r = g->request;
    double n = g->count ? (double)g->count : 1.0;
    r->cost = (nf_request_cost){g->count, g->tokens, g->characters, g->queue / n, g->compute / n};
    /* milliseconds, as text-embeddings-inference has them; tokenizing is part of the inference */
    unsigned long total = (unsigned long)(1e3 * (nf_clock_now() - r->began));
    nf_request_set_header(r, "x-compute-type", "cpu");
    nf_request_set_header(r, "x-compute-time", "%lu", total);
    nf_request_set_header(r, "x-compute-characters", "%zu", g->characters);
    nf_request_set_header(r, "x-compute-tokens", "%zu", g->tokens);
    nf_request_set_header(r, "x-total-time", "%lu", total);
    nf_request_set_header(r, "x-queue-time", "%lu", (unsigned long)(1e3 * r->cost.queue));
    nf_request_set_header(r, "x-inference-time", "%lu", (unsigned long)(1e3 * r->cost.compute));
}

/* All jobs have ended. */
static void complete(nf_group *g) {
    nf_request *r = g->request;
    for (size_t i = 0; i < g->count && g->failure == NF_FAILURE_NONE; i++)
        if (g->outs[i].failed) {
            g->failure = NF_FAILURE_OVERLOADED;
            nf_str_free(&g->outs[i]);
            strcpy(g->message, "out of memory");
        }
    if (g->failure != NF_FAILURE_NONE) {
        nf_request_fail(r, g->failure, "%s", g->message);
    } else {
        g->finish(g);
        set_headers(g);
        if (r->reply.body.failed) nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
    }
    nf_group_free(g);
    nf_request_done(r);
}

static void job_done(nf_job *job, const nf_job_result *result) {
    nf_group *g = job->user;
    if (result->failure == NF_FAILURE_NONE) g->format(g, job, result, &g->outs[job->index]);
    pthread_mutex_lock(&g->mutex);
    if (result->failure != NF_FAILURE_NONE && g->failure == NF_FAILURE_NONE) {
        g->failure = result->failure;
        if (g->count > 1)
            nf_print(g->message, sizeof g->message, "inputs[%zu]: %s", job->index, result->message);
        else
            nf_print(g->message, sizeof g->message, "%s", result->message);
    }
    g->queue += result->queue;
    g->compute += result->compute;
    g->characters += nf_utf8_count(job->text, job->size);
    if (result->prediction) g->tokens += result->prediction->n_tokens;
    bool last = --g->left == 0;
    pthread_mutex_unlock(&g->mutex);
    if (last) complete(g);
}

void nf_group_add(nf_group *g, const char *text, size_t size) {
    nf_assert(g->count < g->capacity);
    g->jobs[g->count] = (nf_job){.request = g->request,
                                 .call = g->asked.call,
                                 .text = text,
                                 .size = size,
                                 .index = g->count,
                                 .done = job_done,
                                 .user = g};
    g->count++;
}

void nf_group_start(nf_group *g) {
    nf_request *r = g->request;
    g->left = g->count;
    if (g->count == 0) {
        complete(g);
    } else if (!nf_queue_put(r->server->queue, g->jobs, g->count)) {
        nf_request_fail(r, NF_FAILURE_UNHEALTHY, "the service ends");
        nf_group_free(g);
        nf_request_done(r);
    }
}
