/* What a model that is only used keeps of relative positions gives what every pass makes anew: texts that
 * need longer and longer tables, several threads at a time, missing memory. */
#include "oom.h"

#include <math.h>
#include <pthread.h>

#include "model/model.h"
#include "nn/batch.h"
#include "tensor/backends.h"

enum { SERIES = 6, LONGEST = 100, C = 16, THREADS = 3 };
static const size_t lengths[SERIES][2] = {{3, 1}, {40, 5}, {30, 2}, {100, 1}, {7, 64}, {65, 3}};
static const char *const folders[] = {"tests/golden/deberta-v2", "tests/golden/deberta-v3"};

static nf_backend *be;
static nf_model *model;
static int32_t ids[LONGEST];
static float expected[SERIES][2 * LONGEST * C];

/* The last hidden state of two texts. */
static nerfit_status hidden_of(nf_backend *own, size_t i, float *out, nerfit_error *err) {
    const nf_tokens texts[2] = {{.ids = ids, .length = lengths[i][0]},
                                {.ids = ids + 9, .length = lengths[i][1]}};
    nf_pass pass = {.be = own};
    size_t count = (lengths[i][0] + lengths[i][1]) * C;
    NF_TRY(nf_workspace_new(&pass.ws, own, err));
    nerfit_status status = nf_batch_load(&pass, &model->encoder, texts, 2, err);
    nf_values *y = status == NERFIT_OK ? nf_workspace_reals(pass.ws, count) : NULL;
    if (status == NERFIT_OK &&
        (!y || nf_encoder_forward(&model->encoder, &pass, y, NULL, NULL) != NERFIT_OK))
        status = nf_pass_failed(&pass, err);
    if (status == NERFIT_OK) status = nf_backend_check(own, err);
    if (status == NERFIT_OK) own->to_f32(own, out, y, count);
    nf_workspace_free(pass.ws);
    return status;
}

static void load(const char *folder) {
    nerfit_error error;
    for (int32_t i = 0; i < LONGEST; i++) ids[i] = 5 + i * 37 % 90;
    assert_ok(nf_model_load(&model, folder, be, NULL, &error), &error);
    assert_int_equal(model->encoder.hidden, C);
    assert_ok(nf_network_prepare(&model->net, false, &error), &error);
    for (size_t i = 0; i < SERIES; i++) assert_ok(hidden_of(be, i, expected[i], &error), &error);
}

static bool same(const float *got, size_t i) {
    for (size_t k = 0; k < (lengths[i][0] + lengths[i][1]) * C; k++)
        if (!(fabsf(got[k] - expected[i][k]) < 1e-5f)) return false;
    return true;
}

static void *run_all(void *argument) {
    static const size_t turns[THREADS] = {1, 5, 2}; /* of the series: each thread another order */
    size_t turn = *(const size_t *)argument;
    float got[2 * LONGEST * C];
    nerfit_error error;
    nf_backend *own;
    if (be->fork_alone(be, &own, &error) != NERFIT_OK) return "fork";
    const char *problem = NULL;
    for (size_t k = 0; k < SERIES; k++) {
        size_t i = (k * turns[turn] + turn) % SERIES;
        if (hidden_of(own, i, got, &error) != NERFIT_OK || !same(got, i)) problem = "differs";
    }
    own->free(own);
    return (void *)(uintptr_t)problem;
}

static void check_kept(const char *folder) {
    nerfit_error error;
    float got[2 * LONGEST * C];
    load(folder);
    assert_ok(nf_encoder_keep_positions(&model->encoder, be, &error), &error);
    for (size_t k = 0; k < 2 * SERIES; k++) {
        assert_ok(hidden_of(be, k % SERIES, got, &error), &error);
        if (!same(got, k % SERIES)) fail_msg("%s: texts %zu", folder, k);
    }
    nf_encoder_forget_positions(&model->encoder);
    assert_ok(nf_encoder_keep_positions(&model->encoder, be, &error), &error);
    pthread_t threads[THREADS];
    size_t numbers[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, run_all, &numbers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *problem;
        pthread_join(threads[i], &problem);
        if (problem) fail_msg("%s, thread %zu: %s", folder, i, (const char *)problem);
    }
    nf_model_free(model);
}

static void test_kept(void **state) {
    (void)state;
    nerfit_error error;
    for (size_t i = 0; i < 4; i++) {
        if (i % 2)
            assert_ok(nf_backend_cpu(&be, NF_PRECISION_F32, 1, &error), &error);
        else
            assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
        check_kept(folders[i / 2]);
        be->free(be);
    }
}

static nerfit_status keep_and_run(nerfit_error *err) {
    float got[2 * LONGEST * C];
    nerfit_status status = nf_encoder_keep_positions(&model->encoder, be, err);
    for (size_t i = 0; i < 2 && status == NERFIT_OK; i++) status = hidden_of(be, i, got, err);
    nf_encoder_forget_positions(&model->encoder);
    return status;
}

static void test_without_memory(void **state) {
    (void)state;
    nerfit_error error;
    assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
    load(folders[1]);
    assert_true(oom_try_all("positions", keep_and_run, OOM_IS_SAID) > 5);
    nf_model_free(model);
    be->free(be);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kept),
                                       cmocka_unit_test(test_without_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
