/* Connections, and how long each may take for what it is at.
 *
 * libmicrohttpd closes connections on which nothing moves; a client that sends a byte now and then
 * would hold one for ever. Here each has client_timeout for what it does (a head, a body, to take a
 * reply), and gets time back for bytes that move, a second for 5,000, but never more than that from
 * now on. Where connections get scarce those that have nothing under way go first. */
#ifndef NF_SERVE_CONNECTIONS_H
#define NF_SERVE_CONNECTIONS_H

#include <pthread.h>
#include <stddef.h>

#include "serve/metrics.h"

typedef enum nf_phase {
    NF_PHASE_HEAD, /* nothing, or part of a request's head, has come */
    NF_PHASE_BODY,
    NF_PHASE_WORK, /* the client waits for us */
    NF_PHASE_REPLY,
} nf_phase;

typedef struct nf_connection {
    struct nf_connection *before, *next;
    int fd;
    nf_phase phase;
    double since, allowance; /* seconds that the phase may take; 0: no limit */
    char address[48];
} nf_connection;

typedef struct nf_connections {
    pthread_mutex_t mutex; /* of all */
    nf_connection *first;
    size_t count, most;
    double seconds; /* client_timeout */
    nf_metrics *metrics;
} nf_connections;

void nf_connections_begin(nf_connections *connections, size_t most, double seconds,
                          nf_metrics *metrics);
void nf_connections_end(nf_connections *connections);
/* NULL: out of memory. */
nf_connection *nf_connections_add(nf_connections *connections, int fd, const char *address);
void nf_connections_remove(nf_connections *connections, nf_connection *connection);
/* `bytes`: that are expected to move in this phase. */
void nf_connection_enter(nf_connections *connections, nf_connection *connection, nf_phase phase,
                         size_t bytes);
/* Bytes have come or gone: the phase may take longer. */
void nf_connection_moved(nf_connections *connections, nf_connection *connection, size_t bytes);
/* Shuts those that take too long; called several times a second. */
void nf_connections_sweep(nf_connections *connections);

#endif
