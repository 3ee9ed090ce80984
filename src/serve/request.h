/* A request as routes see it.
 *
 * A route is a row of a table (routes.c lists the tables): method, path, flags, and a function that
 * fills `reply`. The body is there as a whole, decompressed; query arguments and headers are asked
 * for by name. Flags say on which thread the function runs and who may call it. */
#ifndef NF_SERVE_REQUEST_H
#define NF_SERVE_REQUEST_H

#include <pthread.h>
#include <stdatomic.h>
#include <zlib.h>

#include "base/json.h"
#include "base/str.h"
#include "serve/mhd.h"

typedef struct nf_server nf_server;
typedef struct nf_request nf_request;
typedef struct nf_stream_run nf_stream_run;

typedef enum nf_route_flag {
    /* The function fills the reply at once, on the thread that all connections share: it must neither
     * compute nor touch a disk. */
    NF_ROUTE_QUICK = 0,
    /* The function runs on a thread for such things, and may touch a disk. */
    NF_ROUTE_ASIDE = 1,
    /* The function returns at once, on the thread that all connections share (with ASIDE: on that
     * other one); the reply comes with nf_request_done, from whichever thread. */
    NF_ROUTE_WAITS = 2,
    /* Asks for no key. */
    NF_ROUTE_OPEN = 4,
    /* Changes something for a page: a header X-Nerfit-Token must show what GET /token gives (which
     * other sites' pages cannot read). */
    NF_ROUTE_TOKEN = 8,
    /* Its body is a file: stream_limit counts instead of payload_limit, or a quarter of memory_limit if
     * that is less. */
    NF_ROUTE_FILE = 16,
} nf_route_flag;

typedef struct nf_route {
    const char *method; /* "GET" (HEAD comes with it), "POST", "PUT", "DELETE" */
    const char *path;   /* "/predict"; one that ends in "/" stands for all that begin with it */
    unsigned flags;
    void (*handle)(nf_request *request);
} nf_route;

/* text-embeddings-inference's error types with the statuses it gives them (and our "timeout"). */
typedef enum nf_failure {
    NF_FAILURE_NONE,
    NF_FAILURE_REQUEST,      /* 400: no HTTP or JSON */
    NF_FAILURE_UNAUTHORIZED, /* 401 */
    NF_FAILURE_FORBIDDEN,    /* 403: another site's page, a foreign host name */
    NF_FAILURE_NOT_FOUND,    /* 404 */
    NF_FAILURE_METHOD,       /* 405 */
    NF_FAILURE_CONFLICT,     /* 409: another one was faster */
    NF_FAILURE_TOO_LARGE,    /* 413 */
    NF_FAILURE_MEDIA,        /* 415: an encoding that is not known */
    NF_FAILURE_VALIDATION,   /* 422 */
    NF_FAILURE_BACKEND,      /* 424: the model gave no result */
    NF_FAILURE_OVERLOADED,   /* 429, with Retry-After */
    NF_FAILURE_INTERNAL,     /* 500 */
    NF_FAILURE_UNHEALTHY,    /* 503 */
    NF_FAILURE_TIMEOUT,      /* 503 */
} nf_failure;

enum { NF_REPLY_HEADERS = 12 };

typedef struct nf_header {
    const char *name;
    char value[256];
} nf_header;

typedef struct nf_reply {
    int status;               /* 0: 200 */
    const char *content_type; /* NULL: application/json */
    nf_str body;
    const char *fixed; /* [fixed_size] in the place of body: lives as long as the program */
    size_t fixed_size;
    int file; /* a descriptor that is sent from its beginning, and closed; 0: none */
    uint64_t file_size;
    nf_header headers[NF_REPLY_HEADERS];
    size_t n_headers;
    bool packed; /* the body is compressed */
} nf_reply;

/* What the access log and the metrics say about a request. */
typedef struct nf_request_cost {
    size_t texts, tokens, characters;
    double queue, compute; /* seconds, mean over the texts */
} nf_request_cost;

struct nf_request {
    nf_server *server;
    struct MHD_Connection *connection; /* NULL: it has ended */
    struct nf_connection *peer;
    const nf_route *route; /* NULL: none */
    const char *method;    /* "GET", ... */
    char *path;            /* without "/models/NAME" and the query */
    char *model;           /* the NAME, or NULL */
    nf_str body;
    nf_reply reply;
    nf_request_cost cost;
    double began, arrived; /* its headers; its last byte */
    nf_stream_run *stream; /* of NDJSON; else NULL */

    /* http.c's own */
    atomic_int refs;
    pthread_mutex_t mutex; /* of what follows */
    int state;
    bool suspended, gone, abandoned; /* abandoned: what its texts come to is not wanted */
    int fd;
    size_t held;       /* bytes that count against memory_limit */
    size_t n_received; /* bytes of the body, as they came */
    z_stream *inflate;
    bool unpacked, accepts_gzip, counted, queued;
    struct nf_request *next_aside;
};

/* NULL if there is none. They live as long as the request is answered. */
const char *nf_request_argument(const nf_request *request, const char *name);
const char *nf_request_header(const nf_request *request, const char *name);
/* The body as JSON; NULL: it is none, and the reply says so. Freed by json_decref. */
json_t *nf_request_json(nf_request *request);

/* The reply is an error: {"error": "...", "error_type": "..."}. */
void nf_request_fail(nf_request *request, nf_failure failure, const char *format, ...)
    NERFIT_PRINTF(3, 4);
/* The same with the members of `more`, whose reference is taken. */
void nf_request_fail_with(nf_request *request, nf_failure failure, json_t *more, const char *format,
                          ...) NERFIT_PRINTF(4, 5);
/* The failure that a status of the library comes to. */
nf_failure nf_failure_of(nerfit_status status);
void nf_request_fail_as(nf_request *request, const nerfit_error *error);
/* {"error": ..., "error_type": ...} appended. */
void nf_failure_append(nf_str *out, nf_failure failure, const char *text);
/* The reply is this value, whose reference is taken; NULL: out of memory. */
void nf_request_reply_json(nf_request *request, json_t *value);
/* A header of the reply; name is a constant. */
void nf_request_set_header(nf_request *request, const char *name, const char *format, ...)
    NERFIT_PRINTF(3, 4);

/* Of NF_ROUTE_WAITS: the reply is complete. The caller's last use of the request, unless it has a
 * reference of its own. */
void nf_request_done(nf_request *request);
/* Who works for a request holds a reference. */
void nf_request_ref(nf_request *request);
void nf_request_unref(nf_request *request);
/* Whether nobody waits for the reply any more. */
bool nf_request_is_gone(nf_request *request);
/* Counts bytes that are held for it (negative: fewer); false: all requests together hold too many. */
bool nf_request_hold(nf_request *request, ptrdiff_t bytes);

#endif
