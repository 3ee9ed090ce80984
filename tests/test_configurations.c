/* What config.json may ask of the architectures: other ways to say the same, and what is refused,
 * with the exact message. That the models are right is test_training's. */
#include "tiny_model.h"

#include <math.h>

#include "base/json.h"
#include "model/adapter.h"
#include "model/model.h"
#include "tensor/backends.h"

static nerfit_error error;
static char folder[64];

/* A copy of a golden folder in which config.json's `key` is `value`, JSON text; NULL takes it
 * out. */
typedef struct change {
    const char *key, *value;
} change;

static const char *changed(const char *name, const change *changes, size_t count) {
    static char path[256];
    char from[256], to[256];
    json_t *config;
    snprintf(path, sizeof path, "%s/model", folder);
    assert_ok(nf_directory_make(path, &error), &error);
    snprintf(from, sizeof from, "tests/golden/%s/model.safetensors", name);
    snprintf(to, sizeof to, "%s/model/model.safetensors", folder);
    copy_file(from, to);
    snprintf(from, sizeof from, "tests/golden/%s/config.json", name);
    snprintf(to, sizeof to, "%s/model/config.json", folder);
    assert_ok(nf_json_load(&config, from, &error), &error);
    for (size_t i = 0; i < count; i++) {
        if (!changes[i].value)
            json_object_del(config, changes[i].key);
        else
            json_object_set_new(config, changes[i].key,
                                json_loads(changes[i].value, JSON_DECODE_ANY, NULL));
    }
    assert_ok(nf_json_save(config, to, &error), &error);
    json_decref(config);
    return path;
}

static void logits_of(float *out, size_t count, const char *path, nf_backend *be) {
    static const int32_t ids[] = {5, 6, 7, 90, 12, 13, 14, 15, 16, 44, 45, 46, 47, 48, 3, 4};
    nf_tokens text = {.ids = ids, .length = sizeof ids / sizeof *ids};
    nf_model *model;
    nf_values *logits;
    nf_pass pass = {.be = be};
    assert_ok(nf_model_load(&model, path, be, NULL, &error), &error);
    assert_ok(nf_network_prepare(&model->net, false, &error), &error);
    assert_ok(nf_workspace_new(&pass.ws, be, &error), &error);
    assert_ok(nf_batch_load(&pass, &model->encoder, &text, 1, &error), &error);
    assert_ok(nf_model_logits(model, &pass, &logits), &error);
    assert_int_equal(count, text.length * model->n_labels);
    be->to_f32(be, out, logits, count);
    nf_workspace_free(pass.ws);
    nf_model_free(model);
}

/* The last hidden state of some tokens alone: what every kind of encoder gives for all, to the bit in
 * ref. */
static void test_rows(void **state) {
    (void)state;
    static const char *const names[] = {
        "albert",          "bert",          "camembert", "deberta-v2",    "deberta-v3",
        "distilbert",      "electra-equal", "electra",   "eurobert-bias", "eurobert",
        "modernbert-bias", "modernbert",    "mpnet",     "roberta",       "xlm-roberta"};
    static const int32_t ids[] = {5, 6, 7, 90, 12, 13, 14, 15, 16, 44, 45, 46},
                         rows[] = {1, 2, 6, 8, 11};
    enum { N = sizeof ids / sizeof *ids, ROWS = sizeof rows / sizeof *rows, LABELS = 7 };
    const nf_tokens texts[2] = {{.ids = ids, .length = 5}, {.ids = ids + 5, .length = N - 5}};
    nf_backend *be;
    assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[256];
        float all[N * LABELS], some[ROWS * LABELS];
        nf_model *model;
        nf_values *logits;
        nf_pass pass = {.be = be};
        snprintf(path, sizeof path, "tests/golden/%s/token-classification", names[i]);
        assert_ok(nf_model_load(&model, path, be, NULL, &error), &error);
        assert_ok(nf_network_prepare(&model->net, false, &error), &error);
        assert_int_equal(model->n_labels, LABELS);
        assert_ok(nf_workspace_new(&pass.ws, be, &error), &error);
        assert_ok(nf_batch_load(&pass, &model->encoder, texts, 2, &error), &error);
        assert_ok(nf_model_logits(model, &pass, &logits), &error);
        be->to_f32(be, all, logits, N * LABELS);
        pass.rows = nf_workspace_ints(pass.ws, rows, ROWS);
        pass.n_rows = ROWS;
        assert_ok(nf_model_logits(model, &pass, &logits), &error);
        be->to_f32(be, some, logits, ROWS * LABELS);
        for (size_t r = 0; r < ROWS; r++)
            if (memcmp(some + r * LABELS, all + (size_t)rows[r] * LABELS, LABELS * sizeof *all) !=
                0)
                fail_msg("%s: row %d", names[i], rows[r]);
        nf_workspace_free(pass.ws);
        nf_model_free(model);
    }
    be->free(be);
}

