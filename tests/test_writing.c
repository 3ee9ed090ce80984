/* Whole corpora written and read again: what every format holds, what it loses with a word, and
 * what it refuses. */
#include <unistd.h>

#include "documents.h"

#include "data/formats/format.h"
#include "data/writing.h"

/* ---------------------------------------------------------------- one document */

/* What becomes of a document (as JSON lines) in a format: the text written, or the error. */
static const struct {
    const char *name, *document;
    const nf_format *format;
    const char *written; /* or NULL */
    const char *error;   /* or NULL */
    size_t n_spacing, n_entities;
} cases[] = {
    {"json", "{\"text\": \"a b\", \"entities\": [[2, 3, \"x\"]]}", &nf_format_json,
     "[\n{\"text\": \"a b\", \"entities\": [[2, 3, \"x\"]]}\n]\n", NULL, 0, 0},
    {"json, line break", "{\"text\": \"a\\nb\"}", &nf_format_json,
     "[\n{\"text\": \"a\\nb\", \"entities\": []}\n]\n", NULL, 0, 0},
    {"brackets, label with brackets", "{\"text\": \"a\", \"entities\": [[0, 1, \"x]: y\"]]}",
     &nf_format_brackets, "[x\\]\\: y : a]\n", NULL, 0, 0},
    {"brackets, line break", "{\"text\": \"a\\nb\"}", &nf_format_brackets, NULL,
     "in:1: has a line break, which bracket text cannot hold; use jsonl", 0, 0},
    {"brackets, empty", "{\"text\": \"\"}", &nf_format_brackets, NULL,
     "in:1: is an empty text, which brackets cannot hold; use jsonl", 0, 0},
    {"brackets, white space", "{\"text\": \"  \"}", &nf_format_brackets, NULL,
     "in:1: is an empty text, which brackets cannot hold; use jsonl", 0, 0},
    {"brackets, byte order mark", "{\"text\": \"\\ufeffa\"}", &nf_format_brackets, NULL,
     "in:1: has a text that is another when read again, which brackets cannot hold; use jsonl", 0,
     0},
    {"conll", "{\"text\": \"New York now\", \"entities\": [[0, 8, \"place\"]]}", &nf_format_conll,
     "New\tB-place\nYork\tI-place\nnow\tO\n\n", NULL, 0, 0},
    {"conll, side by side", "{\"text\": \"a b\", \"entities\": [[0, 1, \"x\"], [2, 3, \"x\"]]}",
     &nf_format_conll, "a\tB-x\nb\tB-x\n\n", NULL, 0, 0},
    {"conll, inside a word", "{\"text\": \"abc\", \"entities\": [[1, 2, \"x\"]]}", &nf_format_conll,
     "a\tO\nb\tB-x\nc\tO\n\n", NULL, 1, 0},
    {"conll, white space", "{\"text\": \"a  b.\"}", &nf_format_conll, "a\tO\nb\tO\n.\tO\n\n", NULL,
     1, 0},
    {"conll, label with a space", "{\"text\": \"a\", \"entities\": [[0, 1, \"x y\"]]}",
     &nf_format_conll, "a\tB-x y\n\n", NULL, 0, 0},
    {"conll, empty", "{\"text\": \"\"}", &nf_format_conll, NULL,
     "in:1: is an empty text, which conll cannot hold; use jsonl", 0, 0},
    {"seq", "{\"text\": \"a bc\", \"entities\": [[2, 4, \"x\"]]}", &nf_format_seq, "a bc\n", NULL,
     0, 0},
    {"seq, label with a space", "{\"text\": \"a\", \"entities\": [[0, 1, \"x y\"]]}",
     &nf_format_seq, NULL, "in:1: label \"x y\" has a space, which seq cannot hold; use jsonl", 0,
     0},
    {"seq, empty", "{\"text\": \"\"}", &nf_format_seq, NULL,
     "in:1: is an empty text, which seq cannot hold; use jsonl", 0, 0},
    {"text", "{\"text\": \"a b\", \"entities\": [[0, 1, \"x\"], [2, 3, \"y\"]]}", &nf_format_text,
     "a b\n", NULL, 0, 2},
    {"text, empty", "{\"text\": \"\"}", &nf_format_text, "\n", NULL, 0, 0},
    {"text, line break", "{\"text\": \"a\\rb\"}", &nf_format_text, NULL,
     "in:1: has a line break, which plain text cannot hold; use jsonl", 0, 0},
};

static void check_cases(void **state) {
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_corpus corpus = {0};
        nerfit_error error;
        nf_parts out = {0};
        nf_writing_losses losses;
        assert_ok(nf_annotations_parse(&corpus, cases[i].document, strlen(cases[i].document), "in",
                                       &nf_format_jsonl, NULL, &error),
                  &error);
        nerfit_status status = nf_corpus_format(&out, &corpus, cases[i].format, &losses, &error);
        const char *got = status == NERFIT_OK ? nf_str_text(&out.items[0].text) : error.text;
        failed +=
            !same_text(cases[i].name, got, cases[i].written ? cases[i].written : cases[i].error);
        if (status == NERFIT_OK) {
            assert_int_equal(losses.n_spacing, cases[i].n_spacing);
            assert_int_equal(losses.n_entities, cases[i].n_entities);
        } else {
            assert_int_equal(status, NERFIT_UNSUPPORTED);
        }
        nf_parts_free(&out);
        nf_corpus_free(&corpus);
    }
    assert_int_equal(failed, 0);
}

