/* Models that share weights (nn/shared_weights.h): what is held once, when it goes, that the outputs are
 * those of models of their own, and that two threads may load at once. What PEFT computes for adapters
 * beside shared weights is in test_interchange.c. */
#include "tiny_model.h"

#include <math.h>
#include <pthread.h>

#include "model/adapter.h"
#include "model/gliner.h"
#include "tensor/backends.h"

static nerfit_error error;
static const char BASE[] = "tests/golden/bert/token-classification";
static const char ADAPTER[] = "tests/golden/bert/adapter-all-linear";

static nf_model *load(const char *folder, nf_shared_weights *shared) {
    nf_backend *be;
    nf_model *model;
    assert_ok(nf_shared_weights_backend(shared, &be, &error), &error);
    assert_ok(nf_model_load_from(&model, &(nf_model_source){.folder = folder, .share = shared}, be,
                                 NULL, &error),
              &error);
    assert_ok(nf_adapter_settle(model, &error), &error);
    assert_ok(nf_network_prepare(&model->net, false, &error), &error);
    return model;
}

static void unload(nf_model *model) {
    nf_backend *be = model->net.be;
    nf_model_free(model);
    be->free(be);
}

static nf_shared_weights *handle(nf_precision precision) {
    nf_backend *be;
    nf_shared_weights *shared;
    assert_ok(nf_backend_cpu(&be, precision, 1, &error), &error);
    assert_ok(nf_shared_weights_new(&shared, be, &error), &error);
    be->free(be);
    return shared;
}

static const nf_linear *linear_of(const nf_model *model, const char *name) {
    for (size_t i = 0; i < model->net.n_linears; i++)
        if (strcmp(model->net.linears[i]->name, name) == 0) return model->net.linears[i];
    fail_msg("no layer %s", name);
    return NULL;
}

static const char QUERY[] = "encoder.layer.1.attention.self.query";

static void test_held_once(void **state) {
    (void)state;
    nf_shared_weights *shared = handle(NF_PRECISION_F32);
    nf_model *a = load(BASE, shared), *b = load(BASE, shared);
    assert_ptr_equal(a->weights, b->weights);
    for (size_t i = 0; i < a->net.n_parameters; i++)
        assert_ptr_equal(a->net.parameters[i]->values, b->net.parameters[i]->values);
    for (size_t i = 0; i < a->net.n_linears; i++)
        assert_ptr_equal(a->net.linears[i]->packed, b->net.linears[i]->packed);
    /* an adapter of the same base: the weights under it are the base's, its head is its own */
    nf_model *first = load(ADAPTER, shared), *second = load(ADAPTER, shared);
    assert_non_null(linear_of(first, QUERY)->lora);
    assert_ptr_equal(linear_of(first, QUERY)->packed, linear_of(second, QUERY)->packed);
    assert_ptr_not_equal(linear_of(first, QUERY)->lora->a->values,
                         linear_of(second, QUERY)->lora->a->values);
    unload(first);
    unload(a); /* in any order */
    nf_shared_weights_drop(shared);
    assert_ptr_equal(b->net.source, b->weights);
    unload(second);
    unload(b);
}

/* What counts is what a file holds: a copy is shared, a file that was written anew under the name of one
 * that is open is not. */
static void test_which_file(void **state) {
    (void)state;
    char parent[64], folder[128], path[256];
    snprintf(folder, sizeof folder, "%s/m", temporary_folder(parent));
    make_tiny_model(folder, true);
    nf_shared_weights *shared = handle(NF_PRECISION_F32);
    nf_model *original = load(BASE, shared), *copy = load(folder, shared);
    assert_ptr_equal(original->weights, copy->weights);
    nf_parameter *p = nf_network_find(&copy->net, "classifier.bias");
    assert_ok(nf_parameter_constant(&copy->net, p, 3.0f, &error), &error);
    snprintf(path, sizeof path, "%s/other", parent);
    assert_ok(nf_directory_make(path, &error), &error);
    assert_ok(nf_model_save(copy, path, &error), &error);
    nf_model *other = load(path, shared);
    assert_ptr_not_equal(original->weights, other->weights);
    assert_ptr_not_equal(linear_of(original, QUERY)->packed, linear_of(other, QUERY)->packed);
    unload(original);
    unload(copy);
    unload(other);
    nf_shared_weights_drop(shared);
    nf_directory_remove(parent, NULL);
}

