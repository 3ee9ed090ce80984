/* Places of a language model's answers in texts of many scripts, and reading what models answer. */
#include "documents.h"

#include <time.h>

#include "annotate/align.h"
#include "annotate/answer.h"

static nerfit_error error;

/* "start-end" of each answer with how it was found, or why not; behind ";" further occurrences. */
static void align(nf_str *out, const char *text, const char *answers, bool all, bool nested) {
    nf_arena arena = {0};
    nf_aligned list[16], *more;
    size_t n = 0, n_more;
    char *copy = strdup(answers);
    for (char *save, *part = strtok_r(copy, "|", &save); part; part = strtok_r(NULL, "|", &save)) {
        bool other = part[0] == '@'; /* another label */
        list[n++] = (nf_aligned){.text = part + other, .label = other};
    }
    nf_align_text t;
    assert_ok(nf_align_text_make(&t, text, strlen(text), &arena, &error), &error);
    const nf_align_options options = {all, nested};
    assert_ok(nf_align(&t, list, n, &options, &more, &n_more, &arena, &error), &error);
    static const char *const how[NF_COUNTS] = {"",         "folded", "trimmed", "fuzzy",
                                               "repeated", "absent", "inside",  "again",
                                               "empty",    "label",  "type",    "overlap"};
    for (size_t i = 0; i < n + n_more; i++) {
        const nf_aligned *a = i < n ? &list[i] : &more[i - n];
        if (i) nf_str_append_text(out, i == n ? "; " : " ");
        if (a->how <= NF_COUNT_REPEATED) nf_str_appendf(out, "%u-%u", a->start, a->end);
        nf_str_append_text(out, how[a->how]);
    }
    free(copy);
    nf_arena_free(&arena);
}

