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

/* Files of other tools (tests/golden/formats), and folders. */
static const char *const files[] = {
    "bioc/collection.json",        "bioc/collection.xml",     "cassis/1.xmi",
    "datasets-numbers/rows.jsonl", "label-studio/tasks.json", "label-studio/json-min.json",
    "pandas/table-semicolons.csv", "spacy/annotator.json",    "spacy/docs.spacy",
    "spacy/to_json.json",          "spacy/v2.json",
};

static nerfit_status read_file(nerfit_error *error) {
    char path[256];
    nf_corpus corpus = {0};
    snprintf(path, sizeof path, "tests/golden/formats/%s", files[current]);
    nerfit_status status = nf_annotations_read(&corpus, path, NULL, NULL, error);
    nf_corpus_free(&corpus);
    return status;
}

/* Smaller texts of formats that no tool here writes. */
static const char *const texts[] = {
    "1|t|Ada\n1|a|lives\n1\t0\t3\tAda\tPER\tX1\n1\tCID\tA\tB\n",
    "#FORMAT=WebAnno TSV 3.3\n#T_SP=x.NamedEntity|value\n\n#Text=Ada lives\n"
    "1-1\t0-3\tAda\tPER[1]\n1-2\t4-9\tlives\t_\n",
    "nlu:\n- intent: a\n  examples: |\n    - at [nine](time:9)\n    - [x]{\"entity\": \"y\", "
    "\"z\": 1}\n",
    "<PER id=\"1\">Ada</PER> lives\n",
    "1\tAda\ta\tX\t_\t_\t0\tr\t_\tNER=B-PER\n\n",
    "#begin document (x)\nx 0 0 Ada X * - - - - (PER) -\n",
    "{\"tokenized_text\": [\"Ada\"], \"ner\": [[0, 0, \"PER\"]], \"id\": 1}",
    "{\"text\": \"Ada\", \"denotations\": [{\"id\": \"T1\", \"span\": {\"begin\": 0, \"end\": 3}, "
    "\"obj\": \"P\"}]}",
    "{\"text\": \"Ada\", \"label\": {\"PER\": {\"Ada\": [[0, 2]]}}, \"id\": 1}",
    "{\"rasa_nlu_data\": {\"common_examples\": [{\"text\": \"x\", \"entities\": []}]}}",
};

static nerfit_status read_text(nerfit_error *error) {
    nf_corpus corpus = {0};
    nerfit_status status = nf_annotations_parse(&corpus, texts[current], strlen(texts[current]),
                                                "text", NULL, NULL, error);
    nf_corpus_free(&corpus);
    return status;
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

extern const nf_format nf_format_docbin, nf_format_brat, nf_format_doccano, nf_format_prodigy,
    nf_format_gliner, nf_format_huggingface, nf_format_label_studio;
static const nf_format *const whole_formats[] = {
    &nf_format_jsonl,   &nf_format_json,   &nf_format_brackets,    &nf_format_conll,
    &nf_format_seq,     &nf_format_docbin, &nf_format_brat,        &nf_format_doccano,
    &nf_format_prodigy, &nf_format_gliner, &nf_format_huggingface, &nf_format_label_studio};

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
    oom_rule rule;
} works[] = {
    {"reading", read_input, sizeof inputs / sizeof *inputs, OOM_IN_PARSER},
    {"files", read_file, sizeof files / sizeof *files, OOM_OUTSIDE_PARSER},
    {"texts", read_text, sizeof texts / sizeof *texts, OOM_OUTSIDE_PARSER},
    {"writing", write_document, sizeof written_formats / sizeof *written_formats, OOM_IN_PARSER},
    {"writing all", write_corpus, sizeof whole_formats / sizeof *whole_formats, OOM_OUTSIDE_PARSER},
    {"selection", select_texts, 1, OOM_IN_PARSER},
    {"statistics", check_and_count, 1, OOM_IN_PARSER},
    {"descriptions", read_descriptions, sizeof descriptions / sizeof *descriptions, OOM_IN_PARSER},
    {"streams", read_stream, sizeof streamed_formats / sizeof *streamed_formats, OOM_IN_PARSER},
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
            assert_true(oom_try_all(name, works[i].work, works[i].rule) > 0);
        }
    nf_corpus_free(&written);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_works)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
