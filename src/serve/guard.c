#include "serve/guard.h"

#include <string.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "serve/server.h"

enum { MOST_CREDENTIALS = 4096 };

bool nf_guard_same(const char *given, const char *secret) {
    size_t size = strlen(secret), given_size = strlen(given);
    volatile unsigned char differs = given_size != size;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = i < given_size ? (unsigned char)given[i] : 0;
        differs = (unsigned char)(differs | (c ^ (unsigned char)secret[i]));
    }
    return !differs;
}

/* What stands behind a scheme's name; NULL: it is another. */
static const char *credentials(const char *given, const char *scheme) {
    size_t size = strlen(scheme);
    if (!given || !nf_ascii_same_n(given, scheme, size) || given[size] != ' ') return NULL;
    for (given += size; *given == ' ';) given++;
    return given;
}

/* As the password of a user of any name (RFC 7617), too: Label Studio sends nothing else. */
static bool shows_key(const nf_request *r, const char *key) {
    const char *given = nf_request_header(r, "Authorization"),
               *bearer = credentials(given, "Bearer");
    const char *basic = credentials(given, "Basic");
    unsigned char pair[MOST_CREDENTIALS + 1];
    size_t size = basic ? strlen(basic) : 0;
    if (bearer) return nf_guard_same(bearer, key);
    if (!basic || size > MOST_CREDENTIALS || !nf_base64_decode(basic, size, pair, &size))
        return false;
    pair[size] = '\0';
    const char *password = memchr(pair, ':', size);
    return password && nf_guard_same(password + 1, key);
}

/* A host's name without its port. */
static size_t name_size(const char *host) {
    const char *end = *host == '[' ? strchr(host, ']') : strchr(host, ':');
    return !end ? strlen(host) : (size_t)(end - host) + (*host == '[');
}

/* A page of another site can have its own name lead to 127.0.0.1 (DNS rebinding): the browser then
 * sends us that name. */
static bool host_is_ours(const nf_request *r) {
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    const char *host = nf_request_header(r, "Host");
    if (!r->server->loopback || !host) return true;
    size_t size = name_size(host);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (size == strlen(names[i]) && nf_ascii_same_n(host, names[i], size)) return true;
    return size == strlen(r->server->options.host) &&
           nf_ascii_same_n(host, r->server->options.host, size);
}

/* Browsers say which page a request comes from; other sites' pages have no business here. */
static bool origin_is_ours(const nf_request *r) {
    const char *origin = nf_request_header(r, "Origin"), *host = nf_request_header(r, "Host");
    if (!origin) return true;
    const char *name = strstr(origin, "://");
    return name && host && nf_ascii_same(name + 3, host);
}

bool nf_guard_admits(nf_request *r) {
    const nf_server *server = r->server;
    const char *key = server->options.key;
    if (!host_is_ours(r)) {
        nf_request_fail(r, NF_FAILURE_FORBIDDEN,
                        "Host is another machine's; this service listens on %s alone (see --host)",
                        server->options.host);
    } else if (!origin_is_ours(r)) {
        nf_request_fail(r, NF_FAILURE_FORBIDDEN, "a page of another site may not ask");
    } else if (key && !(r->route->flags & NF_ROUTE_OPEN) && !shows_key(r, key)) {
        nf_request_fail(r, NF_FAILURE_UNAUTHORIZED,
                        "a key is needed: Authorization: Bearer KEY (NERFIT_API_KEY of the "
                        "service)");
    } else if (r->route->flags & NF_ROUTE_TOKEN) {
        const char *token = nf_request_header(r, "X-Nerfit-Token");
        if (token && nf_guard_same(token, server->token)) return true;
        nf_request_fail(r, NF_FAILURE_FORBIDDEN,
                        "X-Nerfit-Token is missing or wrong; GET /token gives it");
    } else {
        return true;
    }
    return false;
}
