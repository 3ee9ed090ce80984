/* Whole trainings of GLiNER models: the recipe that a folder calls for, what is saved, resuming, and what is
 * refused. The arithmetic is test_gliner_training's. */
#include "tiny_run.h"

#include "base/str.h"
#include "model/gliner.h"
#include "tensor/backends.h"

static nerfit_error error;
static nf_str told;

static void on_log(void *user, nerfit_log_level level, const char *message) {
    (void)user;
    (void)level;
    nf_str_appendf(&told, "%s\n", message);
}

static const char TEXTS[] =
    "[person : Alice Johnson] works at [organization : Acme-Corp] in [city : New York] .\n"
    "the cat and [person : Emil] lived in [city : Zürich] in [date : May]\n"
    "the ship left in [date : June] and came to [city : the city]\n"
    "[person : Bob] met [person : Alice] in [city : New York]\n"
    "the cat left\n";

static const char *const settings[] = {"max_steps", "6",         "threads", "1", "learning_rate",
                                       "1e-3",      "precision", "f32",     NULL};

/* Trains a golden model; the status. */
static nerfit_status train(const char *name, const char *output, const char *const *extra) {
    char model[200];
    snprintf(model, sizeof model, "tests/golden/gliner/%s", name);
    const char *const own[] = {"model_name",
                               model,
                               "train_annotations",
                               in_root("train.txt"),
                               "val_annotations",
                               in_root("train.txt"),
                               "output_dir",
                               in_root(output),
                               NULL};
    nerfit_config *config = config_of(settings, own);
    set_all(config, extra);
    nerfit_callbacks callbacks = {.size = sizeof callbacks, .log = on_log};
    nf_str_free(&told);
    return run_config(nerfit_train, config, &callbacks, &error);
}

/* Kinds of models, in full and by adapters; what comes out is a GLiNER folder with its labels. */
static void test_kinds(void **state) {
    (void)state;
    static const char *const lora[] = {
        "peft_lora", "true", "loss_reduction", "mean", "masking", "span", "negatives", "0.5", NULL};
    static const struct {
        const char *name;
        const char *const *extra;
    } kinds[] = {{"markerv0", NULL},      {"token-spans", lora}, {"bi", NULL},
                 {"deberta-fused", lora}, {"bi-token", lora},    {"marker", NULL}};
    for (size_t i = 0; i < NF_COUNT(kinds); i++) {
        char path[300];
        nf_model *model;
        nf_backend *be;
        if (train(kinds[i].name, kinds[i].name, kinds[i].extra) != NERFIT_OK)
            fail_msg("%s: %s", kinds[i].name, error.text);
        snprintf(path, sizeof path, "%s/best", in_root(kinds[i].name));
        assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
        assert_ok(nf_model_load(&model, path, be, NULL, &error), &error);
        assert_int_equal(model->gliner->n_labels, 4);
        assert_string_equal(model->gliner->names[0], "person");
        assert_non_null(model->gliner->thresholds);
        nf_model_free(model);
        be->free(be);
        assert_non_null(strstr(told.data, "recipe gliner"));
    }
}

/* The same bits, resumed after a stop or not. */
static void test_resume(void **state) {
    (void)state;
    static const char *const saves[] = {"save_strategy", "steps", "save_steps", "3",
                                        "eval_steps",    "3",     NULL};
    static const char *const resumes[] = {
        "save_strategy",          "steps", "save_steps", "3", "eval_steps", "3",
        "resume_from_checkpoint", NULL,    NULL};
    const char *again[9];
    char checkpoint[200];
    assert_ok(train("markerv0", "whole", saves), &error);
    snprintf(checkpoint, sizeof checkpoint, "%s/stage2/checkpoint-3", in_root("whole"));
    if (!nf_directory_exists(checkpoint)) skip(); /* the last one alone is kept */
    memcpy(again, resumes, sizeof again);
    again[7] = checkpoint;
    again[8] = NULL;
    assert_ok(train("markerv0", "resumed", again), &error);
    assert_same_file(in_root("whole/best/model.safetensors"),
                     in_root("resumed/best/model.safetensors"));
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *name, *key, *value, *expected;
    } cases[] = {
        {"markerv0", "recipe", "nerfit", "is a GLiNER model, which the recipe gliner trains"},
        {"relations", "max_steps", "1", "\"relations_layer\": models of relations are not trained"},
        {"precomputed", "max_steps", "1", "a model whose labels are in its weights is not trained"},
        {"markerv0", "ent2emb", "tests/golden/gliner/markerv0/model.safetensors",
         "the recipe gliner reads labels as texts"},
        {"markerv0", "masking", "words", "none|global|label|span"},
    };
    for (size_t i = 0; i < NF_COUNT(cases); i++) {
        const char *const extra[] = {cases[i].key, cases[i].value, NULL};
        if (i + 1 == NF_COUNT(cases)) { /* an option's own error */
            nerfit_config *config;
            assert_ok(nerfit_config_new(&config, &error), &error);
            assert_int_equal(nerfit_config_set(config, extra[0], extra[1], &error),
                             NERFIT_ARGUMENT);
            nerfit_config_free(config);
            continue;
        }
        assert_int_not_equal(train(cases[i].name, "refused", extra), NERFIT_OK);
        if (!strstr(error.text, cases[i].expected))
            fail_msg("%s, %s: %s", cases[i].name, cases[i].key, error.text);
    }
}

static int set_up(void **state) {
    (void)state;
    temporary_folder(root);
    write_text(in_root("train.txt"), TEXTS);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds), cmocka_unit_test(test_resume),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, set_up, remove_root);
}
