#include "serve/aside.h"

#include <stdlib.h>

#include "base/error.h"

struct nf_aside {
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    nf_request *first, *last;
    bool end;
};

static void *work(void *user) {
    nf_aside *a = user;
    pthread_mutex_lock(&a->mutex);
    for (;;) {
        while (!a->first && !a->end) pthread_cond_wait(&a->changed, &a->mutex);
        nf_request *r = a->first;
        if (!r) break;
        a->first = r->next_aside;
        if (!a->first) a->last = NULL;
        pthread_mutex_unlock(&a->mutex);
        bool waits = r->route->flags & NF_ROUTE_WAITS;
        r->route->handle(r);
        if (!waits) nf_request_done(r);
        pthread_mutex_lock(&a->mutex);
    }
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

nerfit_status nf_aside_new(nf_aside **out, nerfit_error *err) {
    nf_aside *a = *out = calloc(1, sizeof *a);
    if (!a) return nf_no_memory(err, sizeof *a);
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->changed, NULL);
    if (pthread_create(&a->thread, NULL, work, a) == 0) return NERFIT_OK;
    free(a);
    *out = NULL;
    return nf_fail(err, NERFIT_IO, "a thread cannot be started");
}

void nf_aside_put(nf_aside *a, nf_request *r) {
    pthread_mutex_lock(&a->mutex);
    if (a->end) {
        pthread_mutex_unlock(&a->mutex);
        nf_request_fail(r, NF_FAILURE_UNHEALTHY, "the service ends");
        nf_request_done(r);
        return;
    }
    r->next_aside = NULL;
    if (a->last)
        a->last->next_aside = r;
    else
        a->first = r;
    a->last = r;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->mutex);
}

void nf_aside_stop(nf_aside *a) {
    if (!a) return;
    pthread_mutex_lock(&a->mutex);
    a->end = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->mutex);
    pthread_join(a->thread, NULL);
}

void nf_aside_free(nf_aside *a) {
    if (!a) return;
    pthread_mutex_destroy(&a->mutex);
    pthread_cond_destroy(&a->changed);
    free(a);
}
