/* Lists and patterns of a user: what is found in texts, beside a model's entities, and what is wrong
 * with a file; folding of text. */
#include "documents.h"

#include <time.h>

#include "data/fold.h"
#include "infer/lists.h"

static nerfit_error error;

/* The entities that lists find alone or beside `given`, as "start-end label". */
static void find(nf_str *out, const char *yaml, const char *text, const nf_entity *given,
                 size_t n_given, bool nested) {
    nf_lists *lists = NULL;
    nf_lists_scratch scratch = {0};
    nf_arena arena = {0};
    const char *model[] = {"O", "B-city", "I-city"};
    nf_rules rules = {.spans = {nested, false}};
    nf_entity entities[4];
    for (size_t i = 0; i < n_given; i++) entities[i] = given[i];
    nf_tagged tagged = {.entities = entities, .n_entities = n_given};
    const nf_text t = {.text = text, .size = strlen(text)};
    assert_ok(nf_lists_parse(&lists, yaml, strlen(yaml), "rules.yaml", NULL, &error), &error);
    assert_ok(nf_tag_set_make(&rules.tags, model, 3, &error), &error);
    size_t n;
    const char *const *labels = nf_lists_labels(lists, &n);
    assert_ok(nf_rules_set_lists(&rules, lists, labels, n, &error), &error);
    assert_ok(nf_lists_amend(&rules, &scratch, &t, &tagged, &arena, &error), &error);
    for (size_t i = 0; i < tagged.n_entities; i++)
        nf_str_appendf(out, "%s%u-%u %s", i ? ", " : "", tagged.entities[i].start,
                       tagged.entities[i].end, rules.tags.types[tagged.entities[i].type]);
    nf_lists_free(lists);
    nf_lists_scratch_free(&scratch);
    nf_tag_set_free(&rules.tags);
    nf_arena_free(&arena);
}

static void test_finding(void **state) {
    (void)state;
    static const struct {
        const char *name, *yaml, *text, *expected;
    } cases[] = {
        {"a term", "drug: aspirin", "Aspirin, aspirins, ASPIRIN", "0-7 drug, 19-26 drug"},
        {"white space and dashes", "org: [new  york-times]", "The New\n York\xE2\x80\x93Times",
         "4-19 org"},
        {"quotes", "x: ['o\xE2\x80\x99neil']", "O'Neil", "0-6 x"},
        {"compatibility forms", "x: [fin]", "\xEF\xAC\x81n", "0-2 x"},
        {"half of a ligature is none", "x: [in]", "\xEF\xAC\x81 in", "2-4 x"},
        {"full folding", "x: [STRASSE]",
         "die Stra\xC3\x9F"
         "e",
         "4-10 x"},
        {"composed and not", "x: [Caf\xC3\xA9]", "cafe\xCC\x81s cafe\xCC\x81", "7-12 x"},
        {"Greek final sigma", "x: [\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3]",
         "\xCE\xBF\xCE\xB4\xCF\x8C\xCF\x82 \xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82", "5-9 x"},
        {"Chinese within a run", "city: [\xE5\x8C\x97\xE4\xBA\xAC]",
         "\xE6\x88\x91\xE5\x9C\xA8\xE5\x8C\x97\xE4\xBA\xAC\xE4\xBD\x8F", "2-4 city"},
        {"Thai within a run", "x: [\xE0\xB9\x84\xE0\xB8\x97\xE0\xB8\xA2]",
         "\xE0\xB8\x9B\xE0\xB8\xA3\xE0\xB8\xB0\xE0\xB9\x84\xE0\xB8\x97\xE0\xB8\xA2", "3-6 x"},
        {"the longest", "a: [new york]\nb: [new york times]", "new york times", "0-14 b"},
        {"of equal ones the first", "b: [x]\na: [x]", "x", "0-1 b"},
        {"an expression", "dose: [/\\d+ ?mg/]", "5mg or 20 mg", "0-3 dose, 7-12 dose"},
        {"any case", "x: [/ab/i]", "AB ab", "0-2 x, 3-5 x"},
        {"as written", "x: [/ab/]", "AB ab", "3-5 x"},
        {"look-around", "x: [/(?<=Dr\\. )\\w+/]", "Dr. Who", "4-7 x"},
        {"blanks at its ends are not in it", "x: [/ b /]", "a b c", "2-3 x"},
        {"empty matches are none", "x: [/z*/]", "a", ""},
        {"slashes that are none", "x: [{term: /b/}]", "a /b/", "2-5 x"},
        {"a named pattern", "x: [{pattern: b}]", "abc", "1-2 x"},
        {"forbidden", "x: {add: [b, c], forbid: [c]}", "a b c", "2-3 x"},
        {"forbidden around", "x: {add: [york], forbid: [new york]}", "york, New York", "0-4 x"},
        {"of another label", "x: {add: [b]}\ny: {add: [c], forbid: [b]}", "b c", "0-1 x, 2-3 y"},
        {"of every label", "x: [b]\n'*': {forbid: [b]}", "b", ""},
        {"JSON", "{\"x\": [\"b\", \"/c+/\"]}", "b cc", "0-1 x, 2-4 x"},
        {"an empty text", "x: [b]", "", ""},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_str got = {0};
        find(&got, cases[i].yaml, cases[i].text, NULL, 0, false);
        wrong += !same_text(cases[i].name, nf_str_text(&got), cases[i].expected);
        nf_str_free(&got);
    }
    assert_int_equal(wrong, 0);
}

