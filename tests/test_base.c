/* src/base: error records, arenas, strings, UTF-8, paths, JSON, logs, random numbers. Files have
 * their own test (test_files.c). */
#include "test.h"

#include <jansson.h>

#include <math.h>
#include <unistd.h>

#include "base/array.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/utf8.h"

/* Under AddressSanitizer: an allocation of half the address space fails, as it does without. */
NERFIT_API const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}

/* ---------------------------------------------------------------- errors */

static void test_error_places(void **state) {
    (void)state;
    static const struct {
        long line, column;
        const char *text;
    } cases[] = {
        {0, 0, "a.json: has 2 problems"},
        {7, 0, "a.json:7: has 2 problems"},
        {7, 3, "a.json:7:3: has 2 problems"},
        {0, 3, "a.json: has 2 problems"}, /* a column without a line is no place */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nerfit_error err;
        assert_int_equal(nf_fail_at(&err, NERFIT_FORMAT, "a.json", cases[i].line, cases[i].column,
                                    "has %d problems", 2),
                         NERFIT_FORMAT);
        assert_string_equal(err.text, cases[i].text);
        assert_string_equal(err.file, "a.json");
        assert_int_equal(err.code, NERFIT_FORMAT);
        assert_int_equal(err.line, cases[i].line);
        assert_int_equal(err.column, cases[i].column);
    }
}

static void test_error_without_record(void **state) {
    (void)state;
    assert_int_equal(nf_fail(NULL, NERFIT_IO, "x"), NERFIT_IO);
    assert_int_equal(nf_fail_at(NULL, NERFIT_IO, "f", 1, 1, "x"), NERFIT_IO);
    assert_int_equal(nf_fail_within(NULL, NERFIT_IO, "x"), NERFIT_IO);
    assert_int_equal(nf_no_memory(NULL, 1), NERFIT_NO_MEMORY);
}

static void test_error_within(void **state) {
    (void)state;
    nerfit_error err;
    nf_fail_at(&err, NERFIT_FORMAT, "f", 3, 0, "is bad");
    assert_int_equal(nf_fail_within(&err, NERFIT_ARGUMENT, "text %d", 5), NERFIT_ARGUMENT);
    assert_string_equal(err.text, "text 5: f:3: is bad");
    assert_int_equal(err.code, NERFIT_ARGUMENT);
    assert_int_equal(err.line, 3); /* the place stays */
    assert_string_equal(err.file, "f");
}

static void test_error_clears_the_last_place(void **state) {
    (void)state;
    nerfit_error err;
    nf_fail_at(&err, NERFIT_FORMAT, "f", 3, 4, "is bad");
    nf_no_memory(&err, 12);
    assert_string_equal(err.text, "out of memory (asked for 12 bytes)");
    nf_no_memory(&err, 0); /* who does not know how many says what was said last */
    assert_string_equal(err.text, "out of memory (asked for 12 bytes)");
    nf_no_room(0);
    nf_no_memory(&err, 0); /* where nobody knows, nothing is claimed */
    assert_string_equal(err.text, "out of memory");
    assert_string_equal(err.file, "");
    assert_int_equal(err.line, 0);
    assert_int_equal(err.column, 0);
}

/* Whatever the length, the record holds a terminated text. */
static void test_error_lengths(void **state) {
    (void)state;
    nerfit_error err;
    static char longest[3000];
    memset(longest, 'x', sizeof longest - 1);
    for (size_t length = 0; length < sizeof longest; length += 7) {
        const char *text = longest + sizeof longest - 1 - length;
        nf_fail(&err, NERFIT_IO, "%s", text);
        assert_int_equal(strlen(err.text), length < 1023 ? length : 1023);
        nf_fail_at(&err, NERFIT_IO, text, 1, 1, "end");
        assert_int_equal(strlen(err.text), length + 9 < 1023 ? length + 9 : 1023);
        assert_int_equal(strlen(err.file), length < 255 ? length : 255);
        nf_fail(&err, NERFIT_IO, "inner");
        nf_fail_within(&err, NERFIT_IO, "%s", text);
        assert_int_equal(strlen(err.text), length + 7 < 1023 ? length + 7 : 1023);
    }
}

static void test_status_texts(void **state) {
    (void)state;
    assert_string_equal(nerfit_status_text(NERFIT_OK), "no error");
    assert_string_equal(nerfit_status_text(NERFIT_INTERNAL), "a defect in nerfit");
    assert_string_equal(nerfit_status_text((nerfit_status)99), "unknown status");
    assert_string_equal(nerfit_version(), NERFIT_VERSION);
}

