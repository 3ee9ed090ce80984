/* Streams of documents: what becomes of each format, whatever the pieces in which it arrives, and
 * how the stream goes on after an error. */
#include "documents.h"

#include "data/document_stream.h"
#include "data/formats/format.h"

typedef struct input {
    const char *text;
    size_t size, at, step;
    bool fails; /* at the end */
} input;

static ptrdiff_t read_input(void *user, char *buffer, size_t size) {
    input *in = user;
    size_t left = in->size - in->at, count = in->step < size ? in->step : size;
    if (count > left) count = left;
    if (!count && in->fails) return -1;
    memcpy(buffer, in->text + in->at, count);
    in->at += count;
    return (ptrdiff_t)count;
}

static const struct {
    const char *name;
    const nf_format *format;
    bool with_spans;
    const char *text, *expected; /* documents and errors with " | " between them */
} cases[] = {
    {"text", &nf_format_text, false,
     "\xEF\xBB\xBF"
     "a [b : c]\r\n\n d\nlast",
     "a [b : c]{} | {} |  d{} | last{}"},
    {"text: a line break at the end", &nf_format_text, false, "a\n\n", "a{} | {}"},
    {"text: nothing", &nf_format_text, false, "", ""},
    {"text: not UTF-8", &nf_format_text, false, "a\n\xC3\xA9\xFF\nb\n",
     "a{} | in:2:2: is not valid UTF-8 | b{}"},
    {"jsonl: texts", &nf_format_jsonl, false,
     "{\"text\": \"a\", \"entities\": [[0, 9, \"x\"]]}\n\"b\"\n \n{\"text\": \"c\"}",
     "a{} | b{} | {} | c{}"},
    {"jsonl: with spans", &nf_format_jsonl, true,
     "{\"text\": \"a\", \"entities\": [[0, 9, \"x\"]]}\n\"b\"\n{\"text\": \"c\", \"entities\": "
     "[[0, 1, \"y\"]]}",
     "in:1: entity 1 (\"x\", 0..9) ends past the text (1 characters) | "
     "in:2:1: expected an object with \"text\" and \"entities\" | c{0-1 y}"},
    {"jsonl: broken line", &nf_format_jsonl, false, "{\"text\": \"a\"}\n{\"text\": 1}\n{\n\"b\"",
     "a{} | in:2:10: \"text\" is an integer; expected a string | "
     "in:3:1: is not valid JSON: string or '}' expected near end of file | b{}"},
    {"brackets", &nf_format_brackets, true, "at [time : five]\n\nb",
     "at five{3-7 time} | {} | b{}"},
    {"brackets: texts", &nf_format_brackets, false, "at [time : five]\n", "at five{}"},
    {"conll: words alone", &nf_format_conll, false, "a\nb\n\n\n\xEF\xBC\x81\n#\nO",
     "a b{} | \xEF\xBC\x81 # O{}"},
    {"conll: labels are passed over", &nf_format_conll, false, "a\tB-X\nNew York\tI-X\n\nO\tO\n",
     "a New York{} | O{}"},
    {"conll: with labels", &nf_format_conll, true, "a\tB-X\nb\tI-X\n\nc\tI-X\n",
     "a b{0-3 X} | c{0-1 X}"},
    {"conll: label first, as the first text has it", &nf_format_conll, true,
     "O\ta\nB-X\tb\n\nB-Y\tO\n", "a b{2-3 X} | O{0-1 Y}"},
    {"conll: CoNLL-U", &nf_format_conll, false,
     "# sent_id = 1\n# text = a b\n1\ta\ta\tX\n2\tb\tb\tX\n\n# sent_id = 2\n1\tc\tc\tX\n\n",
     "a b{} | c{}"},
    {"conll: breaks of all kinds", &nf_format_conll, true,
     "\n-DOCSTART- O\n\n\r\nx O\r\ny B-A\r\n-DOCSTART- O\n# no row\n \nz O\n\n# end\n",
     "x y{2-3 A} | z{}"},
    {"conll: after a broken sentence", &nf_format_conll, true,
     "a\tO\nb\tO\n\nc\n\nd\t\xFF\ne\tO\n\nf\tB-X\n",
     "a b{} | in:4: has no label; expected a word and a label divided by a tab or spaces | "
     "in:6:3: is not valid UTF-8 | f{0-1 X}"},
};

static void run_case(size_t i, size_t step, nf_str *shown) {
    input in = {cases[i].text, strlen(cases[i].text), 0, step, false};
    nf_document_source source = {.read = read_input,
                                 .user = &in,
                                 .name = "in",
                                 .format = cases[i].format,
                                 .with_spans = cases[i].with_spans};
    nf_document_stream *stream;
    nerfit_error error;
    assert_ok(nf_document_stream_open(&stream, &source, &error), &error);
    for (bool more = true, first = true;; first = false) {
        nf_corpus corpus = {0};
        nerfit_status status = nf_document_stream_next(stream, &corpus, &more, &error);
        if (!first && (more || status != NERFIT_OK)) nf_str_append_text(shown, " | ");
        if (status != NERFIT_OK) nf_str_append_text(shown, error.text);
        show_corpus(shown, &corpus);
        assert_int_equal(corpus.n_documents, status == NERFIT_OK && more);
        nf_corpus_free(&corpus);
        if (status == NERFIT_OK && !more) break;
    }
    nf_document_stream_close(stream);
}

static void check_cases(void **state) {
    (void)state;
    size_t failed = 0;
    static const size_t steps[] = {1, 2, 3, 7, 100000};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
            nf_str shown = {0};
            run_case(i, steps[k], &shown);
            failed += !same_text(cases[i].name, nf_str_text(&shown), cases[i].expected);
            nf_str_free(&shown);
        }
    assert_int_equal(failed, 0);
}

/* A line longer than a chunk, and a source that fails. */
static void check_long_lines(void **state) {
    (void)state;
    enum { SIZE = 300000 };
    char *text = malloc(SIZE);
    memset(text, 'x', SIZE);
    text[200000] = '\n';
    input in = {text, SIZE, 0, SIZE, true};
    nf_document_source source = {
        .read = read_input, .user = &in, .name = "in", .format = &nf_format_text};
    nf_document_stream *stream;
    nerfit_error error;
    bool more;
    nf_corpus corpus = {0};
    assert_ok(nf_document_stream_open(&stream, &source, &error), &error);
    assert_ok(nf_document_stream_next(stream, &corpus, &more, &error), &error);
    assert_true(more);
    assert_int_equal(corpus.documents[0].length, 200000);
    assert_int_equal(nf_document_stream_next(stream, &corpus, &more, &error), NERFIT_IO);
    assert_string_equal(error.text, "in:1: cannot be read");
    nf_document_stream_close(stream);
    nf_corpus_free(&corpus);
    source.format = &nf_format_seq;
    assert_int_equal(nf_document_stream_open(&stream, &source, &error), NERFIT_ARGUMENT);
    assert_null(stream);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(check_cases),
                                       cmocka_unit_test(check_long_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
