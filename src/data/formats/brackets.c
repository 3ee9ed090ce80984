#include "data/formats/brackets.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/lines.h"

/* What a backslash can escape, in text and in labels. */
static const char in_text[] = "[]", in_label[] = "[]:";

/* strchr finds the final NUL, too; the text may hold one. */
static bool is_one_of(char c, const char *set) {
    return c && strchr(set, c);
}

/* The next character of `set` from `at` on that is not escaped; `size` if there is none. */
static size_t find_special(const char *line, size_t size, size_t at, const char *set,
                           const char *escapable) {
    size_t run = 0; /* backslashes directly before */
    for (; at < size; at++) {
        if (line[at] == '\\') {
            run++;
            continue;
        }
        bool escaped = run % 2 && is_one_of(line[at], escapable);
        if (!escaped && is_one_of(line[at], set)) return at;
        run = 0;
    }
    return size;
}

/* Copies a piece of the line without its escapes. `next` is the character after the piece: it may
 * be what a run of backslashes at the piece's end stands before. */
static void append_unescaped(nf_str *out, const char *text, size_t size, char next,
                             const char *escapable) {
    for (size_t i = 0; i < size; i++) {
        size_t run = 0;
        while (i + run < size && text[i + run] == '\\') run++;
        char c = i + run < size ? text[i + run] : next;
        size_t kept = is_one_of(c, escapable) ? run / 2 : run;
        for (size_t k = 0; k < kept; k++) nf_str_append_char(out, '\\');
        i += run;
        if (i < size) nf_str_append_char(out, text[i]);
    }
}

/* ---------------------------------------------------------------- reading */

/* A piece of the line. */
typedef struct piece {
    const char *text;
    size_t size;
} piece;

static piece stripped(const char *text, size_t size) {
    nf_text_trim(&text, &size);
    return (piece){text, size};
}

static bool space_at(const char *line, size_t size, size_t at) {
    uint32_t c;
    return at < size && nf_utf8_decode(line + at, size - at, &c) && nf_is_space(c);
}

/* The colon that ends the label of the annotation that begins at `at`; `size` if none begins. */
static size_t label_end(const char *line, size_t size, size_t at) {
    for (size_t i = at + 1;; i++) {
        i = find_special(line, size, i, in_label, in_label);
        if (i == size || line[i] != ':') return size;
        if (space_at(line, size, i + 1)) return i;
    }
}

/* Reading one line. Labels are kept unescaped in one string, one after another. */
typedef struct line_reader {
    nf_reading *reading;
    const char *line;
    size_t size;
    long number;
    nf_str plain, labels;
    nf_given_list spans; /* while reading, `label` is not set: label i follows label i - 1 */
    uint32_t at;         /* code points in `plain` */
    bool refused;
} line_reader;

static nerfit_status refuse(line_reader *r, size_t at, const char *what) {
    r->refused = true;
    return nf_reading_malformed(r->reading, r->number, nf_line_column(r->line, at), "%s", what);
}

static void append_plain(line_reader *r, const char *text, size_t size, char next) {
    size_t before = r->plain.length;
    append_unescaped(&r->plain, text, size, next, in_text);
    if (r->plain.length > before)
        r->at += (uint32_t)nf_utf8_count(r->plain.data + before, r->plain.length - before);
}

static nerfit_status add_span(line_reader *r, piece label, char after_label, piece span,
                              char after_span) {
    size_t before = r->labels.length;
    append_unescaped(&r->labels, label.text, label.size, after_label, in_label);
    nf_given_span out = {.start = r->at, .label_size = r->labels.length - before};
    append_plain(r, span.text, span.size, after_span);
    out.end = r->at;
    return nf_given_list_add(&r->spans, &out, r->number, r->reading->err);
}

/* The annotation at `at`, whose label ends at `colon`. *end is where the text goes on: after it, or
 * at `at` if it is none. */
static nerfit_status read_annotation(line_reader *r, size_t at, size_t colon, size_t *end) {
    size_t close = find_special(r->line, r->size, colon + 1, in_text, in_text);
    *end = close;
    if (close == r->size) {
        nf_finding finding = {
            .kind = NF_FINDING_UNCLOSED, .line = r->number, .column = nf_line_column(r->line, at)};
        *end = at;
        return nf_reading_warning(r->reading, &finding,
                                  "looks like an annotation, but has no \"]\": kept as text");
    }
    if (r->line[close] == '[')
        return refuse(r, close,
                      "a bracket inside an annotation; write \"\\[\" if it is text "
                      "(annotations cannot be nested)");
    *end = close + 1;
    piece label = stripped(r->line + at + 1, colon - at - 1);
    piece span = stripped(r->line + colon + 1, close - colon - 1);
    if (label.size == 0) return refuse(r, at, "an annotation with an empty label");
    if (span.size == 0) return refuse(r, at, "an annotation with an empty span");
    return add_span(r, label, label.text[label.size], span, span.text[span.size]);
}