/* ---------------------------------------------------------------- arena */

static void test_arena_alignment(void **state) {
    (void)state;
    nf_arena arena = {0};
    size_t total = 0;
    char *kept[2000];
    for (size_t size = 0; size < 2000; size++) {
        char *memory = nf_arena_alloc(&arena, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % (size >= 64 ? 64 : 16), 0);
        memset(memory, (int)(size & 255), size);
        kept[size] = memory;
        total += size;
    }
    /* no two overlap */
    for (size_t size = 0; size < 2000; size++)
        for (size_t i = 0; i < size; i++)
            if ((unsigned char)kept[size][i] != (size & 255)) fail_msg("%zu[%zu] changed", size, i);
    assert_true(nf_arena_used(&arena) >= total);
    assert_true(nf_arena_used(&arena) <= total + 2000 * 64);
    nf_arena_free(&arena);
    assert_int_equal(nf_arena_used(&arena), 0);
    assert_non_null(nf_arena_alloc(&arena, 1)); /* usable again */
    nf_arena_free(&arena);
    nf_arena_free(&arena);
}

static void test_arena_refuses_what_cannot_be(void **state) {
    (void)state;
    nf_arena arena = {0};
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 63, SIZE_MAX - 128, SIZE_MAX - 192,
                                   SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_null(nf_arena_alloc(&arena, sizes[i]));
    static const struct {
        size_t count, size;
    } products[] = {{SIZE_MAX, 2}, {(size_t)1 << 33, (size_t)1 << 31}, {3, SIZE_MAX / 2}};
    for (size_t i = 0; i < sizeof products / sizeof *products; i++)
        assert_null(nf_arena_calloc(&arena, products[i].count, products[i].size));
    assert_null(nf_arena_copy(&arena, "", SIZE_MAX));
    assert_non_null(nf_arena_calloc(&arena, SIZE_MAX, 0));
    assert_non_null(nf_arena_alloc(&arena, 1)); /* and goes on */
    nf_arena_free(&arena);
}

static void test_arena_zero_and_copies(void **state) {
    (void)state;
    nf_arena arena = {0};
    memset(nf_arena_alloc(&arena, 3000), 0xAA, 3000);
    nf_arena_free(&arena);
    const char *zero = nf_arena_calloc(&arena, 100, 30);
    for (size_t i = 0; i < 3000; i++) assert_int_equal(zero[i], 0);
    assert_memory_equal(nf_arena_copy(&arena, "a\0b", 3), "a\0b", 4);
    assert_string_equal(nf_arena_copy(&arena, "abc", 2), "ab");
    assert_string_equal(nf_arena_copy(&arena, NULL, 0), "");
    assert_string_equal(nf_arena_strdup(&arena, "größe"), "größe");
    nf_arena_free(&arena);
}

/* ---------------------------------------------------------------- strings */

/* JSON strings are written as jansson writes them. */
static void check_json_strings(void **state) {
    (void)state;
    char all[128];
    for (int i = 1; i < 128; i++) all[i - 1] = (char)i;
    all[127] = '\0';
    const char *const texts[] = {all,
                                 "",
                                 "plain",
                                 "\"\\/",
                                 "héllo 日本 \xF0\x9F\x98\x80",
                                 "a\x7F\xC2\x80",
                                 "\xE2\x80\xA8line\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        nf_str s = {0};
        json_t *json = json_string(texts[i]);
        char *expected = json_dumps(json, JSON_ENCODE_ANY);
        assert_true(nf_str_append_json(&s, texts[i], strlen(texts[i])));
        assert_string_equal(nf_str_text(&s), expected);
        free(expected);
        json_decref(json);
        nf_str_free(&s);
    }
}

static void test_str(void **state) {
    (void)state;
    nf_str s = {0};
    assert_string_equal(nf_str_text(&s), "");
    assert_null(s.data);
    assert_true(nf_str_append(&s, NULL, 0));
    assert_string_equal(s.data, "");
    assert_true(nf_str_append_text(&s, "ab"));
    assert_true(nf_str_append_char(&s, 'c'));
    assert_true(nf_str_append(&s, "\0d", 2));
    assert_int_equal(s.length, 5);
    assert_memory_equal(s.data, "abc\0d", 6);
    nf_str_clear(&s);
    assert_string_equal(nf_str_text(&s), "");
    for (int i = 0; i < 1000; i++) assert_true(nf_str_appendf(&s, "%d,", i));
    assert_int_equal(s.length, 10 * 2 + 90 * 3 + 900 * 4);
    assert_int_equal(strlen(s.data), s.length);
    assert_string_equal(s.data + s.length - 8, "998,999,");
    nf_str_free(&s);
    assert_null(s.data);
    nf_str_free(&s);
}