/* Fields as earlier and later versions of transformers write them: the same model. */
static void test_same(void **state) {
    (void)state;
    static const struct {
        const char *name;
        change changes[5];
    } cases[] = {
        {"modernbert/token-classification", /* as the published configurations are */
         {{"layer_types", NULL},
          {"rope_parameters", NULL},
          {"global_rope_theta", "160000.0"},
          {"local_rope_theta", "10000.0"},
          {"global_attn_every_n_layers", "3"}}},
        {"modernbert/token-classification", /* and their defaults */
         {{"layer_types", "null"},
          {"rope_parameters", NULL},
          {"global_attn_every_n_layers", NULL},
          {"norm_bias", NULL},
          {"hidden_activation", NULL}}},
        {"modernbert-bias/token-classification",
         {{"layer_types", NULL},
          {"rope_parameters", NULL},
          {"global_rope_theta", "500"},
          {"local_rope_theta", "50"},
          {"rope_scaling", "null"}}},
        {"eurobert/token-classification", /* as the published configurations are */
         {{"rope_parameters", NULL},
          {"rope_theta", "250000"},
          {"rope_scaling", "null"},
          {"hidden_act", NULL},
          {"head_dim", NULL}}},
        {"eurobert-bias/token-classification",
         {{"rope_parameters", NULL},
          {"rope_theta", NULL},
          {"head_dim", "null"},
          {"max_position_embeddings", NULL},
          {"attention_dropout", NULL}}},
        {"deberta-v3/token-classification",
         {{"pos_att_type", "\"p2c|c2p\""},
          {"conv_kernel_size", "0"},
          {"layer_norm_eps", NULL},
          {"type_vocab_size", NULL},
          {"embedding_size", "16"}}},
        {"deberta-v2/token-classification",
         {{"position_biased_input", "null"},
          {"position_buckets", "-1"},
          {"share_att_key", "false"},
          {"norm_rel_ebd", "\"none\""},
          {"hidden_act", "\"gelu\""}}},
        {"mpnet/token-classification",
         {{"relative_attention_num_buckets", NULL},
          {"pad_token_id", NULL},
          {"hidden_act", NULL},
          {"layer_norm_eps", NULL},
          {"attention_probs_dropout_prob", NULL}}},
    };
    enum { N = 16 * 7 };
    float expected[N], given[N];
    nf_backend *be;
    assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        logits_of(expected, N, changed(cases[i].name, NULL, 0), be);
        logits_of(given, N, changed(cases[i].name, cases[i].changes, 5), be);
        for (size_t k = 0; k < N; k++)
            if (!(fabs((double)expected[k] - (double)given[k]) < 1e-6))
                fail_msg("%s, case %zu: logits differ", cases[i].name, i);
    }
    be->free(be);
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *name;
        change change;
        const char *message;
    } cases[] = {
        {"deberta-v3",
         {"conv_kernel_size", "3"},
         "\"conv_kernel_size\": 3 is not supported; expected 0, no convolution"},
        {"deberta-v3",
         {"embedding_size", "12"},
         "\"embedding_size\" is not supported; expected that it is left out"},
        {"deberta-v3",
         {"attention_head_size", "4"},
         "\"attention_head_size\" is not supported; expected that it is left out"},
        {"deberta-v3",
         {"pos_att_type", "[]"},
         "\"relative_attention\" is not supported without c2p or p2c in \"pos_att_type\", nor "
         "these "
         "without it"},
        {"deberta-v3",
         {"relative_attention", "false"},
         "\"relative_attention\" is not supported without c2p or p2c in \"pos_att_type\", nor "
         "these "
         "without it"},
        {"deberta-v3",
         {"position_buckets", "3"},
         "position_buckets 3 and max_relative_positions 64 should be whole numbers up to "
         "1,000,000, "
         "buckets at least 4 and less than twice the other"},
        {"deberta-v3",
         {"position_buckets", "24"},
         "tensor \"encoder.rel_embeddings.weight\" has shape [32, 16], expected [48, 16] from the "
         "configuration"},
        {"deberta-v2", {"share_att_key", "\"yes\""}, NULL},
        {"mpnet",
         {"relative_attention_num_buckets", "16"},
         "relative_attention_num_buckets 16 and pad_token_id 1 are not supported; expected at "
         "least "
         "32, and 1"},
        {"mpnet",
         {"pad_token_id", "0"},
         "relative_attention_num_buckets 32 and pad_token_id 0 are not supported; expected at "
         "least "
         "32, and 1"},
        {"eurobert",
         {"num_key_value_heads", "3"},
         "hidden_size 16, num_attention_heads 4, num_key_value_heads 3, head_dim 4 are not "
         "supported; expected an even head_dim, heads times head_dim the hidden size, and heads a "
         "multiple of those of keys and values"},
        {"eurobert",
         {"head_dim", "8"},
         "hidden_size 16, num_attention_heads 4, num_key_value_heads 2, head_dim 8 are not "
         "supported; expected an even head_dim, heads times head_dim the hidden size, and heads a "
         "multiple of those of keys and values"},
        {"eurobert",
         {"num_key_value_heads", "4"},
         "tensor \"layers.0.self_attn.k_proj.weight\" has shape [8, 16], expected [16, 16] from "
         "the "
         "configuration"},
        {"eurobert",
         {"rope_parameters", "{\"rope_type\": \"yarn\"}"},
         "\"rope_type\": \"yarn\" is not supported; expected \"default\""},
        {"eurobert",
         {"rope_scaling", "{\"type\": \"linear\"}"},
         "\"rope_scaling\" is not supported; expected that it is left out"},
        {"modernbert",
         {"num_attention_heads", "16"},
         "hidden_size 16 is not an even multiple of num_attention_heads 16"},
        {"modernbert",
         {"local_attention", "1"},
         "local_attention should be at least 2, and the rope thetas above 0"},
        {"modernbert",
         {"layer_types", "[\"full_attention\", \"chunked_attention\"]"},
         "\"layer_types\" should have full_attention or sliding_attention for layer 1"},
        {"modernbert",
         {"rope_parameters", "{\"full_attention\": {\"rope_type\": \"yarn\"}}"},
         "\"rope_type\": \"yarn\" is not supported; expected \"default\""},
        {"modernbert",
         {"rope_scaling", "{\"type\": \"linear\"}"},
         "\"rope_scaling\" is not supported; expected that it is left out"},
        {"modernbert",
         {"hidden_activation", "\"mish\""},
         "\"hidden_activation\" is \"mish\", expected one of gelu, gelu_new, gelu_pytorch_tanh, "
         "relu, tanh, "
         "silu"},
        {"modernbert",
         {"norm_bias", "true"},
         "has no tensor \"embeddings.norm.bias\" (nor \"model.embeddings.norm.bias\"), which the "
         "configuration (model_type \"modernbert\") calls for"},
    };
    nf_backend *be;
    nf_model *model;
    assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nerfit_status status =
            nf_model_load(&model, changed(cases[i].name, &cases[i].change, 1), be, NULL, &error);
        if (!cases[i].message) { /* not true is false, as in Python's `is True`-less reading */
            assert_int_equal(status, NERFIT_OK);
            nf_model_free(model);
            continue;
        }
        assert_int_not_equal(status, NERFIT_OK);
        if (!strstr(error.text, cases[i].message))
            fail_msg("%s, %s: \"%s\"; expected \"%s\"", cases[i].name, cases[i].change.key,
                     error.text, cases[i].message);
    }
    be->free(be);
}

