/* nerfit.h over GLiNER folders: entities are the package's, all texts of a call at once, on several
 * threads, in each precision that keeps them. */
#include "test.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>

static nerfit_error error;

/* The package repeats a span that several labels' words make, if a span may have several labels. */
static bool repeats(const json_t *entities, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (json_equal(json_array_get(entities, k), json_array_get(entities, i))) return true;
    return false;
}

static size_t compare(const char *name, size_t call, const char *text,
                      const nerfit_prediction *prediction, const json_t *entities) {
    size_t k = 0;
    for (size_t i = 0; i < json_array_size(entities); i++) {
        json_int_t start, end;
        const char *label;
        double score;
        json_unpack(json_array_get(entities, i), "[IIsF]", &start, &end, &label, &score);
        if (repeats(entities, i)) continue;
        const nerfit_entity *e = k < prediction->n_entities ? &prediction->entities[k++] : NULL;
        if (!e || e->start != start || e->end != end || strcmp(e->label, label) != 0 ||
            fabs(e->score - score) > 1e-4)
            fail_msg("%s, call %zu, \"%s\": entity %zu is %u..%u %s %.6f, gliner has %lld..%lld %s "
                     "%.6f",
                     name, call, text, i, e ? e->start : 0, e ? e->end : 0, e ? e->label : "-",
                     e ? e->score : 0.0, start, end, label, score);
    }
    if (k != prediction->n_entities)
        fail_msg("%s, call %zu, \"%s\": %zu entities, gliner has %zu", name, call, text,
                 prediction->n_entities, k);
    return k;
}

static size_t names_of(const json_t *labels, const char **names) {
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(labels); i++) {
        size_t k = 0;
        const char *name = json_string_value(json_array_get(labels, i));
        while (k < n && strcmp(names[k], name) != 0) k++;
        if (k == n) names[n++] = name;
    }
    return n;
}

static size_t check_call(const char *name, nerfit_session *session, size_t index,
                         const json_t *call, const json_t *texts) {
    const json_t *labels = json_object_get(call, "labels");
    bool per_text = json_is_array(json_array_get(labels, 0));
    const nerfit_threshold threshold = {NULL,
                                        json_number_value(json_object_get(call, "threshold"))};
    size_t count = json_array_size(texts), found = 0;
    const char *list[16], *names[16][16];
    nerfit_label_list own[16];
    nerfit_call_options options = NERFIT_CALL_OPTIONS_INIT;
    options.thresholds = &threshold;
    options.n_thresholds = 1;
    options.nested = json_is_false(json_object_get(call, "flat_ner"));
    options.multi_label = json_is_true(json_object_get(call, "multi_label"));
    for (size_t i = 0; i < count; i++) {
        list[i] = json_string_value(json_array_get(texts, i));
        own[i].labels = names[i];
        own[i].count = names_of(per_text ? json_array_get(labels, i) : labels, names[i]);
    }
    options.labels = names[0];
    options.n_labels = own[0].count;
    if (per_text) options.text_labels = own;
    const nerfit_prediction *predictions;
    assert_ok(nerfit_predict_with(session, &options, list, NULL, count, &predictions, &error),
              &error);
    for (size_t k = 0; k < count; k++)
        found += compare(name, index, list[k], &predictions[k],
                         json_array_get(json_object_get(call, "entities"), k));
    return found;
}

