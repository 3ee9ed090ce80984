/* Words between blanks: where they begin, and where their edges are. */
#include "test.h"

#include "text/word_starts.h"

static nerfit_error error;

/* A tokenizer that divides every code point of ASCII text, blanks left out. */
static void check(const char *text, const char *expected) {
    uint32_t starts[64], ends[64];
    int32_t words[64];
    bool begins[64];
    nf_encoding e = {.starts = starts, .ends = ends, .words = words};
    char got[192] = "", *at = got;
    for (uint32_t i = 0; text[i]; i++) {
        if (text[i] == ' ') continue;
        starts[e.length] = i, ends[e.length] = i + 1;
        words[e.length++] = (int32_t)i;
    }
    assert_ok(nf_word_starts(&(nf_encoded_text){&e, 0, 0, text, strlen(text)}, NF_WORDS_BLANKS,
                             begins, &error),
              &error);
    for (size_t i = 0; i < e.length; i++) {
        if (begins[i] && i) *at++ = '|';
        *at++ = text[starts[i]];
    }
    *at = '\0';
    if (strcmp(got, expected) != 0) fail_msg("\"%s\": %s, expected %s", text, got, expected);
}

static void test_blanks(void **state) {
    (void)state;
    check("wake me at nine.", "wake|me|at|nine|.");
    check("(see \"New York\", p. 3)", "(|see|\"|New|York|\"|,|p|.|3|)");
    check("state-of-the-art don't http://t.co/x", "state-of-the-art|don't|http://t.co/x");
    check("@name #tag $5 5% :)", "@name|#tag|$5|5%|:|)");
    check("U.S. ... a.b.c,", "U.S|.|.|.|.|a.b.c|,");
    check("it 's 'll 'quoted' '", "it|'s|'ll|'|quoted|'|'");
    check("  a  ", "a");
    check("", "");
}

static void test_edges(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t byte;
        bool edge;
    } cases[] = {{"in Rome.", 3, true},
                 {"in Rome.", 7, true},
                 {"in Rome.", 8, true},
                 {"in Rome.", 5, false},
                 {"(Rome), now", 1, true},
                 {"(Rome), now", 5, true},
                 {"York-based", 4, false},
                 {"York-based", 5, false},
                 {"York", 0, true},
                 {"l'Italie est", 2, false},
                 {"\xE2\x80\x9CRome\xE2\x80\x9D", 3, true},
                 {"\xE2\x80\x9CRome\xE2\x80\x9D", 7, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (nf_word_edge(cases[i].text, strlen(cases[i].text), cases[i].byte) != cases[i].edge)
            fail_msg("\"%s\" at %zu: expected %d", cases[i].text, cases[i].byte, cases[i].edge);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_blanks), cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
