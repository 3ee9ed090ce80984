/* HTTP requests over libcurl, for the hub and for language models.
 *
 * A request is tried again after connection failures, cut transfers, and the answers 408, 429, 500,
 * 502, 503 and 504, with waits that double and are jittered, or as long as the server's Retry-After
 * says. What is fetched into a file goes on from where it stopped. Proxies are libcurl's business
 * (http_proxy, https_proxy, no_proxy).
 *
 * Redirects are followed here, not by libcurl: the secret header goes to the first URL's own
 * scheme, host and port only, and never into a message. URLs in messages are without user, password
 * and query, for these may hold secrets too. */
#ifndef NF_NET_HTTP_H
#define NF_NET_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"

/* Time-outs in seconds; zero-initialised fields take the defaults. */
typedef struct nf_http_policy {
    int retries;            /* without progress; default 4, negative: none */
    double first_wait;      /* default 0.5 */
    double longest_wait;    /* of a wait of ours: default 8 */
    double most_patience;   /* a Retry-After beyond it is an error: default 120 */
    double connect_timeout; /* default 10 */
    double stall_timeout;   /* without a byte: default 30 */
    double total_timeout;   /* of one try; default 0: none */
    uint64_t seed;          /* of the jitter; 0: from clock and process */
    /* For tests: waits in the place of the real wait. false: stop. */
    bool (*wait)(void *user, double seconds);
    void *wait_user;
} nf_http_policy;

/* The seconds to wait before a retry (0: the first): the server's, if it said (negative: it did
 * not), else first_wait * 2^retry up to longest_wait, times 0.5 to 1 (`uniform` in [0, 1)). */
double nf_http_wait_of(const nf_http_policy *policy, int retry, double retry_after, double uniform);

/* Is told of bytes received, also while nothing comes (several times a second); false: cancel.
 * total: 0 if unknown. */
typedef struct nf_http_watch {
    bool (*progress)(void *user, uint64_t done, uint64_t total);
    void *user;
    const nf_log *log; /* is told of retries; may be NULL */
} nf_http_watch;

typedef struct nf_http_request {
    const char *method; /* "GET" (NULL), "HEAD", "POST" */
    const char *url;
    const char *const *headers; /* "Name: value" */
    size_t n_headers;
    const char *secret;  /* a header as well, kept secret; or NULL */
    const char *body;    /* of POST: JSON */
    const char *stop_at; /* a redirect with this header is the answer, and not followed; or NULL */
    /* Where an answer of 200 or 206 goes instead of into the response's body: a file that is open
     * for writing. What it holds already is not fetched again. NULL: into the body. */
    const int *file;
    int64_t most; /* bytes that the file may come to hold, what it has included; 0: any number */
} nf_http_request;

typedef struct nf_http_response {
    long status;
    nf_str body;     /* at most 64 MiB */
    nf_str headers;  /* "name: value\n", names in small letters, of the last answer */
    nf_str location; /* the URL that answered */
    bool resumed;    /* the file's first bytes are from before */
    bool overflowed; /* more came than the request's `most` */
} nf_http_response;

/* NERFIT_OK: there is an answer, whatever its status. Else no answer came (NERFIT_IO), or a
 * callback cancelled (NERFIT_CANCELLED). The response is freed by the caller in any case. */
nerfit_status nf_http_send(const nf_http_request *request, const nf_http_policy *policy,
                           const nf_http_watch *watch, nf_http_response *response,
                           nerfit_error *err);
/* What the first request does once: before several threads make some. */
nerfit_status nf_http_prepare(nerfit_error *err);
void nf_http_response_free(nf_http_response *response);
/* The value of a header (name in small letters); NULL: not there. [*size] */
const char *nf_http_header(const nf_http_response *response, const char *name, size_t *size);

/* Appends the URL without user, password, query and fragment. */
void nf_http_url_shown(nf_str *out, const char *url);
/* Appends text with everything but letters, digits and "-._~" (and "/" if `path`) as %XX. */
void nf_http_escape(nf_str *out, const char *text, bool path);
/* The URL that `location` means when `base` answers with it. */
void nf_http_url_join(nf_str *out, const char *base, const char *location);
/* Whether scheme, host and port are the same. */
bool nf_http_same_origin(const char *a, const char *b);
/* Seconds of a Retry-After (a number, or a date: then from `now`, in Unix time); negative: neither.
 */
double nf_http_retry_after(const char *value, size_t size, int64_t now);

/* An environment variable's value; NULL if it is not set, or empty. */
const char *nf_http_environment(const char *name);
/* A number of seconds, more than 0, that an environment variable holds; `otherwise` if it is not
 * set. */
nerfit_status nf_http_seconds(double *seconds, const char *variable, double otherwise,
                              nerfit_error *err);

#endif
