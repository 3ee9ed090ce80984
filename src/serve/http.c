/* libmicrohttpd's side: one thread reads heads and bodies, finds routes and sends replies.
 *
 * A request's states: its body arrives (or is thrown away, where the reply is known before), the
 * route's function runs, here or elsewhere while the connection sleeps, the reply is queued.
 * libmicrohttpd frees nothing that sleeps; who wakes a connection does so under the request's mutex,
 * which also says whether it is still there. */
#include "serve/http.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/number.h"
#include "serve/access_log.h"
#include "serve/aside.h"
#include "serve/body.h"
#include "serve/guard.h"
#include "serve/routes.h"
#include "serve/server.h"
#include "serve/stream.h"

typedef enum state {
    STATE_BODY,    /* arrives */
    STATE_REFUSED, /* the reply is there; what arrives is thrown away */
    STATE_WORKING, /* the connection sleeps, or a stream runs */
    STATE_READY,   /* the reply is there */
    STATE_SENT,
} state;

/* Of a body that nobody wants this much is read, so that the client comes to read the reply. */
enum { MOST_REFUSED = 8 << 20, LEAST_PACKED = 1024 };

/* ---------------------------------------------------------------- requests */

static nf_request *request_new(nf_server *server, struct MHD_Connection *connection,
                               const char *method, const char *path) {
    nf_request *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    const union MHD_ConnectionInfo *info =
        server->mhd.get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    r->server = server;
    r->connection = connection;
    r->peer = info ? info->socket_context : NULL;
    r->fd = r->peer ? r->peer->fd : -1;
    r->began = nf_clock_now();
    atomic_init(&r->refs, 1);
    pthread_mutex_init(&r->mutex, NULL);
    r->method = strcmp(method, "HEAD") == 0 ? "GET" : nf_route_method(method);
    r->path = strdup(path);
    atomic_fetch_add(&server->n_requests, 1);
    nf_metrics_count(&server->metrics, NF_COUNTED_request_count, 1);
    if (r->path && r->peer) return r;
    nf_request_unref(r);
    return NULL;
}

void nf_request_unref(nf_request *r) {
    if (atomic_fetch_sub(&r->refs, 1) != 1) return;
    nf_server *server = r->server;
    if (r->counted) atomic_fetch_sub(&server->concurrent, 1);
    nf_request_hold(r, -(ptrdiff_t)r->held);
    nf_stream_free(r->stream);
    nf_body_end(r);
    nf_str_free(&r->body);
    nf_str_free(&r->reply.body);
    if (r->reply.file) close(r->reply.file);
    free(r->path);
    free(r->model);
    pthread_mutex_destroy(&r->mutex);
    free(r);
    atomic_fetch_sub(&server->n_requests, 1);
}

/* "/models/NAME/predict" is "/predict" of that model. */
static bool take_model(nf_request *r) {
    static const char prefix[] = "/models/";
    if (strncmp(r->path, prefix, sizeof prefix - 1) != 0) return true;
    const char *name = r->path + sizeof prefix - 1, *end = strchr(name, '/');
    if (!end) return true;
    r->model = strndup(name, (size_t)(end - name));
    char *rest = strdup(end);
    if (!r->model || !rest) return free(rest), false;
    free(r->path);
    r->path = rest;
    return true;
}

/* ---------------------------------------------------------------- sleeping and waking */

static void sleep_on(nf_request *r) {
    pthread_mutex_lock(&r->mutex);
    r->suspended = true;
    r->state = STATE_WORKING;
    r->server->mhd.suspend_connection(r->connection);
    pthread_mutex_unlock(&r->mutex);
}

void nf_request_done(nf_request *r) {
    if (!r->reply.packed) nf_body_pack(r, LEAST_PACKED);
    pthread_mutex_lock(&r->mutex);
    r->state = STATE_READY;
    if (r->suspended) {
        r->suspended = false;
        r->server->mhd.resume_connection(r->connection);
    }
    pthread_mutex_unlock(&r->mutex);
}

/* A client that has closed its end waits for nothing: nginx takes it so, too. */
bool nf_request_is_gone(nf_request *r) {
    pthread_mutex_lock(&r->mutex);
    if (!r->gone && r->suspended) {
        struct pollfd end = {.fd = r->fd, .events = POLLRDHUP};
        r->gone = poll(&end, 1, 0) == 1 && end.revents & (POLLRDHUP | POLLHUP | POLLERR);
    }
    bool gone = r->gone || r->abandoned;
    pthread_mutex_unlock(&r->mutex);
    return gone;
}

/* ---------------------------------------------------------------- replies */

