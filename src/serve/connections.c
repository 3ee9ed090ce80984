#include "serve/connections.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

static const double SCARCE_SECONDS = 1.0, BYTES_A_SECOND = 5000.0;

void nf_connections_begin(nf_connections *c, size_t most, double seconds, nf_metrics *metrics) {
    *c = (nf_connections){.most = most, .seconds = seconds, .metrics = metrics};
    pthread_mutex_init(&c->mutex, NULL);
}

void nf_connections_end(nf_connections *c) {
    pthread_mutex_destroy(&c->mutex);
}

nf_connection *nf_connections_add(nf_connections *c, int fd, const char *address) {
    nf_connection *one = calloc(1, sizeof *one);
    if (!one) return NULL;
    one->fd = fd;
    one->since = nf_clock_now();
    one->allowance = c->seconds;
    snprintf(one->address, sizeof one->address, "%s", address);
    pthread_mutex_lock(&c->mutex);
    one->next = c->first;
    if (c->first) c->first->before = one;
    c->first = one;
    c->count++;
    pthread_mutex_unlock(&c->mutex);
    nf_metrics_count(c->metrics, NF_COUNTED_connection_count, 1);
    return one;
}

void nf_connections_remove(nf_connections *c, nf_connection *one) {
    pthread_mutex_lock(&c->mutex);
    if (one->next) one->next->before = one->before;
    if (one->before)
        one->before->next = one->next;
    else
        c->first = one->next;
    c->count--;
    pthread_mutex_unlock(&c->mutex);
    free(one);
}

void nf_connection_enter(nf_connections *c, nf_connection *one, nf_phase phase, size_t bytes) {
    pthread_mutex_lock(&c->mutex);
    one->phase = phase;
    one->since = nf_clock_now();
    one->allowance = phase == NF_PHASE_WORK ? 0.0 : c->seconds + (double)bytes / BYTES_A_SECOND;
    pthread_mutex_unlock(&c->mutex);
}

void nf_connection_moved(nf_connections *c, nf_connection *one, size_t bytes) {
    double now = nf_clock_now();
    pthread_mutex_lock(&c->mutex);
    if (one->allowance > 0.0) {
        double longer = one->allowance + (double)bytes / BYTES_A_SECOND;
        double most = now - one->since + c->seconds;
        if (longer > most) longer = most;
        if (longer > one->allowance) one->allowance = longer;
    }
    pthread_mutex_unlock(&c->mutex);
}

/* The descriptor is the connection's as long as it is in the list: libmicrohttpd takes it out before
 * it closes it. */
void nf_connections_sweep(nf_connections *c) {
    double now = nf_clock_now();
    pthread_mutex_lock(&c->mutex);
    bool scarce = c->count > c->most - c->most / 4;
    for (nf_connection *one = c->first; one; one = one->next) {
        double most = one->allowance;
        if (scarce && one->phase == NF_PHASE_HEAD && most > SCARCE_SECONDS) most = SCARCE_SECONDS;
        if (most == 0.0 || now - one->since <= most) continue;
        shutdown(one->fd, SHUT_RDWR);
        one->allowance = 0.0; /* once */
        one->phase = NF_PHASE_WORK;
        nf_metrics_count(c->metrics, NF_COUNTED_connection_evicted, 1);
    }
    pthread_mutex_unlock(&c->mutex);
}