static void test_align(void **state) {
    static const struct {
        const char *name, *text, *answers, *expected;
        bool all, nested;
    } cases[] = {
        {"as it stands", "Ada met Bob", "Ada|Bob", "0-3 8-11", false, false},
        {"in order", "Ada, Bob, Ada, Bob", "Ada|Bob|Ada|Bob", "0-3 5-8 10-13 15-18", false, false},
        {"a later one first", "Bob met Ada. Ada met Bob.", "Ada|Bob", "8-11 21-24", false, false},
        {"out of order", "Bob met Ada", "Ada|Bob", "8-11 0-3", false, false},
        {"more answers than places", "Ada", "Ada|Ada", "0-3 again", false, false},
        {"the same words otherwise", "NASA flew, Nasa fell", "nasa|Nasa|NASA",
         "0-4folded 11-15 again", false, false},
        {"what lies in the way of one that is out stays", "a b c d e f g h", "a b c d|d e f|f g",
         "0-7 overlap 10-13", false, false},
        {"case", "NASA flew", "Nasa", "0-4folded", false, false},
        {"exact ones before others", "apple Apple", "Apple", "0-5folded", false, false},
        {"white space", "New\n  York", "New York", "0-10folded", false, false},
        {"typographic apostrophe", "O\xE2\x80\x99Neil", "O'Neil", "0-6folded", false, false},
        {"dash",
         "1990\xE2\x80\x93"
         "2000",
         "1990-2000", "0-9folded", false, false},
        {"ellipsis", "wait\xE2\x80\xA6 Bob", "wait... Bob", "0-9folded", false, false},
        {"decomposed", "cafe\xCC\x81 noir", "caf\xC3\xA9", "0-5folded", false, false},
        {"full width", "\xEF\xBC\xA1\xEF\xBC\xA2\xEF\xBC\xA3 x", "ABC", "0-3folded", false, false},
        {"sharp s",
         "Stra\xC3\x9F"
         "e 5",
         "STRASSE", "0-6folded", false, false},
        {"Turkish dotted I", "\xC4\xB0zmir", "\xC4\xB0zmir", "0-5", false, false},
        {"article", "we like Beatles", "the Beatles", "8-15trimmed", false, false},
        {"possessive", "Ada wrote", "Ada's", "0-3trimmed", false, false},
        {"punctuation", "in Paris, now", "Paris.", "3-8trimmed", false, false},
        {"quotes around", "he said Bob", "\"Bob\"", "8-11trimmed", false, false},
        {"inside a word", "Bart came", "art", "inside", false, false},
        {"nowhere", "Ada came", "Zoe", "absent", false, false},
        {"not because of likeness", "Maria came", "Mario Rossi", "absent", false, false},
        {"Bern is not Berlin", "in Bern", "Berlin", "absent", false, false},
        {"a word more", "United States of America today", "United States America", "0-24fuzzy",
         false, false},
        {"a typing error", "Charles Babbage came", "Charles Babage", "0-15fuzzy", false, false},
        {"nearly, twice", "Karl Marks. Karl Marqs.", "Karl Marx", "absent", false, false},
        {"empty", "Ada", " ", "empty", false, false},
        {"Chinese", "\xE6\x88\x91\xE5\x9C\xA8\xE5\x8C\x97\xE4\xBA\xAC", "\xE5\x8C\x97\xE4\xBA\xAC",
         "2-4", false, false},
        {"Japanese", "\xE6\x9D\xB1\xE4\xBA\xAC\xE3\x82\xBF\xE3\x83\xAF\xE3\x83\xBC\xE3\x81\xA7",
         "\xE6\x9D\xB1\xE4\xBA\xAC\xE3\x82\xBF\xE3\x83\xAF\xE3\x83\xBC", "0-5", false, false},
        {"Thai", "\xE0\xB8\xA2\xE0\xB8\xB9\xE0\xB9\x88\xE0\xB9\x84\xE0\xB8\x97\xE0\xB8\xA2",
         "\xE0\xB9\x84\xE0\xB8\x97\xE0\xB8\xA2", "3-6", false, false},
        {"Arabic", "\xD8\xB2\xD8\xA7\xD8\xB1 \xD8\xA8\xD8\xA7\xD8\xB1\xD9\x8A\xD8\xB3",
         "\xD8\xA8\xD8\xA7\xD8\xB1\xD9\x8A\xD8\xB3", "4-9", false, false},
        {"Arabic presentation forms", "\xEF\xBB\xBC x", "\xD9\x84\xD8\xA7", "0-1folded", false,
         false},
        {"Hebrew with points", "\xD7\xA9\xD6\xB8\xD7\x9C\xD7\x95\xD7\x9D",
         "\xD7\xA9\xD6\xB8\xD7\x9C\xD7\x95\xD7\x9D", "0-5", false, false},
        {"Devanagari",
         "\xE0\xA4\xA6\xE0\xA4\xBF\xE0\xA4\xB2\xE0\xA5\x8D\xE0\xA4\xB2\xE0\xA5\x80 "
         "\xE0\xA4\xAE\xE0\xA5\x87\xE0\xA4\x82",
         "\xE0\xA4\xA6\xE0\xA4\xBF\xE0\xA4\xB2\xE0\xA5\x8D\xE0\xA4\xB2\xE0\xA5\x80", "0-6", false,
         false},
        {"Korean, composed and not", "\xED\x95\x9C\xEA\xB5\xAD",
         "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB\xE1\x84\x80\xE1\x85\xAE\xE1\x86\xA8", "0-2folded",
         false, false},
        {"Cyrillic", "\xD0\xB2 \xD0\x9C\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD1\x83",
         "\xD0\xBC\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD1\x83", "2-8folded", false, false},
        {"Greek final sigma", "\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3",
         "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82", "0-4folded", false, false},
        {"emoji", "Bob \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80 Ada", "Ada", "8-11", false,
         false},
        {"invisible characters",
         "New\xC2\xAD"
         "port",
         "Newport", "0-8folded", false, false},
        {"further places", "Ada, Bob, ADA", "Ada", "0-3; 10-13repeated", true, false},
        {"not where another is", "Ada Ada Byron", "Ada|Ada Byron", "0-3 4-13", true, false},
        {"not where labels differ", "Paris, Paris, Paris", "Paris|@Paris", "0-5 7-12", true, false},
        {"the longer stays", "University of Paris", "Paris|@University of Paris", "overlap 0-19",
         false, false},
        {"both where they may", "University of Paris", "@University of Paris|Paris", "0-19 14-19",
         false, true},
    };
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_str got = {0};
        align(&got, cases[i].text, cases[i].answers, cases[i].all, cases[i].nested);
        wrong += !same_text(cases[i].name, nf_str_text(&got), cases[i].expected);
        nf_str_free(&got);
    }
    assert_int_equal(wrong, 0);
}

