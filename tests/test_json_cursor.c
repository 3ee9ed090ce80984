/* The reader of JSON text: that it takes what jansson takes and nothing else, what it hands out,
 * and the places of errors, its own and those of jansson in a text without its tables. */
#include "test.h"

#include "base/json.h"
#include "base/json_cursor.h"
#include "base/rng.h"

static bool jansson_takes(const char *text, size_t length) {
    json_t *value = json_loadb(text, length, JSON_DECODE_ANY, NULL);
    json_decref(value);
    return value != NULL;
}

static bool cursor_takes(const char *text, size_t length) {
    nf_json_cursor c = {.text = text, .length = length};
    bool taken = nf_json_skip(&c) && nf_json_end(&c);
    assert_true(taken == !c.problem);
    nf_json_cursor_free(&c);
    return taken;
}

static void test_grammar(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        " [ ] ",
        "\t[\r\n1 , 2 ]\n",
        "",
        " ",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "{\"\":null}",
        "[1}",
        "{\"a\":1]",
        "[",
        "{",
        "{\"a\"",
        "{\"a\":",
        "[1",
        "]",
        "[] []",
        "[]x",
        "true",
        "false",
        "null",
        "tru",
        "True",
        "truex",
        "[true false]",
        "[nul]",
        "\"\"",
        "\"a",
        "\"a\\\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\a\"",
        "\"\\u00e9\\u00E9\"",
        "\"\\u00g9\"",
        "\"\\u00e\"",
        "\"\\u0000\"",
        "{\"\\u0000\":1}",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ude00\"",
        "\"\\ud83d\\ud83d\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"a\x1f\"",
        "\"a\x7f\"",
        "\"\xc3\xa9\xe2\x96\x81\xf0\x9f\x98\x80\"",
        "\"\xc3\"",
        "\"\xc0\xaf\"",
        "\"\xe0\x80\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xff\"",
        "\xef\xbb\xbf[]",
        "[\xc2\xa0]",
        "0",
        "-0",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1.5",
        "1e5",
        "1E+5",
        "1e-5",
        "1e",
        "1e+",
        "1.e5",
        "0.0",
        "00",
        "0x1",
        "1 2",
        "- 1",
        "[1e5,-2.5E-3]",
        "NaN",
        "Infinity",
        "'a'",
        "[1]//",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        bool expected = jansson_takes(texts[i], strlen(texts[i]));
        if (cursor_takes(texts[i], strlen(texts[i])) != expected)
            fail_msg("%s: jansson %s it", texts[i], expected ? "takes" : "refuses");
    }
    assert_false(cursor_takes("[1]\0", 4));
    assert_false(cursor_takes("[\0]", 3));
    assert_false(cursor_takes("\"a\0b\"", 5));
}

/* jansson counts a scalar as a level of its own. */
static void test_depth(void **state) {
    (void)state;
    static char text[5000];
    for (size_t depth = 2040; depth < 2056; depth++)
        for (int scalar = 0; scalar < 2; scalar++) {
            size_t length = 0;
            for (size_t i = 0; i < depth; i++) text[length++] = '[';
            if (scalar) text[length++] = '1';
            for (size_t i = 0; i < depth; i++) text[length++] = ']';
            assert_int_equal(cursor_takes(text, length), jansson_takes(text, length));
        }
}

