/* Label descriptions in JSON and YAML: what is read, and every error with its place. */
#include "documents.h"
#include "tiny_model.h"

#include "data/descriptions.h"

static const struct {
    const char *name, *file, *text, *expected; /* "label=text; ..." or the error */
} cases[] = {
    {"json: mapping", "d.json",
     "\xEF\xBB\xBF{\"time\": \" a \\\"time\\\"\\n\", \"a b\": \"\\ud83d\\ude00\"}",
     "time=a \"time\"; a b=\xF0\x9F\x98\x80; "},
    {"json: order is kept", "d.json", "{\"z\": \"1\", \"a\": \"2\", \"m\": \"3\"}",
     "z=1; a=2; m=3; "},
    {"json: list of objects", "d.json",
     "[{\"label\": \"x\", \"description\": \"d\", \"id\": 5}, {\"description\": \"e\", \"label\": "
     "\"y\"}]",
     "x=d; y=e; "},
    {"json: list of pairs", "d.json", "[[\"x\", \"d\"], [\"y\", \"e\"]]", "x=d; y=e; "},
    {"json by content", "d.txt", "\n {\"x\": \"d\"}", "x=d; "},
    {"yaml: mapping", "d.yaml",
     "# labels\ntime: a time: of day\n\"no\": 'quoted ''text'''\nlong: |\n  two\n  lines\n42: "
     "\"7\"\n",
     "d.yaml:2:13: is not valid YAML: mapping values are not allowed in this context"},
    {"yaml: all kinds of text", "d.yaml",
     "# labels\ntime: a time of day\n\"no\": 'quoted ''text'''\nlong: |\n  two\n  lines\nfold: >\n "
     " a\n  b\n"
     "42: \"7\"\ndate: 10-12 digits\n",
     "time=a time of day; no=quoted 'text'; long=two\nlines; fold=a b; 42=7; date=10-12 digits; "},
    {"yaml: list", "d.yml", "- label: x\n  description: d\n- [y, e]\n", "x=d; y=e; "},
    {"yaml by content", "d.txt", "x: d\n", "x=d; "},
    {"yaml: anchors", "d.yaml", "x: &a one text\ny: *a\n", "x=one text; y=one text; "},
    {"json: a number", "d.json", "{\n  \"time\": \"t\",\n  \"date\": 7\n}",
     "d.json:3:11: label \"date\" has a number where its description is expected (a text); put it "
     "in "
     "quotes if it is one"},
    {"json: an embedding", "d.json", "{\"time\": [0.5, 1]}",
     "d.json:1:10: label \"time\" has an array where its description is expected (a text)"},
    {"json: an empty description", "d.json", "{\"time\":\n \" \"}",
     "d.json:2:2: label \"time\" has an empty description"},
    {"json: an empty label", "d.json", "{\"a\": \"b\", \"\": \"x\"}",
     "d.json:1:12: the label is empty"},
    {"json: white space in a label", "d.json", "{\"time \": \"x\"}",
     "d.json:1:2: label \"time \" has white space at its edge"},
    {"json: twice", "d.json", "{\"a\": \"x\",\n \"a\": \"y\"}",
     "d.json:2:4: is not valid JSON: duplicate object key near '\"a\"'"},
    {"json: twice in a list", "d.json", "[[\"b\", \"x\"],\n [\"a\", \"x\"],\n [\"b\", \"y\"]]",
     "d.json:3:3: label \"b\" is there already, on line 1"},
    {"json: an item that is none", "d.json", "[[\"a\", \"x\"],\n [\"a\"]]",
     "d.json:2:2: expected {\"label\": ..., \"description\": ...} or [label, description]"},
    {"json: a label that is none", "d.json", "[[1, \"x\"]]",
     "d.json:1:3: expected a label (a text)"},
    {"json: nothing", "d.json", "{}", "d.json:1:1: holds no descriptions"},
    {"json: a text", "d.json", "\"x\"",
     "d.json:1:1: expected a mapping of labels to descriptions, or a list of them"},
    {"json: syntax", "d.json", "{\"a\": \"x\",\n}",
     "d.json:2:1: is not valid JSON: string or '}' expected near '}'"},
    {"yaml: a number", "d.yaml", "time: t\ndate: 1.5e3\n",
     "d.yaml:2:7: label \"date\" has a number where its description is expected (a text); put it "
     "in "
     "quotes if it is one"},
    {"yaml: nothing there", "d.yaml", "time:\n",
     "d.yaml:1:6: label \"time\" has null where its description is expected (a text); put it in "
     "quotes if it is one"},
    {"yaml: a truth value", "d.yaml", "time: True\n",
     "d.yaml:1:7: label \"time\" has a truth value where its description is expected (a text); put "
     "it in quotes if it is one"},
    {"yaml: a mapping", "d.yaml", "time:\n  text: x\n",
     "d.yaml:2:3: label \"time\" has a mapping where its description is expected (a text)"},
    {"yaml: twice", "d.yaml", "a: x\nb: y\na: z\n",
     "d.yaml:3:1: label \"a\" is there already, on line 1"},
    {"yaml: two documents", "d.yaml", "a: x\n---\nb: y\n",
     "d.yaml:3: holds a second YAML document; expected one"},
    {"yaml: a NUL", "d.yaml", "a: \"x\\0y\"\n",
     "d.yaml:1:1: label \"a\" or its description holds a NUL character"},
    {"yaml: not UTF-8", "d.yaml", "a: x\nb: \xFF\n",
     "d.yaml:2:4: is not valid YAML: invalid leading UTF-8 octet"},
    {"yaml: nothing", "d.yaml", "",
     "d.yaml:1: expected a mapping of labels to descriptions, or a list of them"},
};

