/* One try is a chain of redirects (`follow`), each hop one curl handle's transfer (`hop`);
 * nf_http_send repeats tries. */
#include "net/http.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/file.h"
#include "base/number.h"
#include "base/rng.h"
#include "net/curl.h"

enum { MOST_HOPS = 10, MOST_TRIES = 200 };
static const size_t MOST_BODY = 64u << 20;

typedef struct transfer {
    const nf_http_request *request;
    const nf_http_policy *policy;
    const nf_http_watch *watch;
    nf_http_response *response;
    nerfit_error *err;
    nf_curl lib;
    CURL *curl;
    struct curl_slist *open_headers, *all_headers; /* without and with the secret */
    char curl_text[CURL_ERROR_SIZE];
    int64_t had; /* bytes of the file that are not asked for again */
    uint64_t done, total;
    bool begun; /* the body's first byte has come */
    bool to_file;
    bool cancelled, too_large, no_memory, not_written, overflows;
    int64_t received; /* bytes of the body that went to the file */
} transfer;

/* ---------------------------------------------------------------- URLs, headers, times */

const char *nf_http_environment(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

nerfit_status nf_http_seconds(double *seconds, const char *variable, double otherwise,
                              nerfit_error *err) {
    const char *value = nf_http_environment(variable);
    *seconds = otherwise;
    if (value && !(nf_number_parse(value, seconds) && *seconds > 0))
        return nf_fail(err, NERFIT_ARGUMENT, "%s: \"%s\" is not a number of seconds", variable,
                       value);
    return NERFIT_OK;
}

/* The authority (user, host, port) of a URL: its begin and its end. */
static const char *authority(const char *url, const char **end) {
    const char *scheme = strstr(url, "://");
    const char *start = scheme ? scheme + 3 : url;
    *end = start + strcspn(start, "/?#");
    return start;
}

static const char *after_user(const char *start, const char *end) {
    for (const char *at = end; at > start; at--)
        if (at[-1] == '@') return at;
    return start;
}

void nf_http_url_shown(nf_str *out, const char *url) {
    const char *end, *start = authority(url, &end);
    nf_str_append(out, url, (size_t)(start - url));
    const char *host = after_user(start, end);
    nf_str_append(out, host, strcspn(host, "?#"));
}

void nf_http_escape(nf_str *out, const char *text, bool path) {
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (nf_ascii_is_alphanumeric((char)c) || strchr("-._~", c) || (path && c == '/'))
            nf_str_append_char(out, (char)c);
        else
            nf_str_appendf(out, "%%%02X", c);
    }
}

void nf_http_url_join(nf_str *out, const char *base, const char *location) {
    const char *end;
    authority(base, &end);
    size_t scheme = strcspn(location, ":/?#");
    if (location[scheme] == ':') { /* a whole URL */
        nf_str_append_text(out, location);
    } else if (strncmp(location, "//", 2) == 0) {
        const char *colon = strchr(base, ':');
        nf_str_append(out, base, colon ? (size_t)(colon - base) + 1 : 0);
        nf_str_append_text(out, location);
    } else if (location[0] == '/') {
        nf_str_append(out, base, (size_t)(end - base));
        nf_str_append_text(out, location);
    } else { /* beside the last part of the path */
        size_t path = strcspn(end, "?#");
        if (location[0] != '?')
            while (path > 0 && end[path - 1] != '/') path--;
        nf_str_append(out, base, (size_t)(end - base) + path);
        if (path == 0 && location[0] != '?') nf_str_append_char(out, '/');
        nf_str_append_text(out, location);
    }
}

static const char *default_port(const char *url) {
    return nf_ascii_same_n(url, "https:", 6) ? "443" : "80";
}

bool nf_http_same_origin(const char *a, const char *b) {
    const char *ends[2], *hosts[2], *urls[2] = {a, b}, *ports[2];
    size_t lengths[2], port_lengths[2];
    for (int i = 0; i < 2; i++) {
        const char *start = authority(urls[i], &ends[i]);
        hosts[i] = after_user(start, ends[i]);
        const char *port = ends[i];
        while (port > hosts[i] && nf_ascii_is_digit(port[-1])) port--;
        bool given = port > hosts[i] && port[-1] == ':' && port < ends[i];
        lengths[i] = (size_t)((given ? port - 1 : ends[i]) - hosts[i]);
        ports[i] = given ? port : default_port(urls[i]);
        port_lengths[i] = given ? (size_t)(ends[i] - port) : strlen(ports[i]);
    }
    size_t scheme = strcspn(a, ":");
    return nf_ascii_same_n(a, b, scheme + 1) && lengths[0] == lengths[1] &&
           nf_ascii_same_n(hosts[0], hosts[1], lengths[0]) && port_lengths[0] == port_lengths[1] &&
           memcmp(ports[0], ports[1], port_lengths[0]) == 0;
}