static nerfit_status read_pieces(line_reader *r) {
    size_t from = 0; /* text that is not copied yet */
    for (size_t at = 0; !r->refused;) {
        at = find_special(r->line, r->size, at, "[", in_text);
        if (at == r->size) break;
        size_t colon = label_end(r->line, r->size, at);
        if (colon == r->size) {
            at++;
            continue;
        }
        size_t end;
        append_plain(r, r->line + from, at - from, '[');
        NF_TRY(read_annotation(r, at, colon, &end));
        from = end;
        at = end > at ? end : at + 1;
    }
    if (!r->refused) append_plain(r, r->line + from, r->size - from, '\0');
    return r->plain.failed || r->labels.failed ? nf_no_memory(r->reading->err, r->size) : NERFIT_OK;
}

nerfit_status nf_brackets_line_read(nf_reading *reading, const char *line, size_t size,
                                    long number) {
    line_reader r = {.reading = reading, .line = line, .size = size, .number = number};
    size_t bad;
    if (!nf_utf8_valid(line, size, &bad)) return refuse(&r, bad, "is not valid UTF-8");
    nerfit_status status = read_pieces(&r);
    const char *label = nf_str_text(&r.labels);
    for (size_t i = 0; i < r.spans.count; label += r.spans.items[i++].label_size)
        r.spans.items[i].label = label;
    nf_given_document given = {.text = nf_str_text(&r.plain),
                               .text_size = r.plain.length,
                               .spans = r.spans.items,
                               .n_spans = r.spans.count,
                               .line = number};
    if (status == NERFIT_OK && !r.refused) status = nf_reading_add(reading, &given);
    nf_str_free(&r.plain);
    nf_str_free(&r.labels);
    nf_given_list_free(&r.spans);
    return status;
}

static nerfit_status read_brackets(nf_reading *reading, const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    while (nf_lines_next(&lines, &line, &length))
        if (!nf_line_blank(line, length))
            NF_TRY(nf_brackets_line_read(reading, line, length, lines.number));
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- writing */

/* Escapes the characters of `escapable`, and backslashes before them. `next` as above. */
static void append_escaped(nf_str *out, const char *text, size_t size, char next,
                           const char *escapable) {
    for (size_t i = 0; i < size; i++) {
        size_t run = 0;
        while (i + run < size && text[i + run] == '\\') run++;
        char c = i + run < size ? text[i + run] : next;
        bool special = is_one_of(c, escapable);
        for (size_t k = 0; k < (special ? 2 * run : run); k++) nf_str_append_char(out, '\\');
        i += run;
        if (i >= size) break;
        if (special) nf_str_append_char(out, '\\');
        nf_str_append_char(out, text[i]);
    }
}

/* A colon is escaped where it would end the label; backslashes before any colon are doubled. */
static void append_label(nf_str *out, const char *label) {
    size_t size = strlen(label);
    for (size_t i = 0; i < size;) {
        size_t colon = i;
        while (colon < size && label[colon] != ':') colon++;
        append_escaped(out, label + i, colon - i, colon < size ? ':' : '\0', in_label);
        if (colon == size) break;
        if (colon + 1 == size || space_at(label, size, colon + 1)) nf_str_append_char(out, '\\');
        nf_str_append_char(out, ':');
        i = colon + 1;
    }
}

/* Whether some line has an annotation. */
static bool looks_like(const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    while (nf_lines_next(&lines, &line, &length))
        for (size_t at = 0; (at = find_special(line, length, at, "[", in_text)) < length; at++)
            if (label_end(line, length, at) < length &&
                find_special(line, length, label_end(line, length, at), "]", in_text) < length)
                return true;
    return false;
}

static nerfit_status write_brackets(nf_parts *parts, const nf_document *d, nerfit_error *err) {
    if (memchr(d->text, '\n', d->text_size) || memchr(d->text, '\r', d->text_size))
        return nf_fail_at(err, NERFIT_UNSUPPORTED, d->file, d->line, 0,
                          "has a line break, which bracket text cannot hold; use jsonl");
    nf_part *part = nf_parts_get(parts, "");
    if (!part) return nf_no_memory(err, 0);
    nf_str *out = &part->text;
    size_t byte = 0;
    uint32_t at = 0; /* the code point at `byte` */
    for (size_t i = 0; i < d->n_spans; i++) {
        const nf_span *span = &d->spans[i];
        size_t plain = nf_utf8_offset(d->text + byte, d->text_size - byte, span->start - at);
        append_escaped(out, d->text + byte, plain, '[', in_text);
        byte += plain;
        size_t size = nf_utf8_offset(d->text + byte, d->text_size - byte, span->end - span->start);
        nf_str_append_char(out, '[');
        append_label(out, span->label);
        nf_str_append_text(out, " : ");
        append_escaped(out, d->text + byte, size, ']', in_text);
        nf_str_append_char(out, ']');
        byte += size;
        at = span->end;
    }
    append_escaped(out, d->text + byte, d->text_size - byte, '\0', in_text);
    nf_str_append_char(out, '\n');
    return out->failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}

/* clang-format off */
const nf_format nf_format_brackets = {
    .name = "brackets", .title = "bracket text", .endings = {".txt"},
    .holds = NF_HOLDS_SPACES | NF_HOLDS_ENTITIES,
    .recognised = "an annotation `[label : span]` somewhere; plain text without one (the ending "
                  "`.txt` or none) is read as texts without entities, with a warning",
    .kept = "text and entities, a text a line",
    .lost = "nothing",
    .looks_like = looks_like, .read = read_brackets, .read_line = nf_brackets_line_read,
    .write = write_brackets, .head = "", .between = "", .tail = "",
};
/* clang-format on */
