/* Everything is guarded by the request's mutex; lines are a list in the order they came. Who tags the
 * first of them, or makes room, wakes the connection that sleeps for it. */
#include "serve/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/error.h"
#include "base/number.h"
#include "serve/calls.h"
#include "serve/server.h"

enum { MOST_OPEN = 256, BLOCK = 64 << 10 };

typedef struct line {
    struct line *next;
    nf_job job;
    nf_asked asked;
    json_t *source; /* has the text */
    nf_str out;
    size_t held; /* bytes that count against memory_limit: of the line, then of its result */
    bool ready;
} line;

struct nf_stream_run {
    nf_request *request;
    nf_asked asked; /* of lines that say nothing else */
    nf_str partial;
    size_t n_bytes, number; /* taken; of the last line */
    line *first, *last;
    size_t n_open, n_lines; /* not ready; in all */
    bool ended;             /* no more lines come */
    bool reading, writing;  /* the connection sleeps for room, for a line */
    z_stream *deflate;
    bool flushed; /* the end of the compressed reply is out */
    double queue, compute;
};

/* ---------------------------------------------------------------- waking */

static void wake(nf_stream_run *s) {
    nf_request *r = s->request;
    bool room = s->reading && s->n_open <= MOST_OPEN / 2;
    bool result = s->writing && s->first && s->first->ready;
    if (!r->suspended || (!room && !result && !r->gone)) return;
    s->reading = s->writing = r->suspended = false;
    nf_connection_enter(&r->server->connections, r->peer, room ? NF_PHASE_BODY : NF_PHASE_REPLY, 0);
    r->server->mhd.resume_connection(r->connection);
}

/* The mutex is held. */
static void sleep_for(nf_stream_run *s, bool *what) {
    nf_request *r = s->request;
    *what = r->suspended = true;
    nf_connection_enter(&r->server->connections, r->peer, NF_PHASE_WORK, 0);
    r->server->mhd.suspend_connection(r->connection);
}

/* ---------------------------------------------------------------- lines */

static void line_hold(nf_request *r, line *l, size_t size) {
    nf_request_hold(r, (ptrdiff_t)size - (ptrdiff_t)l->held);
    l->held = size;
}

static void line_ready(nf_stream_run *s, line *l) {
    nf_request *r = s->request;
    nf_str_append_char(&l->out, '\n');
    json_decref(l->source);
    l->source = NULL;
    pthread_mutex_lock(&r->mutex);
    line_hold(r, l, l->out.length);
    l->ready = true;
    s->n_open--;
    wake(s);
    pthread_mutex_unlock(&r->mutex);
}

