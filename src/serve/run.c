/* The service's life: load, listen, look after it four times a second, drain, end. */
#include "serve/server.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/number.h"
#include "serve/access_log.h"
#include "serve/aside.h"
#include "serve/http.h"
#include "serve/project/work.h"
#include "serve/queue.h"

static const double REFRESH_SECONDS = 1.0;
enum { SWEEP_MS = 100, BACKLOG = 1024, SPARE_FILES = 64 };

/* ---------------------------------------------------------------- listening */

static nerfit_status listen_on(const struct addrinfo *at, int *fd) {
    int on = 1;
    *fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (*fd < 0) return NERFIT_IO;
    setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(*fd, at->ai_addr, at->ai_addrlen) == 0 && listen(*fd, BACKLOG) == 0) return NERFIT_OK;
    int reason = errno;
    close(*fd);
    errno = reason;
    return NERFIT_IO;
}

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *v6 = (const void *)address;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static int port_of(int fd) {
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0) return 0;
    return ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                             : ((struct sockaddr_in *)&bound)->sin_port);
}

static nerfit_status open_socket(nf_server *server, int *fd, nerfit_error *err) {
    const char *host = server->options.host;
    char port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    nf_print(port, sizeof port, "%d", server->options.port);
    int status = getaddrinfo(host, port, &hints, &found);
    if (status != 0)
        return nf_fail(err, NERFIT_ARGUMENT, "--host %s: %s", host, gai_strerror(status));
    nerfit_status opened = listen_on(found, fd);
    if (opened == NERFIT_OK) {
        server->loopback = is_loopback(found->ai_addr);
        server->port = port_of(*fd);
    } else {
        nf_fail(err, NERFIT_IO, "cannot listen on %s, port %d: %s", host, server->options.port,
                strerror(errno));
    }
    freeaddrinfo(found);
    return opened;
}

/* Every connection needs a descriptor. */
static void raise_limits(nf_serve_options *o) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    size_t most = limit.rlim_cur > 2 * SPARE_FILES ? limit.rlim_cur - SPARE_FILES : SPARE_FILES;
    if (o->max_connections > most) o->max_connections = most;
}

/* ---------------------------------------------------------------- signals, time */

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

/* They are waited for by the main thread alone; threads that begin from here on inherit that. */
static sigset_t block_signals(sigset_t *before) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < NF_COUNT(signals); i++) sigaddset(&set, signals[i]);
    pthread_sigmask(SIG_BLOCK, &set, before);
    return set;
}

/* A signal, or 0 after a moment. */
static int wait_for_signal(const sigset_t *set) {
    const struct timespec moment = {.tv_nsec = SWEEP_MS * 1000000L};
    int number = sigtimedwait(set, NULL, &moment);
    return number > 0 ? number : 0;
}

static void sweep(nf_server *server) {
    nf_queue_sweep(server->queue);
    nf_connections_sweep(&server->connections);
}

typedef struct refresher {
    nf_server *server;
    pthread_t thread;
    atomic_bool busy, all;
    bool started;
} refresher;

static void *refresh(void *user) {
    refresher *r = user;
    nf_models_refresh(&r->server->models, atomic_exchange(&r->all, false));
    atomic_store(&r->busy, false);
    return NULL;
}

/* Looks for new models, on a thread of its own: loading takes seconds. */
static void refresh_aside(refresher *r) {
    if (atomic_exchange(&r->busy, true)) return;
    if (r->started) pthread_join(r->thread, NULL);
    r->started = pthread_create(&r->thread, NULL, refresh, r) == 0;
    if (!r->started) atomic_store(&r->busy, false);
}

static int look_after(nf_server *server, const sigset_t *set) {
    refresher fresh = {.server = server};
    double next = nf_clock_now() + REFRESH_SECONDS;
    int number = 0;
    while (number != SIGTERM && number != SIGINT) {
        number = wait_for_signal(set);
        sweep(server);
        if (number == SIGHUP) atomic_store(&fresh.all, true);
        if (number != SIGHUP && nf_clock_now() < next) continue;
        refresh_aside(&fresh);
        next = nf_clock_now() + REFRESH_SECONDS;
    }
    if (fresh.started) pthread_join(fresh.thread, NULL);
    return number;
}