/* Texts with a few bytes changed, taken out or put in. */
static void test_mutations(void **state) {
    (void)state;
    static const char base[] =
        "{\"a\\u00e9\": [1, -2.5e-3, 0, true, null, \"\\ud83d\\ude00 \\\\\"], \"\xe2\x96\x81\": "
        "{\"b\": {}, \"c\": []},\n \"d\": \"\xf0\x9f\x98\x80 x\\n\"}";
    static const char bytes[] = "{}[],:\"\\u0dD8e+-.1t \n\xc3\xa9\x80\x01";
    size_t taken = 0;
    nf_rng rng = nf_rng_new(7, 0);
    for (uint64_t round = 0; round < 60000; round++) {
        char text[sizeof base + 8];
        size_t length = sizeof base - 1, changes = 1 + round % 3;
        memcpy(text, base, length);
        for (uint64_t k = 0; k < changes; k++) {
            size_t at = nf_rng_below(&rng, (uint32_t)length);
            char byte = bytes[nf_rng_below(&rng, sizeof bytes - 1)];
            uint32_t kind = nf_rng_below(&rng, 3);
            if (kind == 0) {
                text[at] = byte;
            } else if (kind == 1) {
                memmove(text + at, text + at + 1, length - at - 1);
                length--;
            } else {
                memmove(text + at + 1, text + at, length - at);
                text[at] = byte;
                length++;
            }
        }
        bool expected = jansson_takes(text, length);
        taken += expected;
        if (cursor_takes(text, length) != expected)
            fail_msg("round %d: %.*s: jansson %s it", (int)round, (int)length, text,
                     expected ? "takes" : "refuses");
    }
    assert_true(taken > 3000 && taken < 50000);
}

static void test_strings(void **state) {
    (void)state;
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"\"\"", ""},
        {" \"abc\" ", "abc"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"x\\u0041y\\u00e9z\\u2581\"", "xAy\u00e9z\u2581"},
        {"\"\\uD83D\\uDE00!\"", "\U0001F600!"},
        {"\"\u2581the\"", "\u2581the"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_json_cursor c = {.text = cases[i].text, .length = strlen(cases[i].text)};
        const char *bytes;
        size_t length;
        assert_true(nf_json_string(&c, &bytes, &length));
        assert_int_equal(length, strlen(cases[i].value));
        assert_memory_equal(bytes, cases[i].value, length);
        assert_true(nf_json_end(&c));
        nf_json_cursor_free(&c);
    }
}

static void test_walk(void **state) {
    (void)state;
    static const char text[] = " {\"a\" : [ -1.50e3, 7 ], \"b\": {\"c\": 0}, \"d\": \"x\"} ";
    nf_json_cursor c = {.text = text, .length = sizeof text - 1};
    const char *key, *spelling;
    size_t length;
    bool integer;
    assert_true(nf_json_open(&c, '{'));
    assert_true(nf_json_more(&c, '}'));
    assert_true(nf_json_key(&c, &key, &length));
    assert_int_equal(nf_json_peek(&c), '[');
    assert_true(nf_json_open(&c, '['));
    assert_true(nf_json_more(&c, ']'));
    assert_true(nf_json_number(&c, &spelling, &length, &integer));
    assert_memory_equal(spelling, "-1.50e3", length);
    assert_int_equal(length, 7);
    assert_false(integer);
    assert_true(nf_json_more(&c, ']'));
    assert_true(nf_json_number(&c, &spelling, &length, &integer));
    assert_true(integer);
    assert_false(nf_json_more(&c, ']'));
    assert_true(nf_json_more(&c, '}'));
    assert_true(nf_json_key(&c, &key, &length));
    assert_true(nf_json_skip(&c));
    assert_true(nf_json_more(&c, '}'));
    assert_true(nf_json_key(&c, &key, &length));
    assert_memory_equal(key, "d", 1);
    assert_true(nf_json_string(&c, &key, &length));
    assert_false(nf_json_more(&c, '}'));
    assert_true(nf_json_end(&c));
    assert_null(c.problem);
    assert_int_equal(c.depth, 0);
    nf_json_cursor_free(&c);
}

/* ---- places */