const char *nf_http_header(const nf_http_response *response, const char *name, size_t *size) {
    size_t length = strlen(name);
    for (const char *line = nf_str_text(&response->headers); *line;) {
        size_t end = strcspn(line, "\n");
        if (end > length && strncmp(line, name, length) == 0 && line[length] == ':') {
            const char *value = line + length + 1;
            while (*value == ' ' || *value == '\t') value++;
            *size = (size_t)(line + end - value);
            return value;
        }
        line += end + (line[end] == '\n');
    }
    *size = 0;
    return NULL;
}

double nf_http_retry_after(const char *value, size_t size, int64_t now) {
    char text[64];
    if (!value || size == 0 || size >= sizeof text) return -1;
    memcpy(text, value, size);
    text[size] = '\0';
    char *end;
    double seconds = nf_number_read(text, &end);
    if (end != text && *end == '\0') return seconds >= 0 && seconds < 1e9 ? seconds : -1;
    nf_curl curl;
    if (nf_curl_open(&curl, NULL) != NERFIT_OK) return -1;
    time_t date = curl.getdate(text, NULL);
    if (date == (time_t)-1) return -1;
    return (int64_t)date > now ? (double)((int64_t)date - now) : 0;
}

static double or_else(double value, double fallback) {
    return value > 0 ? value : fallback;
}

double nf_http_wait_of(const nf_http_policy *policy, int retry, double retry_after,
                       double uniform) {
    if (retry_after >= 0) return retry_after;
    double wait = or_else(policy->first_wait, 0.5), longest = or_else(policy->longest_wait, 8);
    for (int i = 0; i < retry && wait < longest; i++) wait *= 2;
    return (wait < longest ? wait : longest) * (0.5 + 0.5 * uniform);
}

/* ---------------------------------------------------------------- what curl calls */

static size_t on_header(char *data, size_t unit, size_t count, void *user) {
    transfer *t = user;
    size_t size = unit * count, kept = size;
    nf_str *out = &t->response->headers;
    if (size >= 5 && memcmp(data, "HTTP/", 5) == 0) nf_str_clear(out); /* after "100 Continue" */
    while (kept > 0 && (data[kept - 1] == '\n' || data[kept - 1] == '\r')) kept--;
    const char *colon = memchr(data, ':', kept);
    if (!colon || out->length + kept > (1u << 20)) return size;
    for (const char *at = data; at < colon; at++) nf_str_append_char(out, nf_ascii_lower(*at));
    nf_str_append(out, colon, (size_t)(data + kept - colon));
    nf_str_append_char(out, '\n');
    t->no_memory |= out->failed;
    return out->failed ? 0 : size;
}

/* Where the server's bytes begin: "content-range: bytes 100-199/200". */
static int64_t range_start(const nf_http_response *response) {
    size_t size;
    const char *value = nf_http_header(response, "content-range", &size);
    uint64_t start;
    const char *end;
    bool known = value && size > 6 && nf_ascii_same_n(value, "bytes ", 6) &&
                 nf_whole_read(value + 6, INT64_MAX, &start, &end);
    return known ? (int64_t)start : -1;
}

/* At the body's first byte it is known where the body goes. */
static bool begin_body(transfer *t) {
    t->lib.easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->response->status);
    long status = t->response->status;
    t->begun = true;
    t->to_file = t->request->file && (status == 200 || status == 206);
    if (!t->to_file) return true;
    if (status == 206 && range_start(t->response) == t->had) {
        t->response->resumed = t->response->resumed || t->had > 0;
        return true;
    }
    /* the server sends everything, or something else than was asked for */
    t->had = 0;
    t->response->resumed = false;
    t->not_written =
        ftruncate(*t->request->file, 0) != 0 || lseek(*t->request->file, 0, SEEK_SET) != 0;
    return !t->not_written && status == 200;
}

