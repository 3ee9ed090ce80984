/* nerfit.h: annotated texts in memory, and through a callback. */
#include "api_corpus.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/formats/format.h"
#include "data/lines.h"

nerfit_status nerfit_corpus_new(nerfit_corpus **corpus, nerfit_log_function log, void *log_user,
                                nerfit_error *error) {
    *corpus = calloc(1, sizeof **corpus);
    if (!*corpus) return nf_no_memory(error, sizeof **corpus);
    (*corpus)->log = (nf_log){log, log_user};
    return NERFIT_OK;
}

void nerfit_corpus_free(nerfit_corpus *corpus) {
    if (corpus) nf_corpus_free(&corpus->corpus);
    free(corpus);
}

size_t nerfit_corpus_size(const nerfit_corpus *corpus) {
    return corpus->corpus.n_documents;
}

size_t nerfit_corpus_entity_count(const nerfit_corpus *corpus) {
    return corpus->corpus.n_spans;
}

nerfit_status nerfit_corpus_add(nerfit_corpus *corpus, const char *text, size_t size,
                                const nerfit_span *entities, size_t n_entities, const char *name,
                                long line, nerfit_error *error) {
    nf_given_span *spans = malloc((n_entities + 1) * sizeof *spans);
    if (!spans) return nf_no_memory(error, n_entities * sizeof *spans);
    for (size_t i = 0; i < n_entities; i++)
        spans[i] = (nf_given_span){.start = entities[i].start,
                                   .end = entities[i].end,
                                   .label = entities[i].label,
                                   .label_size = strlen(entities[i].label)};
    nf_given_document given = {.text = text,
                               .text_size = size,
                               .spans = spans,
                               .n_spans = n_entities,
                               .file = name,
                               .line = line};
    nerfit_status status = nf_corpus_add(&corpus->corpus, &given, &corpus->log, error);
    free(spans);
    return status;
}

nerfit_status nerfit_corpus_parse(nerfit_corpus *corpus, const char *data, size_t size,
                                  const char *format_name, const char *name, nerfit_error *error) {
    const nf_format *format;
    NF_TRY(nf_format_choose(format_name, NF_FORMATS_PARSED, "format", &format, error));
    return nf_annotations_parse(&corpus->corpus, data, size, name, format, &corpus->log, error);
}

/* ---------------------------------------------------------------- the user's own format */

struct nerfit_annotation {
    nf_str text;
    bool has_text;
    nf_given_list spans;
    nf_arena arena; /* of the labels */
};

nerfit_status nerfit_annotation_set_text(nerfit_annotation *a, const char *text, size_t size) {
    nf_str_clear(&a->text);
    a->has_text = nf_str_append(&a->text, text, size);
    return a->has_text ? NERFIT_OK : NERFIT_NO_MEMORY;
}

nerfit_status nerfit_annotation_add(nerfit_annotation *a, int64_t start, int64_t end,
                                    const char *label) {
    char *copy = nf_arena_strdup(&a->arena, label);
    if (!copy) return NERFIT_NO_MEMORY;
    const nf_given_span span = {
        .start = start, .end = end, .label = copy, .label_size = strlen(copy)};
    return nf_given_list_add(&a->spans, &span, 0, NULL);
}

static nerfit_status parse_line(const nerfit_callbacks *callbacks, nerfit_annotation *a,
                                nf_corpus *corpus, const nf_given_document *line, const nf_log *log,
                                nerfit_error *error) {
    a->has_text = false;
    a->spans.count = 0;
    nf_arena_free(&a->arena);
    nerfit_status status = callbacks->parse(callbacks->user, line->text, line->text_size, a);
    if (status != NERFIT_OK)
        return nf_fail_at(error, status, line->file, line->line, 0,
                          "the parse callback returned \"%s\"", nerfit_status_text(status));
    if (!a->has_text) return NERFIT_OK;
    nf_given_document given = {.text = nf_str_text(&a->text),
                               .text_size = a->text.length,
                               .spans = a->spans.items,
                               .n_spans = a->spans.count,
                               .file = line->file,
                               .line = line->line};
    return nf_corpus_add(corpus, &given, log, error);
}

nerfit_status nf_corpus_parse_lines(nf_corpus *corpus, const nerfit_callbacks *callbacks,
                                    const char *path, const nf_log *log, nerfit_error *error) {
    nf_file file;
    NF_TRY(nf_file_open(&file, path, error));
    nf_lines lines = nf_lines_of(file.data, file.size);
    nerfit_annotation a = {0};
    nf_given_document line = {.file = path};
    nerfit_status status = NERFIT_OK;
    while (status == NERFIT_OK && nf_lines_next(&lines, &line.text, &line.text_size)) {
        line.line = lines.number;
        status = parse_line(callbacks, &a, corpus, &line, log, error);
    }
    nf_str_free(&a.text);
    nf_given_list_free(&a.spans);
    nf_arena_free(&a.arena);
    nf_file_close(&file);
    return status;
}
