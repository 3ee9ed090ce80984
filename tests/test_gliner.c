/* GLiNER models against the package `gliner` (tests/golden/gliner, tools/golden/gliner_models.py):
 * words, prompts, logits and entities of tiny models of every kind; windows over long texts. */
#include "test.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>

#include "base/file.h"
#include "model/gliner_decode.h"
#include "model/gliner_prompt.h"
#include "tensor/backends.h"
#include "tensor/profile.h"

enum { MODELS = 40 };

static nerfit_error error;
static char *models[MODELS];
static size_t n_models;

static json_t *golden_of(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "tests/golden/gliner/%s/golden.json", name);
    json_t *golden = json_load_file(path, 0, NULL);
    if (!golden) fail_msg("%s cannot be read", path);
    return golden;
}

static nf_model *load(const char *name, nf_backend *be) {
    char path[256];
    nf_model *model;
    snprintf(path, sizeof path, "tests/golden/gliner/%s", name);
    assert_ok(nf_model_load(&model, path, be, NULL, &error), &error);
    assert_ok(nf_model_prepare_use(model, &error), &error);
    return model;
}

static int32_t *ints_of(const json_t *array, size_t *count) {
    *count = json_array_size(array);
    int32_t *out = calloc(*count + 1, sizeof *out);
    for (size_t i = 0; i < *count; i++)
        out[i] = (int32_t)json_integer_value(json_array_get(array, i));
    return out;
}

/* The words' and the labels' places, of the package's own ids and masks. */
typedef struct golden_text {
    int32_t *ids, *mask, *starts, *ends, *places;
    nf_gliner_text text;
} golden_text;

static golden_text text_of(const nf_gliner *g, const json_t *row, size_t n_labels) {
    golden_text out = {0};
    size_t length, n_words = json_array_size(json_object_get(row, "words")), labels = 0;
    out.ids = ints_of(json_object_get(row, "ids"), &length);
    out.mask = ints_of(json_object_get(row, "words_mask"), &length);
    out.starts = calloc(n_words + 1, sizeof *out.starts);
    out.ends = calloc(n_words + 1, sizeof *out.ends);
    out.places = calloc(length + 1, sizeof *out.places);
    for (size_t i = 0; i < length; i++) {
        int32_t w = out.mask[i] - 1;
        if (w >= 0 && out.ends[w] == 0) out.starts[w] = (int32_t)i;
        if (w >= 0) out.ends[w] = (int32_t)i + 1;
        if (out.ids[i] == g->label_token)
            out.places[labels++] = (int32_t)i + !g->config.embed_ent_token;
    }
    out.text = (nf_gliner_text){.ids = out.ids,
                                .length = length,
                                .word_starts = out.starts,
                                .word_ends = out.ends,
                                .n_words = n_words,
                                .label_places = out.places,
                                .n_labels = n_labels};
    return out;
}

static void text_free(golden_text *text) {
    free(text->ids);
    free(text->mask);
    free(text->starts);
    free(text->ends);
    free(text->places);
}

static void compare(const char *name, const char *what, const float *values, const json_t *expected,
                    double tolerance) {
    size_t count = json_array_size(expected);
    for (size_t i = 0; i < count; i++) {
        double want = json_number_value(json_array_get(expected, i));
        double got = isinf(values[i]) ? 0.0 : (double)values[i]; /* spans past the end */
        if (fabs(got - want) > tolerance)
            fail_msg("%s: %s, logit %zu of %zu is %.7g, gliner has %.7g", name, what, i, count, got,
                     want);
    }
}