static void test_answers(void **state) {
    static const struct {
        const char *answer, *expected; /* NULL: no answer */
        bool bare;
    } cases[] = {
        {"{\"entities\": []}", ""},
        {"[]", ""},
        {"==NONE==", ""},
        {"No entities found.", ""},
        {"", NULL},
        {"I cannot do that.", NULL},
        {"{\"message\": \"busy\"}", NULL},
        {"<think>[]", NULL},
        {"<think>[{\"text\": \"X\", \"label\": \"a\"}]</think>[]", ""},
        {"{\"entities\": [{\"text\": \"A\", \"label\": \"a\"}]}", "A=a"},
        {"{\"entities\": [{\"text\": \"A\", \"label\": \"a\"}, {\"text\": \"B\", \"la", "A=a cut"},
        {"{\"entities\": [", " cut"},
        {"None would be []. {\"entities\": [{\"text\": \"A\", \"label\": \"a\"}]}", "A=a"},
        {"{\"entities\": []} as the list [] says", ""},
        {"{\"a\": [\"A\"], \"items\": [\"B\"]}", NULL},
        {"[{'text': 'O'Neil', 'label': 'a'}]", "O'Neil=a"},
        {"[{'text': \"it's\", 'label': 'a'},]", "it's=a"},
        {"[(\"A\", \"a\"), (\"B\", \"b\")]", "A=a B=b"},
        {"[\"A\", \"B\"]", NULL},
        {"[\"A\", \"B\"]", "A= B=", true},
        {"Here [it is]: [\"A\"]", "it is=", true},
        {"Here [it is]: {\"entities\": [[\"A\", \"a\"]]}", "A=a"},
        {"```json\n[{\"entity\": \"A\", \"type\": \"a\"}]\n```\nThat [is] it.", "A=a"},
        {"{\"text\": \"A\", \"label\": \"a\"}\n{\"text\": \"B\", \"label\": \"b\"}", "A=a B=b"},
        {"{\"a\": [\"A\", \"B\"], \"b\": []}", "A=a B=a"},
        {"{\"c\": [\"A\"]}", NULL},
        {"a: A; B\nb: none", "A=a B=a"},
        {"- **a**: A\n", "A=a"},
        {"Note: this is prose", NULL},
        {"A <> thing <> what it is\nB <> b", "A=thing B=b"},
        {"[{\"text\": \"A\\u00e9\\ud83d\\ude00\", \"label\": \"a\"}]",
         "A\xC3\xA9\xF0\x9F\x98\x80=a"},
        {"[{\"text\": \"A\\ud83d\", \"label\": \"a\"}]", "A\xEF\xBF\xBD=a"},
        {"[{\"text\": \"A\nB\", \"label\": \"a\"}]", "A\nB=a"},
        {"[{text: A, label: a}]", "A=a"},
        {"[{\"text\": null, \"label\": \"a\"}]", NULL},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", " cut"},
    };
    static const char *const names[] = {"a", "b"}, *const none[] = {"", ""};
    const nf_job_labels labels = {names, none, NULL, 2};
    nf_answer_labels known;
    (void)state;
    assert_ok(nf_answer_labels_make(&known, &labels, &error), &error);
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_arena arena = {0};
        nf_answer answer;
        nf_str got = {0};
        bool no_memory;
        bool read =
            nf_answer_read(&answer, cases[i].answer, &known, cases[i].bare, &arena, &no_memory);
        for (size_t k = 0; read && k < answer.count; k++)
            nf_str_appendf(&got, "%s%s=%s", k ? " " : "", answer.items[k].text,
                           answer.items[k].label ? answer.items[k].label : "");
        if (read && answer.truncated) nf_str_append_text(&got, " cut");
        wrong += !same_text(cases[i].answer, read ? nf_str_text(&got) : "(none)",
                            cases[i].expected ? cases[i].expected : "(none)");
        nf_str_free(&got);
        nf_arena_free(&arena);
    }
    assert_int_equal(wrong, 0);
    nf_answer_labels_free(&known);
}

/* Labels that are called as the answer's own parts are. */
static void test_labels_named_like_keys(void **state) {
    static const char *const names[] = {"entities", "text", "label"}, *const none[] = {"", "", ""};
    const nf_job_labels labels = {names, none, NULL, 3};
    nf_answer_labels known;
    static const struct {
        const char *answer, *expected;
    } cases[] = {
        {"{\"entities\": [{\"text\": \"A\", \"label\": \"entities\"}]}", "A=entities"},
        {"{\"entities\": [{\"text\": \"label\", \"label\": \"text\"}]}", "label=text"},
        {"{\"entities\": [\"A\"], \"text\": [\"B\"], \"label\": []}", "A=entities B=text"},
    };
    (void)state;
    assert_ok(nf_answer_labels_make(&known, &labels, &error), &error);
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_arena arena = {0};
        nf_answer answer = {0};
        nf_str got = {0};
        bool no_memory;
        nf_answer_read(&answer, cases[i].answer, &known, false, &arena, &no_memory);
        for (size_t k = 0; k < answer.count; k++)
            nf_str_appendf(&got, "%s%s=%s", k ? " " : "", answer.items[k].text,
                           answer.items[k].label);
        wrong += !same_text(cases[i].answer, nf_str_text(&got), cases[i].expected);
        nf_str_free(&got);
        nf_arena_free(&arena);
    }
    assert_int_equal(wrong, 0);
    nf_answer_labels_free(&known);
}