static size_t on_body(char *data, size_t unit, size_t count, void *user) {
    transfer *t = user;
    size_t size = unit * count;
    if (!t->begun && !begin_body(t)) return 0;
    if (t->to_file) {
        t->received += (int64_t)size;
        t->overflows = t->request->most > 0 && t->had + t->received > t->request->most;
        t->response->overflowed = t->overflows;
        if (t->overflows) return 0;
        t->not_written = !nf_write_all(*t->request->file, data, size);
        return t->not_written ? 0 : size;
    }
    t->too_large = t->response->body.length + size > MOST_BODY;
    if (t->too_large) return 0;
    t->no_memory = !nf_str_append(&t->response->body, data, size);
    return t->no_memory ? 0 : size;
}

static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up) {
    (void)up_total, (void)up;
    transfer *t = user;
    uint64_t had = t->to_file ? (uint64_t)t->had : 0;
    t->done = had + (uint64_t)now;
    t->total = total > 0 ? had + (uint64_t)total : 0;
    if (t->watch && t->watch->progress && !t->watch->progress(t->watch->user, t->done, t->total))
        t->cancelled = true;
    return t->cancelled;
}

/* ---------------------------------------------------------------- one try */

static bool make_headers(transfer *t) {
    const nf_http_request *r = t->request;
    struct curl_slist **lists[] = {&t->open_headers, &t->all_headers};
    for (int i = 0; i < 2; i++) {
        for (size_t k = 0; k < r->n_headers + 3; k++) {
            const char *line = k < r->n_headers    ? r->headers[k]
                               : k == r->n_headers ? "Expect:"
                               : k == r->n_headers + 1
                                   ? (r->body ? "Content-Type: application/json" : NULL)
                                   : (i == 1 ? r->secret : NULL);
            struct curl_slist *grown = line ? t->lib.slist_append(*lists[i], line) : *lists[i];
            if (line && !grown) return false;
            *lists[i] = grown;
        }
    }
    return true;
}

static bool set_options(transfer *t, const char *url, bool trusted) {
    const nf_http_request *r = t->request;
    const nf_http_policy *p = t->policy;
    CURL *c = t->curl;
    const nf_curl *lib = &t->lib;
    static const char *const bundles[] = {"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"};
    lib->easy_reset(c);
    bool ok = lib->easy_setopt(c, CURLOPT_URL, url) == CURLE_OK;
    for (size_t i = 0; i < 3; i++)
        if (nf_http_environment(bundles[i])) {
            ok &= lib->easy_setopt(c, CURLOPT_CAINFO, getenv(bundles[i])) == CURLE_OK;
            break;
        }
    lib->easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    lib->easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    lib->easy_setopt(c, CURLOPT_ERRORBUFFER, t->curl_text);
    lib->easy_setopt(c, CURLOPT_USERAGENT, "nerfit/" NERFIT_VERSION);
    lib->easy_setopt(c, CURLOPT_HTTPHEADER, trusted ? t->all_headers : t->open_headers);
    lib->easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(1e3 * or_else(p->connect_timeout, 10)));
    lib->easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    lib->easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)ceil(or_else(p->stall_timeout, 30)));
    if (p->total_timeout > 0)
        lib->easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(1e3 * p->total_timeout));
    lib->easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    lib->easy_setopt(c, CURLOPT_HEADERDATA, t);
    lib->easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    lib->easy_setopt(c, CURLOPT_WRITEDATA, t);
    lib->easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    lib->easy_setopt(c, CURLOPT_XFERINFODATA, t);
    lib->easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    if (r->method && strcmp(r->method, "HEAD") == 0) lib->easy_setopt(c, CURLOPT_NOBODY, 1L);
    if (r->body) {
        lib->easy_setopt(c, CURLOPT_POST, 1L);
        lib->easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(r->body));
        lib->easy_setopt(c, CURLOPT_POSTFIELDS, r->body);
    }
    if (t->had > 0) {
        char range[32];
        snprintf(range, sizeof range, "%lld-", (long long)t->had);
        ok &= lib->easy_setopt(c, CURLOPT_RANGE, range) == CURLE_OK;
    }
    return ok;
}

