/* `nerfit serve`: models behind HTTP (docs/serve.md).
 *
 * The data's way:
 *
 *   http.c (one thread, libmicrohttpd) ─ routes.c ─► queue.c (workers, a session each) ─► http.c
 *
 * A request is read, its route found, and its texts put into the queue; its connection sleeps until
 * the last of them is tagged. What concerns a request is in request.h, which is all that a route
 * needs; what a model is here, and how a new one takes its place, is in models.h. */
#ifndef NF_SERVE_SERVE_H
#define NF_SERVE_SERVE_H

#include "nerfit.h"

/* A model and the name that requests call it by. */
typedef struct nf_serve_model {
    const char *name, *folder;
} nf_serve_model;

typedef struct nf_serve_options {
    const char *host;             /* to listen on: a name or an address */
    int port;                     /* 0: a free one */
    const nf_serve_model *models; /* [n_models]; the first is meant where none is named */
    size_t n_models;              /* 0: of a project alone */
    const char *encoder;          /* a sentence encoder's folder, of /embed; NULL: none */
    const char *project;       /* a folder of texts and annotations (docs/serve.md); NULL: none */
    const char *project_model; /* that its trainings begin with; NULL: as before, or MiniLM */
    const char *key;           /* what clients have to show; NULL: nothing */
    nerfit_model_options machine; /* of models; `threads`: workers */
    double batch_window;          /* seconds that a text waits for others */
    size_t max_batch_tokens, max_concurrent_requests, max_client_batch_size;
    size_t payload_limit; /* bytes of a body, decompressed */
    size_t stream_limit;  /* the same of NDJSON */
    size_t memory_limit;  /* bytes of bodies and replies that are held, all requests together */
    size_t max_connections;
    double
        client_timeout; /* seconds for a head, and for a body and a reply, one more for 5,000 bytes */
    double request_timeout; /* seconds from a request's last byte to its reply */
    double drain_timeout;   /* seconds that requests have after SIGTERM */
    double idle_seconds;    /* after which a project is trained thoroughly by itself; 0: never */
    const char *access_log; /* a file; "-": standard output; NULL: none */
    nerfit_log_function log;
    void *log_user;
} nf_serve_options;

/* Serves until SIGTERM or SIGINT. */
nerfit_status nf_serve_run(const nf_serve_options *options, nerfit_error *err);

#endif