/* Every length around the buffer's growth. */
static void test_str_appendf_lengths(void **state) {
    (void)state;
    for (int before = 0; before < 140; before++)
        for (int added = 0; added < 140; added++) {
            nf_str s = {0};
            nf_str_appendf(&s, "%*s", before, "");
            nf_str_appendf(&s, "%*s", added, "x");
            size_t expected = (size_t)(before + (added ? added : 1));
            if (s.length != expected || s.data[s.length] != '\0' || s.data[s.length - 1] != 'x' ||
                s.capacity <= s.length)
                fail_msg("%d + %d: length %zu, capacity %zu", before, added, s.length, s.capacity);
            nf_str_free(&s);
        }
}

static void test_str_failure_stays(void **state) {
    (void)state;
    nf_str s = {0};
    nf_str_append_text(&s, "kept");
    assert_false(nf_str_append(&s, "x", SIZE_MAX - 2));
    assert_true(s.failed);
    assert_false(nf_str_append_text(&s, "y"));
    assert_false(nf_str_appendf(&s, "%d", 1));
    assert_false(nf_str_reserve(&s, 1));
    assert_string_equal(nf_str_text(&s), "kept");
    nf_str_clear(&s);
    assert_false(s.failed);
    assert_true(nf_str_append_text(&s, "z"));
    nf_str_free(&s);
    assert_false(nf_str_reserve(&s, SIZE_MAX / 2 + 1));
    assert_true(s.failed);
    nf_str_free(&s);
}

static void test_str_distance(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        size_t distance;
    } cases[] = {
        {"", "", 0},         {"abc", "abc", 0},
        {"", "abc", 3},      {"kitten", "sitting", 3},
        {"flaw", "lawn", 2}, {"learning_rate", "learning_rat", 1},
        {"ab", "ba", 1},     {"predcit", "predict", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t there = nf_str_distance(cases[i].a, cases[i].b);
        size_t back = nf_str_distance(cases[i].b, cases[i].a);
        if (there != cases[i].distance || back != there)
            fail_msg("%s, %s: %zu and %zu, expected %zu", cases[i].a, cases[i].b, there, back,
                     cases[i].distance);
    }
    char a[200], b[200]; /* only the first 63 bytes count */
    memset(a, 'a', 199), memset(b, 'b', 199);
    a[199] = b[199] = '\0';
    assert_int_equal(nf_str_distance(a, b), 63);
}

/* ---------------------------------------------------------------- UTF-8 */

static void test_utf8_all_code_points(void **state) {
    (void)state;
    for (uint32_t c = 0; c <= 0x110000; c++) {
        bool valid = c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
        char bytes[5] = {0};
        uint32_t back = 0;
        size_t size = nf_utf8_encode(c & 0x1FFFFF, bytes);
        size_t expected = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        assert_int_equal(size, expected);
        size_t decoded = nf_utf8_decode(bytes, size, &back);
        if (decoded != (valid ? size : 0) || (valid && back != c))
            fail_msg("U+%04X: %zu bytes back, code point U+%04X", c, decoded, back);
        for (size_t cut = 1; cut < size; cut++) /* a cut-off sequence is invalid */
            if (nf_utf8_decode(bytes, cut, &back)) fail_msg("U+%04X cut to %zu bytes", c, cut);
    }
}

