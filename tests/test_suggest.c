/* Which texts are suggested, and in which order. */
#include "documents.h"

#include "annotate/suggest.h"

static nerfit_error error;

typedef struct suggested {
    nf_corpus texts, known;
    nf_suggest_text seen[8];
    float vectors[8][2], known_vectors[2][2];
    nf_suggest_job job;
} suggested;

static void begin(suggested *s, const char *const *texts, size_t n, const char *const *known,
                  size_t n_known) {
    *s = (suggested){.job = {.n_labels = 2}};
    for (size_t i = 0; i < n; i++) {
        const nf_given_document d = {.text = texts[i], .text_size = strlen(texts[i])};
        assert_ok(nf_corpus_add(&s->texts, &d, NULL, &error), &error);
        s->seen[i] = (nf_suggest_text){.n_words = 4, .disagreement = -1};
    }
    for (size_t i = 0; i < n_known; i++) {
        const nf_given_document d = {.text = known[i], .text_size = strlen(known[i])};
        assert_ok(nf_corpus_add(&s->known, &d, NULL, &error), &error);
    }
    s->job.texts = &s->texts;
    s->job.known = &s->known;
    s->job.seen = s->seen;
}

/* The numbers of the texts, one after another. */
static void ranked(suggested *s, const char *expected) {
    nf_suggestion out[8];
    size_t n;
    nf_str got = {0};
    assert_ok(nf_suggest(&s->job, out, &n, &error), &error);
    for (size_t i = 0; i < n; i++) nf_str_appendf(&got, "%u", out[i].text);
    assert_string_equal(nf_str_text(&got), expected);
    nf_str_free(&got);
    nf_corpus_free(&s->texts);
    nf_corpus_free(&s->known);
}

static const char *const four[] = {"one", "two", "three", "four"};

static void test_uncertainty(void **state) {
    suggested s;
    (void)state;
    begin(&s, four, 4, NULL, 0);
    s.seen[0].entropy = 1, s.seen[1].entropy = 3, s.seen[2].entropy = 2, s.seen[3].entropy = 4;
    s.seen[3].n_words = 100; /* 4 / 10 */
    ranked(&s, "1203");
}

static void test_rare_labels(void **state) {
    static const nf_entity usual = {0, 1, 0, 0.9}, rare = {0, 1, 1, 0.9};
    static const size_t mentions[] = {50, 0};
    suggested s;
    (void)state;
    begin(&s, four, 3, NULL, 0);
    s.seen[0].entities = s.seen[1].entities = &usual, s.seen[2].entities = &rare;
    for (size_t i = 0; i < 3; i++) s.seen[i].n_entities = 1;
    s.job.known_mentions = mentions;
    ranked(&s, "201");
}

static void test_disagreement(void **state) {
    suggested s;
    (void)state;
    begin(&s, four, 3, NULL, 0);
    s.seen[0].disagreement = 0, s.seen[1].disagreement = 0.2, s.seen[2].disagreement = 0.9;
    ranked(&s, "210");
}

static void test_what_is_left_out(void **state) {
    static const char *const texts[] = {"Ada met Bob.", "", "ada met bob", "  ", "Bob left"};
    static const char *const known[] = {"BOB LEFT!"};
    suggested s;
    (void)state;
    begin(&s, texts, 5, known, 1);
    s.seen[1].n_words = s.seen[3].n_words = 0;
    ranked(&s, "0");
}

static void test_spread(void **state) {
    static const float vectors[][2] = {{1, 0}, {0.8F, 0.6F}, {0, 1}, {0.999F, 0.04F}};
    suggested s;
    (void)state;
    begin(&s, four, 4, NULL, 0);
    s.seen[0].entropy = 4, s.seen[1].entropy = 3, s.seen[2].entropy = 2, s.seen[3].entropy = 1;
    memcpy(s.vectors, vectors, sizeof vectors);
    s.job.vectors = &s.vectors[0][0];
    s.job.size = 2;
    ranked(&s, "021"); /* what is like the first waits; what is nearly the first is left out */
}

static void test_budget(void **state) {
    suggested s;
    (void)state;
    begin(&s, four, 4, NULL, 0);
    for (size_t i = 0; i < 4; i++) s.seen[i].entropy = 4 - (double)i;
    s.seen[1].n_words = 9;
    s.job.most_words = 10; /* the second has no room */
    ranked(&s, "02");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uncertainty),      cmocka_unit_test(test_rare_labels),
        cmocka_unit_test(test_disagreement),     cmocka_unit_test(test_spread),
        cmocka_unit_test(test_what_is_left_out), cmocka_unit_test(test_budget)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
