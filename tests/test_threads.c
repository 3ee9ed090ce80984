/* Two threads, each with a session of its own over one shared model, get what one thread gets; and so
 * does a stream that several threads tag, in order, also where a text of it is wrong. */
#include "tiny_model.h"

#include <pthread.h>

enum { ROUNDS = 20 };
static const char *const texts[] = {"wake me up at nine", "play jazz in madrid now please",
                                    "call bob", "", "rome rome rome at ten"};
enum { N_TEXTS = sizeof texts / sizeof *texts };

typedef struct worker {
    const nerfit_model *model;
    int32_t labels[N_TEXTS][64];
    size_t counts[N_TEXTS];
    bool differed, failed;
} worker;

static bool run(worker *w, nerfit_session *session, bool first) {
    nerfit_error error;
    const nerfit_prediction *predictions;
    if (nerfit_predict(session, texts, NULL, N_TEXTS, &predictions, &error) != NERFIT_OK)
        return false;
    for (size_t i = 0; i < N_TEXTS; i++) {
        if (first) w->counts[i] = predictions[i].n_tokens;
        w->differed |= w->counts[i] != predictions[i].n_tokens;
        for (size_t t = 0; t < predictions[i].n_tokens && t < 64; t++) {
            int32_t score = (int32_t)(predictions[i].tokens[t].score * 1e6);
            if (first) w->labels[i][t] = score;
            w->differed |= w->labels[i][t] != score;
        }
    }
    return true;
}

static void *work(void *argument) {
    worker *w = argument;
    nerfit_error error;
    nerfit_session *session;
    w->failed = nerfit_session_new(&session, w->model, &error) != NERFIT_OK;
    for (int i = 0; i < ROUNDS && !w->failed; i++) w->failed = !run(w, session, i == 0);
    if (!w->failed) nerfit_session_free(session);
    return NULL;
}

static void test_sessions(void **state) {
    static const char *const backends[] = {"ref", "cpu"};
    (void)state;
    char root[64], folder[80];
    nerfit_error error;
    snprintf(folder, sizeof folder, "%s/model", temporary_folder(root));
    make_tiny_model(folder, true);
    for (size_t b = 0; b < 2; b++) {
        nerfit_model *model;
        /* one OpenMP thread each: the threads under test are the callers' */
        nerfit_model_options options = {
            .size = sizeof options, .backend = backends[b], .precision = "f32", .threads = 1};
        assert_ok(nerfit_model_load(&model, folder, &options, &error), &error);
        static worker workers[2];
        memset(workers, 0, sizeof workers);
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) {
            workers[i].model = model;
            assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
        }
        for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
        for (int i = 0; i < 2; i++) assert_false(workers[i].failed || workers[i].differed);
        assert_memory_equal(workers[0].labels, workers[1].labels, sizeof workers[0].labels);
        nerfit_model_free(model);
    }
    assert_ok(nf_directory_remove(root, &error), &error);
}

/* ---------------------------------------------------------------- streams */

/* More than three portions of 1024 texts, of 0 to 12 words. */
enum { LINES = 3300, BAD_LINE = 2500 };

typedef struct stream_state {
    char *in;
    size_t size, at;
    char *out;
    size_t out_size, out_capacity;
    pthread_t caller;
    size_t asked, most; /* times that go_on was called; when it says no, 0: never */
    bool elsewhere;     /* something was called on another thread */
} stream_state;

static ptrdiff_t read_some(void *user, char *buffer, size_t size) {
    stream_state *s = user;
    size_t n = s->size - s->at < size ? s->size - s->at : size;
    memcpy(buffer, s->in + s->at, n);
    s->at += n;
    s->elsewhere |= !pthread_equal(s->caller, pthread_self());
    return (ptrdiff_t)n;
}

static bool write_some(void *user, const char *data, size_t size) {
    stream_state *s = user;
    s->elsewhere |= !pthread_equal(s->caller, pthread_self());
    while (s->out_size + size > s->out_capacity) {
        s->out_capacity = 2 * s->out_capacity + 4096;
        s->out = realloc(s->out, s->out_capacity);
        assert_non_null(s->out);
    }
    memcpy(s->out + s->out_size, data, size);
    s->out_size += size;
    return true;
}

static bool may_go_on(void *user) {
    stream_state *s = user;
    s->elsewhere |= !pthread_equal(s->caller, pthread_self());
    return ++s->asked != s->most;
}

static void fill_stream(stream_state *s, bool bad) {
    *s = (stream_state){.in = calloc(LINES, 128), .caller = pthread_self()};
    assert_non_null(s->in);
    for (size_t i = 0; i < LINES; i++) {
        for (size_t w = 0; w < i * 7 % 13; w++) {
            strcat(s->in + s->size, tiny_words[(i + 3 * w) % 15]);
            strcat(s->in + s->size, " ");
        }
        if (bad && i + 1 == BAD_LINE) strcat(s->in + s->size, "\xFF");
        strcat(s->in + s->size, "\n");
        s->size += strlen(s->in + s->size);
    }
}

