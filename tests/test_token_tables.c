/* The tables of tokenizers: what is read from tokenizer.json and vocab.json, every error with its
 * place, and that real files give what jansson gives for them. */
#include "test.h"

#include <math.h>

#include "base/file.h"
#include "text/serde_number.h"
#include "text/tokenizer_impl.h"

/* ---- numbers, against `tokenizers` (tools/golden/serde_numbers.py) */

static void test_numbers(void **state) {
    (void)state;
    json_t *root, *row;
    nerfit_error err = {0};
    size_t i;
    assert_ok(nf_json_load(&root, "tests/golden/serde-numbers.json", &err), &err);
    json_array_foreach(json_object_get(root, "numbers"), i, row) {
        const char *spelling = json_string_value(json_array_get(row, 0));
        const char *expected = json_string_value(json_array_get(row, 1));
        double value = 0;
        bool taken = nf_serde_number(&value, spelling, strlen(spelling));
        if (taken != (expected != NULL) || (expected && (value != strtod(expected, NULL) ||
                                                         !signbit(value) != (*expected != '-'))))
            fail_msg("%s: got %d, %a; expected %s", spelling, taken, value,
                     expected ? expected : "a refusal");
    }
    assert_true(i > 300);
    json_decref(root);
}

/* ---- what is read */

typedef struct loaded {
    nf_arena arena;
    nf_token_tables tables;
    json_t *rest;
} loaded;

static void read_text(loaded *l, const char *text, size_t length) {
    nerfit_error err = {0};
    memset(l, 0, sizeof *l);
    l->tables.arena = &l->arena;
    assert_ok(nf_token_tables_read(&l->tables, &l->rest, text, length, "t", &err), &err);
}

static void release(loaded *l) {
    json_decref(l->rest);
    nf_token_tables_free(&l->tables);
    nf_arena_free(&l->arena);
}