/* The layers that LoRA adapts by default: of each encoder, how many, and one of them. */
static void test_default_targets(void **state) {
    (void)state;
    static const struct {
        const char *name, *layer;
        size_t count;
    } cases[] = {{"mpnet", "encoder.layer.1.attention.attn.v", 4},
                 {"deberta-v3", "encoder.layer.1.attention.self.query_proj", 4},
                 {"deberta-v2", "encoder.layer.0.attention.self.value_proj", 4},
                 {"modernbert", "layers.3.attn.Wqkv", 4},
                 {"eurobert", "layers.2.self_attn.v_proj", 6}};
    nf_backend *be;
    assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[128];
        nf_model *model;
        nf_adapter_config config = {.r = 2, .lora_alpha = 2};
        snprintf(name, sizeof name, "tests/golden/%s", cases[i].name);
        assert_ok(nf_model_load(&model, name, be, NULL, &error), &error);
        assert_ok(nf_adapter_add(model, &config, 1, &error), &error);
        assert_int_equal(model->adapter->n_adapted, cases[i].count);
        snprintf(name, sizeof name, "%s.lora_A.weight", cases[i].layer);
        assert_non_null(nf_network_find(&model->net, name));
        nf_model_free(model);
    }
    be->free(be);
}

/* A new classifier takes over what stands before it from the checkpoint, as transformers does with
 * a language model's, and makes it anew where the checkpoint has none; both are trained and
 * written. */