static void test_utf8_invalid(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
        size_t bad_at;
    } cases[] = {
        {"continuation alone", "ab\x80", 2},
        {"last continuation alone", "\xBF", 0},
        {"overlong, 2 bytes, C0", "a\xC0\x80", 1},
        {"overlong, 2 bytes, C1", "\xC1\xBF", 0},
        {"overlong, 3 bytes", "\xE0\x9F\xBF", 0},
        {"overlong, 4 bytes", "\xF0\x8F\xBF\xBF", 0},
        {"first surrogate", "\xED\xA0\x80", 0},
        {"last surrogate", "\xED\xBF\xBF", 0},
        {"surrogate pair (CESU-8)", "\xED\xA0\xBD\xED\xB8\x80", 0},
        {"past U+10FFFF", "\xF4\x90\x80\x80", 0},
        {"F5", "\xF5\x80\x80\x80", 0},
        {"5 bytes", "\xF8\x88\x80\x80\x80", 0},
        {"6 bytes", "\xFC\x84\x80\x80\x80\x80", 0},
        {"FE", "\xFE", 0},
        {"FF", "ok\xFF", 2},
        {"2 bytes, cut off", "\xC3", 0},
        {"3 bytes, cut off", "x\xE2\x82", 1},
        {"4 bytes, cut off", "\xF0\x9F\x98", 0},
        {"2 bytes, second no continuation", "\xC3(", 0},
        {"3 bytes, second no continuation", "\xE2(\xA1", 0},
        {"3 bytes, third no continuation", "\xE2\x82(", 0},
        {"4 bytes, second no continuation", "\xF0(\x8C\xBC", 0},
        {"4 bytes, third no continuation", "\xF0\x90(\xBC", 0},
        {"4 bytes, fourth no continuation", "\xF0\x90\x8C(", 0},
        {"after good ones", "é€😀\x80", 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bad_at = 999;
        bool valid = nf_utf8_valid(cases[i].text, strlen(cases[i].text), &bad_at);
        if (valid || bad_at != cases[i].bad_at)
            fail_msg("%s: valid %d, bad at %zu, expected %zu", cases[i].name, valid, bad_at,
                     cases[i].bad_at);
        assert_false(nf_utf8_valid(cases[i].text, strlen(cases[i].text), NULL));
    }
    size_t bad_at = 999;
    assert_true(nf_utf8_valid("", 0, &bad_at));
    assert_true(nf_utf8_valid("a\0é", 4, &bad_at)); /* NUL is a character */
    assert_int_equal(bad_at, 999);
}

static void test_utf8_offsets(void **state) {
    (void)state;
    static const char text[] = "aé€😀z";
    static const size_t offsets[] = {0, 1, 3, 6, 10, 11, 11};
    assert_int_equal(nf_utf8_count(text, sizeof text - 1), 5);
    assert_int_equal(nf_utf8_count(text, 0), 0);
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
        assert_int_equal(nf_utf8_offset(text, sizeof text - 1, i), offsets[i]);
}

/* ---------------------------------------------------------------- paths */

static void test_paths(void **state) {
    (void)state;
    nf_arena arena = {0};
    static const struct {
        const char *folder, *name, *path;
    } joins[] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a//", "b", "a/b"}, {"", "b", "b"},
        {"a", "/b", "/b"}, {"/", "b", "//b"},  {".", "b", "./b"},   {"a", "", "a/"},
    };
    for (size_t i = 0; i < sizeof joins / sizeof *joins; i++)
        assert_string_equal(nf_path_join(&arena, joins[i].folder, joins[i].name), joins[i].path);
    static const char *const parents[][2] = {
        {"a/b", "a"}, {"b", "."}, {"/b", "/"}, {"/a/b", "/a"}, {"a/b/c", "a/b"}, {"", "."},
    };
    for (size_t i = 0; i < sizeof parents / sizeof *parents; i++)
        assert_string_equal(nf_path_parent(&arena, parents[i][0]), parents[i][1]);
    assert_true(nf_path_has_ending("x/A.JSONL", ".jsonl"));
    assert_true(nf_path_has_ending(".jsonl", ".jsonl"));
    assert_false(nf_path_has_ending("jsonl", ".jsonl"));
    assert_false(nf_path_has_ending("a.jsonl.gz", ".jsonl"));
    nf_arena_free(&arena);
}

/* ---------------------------------------------------------------- JSON */