static CURLcode hop(transfer *t, const char *url, bool trusted) {
    nf_str_clear(&t->response->body);
    nf_str_clear(&t->response->headers);
    t->response->status = 0;
    t->begun = t->to_file = false;
    t->curl_text[0] = '\0';
    struct stat info;
    t->received = 0;
    t->had = t->request->file && fstat(*t->request->file, &info) == 0 ? info.st_size : 0;
    if (t->had > 0) lseek(*t->request->file, 0, SEEK_END);
    if (!set_options(t, url, trusted)) return CURLE_OUT_OF_MEMORY;
    CURLcode code = t->lib.easy_perform(t->curl);
    t->lib.easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->response->status);
    if (code == CURLE_OK && !t->begun && t->request->file && t->response->status == 200)
        begin_body(t); /* an empty file */
    return code;
}

/* The next URL of a redirect, into `next`; false: the answer is no redirect to follow. */
static bool redirected(const transfer *t, const char *url, nf_str *next) {
    long s = t->response->status;
    size_t size;
    const char *value = nf_http_header(t->response, "location", &size);
    size_t unused;
    if (t->request->stop_at && nf_http_header(t->response, t->request->stop_at, &unused))
        return false;
    if (t->request->body || !value || !(s == 301 || s == 302 || s == 303 || s == 307 || s == 308))
        return false;
    nf_str location = {0};
    nf_str_append(&location, value, size);
    nf_str_clear(next);
    nf_http_url_join(next, url, nf_str_text(&location));
    nf_str_free(&location);
    bool down = nf_ascii_same_n(url, "https:", 6) && !nf_ascii_same_n(next->data, "https:", 6);
    return !next->failed && !down;
}

static CURLcode follow(transfer *t) {
    nf_str url = {0}, next = {0};
    nf_str_append_text(&url, t->request->url);
    CURLcode code = CURLE_OUT_OF_MEMORY;
    for (int hops = 0; !url.failed; hops++) {
        code = hop(t, url.data, nf_http_same_origin(t->request->url, url.data));
        if (code != CURLE_OK || !redirected(t, url.data, &next)) break;
        if (hops == MOST_HOPS) {
            code = CURLE_TOO_MANY_REDIRECTS;
            break;
        }
        nf_str kept = url;
        url = next;
        next = kept;
    }
    nf_str_clear(&t->response->location);
    nf_str_append_text(&t->response->location, nf_str_text(&url));
    nf_str_free(&url);
    nf_str_free(&next);
    return code;
}

/* ---------------------------------------------------------------- repeated tries */

static bool may_pass(CURLcode code) {
    static const CURLcode codes[] = {
        CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT,   CURLE_OPERATION_TIMEDOUT,
        CURLE_PARTIAL_FILE,         CURLE_SEND_ERROR,        CURLE_RECV_ERROR,
        CURLE_GOT_NOTHING,          CURLE_SSL_CONNECT_ERROR, CURLE_HTTP2,
        CURLE_HTTP2_STREAM,         CURLE_WEIRD_SERVER_REPLY};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (code == codes[i]) return true;
    return false;
}