static nerfit_status tag_stream(const char *folder, int threads, const char *output,
                                stream_state *s, size_t *count, nerfit_error *error) {
    nerfit_model *model;
    nerfit_session *session;
    nerfit_model_options options = {.size = sizeof options, .precision = "f32", .threads = threads};
    nerfit_call_options call = NERFIT_CALL_OPTIONS_INIT;
    nerfit_stream stream = {sizeof stream, read_some, write_some, s,   "lines",
                            "text",        output,    NULL,       NULL};
    call.go_on = may_go_on;
    call.user = s;
    assert_ok(nerfit_model_load(&model, folder, &options, error), error);
    assert_ok(nerfit_session_new(&session, model, error), error);
    nerfit_status status = nerfit_predict_stream_with(session, &call, &stream, count, error);
    nerfit_session_free(session);
    nerfit_model_free(model);
    return status;
}

static void free_stream(stream_state *s) {
    assert_false(s->elsewhere);
    free(s->in);
    free(s->out);
}

static void test_streams(void **state) {
    (void)state;
    char root[64], folder[80];
    nerfit_error error;
    stream_state one, several;
    size_t count;
    snprintf(folder, sizeof folder, "%s/model", temporary_folder(root));
    make_tiny_model(folder, true);
    static const char *const outputs[] = {"jsonl", "tokens"};
    for (size_t i = 0; i < 2; i++) {
        fill_stream(&one, false);
        fill_stream(&several, false);
        assert_ok(tag_stream(folder, 1, outputs[i], &one, &count, &error), &error);
        assert_int_equal(count, LINES);
        assert_ok(tag_stream(folder, 4, outputs[i], &several, &count, &error), &error);
        assert_int_equal(count, LINES);
        assert_true(several.asked > 4);
        assert_int_equal(one.out_size, several.out_size);
        assert_memory_equal(one.out, several.out, one.out_size);
        free_stream(&one);
        free_stream(&several);
    }
    for (int threads = 1; threads <= 4; threads += 3) { /* what is whole before it is written */
        fill_stream(&several, true);
        assert_int_equal(tag_stream(folder, threads, "jsonl", &several, &count, &error),
                         NERFIT_FORMAT);
        assert_int_equal(error.line, BAD_LINE);
        assert_int_equal(count, 2048);
        size_t lines = 0;
        for (size_t i = 0; i < several.out_size; i++) lines += several.out[i] == '\n';
        assert_int_equal(lines, 2048);
        free_stream(&several);
        fill_stream(&several, false);
        several.most = 5;
        assert_int_equal(tag_stream(folder, threads, "jsonl", &several, &count, &error),
                         NERFIT_CANCELLED);
        assert_int_equal(several.asked, 5);
        assert_true(count < LINES);
        free_stream(&several);
    }
    assert_ok(nf_directory_remove(root, &error), &error);
}

/* Options of a call leave the session as it is. */
static void test_call_options(void **state) {
    (void)state;
    char root[64], folder[80];
    nerfit_error error;
    nerfit_model *model;
    nerfit_session *session;
    const nerfit_prediction *p;
    snprintf(folder, sizeof folder, "%s/model", temporary_folder(root));
    make_tiny_model(folder, true);
    nerfit_model_options options = {.size = sizeof options, .precision = "f32", .threads = 1};
    assert_ok(nerfit_model_load(&model, folder, &options, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    assert_ok(nerfit_predict(session, texts, NULL, N_TEXTS, &p, &error), &error);
    size_t all = 0, left = 0;
    for (size_t i = 0; i < N_TEXTS; i++) all += p[i].n_entities;
    assert_true(all > 0);
    const nerfit_threshold thresholds[] = {{NULL, 1.0}, {"b", 0.0}};
    nerfit_call_options call = NERFIT_CALL_OPTIONS_INIT;
    call.thresholds = thresholds;
    call.n_thresholds = 2;
    assert_ok(nerfit_predict_with(session, &call, texts, NULL, N_TEXTS, &p, &error), &error);
    for (size_t i = 0; i < N_TEXTS; i++)
        for (size_t k = 0; k < p[i].n_entities; k++, left++)
            assert_string_equal(p[i].entities[k].label, "b");
    assert_true(left < all);
    assert_ok(nerfit_predict(session, texts, NULL, N_TEXTS, &p, &error), &error);
    for (size_t i = 0; i < N_TEXTS; i++) all -= p[i].n_entities;
    assert_int_equal(all, 0);
    call.decoder = "crf"; /* the folder has no nerfit.json */
    assert_int_equal(nerfit_predict_with(session, &call, texts, NULL, N_TEXTS, &p, &error),
                     NERFIT_ARGUMENT);
    call.decoder = "viterbi";
    assert_ok(nerfit_predict_with(session, &call, texts, NULL, N_TEXTS, &p, &error), &error);
    call.size = offsetof(nerfit_call_options, thresholds); /* of a program that knew no more */
    assert_ok(nerfit_predict_with(session, &call, texts, NULL, N_TEXTS, &p, &error), &error);
    nerfit_session_free(session);
    nerfit_model_free(model);
    assert_ok(nf_directory_remove(root, &error), &error);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sessions),
                                       cmocka_unit_test(test_streams),
                                       cmocka_unit_test(test_call_options)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
