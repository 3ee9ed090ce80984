/* What lines of marked answers say, answers that are kept in memory alone, and the report's lists. */
#include "test.h"

#include <jansson.h>

#include "annotate/answer.h"
#include "annotate/answer_cache.h"
#include "annotate/summary.h"

static nerfit_error error;

static void test_marked_lines(void **state) {
    (void)state;
    nf_arena arena = {0};
    nf_answer answer;
    bool no_memory;
    assert_true(nf_answer_read(&answer,
                               "Ada Lovelace <>  person  <>  someone with a name \n"
                               " London<>city\n",
                               NULL, false, &arena, &no_memory));
    assert_int_equal(answer.count, 2);
    assert_string_equal(answer.items[0].text, "Ada Lovelace");
    assert_string_equal(answer.items[0].label, "person");
    assert_string_equal(answer.items[0].about, "someone with a name");
    assert_string_equal(answer.items[1].text, "London");
    assert_string_equal(answer.items[1].label, "city");
    assert_null(answer.items[1].about);
    nf_arena_free(&arena);
}

static void test_answers_in_memory(void **state) {
    (void)state;
    nf_answer_cache *cache;
    nf_cached_answer got, answer = {.text = "[]", .tokens_in = 3, .tokens_out = 1};
    char key[NF_DIGEST_HEX] = "", other[NF_DIGEST_HEX] = "";
    memset(key, 'a', NF_DIGEST_HEX - 1);
    memset(other, 'b', NF_DIGEST_HEX - 1);
    assert_ok(nf_answer_cache_open(&cache, NULL, NULL, &error), &error);
    assert_ok(nf_answer_cache_put(cache, key, &answer, &error), &error);
    assert_true(nf_answer_cache_get(cache, key, &got));
    assert_string_equal(got.text, "[]");
    assert_int_equal(got.tokens_in, 3);
    assert_false(nf_answer_cache_get(cache, other, &got));
    nf_answer_cache_close(cache);
}

static void test_report_of_failures(void **state) {
    (void)state;
    nf_str page = {0};
    json_t *summary = json_pack("{s:[{s:s, s:i, s:s}]}", "failures", "file", "t.txt", "line", 3,
                                "why", "no answer");
    nf_summary_html(summary, &page);
    assert_non_null(strstr(nf_str_text(&page), "<td>t.txt:3</td><td>no answer</td>"));
    json_decref(summary);
    nf_str_free(&page);
}

/* Texts without entities in which none is found: F1 is not 0 then. */
static void test_an_audit_of_nothing(void **state) {
    (void)state;
    nf_str text = {0};
    json_t *audit =
        json_pack("{s:i, s:{}, s:{s:f, s:f, s:f, s:i, s:i}}", "texts", 2, "labels", "micro",
                  "precision", 0.0, "recall", 0.0, "f1", 0.0, "support", 0, "predicted", 0);
    nf_audit_text(audit, &text);
    assert_non_null(strstr(nf_str_text(&text), "none was found: it says nothing"));
    assert_null(strstr(nf_str_text(&text), "95 %"));
    json_decref(audit);
    nf_str_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marked_lines),
        cmocka_unit_test(test_answers_in_memory),
        cmocka_unit_test(test_report_of_failures),
        cmocka_unit_test(test_an_audit_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
