/* The service's parts, as its files see them. */
#ifndef NF_SERVE_SERVER_H
#define NF_SERVE_SERVER_H

#include "base/log.h"
#include "serve/connections.h"
#include "serve/metrics.h"
#include "serve/mhd.h"
#include "serve/models.h"
#include "serve/serve.h"

enum { NF_TOKEN_SIZE = 32 }; /* hexadecimal digits */

struct nf_server {
    nf_serve_options options;
    nf_log log;
    nf_mhd mhd;
    struct MHD_Daemon *daemon;
    int port; /* that it listens on */
    bool loopback;
    nf_models models;
    struct nf_queue *queue;
    struct nf_project *project; /* or NULL */
    nf_connections connections;
    nf_metrics metrics;
    struct nf_access_log *access_log; /* or NULL */
    struct nf_aside *aside;
    char token[NF_TOKEN_SIZE + 1];
    double began;                   /* nf_clock_now */
    atomic_size_t held, concurrent; /* bytes; requests that wait for a worker */
    atomic_size_t n_requests;       /* that have not ended */
    _Atomic double queued; /* seconds until what waits now is done, as far as one can tell */
    atomic_bool draining;
};

#endif
