/* Formats that are folders: the first byte chooses the format and the policy for overlaps, the rest is
 * the folder's files, each a line with its name and then its content, divided by bytes 0x1E. What is read
 * obeys document.h, and what is written is read again with the same entities. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/formats/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) abort();                                                                 \
    } while (0)

enum { FILE_MARK = 0x1E, MOST_FILES = 64 };

static void divide(nf_parts *parts, const char *text, size_t size) {
    for (size_t at = 0, n = 0; at < size && n < MOST_FILES; n++) {
        const char *end = memchr(text + at, FILE_MARK, size - at);
        size_t length = end ? (size_t)(end - text) - at : size - at;
        const char *line_end = memchr(text + at, '\n', length);
        size_t name_size = line_end ? (size_t)(line_end - text) - at : length;
        char *name = strndup(text + at, name_size);
        nf_part *part = name && name[0] ? nf_parts_get(parts, name) : NULL;
        if (part && line_end) nf_str_append(&part->text, line_end + 1, length - name_size - 1);
        free(name);
        at += length + 1;
    }
}

static nerfit_status read_folder(nf_corpus *corpus, const nf_parts *parts, const nf_format *format,
                                 nf_overlap_policy overlap, nerfit_error *error) {
    nf_annotation_report report = {.most_items = 20};
    const nf_annotation_options options = {
        .format = format, .overlap = overlap, .max_errors = 5, .report = &report};
    nf_reading reading = nf_reading_begin(corpus, &options, "folder", error);
    nerfit_status status = nf_reading_end(&reading, format->read_parts(&reading, parts));
    REQUIRE(status != NERFIT_FORMAT || (report.n_errors > 0 && error->text[0]));
    nf_annotation_report_free(&report);
    return status;
}

static void check_documents(const nf_corpus *corpus) {
    for (size_t k = 0; k < corpus->n_documents; k++) {
        const nf_document *d = &corpus->documents[k];
        REQUIRE(nf_utf8_valid(d->text, d->text_size, NULL) && strlen(d->text) == d->text_size);
        for (size_t i = 0; i < d->n_spans; i++)
            REQUIRE(d->spans[i].start < d->spans[i].end && d->spans[i].end <= d->length);
    }
}

static void check_round_trip(const nf_document *d, const nf_format *format) {
    nf_parts parts = {.number = 1};
    nf_corpus again = {0};
    nerfit_error error = {0};
    if (!nf_document_overlaps(d) && format->write &&
        format->write(&parts, d, &error) == NERFIT_OK) {
        nerfit_status status = read_folder(&again, &parts, format, NF_OVERLAP_KEEP_ALL, &error);
        REQUIRE(status == NERFIT_OK && again.n_documents == 1);
        REQUIRE(again.documents[0].n_spans == d->n_spans);
        for (size_t i = 0; i < d->n_spans; i++)
            REQUIRE(strcmp(again.documents[0].spans[i].label, d->spans[i].label) == 0);
    }
    nf_corpus_free(&again);
    nf_parts_free(&parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const nf_format *folders[8];
    size_t n = 0;
    for (size_t i = 0; i < nf_format_count; i++)
        if (nf_formats[i]->folder && nf_formats[i]->read_parts) folders[n++] = nf_formats[i];
    if (!size) return 0;
    const nf_format *format = folders[data[0] % n];
    nf_parts parts = {0};
    nf_corpus corpus = {0};
    nerfit_error error = {0};
    divide(&parts, (const char *)data + 1, size - 1);
    read_folder(&corpus, &parts, format, (nf_overlap_policy)(data[0] / 8 % 4), &error);
    check_documents(&corpus);
    for (size_t i = 0; i < corpus.n_documents; i++) check_round_trip(&corpus.documents[i], format);
    nf_corpus_free(&corpus);
    nf_parts_free(&parts);
    return 0;
}