static void check_model(const char *name, const nerfit_model_options *options) {
    char path[300];
    nerfit_model *model;
    nerfit_session *session;
    snprintf(path, sizeof path, "tests/golden/gliner/%s", name);
    assert_ok(nerfit_model_load(&model, path, options, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    snprintf(path, sizeof path, "tests/golden/gliner/%s/golden.json", name);
    json_t *golden = json_load_file(path, 0, NULL);
    const json_t *predict = json_object_get(golden, "predict"), *call;
    size_t i, found = 0;
    json_array_foreach(json_object_get(predict, "calls"), i, call) {
        found += check_call(name, session, i, call, json_object_get(predict, "texts"));
    }
    assert_true(found > 20);
    nerfit_session_free(session);
    nerfit_model_free(model);
    json_decref(golden);
}

static void test_models(void **state) {
    (void)state;
    static const nerfit_model_options all[] = {
        {.size = sizeof all[0], .precision = "f32", .threads = 1},
        {.size = sizeof all[0], .precision = "f32", .threads = 3},
        {.size = sizeof all[0], .backend = "ref", .precision = "f32"}};
    struct dirent *entry;
    size_t models = 0;
    for (size_t o = 0; o < sizeof all / sizeof *all; o++) {
        DIR *folder = opendir("tests/golden/gliner");
        assert_non_null(folder);
        while ((entry = readdir(folder)))
            if (entry->d_name[0] != '.') check_model(entry->d_name, &all[o]), models++;
        closedir(folder);
    }
    assert_true(models > 30);
}

static const char text[] = "Alice Johnson works at Acme-Corp in New York since 2019.";

static void test_labels(void **state) {
    (void)state;
    nerfit_model *model;
    nerfit_session *session;
    const nerfit_prediction *predictions;
    const char *texts[] = {text}, *labels[] = {"person", "place of birth"};
    nerfit_call_options options = NERFIT_CALL_OPTIONS_INIT;
    nerfit_model_options none = {.size = sizeof none, .precision = "f32"},
                         named = {.size = sizeof named, .precision = "f32"};
    named.labels = "person, organization, place of birth";

    assert_ok(nerfit_model_load(&model, "tests/golden/gliner/markerv0", &none, &error), &error);
    assert_int_equal(nerfit_model_label_count(model), 0);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    assert_int_equal(nerfit_predict(session, texts, NULL, 1, &predictions, &error),
                     NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "is a GLiNER model, which finds labels that are named"));
    /* labels of a call, which need not be the model's, and its thresholds for them */
    const nerfit_threshold thresholds[] = {{NULL, 0.7}, {"person", 0.9}};
    options.labels = labels;
    options.n_labels = 2;
    options.thresholds = thresholds;
    options.n_thresholds = 2;
    assert_ok(nerfit_predict_with(session, &options, texts, NULL, 1, &predictions, &error), &error);
    assert_true(predictions[0].n_entities > 0);
    for (size_t i = 0; i < predictions[0].n_entities; i++) {
        const nerfit_entity *e = &predictions[0].entities[i];
        assert_true(e->score > (strcmp(e->label, "person") == 0 ? 0.9 : 0.7));
    }
    const nerfit_threshold unknown = {"organization", 0.7};
    options.thresholds = &unknown;
    options.n_thresholds = 1;
    assert_int_equal(nerfit_predict_with(session, &options, texts, NULL, 1, &predictions, &error),
                     NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "no entity type \"organization\""));
    nerfit_session_free(session);
    nerfit_model_free(model);

    assert_ok(nerfit_model_load(&model, "tests/golden/gliner/markerv0", &named, &error), &error);
    assert_int_equal(nerfit_model_label_count(model), 7);
    assert_string_equal(nerfit_model_label(model, 5), "B-place of birth");
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    assert_ok(nerfit_session_set_threshold(session, NULL, 0.8, &error), &error);
    assert_ok(nerfit_predict(session, texts, NULL, 1, &predictions, &error), &error);
    /* words have their entities' labels */
    const nerfit_prediction *p = &predictions[0];
    assert_int_equal(p->n_tokens, 11);
    assert_true(p->n_entities > 3);
    for (size_t i = 0; i < p->n_entities; i++)
        for (size_t w = 0; w < p->n_tokens; w++) {
            if (p->tokens[w].start < p->entities[i].start || p->tokens[w].end > p->entities[i].end)
                continue;
            char tag[64];
            snprintf(tag, sizeof tag, "%s-%s",
                     p->tokens[w].start == p->entities[i].start ? "B" : "I", p->entities[i].label);
            assert_string_equal(p->tokens[w].label, tag);
        }
    nerfit_session_free(session);
    nerfit_model_free(model);
    named.decoder = "viterbi";
    assert_ok(nerfit_model_load(&model, "tests/golden/gliner/markerv0", &named, &error), &error);
    assert_int_equal(nerfit_session_new(&session, model, &error), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "is a GLiNER model, which scores spans"));
    nerfit_model_free(model);
}

