/* What others write, read here: PEFT's adapter folders (applied and merged), and sentence encoders
 * as sentence-transformers writes them. Golden values from tools/golden/{adapters,sentences}.py. */
#include "tiny_model.h"

#include <math.h>

#include "base/json.h"
#include "model/adapter.h"
#include "model/sentence.h"
#include "tensor/backends.h"

static nerfit_error error;
static nf_safetensors *golden, *inputs;
static const char *model_name; /* folder of tests/golden whose adapters are checked */

static float *floats(const char *name, size_t *count) {
    const nf_stored *stored = nf_safetensors_find(golden, name);
    if (!stored) fail_msg("no golden value %s", name);
    float *values = malloc(stored->count * sizeof *values + 1);
    assert_ok(nf_stored_to_f32(stored, values, &error), &error);
    *count = stored->count;
    return values;
}

static void compare(const char *what, nf_backend *be, const nf_values *ours, const char *name) {
    size_t count;
    float *expected = floats(name, &count), *given = malloc(count * sizeof *given);
    be->to_f32(be, given, ours, count);
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)expected[i] - (double)given[i]) < 1e-4))
            fail_msg("%s on %s: %s[%zu] is %g, expected %g", what, be->name, name, i,
                     (double)given[i], (double)expected[i]);
    free(expected);
    free(given);
}

/* kind: of the adapter, which may have ids of its own. */
static void load_inputs(nf_pass *pass, const nf_model *model, const char *kind) {
    char name[128];
    snprintf(name, sizeof name, "ids.%s", kind);
    const nf_stored *own = nf_safetensors_find(golden, name);
    const int32_t *ids = own ? own->data : nf_safetensors_find(inputs, "ids")->data;
    const nf_stored *stored = nf_safetensors_find(inputs, "cu_seqlens");
    const int32_t *cu = stored->data;
    nf_tokens texts[16];
    for (size_t s = 0; s + 1 < stored->count; s++)
        texts[s] = (nf_tokens){.ids = ids + cu[s], .length = (size_t)(cu[s + 1] - cu[s])};
    assert_ok(nf_batch_load(pass, &model->encoder, texts, stored->count - 1, &error), &error);
}

/* again: of what nerfit writes of the adapter, its base model given; beside: its base's weights, which are
 * shared with the adapters before */
typedef enum check_way { APPLIED, MERGED, AGAIN, BESIDE } check_way;
static nf_shared_weights *shared;

static nf_model *load_again(nf_model *model, nf_backend *be) {
    char folder[64], *base;
    nf_model *again;
    nf_arena arena = {0};
    temporary_folder(folder);
    assert_ok(nf_adapter_save(model, folder, &error), &error);
    assert_ok(nf_adapter_base(&base, &arena, folder, &error), &error);
    assert_ok(nf_model_load_from(&again, &(nf_model_source){.folder = folder, .base = base}, be,
                                 NULL, &error),
              &error);
    assert_int_equal(again->adapter->n_adapted, model->adapter->n_adapted);
    nf_directory_remove(folder, NULL);
    nf_arena_free(&arena);
    nf_model_free(model);
    return again;
}

static void check_adapter(nf_backend *be, const char *kind, check_way way) {
    char folder[128], name[128];
    bool merge = way == MERGED;
    nf_model *model;
    snprintf(folder, sizeof folder, "tests/golden/%s/adapter-%s", model_name, kind);
    const nf_model_source source = {.folder = folder, .share = way == BESIDE ? shared : NULL};
    assert_ok(nf_model_load_from(&model, &source, be, NULL, &error), &error);
    if (way == AGAIN) model = load_again(model, be);
    if (way == BESIDE) assert_ok(nf_adapter_settle(model, &error), &error);
    if (merge) assert_ok(nf_adapter_merge(model, &error), &error);
    assert_ok(nf_network_prepare(&model->net, false, &error), &error);
    nf_pass pass = {.be = be};
    assert_ok(nf_workspace_new(&pass.ws, be, &error), &error);
    load_inputs(&pass, model, kind);
    snprintf(name, sizeof name, "hidden.%s", kind);
    if (nf_safetensors_find(golden, name)) {
        nf_values *hidden = nf_workspace_reals(pass.ws, (size_t)pass.sequences.n_tokens * 32);
        assert_ok(nf_encoder_forward(&model->encoder, &pass, hidden, NULL, NULL), &error);
        compare(merge ? "merged" : "applied", be, hidden, name);
    } else {
        nf_values *logits;
        assert_ok(nf_model_logits(model, &pass, &logits), &error);
        /* adapter-bin is adapter-lora in the older file format */
        snprintf(name, sizeof name, "logits.%s", strcmp(kind, "bin") == 0 ? "lora" : kind);
        compare(merge ? "merged" : "applied", be, logits, name);
    }
    snprintf(name, sizeof name, "merged.%s.encoder.layer.1.attention.self.query.weight", kind);
    if (merge && nf_safetensors_find(golden, name))
        compare("merged", be,
                nf_network_find(&model->net, "encoder.layer.1.attention.self.query.weight")->values,
                name);
    nf_workspace_free(pass.ws);
    nf_model_free(model);
}