static void add_headers(nf_request *r, struct MHD_Response *response) {
    nf_mhd *mhd = &r->server->mhd;
    const nf_reply *reply = &r->reply;
    mhd->add_response_header(response, "Content-Type",
                             reply->content_type ? reply->content_type : "application/json");
    mhd->add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (reply->packed) mhd->add_response_header(response, "Content-Encoding", "gzip");
    mhd->add_response_header(response, "Vary", "Accept-Encoding");
    for (size_t i = 0; i < reply->n_headers; i++)
        mhd->add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    if (atomic_load(&r->server->draining))
        mhd->add_response_header(response, "Connection", "close");
}

/* The response with the reply's body, which it takes. */
static struct MHD_Response *make_response(nf_request *r) {
    nf_mhd *mhd = &r->server->mhd;
    nf_reply *reply = &r->reply;
    if (reply->fixed)
        return mhd->create_response_from_buffer(reply->fixed_size, (void *)(uintptr_t)reply->fixed,
                                                MHD_RESPMEM_PERSISTENT);
    if (reply->file) {
        struct MHD_Response *response =
            mhd->create_response_from_fd64(reply->file_size, reply->file);
        if (response) reply->file = 0;
        return response;
    }
    if (r->stream && !reply->status) return nf_stream_response(r);
    if (!reply->body.data && !nf_str_append(&reply->body, "", 0)) return NULL;
    struct MHD_Response *response = mhd->create_response_from_buffer(
        reply->body.length, reply->body.data, MHD_RESPMEM_MUST_FREE);
    if (response) reply->body = (nf_str){0};
    return response;
}

static enum MHD_Result send_reply(nf_request *r) {
    nf_server *server = r->server;
    if (r->gone) return MHD_NO;
    size_t bytes = r->reply.fixed  ? r->reply.fixed_size
                   : r->reply.file ? (size_t)r->reply.file_size
                                   : r->reply.body.length;
    int status = r->reply.status ? r->reply.status : 200;
    struct MHD_Response *response = make_response(r);
    if (!response) return MHD_NO;
    add_headers(r, response);
    r->reply.status = status;
    r->state = STATE_SENT;
    nf_connection_enter(&server->connections, r->peer, NF_PHASE_REPLY, bytes);
    enum MHD_Result queued = server->mhd.queue_response(r->connection, (unsigned)status, response);
    server->mhd.destroy_response(response);
    return queued;
}

/* The reply is known before the body is: what comes of that is thrown away. */
static enum MHD_Result refuse(nf_request *r) {
    nf_body_pack(r, LEAST_PACKED);
    pthread_mutex_lock(&r->mutex);
    r->state = STATE_REFUSED;
    r->abandoned = true;
    pthread_mutex_unlock(&r->mutex);
    return MHD_YES;
}

/* ---------------------------------------------------------------- the body is there */

/* Whether one more request may wait for a worker. */
static bool may_wait(nf_request *r) {
    nf_server *server = r->server;
    size_t before = atomic_fetch_add(&server->concurrent, 1);
    r->counted = true;
    if (before < server->options.max_concurrent_requests) return true;
    nf_request_fail(r, NF_FAILURE_OVERLOADED, "Model is overloaded: %zu requests wait",
                    server->options.max_concurrent_requests);
    return false;
}

static enum MHD_Result answer(nf_request *r) {
    nf_server *server = r->server;
    unsigned flags = r->route->flags;
    r->arrived = nf_clock_now();
    if (!nf_body_complete(r)) return send_reply(r);
    nf_connection_enter(&server->connections, r->peer, NF_PHASE_WORK, 0);
    if (r->stream) {
        nf_stream_end(r);
        return send_reply(r);
    }
    if (flags & (NF_ROUTE_WAITS | NF_ROUTE_ASIDE)) {
        if (flags & NF_ROUTE_WAITS && !may_wait(r)) return send_reply(r);
        sleep_on(r);
        if (flags & NF_ROUTE_ASIDE)
            nf_aside_put(server->aside, r);
        else
            r->route->handle(r);
        return MHD_YES;
    }
    r->route->handle(r);
    nf_body_pack(r, LEAST_PACKED);
    return send_reply(r);
}

/* ---------------------------------------------------------------- what libmicrohttpd calls */

/* The head is there. */
static enum MHD_Result begin(nf_server *server, struct MHD_Connection *connection,
                             const char *method, const char *path, void **context) {
    nf_request *r = request_new(server, connection, method, path);
    nf_str allow = {0};
    if (!r) return MHD_NO;
    *context = r;
    nf_connection_enter(&server->connections, r->peer, NF_PHASE_BODY, 0);
    nf_body_begin(r);
    if (!take_model(r)) return MHD_NO;
    r->route = nf_route_find(r->method, r->path, &allow);
    if (!r->route && allow.length) {
        nf_request_fail(r, NF_FAILURE_METHOD, "%s is not for %s; it takes %s", r->path, method,
                        allow.data);
        nf_request_set_header(r, "Allow", "%s", allow.data);
    } else if (!r->route) {
        nf_request_fail(r, NF_FAILURE_NOT_FOUND,
                        "there is no %s here; GET /openapi.json lists "
                        "what there is",
                        r->path);
    }
    nf_str_free(&allow);
    if (!r->route || !nf_guard_admits(r)) return refuse(r);
    bool stream = nf_stream_wanted(r);
    if (!nf_body_fits(r, stream)) {
        /* it is never read: a client that asks first (Expect: 100-continue) sends nothing */
        return send_reply(r);
    }
    if (stream && (!may_wait(r) || !nf_stream_begin(r))) return refuse(r);
    return MHD_YES;
}

