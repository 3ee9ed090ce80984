/* Missing memory while a model is loaded and trained for a step, at every single allocation, with
 * the blocks that the architectures have among them. */
#include "oom.h"

#include "model/adapter.h"
#include "train/task.h"
#include "tensor/backends.h"

static nf_backend *be;
static const char *folder;
static nf_model *model;
static nf_task *task;

static const int32_t ids[] = {2, 17, 40, 8, 3, 2, 60, 61, 62, 63, 64, 9, 3};
static const int32_t labels[] = {-100, 1, 2, 0, -100, -100, 3, 4, 4, 0, 1, 0, -100};
static const nf_example texts[] = {{.ids = ids, .labels = labels, .length = 5},
                                   {.ids = ids + 5, .labels = labels + 5, .length = 8}};
static const nf_examples examples = {.items = (nf_example *)(uintptr_t)texts, .count = 2};

/* With a backend of its own, which begins without scratch. */
static nerfit_status step(nerfit_error *err) {
    const nf_example *batch[] = {&texts[0], &texts[1]};
    const nf_tokens tokens[] = {{.ids = ids, .length = 5}, {.ids = ids + 5, .length = 8}};
    nf_pass pass = {.keep = true, .training = true, .seed = 1, .step = 1};
    double loss;
    NF_TRY(be->fork(be, &pass.be, err));
    nerfit_status status = nf_workspace_new(&pass.ws, pass.be, err);
    if (status == NERFIT_OK) status = nf_batch_load(&pass, &model->encoder, tokens, 2, err);
    nf_head_batch whole = nf_task_batch_of(task, batch, 2, 1.0);
    if (status == NERFIT_OK) status = task->run(task, &pass, &whole, &loss, err);
    if (status == NERFIT_OK) status = nf_backend_check(pass.be, err);
    nf_workspace_free(pass.ws);
    pass.be->free(pass.be);
    return status;
}

/* jansson keeps its memory: without some, 2.14 reads another text, or stops in an assertion. */
static nerfit_status load(nerfit_error *err) {
    json_set_alloc_funcs(__real_malloc, __real_free);
    static const char *const names[] = {"O", "B-a", "I-a", "B-b", "I-b"};
    nf_model *loaded;
    NF_TRY(nf_model_load(&loaded, folder, be, NULL, err));
    nerfit_status status = nf_model_add_classifier(loaded, names, 5, 1, err);
    if (status == NERFIT_OK)
        model = loaded;
    else
        nf_model_free(loaded);
    return status;
}

static nerfit_status load_and_free(nerfit_error *err) {
    nerfit_status status = load(err);
    if (status == NERFIT_OK) nf_model_free(model);
    return status;
}

static void test_models(void **state) {
    (void)state;
    static const char *const folders[] = {"tests/golden/mpnet", "tests/golden/deberta-v3",
                                          "tests/golden/modernbert", "tests/golden/eurobert"};
    nerfit_error error;
    for (size_t i = 0; i < 2 * 4; i++) {
        folder = folders[i / 2];
        if (i % 2)
            assert_ok(nf_backend_cpu(&be, NF_PRECISION_F32, 1, &error), &error);
        else
            assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
        /* whether a file is there is found out with memory, and "no" is an answer */
        if (i % 2 == 0) assert_true(oom_try_all(folder, load_and_free, OOM_MAY_BE_SILENT) > 10);
        assert_ok(load(&error), &error);
        model->encoder.hidden_dropout = model->encoder.inner_dropout = 0.1;
        nf_model_train_encoder(model, true);
        assert_ok(nf_network_start_training(&model->net, &error), &error);
        assert_ok(nf_network_prepare(&model->net, true, &error), &error);
        assert_ok(nf_task_new(&task, model, NULL, &examples, NULL, 0.0, &error), &error);
        assert_true(oom_try_all(folder, step, OOM_IS_SAID) > 5);
        task->free(task);
        nf_model_free(model);
        be->free(be);
    }
}

/* What a pass had no memory for is said with its size, though blocks have no error record. */
static void *no_memory(nf_backend *backend, size_t bytes) {
    (void)backend;
    (void)bytes;
    return NULL;
}

static void test_how_much(void **state) {
    (void)state;
    nerfit_error error;
    nf_pass pass = {0};
    assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
    assert_ok(nf_workspace_new(&pass.ws, be, &error), &error);
    assert_ok(nf_workspace_check(pass.ws, &error), &error);
    be->memory_new = no_memory;
    assert_null(nf_workspace_reals(pass.ws, 1000000));
    assert_null(nf_workspace_reals(pass.ws, 5));
    assert_int_equal(nf_pass_failed(&pass, &error), NERFIT_NO_MEMORY);
    size_t bytes = 0;
    assert_int_equal(sscanf(error.text, "out of memory (asked for %zu bytes)", &bytes), 1);
    assert_in_range(bytes, 4000000, 4000256);
    nf_workspace_reset(pass.ws);
    assert_ok(nf_workspace_check(pass.ws, &error), &error);
    nf_workspace_free(pass.ws);
    be->free(be);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models),
                                       cmocka_unit_test(test_how_much)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
