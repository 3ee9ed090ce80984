/* Several opinions of one text, merged: by votes, with variants of boundaries, disputed ones marked. */
#include "documents.h"

#include <time.h>

#include "annotate/merge.h"

static nerfit_error error;

/* "0-4a 5-7b/0-4a" as opinions; "-" is an opinion that was not given, "!a" asks for label a alone. */
typedef struct said {
    nf_opinion opinions[4];
    const nf_opinion *list[4];
    nf_entity spans[4][4];
    bool asked[4][3];
    size_t n;
} said;

static void parse(said *s, const char *text) {
    *s = (said){.n = 0};
    for (const char *at = text;; at++) {
        nf_opinion *o = &s->opinions[s->n];
        o->spans = s->spans[s->n];
        o->given = true;
        for (; *at && *at != '/'; at += strcspn(at, " /"), at += *at == ' ') {
            unsigned start, end;
            char label;
            if (*at == '-') o->given = false;
            if (*at == '!') o->asked = s->asked[s->n], o->asked[at[1] - 'a'] = true;
            if (sscanf(at, "%u-%u%c", &start, &end, &label) == 3)
                o->spans[o->n_spans++] = (nf_entity){start, end, label - 'a', 0.5};
        }
        s->list[s->n++] = o;
        if (!*at) break;
    }
}

static void test_merge(void **state) {
    static const struct {
        const char *name, *said;
        size_t votes;
        bool nested;
        const char *expected; /* accepted ones with scores; disputed ones with ? */
    } cases[] = {
        {"one", "0-4a 5-7b", 0, false, "0-4a0.50 5-7b0.50"},
        {"two agree", "0-4a/0-4a", 0, false, "0-4a0.50"},
        {"one of two", "0-4a/", 0, false, "?0-4a0.25"},
        {"one of two is enough", "0-4a/", 1, false, "0-4a0.25"},
        {"two of three", "0-4a/0-4a/", 0, false, "0-4a0.33"},
        {"variants together", "0-4a/0-3a/0-3a", 0, false, "0-3a0.33 ?0-4a0.17"},
        {"variants of all three", "0-4a/0-3a/1-4a", 0, false, "?0-3a0.17 0-4a0.17 ?1-4a0.17"},
        {"another label", "0-4a/0-4b/0-4a", 0, false, "0-4a0.33 ?0-4b0.17"},
        {"labels of one each", "0-4a/0-4b", 1, false, "0-4a0.25 ?0-4b0.25"},
        {"both where they may overlap", "0-4a/0-4b", 1, true, "0-4a0.25 0-4b0.25"},
        {"an opinion that is not given", "0-4a/-", 0, false, "0-4a0.50"},
        {"a label that one was not asked for", "0-4a/!b", 0, false, "0-4a0.50"},
        {"two votes where one was asked", "0-4a/!b", 2, false, "?0-4a0.50"},
        {"two votes where one opinion is given", "0-4a/-", 2, false, "?0-4a0.50"},
        {"the same twice counts once", "0-4a 0-4a/", 0, false, "?0-4a0.25"},
        {"nobody finds anything", "/", 0, false, ""},
    };
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        said s;
        nf_merged m;
        nf_arena arena = {0};
        nf_str got = {0};
        parse(&s, cases[i].said);
        assert_ok(nf_merge(&m, s.list, s.n, 3, cases[i].votes, cases[i].nested, &arena, &error),
                  &error);
        for (size_t k = 0; k < m.n_spans; k++) {
            const nf_entity *e = &m.spans[k].span;
            nf_str_appendf(&got, "%s%s%u-%u%c%.2f", k ? " " : "", m.spans[k].accepted ? "" : "?",
                           e->start, e->end, 'a' + e->type, e->score);
        }
        wrong += !same_text(cases[i].name, nf_str_text(&got), cases[i].expected);
        nf_str_free(&got);
        nf_arena_free(&arena);
    }
    assert_int_equal(wrong, 0);
}

/* A text of a megabyte has some 50,000 entities: not every pair of them is compared. */
static void test_many_spans(void **state) {
    enum { MANY = 60000 };
    nf_arena arena = {0};
    nf_entity *spans = calloc(MANY, sizeof *spans);
    (void)state;
    assert_non_null(spans);
    for (uint32_t i = 0; i < MANY; i++) spans[i] = (nf_entity){20 * i, 20 * i + 9, i % 3, 1.0};
    nf_opinion one = {.spans = spans, .n_spans = MANY, .given = true},
               other = {.spans = spans, .n_spans = MANY - 1, .given = true};
    const nf_opinion *const list[] = {&one, &other};
    nf_merged m;
    clock_t began = clock();
    assert_ok(nf_merge(&m, list, 2, 3, 0, false, &arena, &error), &error);
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    assert_int_equal(m.n_spans, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(m.spans[i].span.start, 20 * i);
        assert_int_equal(m.spans[i].accepted, i < MANY - 1);
    }
    assert_true(seconds < 5); /* 10 milliseconds; every pair would be a minute */
    nf_arena_free(&arena);
    free(spans);
}

/* Entities that may overlap: what lies in another one of its label is a variant, label by label. */
static void test_many_nested_spans(void **state) {
    enum { MANY = 60000 };
    nf_arena arena = {0};
    nf_entity *spans = calloc(MANY, sizeof *spans);
    (void)state;
    assert_non_null(spans);
    for (uint32_t i = 0; i < MANY;
         i++) /* threes: two of a label, the second within; one of another */
        spans[i] = (nf_entity){10 * (i / 3) + i % 3, 10 * (i / 3) + 8, i % 3 / 2, 1.0};
    nf_opinion one = {.spans = spans, .n_spans = MANY, .given = true};
    const nf_opinion *const list[] = {&one};
    nf_merged m;
    clock_t began = clock();
    assert_ok(nf_merge(&m, list, 1, 2, 0, true, &arena, &error), &error);
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    assert_int_equal(m.n_spans, MANY);
    for (size_t i = 0; i < MANY; i++) assert_int_equal(m.spans[i].accepted, i % 3 != 1);
    assert_true(seconds < 5); /* 15 milliseconds; every pair would be half a minute */
    nf_arena_free(&arena);
    free(spans);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_merge),
                                       cmocka_unit_test(test_many_spans),
                                       cmocka_unit_test(test_many_nested_spans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