static void append_id(line *l) {
    json_t *id = json_object_get(l->source, "id");
    char *text = id ? nf_json_text(id, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    nf_str_append_char(&l->out, '{');
    if (text) nf_str_appendf(&l->out, "\"id\": %s, ", text);
    free(text);
}

static void line_failed(line *l, nf_failure failure, const char *message) {
    nf_str error = {0};
    nf_str_clear(&l->out);
    append_id(l);
    nf_failure_append(&error, failure, message);
    nf_str_append_text(&l->out, nf_str_text(&error) + 1); /* less its brace */
    nf_str_free(&error);
}

/* The mutex is held. */
static void add_cost(nf_stream_run *s, const nf_job_result *result) {
    nf_request_cost *cost = &s->request->cost;
    cost->texts++;
    cost->tokens += result->prediction ? result->prediction->n_tokens : 0;
    s->queue += result->queue;
    s->compute += result->compute;
    cost->queue = s->queue / (double)cost->texts;
    cost->compute = s->compute / (double)cost->texts;
}

static void job_done(nf_job *job, const nf_job_result *result) {
    line *l = job->user;
    nf_stream_run *s = job->request->stream;
    if (result->failure == NF_FAILURE_NONE) {
        append_id(l);
        nf_str_append_text(&l->out, "\"entities\": ");
        nf_entities_append(&l->out, job->text, result->prediction, NULL, l->asked.unit);
        nf_str_append_char(&l->out, '}');
    } else {
        line_failed(l, result->failure, result->message);
    }
    pthread_mutex_lock(&job->request->mutex);
    if (!job->request->gone) add_cost(s, result); /* else it has been logged */
    pthread_mutex_unlock(&job->request->mutex);
    line_ready(s, l);
}

/* The text of a line, which is one or an object with "inputs" or "text"; NULL: *error. */
static const json_t *line_text(line *l, nf_stream_run *s, nerfit_error *error) {
    const json_t *text = l->source;
    l->asked = s->asked;
    if (json_is_string(text)) {
        nf_call_ref(l->asked.call);
        return text;
    }
    l->asked.call = NULL;
    if (!(text = json_object_get(l->source, "inputs"))) text = json_object_get(l->source, "text");
    if (!json_is_string(text)) {
        nf_fail(error, NERFIT_ARGUMENT,
                "line %zu: expected a text, or an object with one: {\"inputs\": ...}", s->number);
        return NULL;
    }
    if (nf_asked_read(&l->asked, s->request, l->source, &s->asked, error)) return text;
    nf_fail_within(error, error->code, "line %zu", s->number);
    return NULL;
}

static bool add_line(nf_stream_run *s, const char *text, size_t size) {
    nf_request *r = s->request;
    nerfit_error error;
    s->number++;
    while (size && nf_ascii_is_space(text[size - 1])) size--;
    if (!size) return true;
    line *l = calloc(1, sizeof *l);
    if (!l) return false;
    const json_t *inputs = NULL;
    if (nf_json_parse(&l->source, text, size, "the request", (long)s->number, &error) == NERFIT_OK)
        inputs = line_text(l, s, &error);
    pthread_mutex_lock(&r->mutex);
    line_hold(r, l, size);
    if (s->last)
        s->last->next = l;
    else
        s->first = l;
    s->last = l;
    s->n_open++;
    s->n_lines++;
    pthread_mutex_unlock(&r->mutex);
    l->job = (nf_job){.request = r,
                      .call = l->asked.call,
                      .text = inputs ? json_string_value(inputs) : NULL,
                      .size = inputs ? json_string_length(inputs) : 0,
                      .index = s->number,
                      .done = job_done,
                      .user = l};
    if (inputs && nf_queue_put(r->server->queue, &l->job, 1)) return true;
    if (inputs)
        line_failed(l, NF_FAILURE_UNHEALTHY, "the service ends");
    else
        line_failed(l, error.code == NERFIT_FORMAT ? NF_FAILURE_REQUEST : nf_failure_of(error.code),
                    error.text);
    line_ready(s, l);
    return true;
}

static void free_line(line *l) {
    nf_call_unref(l->asked.call);
    json_decref(l->source);
    nf_str_free(&l->out);
    free(l);
}

/* ---------------------------------------------------------------- the body */

bool nf_stream_wanted(const nf_request *r) {
    static const char *const types[] = {"application/x-ndjson", "application/jsonl",
                                        "application/x-jsonlines", "application/ndjson"};
    const char *type = nf_request_header(r, "Content-Type");
    if (!type || !r->route || strcmp(r->route->path, "/predict") != 0) return false;
    for (size_t i = 0; i < NF_COUNT(types); i++)
        if (nf_ascii_same_n(type, types[i], strlen(types[i]))) return true;
    return false;
}

bool nf_stream_begin(nf_request *r) {
    nerfit_error error;
    nf_asked asked;
    if (!nf_asked_of_query(&asked, r, &error)) {
        nf_request_fail_as(r, &error);
        return false;
    }
    nf_stream_run *s = r->stream = calloc(1, sizeof *s);
    if (!s) {
        nf_call_unref(asked.call);
        nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
        return false;
    }
    s->request = r;
    s->asked = asked;
    return true;
}

static bool no_room(nf_request *r, const char *what) {
    nf_request_fail(r, NF_FAILURE_OVERLOADED, "Model is overloaded: %s", what);
    return false;
}

bool nf_stream_take(nf_request *r, const char *data, size_t size) {
    nf_stream_run *s = r->stream;
    size_t limit = r->server->options.stream_limit;
    if (size > limit - s->n_bytes) {
        nf_request_fail(r, NF_FAILURE_TOO_LARGE, "the body has more than %zu bytes", limit);
        return false;
    }
    s->n_bytes += size;
    if (atomic_load(&r->server->held) + size > r->server->options.memory_limit)
        return no_room(r, "bodies and replies hold all of memory_limit");
    while (size) {
        const char *end = memchr(data, '\n', size);
        size_t part = end ? (size_t)(end - data) : size;
        bool whole = end && !s->partial.length; /* needs no copy */
        if (!whole && !nf_str_append(&s->partial, data, part)) return no_room(r, "out of memory");
        if (end && !add_line(s, whole ? data : s->partial.data, whole ? part : s->partial.length))
            return no_room(r, "out of memory");
        if (end) nf_str_clear(&s->partial);
        data += part + (end != NULL);
        size -= part + (end != NULL);
    }
    return true;
}

bool nf_stream_is_full(nf_request *r) {
    pthread_mutex_lock(&r->mutex);
    bool full = r->stream->n_open >= MOST_OPEN;
    pthread_mutex_unlock(&r->mutex);
    return full;
}

void nf_stream_wait_for_room(nf_request *r) {
    pthread_mutex_lock(&r->mutex);
    if (r->stream->n_open >= MOST_OPEN) sleep_for(r->stream, &r->stream->reading);
    pthread_mutex_unlock(&r->mutex);
}

void nf_stream_end(nf_request *r) {
    nf_stream_run *s = r->stream;
    if (s->partial.length && !add_line(s, s->partial.data, s->partial.length))
        no_room(r, "out of memory");
    pthread_mutex_lock(&r->mutex);
    s->ended = true;
    pthread_mutex_unlock(&r->mutex);
}

/* ---------------------------------------------------------------- the reply */

/* Ready lines, less those that are sent, into `out`; whether they are the last. */
static bool take_ready(nf_stream_run *s, nf_str *out) {
    nf_request *r = s->request;
    while (s->first && s->first->ready && out->length < BLOCK) {
        line *l = s->first;
        s->first = l->next;
        if (!s->first) s->last = NULL;
        nf_str_append(out, nf_str_text(&l->out), l->out.length);
        if (l->out.failed) out->failed = true;
        line_hold(r, l, 0);
        free_line(l);
    }
    return !s->first && s->ended;
}

/* What is left to be sent of `partial`, which has the reply's bytes now. */
static ptrdiff_t hand_over(nf_stream_run *s, char *buffer, size_t most) {
    size_t n = s->partial.length < most ? s->partial.length : most;
    memcpy(buffer, nf_str_text(&s->partial), n);
    memmove(s->partial.data, s->partial.data + n, s->partial.length - n);
    s->partial.length -= n;
    return (ptrdiff_t)n;
}

/* Compresses `plain` behind what is in `partial`. */
static bool pack(nf_stream_run *s, nf_str *plain, bool last) {
    z_stream *z = s->deflate;
    z->next_in = (Bytef *)plain->data;
    z->avail_in = (uInt)plain->length;
    do {
        if (!nf_str_reserve(&s->partial, s->partial.length + BLOCK)) return false;
        z->next_out = (Bytef *)s->partial.data + s->partial.length;
        z->avail_out = BLOCK;
        if (deflate(z, last ? Z_FINISH : Z_SYNC_FLUSH) == Z_STREAM_ERROR) return false;
        s->partial.length += BLOCK - z->avail_out;
    } while (z->avail_out == 0);
    s->flushed = last;
    return true;
}

/* libmicrohttpd asks for the next bytes of the reply. */
static ssize_t on_read(void *user, uint64_t at, char *buffer, size_t most) {
    nf_request *r = user;
    nf_stream_run *s = r->stream;
    nf_str plain = {0};
    (void)at;
    ssize_t n = 0;
    pthread_mutex_lock(&r->mutex);
    bool last = !s->first && s->ended, done = !r->gone;
    if (done && !s->partial.length && !(s->deflate ? s->flushed : last)) {
        last = take_ready(s, s->deflate ? &plain : &s->partial);
        if (s->deflate && (plain.length || last)) done = pack(s, &plain, last);
        done = done && !plain.failed && !s->partial.failed;
    }
    if (!done)
        n = MHD_CONTENT_READER_END_WITH_ERROR;
    else if (s->partial.length)
        n = hand_over(s, buffer, most);
    else if (last)
        n = MHD_CONTENT_READER_END_OF_STREAM;
    else
        sleep_for(s, &s->writing);
    if (n > 0) nf_connection_moved(&r->server->connections, r->peer, (size_t)n);
    pthread_mutex_unlock(&r->mutex);
    nf_str_free(&plain);
    return n;
}

static void begin_packing(nf_stream_run *s) {
    enum { GZIP_WINDOW = 15 + 16, LEVEL = 1 };
    if (!(s->deflate = calloc(1, sizeof *s->deflate))) return;
    if (deflateInit2(s->deflate, LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK) {
        s->request->reply.packed = true;
        return;
    }
    free(s->deflate);
    s->deflate = NULL;
}

struct MHD_Response *nf_stream_response(nf_request *r) {
    nf_stream_run *s = r->stream;
    nf_str_free(&s->partial);
    if (r->accepts_gzip) begin_packing(s);
    r->reply.content_type = "application/x-ndjson";
    return r->server->mhd.create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, on_read, r, NULL);
}

void nf_stream_free(nf_stream_run *s) {
    if (!s) return;
    while (s->first) {
        line *l = s->first;
        s->first = l->next;
        free_line(l);
    }
    if (s->deflate) deflateEnd(s->deflate);
    free(s->deflate);
    nf_str_free(&s->partial);
    nf_call_unref(s->asked.call);
    free(s);
}