static bool status_may_pass(long status) {
    return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

/* Waits while looking for a cancellation. false: stop. */
static bool wait(transfer *t, double seconds) {
    const nf_http_watch *w = t->watch;
    if (t->policy->wait) return t->policy->wait(t->policy->wait_user, seconds);
    while (seconds > 0) {
        double slice = seconds < 0.1 ? seconds : 0.1;
        nanosleep(&(struct timespec){0, (long)(1e9 * slice)}, NULL);
        seconds -= slice;
        if (w && w->progress && !w->progress(w->user, t->done, t->total)) return false;
    }
    return true;
}

static nerfit_status fail(transfer *t, nerfit_status status, const char *what) {
    nf_str url = {0};
    nf_http_url_shown(&url,
                      t->response->location.length ? t->response->location.data : t->request->url);
    nf_fail(t->err, status, "%s: %s", nf_str_text(&url), what);
    nf_str_free(&url);
    return status;
}

static const char *text_of(const transfer *t, CURLcode code) {
    return t->curl_text[0] ? t->curl_text : t->lib.easy_strerror(code);
}

/* What ends it all, however often it were tried. */
static nerfit_status final_error(transfer *t, CURLcode code) {
    if (t->cancelled) return fail(t, NERFIT_CANCELLED, "cancelled");
    if (t->no_memory || code == CURLE_OUT_OF_MEMORY) return nf_no_memory(t->err, 0);
    if (t->not_written)
        return nf_fail(t->err, NERFIT_IO, "a file being fetched cannot be written: %s",
                       strerror(errno));
    if (t->overflows) return fail(t, NERFIT_IO, "more bytes came than were announced");
    if (t->too_large) return fail(t, NERFIT_IO, "the answer is larger than 64 MiB");
    if (code != CURLE_OK && !may_pass(code) && code != CURLE_WRITE_ERROR)
        return fail(t, NERFIT_IO, text_of(t, code));
    return NERFIT_OK;
}

static void tell(transfer *t, CURLcode code, double seconds) {
    if (!t->watch || !t->watch->log) return;
    nf_str url = {0};
    nf_http_url_shown(&url, nf_str_text(&t->response->location));
    if (code != CURLE_OK)
        nf_log_warning(t->watch->log, "%s: %s; trying again in %.1f s", nf_str_text(&url),
                       text_of(t, code), seconds);
    else
        nf_log_warning(t->watch->log, "%s: HTTP status %ld; trying again in %.1f s",
                       nf_str_text(&url), t->response->status, seconds);
    nf_str_free(&url);
}

static int64_t file_size(const transfer *t) {
    struct stat info;
    return t->request->file && fstat(*t->request->file, &info) == 0 ? info.st_size : 0;
}

static double retry_after_of(const transfer *t, CURLcode code) {
    size_t size;
    const char *value = nf_http_header(t->response, "retry-after", &size);
    return code == CURLE_OK ? nf_http_retry_after(value, size, (int64_t)time(NULL)) : -1;
}

static nerfit_status send_until_answered(transfer *t) {
    int retries = t->policy->retries ? t->policy->retries : 4;
    uint64_t seed = t->policy->seed;
    if (!seed) seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32 ^ (uintptr_t)t;
    nf_rng rng = nf_rng_new(seed, 0);
    for (int retry = 0, tries = 0;; retry++, tries++) {
        int64_t before = file_size(t);
        CURLcode code = follow(t);
        NF_TRY(final_error(t, code));
        if (code == CURLE_OK && t->response->status == 416 && before > 0 && tries < 2) {
            if (ftruncate(*t->request->file, 0) != 0) { /* it holds more than the whole */
                t->not_written = true;
                return final_error(t, code);
            }
            continue;
        }
        double patience = or_else(t->policy->most_patience, 120), after = retry_after_of(t, code);
        if (code == CURLE_OK && (!status_may_pass(t->response->status) || after > patience))
            return NERFIT_OK;
        if (file_size(t) > before) retry = 0; /* it goes on, if slowly */
        if (retry >= retries || tries >= MOST_TRIES)
            return code == CURLE_OK ? NERFIT_OK : fail(t, NERFIT_IO, text_of(t, code));
        double seconds = nf_http_wait_of(t->policy, retry, after, nf_rng_uniform(&rng));
        tell(t, code, seconds);
        t->cancelled = !wait(t, seconds);
        NF_TRY(final_error(t, CURLE_OK));
    }
}

nerfit_status nf_http_prepare(nerfit_error *err) {
    nf_curl lib;
    NF_TRY(nf_curl_open(&lib, err));
    lib.easy_cleanup(
        lib.easy_init()); /* the library's own beginning, which no other thread may share */
    return NERFIT_OK;
}

nerfit_status nf_http_send(const nf_http_request *request, const nf_http_policy *policy,
                           const nf_http_watch *watch, nf_http_response *response,
                           nerfit_error *err) {
    transfer t = {
        .request = request, .policy = policy, .watch = watch, .response = response, .err = err};
    *response = (nf_http_response){0};
    NF_TRY(nf_curl_open(&t.lib, err));
    t.curl = t.lib.easy_init();
    nerfit_status status =
        t.curl && make_headers(&t) ? send_until_answered(&t) : nf_no_memory(err, 0);
    t.lib.easy_cleanup(t.curl);
    t.lib.slist_free_all(t.open_headers);
    t.lib.slist_free_all(t.all_headers);
    return status;
}

void nf_http_response_free(nf_http_response *response) {
    nf_str_free(&response->body);
    nf_str_free(&response->headers);
    nf_str_free(&response->location);
    *response = (nf_http_response){0};
}