/* A run of a script without spaces, in which GLiNER finds nothing, by characters. */
static void test_characters(void **state) {
    (void)state;
    nerfit_model *model;
    nerfit_session *session;
    const nerfit_prediction *predictions;
    const char *texts[] = {"\u6771\u4eac\u306b in"}, *labels[] = {"person"};
    nerfit_model_options plain = {.size = sizeof plain, .precision = "f32"};
    nerfit_call_options options = NERFIT_CALL_OPTIONS_INIT;
    const nerfit_threshold all = {NULL, 0.0};
    options.labels = labels;
    options.n_labels = 1;
    options.thresholds = &all;
    options.n_thresholds = 1;
    options.nested = true;
    assert_ok(nerfit_model_load(&model, "tests/golden/gliner/markerv0", &plain, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    for (int i = 0; i < 2; i++) {
        options.characters = i;
        assert_ok(nerfit_predict_with(session, &options, texts, NULL, 1, &predictions, &error),
                  &error);
        assert_int_equal(predictions[0].n_tokens, i ? 4 : 2);
        /* spans that can be nested: all that do not cut one another */
        bool inside = false;
        for (size_t k = 0; k < predictions[0].n_entities; k++)
            inside |= predictions[0].entities[k].end < 3;
        assert_int_equal(inside, i);
    }
    nerfit_session_free(session);
    nerfit_model_free(model);
}

/* A bi-encoder's labels are encoded once, whichever calls name them. */
static void test_label_vectors(void **state) {
    (void)state;
    static const char *const names[] = {"person", "city", "drug", "dose of a drug"};
    nerfit_model_options plain = {.size = sizeof plain, .precision = "f32", .threads = 1};
    double scores[4][2] = {
        {0}}; /* of the first entity by the first two calls that name the label */
    const char *texts[] = {text};
    nerfit_model *model;
    nerfit_session *session;
    const nerfit_prediction *predictions;
    assert_ok(nerfit_model_load(&model, "tests/golden/gliner/bi", &plain, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    for (size_t i = 0; i < 8; i++) {
        const char *label = names[i % 4];
        const nerfit_threshold all = {NULL, 0.0};
        nerfit_call_options options = NERFIT_CALL_OPTIONS_INIT;
        options.labels = &label;
        options.n_labels = 1;
        options.thresholds = &all;
        options.n_thresholds = 1;
        assert_ok(nerfit_predict_with(session, &options, texts, NULL, 1, &predictions, &error),
                  &error);
        assert_true(predictions[0].n_entities > 0);
        assert_string_equal(predictions[0].entities[0].label, label);
        scores[i % 4][i / 4] = predictions[0].entities[0].score;
    }
    for (size_t i = 0; i < 4; i++) assert_true(scores[i][0] == scores[i][1]);
    assert_true(scores[0][0] != scores[1][0] && scores[1][0] != scores[2][0]);
    nerfit_session_free(session);
    nerfit_model_free(model);
}

/* What is said of other models. */
static void test_others(void **state) {
    (void)state;
    nerfit_model *model;
    nerfit_session *session = NULL;
    const nerfit_prediction *predictions;
    const char *texts[] = {text}, *labels[] = {"person"};
    nerfit_call_options options = NERFIT_CALL_OPTIONS_INIT;
    const char *encoder = test_encoder_folder();
    if (!encoder) skip();
    nerfit_model_options named = {.size = sizeof named, .labels = "person, place"};
    assert_ok(nerfit_model_load(&model, encoder, &named, &error), &error);
    assert_ok(nerfit_session_new(&session, model, &error), &error);
    options.labels = labels;
    options.n_labels = 1;
    assert_int_equal(nerfit_predict_with(session, &options, texts, NULL, 1, &predictions, &error),
                     NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "labels of a call are for GLiNER models"));
    options.n_labels = 0;
    options.nested = true;
    assert_int_equal(nerfit_predict_with(session, &options, texts, NULL, 1, &predictions, &error),
                     NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "nested and multi_label are for GLiNER models"));
    options.nested = false;
    options.characters = true;
    assert_int_equal(nerfit_predict_with(session, &options, texts, NULL, 1, &predictions, &error),
                     NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "characters is for GLiNER models"));
    nerfit_session_free(session);
    nerfit_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models), cmocka_unit_test(test_labels),
                                       cmocka_unit_test(test_characters),
                                       cmocka_unit_test(test_label_vectors),
                                       cmocka_unit_test(test_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
