#include "serve/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "serve/connections.h"
#include "serve/request.h"

enum { MOST_WAITING = 1 << 20 }; /* bytes */

struct nf_access_log {
    int fd;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    nf_str waiting;
    bool end;
    nf_metrics *metrics;
};

static void *work(void *user) {
    nf_access_log *log = user;
    nf_str taken = {0};
    pthread_mutex_lock(&log->mutex);
    for (;;) {
        while (!log->waiting.length && !log->end) pthread_cond_wait(&log->changed, &log->mutex);
        if (!log->waiting.length) break;
        nf_str spare = taken;
        taken = log->waiting;
        log->waiting = spare;
        nf_str_clear(&log->waiting);
        pthread_mutex_unlock(&log->mutex);
        /* a failure: nobody reads it any more */
        (void)nf_write_all(log->fd, taken.data, taken.length);
        pthread_mutex_lock(&log->mutex);
    }
    pthread_mutex_unlock(&log->mutex);
    nf_str_free(&taken);
    return NULL;
}

nerfit_status nf_access_log_open(nf_access_log **out, const char *path, nf_metrics *metrics,
                                 nerfit_error *err) {
    *out = NULL;
    if (!path) return NERFIT_OK;
    nf_access_log *log = calloc(1, sizeof *log);
    if (!log) return nf_no_memory(err, sizeof *log);
    log->metrics = metrics;
    log->fd = strcmp(path, "-") == 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                                     : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    pthread_mutex_init(&log->mutex, NULL);
    pthread_cond_init(&log->changed, NULL);
    if (log->fd < 0 || pthread_create(&log->thread, NULL, work, log) != 0) {
        nerfit_status status =
            nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be written: %s", strerror(errno));
        if (log->fd >= 0) close(log->fd);
        free(log);
        return status;
    }
    *out = log;
    return NERFIT_OK;
}

static void append_text(nf_str *out, const char *name, const char *text) {
    if (!text) return;
    nf_str_appendf(out, ", \"%s\": ", name);
    nf_str_append_json(out, text, strlen(text));
}

static void append_line(nf_str *out, const nf_request *r, int status) {
    struct timespec now;
    struct tm utc;
    char date[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    nf_str_appendf(out, "{\"time\": \"%s.%03ldZ\", \"status\": %d", date, now.tv_nsec / 1000000,
                   status);
    append_text(out, "remote", r->peer ? r->peer->address : NULL);
    append_text(out, "method", r->method);
    /* of what is no route a client may have put a text into the path */
    append_text(out, "path", r->route ? r->route->path : NULL);
    append_text(out, "model", r->route ? r->model : NULL);
    nf_str_appendf(out, ", \"bytes_in\": %zu, \"texts\": %zu, \"tokens\": %zu", r->n_received,
                   r->cost.texts, r->cost.tokens);
    nf_str_appendf(out, ", \"total_ms\": %.3f, \"queue_ms\": %.3f, \"compute_ms\": %.3f}\n",
                   1e3 * (nf_clock_now() - r->began), 1e3 * r->cost.queue, 1e3 * r->cost.compute);
}

void nf_access_log_write(nf_access_log *log, const nf_request *r, int status) {
    if (!log) return;
    pthread_mutex_lock(&log->mutex);
    size_t before = log->waiting.length;
    if (before < MOST_WAITING) append_line(&log->waiting, r, status);
    if (before >= MOST_WAITING || log->waiting.failed) {
        nf_metrics_count(log->metrics, NF_COUNTED_access_log_lost, 1);
        log->waiting.failed = false;
        log->waiting.length = before;
    }
    pthread_cond_signal(&log->changed);
    pthread_mutex_unlock(&log->mutex);
}

void nf_access_log_close(nf_access_log *log) {
    if (!log) return;
    pthread_mutex_lock(&log->mutex);
    log->end = true;
    pthread_cond_signal(&log->changed);
    pthread_mutex_unlock(&log->mutex);
    pthread_join(log->thread, NULL);
    close(log->fd);
    nf_str_free(&log->waiting);
    pthread_mutex_destroy(&log->mutex);
    pthread_cond_destroy(&log->changed);
    free(log);
}
