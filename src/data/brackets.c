/* The original's parser is `\[(.*?): (.*?)\]` with both groups stripped; on lines that it reads
 * without loss, this one gives the same text and the same spans. */
#include "data/brackets.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/lines.h"

typedef struct annotation {
    const char *label, *span;
    size_t label_size, span_size;
    size_t size; /* of the whole, brackets included */
} annotation;

static void trim(const char **text, size_t *size) {
    while (*size && strchr(" \t", (*text)[0])) ++*text, --*size;
    while (*size && strchr(" \t", (*text)[*size - 1])) --*size;
}

/* Whether an annotation begins at `line`, a "[". */
static bool match(const char *line, size_t size, annotation *out) {
    size_t colon = 1;
    while (colon < size && line[colon] != ':' && line[colon] != '[' && line[colon] != ']') colon++;
    if (colon >= size || line[colon] != ':') return false;
    if (colon + 1 >= size || !strchr(" \t", line[colon + 1])) return false;
    size_t end = colon + 1;
    while (end < size && line[end] != ']') end += line[end] == '\\' && end + 1 < size ? 2 : 1;
    if (end >= size) return false;
    *out = (annotation){line + 1, line + colon + 1, colon - 1, end - colon - 1, end + 1};
    trim(&out->label, &out->label_size);
    trim(&out->span, &out->span_size);
    return out->label_size > 0;
}

/* Copies text, taking the backslash off "\[", "\]" and "\\" before a bracket. */
static void append_plain(nf_str *out, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        size_t run = 0; /* backslashes */
        while (i + run < size && text[i + run] == '\\') run++;
        bool bracket = i + run < size && (text[i + run] == '[' || text[i + run] == ']');
        if (run && bracket) {
            for (size_t k = 0; k < run / 2; k++) nf_str_append_char(out, '\\');
            i += run; /* an odd run escapes the bracket; it is text either way here */
        } else if (run) {
            nf_str_append(out, text + i, run);
            i += run - 1;
            continue;
        }
        nf_str_append_char(out, text[i]);
    }
}

/* Whether the "[" at `at` has an odd number of backslashes before it. */
static bool escaped(const char *line, size_t at) {
    size_t run = 0;
    while (run < at && line[at - 1 - run] == '\\') run++;
    return run % 2 == 1;
}

static nerfit_status add_span(nf_given_span **spans, size_t *count, size_t *capacity,
                              const nf_given_span *span, nerfit_error *err) {
    if (*count == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 16;
        nf_given_span *grown = realloc(*spans, *capacity * sizeof *grown);
        if (!grown) return nf_no_memory(err, *capacity * sizeof *grown);
        *spans = grown;
    }
    (*spans)[(*count)++] = *span;
    return NERFIT_OK;
}

nerfit_status nf_brackets_read(nf_corpus *corpus, const char *text, size_t size, const char *name,
                               const nf_log *log, nerfit_error *err) {
    nf_lines lines = nf_lines_of(text, size);
    nf_given_span *spans = NULL;
    size_t capacity = 0, length;
    nf_str plain = {0};
    const char *line;
    nerfit_status status = NERFIT_OK;
    while (status == NERFIT_OK && nf_lines_next(&lines, &line, &length)) {
        if (nf_line_blank(line, length)) continue;
        size_t count = 0, from = 0;
        nf_str_clear(&plain);
        for (size_t at = 0; at < length && status == NERFIT_OK;) {
            annotation a;
            if (line[at] != '[' || escaped(line, at) || !match(line + at, length - at, &a)) {
                at++;
                continue;
            }
            append_plain(&plain, line + from, at - from);
            int64_t start = (int64_t)nf_utf8_count(nf_str_text(&plain), plain.length);
            append_plain(&plain, a.span, a.span_size);
            int64_t end = (int64_t)nf_utf8_count(nf_str_text(&plain), plain.length);
            nf_given_span span = {start, end, a.label, a.label_size};
            status = add_span(&spans, &count, &capacity, &span, err);
            at += a.size;
            from = at;
        }
        append_plain(&plain, line + from, length - from);
        if (status == NERFIT_OK && plain.failed) status = nf_no_memory(err, length);
        nf_given_document given = {.text = nf_str_text(&plain),
                                   .text_size = plain.length,
                                   .spans = spans,
                                   .n_spans = count,
                                   .file = name,
                                   .line = lines.number};
        if (status == NERFIT_OK) status = nf_corpus_add(corpus, &given, log, err);
    }
    nf_str_free(&plain);
    free(spans);
    return status;
}

/* Escapes brackets, and backslashes that stand before them. */
static void append_escaped(nf_str *out, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        size_t run = 0;
        while (i + run < size && text[i + run] == '\\') run++;
        bool bracket = i + run < size && (text[i + run] == '[' || text[i + run] == ']');
        for (size_t k = 0; k < run * (bracket ? 2 : 1); k++) nf_str_append_char(out, '\\');
        i += run;
        if (i >= size) break;
        if (bracket) nf_str_append_char(out, '\\');
        nf_str_append_char(out, text[i]);
    }
}

nerfit_status nf_brackets_write(nf_str *out, const nf_document *d, nerfit_error *err) {
    if (memchr(d->text, '\n', d->text_size) || memchr(d->text, '\r', d->text_size))
        return nf_fail_at(err, NERFIT_UNSUPPORTED, d->file, d->line, 0,
                          "has a line break, which bracket text cannot hold; use jsonl");
    size_t at = 0;
    for (size_t i = 0; i < d->n_spans; i++) {
        const nf_span *span = &d->spans[i];
        size_t start = nf_utf8_offset(d->text, d->text_size, span->start);
        size_t end = nf_utf8_offset(d->text, d->text_size, span->end);
        if (strpbrk(span->label, "[]:"))
            return nf_fail_at(err, NERFIT_UNSUPPORTED, d->file, d->line, 0,
                              "label \"%s\" holds a bracket or a colon, which bracket text cannot "
                              "hold; use jsonl",
                              span->label);
        append_escaped(out, d->text + at, start - at);
        nf_str_appendf(out, "[%s : ", span->label);
        append_escaped(out, d->text + start, end - start);
        nf_str_append_char(out, ']');
        at = end;
    }
    append_escaped(out, d->text + at, d->text_size - at);
    nf_str_append_char(out, '\n');
    return out->failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}
