/* Adding a document checks its spans by the policies of document.h, in this order: label, range,
 * white space at the edges, duplicates, overlaps. */
#include "data/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/utf8.h"

void nf_corpus_free(nf_corpus *corpus) {
    free(corpus->documents);
    free(corpus->labels);
    nf_arena_free(&corpus->arena);
    *corpus = (nf_corpus){0};
}

const char *nf_corpus_label(nf_corpus *corpus, const char *label, size_t size) {
    for (size_t i = 0; i < corpus->n_labels; i++)
        if (strncmp(corpus->labels[i], label, size) == 0 && !corpus->labels[i][size])
            return corpus->labels[i];
    const char **grown = realloc(corpus->labels, (corpus->n_labels + 1) * sizeof *grown);
    if (!grown) return NULL;
    corpus->labels = grown;
    grown[corpus->n_labels] = nf_arena_copy(&corpus->arena, label, size);
    return grown[corpus->n_labels] ? grown[corpus->n_labels++] : NULL;
}

/* What Python's str.isspace calls white space: the separators and these controls. */
bool nf_is_space(uint32_t c) {
    if (c < 128) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return c == 0x85 || category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
           category == UTF8PROC_CATEGORY_ZP;
}

typedef struct checker {
    nf_corpus *corpus;
    nf_document *document;
    const nf_log *log;
    nerfit_error *err;
} checker;

static uint32_t code_point_at(const nf_document *d, uint32_t index) {
    size_t at = nf_utf8_offset(d->text, d->text_size, index);
    uint32_t c = 0;
    if (at < d->text_size) nf_utf8_decode(d->text + at, d->text_size - at, &c);
    return c;
}

static nerfit_status span_error(const checker *c, size_t number, const nf_given_span *span,
                                const char *what) {
    return nf_fail_at(c->err, NERFIT_FORMAT, c->document->file, c->document->line, 0,
                      "entity %zu (\"%.*s\", %lld..%lld) %s", number, (int)span->label_size,
                      span->label, (long long)span->start, (long long)span->end, what);
}

static nerfit_status check_span(checker *c, size_t number, const nf_given_span *given,
                                nf_span *out) {
    const nf_document *d = c->document;
    char what[96];
    if (given->label_size == 0) return span_error(c, number, given, "has an empty label");
    if (given->start < 0) return span_error(c, number, given, "begins before the text");
    if (given->start >= given->end)
        return span_error(c, number, given, "is empty: its start is not before its end");
    if (given->end > (int64_t)d->length) {
        snprintf(what, sizeof what, "ends past the text (%u characters)", d->length);
        return span_error(c, number, given, what);
    }
    uint32_t start = (uint32_t)given->start, end = (uint32_t)given->end;
    while (start < end && nf_is_space(code_point_at(d, start))) start++;
    while (end > start && nf_is_space(code_point_at(d, end - 1))) end--;
    if (start == end) return span_error(c, number, given, "holds only white space");
    if (start != (uint32_t)given->start || end != (uint32_t)given->end) {
        c->corpus->n_trimmed++;
        nf_log_warning(c->log, "%s:%ld: entity %zu (\"%.*s\", %lld..%lld) has white space at its "
                       "edge: taken as %u..%u", d->file, d->line, number, (int)given->label_size,
                       given->label, (long long)given->start, (long long)given->end, start, end);
    }
    const char *label = nf_corpus_label(c->corpus, given->label, given->label_size);
    if (!label) return nf_no_memory(c->err, 0);
    *out = (nf_span){start, end, label};
    return NERFIT_OK;
}

static int by_place(const void *a, const void *b) {
    const nf_span *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return strcmp(x->label, y->label);
}

static nerfit_status check_spans(checker *c, const nf_given_span *given, size_t count) {
    nf_document *d = c->document;
    d->spans = nf_arena_calloc(&c->corpus->arena, count + 1, sizeof *d->spans);
    if (!d->spans) return nf_no_memory(c->err, count * sizeof *d->spans);
    for (size_t i = 0; i < count; i++) NF_TRY(check_span(c, i + 1, &given[i], &d->spans[i]));
    if (count) qsort(d->spans, count, sizeof *d->spans, by_place);
    for (size_t i = 0; i < count; i++) {
        const nf_span *span = &d->spans[i];
        nf_span *last = d->n_spans ? &d->spans[d->n_spans - 1] : NULL;
        if (last && by_place(last, span) == 0) {
            c->corpus->n_duplicates++;
            nf_log_warning(c->log, "%s:%ld: entity \"%s\" at %u..%u is there twice: kept once",
                           d->file, d->line, span->label, span->start, span->end);
            continue;
        }
        if (last && span->start < last->end)
            return nf_fail_at(c->err, NERFIT_FORMAT, d->file, d->line, 0,
                              "entities \"%s\" (%u..%u) and \"%s\" (%u..%u) overlap; nested and "
                              "overlapping entities are not supported",
                              last->label, last->start, last->end, span->label, span->start,
                              span->end);
        d->spans[d->n_spans++] = *span;
    }
    return NERFIT_OK;
}

nerfit_status nf_corpus_add(nf_corpus *corpus, const nf_given_document *given, const nf_log *log,
                            nerfit_error *err) {
    size_t bad;
    if (!nf_utf8_valid(given->text, given->text_size, &bad))
        return nf_fail_at(err, NERFIT_FORMAT, given->file, given->line, 0,
                          "is not valid UTF-8 at byte %zu of the text", bad + 1);
    if (given->text_size > INT32_MAX)
        return nf_fail_at(err, NERFIT_FORMAT, given->file, given->line, 0,
                          "the text is longer than 2^31 bytes");
    if (corpus->n_documents == corpus->capacity) {
        size_t capacity = corpus->capacity ? 2 * corpus->capacity : 256;
        nf_document *grown = realloc(corpus->documents, capacity * sizeof *grown);
        if (!grown) return nf_no_memory(err, capacity * sizeof *grown);
        corpus->documents = grown;
        corpus->capacity = capacity;
    }
    nf_document *d = &corpus->documents[corpus->n_documents];
    *d = (nf_document){
        .text = nf_arena_copy(&corpus->arena, given->text, given->text_size),
        .text_size = given->text_size,
        .length = (uint32_t)nf_utf8_count(given->text, given->text_size),
        .words = nf_arena_calloc(&corpus->arena, given->n_words + 1, sizeof(nf_word)),
        .n_words = given->n_words,
        .file = nf_arena_strdup(&corpus->arena, given->file ? given->file : "text"),
        .line = given->line,
    };
    if (!d->text || !d->words || !d->file) return nf_no_memory(err, given->text_size);
    if (given->n_words) memcpy(d->words, given->words, given->n_words * sizeof(nf_word));
    else d->words = NULL;
    checker c = {corpus, d, log, err};
    NF_TRY(check_spans(&c, given->spans, given->n_spans));
    corpus->n_documents++;
    corpus->n_spans += d->n_spans;
    return NERFIT_OK;
}
