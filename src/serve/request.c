#include "serve/request.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/number.h"
#include "base/utf8.h"
#include "serve/server.h"

/* ---------------------------------------------------------------- what was asked */

const char *nf_request_argument(const nf_request *r, const char *name) {
    return r->connection
               ? r->server->mhd.lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name)
               : NULL;
}

const char *nf_request_header(const nf_request *r, const char *name) {
    return r->connection
               ? r->server->mhd.lookup_connection_value(r->connection, MHD_HEADER_KIND, name)
               : NULL;
}

json_t *nf_request_json(nf_request *r) {
    json_t *value = NULL;
    nerfit_error error;
    if (nf_json_parse(&value, nf_str_text(&r->body), r->body.length, "the request", 0, &error) !=
        NERFIT_OK)
        nf_request_fail(r,
                        error.code == NERFIT_NO_MEMORY ? NF_FAILURE_OVERLOADED : NF_FAILURE_REQUEST,
                        "%s", error.text);
    return value;
}

/* ---------------------------------------------------------------- what is answered */

static const struct {
    int status;
    const char *type;
} failures[] = {
    [NF_FAILURE_NONE] = {200, ""},
    [NF_FAILURE_REQUEST] = {400, "validation"},
    [NF_FAILURE_UNAUTHORIZED] = {401, "unauthorized"},
    [NF_FAILURE_FORBIDDEN] = {403, "forbidden"},
    [NF_FAILURE_NOT_FOUND] = {404, "not_found"},
    [NF_FAILURE_METHOD] = {405, "validation"},
    [NF_FAILURE_CONFLICT] = {409, "conflict"},
    [NF_FAILURE_TOO_LARGE] = {413, "validation"},
    [NF_FAILURE_MEDIA] = {415, "validation"},
    [NF_FAILURE_VALIDATION] = {422, "validation"},
    [NF_FAILURE_BACKEND] = {424, "backend"},
    [NF_FAILURE_OVERLOADED] = {429, "overloaded"},
    [NF_FAILURE_INTERNAL] = {500, "internal"},
    [NF_FAILURE_UNHEALTHY] = {503, "unhealthy"},
    [NF_FAILURE_TIMEOUT] = {503, "timeout"},
};

nf_failure nf_failure_of(nerfit_status status) {
    switch (status) {
    case NERFIT_OK:
        return NF_FAILURE_NONE;
    case NERFIT_ARGUMENT:
    case NERFIT_FORMAT:
    case NERFIT_UNSUPPORTED:
        return NF_FAILURE_VALIDATION;
    case NERFIT_NO_MEMORY:
        return NF_FAILURE_OVERLOADED;
    case NERFIT_CANCELLED:
        return NF_FAILURE_TIMEOUT;
    default:
        return NF_FAILURE_BACKEND;
    }
}

void nf_failure_append(nf_str *out, nf_failure failure, const char *text) {
    nf_str_append_text(out, "{\"error\": ");
    nf_str_append_json(out, text, strlen(text));
    nf_str_appendf(out, ", \"error_type\": \"%s\"}", failures[failure].type);
}

void nf_request_set_header(nf_request *r, const char *name, const char *format, ...) {
    nf_header *header = &r->reply.headers[r->reply.n_headers];
    va_list arguments;
    if (r->reply.n_headers == NF_REPLY_HEADERS) return;
    header->name = name;
    va_start(arguments, format);
    nf_print_list(header->value, sizeof header->value, format, arguments);
    va_end(arguments);
    r->reply.n_headers++;
}

/* A whole number of seconds after which the queue is likely to have room. */
static int retry_after(nf_server *server) {
    double seconds = atomic_load(&server->queued);
    return seconds < 1.0 ? 1 : seconds > 60.0 ? 60 : (int)(seconds + 1.0);
}

void nf_request_fail(nf_request *r, nf_failure failure, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    nf_print_list(text, sizeof text, format, arguments);
    va_end(arguments);
    nf_str_free(&r->reply.body);
    if (r->reply.file) close(r->reply.file);
    r->reply = (nf_reply){.status = failures[failure].status};
    nf_utf8_end(text);
    nf_failure_append(&r->reply.body, failure, text);
    nf_str_append_char(&r->reply.body, '\n');
    if (failure == NF_FAILURE_OVERLOADED || failure == NF_FAILURE_UNHEALTHY ||
        failure == NF_FAILURE_TIMEOUT)
        nf_request_set_header(r, "Retry-After", "%d", retry_after(r->server));
    if (failure == NF_FAILURE_UNAUTHORIZED) nf_request_set_header(r, "WWW-Authenticate", "Bearer");
    if (failure == NF_FAILURE_OVERLOADED)
        nf_metrics_count(&r->server->metrics, NF_COUNTED_request_overloaded, 1);
    if (failure == NF_FAILURE_TIMEOUT)
        nf_metrics_count(&r->server->metrics, NF_COUNTED_request_timeout, 1);
}

void nf_request_fail_with(nf_request *r, nf_failure failure, json_t *more, const char *format,
                          ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    nf_print_list(text, sizeof text, format, arguments);
    va_end(arguments);
    nf_utf8_end(text);
    nf_request_fail(r, failure, "%s", text);
    json_t *answer = json_pack("{s:s, s:s}", "error", text, "error_type", failures[failure].type);
    if (more && answer && json_object_update(answer, more) == 0)
        nf_request_reply_json(r, json_incref(answer));
    json_decref(answer);
    json_decref(more);
}

void nf_request_fail_as(nf_request *r, const nerfit_error *error) {
    nf_request_fail(r, nf_failure_of(error->code), "%s", error->text);
}

void nf_request_reply_json(nf_request *r, json_t *value) {
    char *text = value ? nf_json_text(value, JSON_ENCODE_ANY) : NULL;
    json_decref(value);
    nf_str_clear(&r->reply.body);
    if (text) nf_str_append_text(&r->reply.body, text);
    nf_str_append_char(&r->reply.body, '\n');
    if (!text || r->reply.body.failed) nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
    free(text);
}

/* ---------------------------------------------------------------- whose it is */

void nf_request_ref(nf_request *r) {
    atomic_fetch_add(&r->refs, 1);
}

bool nf_request_hold(nf_request *r, ptrdiff_t bytes) {
    nf_server *server = r->server;
    if (bytes < 0) {
        r->held -= (size_t)-bytes;
        atomic_fetch_sub(&server->held, (size_t)-bytes);
        return true;
    }
    size_t before = atomic_fetch_add(&server->held, (size_t)bytes);
    r->held += (size_t)bytes;
    return before + (size_t)bytes <= server->options.memory_limit;
}