static void test_json_errors(void **state) {
    (void)state;
    static const struct {
        const char *text;
        long line, column;
        const char *error;
    } cases[] = {
        {"{\"a\": 1,}", 1, 9, "string or '}' expected near '}'"},
        {"{\n  \"a\": 1\n  \"b\": 2\n}", 3, 5, "'}' expected near '\"b\"'"},
        {"[1, 2", 1, 5, "']' expected near end of file"},
        {"{\"a\": 1, \"a\": 2}", 1, 12, "duplicate object key near '\"a\"'"},
        {"\"größe\" x", 1, 9, "end of file expected near 'x'"}, /* columns are code points */
        {"nul", 1, 3, "invalid token near 'nul'"},
        {"", 1, 0, "unexpected token near end of file"},
        {"\"\xff\"", 1, 1, "unable to decode byte 0xff near '\"'"},
        {"[NaN,\n 10000000000000000000, x]", 2, 24, "invalid token near 'x'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nerfit_error err = {0};
        json_t *out = (void *)1;
        nerfit_status status =
            nf_json_parse(&out, cases[i].text, strlen(cases[i].text), "f.json", 5, &err);
        char wanted[256], column[32] = "";
        if (cases[i].column) snprintf(column, sizeof column, ":%ld", cases[i].column);
        snprintf(wanted, sizeof wanted, "f.json:%ld%s: is not valid JSON: %s", cases[i].line + 4,
                 column, cases[i].error);
        if (status != NERFIT_FORMAT || out || strcmp(err.text, wanted) != 0)
            fail_msg("%s:\n  got      %d %s\n  expected %s", cases[i].text, status, err.text,
                     wanted);
        assert_int_equal(err.line, cases[i].line + 4);
    }
}

/* What Python's json module writes and reads beyond the standard. */
static void test_json_python(void **state) {
    (void)state;
    static const struct {
        const char *text, *value, *settings; /* NULL: an error */
    } cases[] = {
        {"[NaN, Infinity, -Infinity]", "[null,null,null]", "[\"NaN\",\"Infinity\",\"-Infinity\"]"},
        {"{\"a\": NaN, \"NaN\": \"Infinity \\\" NaN\"}",
         "{\"a\":null,\"NaN\":\"Infinity \\\" NaN\"}",
         "{\"a\":\"NaN\",\"NaN\":\"Infinity \\\" NaN\"}"},
        {"[1000000000000000019884624838656]", "[1e30]", "[1e30]"},
        {"[9223372036854775807, -9223372036854775808]",
         "[9223372036854775807,-9223372036854775808]",
         "[9223372036854775807,-9223372036854775808]"},
        {"[9223372036854775808, -9223372036854775809]",
         "[9.2233720368547758e18,-9.2233720368547758e18]",
         "[9.2233720368547758e18,-9.2233720368547758e18]"},
        {"[1e999, -1.5e400, 0.0001e310]", "[null,null,1e306]",
         "[\"Infinity\",\"-Infinity\",1e306]"},
        {"{\"a\": 1, \"a\": 2}", NULL, "{\"a\":2}"},
        {"[NaNa]", NULL, NULL},
        {"[1, 2", NULL, NULL},
    };
    char path[] = "/tmp/nerfit-json-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int settings = 0; settings < 2; settings++) {
            nerfit_error err;
            json_t *out;
            const char *wanted = settings ? cases[i].settings : cases[i].value;
            assert_ok(nf_file_write(path, cases[i].text, strlen(cases[i].text), &err), &err);
            nerfit_status status =
                settings ? nf_json_load(&out, path, &err)
                         : nf_json_parse(&out, cases[i].text, strlen(cases[i].text), "f", 1, &err);
            assert_int_equal(status, wanted ? NERFIT_OK : NERFIT_FORMAT);
            char *got = out ? nf_json_text(out, JSON_COMPACT) : NULL;
            if (wanted && strcmp(got, wanted) != 0)
                fail_msg("%s: %s, expected %s", cases[i].text, got, wanted);
            free(got);
            json_decref(out);
        }
    }
    unlink(path);
}

static void test_json_nul(void **state) {
    (void)state;
    nerfit_error err;
    json_t *out;
    assert_int_equal(nf_json_parse(&out, "[\0]", 3, NULL, 0, &err), NERFIT_FORMAT);
    assert_string_equal(err.file, "JSON");
    assert_int_equal(err.line, 1);
    assert_ok(nf_json_parse(&out, "[1]garbage", 3, "f", 1, &err), &err); /* only `length` bytes */
    json_decref(out);
}

/* ---------------------------------------------------------------- log */

static void remember(void *user, nerfit_log_level level, const char *message) {
    nf_str_appendf(user, "%d %s\n", (int)level, message);
}

static void test_log(void **state) {
    (void)state;
    nf_str seen = {0};
    nf_log log = {remember, &seen};
    nf_log_info(&log, "step %d", 3);
    nf_log_warning(&log, "%s", "careful");
    nf_log_info(NULL, "nobody listens");
    nf_log_info(&(nf_log){0}, "nobody listens");
    assert_string_equal(nf_str_text(&seen), "0 step 3\n1 careful\n");
    nf_str_free(&seen);
}