static void test_labels(void **state) {
    static const char *const names[] = {"person", "date_time", "class"};
    static const char *const none[] = {"", "", ""};
    const nf_job_labels labels = {names, none, NULL, 3};
    nf_answer_labels known;
    static const struct {
        const char *label;
        int32_t expected;
    } cases[] = {{"person", 0},    {"Persons", 0},   {"PERSON", 0}, {"date time", 1},
                 {"Date-Time", 1}, {"datetime", -1}, {"class", 2},  {"classes", -1},
                 {"", -1},         {"people", -1}};
    (void)state;
    assert_ok(nf_answer_labels_make(&known, &labels, &error), &error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_arena arena = {0};
        assert_int_equal(nf_answer_label(&known, cases[i].label, &arena), cases[i].expected);
        nf_arena_free(&arena);
    }
    nf_answer_labels_free(&known);
}

/* As many answers and labels as there may be take no pairs of them. */
static void test_many_answers(void **state) {
    enum { MANY = 20000 };
    nf_arena arena = {0};
    nf_str text = {0};
    nf_aligned *answers = nf_arena_calloc(&arena, MANY + 1, sizeof *answers), *more;
    (void)state;
    assert_non_null(answers);
    for (int i = 0; i < MANY; i++) {
        char word[16];
        snprintf(word, sizeof word, "w%d", i / 2); /* each twice */
        nf_str_appendf(&text, "%s%s", i ? " " : "", word);
        answers[i] = (nf_aligned){.text = nf_arena_strdup(&arena, word), .label = i % 2};
    }
    answers[MANY] = (nf_aligned){.text = "nowhere near"};
    nf_align_text t;
    size_t n_more;
    clock_t began = clock();
    assert_ok(nf_align_text_make(&t, nf_str_text(&text), text.length, &arena, &error), &error);
    const nf_align_options options = {true, false};
    assert_ok(nf_align(&t, answers, MANY + 1, &options, &more, &n_more, &arena, &error), &error);
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    for (int i = 0; i < MANY;
         i += 2) { /* both labels answer the first place: that of equal length stays */
        assert_int_equal(answers[i].how, NF_COUNT_EXACT);
        assert_int_equal(answers[i + 1].how, NF_COUNT_OVERLAP);
    }
    assert_int_equal(answers[MANY].how, NF_COUNT_ABSENT);
    assert_true(seconds < 20); /* the search for each word is what takes a second */
    nf_str_free(&text);
    nf_arena_free(&arena);
}

static void test_many_labels(void **state) {
    enum { MANY = 20000 };
    nf_arena arena = {0};
    const char **names = nf_arena_calloc(&arena, MANY, sizeof *names);
    const char **none = nf_arena_calloc(&arena, MANY, sizeof *none);
    nf_str answer = {0};
    (void)state;
    assert_true(names && none);
    nf_str_append_char(&answer, '{');
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "label_%d", i);
        names[i] = nf_arena_strdup(&arena, name);
        none[i] = "";
        nf_str_appendf(&answer, "%s\"Label %d\": [\"A\"]", i ? ", " : "", i);
    }
    nf_str_append_char(&answer, '}');
    const nf_job_labels labels = {names, none, NULL, MANY};
    nf_answer_labels known;
    nf_answer read;
    bool no_memory;
    clock_t began = clock();
    assert_ok(nf_answer_labels_make(&known, &labels, &error), &error);
    assert_true(nf_answer_read(&read, nf_str_text(&answer), &known, false, &arena, &no_memory));
    assert_int_equal(read.count, MANY);
    assert_int_equal(nf_answer_label(&known, read.items[MANY - 1].label, &arena), MANY - 1);
    assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 20); /* 0.2 seconds */
    nf_answer_labels_free(&known);
    nf_str_free(&answer);
    nf_arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_align),        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_many_answers), cmocka_unit_test(test_many_labels),
        cmocka_unit_test(test_labels),       cmocka_unit_test(test_labels_named_like_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
