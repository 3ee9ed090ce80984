/* Folders of label sets and manifests: which files are paired, what is left out with a word, and
 * every error with its place. */
#include "documents.h"

#include "base/file.h"
#include "data/manifest.h"

static char root[] = "/tmp/nerfit-test-XXXXXX";

typedef struct given_file {
    const char *name, *text;
} given_file;

static const struct {
    const char *name;
    given_file files[8];  /* in a folder of their own; folders are made */
    const char *path;     /* "": that folder */
    const char *expected; /* "annotations + descriptions; ...", the folder left out, or the error */
    const char *log;      /* part of it; NULL: nothing */
} cases[] = {
    {"pairs in order of their names",
     {{"b.txt", ""}, {"a.yaml", ""}, {"a.txt", ""}, {"b.yaml", ""}},
     "",
     "a.txt + a.yaml; b.txt + b.yaml; ",
     NULL},
    {"other endings",
     {{"x.conll", ""},
      {"x.yml", ""},
      {"y.jsonl", ""},
      {"y.json", ""},
      {"z.json", ""},
      {"z.yaml", ""}},
     "",
     "x.conll + x.yml; y.jsonl + y.json; z.json + z.yaml; ",
     NULL},
    {"names with dots", {{"a.b.txt", ""}, {"a.b.yaml", ""}}, "", "a.b.txt + a.b.yaml; ", NULL},
    {"a seq folder is annotated texts",
     {{"s/seq.in", ""}, {"s/seq.out", ""}, {"s.yaml", ""}},
     "",
     "s + s.yaml; ",
     NULL},
    {"what is not read is said",
     {{"a.txt", ""}, {"a.yaml", ""}, {"README.md", ""}, {".hidden", ""}},
     "",
     "a.txt + a.yaml; ",
     "not read, being neither annotated texts nor descriptions: README.md"},
    {"answers that annotate keeps are no set",
     {{"a.jsonl", ""}, {"a.yaml", ""}, {"a.jsonl.answers.jsonl", ""}},
     "",
     "a.jsonl + a.yaml; ",
     "not read, being neither annotated texts nor descriptions: a.jsonl.answers.jsonl"},
    {"synonyms are not a set",
     {{"a.txt", ""}, {"a.yaml", ""}, {"a.synonyms.yaml", ""}},
     "",
     "a.txt + a.yaml; ",
     NULL},
    {"no descriptions",
     {{"a.txt", ""}, {"a.yaml", ""}, {"b.txt", ""}},
     "",
     "b.txt: has no descriptions beside it; expected b.yaml, .yml or .json",
     NULL},
    {"no texts",
     {{"a.yaml", ""}},
     "",
     "a.yaml: has no annotated texts beside it; expected a.txt, .jsonl, .conll or another format's "
     "ending",
     NULL},
    {"two of a half",
     {{"a.txt", ""}, {"a.jsonl", ""}, {"a.yaml", ""}},
     "",
     "both annotated texts of the label set \"a\"; expected one",
     NULL},
    {"nothing", {{"README.md", ""}}, "", "holds no label set", NULL},
    {"manifest: a mapping",
     {{"m.yaml", "t.txt: d.json\n../CASE/u.txt: d.json # the same\n"},
      {"t.txt", ""},
      {"u.txt", ""},
      {"d.json", ""}},
     "m.yaml",
     "t.txt + d.json; ../CASE/u.txt + d.json; ",
     NULL},
    {"manifest: a list of all kinds",
     {{"m.yml", "- {annotations: t.txt, descriptions: d.json}\n- [u.txt, d.json]\n- sets\n"},
      {"t.txt", ""},
      {"u.txt", ""},
      {"d.json", ""},
      {"sets/a.txt", ""},
      {"sets/a.yaml", ""}},
     "m.yml",
     "t.txt + d.json; u.txt + d.json; sets/a.txt + sets/a.yaml; ",
     NULL},
    {"manifest: no descriptions",
     {{"m.yaml", "t.txt: d.json\nu.txt:\n"}, {"t.txt", ""}, {"u.txt", ""}, {"d.json", ""}},
     "m.yaml",
     "m.yaml:2:7: expected the name of a file of descriptions",
     NULL},
    {"manifest: no annotations",
     {{"m.yaml", "- [t.txt, d.json]\n- {descriptions: d.json}\n"}, {"t.txt", ""}, {"d.json", ""}},
     "m.yaml",
     "m.yaml:2:3: annotations is missing: the annotated texts",
     NULL},
    {"manifest: descriptions is missing",
     {{"m.yaml", "- annotations: t.txt\n"}, {"t.txt", ""}},
     "m.yaml",
     "m.yaml:1:3: descriptions is missing: what the labels mean",
     NULL},
    {"manifest: a file that is not there",
     {{"m.yaml", "t.txt: d.json\n"}, {"t.txt", ""}},
     "m.yaml",
     "d.json: there is no such file",
     NULL},
    {"manifest: another key",
     {{"m.yaml", "- {texts: t.txt, descriptions: d.json}\n"}},
     "m.yaml",
     "m.yaml:1:4: expected annotations or descriptions",
     NULL},
    {"manifest: a key twice",
     {{"m.yaml", "- {annotations: t.txt, annotations: d.json}\n"}},
     "m.yaml",
     "m.yaml:1:24: is there twice",
     NULL},
    {"manifest: three names",
     {{"m.yaml", "- [a, b, c]\n"}},
     "m.yaml",
     "m.yaml:1:3: expected two names: [annotations, descriptions]",
     NULL},
    {"manifest: a file for a folder",
     {{"m.yaml", "- t.txt\n"}, {"t.txt", ""}},
     "m.yaml",
     "m.yaml:1:3: expected a folder of label sets, or {annotations: ..., descriptions: ...}",
     NULL},
    {"manifest: descriptions for annotations",
     {{"m.yaml", "d.yaml: d.yaml\n"}, {"d.yaml", ""}},
     "m.yaml",
     "m.yaml:1:1: expected annotated texts, not a folder of label sets or a manifest",
     NULL},
    {"manifest: half of a pair in its folder",
     {{"m.yaml", "- sets\n"}, {"sets/a.txt", ""}},
     "m.yaml",
     "sets/a.txt: has no descriptions beside it",
     NULL},
    {"manifest: no YAML", {{"m.yaml", "- [a\n"}}, "m.yaml", "m.yaml:2:1: is not valid YAML", NULL},
    {"manifest: nothing", {{"m.yaml", ""}}, "m.yaml", "m.yaml:1: expected a mapping", NULL},
    {"manifest: an empty list", {{"m.yaml", "[]\n"}}, "m.yaml", "names no label set", NULL},
    {"manifest: a text",
     {{"m.yaml", "label: a sentence\n"}},
     "m.yaml",
     "there is no such file",
     NULL},
    {"manifest: is not there", {{"x", ""}}, "m.yaml", "m.yaml: cannot be opened", NULL},
};

