/* Missing memory while annotations and descriptions are read and written: see oom.h. */
#include "oom.h"

#include "documents.h"

#include "data/formats/format.h"
#include "data/checking.h"
#include "data/descriptions.h"
#include "data/document_stream.h"
#include "data/selection.h"
#include "data/statistics.h"
#include "data/writing.h"

/* Each is read with its errors collected, so that the report takes memory, too. */
static const char *const inputs[] = {
    "{\"text\": \"a b c\", \"entities\": [[0, 2, \" x\"], [2, 3, \"y\"], [2, 3, "
    "\"y\"]]}\n{\"text\": 1}\n",
    "[{\"text\": \"\xC3\xA9 b\", \"entities\": [{\"start\": 0, \"end\": 1, \"label\": \"x\"}]}]",
    "at [time : \xC3\xA9 five] in [place: New York] [x : y",
    "EU\tB-ORG\nsays\tI-ORG\nno\tI-X\n\nyes\tO\n",
};
static const struct {
    const char *name, *text;
} descriptions[] = {
    {"d.json", "{\"x\": \"d\", \"y\": \"e\"}"},
    {"d.yaml", "x: d\ny: e\n"},
    {"d.yaml", "- [x, d]\n- [x, e]\n"},
};

static size_t current; /* the row that the work takes */

static nerfit_status read_input(nerfit_error *error) {
    nf_annotation_report report = {0};
    nf_annotation_options options = {
        .overlap = NF_OVERLAP_KEEP_LONGEST, .report = &report, .max_errors = 5};
    nf_corpus corpus = {0};
    nerfit_status status = nf_annotations_parse_with(
        &corpus, inputs[current], strlen(inputs[current]), "input", &options, error);
    nf_corpus_free(&corpus);
    nf_annotation_report_free(&report);
    return status == NERFIT_FORMAT ? NERFIT_OK : status;
}

static const nf_format *const written_formats[] = {&nf_format_jsonl, &nf_format_brackets,
                                                   &nf_format_conll, &nf_format_text};
static nf_corpus written; /* made while there is memory */

static nerfit_status write_document(nerfit_error *error) {
    nf_str out = {0};
    nerfit_status status =
        nf_annotations_write(&out, &written.documents[0], written_formats[current], error);
    nf_str_free(&out);
    return status;
}

static const nf_format *const whole_formats[] = {
    &nf_format_jsonl, &nf_format_json, &nf_format_brackets, &nf_format_conll, &nf_format_seq};

static nerfit_status write_corpus(nerfit_error *error) {
    nf_parts out = {0};
    nf_writing_losses losses;
    nerfit_status status = nf_corpus_format(&out, &written, whole_formats[current], &losses, error);
    nf_parts_free(&out);
    return status;
}

static nerfit_status select_texts(nerfit_error *error) {
    uint32_t chosen[8];
    size_t count = 0;
    nf_amount half = {NF_AMOUNT_SHARE, 0.5};
    nf_sample_options options = {.k = 1, .negatives = half};
    nf_corpus sample = {0};
    nerfit_status status = nf_sample(&written, &options, chosen, &count, NULL, error);
    if (status == NERFIT_OK) status = nf_corpus_take(&sample, &written, chosen, count, error);
    if (status == NERFIT_OK) status = nf_split(&written, &half, 1, 0, chosen, error);
    nf_corpus_free(&sample);
    return status;
}

static nerfit_status check_and_count(nerfit_error *error) {
    const nf_corpus *corpora[] = {&written, &written};
    const char *const names[] = {"a", "b"};
    nf_annotation_report report = {0};
    json_t *json = NULL;
    nerfit_status status = nf_corpora_check(corpora, 2, NULL, NULL, &report, error);
    if (status == NERFIT_OK) status = nf_statistics_make(&json, corpora, names, 2, error);
    json_decref(json);
    nf_annotation_report_free(&report);
    return status;
}

static nerfit_status read_descriptions(nerfit_error *error) {
    nf_descriptions d = {0};
    nerfit_status status =
        nf_descriptions_parse(&d, descriptions[current].text, strlen(descriptions[current].text),
                              descriptions[current].name, error);
    nf_descriptions_free(&d);
    return status == NERFIT_FORMAT ? NERFIT_OK : status;
}

static ptrdiff_t read_once(void *user, char *buffer, size_t size) {
    const char **text = user;
    size_t length = strlen(*text);
    assert_true(length <= size);
    memcpy(buffer, *text, length);
    *text += length;
    return (ptrdiff_t)length;
}

static const nf_format *const streamed_formats[] = {&nf_format_jsonl, &nf_format_text,
                                                    &nf_format_brackets, &nf_format_conll};

static nerfit_status read_stream(nerfit_error *error) {
    const char *text = inputs[current];
    nf_document_source source = {.read = read_once,
                                 .user = &text,
                                 .name = "input",
                                 .format = streamed_formats[current],
                                 .with_spans = true};
    nf_document_stream *stream = NULL;
    nf_corpus corpus = {0};
    bool more = true;
    nerfit_status status = nf_document_stream_open(&stream, &source, error);
    while (more && status == NERFIT_OK) {
        status = nf_document_stream_next(stream, &corpus, &more, error);
        if (status == NERFIT_FORMAT) status = NERFIT_OK, more = true;
    }
    nf_document_stream_close(stream);
    nf_corpus_free(&corpus);
    return status;
}

static const struct {
    const char *name;
    nerfit_status (*work)(nerfit_error *error);
    size_t n_rows;
} works[] = {
    {"reading", read_input, sizeof inputs / sizeof *inputs},
    {"writing", write_document, sizeof written_formats / sizeof *written_formats},
    {"writing all", write_corpus, sizeof whole_formats / sizeof *whole_formats},
    {"selection", select_texts, 1},
    {"statistics", check_and_count, 1},
    {"descriptions", read_descriptions, sizeof descriptions / sizeof *descriptions},
    {"streams", read_stream, sizeof streamed_formats / sizeof *streamed_formats},
};

static void test_works(void **state) {
    (void)state;
    nerfit_error error;
    assert_ok(nf_annotations_parse(&written, inputs[2], strlen(inputs[2]), "input",
                                   &nf_format_brackets, NULL, &error),
              &error);
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        for (current = 0; current < works[i].n_rows; current++) {
            char name[64];
            snprintf(name, sizeof name, "%s %zu", works[i].name, current);
            assert_true(oom_try_all(name, works[i].work, OOM_IN_PARSER) > 0);
        }
    nf_corpus_free(&written);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_works)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