/* All texts of a model, in one batch and one by one. */
static void check_model(const char *name, nf_backend *be, double tolerance) {
    nf_model *model = load(name, be);
    const nf_gliner *g = model->gliner;
    json_t *golden = golden_of(name);
    const json_t *rows = json_object_get(golden, "texts"),
                 *labels = json_object_get(golden, "labels");
    size_t count = json_array_size(rows), n_labels = json_array_size(labels);
    golden_text *texts = calloc(count, sizeof *texts);
    nf_gliner_text *list = calloc(count, sizeof *list);
    nf_gliner_logits *logits = calloc(count, sizeof *logits);
    float *vectors = calloc(n_labels * g->config.size, sizeof *vectors);
    nf_workspace *ws;
    assert_ok(nf_workspace_new(&ws, be, &error), &error);
    nf_pass pass = {.be = be, .ws = ws};
    if (g->config.labels_encoder) {
        const char *names[16];
        for (size_t i = 0; i < n_labels; i++)
            names[i] = json_string_value(json_array_get(labels, i));
        assert_ok(nf_gliner_encode_labels(model, &pass, names, n_labels, vectors, &error), &error);
    } else if (g->precomputed) {
        be->to_f32(be, vectors, g->precomputed->values, n_labels * g->config.size);
    }
    for (size_t t = 0; t < count; t++) {
        texts[t] = text_of(g, json_array_get(rows, t), n_labels);
        if (g->config.labels_encoder || g->precomputed) texts[t].text.label_vectors = vectors;
        list[t] = texts[t].text;
    }
    for (size_t batch = count; batch >= 1; batch = batch > 1 ? 1 : 0)
        for (size_t t = 0; t < count; t += batch) {
            nf_arena arena = {0};
            nf_workspace_reset(ws);
            assert_ok(nf_gliner_forward(model, &pass, list + t, batch, 0.5, &arena, logits, &error),
                      &error);
            for (size_t k = 0; k < batch; k++) {
                const json_t *row = json_array_get(rows, t + k);
                const char *text = json_string_value(json_object_get(row, "text"));
                compare(name, text, logits[k].values, json_object_get(row, "logits"), tolerance);
                if (json_object_get(row, "span_logits") &&
                    logits[k].n_spans == json_array_size(json_object_get(row, "spans")))
                    compare(name, text, logits[k].span_values, json_object_get(row, "span_logits"),
                            tolerance);
            }
            nf_arena_free(&arena);
        }
    for (size_t t = 0; t < count; t++) text_free(&texts[t]);
    free(texts);
    free(list);
    free(logits);
    free(vectors);
    nf_workspace_free(ws);
    nf_model_free(model);
    json_decref(golden);
}

static void test_logits_ref(void **state) {
    (void)state;
    nf_backend *be;
    assert_ok(nf_backend_ref(&be, sizeof(double), &error), &error);
    for (size_t i = 0; i < n_models; i++) check_model(models[i], be, 1e-4);
    be->free(be);
}

static void test_logits_cpu(void **state) {
    (void)state;
    nf_backend *be;
    assert_ok(nf_backend_cpu(&be, NF_PRECISION_F32, 2, &error), &error);
    for (size_t i = 0; i < n_models; i++) check_model(models[i], be, 1e-4);
    be->free(be);
}

/* ---------------------------------------------------------------- whole texts */

/* What tagging a text needs, all in one place. */
typedef struct tagging {
    nf_model *model;
    nf_pass pass;
    nf_tokenizer_scratch *scratch;
    nf_gliner_words words;
    nf_arena arena;
    nf_word_limits limits;
    float vectors[16 * 64];
} tagging;

static void tagging_begin(tagging *t, const char *name, nf_backend *be) {
    *t = (tagging){.model = load(name, be), .scratch = nf_tokenizer_scratch_new()};
    t->pass.be = be;
    assert_ok(nf_workspace_new(&t->pass.ws, be, &error), &error);
    const nf_gliner_config *config = &t->model->gliner->config;
    t->limits = (nf_word_limits){config->max_words, 1000, config->max_width};
}