static void keep_log(void *user, nerfit_log_level level, const char *message) {
    (void)level;
    nf_str_appendf(user, "%s\n", message);
}

/* The text with the folder's path left out, and "CASE" for the folder's name. */
static void without(nf_str *out, const char *text, const char *folder) {
    size_t size = strlen(folder);
    for (const char *at; (at = strstr(text, folder)); text = at + size + (at[size] == '/'))
        nf_str_append(out, text, (size_t)(at - text));
    nf_str_append_text(out, text);
}

static void make_files(const char *folder, const given_file *files) {
    nerfit_error error;
    for (size_t i = 0; i < 8 && files[i].name; i++) {
        char path[256];
        nf_arena arena = {0};
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        assert_ok(nf_directory_make(nf_path_parent(&arena, path), &error), &error);
        assert_ok(nf_file_write(path, files[i].text, strlen(files[i].text), &error), &error);
        nf_arena_free(&arena);
    }
}

static void check_cases(void **state) {
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char folder[64], path[128];
        nf_manifest manifest = {0};
        nerfit_error error;
        nf_str shown = {0}, got = {0}, logged = {0};
        const nf_log log = {keep_log, &logged};
        snprintf(folder, sizeof folder, "%s/CASE", root);
        nf_directory_remove(folder, NULL);
        make_files(folder, cases[i].files);
        snprintf(path, sizeof path, "%s/%s", folder, cases[i].path);
        bool fails = nf_manifest_read(&manifest, path, &log, &error) != NERFIT_OK;
        for (size_t k = 0; !fails && k < manifest.count; k++)
            nf_str_appendf(&shown, "%s + %s; ", manifest.entries[k].annotations,
                           manifest.entries[k].descriptions);
        without(&got, fails ? error.text : nf_str_text(&shown), folder);
        bool good = fails ? strstr(nf_str_text(&got), cases[i].expected) != NULL
                          : strcmp(nf_str_text(&got), cases[i].expected) == 0;
        if (!good) failed += !same_text(cases[i].name, nf_str_text(&got), cases[i].expected);
        const char *said = nf_str_text(&logged);
        if (cases[i].log ? !strstr(said, cases[i].log) : said[0])
            failed += !same_text(cases[i].name, said, cases[i].log ? cases[i].log : "");
        nf_str_free(&shown);
        nf_str_free(&got);
        nf_str_free(&logged);
        nf_manifest_free(&manifest);
    }
    assert_int_equal(failed, 0);
}

/* What an option's value is: only a seq folder and files of other endings are annotated texts. */
static void told_apart(void **state) {
    (void)state;
    char folder[64], path[128];
    static const given_file files[8] = {{"s/seq.in", ""}, {"t.txt", ""}};
    static const struct {
        const char *name;
        bool expected;
    } names[] = {{"", true}, {"s", false}, {"t.txt", false}, {"m.YAML", true}, {"none", false}};
    snprintf(folder, sizeof folder, "%s/CASE", root);
    nf_directory_remove(folder, NULL);
    make_files(folder, files);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i].name);
        if (nf_manifest_is(path) != names[i].expected) fail_msg("%s", names[i].name);
    }
}

/* The corpus that comes with nerfit: as many sets as it has descriptions, in any number. */
static void open_types(void **state) {
    (void)state;
    nf_manifest manifest = {0};
    nerfit_error error;
    if (!nf_directory_exists("corpora/open-types")) skip();
    assert_ok(nf_manifest_read(&manifest, "corpora/open-types", NULL, &error), &error);
    assert_true(manifest.count >= 130);
    nf_manifest_free(&manifest);
}

static int make_root(void **state) {
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state) {
    (void)state;
    return nf_directory_remove(root, NULL) == NERFIT_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(check_cases), cmocka_unit_test(told_apart),
                                       cmocka_unit_test(open_types)};
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