static void test_head(void **state) {
    (void)state;
    static const char *const labels[] = {"O", "B-x", "I-x"};
    static const char *const names[] = {"modernbert/token-classification", "modernbert"};
    nf_backend *be;
    assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
    for (int bare = 0; bare < 2; bare++) {
        char path[256];
        nf_model *model;
        float before[16 * 16], after[16 * 16], norm[16];
        snprintf(path, sizeof path, "tests/golden/%s", names[bare]);
        assert_ok(nf_model_load(&model, path, be, NULL, &error), &error);
        assert_true(bare == (model->head == NULL));
        if (!bare)
            be->to_f32(be, before, nf_token_classifier_features(model->head)->dense->weight->values,
                       256);
        assert_ok(nf_model_add_classifier(model, labels, 3, 1, &error), &error);
        assert_non_null(model->head);
        be->to_f32(be, after, nf_token_classifier_features(model->head)->dense->weight->values,
                   256);
        be->to_f32(be, norm, nf_token_classifier_features(model->head)->norm.weight->values, 16);
        if (!bare) assert_memory_equal(before, after, sizeof before);
        double square = 0.0;
        for (size_t k = 0; k < 256; k++) square += (double)after[k] * (double)after[k] / 256;
        /* initializer_range / sqrt(2 layers) */
        if (bare) assert_true(fabs(sqrt(square) - 0.02 / sqrt(8)) < 0.001);
        for (size_t k = 0; k < 16 && bare; k++) assert_true(norm[k] == 1.0f);
        assert_true(nf_token_classifier_features(model->head)->dense->weight->trained &&
                    nf_token_classifier_features(model->head)->norm.weight->trained);
        nf_model_train_encoder(model, false);
        assert_true(nf_token_classifier_features(model->head)->dense->weight->trained);
        assert_false(model->encoder.final_norm->weight->trained);
        snprintf(path, sizeof path, "%s/written", folder);
        assert_ok(nf_model_save(model, path, &error), &error);
        nf_model_free(model);
        assert_ok(nf_model_load(&model, path, be, NULL, &error), &error);
        assert_int_equal(model->n_labels, 3);
        be->to_f32(be, before, nf_token_classifier_features(model->head)->dense->weight->values,
                   256);
        assert_memory_equal(before, after, sizeof before);
        nf_model_remove_classifier(model);
        assert_null(nf_network_find(&model->net, "head.dense.weight"));
        nf_model_free(model);
    }
    be->free(be);
}

static int set_up(void **state) {
    (void)state;
    temporary_folder(folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return nf_directory_remove(folder, &error) != NERFIT_OK;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),    cmocka_unit_test(test_same),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_default_targets),
        cmocka_unit_test(test_head),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