static void test_beside_a_model(void **state) {
    (void)state;
    static const nf_entity paris = {0, 5, 0, 0.5}, inside = {1, 4, 0, 0.5};
    static const struct {
        const char *name, *yaml;
        const nf_entity *given;
        bool nested;
        const char *expected;
    } cases[] = {
        {"added", "drug: [aspirin]", &paris, false, "0-5 city, 6-13 drug"},
        {"in its place", "person: [paris]", &paris, false, "0-5 person"},
        {"nested", "person: [paris]", &inside, true, "0-5 person, 1-4 city"},
        {"the same once", "city: [paris]", &paris, true, "0-5 city"},
        {"forbidden", "city: {forbid: [paris]}", &paris, false, ""},
        {"forbidden for another", "person: {forbid: [paris]}", &paris, false, "0-5 city"},
        {"forbidden for all", "'*': {forbid: [/P\\w+/]}", &paris, false, ""},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_str got = {0};
        find(&got, cases[i].yaml, "Paris aspirin", cases[i].given, 1, cases[i].nested);
        wrong += !same_text(cases[i].name, nf_str_text(&got), cases[i].expected);
        nf_str_free(&got);
    }
    assert_int_equal(wrong, 0);
}

/* Every word is added, every second one forbidden. */
static void test_many_matches(void **state) {
    enum { MANY = 40000 };
    (void)state;
    for (int nested = 0; nested < 2; nested++) {
        nf_str text = {0}, got = {0};
        for (int i = 0; i < MANY; i++) nf_str_appendf(&text, "%c%05d ", i % 2 ? 'b' : 'a', i);
        clock_t began = clock();
        find(&got, "x: {add: ['/[ab]\\d+/'], forbid: ['/b\\d+/', '/\\d+ b\\d+/']}",
             nf_str_text(&text), NULL, 0, nested);
        assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 10); /* 0.1 seconds */
        size_t n = 0;
        for (const char *at = nf_str_text(&got); *at; at++) n += *at == 'x';
        assert_int_equal(n, MANY / 2);
        assert_int_equal(strncmp(nf_str_text(&got), "0-6 x, 14-20 x, ", 16), 0);
        nf_str_free(&text);
        nf_str_free(&got);
    }
}