static void check_cases(void **state) {
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_descriptions d = {0};
        nerfit_error error;
        nf_str shown = {0};
        nerfit_status status =
            nf_descriptions_parse(&d, cases[i].text, strlen(cases[i].text), cases[i].file, &error);
        for (size_t k = 0; k < d.count; k++)
            nf_str_appendf(&shown, "%s=%s; ", d.labels[k], d.texts[k]);
        if (status != NERFIT_OK) nf_str_append_text(&shown, error.text);
        failed += !same_text(cases[i].name, nf_str_text(&shown), cases[i].expected);
        nf_str_free(&shown);
        nf_descriptions_free(&d);
    }
    assert_int_equal(failed, 0);
}

/* Beside d.yaml with "time: a time" and "place: a place". */
static const struct {
    const char *name, *text, *expected; /* "label=names|descriptions; ..." or the error's end */
} further[] = {
    {"synonyms: both",
     "place:\n  synonyms: [spot, ' site ']\n  descriptions:\n  - where it is\ntime:\n  synonyms: "
     "[hour]\n",
     "time=hour,|; place=spot,site,|where it is,; "},
    {"synonyms: a label that is not described",
     "time:\n  synonyms: [hour]\nplaice:\n  synonyms: [x]\n",
     "d.synonyms.yaml:3:1: has no description of this label beside it"},
    {"synonyms: a label twice", "time:\n  synonyms: [x]\ntime:\n  synonyms: [y]\n",
     "d.synonyms.yaml:3:1: is there twice"},
    {"synonyms: a key twice", "time:\n  synonyms: [x]\n  synonyms: [y]\n",
     "d.synonyms.yaml:3:13: is there twice"},
    {"synonyms: another key", "time:\n  names: [x]\n",
     "d.synonyms.yaml:2:3: expected a mapping of synonyms or descriptions to lists of texts"},
    {"synonyms: no list", "time:\n  synonyms: x\n",
     "d.synonyms.yaml:2:13: expected a list of texts"},
    {"synonyms: no text", "time:\n  synonyms: [x, [y]]\n", "d.synonyms.yaml:2:17: expected a text"},
    {"synonyms: an empty text", "time:\n  descriptions: [' ']\n",
     "d.synonyms.yaml:2:18: expected a text that is not empty and has no NUL"},
    {"synonyms: a list", "- time\n",
     "d.synonyms.yaml:1:1: expected a mapping of labels to synonyms and descriptions"},
    {"synonyms: syntax", "time: [\n",
     "d.synonyms.yaml:2:1: is not valid YAML: did not find expected node content"},
};

static void show_further(nf_str *out, const nf_descriptions *d) {
    for (size_t i = 0; i < d->count; i++) {
        const nf_label_texts *t = &d->further[i];
        nf_str_appendf(out, "%s=", d->labels[i]);
        for (size_t k = 0; k < t->n_names; k++) nf_str_appendf(out, "%s,", t->names[k]);
        nf_str_append_text(out, "|");
        for (size_t k = 0; k < t->n_descriptions; k++)
            nf_str_appendf(out, "%s,", t->descriptions[k]);
        nf_str_append_text(out, "; ");
    }
}

static void check_synonyms(void **state) {
    (void)state;
    char folder[] = "/tmp/nerfit-test-XXXXXX", path[64], beside[64];
    size_t failed = 0;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/d.yaml", folder);
    snprintf(beside, sizeof beside, "%s/d.synonyms.yaml", folder);
    write_text(path, "time: a time\nplace: a place\n");
    for (size_t i = 0; i < sizeof further / sizeof *further; i++) {
        nf_descriptions d = {0};
        nerfit_error error;
        nf_str shown = {0};
        write_text(beside, further[i].text);
        if (nf_descriptions_read(&d, path, &error) == NERFIT_OK)
            show_further(&shown, &d);
        else
            nf_str_append_text(&shown, error.text + strlen(folder) + 1);
        failed += !same_text(further[i].name, nf_str_text(&shown), further[i].expected);
        nf_str_free(&shown);
        nf_descriptions_free(&d);
    }
    unlink(beside);
    unlink(path);
    rmdir(folder);
    assert_int_equal(failed, 0);
}

/* Counts as `python -c "len(json.load(...))"` has them. */
static const struct {
    const char *path;
    size_t count;
    const char *first, *last;
} files[] = {
    {"ner/nerfit-artifacts/ent2desc.json", 55, "time", "email_address"},
    {"fewshot/slurp/descriptions.json", 53, "alarm_type", "weather_descriptor"},
    {"fewshot/snips/descriptions.json", 39, "album", "year"},
    {"fewshot/wnut17/descriptions.json", 6, "corporation", "product"},
    {"fewshot/mit-movie/descriptions.json", 12, "ACTOR", "YEAR"},
    {"fewshot/ncbi/descriptions.json", 1, "Disease", "Disease"},
};

static void check_files(void **state) {
    (void)state;
    const char *folder = test_data_folder();
    if (!folder) {
        print_message("no evaluation data: set NERFIT_TEST_DATA\n");
        skip();
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[4096];
        nf_descriptions d = {0};
        nerfit_error error;
        snprintf(path, sizeof path, "%s/%s", folder, files[i].path);
        assert_ok(nf_descriptions_read(&d, path, &error), &error);
        assert_int_equal(d.count, files[i].count);
        assert_string_equal(d.labels[0], files[i].first);
        assert_string_equal(d.labels[d.count - 1], files[i].last);
        nf_descriptions_free(&d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(check_cases),
                                       cmocka_unit_test(check_synonyms),
                                       cmocka_unit_test(check_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