/* ---------------------------------------------------------------- random numbers */

/* Random123 1.14, tests/kat_vectors, the three lines "philox4x32 10". */
static void test_philox_known_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint32_t *c = cases[i].counter, *k = cases[i].key;
        uint32_t out[4];
        nf_philox(c[0], c[1], c[2], c[3], k[0], k[1], out);
        for (size_t w = 0; w < 4; w++)
            if (out[w] != cases[i].expected[w])
                fail_msg("vector %zu, word %zu: %08x, expected %08x", i, w, out[w],
                         cases[i].expected[w]);
    }
}

/* Seeds and streams use all of their 64 bits; a copy goes on as the original does. */
static void test_rng_streams(void **state) {
    (void)state;
    static const uint64_t keys[][2] = {
        {0, 0}, {1, 0}, {0, 1}, {1ull << 32, 0}, {0, 1ull << 32}, {1ull << 63, 0}, {0, 1ull << 63}};
    enum { N = sizeof keys / sizeof *keys };
    uint32_t first[N];
    for (size_t i = 0; i < N; i++) {
        nf_rng rng = nf_rng_new(keys[i][0], keys[i][1]);
        first[i] = nf_rng_u32(&rng);
        for (size_t j = 0; j < i; j++) assert_int_not_equal(first[i], first[j]);
    }
    nf_rng rng = nf_rng_new(7, 8);
    for (int i = 0; i < 5; i++) nf_rng_u32(&rng);
    nf_rng copy = rng;
    for (int i = 0; i < 100; i++) assert_int_equal(nf_rng_u32(&rng), nf_rng_u32(&copy));
}

static void test_uniform_moments(void **state) {
    (void)state;
    enum { N = 1000000 };
    nf_rng rng = nf_rng_new(1, 2);
    double sum = 0, squares = 0, product = 0, before = 0.5, least = 1, most = 0;
    for (int i = 0; i < N; i++) {
        double u = nf_rng_uniform(&rng);
        assert_true(u >= 0 && u < 1);
        sum += u;
        squares += u * u;
        product += (u - 0.5) * (before - 0.5);
        before = u;
        if (u < least) least = u;
        if (u > most) most = u;
    }
    /* within 5 standard errors: 1/sqrt(12 N), sqrt(4/45/N), 1/(12 sqrt(N)) */
    assert_true(fabs(sum / N - 1.0 / 2) < 5 * 0.2887 / 1000);
    assert_true(fabs(squares / N - 1.0 / 3) < 5 * 0.2982 / 1000);
    assert_true(fabs(product / N) < 5 * 0.0834 / 1000);
    assert_true(least < 2e-5 && most > 1 - 2e-5);
}

static void test_normal_moments(void **state) {
    (void)state;
    enum { N = 1000000 };
    nf_rng rng = nf_rng_new(3, 4);
    double m[5] = {0};
    for (int i = 0; i < N; i++) {
        double x = nf_rng_normal(&rng), power = 1;
        assert_true(isfinite(x));
        for (int k = 1; k <= 4; k++) m[k] += power *= x;
    }
    /* moments 0, 1, 0, 3 with standard errors 1, sqrt 2, sqrt 15, sqrt 96 over sqrt N */
    assert_true(fabs(m[1] / N) < 5 * 1.0 / 1000);
    assert_true(fabs(m[2] / N - 1) < 5 * 1.4142 / 1000);
    assert_true(fabs(m[3] / N) < 5 * 3.873 / 1000);
    assert_true(fabs(m[4] / N - 3) < 5 * 9.798 / 1000);
}

static void test_below(void **state) {
    (void)state;
    enum { N = 300000 };
    nf_rng rng = nf_rng_new(5, 6);
    /* value % bound would give the first third of 3 * 2^30 half of all draws */
    size_t thirds[3] = {0};
    for (int i = 0; i < N; i++) {
        uint32_t value = nf_rng_below(&rng, 3u << 30);
        assert_true(value < 3u << 30);
        thirds[value >> 30]++;
    }
    for (int k = 0; k < 3; k++) assert_true(fabs((double)thirds[k] - N / 3.0) < 5 * 258.2);
    size_t faces[6] = {0};
    double chi_square = 0;
    for (int i = 0; i < N; i++) faces[nf_rng_below(&rng, 6)]++;
    for (int k = 0; k < 6; k++) chi_square += pow((double)faces[k] - N / 6.0, 2) / (N / 6.0);
    assert_true(chi_square < 25.7); /* 5 degrees of freedom, p = 1e-4 */
    for (int i = 0; i < 100; i++) assert_int_equal(nf_rng_below(&rng, 1), 0);
    for (int i = 0; i < 100; i++) nf_rng_below(&rng, UINT32_MAX);
}