static void check_rest(const loaded *l, const char *expected) {
    char *text = json_dumps(l->rest, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
}

static void test_ids(void **state) {
    (void)state;
    static const char text[] =
        "{\"x\": {\"vocab\": {\"no\": 1}}, \"model\": {\"vocab\": {\"b\": 7, \"\\u2581a\\n\": 0,\n"
        "\"\": 3 , \"\u00e9\": -0}, \"merges\": [\"#version: 0.2\", \"b \u00e9\", [\"\\u0062\", "
        "\"\"], \"\\u0062 b\", \"a \"], \"type\": \"BPE\"}, \"version\": \"1.0\"}";
    static const struct {
        const char *text;
        int32_t id;
    } tokens[] = {{"b", 7}, {"\u2581a\n", 0}, {"", 3}, {"\u00e9", 0}};
    static const char *const merges[][2] = {{"b", "\u00e9"}, {"b", ""}, {"b", "b"}, {"a", ""}};
    loaded l;
    read_text(&l, text, sizeof text - 1);
    assert_int_equal(l.tables.form, NF_TABLE_IDS);
    assert_int_equal(l.tables.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(l.tables.rows[i].text, tokens[i].text);
        assert_int_equal(l.tables.rows[i].length, strlen(tokens[i].text));
        assert_int_equal(l.tables.rows[i].id, tokens[i].id);
        assert_int_equal(nf_token_tables_id(&l.tables, tokens[i].text), tokens[i].id);
    }
    assert_int_equal(nf_token_tables_id(&l.tables, "no"), -1);
    assert_int_equal(l.tables.merge_count, 4);
    for (size_t i = 0; i < 4; i++) {
        const nf_merge_row *m = &l.tables.merges[i];
        assert_int_equal(m->left_length, strlen(merges[i][0]));
        assert_memory_equal(m->left, merges[i][0], m->left_length);
        assert_int_equal(m->right_length, strlen(merges[i][1]));
        assert_memory_equal(m->right, merges[i][1], m->right_length);
    }
    assert_false(l.tables.broken);
    assert_int_equal(l.tables.broken_merge, 0);
    check_rest(&l, "{\"x\":{\"vocab\":{\"no\":1}},\"model\":{\"vocab\":{},\"merges\":[],\"type\":"
                   "\"BPE\"},\"version\":\"1.0\"}");
    release(&l);
}

static void test_scores(void **state) {
    (void)state;
    static const char text[] =
        "{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 0], [ \"\\\"\" , -1.5e-1],\n"
        "[\"a\", -12.625]]}}";
    loaded l;
    read_text(&l, text, sizeof text - 1);
    assert_int_equal(l.tables.form, NF_TABLE_SCORES);
    assert_int_equal(l.tables.count, 3);
    assert_string_equal(l.tables.rows[1].text, "\"");
    assert_true(l.tables.rows[0].score == 0 && l.tables.rows[1].score == -0.15 &&
                l.tables.rows[2].score == -12.625);
    assert_int_equal(nf_token_tables_id(&l.tables, "a"), 2);
    check_rest(&l, "{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}");
    release(&l);
}

/* What is no table stays where it is. */
static void test_others(void **state) {
    (void)state;
    static const char *const texts[] = {
        "[]",
        "{}",
        "7",
        "{\"model\":[{\"vocab\":{}}]}",
        "{\"model\":null}",
        "{\"model\":{\"vocab\":\"x\",\"merges\":{\"a\":1}}}",
        "{\"vocab\":{\"a\":1},\"merges\":[\"a b\"]}",
        "{\"a\":{\"model\":{\"vocab\":{\"a\":1}}}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        loaded l;
        nerfit_error err = {0};
        memset(&l, 0, sizeof l);
        l.tables.arena = &l.arena;
        assert_ok(nf_json_parse(&l.rest, texts[i], strlen(texts[i]), "t", 1, &err), &err);
        json_decref(l.rest);
        assert_ok(nf_token_tables_read(&l.tables, &l.rest, texts[i], strlen(texts[i]), "t", &err),
                  &err);
        assert_int_equal(l.tables.form, NF_TABLE_NONE);
        char *rest = json_dumps(l.rest, JSON_COMPACT | JSON_ENCODE_ANY);
        assert_string_equal(rest, texts[i]);
        free(rest);
        release(&l);
    }
}

/* ---- errors */

#define WORDPIECE(vocab)                                                                           \
    "{\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"u\", \"continuing_subword_prefix\": "  \
    "\"##\", \"max_input_chars_per_word\": 9,\n\"vocab\": " vocab "}}"
#define UNIGRAM(vocab) "{\"model\": {\"type\": \"Unigram\",\n\"vocab\": " vocab "}}"
#define BPE(merges)                                                                                \
    "{\"model\": {\"merges\":\n" merges                                                            \
    ",\n\"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"type\": "                                    \
    "\"BPE\"}}"

static void test_errors(void **state) {
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        /* what a model finds in the tables */
        {WORDPIECE("{\"u\": 0, \"a\": -1}"),
         "t:2:24: model WordPiece: an id must be an integer from 0 to 16777215"},
        {WORDPIECE("{\"u\": 0,\n \"a\": 16777216}"),
         "t:3:7: model WordPiece: an id must be an integer from 0 to 16777215"},
        {WORDPIECE("{\"u\": 0, \"\u00e9\": 99999999999999999999}"),
         "t:2:24: model WordPiece: an id must be an integer from 0 to 16777215"},
        {WORDPIECE("{\"u\": 0, \"a\": 1.0, \"b\": -1}"),
         "t:2:24: model WordPiece: an id must be an integer from 0 to 16777215"},
        {WORDPIECE("{\"u\": 0, \"a\": \"1\"}"),
         "t:2:24: model WordPiece: an id must be an integer from 0 to 16777215"},
        {WORDPIECE("{\"u\": 0, \"a\": null}"),
         "t:2:24: model WordPiece: an id must be an integer from 0 to 16777215"},
        {WORDPIECE("{\"u\": 0, \"a\": {\"u\": [1]}}"),
         "t:2:24: model WordPiece: an id must be an integer from 0 to 16777215"},
        {WORDPIECE("[[\"u\", 0]]"),
         "t:2:10: model WordPiece: \"vocab\" must be an object of tokens and ids"},
        {WORDPIECE("\"u\""), "t: model WordPiece: \"vocab\" must be an object of tokens and ids"},
        {UNIGRAM("{\"u\": 0}"),
         "t:2:10: model Unigram: \"vocab\" must be an array of pairs of a token and its score"},
        {UNIGRAM("[[\"u\", 0], [\"a\"]]"),
         "t:2:21: model Unigram: \"vocab\" must be an array of pairs of a token and its score"},
        {UNIGRAM("[[\"u\", 0], []]"),
         "t:2:21: model Unigram: \"vocab\" must be an array of pairs of a token and its score"},
        {UNIGRAM("[[\"u\", 0], [\"a\", 1, 2]]"),
         "t:2:30: model Unigram: \"vocab\" must be an array of pairs of a token and its score"},
        {UNIGRAM("[[\"u\", 0], [\"a\", \"b\"]]"),
         "t:2:27: model Unigram: \"vocab\" must be an array of pairs of a token and its score"},
        {UNIGRAM("[[\"u\", 0], [\"a\", 1e999]]"),
         "t:2:27: model Unigram: \"vocab\" must be an array of pairs of a token and its score"},
        {UNIGRAM("[[\"u\", 0], [1, 1]]"),
         "t:2:22: model Unigram: \"vocab\" must be an array of pairs of a token and its score"},
        {UNIGRAM("[[\"u\", 0], \"a\", [\"b\", 0]]"),
         "t:2:21: model Unigram: \"vocab\" must be an array of pairs of a token and its score"},
        {BPE("[\"a b\", \"ab\"]"), "t:2:9: model BPE: merge 2 is not a pair of tokens"},
        {BPE("[\"a b\", \"a b a\"]"), "t:2:9: model BPE: merge 2 is not a pair of tokens"},
        {BPE("[\"#version: 1\",\n[\"a\", \"b\", \"a\"]]"),
         "t:3:1: model BPE: merge 2 is not a pair of tokens"},
        {BPE("[[\"a\"]]"), "t:2:2: model BPE: merge 1 is not a pair of tokens"},
        {BPE("[[\"a\", 1]]"), "t:2:2: model BPE: merge 1 is not a pair of tokens"},
        {BPE("[{\"a\": \"b\"}]"), "t:2:2: model BPE: merge 1 is not a pair of tokens"},
        {BPE("[\"x b\", 7]"),
         "t: model BPE: the merges need the token \"x\", which is not in the vocabulary"},
        {BPE("{}"), "t: model BPE: \"merges\" must be an array"},
        /* syntax within the tables: whatever else is wrong with them */
        {WORDPIECE("{\"u\": 0, \"a\": -1, \"b\": }"),
         "t:2:33: is not valid JSON: a value expected"},
        {WORDPIECE("{\"u\": 0,}"), "t:2:18: is not valid JSON: a key (a string) expected"},
        {WORDPIECE("{\"u\": 01}"), "t:2:18: is not valid JSON: invalid number"},
        {WORDPIECE("{1: 1}"), "t:2:11: is not valid JSON: a key (a string) expected"},
        {WORDPIECE("{\"u\": 0, \"a\": 1, \"a\": 2}"),
         "t:2:29: is not valid JSON: duplicate object key near '\"a\"'"},
        {WORDPIECE("{\"u\": 0, \"a\": 1,\n \"\\u0061\": 1, \"u\": 5}"),
         "t:3:9: is not valid JSON: duplicate object key near '\"a\"'"},
        {WORDPIECE("{\"u\": 0, \"\xff\": 1}"), "t:2:20: is not valid JSON: invalid UTF-8"},
        {WORDPIECE("{\"u\\u0000\": 0}"),
         "t:2:13: is not valid JSON: a NUL character (\\u0000) in a string"},
        {WORDPIECE("{\"u\n\": 0}"), "t:2:12: is not valid JSON: a control character in a string"},
        {UNIGRAM("[[\"u\", 0,]]"), "t:2:19: is not valid JSON: a value expected"},
        {UNIGRAM("[[\"u\", 0] [\"a\", 1]]"), "t:2:20: is not valid JSON: ',' or ']' expected"},
        {BPE("[\"a b\",]"), "t:2:8: is not valid JSON: a value expected"},
        {BPE("[\"a \\ud800\"]"), "t:2:5: is not valid JSON: invalid Unicode: half a surrogate"},
        {BPE("[[\"a\", \"b]"), "t:2:11: is not valid JSON: a control character in a string"},
        /* outside of them: jansson's words, and the places of the whole text */
        {"{\"model\": {\"vocab\": {\"a\": 0,\n\"b\": 1}, \"vocab\": {}}}",
         "t:2:16: is not valid JSON: duplicate object key near '\"vocab\"'"},
        {"{\"model\": {\"vocab\": {\"a\":\n0}}, \"x\": [1,\n\n]}",
         "t:4:1: is not valid JSON: unexpected token near ']'"},
        {"{\"model\": {\"vocab\": {\"a\":\n0}}}]",
         "t:2:5: is not valid JSON: end of file expected near ']'"},
        {"{\"x\": tru, \"model\": {\"vocab\": {\"a\": 0,}}}",
         "t:1:9: is not valid JSON: invalid token near 'tru'"},
        {"{\"model\": {\"vocab\": {\"a\": 0}}, \"model\": {}}",
         "t:1:38: is not valid JSON: duplicate object key near '\"model\"'"},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_tokenizer *t = calloc(1, sizeof *t);
        nerfit_error err = {0};
        nerfit_status status =
            nf_tokenizer_parse(t, cases[i].text, strlen(cases[i].text), "t", &err);
        nf_tokenizer_free(t);
        if (status == NERFIT_FORMAT && strcmp(err.text, cases[i].error) == 0) continue;
        printf("%s\n  expected: %s\n  got:      %s\n", cases[i].text, cases[i].error,
               status == NERFIT_OK ? "no error" : err.text);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void test_id_files(void **state) {
    (void)state;
    static const struct {
        const char *text, *error; /* NULL: none */
    } cases[] = {
        {" {\"a\": 1, \"b\": 0}\n", NULL},
        {"{}", NULL},
        {"", "t:1: is not valid JSON: a value expected"},
        {"{\"a\": 1} x", "t:1:10: is not valid JSON: end of file expected"},
        {"\n[1]", "t:2:1: it must be an object of tokens and ids"},
        {"[1", "t:1:2: is not valid JSON: ',' or ']' expected"},
        {"{\"a\":\n \"1\"}", "t:2:2: an id must be an integer from 0 to 16777215"},
        {"{\"a\": 1, \"a\": 1}", "t:1:12: is not valid JSON: duplicate object key near '\"a\"'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        loaded l = {0};
        nerfit_error err = {0};
        l.tables.arena = &l.arena;
        nerfit_status status =
            nf_token_tables_read_ids(&l.tables, cases[i].text, strlen(cases[i].text), "t", &err);
        assert_string_equal(status == NERFIT_OK ? "" : err.text,
                            cases[i].error ? cases[i].error : "");
        release(&l);
    }
}

/* ---- real files */

static void compare_vocabulary(const char *name, const nf_token_tables *t, const json_t *vocab) {
    const char *key;
    json_t *value;
    size_t i = 0;
    if (json_is_object(vocab)) {
        assert_int_equal(t->count, json_object_size(vocab));
        json_object_foreach((json_t *)vocab, key, value) {
            const nf_token_row *row = &t->rows[i++];
            if (strcmp(row->text, key) != 0 || row->id != json_integer_value(value) ||
                nf_token_tables_id(t, key) != row->id)
                fail_msg("%s: token %zu is \"%s\", jansson has \"%s\"", name, i, row->text, key);
        }
        return;
    }
    assert_int_equal(t->count, json_array_size(vocab));
    json_array_foreach(vocab, i, value) {
        const nf_token_row *row = &t->rows[i];
        double score = json_number_value(json_array_get(value, 1));
        if (strcmp(row->text, json_string_value(json_array_get(value, 0))) != 0 ||
            row->id != (int32_t)i || fabs(row->score - score) > 4e-16 * fabs(score))
            fail_msg("%s: token %zu is \"%s\" (%.17g), jansson has another", name, i, row->text,
                     row->score);
    }
}

static void compare_merges(const char *name, const nf_token_tables *t, const json_t *merges) {
    size_t i, n = 0;
    json_t *item;
    json_array_foreach(merges, i, item) {
        char text[4096];
        if (json_is_array(item))
            snprintf(text, sizeof text, "%s %s", json_string_value(json_array_get(item, 0)),
                     json_string_value(json_array_get(item, 1)));
        else
            snprintf(text, sizeof text, "%s", json_string_value(item));
        if (strncmp(text, "#version", 8) == 0) continue;
        const nf_merge_row *row = &t->merges[n++];
        size_t left = row->left_length;
        if (strlen(text) != left + 1 + row->right_length || memcmp(text, row->left, left) != 0 ||
            text[left] != ' ' || memcmp(text + left + 1, row->right, row->right_length) != 0)
            fail_msg("%s: merge %zu is not \"%s\"", name, i, text);
    }
    assert_int_equal(n, t->merge_count);
}

static void compare_file(const char *name, const char *path) {
    nf_file file;
    nerfit_error err = {0};
    json_t *whole;
    loaded l;
    assert_ok(nf_file_open(&file, path, &err), &err);
    read_text(&l, file.data, file.size);
    assert_ok(nf_json_load(&whole, path, &err), &err);
    json_t *model = json_object_get(whole, "model");
    json_t *vocab = json_object_get(model, "vocab"), *merges = json_object_get(model, "merges");
    assert_non_null(vocab);
    assert_true(l.tables.count > 20000);
    compare_vocabulary(name, &l.tables, vocab);
    compare_merges(name, &l.tables, merges);
    if (json_is_object(vocab))
        json_object_clear(vocab);
    else
        json_array_clear(vocab);
    json_array_clear(merges);
    assert_true(json_equal(whole, l.rest));
    json_decref(whole);
    release(&l);
    nf_file_close(&file);
}

static void test_real_files(void **state) {
    (void)state;
    static const char *const names[] = {
        "all-MiniLM-L6-v2/tokenizer.json",
        "bert-base-uncased/tokenizer.json",
        "bert-base-multilingual-cased/DERIVED-tokenizer.json",
        "roberta-base/tokenizer.json",
        "modernbert-base/DERIVED-tokenizer.json",
        "t5-small/tokenizer.json",
        "deberta-v3/DERIVED-tokenizer.json",
        "xlm-roberta-base/DERIVED-tokenizer.json",
    };
    const char *data = test_data_folder();
    size_t done = 0;
    for (size_t i = 0; data && i < sizeof names / sizeof *names; i++) {
        char path[4200];
        snprintf(path, sizeof path, "%s/tokenizers/%s", data, names[i]);
        if (!nf_file_exists(path)) continue;
        compare_file(names[i], path);
        done++;
    }
    if (done == 0) {
        print_message("no real data: set NERFIT_TEST_DATA\n");
        skip();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),    cmocka_unit_test(test_ids),
        cmocka_unit_test(test_scores),     cmocka_unit_test(test_others),
        cmocka_unit_test(test_errors),     cmocka_unit_test(test_id_files),
        cmocka_unit_test(test_real_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