/* Lets requests end; a second signal, or drain_timeout, ends the wait. */
static void drain(nf_server *server, const sigset_t *set) {
    double end = nf_clock_now() + server->options.drain_timeout;
    atomic_store(&server->draining, true);
    nf_http_quiesce(server);
    while (atomic_load(&server->n_requests) && nf_clock_now() < end) {
        if (wait_for_signal(set)) break;
        sweep(server);
    }
}

/* ---------------------------------------------------------------- the whole */

static nerfit_status make_token(char *token, nerfit_error *err) {
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[NF_TOKEN_SIZE / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return nf_fail(err, NERFIT_IO, "no random numbers: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++) {
        token[2 * i] = digits[bytes[i] >> 4];
        token[2 * i + 1] = digits[bytes[i] & 15];
    }
    return NERFIT_OK;
}

static nerfit_status begin(nf_server *server, nerfit_error *err) {
    const nf_serve_options *o = &server->options;
    int fd = -1,
        workers = o->machine.threads > 0 ? o->machine.threads : (int)sysconf(_SC_NPROCESSORS_ONLN);
    NF_TRY(nf_mhd_open(&server->mhd, err));
    NF_TRY(make_token(server->token, err));
    if (o->project) NF_TRY(nf_project_open(&server->project, o->project, &server->log, err));
    NF_TRY(nf_models_load(&server->models, o, err));
    if (o->project) NF_TRY(nf_project_work(server->project, server, err));
    NF_TRY(nf_access_log_open(&server->access_log, o->access_log, &server->metrics, err));
    NF_TRY(nf_aside_new(&server->aside, err));
    NF_TRY(nf_queue_new(&server->queue, server, workers > 0 ? workers : 1, err));
    NF_TRY(open_socket(server, &fd, err));
    NF_TRY(nf_http_start(server, fd, err));
    bool v6 = strchr(o->host, ':') != NULL;
    nf_log_info(&server->log, "listening on http://%s%s%s:%d", v6 ? "[" : "", o->host,
                v6 ? "]" : "", server->port);
    if (!server->loopback && !o->key)
        nf_log_warning(&server->log,
                       "%s can be reached from other machines, and no key is asked for: set "
                       "NERFIT_API_KEY",
                       o->host);
    return NERFIT_OK;
}

/* libmicrohttpd closes connections whose reply has not gone out yet: those that were woken get a second. */
static void let_go_out(const nf_server *server) {
    const struct timespec nap = {0, 5000000};
    double end = nf_clock_now() + 1.0;
    while (atomic_load(&server->n_requests) && nf_clock_now() < end) nanosleep(&nap, NULL);
}

/* libmicrohttpd cannot end while a connection sleeps: who wakes them ends first. */
static void end(nf_server *server) {
    nf_queue_stop(server->queue);
    nf_aside_stop(server->aside);
    let_go_out(server);
    nf_http_stop(server);
    nf_queue_free(server->queue);
    nf_aside_free(server->aside);
    nf_access_log_close(server->access_log);
    nf_project_rest(server->project);
    nf_models_free(&server->models);
    nf_project_close(server->project);
    nf_connections_end(&server->connections);
}

nerfit_status nf_serve_run(const nf_serve_options *options, nerfit_error *err) {
    nf_server *server = calloc(1, sizeof *server);
    sigset_t before, set;
    if (!server) return nf_no_memory(err, sizeof *server);
    server->options = *options;
    server->log = (nf_log){options->log, options->log_user};
    server->began = nf_clock_now();
    raise_limits(&server->options);
    nf_connections_begin(&server->connections, server->options.max_connections,
                         options->client_timeout, &server->metrics);
    set = block_signals(&before);
    nerfit_status status = begin(server, err);
    if (status == NERFIT_OK) {
        look_after(server, &set);
        nf_log_info(&server->log, "ending: %zu requests are under way",
                    atomic_load(&server->n_requests));
        drain(server, &set);
    }
    end(server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(server);
    return status;
}
