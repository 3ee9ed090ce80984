/* Entities of a model whose byte-level tokens hold the space before their word (as those of RoBERTa
 * do, where nothing trims their offsets): an entity begins at its first letter. */
#include "tiny_model.h"

#include "model/model.h"

static nerfit_error error;

#define PLAIN                                                                                      \
    "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":"    \
    "true"

/* "Ġ" is the space's byte. Letters are tokens 5 to 30; words that the merges make follow. */
static void write_tokenizer(const char *path) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("{\"version\":\"1.0\",\"added_tokens\":["
          "{\"id\":0,\"content\":\"<s>\"," PLAIN "},"
          "{\"id\":2,\"content\":\"</s>\"," PLAIN "}],\"normalizer\":null,"
          "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
          "\"trim_offsets\":false,\"use_regex\":true},"
          "\"post_processor\":{\"type\":\"RobertaProcessing\",\"sep\":[\"</s>\",2],"
          "\"cls\":[\"<s>\",0],\"trim_offsets\":false,\"add_prefix_space\":false},"
          "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{"
          "\"<s>\":0,\"<pad>\":1,\"</s>\":2,\"<unk>\":3,\"\u0120\":4,",
          f);
    for (int i = 0; i < 26; i++) fprintf(f, "\"%c\":%d,", 'a' + i, 5 + i);
    fputs("\"\u0120m\":31,\"\u0120me\":32,\"\u0120n\":33,\"in\":34,\"ine\":35,\"\u0120nine\":36},"
          "\"merges\":[[\"\u0120\",\"m\"],[\"\u0120m\",\"e\"],[\"i\",\"n\"],[\"in\",\"e\"],"
          "[\"\u0120\",\"n\"],[\"\u0120n\",\"ine\"]]}}",
          f);
    fclose(f);
}

/* A classifier that calls every token the same, whatever the encoder says. */
static void make_model(const char *folder) {
    char path[256];
    nf_backend *be;
    nf_model *model;
    assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
    assert_ok(nf_model_load(&model, "tests/golden/roberta/token-classification", be, NULL, &error),
              &error);
    assert_ok(nf_parameter_constant(&model->net, nf_token_classifier_linear(model->head)->weight,
                                    0.0f, &error),
              &error);
    float bias[] = {0.0f, 9.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f}; /* B-a */
    assert_int_equal(model->n_labels, sizeof bias / sizeof *bias);
    assert_ok(
        nf_parameter_fill(&model->net, nf_token_classifier_linear(model->head)->bias, bias, &error),
        &error);
    assert_ok(nf_directory_make(folder, &error), &error);
    assert_ok(nf_model_save(model, folder, &error), &error);
    nf_model_free(model);
    be->free(be);
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    write_tokenizer(path);
}

static void test_spaces(void **state) {
    (void)state;
    static const struct {
        const char *text, *entities;
    } cases[] = {
        {"wake me at nine", "0-4 5-7 8-10 11-15"},
        {" nine me", "1-5 6-8"},
        {"me\n nine", "0-2 4-8"},
    };
    char root[64], folder[128];
    snprintf(folder, sizeof folder, "%s/model", temporary_folder(root));
    make_model(folder);
    nerfit_model *model;
    nerfit_session *session;
    assert_ok(nerfit_model_load(&model, folder, NULL, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const nerfit_prediction *p;
        char found[256] = "";
        assert_ok(nerfit_predict(session, &cases[i].text, NULL, 1, &p, &error), &error);
        for (size_t e = 0; e < p->n_entities; e++) {
            size_t used = strlen(found);
            snprintf(found + used, sizeof found - used, "%s%u-%u", e ? " " : "",
                     p->entities[e].start, p->entities[e].end);
        }
        if (strcmp(found, cases[i].entities) != 0)
            fail_msg("\"%s\": %s, expected %s", cases[i].text, found, cases[i].entities);
    }
    nerfit_session_free(session);
    nerfit_model_free(model);
    nf_directory_remove(root, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_spaces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
