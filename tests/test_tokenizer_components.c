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

static nf_tokenizer *tokenizer_of(const char *parts) {
    nf_str description = {0};
    nerfit_error err = {0};
    nf_tokenizer *t = calloc(1, sizeof *t);
    assert_non_null(t);
    nf_str_appendf(&description,
                   "{\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"a\", \"vocab\": "
                   "{\"a\": 0}}, %s}",
                   parts);
    assert_ok(nf_tokenizer_parse(t, description.data, description.length, "hard.json", &err), &err);
    nf_str_free(&description);
    return t;
}

static nf_tokenizer *tokenizer_split_by(const char *pattern) {
    char parts[400];
    snprintf(parts, sizeof parts,
             "\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"%s\"}, "
             "\"behavior\": \"Isolated\", \"invert\": false}",
             pattern);
    return tokenizer_of(parts);
}

/* Encodes [size] letters "a" and "b"; returns the status. */
static nerfit_status encode_letters(const nf_tokenizer *t, size_t size, nerfit_error *err) {
    nf_encoding e = {0};
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, 'a', size);
    text[size] = 'b';
    nerfit_status status = nf_tokenizer_encode(t, text, size + 1, true, &e, err);
    nf_encoding_free(&e);
    free(text);
    return status;
}

/* A pattern whose time grows with 2^n, n^2 or n^3 is an error of the text, not a hang; what is within the
 * limits is matched. */
static void test_too_hard(void **state) {
    (void)state;
    static const struct {
        const char *pattern;
        size_t fine, too_hard;
    } cases[] = {
        {"(?:a|ab|aa)+c", 10, 68},         /* steps back at one place */
        {"a*c", 1000, 40000},              /* a loop that begins anew everywhere */
        {"a*+c", 1000, 40000},             /* without a step back */
        {"(?:a|a(?=a*+c))+c", 300, 20000}, /* within looks */
        {"(?>(?:aa)*)c", 1000, 60000},     /* turns of a group, without a step back */
        {"(?:aa)*?c", 1000, 60000},
        {"(?<=a{0,200})c|a*c", 1000, 40000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nerfit_error err = {0};
        nf_tokenizer *t = tokenizer_split_by(cases[i].pattern);
        assert_ok(encode_letters(t, cases[i].fine, &err), &err);
        nerfit_status status = encode_letters(t, cases[i].too_hard, &err);
        if (status != NERFIT_UNSUPPORTED) print_error("%s: status %d\n", cases[i].pattern, status);
        assert_int_equal(status, NERFIT_UNSUPPORTED);
        assert_string_equal(err.text,
                            "a pattern of the tokenizer takes too many steps on this text");
        assert_ok(encode_letters(t, 3, &err), &err);
        nf_tokenizer_free(t);
    }
}

/* Patterns of published tokenizers stay far below the limit, however long the text. */
static void test_long_texts_are_not_hard(void **state) {
    (void)state;
    static const char *const patterns[] = {
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| "
        "?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+",
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| "
        "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+",
    };
    static const char letters[] = {'a', ' ', '.', '\n', '1'};
    enum { SIZE = 1000000 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        nf_tokenizer *t = tokenizer_split_by(patterns[i]);
        for (size_t k = 0; k < sizeof letters; k++) {
            nf_encoding e = {0};
            nerfit_error err = {0};
            memset(text, letters[k], SIZE);
            assert_ok(nf_tokenizer_encode(t, text, SIZE, true, &e, &err), &err);
            nf_encoding_free(&e);
        }
        nf_tokenizer_free(t);
    }
    free(text);
}

/* Replacements that multiply each other. */
static void test_growth(void **state) {
    (void)state;
    static const char step[] = "{\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, "
                               "\"content\": \"aaaaaaaaaa\"}";
    nf_str parts = {0};
    nerfit_error err = {0};
    nf_str_append_text(&parts, "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [");
    for (int i = 0; i < 12; i++) nf_str_appendf(&parts, "%s%s", i ? ", " : "", step);
    nf_str_append_text(&parts, "]}");
    nf_tokenizer *t = tokenizer_of(nf_str_text(&parts));
    assert_int_equal(encode_letters(t, 1, &err), NERFIT_UNSUPPORTED);
    assert_string_equal(err.text,
                        "the tokenizer's replacements make the text a thousand times as long");
    assert_ok(encode_letters(t, 0, &err), &err);
    nf_tokenizer_free(t);
    nf_str_free(&parts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_components), cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_too_hard),   cmocka_unit_test(test_long_texts_are_not_hard),
        cmocka_unit_test(test_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
