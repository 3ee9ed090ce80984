/* What a model's labels mean: entities as transformers' pipeline groups them
 * (tools/golden/tag_groups.py), schemes that it does not know, and the names that scorers read. */
#include "test.h"

#include "base/json.h"
#include "labels/span_tokens.h"
#include "labels/tag_set.h"

enum { MOST = 32 };

/* "0-2 time, 3-4 song" */
static void show(char *out, size_t size, const nf_tag_set *set, const nf_entity *spans,
                 size_t count) {
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%u-%u %s", i ? ", " : "", spans[i].start,
                              spans[i].end, set->types[spans[i].type]);
    assert_true(n < size);
}

static size_t labels_of(const json_t *list, const char **out) {
    for (size_t i = 0; i < json_array_size(list); i++)
        out[i] = json_string_value(json_array_get(list, i));
    return json_array_size(list);
}

static void check_golden(void **state) {
    (void)state;
    nerfit_error error;
    json_t *golden, *one;
    size_t number, wrong = 0, compared = 0;
    assert_ok(nf_json_load(&golden, "tests/golden/tag-groups.json", &error), &error);
    json_array_foreach(json_object_get(golden, "cases"), number, one) {
        const char *labels[MOST];
        size_t n_labels = labels_of(json_object_get(one, "labels"), labels);
        nf_tag_set set;
        assert_ok(nf_tag_set_make(&set, labels, n_labels, &error), &error);
        const json_t *sequences = json_object_get(one, "sequences");
        for (size_t s = 0; s < json_array_size(sequences); s++) {
            const json_t *sequence = json_array_get(sequences, s);
            const json_t *groups = json_array_get(json_object_get(one, "groups"), s);
            int32_t ids[MOST];
            nf_entity spans[MOST], wanted[MOST];
            size_t n = json_array_size(sequence), n_wanted = json_array_size(groups);
            for (size_t i = 0; i < n; i++)
                ids[i] = (int32_t)json_integer_value(json_array_get(sequence, i));
            for (size_t i = 0; i < n_wanted; i++) {
                const json_t *g = json_array_get(groups, i);
                int32_t type = nf_tag_set_type(&set, json_string_value(json_array_get(g, 2)));
                assert_true(type >= 0);
                wanted[i] =
                    (nf_entity){(uint32_t)json_integer_value(json_array_get(g, 0)),
                                (uint32_t)json_integer_value(json_array_get(g, 1)), type, 0};
            }
            size_t count = nf_tag_set_spans(&set, ids, n, spans);
            char got[1024], expected[1024];
            show(got, sizeof got, &set, spans, count);
            show(expected, sizeof expected, &set, wanted, n_wanted);
            if (strcmp(got, expected) != 0) {
                print_error("case %zu, sequence %zu: %s, expected %s\n", number, s, got, expected);
                wrong++;
            }
            compared++;
        }
        nf_tag_set_free(&set);
    }
    json_decref(golden);
    assert_true(compared > 300);
    assert_int_equal(wrong, 0);
}

/* Labels and a sequence as words, the entities and the scorer's names. */
static const struct {
    const char *name, *labels, *sequence, *spans, *names;
} cases[] = {
    {"BIOES", "O B-x I-x E-x S-x", "B-x E-x S-x S-x O I-x E-x E-x",
     "0-2 x, 2-3 x, 3-4 x, 5-7 x, 7-8 x", "B-x E-x S-x S-x O I-x E-x E-x"},
    {"BILOU", "O B-x I-x L-x U-x", "U-x U-x B-x I-x L-x I-x", "0-1 x, 1-2 x, 2-5 x, 5-6 x",
     "S-x S-x B-x I-x E-x I-x"},
    {"BMEWO", "O B-x M-x E-x W-x", "B-x M-x M-x E-x W-x", "0-4 x, 4-5 x", "B-x I-x I-x E-x S-x"},
    {"prefixes alone", "O B I", "B I I B O I", "0-3 _, 3-4 _, 5-6 _", "B-_ I-_ I-_ B-_ O I-_"},
    {"letters that no B or I stands beside are types", "O L M", "L L M O M", "0-2 L, 2-3 M, 4-5 M",
     "B-L I-L B-M O B-M"},
    {"no type after the dash", "O B- I- B-x", "B- I- O B-x", "0-2 _, 3-4 x", "B-_ I-_ O B-x"},
    {"no prefix: B- where one begins", "O ORG LOC", "ORG ORG LOC O LOC LOC",
     "0-2 ORG, 2-3 LOC, 4-6 LOC", "B-ORG I-ORG B-LOC O B-LOC I-LOC"},
    {"a dash that is a part of the name", "O E-mail phone", "E-mail E-mail phone",
     "0-2 E-mail, 2-3 phone", "B-E-mail I-E-mail B-phone"},
    {"illegal I- stays", "O B-x I-x B-y I-y", "I-x I-y O I-x", "0-1 x, 1-2 y, 3-4 x",
     "I-x I-y O I-x"},
    {"nothing", "O B-x", "O O", "", "O O"},
};

static size_t words_of(char *text, const char **out) {
    size_t n = 0;
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) out[n++] = word;
    assert_true(n <= MOST);
    return n;
}

static void check_cases(void **state) {
    (void)state;
    nerfit_error error;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char all[256], given[256], got[1024], names[1024] = "";
        const char *labels[MOST], *words[MOST];
        snprintf(all, sizeof all, "%s", cases[i].labels);
        snprintf(given, sizeof given, "%s", cases[i].sequence);
        size_t n_labels = words_of(all, labels), n = words_of(given, words);
        int32_t ids[MOST];
        nf_entity spans[MOST];
        nf_tag_set set;
        assert_ok(nf_tag_set_make(&set, labels, n_labels, &error), &error);
        for (size_t w = 0; w < n; w++) {
            ids[w] = 0;
            while (strcmp(labels[ids[w]], words[w]) != 0) assert_true((size_t)++ids[w] < n_labels);
            if (w) strcat(names, " ");
            strcat(names, nf_tag_set_name(&set, ids[w], w ? ids[w - 1] : NF_TAG_LEFT_OUT));
        }
        show(got, sizeof got, &set, spans, nf_tag_set_spans(&set, ids, n, spans));
        if (strcmp(got, cases[i].spans) != 0 || strcmp(names, cases[i].names) != 0) {
            print_error("%s: %s; %s\n  expected %s; %s\n", cases[i].name, got, names,
                        cases[i].spans, cases[i].names);
            wrong++;
        }
        nf_tag_set_free(&set);
    }
    assert_int_equal(wrong, 0);
}

static void check_span_tokens(void **state) {
    (void)state;
    static const struct {
        uint32_t span_start, span_end, start, end;
        bool labelled;
    } rows[] = {
        {13, 29, 13, 16, true},  {13, 29, 12, 14, true},  {13, 29, 28, 31, true},
        {13, 29, 10, 13, false}, {13, 29, 29, 31, false}, {13, 29, 0, 40, true},
        {13, 29, 13, 13, true}, /* a lone blank where the entity begins */
        {13, 29, 20, 20, true},  {13, 29, 29, 29, false}, {13, 29, 12, 12, false},
        {0, 4, 0, 0, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (nf_span_labels_token(rows[i].span_start, rows[i].span_end, rows[i].start,
                                 rows[i].end) != rows[i].labelled)
            fail_msg("row %zu: %u..%u", i, rows[i].start, rows[i].end);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(check_golden),
                                       cmocka_unit_test(check_cases),
                                       cmocka_unit_test(check_span_tokens)};
    return cmocka_run_group_tests_name("tag set", tests, NULL, NULL);
}