static void test_errors(void **state) {
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "t:1: is not valid JSON: a value expected"},
        {"[1,\n 2,]", "t:2:4: is not valid JSON: a value expected"},
        {"{\"\u00e9\": 1 2}", "t:1:9: is not valid JSON: ',' or '}' expected"},
        {"[1 2]", "t:1:4: is not valid JSON: ',' or ']' expected"},
        {"{\"a\" 1}", "t:1:6: is not valid JSON: ':' expected"},
        {"{a: 1}", "t:1:2: is not valid JSON: a key (a string) expected"},
        {"\n\"ab", "t:2:3: is not valid JSON: premature end of input in a string"},
        {"\"ab\x01\"", "t:1:4: is not valid JSON: a control character in a string"},
        {"\"ab\\x\"", "t:1:4: is not valid JSON: invalid escape"},
        {"\"\\ud800\"", "t:1:2: is not valid JSON: invalid Unicode: half a surrogate"},
        {"\"\\u0000\"", "t:1:2: is not valid JSON: a NUL character (\\u0000) in a string"},
        {"\"a\xff\"", "t:1:3: is not valid JSON: invalid UTF-8"},
        {"[01]", "t:1:4: is not valid JSON: invalid number"},
        {"[] []", "t:1:4: is not valid JSON: end of file expected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_json_cursor c = {.text = cases[i].text, .length = strlen(cases[i].text)};
        nerfit_error err = {0};
        if (nf_json_skip(&c)) nf_json_end(&c);
        assert_non_null(c.problem);
        assert_int_equal(nf_json_cursor_fail(&c, "t", &err), NERFIT_FORMAT);
        assert_string_equal(err.text, cases[i].error);
        nf_json_cursor_free(&c);
    }
}

/* Whatever is wrong outside of the tables is told as if they were there. */
static void test_without(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"a\": {@\"x\": 1,\n \"y\": \"\u00e9\"@}, \"b\": [@1,\n\n2@], \"c\": 3}",
        "{\"a\": {@\"x\": 1,\n \"y\": 2@}, \"b\": [@1, 2@], \"c\": }",
        "{\"a\": {@\"x\": 1,\n \"y\": \"\u00e9\"@} \"b\": [@1,\n\n2@], \"c\": 3}",
        "{\"a\": {@\"x\": \"\u00e9\u00e9\u00e9\"@}, \"a\": [@1,\n\n2@], \"c\": 3}",
        "{\"a\": {@\"x\": 1,\n\n\n@}, \"\u00e9\u00e9\":[@\u00e9\n@], \"c\": \"\\u0000\"}",
        "{\"a\": {@\"x\": 1\n\n\n@}, \"\u00e9\u00e9\":[@1@], \"c\": [1,\n2\n,]}",
        "{\"a\": {@\"x\": 1\n\n\n@}, \"b\":[@1@]",
        "{\"a\": {@\"x\": 1\n\n\n@}, \"b\":[@1@]}\n\n 1",
        "{\"a\": {@@}, \"b\":[@@]}\n\n \xff",
        "nothing",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[200];
        nf_json_span spans[2];
        size_t length = 0, marks = 0;
        for (const char *c = texts[i]; *c; c++) {
            if (*c != '@')
                text[length++] = *c;
            else if (marks++ % 2 == 0)
                spans[marks / 2].from = length;
            else
                spans[marks / 2 - 1].to = length;
        }
        json_t *whole, *rest;
        nerfit_error want = {0}, got = {0};
        nerfit_status expected = nf_json_parse(&whole, text, length, "t", 1, &want);
        nerfit_status status =
            nf_json_parse_without(&rest, text, length, spans, marks / 2, "t", &got);
        if (i == 4) { /* what stands in the tables is of no concern */
            assert_string_equal(got.text, "t:5:16: is not valid JSON: a NUL character (\\u0000) "
                                          "in a string");
        } else {
            assert_string_equal(got.text, want.text);
            assert_int_equal(status, expected);
        }
        if (status == NERFIT_OK) {
            assert_int_equal(json_object_size(json_object_get(rest, "a")), 0);
            assert_int_equal(json_array_size(json_object_get(rest, "b")), 0);
            assert_int_equal(json_integer_value(json_object_get(rest, "c")), 3);
        }
        json_decref(whole);
        json_decref(rest);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),   cmocka_unit_test(test_depth),
        cmocka_unit_test(test_mutations), cmocka_unit_test(test_strings),
        cmocka_unit_test(test_walk),      cmocka_unit_test(test_errors),
        cmocka_unit_test(test_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
