/* Types of a language model's own: which are one, what they become, and the files of them. */
#include "documents.h"

#include <math.h>

#include "annotate/open_types.h"
#include "data/descriptions.h"

static nerfit_error error;

/* Vectors by direction, in degrees. */
static void direct(float *out, double degrees) {
    out[0] = (float)cos(degrees * 3.14159265358979 / 180);
    out[1] = (float)sin(degrees * 3.14159265358979 / 180);
}

typedef struct seen {
    const char *name, *about;
    double degrees; /* of its first mention */
} seen;

static void see(nf_open_types *t, const seen *types, size_t n, float *vectors) {
    for (size_t i = 0; i < n; i++) {
        size_t before = t->count;
        bool taken;
        assert_ok(nf_open_types_see(t, types[i].name, types[i].about, &taken, &error), &error);
        if (t->count > before) direct(vectors + 2 * before, types[i].degrees);
    }
}

/* "type=label" of all types, the most mentioned first. */
static void show(nf_str *out, const nf_open_types *t) {
    for (size_t i = 0; i < t->count; i++)
        nf_str_appendf(out, "%s%s(%zu)=%s", i ? ", " : "", t->list[i]->name, t->list[i]->mentions,
                       t->labels.names[t->list[i]->label]);
}

static void test_merging(void **state) {
    (void)state;
    static const seen types[] = {
        {"Person", "A human being.", 0},
        {"persons", NULL, 0},
        {"human", "Somebody.", 10},
        {"PERSON", "Another text.", 0},
        {"town", "", 90},
        {"city_name", "A place.", 95},
        {"city name", "A place.", 95},
        {"a chain's middle", "", 30},
        {"what is near the middle", "", 60},
    };
    static const char *const known_names[] = {"place"}, *const known_texts[] = {"Where."},
                             *const other_names[] = {"city name"};
    nf_label_texts further = {(const char **)other_names, NULL, 1, 0};
    const nf_job_labels none = {0}, known = {known_names, known_texts, &further, 1};
    static const struct {
        const char *name, *expected;
        bool vectors, known;
        double threshold;
    } cases[] = {
        {"by names alone",
         "Person(3)=Person, city_name(2)=city_name, human(1)=human, town(1)=town, a chain's "
         "middle(1)=a chain's middle, what is near the middle(1)=what is near the middle",
         false, false, 0.8},
        {"by vectors: 30 degrees are 0.87",
         "Person(3)=Person, city_name(2)=city_name, human(1)=Person, town(1)=city_name, a chain's "
         "middle(1)=Person, what is near the middle(1)=what is near the middle",
         true, false, 0.85},
        {"a higher threshold",
         "Person(3)=Person, city_name(2)=city_name, human(1)=Person, town(1)=city_name, a chain's "
         "middle(1)=a chain's middle, what is near the middle(1)=what is near the middle",
         true, false, 0.9},
        {"a known label by another of its names, and by its vector",
         "Person(3)=Person, city_name(2)=place, human(1)=Person, town(1)=place, a chain's "
         "middle(1)=a chain's middle, what is near the middle(1)=what is near the middle",
         true, true, 0.9},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_open_types t = {0};
        nf_str got = {0};
        float vectors[20];
        size_t n_known = cases[i].known;
        direct(vectors, 88);
        see(&t, types, sizeof types / sizeof *types, vectors + 2 * n_known);
        assert_ok(nf_open_types_merge(&t, n_known ? &known : &none,
                                      cases[i].vectors ? vectors : NULL, 2, cases[i].threshold,
                                      &error),
                  &error);
        show(&got, &t);
        wrong += !same_text(cases[i].name, nf_str_text(&got), cases[i].expected);
        nf_arena arena = {0};
        assert_int_equal(nf_open_types_label(&t, "Persons ", &arena),
                         nf_open_types_label(&t, "person", &arena));
        assert_int_equal(nf_open_types_label(&t, "never seen", &arena), -1);
        assert_int_equal(nf_open_types_label(&t, NULL, &arena), -1);
        nf_arena_free(&arena);
        nf_str_free(&got);
        nf_open_types_free(&t);
    }
    assert_int_equal(wrong, 0);
}

/* What is written is read again. */
static void test_files(void **state) {
    (void)state;
    static const seen types[] = {
        {"yes", "Line one\n  and: \"two\" # all", 0},
        {"yes", NULL, 0},
        {"h\xC3\xA9ros", "", 90},
        {"hero:",
         "Some-\xE2\x80\xA8"
         "body.",
         91},
        {"1.5", "A number", 200},
    };
    nf_open_types t = {0};
    nf_str text = {0}, more = {0};
    nf_descriptions d = {0};
    nf_arena arena = {0};
    float vectors[10];
    const nf_job_labels none = {0};
    see(&t, types, sizeof types / sizeof *types, vectors);
    assert_ok(nf_open_types_merge(&t, &none, vectors, 2, 0.9, &error), &error);
    nf_open_types_descriptions(&t, &text);
    nf_open_types_synonyms(&t, &more);
    assert_ok(nf_descriptions_parse(&d, nf_str_text(&text), text.length, "a.yaml", &error), &error);
    assert_int_equal(d.count, 3);
    assert_string_equal(d.labels[0], "yes");
    assert_string_equal(d.texts[0], "Line one and: \"two\" # all");
    assert_string_equal(d.texts[1], "h\xC3\xA9ros"); /* no description: its name */
    assert_string_equal(d.labels[2], "1.5");
    assert_string_equal(nf_str_text(&more), "\"h\xC3\xA9ros\":\n  synonyms:\n  - \"hero:\"\n"
                                            "  descriptions:\n  - \"Some- body.\"\n");
    nf_descriptions_free(&d);
    nf_arena_free(&arena);
    nf_str_free(&text);
    nf_str_free(&more);
    nf_open_types_free(&t);
}

static void test_what_is_no_type(void **state) {
    (void)state;
    nf_open_types t = {0};
    bool taken;
    char lengthy[100];
    memset(lengthy, 'x', 81);
    lengthy[81] = '\0';
    const char *const cases[] = {NULL, "", " _ ", lengthy};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(nf_open_types_see(&t, cases[i], "about", &taken, &error), &error);
        assert_false(taken);
    }
    assert_int_equal(t.count, 0);
    nf_open_types_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_merging), cmocka_unit_test(test_files),
                                       cmocka_unit_test(test_what_is_no_type)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