/* libmicrohttpd hands over a chunk that it has read already even while the connection sleeps. */
static bool is_asleep(nf_request *r) {
    pthread_mutex_lock(&r->mutex);
    bool asleep = r->suspended;
    pthread_mutex_unlock(&r->mutex);
    return asleep;
}

static enum MHD_Result take_body(nf_request *r, const char *data, size_t *size) {
    size_t given = *size;
    if (is_asleep(r)) return MHD_YES; /* it keeps what is not taken */
    r->n_received += given;
    nf_connection_moved(&r->server->connections, r->peer, given);
    if (r->state == STATE_REFUSED) {
        *size = 0;
        return r->n_received <= MOST_REFUSED ? MHD_YES : MHD_NO;
    }
    bool taken = nf_body_take(r, data, size); /* a stream may leave some */
    r->n_received -= *size;
    if (taken) return MHD_YES;
    *size = 0;
    return refuse(r);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context) {
    nf_request *r = *context;
    (void)version;
    if (!r) return begin(user, connection, method, path, context);
    if (*size) return take_body(r, data, size);
    pthread_mutex_lock(&r->mutex);
    int at = r->state;
    pthread_mutex_unlock(&r->mutex);
    if (at == STATE_BODY) return answer(r);
    if (at == STATE_READY || at == STATE_REFUSED) return send_reply(r);
    return at == STATE_WORKING ? MHD_YES : MHD_NO;
}

static void on_completed(void *user, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code) {
    nf_server *server = user;
    nf_request *r = *context;
    (void)connection;
    if (!r) return;
    *context = NULL;
    pthread_mutex_lock(&r->mutex);
    bool complete = code == MHD_REQUEST_TERMINATED_COMPLETED_OK && r->state == STATE_SENT;
    r->gone = true;
    r->suspended = false;
    r->connection = NULL;
    pthread_mutex_unlock(&r->mutex);
    int status = complete ? r->reply.status : 499; /* nginx's number: the client has gone */
    nf_metrics_observe(&server->metrics, NF_TIME_request_duration, nf_clock_now() - r->began);
    nf_metrics_status(&server->metrics, status);
    nf_metrics_count(&server->metrics,
                     status < 400 ? NF_COUNTED_request_success
                     : complete   ? NF_COUNTED_request_failure
                                  : NF_COUNTED_request_dropped,
                     1);
    nf_access_log_write(server->access_log, r, status);
    nf_connection_enter(&server->connections, r->peer, NF_PHASE_HEAD, 0);
    nf_request_unref(r);
}

static void address_of(const struct sockaddr *from, char *out, socklen_t size) {
    out[0] = '\0';
    if (from && from->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)from)->sin_addr, out, size);
    if (from && from->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, out,
                  size);
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code) {
    nf_server *server = user;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*context) nf_connections_remove(&server->connections, *context);
        *context = NULL;
        return;
    }
    char address[48];
    const union MHD_ConnectionInfo *fd =
        server->mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int number = fd ? fd->connect_fd : -1;
    const union MHD_ConnectionInfo *from =
        server->mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    address_of(from ? from->client_addr : NULL, address, sizeof address);
    *context = nf_connections_add(&server->connections, number, address);
}

/* What libmicrohttpd has to say of broken requests is of no use to anybody. */
static void on_message(void *user, const char *format, va_list arguments) {
    (void)user;
    (void)format;
    (void)arguments;
}

nerfit_status nf_http_start(nf_server *server, int fd, nerfit_error *err) {
    enum { MEMORY_A_CONNECTION = 32 << 10, IDLE_SECONDS = 60 };
    server->daemon = server->mhd.start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL, MHD_OPTION_LISTEN_SOCKET,
        (MHD_socket)fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)MEMORY_A_CONNECTION, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)server->options.max_connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (server->daemon) return NERFIT_OK;
    close(fd);
    return nf_fail(err, NERFIT_IO, "libmicrohttpd cannot be started");
}

void nf_http_quiesce(nf_server *server) {
    MHD_socket fd = server->mhd.quiesce_daemon(server->daemon);
    if (fd != MHD_INVALID_SOCKET) close(fd);
}

void nf_http_stop(nf_server *server) {
    if (server->daemon) server->mhd.stop_daemon(server->daemon);
    server->daemon = NULL;
}
