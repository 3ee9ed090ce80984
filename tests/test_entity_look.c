/* The look of entities in HTML: their colours, how they nest, and whether they can be read. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/entity_look.h"
#include "base/error.h"
#include "test.h"

static nerfit_error error;

static void assert_hues(const char *const *labels, size_t n, const int *expected) {
    uint8_t hues[64];
    assert_int_equal(nf_entity_hues(labels, n, hues, &error), NERFIT_OK);
    for (size_t i = 0; i < n; i++)
        if (hues[i] != expected[i])
            fail_msg("%s has hue %d, not %d", labels[i], hues[i], expected[i]);
}

/* Names that displaCy knows have its colours; DATE and TIME share one there, and not here. */
static void test_hues(void **state) {
    (void)state;
    static const char *const usual[] = {"PERSON", "org", "Gpe", "LOC", "PRODUCT", "TIME"};
    assert_hues(usual, 6, (const int[]){4, 0, 2, 3, 1, 10});
    static const char *const both[] = {"TIME", "DATE"};
    assert_hues(both, 2, (const int[]){3, 10});
    /* the set decides, not its order; and 30 labels share 12 colours evenly */
    char names[30][8];
    const char *labels[30], *turned[30];
    uint8_t hues[30], again[30];
    int used[NF_ENTITY_HUES] = {0};
    for (int i = 0; i < 30; i++) {
        snprintf(names[i], sizeof names[i], "type%d", i);
        labels[i] = turned[29 - i] = names[i];
    }
    for (size_t n = 0; n <= 30; n += 6) {
        memset(used, 0, sizeof used);
        assert_int_equal(nf_entity_hues(labels, n, hues, &error), NERFIT_OK);
        assert_int_equal(nf_entity_hues(turned + 30 - n, n, again, &error), NERFIT_OK);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(hues[i], again[n - 1 - i]);
            used[hues[i]]++;
        }
        for (int h = 0; h < NF_ENTITY_HUES; h++)
            assert_in_range(used[h], n / NF_ENTITY_HUES, (n + NF_ENTITY_HUES - 1) / NF_ENTITY_HUES);
    }
}

static void test_html(void **state) {
    (void)state;
#define MARK(h) "<mark class=\"entity hue" #h "\">"
#define END(label) "<small>" label "</small></mark>"
    static const struct {
        const char *name, *text;
        size_t from, to, n;
        nf_entity_mark marks[3];
        const char *expected;
    } cases[] = {
        {"none", "a<b>&\"", 0, 6, 0, {{0}}, "a&lt;b&gt;&amp;&quot;"},
        {"two",
         "ab cd",
         0,
         5,
         2,
         {{3, 5, "y", -1, true, 1}, {0, 2, "<x>", -1, false, 0}},
         MARK(0) "ab" END("&lt;x&gt;") " " MARK(1) "cd" END("y")},
        {"scores",
         "ab cd",
         0,
         5,
         2,
         {{0, 2, "x", 0.5, true, 0}, {3, 5, "y", 1, false, 1}},
         "<mark class=\"entity hue0\" title=\"0.500\">ab<small>x 0.50</small></mark> "
         "<mark class=\"entity hue1\" title=\"1.000\">cd" END("y")},
        {"part", "ab cd ef", 2, 6, 1, {{3, 5, "y", -1, true, 1}}, " " MARK(1) "cd" END("y") " "},
        {"inside",
         "abcd",
         0,
         4,
         2,
         {{1, 2, "y", -1, true, 1}, {0, 4, "x", -1, true, 0}},
         MARK(0) "a" MARK(1) "b" END("y") "cd" END("x")},
        {"same place",
         "ab",
         0,
         2,
         2,
         {{0, 2, "y", -1, true, 1}, {0, 2, "x", -1, true, 0}},
         MARK(0) MARK(1) "ab" END("y") END("x")},
        {"crossing",
         "abcd",
         0,
         4,
         2,
         {{0, 3, "x", -1, true, 0}, {1, 4, "y", -1, true, 1}},
         MARK(0) "a" MARK(1) "bc</mark>" END("x") MARK(1) "d" END("y")},
        {"three",
         "abcdef",
         0,
         6,
         3,
         {{0, 2, "x", -1, true, 0}, {1, 4, "y", -1, true, 1}, {1, 3, "z", -1, true, 2}},
         MARK(0) "a" MARK(1) MARK(2) "b</mark></mark>" END("x") MARK(1)
             MARK(2) "c" END("z") "d" END("y") "ef"},
    };
    for (size_t i = 0; i < NF_COUNT(cases); i++) {
        nf_str out = {0};
        nf_entity_mark marks[3];
        memcpy(marks, cases[i].marks, sizeof marks);
        nf_entity_html(&out, cases[i].text, cases[i].from, cases[i].to, marks, cases[i].n);
        if (strcmp(nf_str_text(&out), cases[i].expected) != 0)
            fail_msg("%s:\n%s\nnot\n%s", cases[i].name, nf_str_text(&out), cases[i].expected);
        nf_str_free(&out);
    }
}

/* ---------------------------------------------------------------- contrast */

typedef struct colour {
    double rgb[3]; /* 0 to 255 */
} colour;

static colour hex(const char *text) {
    unsigned r, g, b;
    assert_int_equal(sscanf(text, "#%2x%2x%2x", &r, &g, &b), 3);
    return (colour){{r, g, b}};
}

/* The share `part` of a, the rest b: CSS's color-mix in srgb. */
static colour mix(colour a, colour b, double part) {
    for (int i = 0; i < 3; i++) a.rgb[i] = part * a.rgb[i] + (1 - part) * b.rgb[i];
    return a;
}

/* WCAG 2.1's relative luminance and contrast. */
static double luminance(colour c) {
    static const double weights[] = {0.2126, 0.7152, 0.0722};
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        double v = c.rgb[i] / 255;
        sum += weights[i] * (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    return sum;
}

static double contrast(colour a, colour b) {
    double x = luminance(a), y = luminance(b);
    return (fmax(x, y) + 0.05) / (fmin(x, y) + 0.05);
}

/* The text behind `key` in the style sheet, from `css` on. */
static const char *value_of(const char *css, const char *key) {
    const char *found = strstr(css, key);
    if (!found) fail_msg("no %s in the style sheet", key);
    return found + strlen(key);
}

static void test_contrast(void **state) {
    (void)state;
    const double AA = 4.5;
    const char *css = nf_entity_look_css(), *dark = value_of(css, "(prefers-color-scheme: dark)");
    colour ink = hex(value_of(css, "--ink: ")), dark_ink = hex(value_of(dark, "--ink: "));
    const char *mixed = value_of(dark, "color-mix(in srgb, var(--hue, #ddd) ");
    double part = atof(mixed) / 100;
    colour page = hex(value_of(mixed, "%, "));
    assert_in_range((long)(100 * part), 10, 60);
    for (int i = 0; i < NF_ENTITY_HUES; i++) {
        char rule[32];
        snprintf(rule, sizeof rule, ".hue%d { --hue: ", i);
        colour hue = hex(value_of(css, rule)), box = mix(hue, page, part);
        double pairs[] = {contrast(ink, hue), contrast(dark_ink, box), contrast(hue, box)};
        for (int k = 0; k < 3; k++)
            if (pairs[k] < AA) fail_msg("hue %d: contrast %d is %.2f", i, k, pairs[k]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hues), cmocka_unit_test(test_html),
                                       cmocka_unit_test(test_contrast)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