static void check_adapters(const char *name, const char *file, const char *const *kinds) {
    char path[128];
    model_name = name;
    snprintf(path, sizeof path, "tests/golden/%s/%s.safetensors", name, file);
    assert_ok(nf_safetensors_open(&golden, path, &error), &error);
    snprintf(path, sizeof path, "tests/golden/%s/hidden.safetensors", name);
    assert_ok(nf_safetensors_open(&inputs, path, &error), &error);
    for (int b = 0; b < 2; b++) {
        nf_backend *be;
        if (b)
            assert_ok(nf_backend_cpu(&be, NF_PRECISION_F32, 1, &error), &error);
        else
            assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
        assert_ok(nf_shared_weights_new(&shared, be, &error), &error);
        /* keeps the base's weights */
        nf_shared_file *base;
        snprintf(path, sizeof path, "tests/golden/%s", name);
        assert_ok(nf_shared_weights_open(shared, &base, path, &error), &error);
        for (size_t k = 0; kinds[k]; k++) {
            check_adapter(be, kinds[k], BESIDE);
            check_adapter(be, kinds[k], APPLIED);
            check_adapter(be, kinds[k], MERGED);
            check_adapter(be, kinds[k], AGAIN);
        }
        nf_shared_weights_drop(shared);
        nf_shared_file_drop(base);
        be->free(be);
    }
    nf_safetensors_close(golden);
    nf_safetensors_close(inputs);
}

static void test_adapters(void **state) {
    (void)state;
    check_adapters(
        "bert", "adapters",
        (const char *const[]){"lora", "rslora", "dora", "dora-dense", "stage1", "bin", NULL});
    check_adapters("distilbert", "adapters", (const char *const[]){"lora", NULL});
    check_adapters("electra", "adapters", (const char *const[]){"dora", NULL});
    check_adapters("albert", "adapters", (const char *const[]){"dora", NULL});
    check_adapters("mpnet", "adapters", (const char *const[]){"lora", NULL});
    check_adapters("deberta-v3", "adapters", (const char *const[]){"dora", NULL});
    check_adapters("modernbert", "adapters", (const char *const[]){"dora", NULL});
    check_adapters("eurobert", "adapters", (const char *const[]){"dora", NULL});
}

/* What else a configuration of PEFT may say. */
static void test_configurations(void **state) {
    (void)state;
    check_adapters(
        "bert", "adapters-more",
        (const char *const[]){
            "pissa",    "pissa-rslora",    "olora",           "olora-dora", "orthogonal", "mica",
            "patterns", "patterns-rslora", "layers",          "layer",      "exclude",    "regex",
            "bias-all", "bias-lora",       "embeddings",      "classifier", "all-linear", "resized",
            "saved",    "pooler",          "bare-all-linear", NULL});
    check_adapters("bert", "adapters-later",
                   (const char *const[]){"lora-bias", "tokens", "tokens-named", NULL});
}

/* How near a vector must be: the cosine at least, the largest difference of a value at most. */
typedef struct nearness {
    double cosine, difference;
} nearness;

static const nearness EXACT = {0.9999, 1e-4};

static void check_sentences(const char *folder, const char *file, nearness limit,
                            nf_precision precision) {
    nf_backend *be;
    nf_sentence_encoder *encoder;
    json_t *json, *item;
    size_t i;
    assert_ok(nf_backend_cpu(&be, precision, 1, &error), &error);
    assert_ok(nf_sentence_encoder_load(&encoder, folder, be, NULL, &error), &error);
    assert_ok(nf_json_load(&json, file, &error), &error);
    float *ours = malloc(encoder->size * sizeof *ours);
    json_array_foreach(json_object_get(json, "sentences"), i, item) {
        const char *text = json_string_value(json_object_get(item, "text"));
        const json_t *expected = json_object_get(item, "embedding");
        assert_int_equal(json_array_size(expected), encoder->size);
        assert_ok(nf_sentence_encoder_encode(encoder, be, &text, 1, false, ours, NULL, &error),
                  &error);
        double dot = 0, a = 0, b = 0, most = 0;
        for (size_t k = 0; k < encoder->size; k++) {
            double x = json_number_value(json_array_get(expected, k)), y = (double)ours[k];
            dot += x * y;
            a += x * x;
            b += y * y;
            most = fmax(most, fabs(x - y));
        }
        if (dot / sqrt(a * b) < limit.cosine || most > limit.difference)
            fail_msg("%s, text %zu (\"%.40s\"): cosine %.6f, largest difference %g", folder, i,
                     text, dot / sqrt(a * b), most);
    }
    free(ours);
    json_decref(json);
    nf_sentence_encoder_free(encoder);
    be->free(be);
}

static void test_sentence_encoders(void **state) {
    static const char *const kinds[] = {"cls",         "mean",   "max",    "labse", "distilbert",
                                        "xlm-roberta", "albert", "prompt", "cased", "mpnet"};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char folder[64], file[96];
        snprintf(folder, sizeof folder, "tests/golden/sentence-%s", kinds[i]);
        snprintf(file, sizeof file, "%s/embeddings.json", folder);
        check_sentences(folder, file, EXACT, NF_PRECISION_F32);
    }
}

static void test_real_encoder(void **state) {
    (void)state;
    const char *folder = test_encoder_folder();
    if (!folder) {
        print_message("skipped: the encoder all-MiniLM-L6-v2 is not here (./run encoder)\n");
        skip();
    }
    check_sentences(folder, "tests/golden/minilm-embeddings.json", EXACT, NF_PRECISION_F32);
}

/* Against the program of the package that its weights come from, which multiplies by activations in 8
 * bits. */
static void test_multilingual_encoder(void **state) {
    static const char folder[] = ".cache/multilingual-e5-small";
    (void)state;
    if (!nf_file_exists_in(folder, "model.safetensors")) {
        print_message("skipped: the encoder multilingual-e5-small is not here (./run encoder "
                      "multilingual)\n");
        skip();
    }
    check_sentences(folder, "tests/golden/e5-small-embeddings.json", (nearness){0.9998, 4e-3},
                    NF_PRECISION_F32);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapters), cmocka_unit_test(test_configurations),
        cmocka_unit_test(test_sentence_encoders), cmocka_unit_test(test_real_encoder),
        cmocka_unit_test(test_multilingual_encoder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