static void tagging_end(tagging *t) {
    nf_workspace_free(t->pass.ws);
    nf_tokenizer_scratch_free(t->scratch);
    nf_gliner_words_free(&t->words);
    nf_arena_free(&t->arena);
    nf_model_free(t->model);
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

/* The text's entities, in `list`. */
static void tag(tagging *t, const char *text, const char *const *names, size_t n_labels,
                double threshold, const nf_span_rules *rules, nf_span_list *list) {
    const nf_gliner *g = t->model->gliner;
    nf_gliner_prompt prompt;
    nf_word_window *windows;
    size_t n_windows;
    double thresholds[16];
    list->count = 0;
    nf_arena_free(&t->arena);
    for (size_t i = 0; i < n_labels; i++) thresholds[i] = threshold;
    assert_ok(nf_gliner_words_encode(&t->words, t->model->tokenizer, t->scratch, text, strlen(text),
                                     false, &error),
              &error);
    assert_ok(nf_gliner_prompt_make(&prompt, t->model, names, n_labels, &error), &error);
    assert_ok(nf_word_windows_plan(&windows, &n_windows, t->words.firsts, t->words.words.count,
                                   &t->limits, &error),
              &error);
    nf_workspace_reset(t->pass.ws);
    if (g->config.labels_encoder)
        assert_ok(nf_gliner_encode_labels(t->model, &t->pass, names, n_labels, t->vectors, &error),
                  &error);
    else if (g->precomputed)
        t->pass.be->to_f32(t->pass.be, t->vectors, g->precomputed->values,
                           n_labels * g->config.size);
    float *words = calloc(t->words.words.count * n_labels * 3 + 1, sizeof *words);
    for (size_t w = 0; w < n_windows; w++) {
        nf_gliner_text sequence;
        nf_gliner_logits logits;
        nf_gliner_window window = {windows, n_windows, w, &logits, n_labels};
        assert_ok(nf_gliner_sequence(&sequence, &prompt, &t->words, windows[w].start,
                                     windows[w].end, 1000, &t->arena, &error),
                  &error);
        if (g->config.labels_encoder || g->precomputed) sequence.label_vectors = t->vectors;
        nf_workspace_reset(t->pass.ws);
        assert_ok(nf_gliner_forward(t->model, &t->pass, &sequence, 1, threshold, &t->arena, &logits,
                                    &error),
                  &error);
        if (!nf_gliner_scores_words(g))
            assert_ok(nf_gliner_add_spans(list, g, &window, thresholds, &error), &error);
        for (size_t i = windows[w].start; i < windows[w].end && nf_gliner_scores_words(g); i++)
            if (nf_word_window_owns(windows, n_windows, w, i, i))
                memcpy(words + i * n_labels * 3,
                       logits.values + (i - windows[w].start) * n_labels * 3,
                       n_labels * 3 * sizeof *words);
    }
    if (nf_gliner_scores_words(g))
        assert_ok(nf_gliner_add_word_spans(list, words, t->words.words.count, n_labels, thresholds,
                                           &error),
                  &error);
    assert_ok(nf_spans_choose(list->items, &list->count, t->words.words.count, rules, &error),
              &error);
    free(words);
    free(windows);
    nf_gliner_prompt_free(&prompt);
}

/* The package repeats a span that several labels' words make, if a span may have several labels. */
static bool repeats(const json_t *entities, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (json_equal(json_array_get(entities, k), json_array_get(entities, i))) return true;
    return false;
}

static void compare_entities(const char *name, size_t call, const char *text, const tagging *t,
                             const char *const *names, const nf_span_list *list,
                             const json_t *entities) {
    size_t k = 0;
    for (size_t i = 0; i < json_array_size(entities); i++) {
        json_int_t start, end;
        const char *label;
        double score;
        assert_int_equal(
            json_unpack(json_array_get(entities, i), "[IIsF]", &start, &end, &label, &score), 0);
        if (repeats(entities, i)) continue;
        const nf_entity *s = k < list->count ? &list->items[k++] : NULL;
        const nf_pattern_word *words = t->words.words.items;
        if (!s || words[s->start].start != start || words[s->end - 1].end != end ||
            strcmp(names[s->type], label) != 0 || fabs(s->score - score) > 1e-4)
            fail_msg("%s, call %zu, \"%s\": entity %zu is %u..%u %s %.6f, gliner has %lld..%lld %s "
                     "%.6f",
                     name, call, text, i, s ? words[s->start].start : 0,
                     s ? words[s->end - 1].end : 0, s ? names[s->type] : "-", s ? s->score : 0.0,
                     start, end, label, score);
    }
    if (k != list->count)
        fail_msg("%s, call %zu, \"%s\": %zu entities, gliner has %zu", name, call, text,
                 list->count, k);
}

static void check_entities(const char *name, nf_backend *be) {
    tagging t;
    nf_span_list list = {0};
    json_t *golden = golden_of(name);
    const json_t *predict = json_object_get(golden, "predict"), *call;
    const json_t *texts = json_object_get(predict, "texts");
    size_t i, found = 0;
    tagging_begin(&t, name, be);
    json_array_foreach(json_object_get(predict, "calls"), i, call) {
        const json_t *labels = json_object_get(call, "labels");
        const json_t *flat = json_object_get(call, "flat_ner");
        nf_span_rules rules = {json_is_false(flat),
                               json_is_true(json_object_get(call, "multi_label"))};
        for (size_t k = 0; k < json_array_size(texts); k++) {
            const char *names[16], *text = json_string_value(json_array_get(texts, k));
            bool own = json_is_array(json_array_get(labels, 0));
            size_t n = names_of(own ? json_array_get(labels, k) : labels, names);
            tag(&t, text, names, n, json_number_value(json_object_get(call, "threshold")), &rules,
                &list);
            compare_entities(name, i, text, &t, names, &list,
                             json_array_get(json_object_get(call, "entities"), k));
            found += list.count;
        }
    }
    if (found < 20) fail_msg("%s: only %zu entities in all calls", name, found);
    nf_span_list_free(&list);
    tagging_end(&t);
    json_decref(golden);
}

/* A bi-encoder's labels are encoded when they first come: not again by later calls, and with what comes
 * new. */
static void test_labels_are_kept(void **state) {
    (void)state;
    static const char *const names[] = {"person", "city", "drug", "dose of a drug"};
    static const struct {
        size_t first, count;
        bool encodes;
    } calls[] = {{0, 2, true}, {1, 2, true}, {0, 3, false}, {0, 4, true}, {0, 4, false}};
    nf_backend *be;
    nf_profile profile;
    assert_ok(nf_backend_cpu(&be, NF_PRECISION_F32, 1, &error), &error);
    nf_model *model = load("bi", be);
    nf_profile_init(&profile, be);
    size_t d = model->gliner->config.size, encoded = 0;
    float *expected = calloc(4 * d, sizeof *expected);
    nf_pass pass = {.be = be};
    assert_ok(nf_workspace_new(&pass.ws, be, &error), &error);
    assert_ok(nf_gliner_encode_labels(model, &pass, names, 4, expected, &error), &error);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        nf_gliner_labels labels = {.names = names + calls[i].first,
                                   .prompts = names + calls[i].first,
                                   .count = calls[i].count};
        assert_ok(nf_gliner_labels_prepare(&labels, model, &profile.be, &error), &error);
        assert_int_equal(profile.calls[NF_CALL_attention_forward] > encoded, calls[i].encodes);
        encoded = profile.calls[NF_CALL_attention_forward];
        for (size_t k = 0; k < calls[i].count * d; k++)
            assert_true(fabsf(labels.vectors[k] - expected[calls[i].first * d + k]) < 1e-5f);
        nf_gliner_labels_free(&labels);
    }
    static const char *const twice[] = {"person", "city", "person"};
    nf_gliner_labels labels = {.names = twice, .prompts = twice, .count = 3};
    assert_int_equal(nf_gliner_labels_prepare(&labels, model, be, &error), NERFIT_ARGUMENT);
    assert_string_equal(error.text, "label \"person\" comes twice");
    nf_workspace_free(pass.ws);
    nf_model_free(model);
    be->free(be);
    free(expected);
}

