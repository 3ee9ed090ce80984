/* One small tokenizer for each component, and the matcher of patterns, on a table of hard texts:
 * against Hugging Face `tokenizers` (tools/golden/tokenizer_components.py). */
#include "test.h"

#include "base/json.h"
#include "base/utf8.h"
#include "text/regex.h"
#include "text/tokenizer_impl.h"
#include "text/unicode.h"

static json_t *load_golden(void) {
    json_t *root;
    nerfit_error err = {0};
    assert_ok(nf_json_load(&root, "tests/golden/tokenizer-components.json", &err), &err);
    return root;
}

static bool same_numbers(const json_t *want, const int64_t *got, size_t count) {
    if (json_array_size(want) != count) return false;
    for (size_t i = 0; i < count; i++)
        if (json_integer_value(json_array_get(want, i)) != got[i]) return false;
    return true;
}

static void show(const char *name, const json_t *text, const json_t *want, const int64_t *got,
                 size_t count) {
    char *shown = json_dumps(text, JSON_ENCODE_ANY), *wanted = json_dumps(want, JSON_COMPACT);
    printf("%s: %s\n  expected %s\n  got      [", name, shown, wanted);
    for (size_t i = 0; i < count; i++) printf("%s%lld", i ? "," : "", (long long)got[i]);
    printf("]\n");
    free(shown);
    free(wanted);
}

/* ---- components */

/* Ids, offsets and words of one text. */
static size_t check_row(const char *name, const nf_encoding *e, const json_t *text,
                        const json_t *row) {
    int64_t *got = calloc(e->length * 2 + 1, sizeof *got);
    size_t wrong = 0;
    for (int part = 0; part < 3; part++) {
        size_t count = part == 1 ? 2 * e->length : e->length;
        for (size_t i = 0; i < count; i++)
            got[i] = part == 0   ? (int64_t)e->ids[i]
                     : part == 2 ? (int64_t)e->words[i]
                     : i % 2     ? (int64_t)e->ends[i / 2]
                                 : (int64_t)e->starts[i / 2];
        if (same_numbers(json_array_get(row, (size_t)part), got, count)) continue;
        show(name, text, json_array_get(row, (size_t)part), got, count);
        wrong = 1;
    }
    free(got);
    return wrong;
}

static size_t check_component(const json_t *item, const json_t *texts) {
    nf_tokenizer *t = calloc(1, sizeof *t);
    nerfit_error err = {0};
    const char *name = json_string_value(json_object_get(item, "name"));
    char *description = json_dumps(json_object_get(item, "tokenizer"), 0);
    assert_non_null(description);
    assert_ok(nf_tokenizer_parse(t, description, strlen(description), name, &err), &err);
    free(description);
    nf_tokenizer_scratch *scratch = nf_tokenizer_scratch_new();
    nf_encoding e = {0};
    size_t i, wrong = 0;
    json_t *row;
    json_array_foreach(json_object_get(item, "rows"), i, row) {
        const json_t *text = json_array_get(texts, i);
        assert_ok(nf_tokenizer_encode_with(t, scratch, json_string_value(text),
                                           json_string_length(text), true, &e, &err),
                  &err);
        wrong += check_row(name, &e, text, row);
    }
    nf_encoding_free(&e);
    nf_tokenizer_scratch_free(scratch);
    nf_tokenizer_free(t);
    return wrong;
}

static void test_components(void **state) {
    (void)state;
    json_t *root = load_golden(), *item;
    size_t i, wrong = 0;
    json_array_foreach(json_object_get(root, "cases"), i, item) wrong +=
        check_component(item, json_object_get(root, "texts"));
    assert_true(i > 40);
    json_decref(root);
    assert_int_equal(wrong, 0);
}

/* ---- patterns */

static size_t check_pattern(const json_t *item, const json_t *texts) {
    nf_arena arena = {0};
    nf_regex_scratch scratch = {0};
    nf_regex *regex;
    nerfit_error err = {0};
    const char *name = json_string_value(json_object_get(item, "name"));
    const char *pattern = json_string_value(json_object_get(item, "pattern"));
    assert_ok(nf_regex_compile(&regex, pattern, &arena, "golden", "pattern", &err), &err);
    size_t i, wrong = 0;
    json_t *row;
    json_array_foreach(json_object_get(item, "rows"), i, row) {
        const char *text = json_string_value(json_array_get(texts, i));
        size_t length = strlen(text), count = 0, start, end;
        int64_t *got = calloc(2 * length + 4, sizeof *got);
        nf_regex_search search = {
            .regex = regex, .scratch = &scratch, .text = text, .length = length};
        nf_regex_result result;
        while ((result = nf_regex_next(&search, &start, &end)) == NF_REGEX_FOUND) {
            if (start == end) continue; /* the package gives no empty pieces */
            got[count++] = (int64_t)nf_utf8_count(text, start);
            got[count++] = (int64_t)nf_utf8_count(text, end);
        }
        assert_int_equal(result, NF_REGEX_END);
        if (!same_numbers(row, got, count)) {
            show(name, json_array_get(texts, i), row, got, count);
            wrong++;
        }
        free(got);
    }
    nf_regex_scratch_free(&scratch);
    nf_arena_free(&arena);
    return wrong;
}

static void test_patterns(void **state) {
    (void)state;
    json_t *root = load_golden(), *item;
    size_t i, wrong = 0;
    json_array_foreach(json_object_get(root, "patterns"), i, item) wrong +=
        check_pattern(item, json_object_get(root, "texts"));
    assert_true(i > 20);
    json_decref(root);
    assert_int_equal(wrong, 0);
}

/* A pattern that would take forever is an error of the text, not a hang. */
static void test_too_hard(void **state) {
    (void)state;
    static const char description[] =
        "{\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"a\", \"vocab\": {\"a\": 0}}, "
        "\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?:a|ab|aa)+c\"}, "
        "\"behavior\": \"Isolated\", \"invert\": false}}";
    nerfit_error err = {0};
    nf_tokenizer *t = calloc(1, sizeof *t);
    assert_ok(nf_tokenizer_parse(t, description, sizeof description - 1, "hard.json", &err), &err);
    nf_encoding e = {0};
    static const char text[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    assert_int_equal(nf_tokenizer_encode(t, text, sizeof text - 1, true, &e, &err),
                     NERFIT_UNSUPPORTED);
    assert_string_equal(err.text, "a pattern of the tokenizer takes too many steps on this text");
    assert_ok(nf_tokenizer_encode(t, "aaac", 4, true, &e, &err), &err);
    nf_encoding_free(&e);
    nf_tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_components),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_too_hard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