/* Tokenizers are shared by what their files hold, and live as long as one who holds them. */
static void test_tokenizers(void **state) {
    (void)state;
    char parent[64], folder[2][128], path[256];
    nf_shared_tokenizers *shared;
    nf_tokenizer *first, *copy, *other, *again;
    temporary_folder(parent);
    for (int i = 0; i < 2; i++) {
        snprintf(folder[i], sizeof folder[i], "%s/%d", parent, i);
        make_tiny_model(folder[i], true);
    }
    assert_ok(nf_shared_tokenizers_new(&shared, &error), &error);
    assert_ok(nf_shared_tokenizers_load(shared, &first, folder[0], &error), &error);
    assert_ok(nf_shared_tokenizers_load(shared, &copy, folder[1], &error), &error);
    assert_ptr_equal(first, copy);
    snprintf(path, sizeof path, "%s/tokenizer_config.json", folder[1]);
    write_text(path, "{\"do_lower_case\": false}");
    assert_ok(nf_shared_tokenizers_load(shared, &other, folder[1], &error), &error);
    assert_ptr_not_equal(first, other);
    nf_tokenizer_free(first);
    nf_tokenizer_free(other);
    assert_ok(nf_shared_tokenizers_load(shared, &again, folder[0], &error), &error);
    assert_ptr_equal(copy, again); /* one still held it */
    snprintf(path, sizeof path, "%s/none", parent);
    assert_int_equal(nf_shared_tokenizers_load(shared, &other, path, &error), NERFIT_IO);
    assert_null(other);
    nf_tokenizer_free(copy);
    nf_shared_tokenizers_free(shared);
    assert_int_equal(nf_tokenizer_vocabulary_size(again), 100); /* and holds it still */
    nf_tokenizer_free(again);
    nf_directory_remove(parent, NULL);
}

static nf_model *load_gliner(const char *folder, nf_shared_tokenizers *shared, nf_backend *be) {
    nf_model *model;
    const nf_model_source source = {.folder = folder, .tokenizers = shared};
    assert_ok(nf_model_load_from(&model, &source, be, NULL, &error), &error);
    return model;
}

/* GLiNER models share theirs, too, the labels' included; not where tokens are added to it. */
static void test_gliner_tokenizers(void **state) {
    (void)state;
    static const char SPANS[] = "tests/golden/gliner/deberta", BI[] = "tests/golden/gliner/bi";
    static const char *const files[] = {"gliner_config.json", "model.safetensors", "tokenizer.json",
                                        "tokenizer_config.json"};
    char folder[64], from[256], path[256];
    nf_backend *be;
    nf_shared_tokenizers *shared;
    temporary_folder(folder);
    for (size_t i = 0; i < NF_COUNT(files); i++) {
        snprintf(from, sizeof from, "%s/%s", SPANS, files[i]);
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        copy_file(from, path);
    }
    snprintf(path, sizeof path, "%s/gliner_config.json", folder);
    change_json(path, "class_token_index", "-1");
    assert_ok(nf_backend_cpu(&be, NF_PRECISION_F32, 1, &error), &error);
    assert_ok(nf_shared_tokenizers_new(&shared, &error), &error);
    nf_model *a = load_gliner(SPANS, shared, be), *b = load_gliner(SPANS, shared, be),
             *adds = load_gliner(folder, shared, be), *c = load_gliner(BI, shared, be),
             *d = load_gliner(BI, shared, be);
    assert_ptr_equal(a->tokenizer, b->tokenizer);
    assert_ptr_not_equal(a->tokenizer, adds->tokenizer);
    assert_ptr_equal(c->tokenizer, d->tokenizer);
    assert_ptr_equal(c->gliner->labels_tokenizer, d->gliner->labels_tokenizer);
    nf_model *const all[] = {a, b, adds, c, d};
    for (size_t i = 0; i < NF_COUNT(all); i++) nf_model_free(all[i]);
    nf_shared_tokenizers_free(shared);
    be->free(be);
    nf_directory_remove(folder, NULL);
}