static void test_wrong_files(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *expected;
    } cases[] = {
        {"- a",
         "rules.yaml:1: expected a mapping of labels to terms and /expressions/, or to {add: "
         "[...], forbid: [...]}"},
        {"", "rules.yaml:1: expected a mapping of labels to terms and /expressions/, or to {add: "
             "[...], forbid: [...]}"},
        {"x: [a, /(/]",
         "rules.yaml:1: expression: the pattern \"(\", byte 1: the group is not closed"},
        {"x: [[a]]", "rules.yaml:1:5: expected a term, /an expression/ or {file: ...}"},
        {"x: ['']", "rules.yaml:1:5: the term is empty"},
        {"x: [//]", "rules.yaml:1:5: the expression is empty"},
        {"x: [a, /asp]",
         "rules.yaml:1:8: begins with a slash, but does not end with one: expected /an expression/ "
         "or /an expression/i; a term that begins so is {term: /...}"},
        {"x: {forbid: /x/z}",
         "rules.yaml:1:13: begins with a slash, but does not end with one: expected /an "
         "expression/ or /an expression/i; a term that begins so is {term: /...}"},
        {"x: a\nx: b", "rules.yaml:2:1: the label is there already"},
        {"x: {added: a}", "rules.yaml:1:5: expected add or forbid"},
        {"x: {add: {terms: a}}", "rules.yaml:1:10: expected {term: ...}, {pattern: ...} or {file: "
                                 "...}"},
        {"'*': a", "rules.yaml:1:6: \"*\" stands for every label: it can forbid alone"},
        {"' x': a", "rules.yaml:1:1: the label has white space at its edge, or a NUL character"},
        {"x: {file: no.txt}", "rules.yaml:1:4: ./no.txt: there is no such file"},
        {"x: [a", "rules.yaml:2:1: is not valid YAML: did not find expected ',' or ']'"},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_lists *lists;
        const char *yaml = cases[i].yaml;
        nerfit_status status =
            nf_lists_parse(&lists, yaml, strlen(yaml), "rules.yaml", NULL, &error);
        wrong += status == NERFIT_OK || lists;
        wrong += !same_text(yaml, status == NERFIT_OK ? "no error" : error.text, cases[i].expected);
        if (status == NERFIT_OK) nf_lists_free(lists);
    }
    assert_int_equal(wrong, 0);
}

static void keep_message(void *user, nerfit_log_level level, const char *message) {
    if (level == NERFIT_LOG_WARNING) nf_str_appendf(user, "%s\n", message);
}

/* What can never count is told. */
static void test_terms_that_stand_twice(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *expected;
    } cases[] = {
        {"a: [x, X]\nb: {forbid: x}", ""},
        {"a: [x]\nb:\n- y\n- X",
         "rules.yaml:4: the term \"X\" of b is also one of a: where entities may not overlap it is "
         "always a, which stands first\n"},
        {"a: {add: x, forbid: [x]}",
         "rules.yaml:1: the term \"x\" of a is both added and forbidden\n"},
        {"'*': {forbid: x}\na: x",
         "rules.yaml:2: the term \"x\" of a is both added and forbidden\n"},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_lists *lists;
        nf_str got = {0};
        const nf_log log = {keep_message, &got};
        const char *yaml = cases[i].yaml;
        assert_ok(nf_lists_parse(&lists, yaml, strlen(yaml), "rules.yaml", &log, &error), &error);
        wrong += !same_text(yaml, nf_str_text(&got), cases[i].expected);
        nf_lists_free(lists);
        nf_str_free(&got);
    }
    assert_int_equal(wrong, 0);
}

static void test_a_hard_expression(void **state) {
    (void)state;
    nf_lists *lists;
    nf_lists_scratch scratch = {0};
    static const char yaml[] = "a: [b]\nx: [/(a+)+c/]", text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    assert_ok(nf_lists_parse(&lists, yaml, sizeof yaml - 1, "rules.yaml", NULL, &error), &error);
    assert_int_equal(nf_lists_find(lists, &scratch, text, sizeof text - 1, &error),
                     NERFIT_ARGUMENT);
    assert_string_equal(error.text, "rules.yaml:2: the expression /(a+)+c/ takes more than ten "
                                    "million steps back in a text; make it simpler");
    nf_lists_scratch_free(&scratch);
    nf_lists_free(lists);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_finding),
                                       cmocka_unit_test(test_beside_a_model),
                                       cmocka_unit_test(test_many_matches),
                                       cmocka_unit_test(test_wrong_files),
                                       cmocka_unit_test(test_terms_that_stand_twice),
                                       cmocka_unit_test(test_a_hard_expression)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
