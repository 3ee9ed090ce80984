/* Two threads, each with a session of its own over one shared model, get what one thread gets. */
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
        nerfit_model_options options = {.backend = backends[b], .precision = "f32", .threads = 1};
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sessions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