static void test_entities(void **state) {
    (void)state;
    nf_backend *be;
    assert_ok(nf_backend_cpu(&be, NF_PRECISION_F32, 2, &error), &error);
    for (size_t i = 0; i < n_models; i++) check_entities(models[i], be);
    be->free(be);
}

/* Words, sub-words and the places of labels are the package's. */
static void test_sequences(void **state) {
    (void)state;
    nf_backend *be;
    assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
    for (size_t m = 0; m < n_models; m++) {
        tagging t;
        json_t *golden = golden_of(models[m]);
        const json_t *rows = json_object_get(golden, "texts"), *row;
        const char *names[16];
        size_t n_labels = names_of(json_object_get(golden, "labels"), names), i;
        nf_gliner_prompt prompt;
        tagging_begin(&t, models[m], be);
        assert_ok(nf_gliner_prompt_make(&prompt, t.model, names, n_labels, &error), &error);
        json_array_foreach(rows, i, row) {
            const char *text = json_string_value(json_object_get(row, "text"));
            const json_t *words = json_object_get(row, "words"), *ids = json_object_get(row, "ids");
            nf_gliner_text sequence;
            assert_ok(nf_gliner_words_encode(&t.words, t.model->tokenizer, t.scratch, text,
                                             strlen(text), false, &error),
                      &error);
            assert_int_equal(t.words.words.count, json_array_size(words));
            for (size_t w = 0; w < t.words.words.count; w++) {
                const json_t *word = json_array_get(words, w);
                assert_int_equal(t.words.words.items[w].start,
                                 json_integer_value(json_array_get(word, 0)));
                assert_int_equal(t.words.words.items[w].end,
                                 json_integer_value(json_array_get(word, 1)));
            }
            assert_ok(nf_gliner_sequence(&sequence, &prompt, &t.words, 0, t.words.words.count, 1000,
                                         &t.arena, &error),
                      &error);
            if (sequence.length != json_array_size(ids))
                fail_msg("%s, \"%s\": %zu ids, gliner has %zu", models[m], text, sequence.length,
                         json_array_size(ids));
            for (size_t k = 0; k < sequence.length; k++)
                assert_int_equal(sequence.ids[k], json_integer_value(json_array_get(ids, k)));
        }
        nf_gliner_prompt_free(&prompt);
        tagging_end(&t);
        json_decref(golden);
    }
    be->free(be);
}

static int find_models(void **state) {
    (void)state;
    struct dirent *entry;
    DIR *folder = opendir("tests/golden/gliner");
    if (!folder) return 1;
    while ((entry = readdir(folder)) && n_models < MODELS)
        if (entry->d_name[0] != '.') models[n_models++] = strdup(entry->d_name);
    closedir(folder);
    return n_models < 10;
}

static int free_models(void **state) {
    (void)state;
    for (size_t i = 0; i < n_models; i++) free(models[i]);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logits_ref), cmocka_unit_test(test_logits_cpu),
        cmocka_unit_test(test_sequences), cmocka_unit_test(test_labels_are_kept),
        cmocka_unit_test(test_entities)};
    return cmocka_run_group_tests(tests, find_models, free_models);
}
