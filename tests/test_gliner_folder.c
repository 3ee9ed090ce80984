/* GLiNER folders: every field that changes numbers is honoured or refused by its name, every tensor
 * is used or named, and what is missing is an error that says so. */
#include "tiny_model.h"

#include "model/gliner_prompt.h"
#include "tensor/backends.h"

static nerfit_error error;
static nf_backend *be;
static char root[64], folder[200], told[4000];

static void on_log(void *user, nerfit_log_level level, const char *message) {
    (void)user;
    (void)level;
    strncat(told, message, sizeof told - strlen(told) - 2);
    strcat(told, "\n");
}
static const nf_log teller = {on_log, NULL};

/* tests/golden/gliner/NAME with one field of a JSON file replaced (NULL: taken out). */
static const char *changed(const char *name, const char *file, const char *key, const char *value) {
    static const char *const files[] = {"gliner_config.json",
                                        "model.safetensors",
                                        "pytorch_model.bin",
                                        "tokenizer.json",
                                        "tokenizer_config.json",
                                        "labels_tokenizer/tokenizer.json",
                                        "labels_tokenizer/tokenizer_config.json"};
    static int number;
    char from[300], to[300];
    told[0] = '\0';
    snprintf(folder, sizeof folder, "%s/%s-%d", root, name, number++);
    assert_ok(nf_directory_make(folder, &error), &error);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(from, sizeof from, "tests/golden/gliner/%s/%s", name, files[i]);
        snprintf(to, sizeof to, "%s/%s", folder, files[i]);
        if (!nf_file_exists(from)) continue;
        if (i == 5) {
            char sub[300];
            snprintf(sub, sizeof sub, "%s/labels_tokenizer", folder);
            assert_ok(nf_directory_make(sub, &error), &error);
        }
        copy_file(from, to);
    }
    if (!file) return folder;
    snprintf(to, sizeof to, "%s/%s", folder, file);
    change_json(to, key, value);
    return folder;
}

