/* Fuzz target: the first byte chooses format and policies, the rest is the input. What was read
 * must obey document.h, and what is written must be read again as the same. Start from
 * tests/invalid/annotations. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/formats/format.h"
#include "data/descriptions.h"
#include "data/document_stream.h"
#include "data/formats/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) abort();                                                                 \
    } while (0)

static void check_document(const nf_document *d) {
    REQUIRE(nf_utf8_valid(d->text, d->text_size, NULL) && strlen(d->text) == d->text_size);
    REQUIRE(nf_utf8_count(d->text, d->text_size) == d->length);
    for (size_t i = 0; i < d->n_spans; i++) {
        const nf_span *s = &d->spans[i];
        REQUIRE(s->start < s->end && s->end <= d->length && s->label[0]);
        REQUIRE(i == 0 || d->spans[i - 1].start <= s->start);
    }
    for (size_t i = 0; i < d->n_words; i++)
        REQUIRE(d->words[i].start < d->words[i].end && d->words[i].end <= d->length);
}

/* A line of white space is no document, and a byte order mark is taken off where a line begins. */
static bool is_kept(const nf_document *d) {
    const char *text = d->text;
    size_t size = d->text_size;
    nf_text_trim(&text, &size);
    return size > 0 && !strstr(d->text, "\xEF\xBB\xBF");
}

/* Text is compared where the format holds all of it. */
static void check_round_trip(const nf_document *d, const nf_format *format) {
    nf_str out = {0};
    nf_corpus again = {0};
    nerfit_error error;
    if (nf_document_overlaps(d) && !(format->holds & NF_HOLDS_OVERLAPS)) return;
    if (is_kept(d) && nf_annotations_write(&out, d, format, &error) == NERFIT_OK) {
        nf_annotation_options options = {.format = format, .overlap = NF_OVERLAP_KEEP_ALL};
        nerfit_status status =
            nf_annotations_parse_with(&again, out.data, out.length, "again", &options, &error);
        REQUIRE(status == NERFIT_OK && again.n_documents == 1);
        const nf_document *b = &again.documents[0];
        REQUIRE(b->n_spans == d->n_spans);
        if (format != &nf_format_conll) {
            REQUIRE(b->text_size == d->text_size && !memcmp(b->text, d->text, d->text_size));
            for (size_t i = 0; i < d->n_spans; i++)
                REQUIRE(b->spans[i].start == d->spans[i].start &&
                        b->spans[i].end == d->spans[i].end);
        }
        for (size_t i = 0; i < d->n_spans; i++)
            REQUIRE(strcmp(b->spans[i].label, d->spans[i].label) == 0);
    }
    nf_corpus_free(&again);
    nf_str_free(&out);
}

typedef struct input {
    const char *text;
    size_t size;
} input;

static ptrdiff_t read_input(void *user, char *buffer, size_t size) {
    input *in = user;
    size_t count = in->size < 5 ? in->size : 5;
    if (count > size) count = size;
    memcpy(buffer, in->text, count);
    in->text += count, in->size -= count;
    return (ptrdiff_t)count;
}

static void check_stream(const char *text, size_t size, const nf_format *format, bool with_spans) {
    input in = {text, size};
    nf_document_source source = {read_input, &in, "stream", format, with_spans, NULL};
    nf_document_stream *stream;
    nf_corpus corpus = {0};
    nerfit_error error;
    bool more = true;
    if (nf_document_stream_open(&stream, &source, &error) != NERFIT_OK) return;
    while (more)
        if (nf_document_stream_next(stream, &corpus, &more, &error) != NERFIT_OK) more = true;
    for (size_t i = 0; i < corpus.n_documents; i++) check_document(&corpus.documents[i]);
    nf_document_stream_close(stream);
    nf_corpus_free(&corpus);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    uint8_t choice = data[0];
    const char *text = (const char *)data + 1;
    size--;
    nf_annotation_report report = {.most_items = 20};
    size_t row = choice % (nf_format_count + 1);
    nf_annotation_options options = {.format = row ? nf_formats[row - 1] : NULL,
                                     .overlap = (nf_overlap_policy)(choice / 7 % 4),
                                     .tagging = (nf_tagging)(choice / 21 % 5),
                                     .max_errors = choice & 128 ? 10 : 0,
                                     .report = &report};
    nf_corpus corpus = {0};
    nerfit_error error = {0};
    nerfit_status status = nf_annotations_parse_with(&corpus, text, size, "fuzz", &options, &error);
    REQUIRE((status == NERFIT_FORMAT) == (report.n_errors > 0));
    REQUIRE(status == NERFIT_OK || error.text[0]);
    for (size_t i = 0; i < corpus.n_documents; i++) {
        check_document(&corpus.documents[i]);
        check_round_trip(&corpus.documents[i], &nf_format_jsonl);
        check_round_trip(&corpus.documents[i], &nf_format_brackets);
        check_round_trip(&corpus.documents[i], &nf_format_conll);
    }
    nf_annotation_report_free(&report);
    nf_corpus_free(&corpus);
    check_stream(text, size, options.format, choice & 64);
    nf_descriptions descriptions = {0};
    nf_descriptions_parse(&descriptions, text, size, choice & 1 ? "d.yaml" : "d.json", &error);
    nf_descriptions_free(&descriptions);
    return 0;
}
