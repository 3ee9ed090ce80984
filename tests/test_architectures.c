/* Configurations of every architecture: what is wrong is said, what is left out has transformers'
 * default, and LoRA's default modules are the row's. What the models compute is checked in
 * test_training, test_gradients and test_interchange. */
#include "tiny_model.h"

#include "model/adapter.h"
#include "tensor/backends.h"

static nerfit_error error;
static nf_backend *be;
static char root[64];

/* A folder whose config.json is tests/golden/NAME's with one field replaced (NULL: taken out), over
 * its weights. */
static const char *changed(const char *name, const char *key, const char *value) {
    static char folder[200];
    char path[300], from[300];
    snprintf(folder, sizeof folder, "%s/%s-%s", root, name, key);
    assert_ok(nf_directory_make(folder, &error), &error);
    snprintf(from, sizeof from, "tests/golden/%s/token-classification/config.json", name);
    snprintf(path, sizeof path, "%s/config.json", folder);
    copy_file(from, path);
    change_json(path, key, value);
    snprintf(from, sizeof from, "tests/golden/%s/token-classification/model.safetensors", name);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    copy_file(from, path);
    return folder;
}

static void test_errors(void **state) {
    (void)state;
    static const struct {
        const char *name, *key, *value, *expected;
    } cases[] = {
        {"bert", "model_type", "\"xlnet\"",
         "model_type \"xlnet\" is not supported; known are: "
         "bert, roberta, xlm-roberta, camembert, distilbert, "
         "electra, albert"},
        {"bert", "model_type", "\"extractor\"",
         "model_type \"extractor\" (this is a model of the package gliner2, "},
        {"bert", "model_type", NULL, "has no \"model_type\"; expected one of: bert, roberta, "},
        {"albert", "num_hidden_groups", "2",
         "\"num_hidden_groups\": 2 is not supported; expected "
         "1, one layer shared by all depths"},
        {"albert", "inner_group_num", "3", "\"inner_group_num\": 3 is not supported"},
        {"albert", "inner_group_num", "\"1\"",
         "\"inner_group_num\" is \"1\", expected a whole number"},
        {"albert", "embedding_size", "13",
         "tensor \"albert.embeddings.word_embeddings.weight\" has "
         "shape [100, 12], expected [100, 13]"},
        {"electra", "embedding_size", "-1", "\"embedding_size\" is -1, expected a whole number"},
        {"electra-equal", "embedding_size", NULL, "has shape [100, 16], expected [100, 128]"},
        {"electra", "hidden_act", "\"mish\"", "\"hidden_act\" is \"mish\", expected one of gelu"},
        {"distilbert", "n_heads", "3", "dim 16 is not a multiple of n_heads 3"},
        {"distilbert", "hidden_dim", NULL, "\"hidden_dim\" is missing, expected a whole number"},
        {"distilbert", "activation", "3", "\"activation\" is 3, expected one of gelu"},
        {"xlm-roberta", "max_position_embeddings", "2", "leaves no position after pad_token_id"},
        {"camembert", "position_embedding_type", "\"relative_key\"",
         "\"relative_key\" is not supported; expected \"absolute\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_model *model = NULL;
        const char *folder = changed(cases[i].name, cases[i].key, cases[i].value);
        assert_int_not_equal(nf_model_load(&model, folder, be, NULL, &error), NERFIT_OK);
        assert_null(model);
        if (!strstr(error.text, cases[i].expected) || !strstr(error.text, folder))
            fail_msg("%s, %s: error is \"%s\", expected \"%s\"", cases[i].name, cases[i].key,
                     error.text, cases[i].expected);
    }
}

/* Dropout before the classifier: of the field, or what transformers' class takes instead. */
static void test_classifier_dropout(void **state) {
    (void)state;
    static const struct {
        const char *name, *key, *value;
        double hidden, expected;
    } cases[] = {
        {"bert", "classifier_dropout", "0.3", 0.0, 0.3},
        {"bert", "hidden_dropout_prob", "0.4", 0.4, 0.4}, /* classifier_dropout is null */
        {"electra", "hidden_dropout_prob", "0.4", 0.4, 0.4},
        {"electra", "hidden_dropout_prob", NULL, 0.1, 0.1},
        {"camembert", "classifier_dropout", "0.2", 0.0, 0.2},
        {"distilbert", "dropout", "0.3", 0.3, 0.3},
        {"distilbert", "seq_classif_dropout", "0.5", 0.0, 0.0}, /* of whole texts */
        {"albert", "classifier_dropout_prob", NULL, 0.0, 0.1},
        {"albert", "classifier_dropout_prob", "null", 0.0, 0.0},
        {"albert", "classifier_dropout_prob", "0.25", 0.0, 0.25},
        {"albert", "hidden_dropout_prob", NULL, 0.0, 0.0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_model *model;
        const char *folder = changed(cases[i].name, cases[i].key, cases[i].value);
        assert_ok(nf_model_load(&model, folder, be, NULL, &error), &error);
        if (model->encoder.classifier_dropout != cases[i].expected ||
            model->encoder.hidden_dropout != cases[i].hidden)
            fail_msg("%s, %s: dropouts are %g and %g", cases[i].name, cases[i].key,
                     model->encoder.hidden_dropout, model->encoder.classifier_dropout);
        nf_model_free(model);
    }
}

/* Linear layers that get an adapter when no target is named; ALBERT's serve at all three depths. */
static void test_default_targets(void **state) {
    (void)state;
    static const struct {
        const char *name, *first, *second;
        size_t adapted;
    } cases[] = {
        {"bert", "encoder.layer.0.attention.self.query", "encoder.layer.1.attention.self.value", 4},
        {"roberta", "encoder.layer.0.attention.self.query", "encoder.layer.1.attention.self.value",
         4},
        {"xlm-roberta", "encoder.layer.0.attention.self.query",
         "encoder.layer.1.attention.self.value", 4},
        {"camembert", "encoder.layer.0.attention.self.query",
         "encoder.layer.1.attention.self.value", 4},
        {"electra", "encoder.layer.0.attention.self.query", "encoder.layer.1.attention.self.value",
         4},
        {"distilbert", "transformer.layer.0.attention.q_lin", "transformer.layer.1.attention.v_lin",
         4},
        {"albert", "encoder.albert_layer_groups.0.albert_layers.0.attention.query",
         "encoder.albert_layer_groups.0.albert_layers.0.attention.value", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_model *model;
        char path[200];
        snprintf(path, sizeof path, "tests/golden/%s", cases[i].name);
        assert_ok(nf_model_load(&model, path, be, NULL, &error), &error);
        nf_adapter_config config = {.r = 2, .lora_alpha = 4};
        assert_ok(nf_adapter_add(model, &config, 1, &error), &error);
        assert_int_equal(model->adapter->n_adapted, cases[i].adapted);
        const char *const names[] = {cases[i].first, cases[i].second};
        for (size_t k = 0; k < 2; k++) {
            snprintf(path, sizeof path, "%s.lora_A.weight", names[k]);
            if (!nf_network_find(&model->net, path)) fail_msg("%s: no %s", cases[i].name, path);
        }
        nf_model_free(model);
    }
}

/* config.json names transformers' classes; the weights have the prefix they look for. */
static void test_saved_names(void **state) {
    (void)state;
    static const struct {
        const char *name, *class_name, *tensor;
    } cases[] = {
        {"xlm-roberta", "XLMRobertaForTokenClassification",
         "roberta.embeddings.word_embeddings.weight"},
        {"camembert", "CamembertForTokenClassification",
         "roberta.embeddings.word_embeddings.weight"},
        {"distilbert", "DistilBertForTokenClassification",
         "distilbert.transformer.layer.1.ffn.lin2.weight"},
        {"electra", "ElectraForTokenClassification", "electra.embeddings_project.bias"},
        {"albert", "AlbertForTokenClassification",
         "albert.encoder.albert_layer_groups.0.albert_layers.0.full_layer_layer_norm.bias"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_model *model;
        nf_safetensors *written, *given;
        char from[200], to[200], path[300];
        snprintf(from, sizeof from, "tests/golden/%s/token-classification", cases[i].name);
        snprintf(to, sizeof to, "%s/saved-%s", root, cases[i].name);
        assert_ok(nf_model_load(&model, from, be, NULL, &error), &error);
        assert_ok(nf_model_save(model, to, &error), &error);
        nf_model_free(model);
        snprintf(path, sizeof path, "%s/config.json", to);
        json_t *config = json_load_file(path, 0, NULL);
        assert_string_equal(
            json_string_value(json_array_get(json_object_get(config, "architectures"), 0)),
            cases[i].class_name);
        json_decref(config);
        assert_ok(nf_safetensors_open(&written, to, &error), &error);
        assert_ok(nf_safetensors_open(&given, from, &error), &error);
        assert_non_null(nf_safetensors_find(written, cases[i].tensor));
        assert_int_equal(nf_safetensors_count(written), nf_safetensors_count(given));
        for (size_t k = 0; k < nf_safetensors_count(given); k++)
            assert_non_null(nf_safetensors_find(written, nf_safetensors_at(given, k)->name));
        nf_safetensors_close(written);
        nf_safetensors_close(given);
    }
}

static int set_up(void **state) {
    (void)state;
    temporary_folder(root);
    return nf_backend_cpu(&be, NF_PRECISION_F32, 1, &error) == NERFIT_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    be->free(be);
    return nf_directory_remove(root, &error) == NERFIT_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors), cmocka_unit_test(test_classifier_dropout),
        cmocka_unit_test(test_default_targets), cmocka_unit_test(test_saved_names)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