static void test_shuffle(void **state) {
    (void)state;
    enum { N = 1000 };
    nf_rng rng = nf_rng_new(9, 9);
    uint32_t items[N];
    bool seen[N] = {false};
    for (uint32_t i = 0; i < N; i++) items[i] = i;
    nf_rng_shuffle(&rng, items, N);
    size_t kept = 0;
    for (uint32_t i = 0; i < N; i++) {
        assert_true(items[i] < N && !seen[items[i]]);
        seen[items[i]] = true;
        kept += items[i] == i;
    }
    assert_true(kept < 10); /* on average 1 item stays */
    nf_rng_shuffle(&rng, items, 0);
    nf_rng_shuffle(&rng, items, 1);

    /* all 24 orders of 4 items are equally frequent */
    size_t orders[256] = {0};
    double chi_square = 0;
    for (int i = 0; i < 24000; i++) {
        uint32_t four[4] = {0, 1, 2, 3};
        nf_rng_shuffle(&rng, four, 4);
        orders[four[0] << 6 | four[1] << 4 | four[2] << 2 | four[3]]++;
    }
    size_t found = 0;
    for (int k = 0; k < 256; k++) {
        if (!orders[k]) continue;
        found++;
        chi_square += pow((double)orders[k] - 1000, 2) / 1000;
    }
    assert_int_equal(found, 24);
    assert_true(chi_square < 57); /* 23 degrees of freedom, p = 1e-4 */
}

static void test_arrays(void **state) {
    (void)state;
    int32_t *items = NULL;
    size_t capacity = 0, moves = 0;
    for (size_t count = 1; count <= 1000; count++) {
        size_t before = capacity;
        assert_true(nf_array_reserve(&items, &capacity, count, sizeof *items));
        assert_true(capacity >= count && capacity <= 2 * count + 16);
        moves += capacity != before;
        items[count - 1] = (int32_t)count;
    }
    assert_true(moves < 10);
    for (size_t i = 0; i < 1000; i++) assert_int_equal(items[i], i + 1);
    int32_t *kept = items;
    assert_false(nf_array_resize(&items, SIZE_MAX / 2, sizeof *items));
    assert_false(nf_array_reserve(&items, &capacity, SIZE_MAX / 2, sizeof *items));
    assert_ptr_equal(items, kept);
    free(items);
}

static void test_endings(void **state) {
    (void)state;
    assert_true(nf_text_ends_with("eval_loss", 9, "loss"));
    assert_true(nf_text_ends_with("loss", 4, "loss") && nf_text_ends_with("x", 1, ""));
    assert_false(nf_text_ends_with("oss", 3, "loss") || nf_text_ends_with("eval_loss", 8, "loss"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_json_strings),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_endings),
        cmocka_unit_test(test_error_places),
        cmocka_unit_test(test_error_without_record),
        cmocka_unit_test(test_error_within),
        cmocka_unit_test(test_error_clears_the_last_place),
        cmocka_unit_test(test_error_lengths),
        cmocka_unit_test(test_status_texts),
        cmocka_unit_test(test_arena_alignment),
        cmocka_unit_test(test_arena_refuses_what_cannot_be),
        cmocka_unit_test(test_arena_zero_and_copies),
        cmocka_unit_test(test_str),
        cmocka_unit_test(test_str_appendf_lengths),
        cmocka_unit_test(test_str_failure_stays),
        cmocka_unit_test(test_str_distance),
        cmocka_unit_test(test_utf8_all_code_points),
        cmocka_unit_test(test_utf8_invalid),
        cmocka_unit_test(test_utf8_offsets),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_json_errors),
        cmocka_unit_test(test_json_python),
        cmocka_unit_test(test_json_nul),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_philox_known_answers),
        cmocka_unit_test(test_rng_streams),
        cmocka_unit_test(test_uniform_moments),
        cmocka_unit_test(test_normal_moments),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_shuffle),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