/* ---------------------------------------------------------------- outputs */

enum { COUNT = 3 };
static const char *const texts[COUNT] = {"wake me up at nine in madrid", "play jazz now please",
                                         "call bob at ten in rome"};

static void check_equal(nerfit_session *given, nerfit_session *expected, double tolerance) {
    const nerfit_prediction *g, *e;
    assert_ok(nerfit_predict(given, texts, NULL, COUNT, &g, &error), &error);
    assert_ok(nerfit_predict(expected, texts, NULL, COUNT, &e, &error), &error);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(g[i].n_tokens, e[i].n_tokens);
        for (size_t k = 0; k < g[i].n_tokens; k++) {
            assert_string_equal(g[i].tokens[k].label, e[i].tokens[k].label);
            if (!(fabs(g[i].tokens[k].score - e[i].tokens[k].score) <= tolerance))
                fail_msg("text %zu, token %zu: %.9g, expected %.9g", i, k, g[i].tokens[k].score,
                         e[i].tokens[k].score);
        }
    }
}

static nerfit_model *load_public(const char *folder, nerfit_weights *weights, int threads) {
    nerfit_model *model;
    const nerfit_model_options options = {.size = sizeof options,
                                          .precision = weights ? NULL : "f32",
                                          .threads = threads,
                                          .weights = weights};
    assert_ok(nerfit_model_load(&model, folder, &options, &error), &error);
    return model;
}

/* A whole model gives the same bits; an adapter beside its base the same up to rounding. */
static void test_outputs(void **state) {
    (void)state;
    char parent[64], folder[128];
    snprintf(folder, sizeof folder, "%s/m", temporary_folder(parent));
    make_tiny_model(folder, true);
    nerfit_weights *weights;
    const nerfit_model_options options = {.size = sizeof options, .precision = "f32", .threads = 1};
    assert_ok(nerfit_weights_new(&weights, &options, &error), &error);
    nerfit_model *alone = load_public(folder, NULL, 1);
    nerfit_model *shared[2] = {load_public(folder, weights, 0), load_public(folder, weights, 1)};
    nerfit_weights_free(weights);
    for (int i = 0; i < 2; i++) {
        nerfit_session *a, *b;
        assert_ok(nerfit_session_new(&a, alone, &error), &error);
        assert_ok(nerfit_session_new(&b, shared[i], &error), &error);
        check_equal(b, a, 0.0);
        nerfit_session_free(a);
        nerfit_session_free(b);
        nerfit_model_free(shared[i]);
    }
    nerfit_model_free(alone);
    nf_directory_remove(parent, NULL);
}

static void test_other_settings(void **state) {
    (void)state;
    static const nerfit_model_options cases[] = {{.size = sizeof *cases, .precision = "bf16"},
                                                 {.size = sizeof *cases, .threads = 3},
                                                 {.size = sizeof *cases, .backend = "ref"}};
    nerfit_weights *weights;
    nerfit_model *model;
    const nerfit_model_options own = {.size = sizeof own, .precision = "f32", .threads = 1};
    assert_ok(nerfit_weights_new(&weights, &own, &error), &error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nerfit_model_options options = cases[i];
        options.weights = weights;
        assert_int_equal(nerfit_model_load(&model, BASE, &options, &error), NERFIT_ARGUMENT);
        assert_non_null(strstr(error.text, "are those of the shared weights"));
    }
    nerfit_weights_free(weights);
    nerfit_weights_free(NULL);
}

/* ---------------------------------------------------------------- threads */

static void *load_often(void *user) {
    for (int i = 0; i < 20; i++) unload(load(i % 2 ? BASE : ADAPTER, user));
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    pthread_t threads[2];
    nf_shared_weights *shared = handle(NF_PRECISION_F32);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, load_often, shared), 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    nf_shared_weights_drop(shared);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_once),  cmocka_unit_test(test_which_file),
        cmocka_unit_test(test_tokenizers), cmocka_unit_test(test_gliner_tokenizers),
        cmocka_unit_test(test_outputs),    cmocka_unit_test(test_other_settings),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