/* ---------------------------------------------------------------- files */

/* Words with single spaces, so that every format holds them exactly; hard characters within. */
static const char hard[] =
    "{\"text\": \"set [it] to 7\", \"entities\": [[12, 13, \"n:1\"]]}\n"
    "{\"text\": \"\xF0\x9F\x98\x80 \xC3\xA9t\xC3\xA9 C\\\\ B-x\", \"entities\": [[0, 1, \"e]\"], "
    "[2, 5, \"s\"], [6, 7, \"s\"]]}\n"
    "{\"text\": \"# O\", \"entities\": []}\n"
    "{\"text\": \"\\\"q\\\" \\u00addash\", \"entities\": [[1, 2, \"x\"]]}\n";

static void count_warnings(void *user, nerfit_log_level level, const char *message) {
    (void)message;
    if (level == NERFIT_LOG_WARNING) ++*(size_t *)user;
}

static void check_files(void **state) {
    (void)state;
    static const struct {
        const char *name, *format;
        bool exact;
    } files[] = {{"a.jsonl", NULL, true},
                 {"a.json", NULL, true},
                 {"a.conll", NULL, false},
                 {"a.txt", "brackets", true},
                 {"seq", "seq", false}};
    char folder[] = "/tmp/nerfit-writing-XXXXXX", path[256], *expected, *got;
    size_t size, n_warnings = 0;
    nerfit_error error;
    nerfit_corpus *corpus, *again;
    assert_non_null(mkdtemp(folder));
    assert_ok(nerfit_corpus_new(&corpus, count_warnings, &n_warnings, &error), &error);
    assert_ok(nerfit_corpus_parse(corpus, hard, strlen(hard), "jsonl", "hard", &error), &error);
    assert_ok(nerfit_corpus_format(corpus, "jsonl", &expected, &size, &error), &error);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        nerfit_read_options options = {.size = sizeof options, .format = files[i].format};
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        n_warnings = 0;
        assert_ok(nerfit_corpus_write(corpus, path, files[i].format, &error), &error);
        /* of the words' texts "[it]" and "\"q\"" are several words in conll and seq: told of */
        assert_int_equal(n_warnings, files[i].exact ? 0 : 1);
        assert_ok(nerfit_corpus_new(&again, NULL, NULL, &error), &error);
        assert_ok(nerfit_corpus_read(again, path, &options, &error), &error);
        assert_ok(nerfit_corpus_format(again, "jsonl", &got, &size, &error), &error);
        assert_int_equal(nerfit_corpus_size(again), 4);
        if (files[i].exact) assert_string_equal(got, expected);
        nerfit_free(got);
        nerfit_corpus_free(again);
    }
    snprintf(path, sizeof path, "%s/a.xml", folder);
    assert_int_equal(nerfit_corpus_write(corpus, path, NULL, &error), NERFIT_ARGUMENT);
    assert_non_null(strstr(error.text, "has an ending that tells no format"));
    assert_int_equal(nerfit_corpus_format(corpus, "seq", &got, &size, &error), NERFIT_ARGUMENT);
    nerfit_free(expected);
    nerfit_corpus_free(corpus);
    snprintf(path, sizeof path, "rm -r %s", folder);
    assert_int_equal(system(path), 0);
}

/* Every corpus in words goes through every format that holds words, and comes back the same. */
static void check_real(void **state) {
    (void)state;
    static const char *const names[] = {"mit-movie/train.txt", "wnut17/dev.conll",
                                        "bio-NCBI-disease-IOB/devel.tsv", "snips/data/snips/dev"};
    static const nf_format *const formats[] = {
        &nf_format_jsonl, &nf_format_json, &nf_format_brackets, &nf_format_conll, &nf_format_seq};
    const char *data = test_data_folder();
    if (!data) skip();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[4096];
        nerfit_error error;
        nf_corpus corpus = {0};
        snprintf(path, sizeof path, "%s/ner/%s", data, names[i]);
        assert_ok(nf_annotations_read(&corpus, path, NULL, NULL, &error), &error);
        assert_true(corpus.n_spans > 100);
        for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
            nf_parts out = {0};
            nf_writing_losses losses;
            assert_ok(nf_corpus_format(&out, &corpus, formats[f], &losses, &error), &error);
            assert_int_equal(losses.n_spacing, 0);
            nf_parts_free(&out);
        }
        nf_corpus_free(&corpus);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_cases),
        cmocka_unit_test(check_files),
        cmocka_unit_test(check_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