static void test_errors(void **state) {
    (void)state;
    static const struct {
        const char *name, *key, *value, *expected;
    } cases[] = {
        {"markerv0", "span_mode", "\"query\"",
         "\"span_mode\": \"query\" is not supported; known are: marker, markerV0, markerV1, "
         "token_level"},
        {"markerv0", "subtoken_pooling", "\"sum\"",
         "\"subtoken_pooling\": \"sum\" is not supported; known are: first, last, mean, max"},
        {"markerv0", "words_splitter_type", "\"spacy\"",
         "\"words_splitter_type\": \"spacy\" is not supported; known is: whitespace"},
        {"markerv0", "span_encoder_config", "{\"model_type\": \"rnn\"}",
         "\"span_encoder_config\": {\"model_type\":\"rnn\"} is not supported"},
        {"markerv0", "model_type", "\"gliner_streaming_span\"", "is not supported; its backbone"},
        {"markerv0", "hidden_size", "7", "\"hidden_size\": 7 is not supported; with an LSTM"},
        {"markerv0", "hidden_size", "\"6\"",
         "\"hidden_size\" is \"6\", expected a whole number from 1"},
        {"markerv0", "hidden_size", "10",
         "tensor \"token_rep_layer.projection.weight\" has shape [6, 8], expected [10, 8]"},
        {"markerv0", "max_width", "0", "\"max_width\" is 0, expected a whole number from 1"},
        {"markerv0", "max_len", "-5", "\"max_len\" is -5, expected a whole number from 1"},
        {"markerv0", "fuse_layers", "1", "\"fuse_layers\" is 1, expected true or false"},
        {"markerv0", "fuse_layers", "true",
         "has no tensor \"token_rep_layer.bert_layer.layers_fuser.squeeze.weight\""},
        {"deberta-fused", "num_rnn_layers", "1", "has no tensor \"rnn.lstm.weight_ih_l0\""},
        {"markerv0", "num_rnn_layers", "2", "has no tensor \"rnn.lstm.weight_ih_l1\""},
        {"markerv0", "represent_spans", "true", "\"represent_spans\": true is not supported"},
        {"markerv0", "span_mode", "\"marker\"",
         "tensor \"span_rep_layer.span_rep_layer.project_start.0.weight\" has shape [24, 6], "
         "expected [12, 6]"},
        {"markerv0", "span_mode", "\"token_level\"", "has no tensor \"scorer.proj_token.weight\""},
        {"token", "span_mode", "\"markerV0\"",
         "has no tensor \"span_rep_layer.span_rep_layer.project_start.0.weight\""},
        {"markerv0", "encoder_config", NULL, "has no \"encoder_config\", and there is no "},
        {"markerv0", "encoder_config", "7", "\"encoder_config\" is 7, expected an object"},
        {"markerv0", "class_token_index", "7",
         "\"class_token_index\" is 7, but the tokenizer's id of \"<<ENT>>\" is 134"},
        {"markerv0", "ent_token", "\"<<X>>\"", "the tokenizer's id of \"<<X>>\" is -1"},
        {"markerv0", "class_token_index", "\"134\"",
         "\"class_token_index\" is \"134\", expected a whole number from -1 to 2147483647"},
        {"bi", "post_fusion_schema", "\"l2l-l2t\"",
         "\"post_fusion_schema\": \"l2l-l2t\" is not supported"},
        {"bi", "labels_encoder_config", NULL, "has no \"labels_encoder_config\""},
        {"precomputed", "id_to_classes", "{}", "without labels in \"id_to_classes\""},
        {"precomputed", "id_to_classes", "{\"1\": \"a\", \"3\": \"b\"}",
         "\"id_to_classes\" has no text for \"2\", expected one for each of its 2 labels"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_model *model = NULL;
        changed(cases[i].name, "gliner_config.json", cases[i].key, cases[i].value);
        nerfit_status status = nf_model_load(&model, folder, be, &teller, &error);
        if (status == NERFIT_OK || !strstr(error.text, cases[i].expected) ||
            !strstr(error.text, folder))
            fail_msg("%s, %s %s: error is \"%s\", expected \"%s\"", cases[i].name, cases[i].key,
                     cases[i].value ? cases[i].value : "missing",
                     status == NERFIT_OK ? "none" : error.text, cases[i].expected);
    }
}

/* A file that only names its encoder, as the first releases' do. */
static void test_named_encoder(void **state) {
    (void)state;
    nf_model *model = NULL;
    char path[300];
    changed("deberta", "gliner_config.json", "encoder_config", NULL);
    snprintf(path, sizeof path, "%s/gliner_config.json", folder);
    json_t *json = json_load_file(path, 0, NULL);
    json_object_set_new(json, "model_name", json_string("microsoft/deberta-v3-small"));
    assert_int_equal(json_dump_file(json, path, 0), 0);
    json_decref(json);
    assert_int_equal(nf_model_load(&model, folder, be, NULL, &error), NERFIT_FORMAT);
    if (!strstr(error.text, ", 8], expected [")) fail_msg("error is \"%s\"", error.text);
    assert_non_null(strstr(error.text, ", 768]"));
    /* and without a tokenizer it says whose files are missing */
    changed("deberta", NULL, NULL, NULL);
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    assert_int_equal(remove(path), 0);
    assert_int_not_equal(nf_model_load(&model, folder, be, NULL, &error), NERFIT_OK);
    if (!strstr(error.text, "the tokenizer, whose files are those of encoder"))
        fail_msg("error is \"%s\"", error.text);
}

/* What is read in spite of it, and told. */
static void test_warnings(void **state) {
    (void)state;
    static const struct {
        const char *name, *key, *value, *expected; /* expected "": nothing is told */
    } cases[] = {
        {"markerv0", "lr_encoder", "\"1e-5\"", ""},
        {"markerv0", "has_rnn", "true", ""},
        {"markerv0", "num_rnn_layers", NULL, ""},
        {"markerv0", "post_fusion_schema", "null", ""},
        {"markerv0", "new_field", "3",
         "gliner_config.json: \"new_field\" is not known and has no effect"},
        {"markerv0", "num_rnn_layers", "0", "8 tensors are not used: rnn.lstm.bias_hh_l0, "},
        {"marker", "name", "\"x\"", "tensors \"cross_fuser.*\" are not used: the package's"},
        {"relations", "name", "\"x\"", "relations are not found, only the entities"},
        {"markerv0", "labels_decoder", "\"gpt2\"", "labels are not generated"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_model *model;
        changed(cases[i].name, "gliner_config.json", cases[i].key, cases[i].value);
        assert_ok(nf_model_load(&model, folder, be, &teller, &error), &error);
        if (*cases[i].expected ? !strstr(told, cases[i].expected) : *told)
            fail_msg("%s, %s: told \"%s\", expected \"%s\"", cases[i].name, cases[i].key, told,
                     cases[i].expected);
        nf_model_free(model);
    }
}

/* A tokenizer that lacks the model's tokens gets them, where the package adds them. */
static void test_added_tokens(void **state) {
    (void)state;
    nf_model *model;
    char path[300];
    changed("deberta", "gliner_config.json", "class_token_index", NULL);
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    json_t *tokenizer = json_load_file(path, 0, NULL), *kept = json_array(), *token;
    size_t i;
    json_array_foreach(json_object_get(tokenizer, "added_tokens"), i, token) {
        const char *content = json_string_value(json_object_get(token, "content"));
        if (strcmp(content, "[FLERT]") && strcmp(content, "<<ENT>>") && strcmp(content, "<<SEP>>"))
            json_array_append(kept, token);
    }
    json_object_set_new(tokenizer, "added_tokens", kept);
    assert_int_equal(json_dump_file(tokenizer, path, 0), 0);
    json_decref(tokenizer);
    assert_ok(nf_model_load(&model, folder, be, &teller, &error), &error);
    int32_t ent = nf_tokenizer_id(model->tokenizer, "<<ENT>>");
    assert_int_equal(ent, model->gliner->label_token);
    assert_int_equal(nf_tokenizer_id(model->tokenizer, "[FLERT]"), ent - 1);
    assert_int_equal(nf_tokenizer_id(model->tokenizer, "<<SEP>>"), ent + 1);
    assert_int_equal((size_t)ent + 2, nf_tokenizer_vocabulary_size(model->tokenizer));
    nf_model_free(model);
}

static void test_labels(void **state) {
    (void)state;
    static const struct {
        const char *labels[3], *expected;
    } cases[] = {
        {{"person", ""}, "label 2 is empty"},
        {{"person", "place", "person"}, "label \"person\" comes twice"},
        {{"a <<ENT>> b"}, "label \"a <<ENT>> b\" holds <<ENT>>, by which the model knows"},
    };
    nf_model *model;
    nf_gliner_prompt prompt;
    assert_ok(nf_model_load(&model, changed("markerv0", NULL, NULL, NULL), be, NULL, &error),
              &error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = 0;
        while (n < 3 && cases[i].labels[n]) n++;
        assert_int_equal(nf_gliner_prompt_make(&prompt, model, cases[i].labels, n, &error),
                         NERFIT_ARGUMENT);
        if (!strstr(error.text, cases[i].expected))
            fail_msg("error is \"%s\", expected \"%s\"", error.text, cases[i].expected);
    }
    /* 160 positions: labels leave some for the text, or are too many */
    const char *many[40];
    char names[40][16];
    size_t room;
    for (int i = 0; i < 40; i++) snprintf(names[i], sizeof names[i], "kind %d", i);
    for (int i = 0; i < 40; i++) many[i] = names[i];
    assert_ok(nf_gliner_prompt_make(&prompt, model, many, 3, &error), &error);
    assert_ok(nf_gliner_prompt_room(&prompt, model, &room, &error), &error);
    assert_int_equal(room, 160 - prompt.length - 1);
    nf_gliner_prompt_free(&prompt);
    assert_ok(nf_gliner_prompt_make(&prompt, model, many, 40, &error), &error);
    assert_int_equal(nf_gliner_prompt_room(&prompt, model, &room, &error), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "40 labels take "));
    nf_gliner_prompt_free(&prompt);
    nf_model_free(model);
}

/* The package stores its own model under torch.compile's names, too, and in half precision. */
static void test_variants(void **state) {
    (void)state;
    char from[300], to[300];
    nf_model *model;
    changed("markerv0", NULL, NULL, NULL);
    snprintf(from, sizeof from, "%s/model.safetensors", folder);
    snprintf(to, sizeof to, "%s/model.bf16.safetensors", folder);
    assert_int_equal(rename(from, to), 0);
    assert_ok(nf_model_load(&model, folder, be, NULL, &error), &error);
    nf_model_free(model);
}

static int set_up(void **state) {
    (void)state;
    temporary_folder(root);
    return nf_backend_ref(&be, sizeof(float), &error);
}

static int tear_down(void **state) {
    (void)state;
    be->free(be);
    return nf_directory_remove(root, &error) == NERFIT_OK ? 0 : -1;
}

/* Every tensor of the golden folder stands in the saved one with the same values, whatever was done with
 * it, and what is needed to load it without the hub. */
static void check_saved(const char *name) {
    char golden[300], saved[300], path[400];
    nf_model *model, *again;
    nf_safetensors *before, *after;
    snprintf(golden, sizeof golden, "tests/golden/gliner/%s", name);
    snprintf(saved, sizeof saved, "%s/saved-%s", root, name);
    assert_ok(nf_model_load(&model, golden, be, NULL, &error), &error);
    assert_ok(nf_model_save(model, saved, &error), &error);
    nf_model_free(model);
    told[0] = '\0';
    assert_ok(nf_model_load(&again, saved, be, &teller, &error), &error);
    nf_model_free(again);
    assert_ok(nf_safetensors_open(&before, golden, &error), &error);
    assert_ok(nf_safetensors_open(&after, saved, &error), &error);
    for (size_t i = 0; i < nf_safetensors_count(before); i++) {
        const nf_stored *old = nf_safetensors_at(before, i);
        const nf_stored *new = nf_safetensors_find(after, old->name);
        if (old->type > NF_STORED_BF16) continue;
        if (!new) fail_msg("%s: saved without %s", name, old->name);
        assert_int_equal(old->count, new->count);
        assert_memory_equal(old->dims, new->dims, (size_t)old->n_dims * sizeof *old->dims);
        float *values = malloc(2 * old->count * sizeof *values + 1);
        assert_ok(nf_stored_to_f32(old, values, &error), &error);
        assert_ok(nf_stored_to_f32(new, values + old->count, &error), &error);
        assert_memory_equal(values, values + old->count, old->count * sizeof *values);
        free(values);
    }
    nf_safetensors_close(before);
    nf_safetensors_close(after);
    snprintf(path, sizeof path, "%s/gliner_config.json", saved);
    json_t *config = json_load_file(path, 0, NULL);
    assert_true(json_is_object(json_object_get(config, "encoder_config")));
    json_decref(config);
}

static void test_saved(void **state) {
    (void)state;
    static const char *const names[] = {"markerv0", "marker",        "markerv1",  "token-spans",
                                        "deberta",  "deberta-fused", "pool-last", "bi",
                                        "bi-token", "precomputed",   "relations"};
    for (size_t i = 0; i < NF_COUNT(names); i++) check_saved(names[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),       cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_added_tokens), cmocka_unit_test(test_named_encoder),
        cmocka_unit_test(test_labels),       cmocka_unit_test(test_variants),
        cmocka_unit_test(test_saved)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
