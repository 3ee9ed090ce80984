/* brat's standoff: a folder of .txt files with an .ann file beside each, whose lines are
 *
 *   T1<TAB>LABEL START END<TAB>text       an entity; offsets are code points
 *   T2<TAB>LABEL 0 5;16 23<TAB>text       of several fragments: taken from the first to the last
 *   R, E, A, M, N, *, #                   relations, events, attributes, notes: kept beside
 *
 * The text is one document, line breaks included. (https://brat.nlplab.org/standoff.html) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/file.h"
#include "base/number.h"
#include "data/formats/format.h"
#include "data/lines.h"

static bool is_part(const char *name) {
    return nf_path_has_ending(name, ".ann") || nf_path_has_ending(name, ".txt");
}

/* A folder of .txt alone is none of brat's. */
static bool is_sign(const char *name) {
    return nf_path_has_ending(name, ".ann");
}

/* ---------------------------------------------------------------- one .ann */

typedef struct ann_reader {
    nf_reading *reading;
    nf_arena arena;
    nf_given_list spans;
    nf_str others; /* lines that are no entities, as a list of JSON texts */
    bool refused;
} ann_reader;

static nerfit_status refuse(ann_reader *r, long line, const char *what) {
    r->refused = true;
    return nf_reading_malformed(r->reading, line, 0, "%s", what);
}

/* "0 5;16 23" at *at: the first start and the last end, and how many fragments. */
static size_t read_fragments(const char **at, const char *end, int64_t *start, int64_t *last) {
    size_t n = 0;
    for (;; ++*at) {
        int64_t from, to;
        size_t digits = nf_digits_read(*at, (size_t)(end - *at), &from);
        *at += digits;
        if (!digits || *at >= end || **at != ' ') return 0;
        ++*at;
        digits = nf_digits_read(*at, (size_t)(end - *at), &to);
        *at += digits;
        if (!digits) return 0;
        if (n++ == 0) *start = from;
        *last = to;
        if (*at >= end || **at != ';') return n;
    }
}

static nerfit_status read_entity(ann_reader *r, const char *line, size_t size, long number) {
    const char *tab = memchr(line, '\t', size), *end = line + size;
    const char *label = tab ? tab + 1 : end, *blank = memchr(label, ' ', (size_t)(end - label));
    static const char expected[] = "expected \"T1<TAB>LABEL START END<TAB>text\"";
    if (!tab || !blank) return refuse(r, number, expected);
    nf_given_span span = {.label = label, .label_size = (size_t)(blank - label)};
    const char *at = blank + 1;
    size_t n = read_fragments(&at, end, &span.start, &span.end);
    if (!n || (at < end && *at != '\t')) return refuse(r, number, expected);
    if (at < end && n == 1) {
        span.text = at + 1;
        span.text_size = (size_t)(end - at) - 1;
    }
    if (n > 1) {
        nf_finding finding = {.kind = NF_FINDING_LEFT_OUT, .line = number};
        NF_TRY(nf_reading_warning(r->reading, &finding,
                                  "an entity of %zu fragments is taken from the first to the last",
                                  n));
    }
    return nf_given_list_add(&r->spans, &span, number, r->reading->err);
}

static nerfit_status read_ann(ann_reader *r, const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length, bad;
    while (nf_lines_next(&lines, &line, &length)) {
        if (nf_line_blank(line, length)) continue;
        if (!nf_utf8_valid(line, length, &bad) || memchr(line, '\0', length)) {
            NF_TRY(refuse(r, lines.number, "is not valid UTF-8, or holds a NUL character"));
            continue;
        }
        if (line[0] == 'T') {
            NF_TRY(read_entity(r, line, length, lines.number));
        } else if (line[0] && strchr("REAMN*#", line[0])) {
            nf_str_append_text(&r->others, r->others.length ? ", " : "");
            nf_str_append_json(&r->others, line, length);
        } else
            NF_TRY(refuse(r, lines.number,
                          "begins with none of T (entity), R, E, A, M, N, *, # (what is beside)"));
    }
    return r->others.failed ? nf_no_memory(r->reading->err, size) : NERFIT_OK;
}

/* ---------------------------------------------------------------- a folder */

/* The text's name and what is no entity, as fields. */
static nerfit_status add_pair(ann_reader *r, const char *name, const nf_str *text) {
    nf_str fields = {0};
    nf_str_append_text(&fields, "\"id\": ");
    nf_str_append_json(&fields, name, strlen(name));
    if (r->others.length) nf_str_appendf(&fields, ", \"brat\": [%s]", nf_str_text(&r->others));
    nf_beside beside = {.fields = nf_str_text(&fields)};
    nf_given_document given = {.text = nf_str_text(text),
                               .text_size = text->length,
                               .spans = r->spans.items,
                               .n_spans = r->spans.count,
                               .span_lines = r->spans.lines,
                               .beside = &beside,
                               .line = 1};
    nerfit_status status = fields.failed ? nf_no_memory(r->reading->err, text->length)
                                         : nf_reading_add(r->reading, &given);
    nf_str_free(&fields);
    return status;
}

static nerfit_status read_pair(nf_reading *reading, const char *folder, const nf_part *ann,
                               const nf_part *text) {
    ann_reader r = {.reading = reading};
    size_t stem = strlen(ann->name) - strlen(".ann");
    const char *id = nf_arena_copy(&r.arena, ann->name, stem);
    const char *path = nf_path_join(&r.arena, folder, ann->name);
    nerfit_status status = id && path ? NERFIT_OK : nf_no_memory(reading->err, stem);
    if (status == NERFIT_OK) {
        reading->name = path;
        status = read_ann(&r, nf_str_text(&ann->text), ann->text.length);
        if (status == NERFIT_OK && !r.refused) status = add_pair(&r, id, &text->text);
        reading->name = folder;
    }
    nf_str_free(&r.others);
    nf_given_list_free(&r.spans);
    nf_arena_free(&r.arena);
    return status;
}

static nerfit_status read_parts(nf_reading *reading, const nf_parts *parts) {
    nerfit_status status = NERFIT_OK;
    const char *folder = reading->name;
    for (size_t i = 0; i < parts->count && status == NERFIT_OK; i++) {
        const nf_part *ann = &parts->items[i];
        if (!is_sign(ann->name)) continue;
        char name[4096];
        nf_print(name, sizeof name, "%.*s.txt", (int)(strlen(ann->name) - strlen(".ann")),
                 ann->name);
        const nf_part *text = nf_parts_find(parts, name);
        status =
            text ? read_pair(reading, folder, ann, text)
                 : nf_reading_malformed(reading, 0, 0, "%s has no %s beside it", ann->name, name);
    }
    for (size_t i = 0; i < parts->count && status == NERFIT_OK; i++) {
        char name[4096];
        const nf_part *text = &parts->items[i];
        if (is_sign(text->name)) continue;
        nf_print(name, sizeof name, "%.*s.ann", (int)(strlen(text->name) - strlen(".txt")),
                 text->name);
        nf_finding finding = {.kind = NF_FINDING_PASSED_OVER};
        if (!nf_parts_find(parts, name))
            status = nf_reading_warning(reading, &finding,
                                        "%s has no .ann beside it: left out, as not annotated",
                                        text->name);
    }
    return status;
}

/* ---------------------------------------------------------------- writing */

/* The document's own id if it has one that can name a file; else its number. */
static void name_document(char *out, size_t size, const nf_parts *parts, const nf_document *d) {
    const char *fields = d->beside ? d->beside->fields : NULL,
               *at = fields ? strstr(fields, "\"id\": \"") : NULL;
    size_t length = at ? strcspn(at + 7, "\"\\/") : 0;
    nf_print(out, size, "%.*s", (int)length, at ? at + 7 : "");
    char file[512];
    nf_print(file, sizeof file, "%s.txt", out);
    if (length && length < 200 && at[7] != '.' && at[7 + length] == '"' &&
        (!parts->before || !nf_parts_find(parts->before, file)))
        return;
    nf_print(out, size, "%06zu", parts->number);
}

static nerfit_status write(nf_parts *parts, const nf_document *d, nerfit_error *err) {
    char id[256], name[300];
    for (size_t i = 0; i < d->n_spans; i++)
        if (strpbrk(d->spans[i].label, " \t;"))
            return nf_fail_at(err, NERFIT_UNSUPPORTED, d->file, d->line, 0,
                              "label \"%s\" has a space or semicolon, which brat cannot hold; use "
                              "jsonl",
                              d->spans[i].label);
    name_document(id, sizeof id, parts, d);
    nf_print(name, sizeof name, "%s.txt", id);
    nf_part *text = nf_parts_get(parts, name);
    if (!text || !nf_str_append(&text->text, d->text, d->text_size)) return nf_no_memory(err, 0);
    nf_print(name, sizeof name, "%s.ann", id);
    nf_part *ann = nf_parts_get(parts, name);
    if (!ann) return nf_no_memory(err, 0);
    nf_str_append_text(&ann->text, "");
    for (size_t i = 0; i < d->n_spans; i++) {
        const nf_span *span = &d->spans[i];
        size_t from = nf_utf8_offset(d->text, d->text_size, span->start);
        size_t to = nf_utf8_offset(d->text, d->text_size, span->end);
        nf_str_appendf(&ann->text, "T%zu\t%s %u %u\t", i + 1, span->label, span->start, span->end);
        for (size_t k = from; k < to; k++)
            nf_str_append_char(&ann->text,
                               d->text[k] == '\n' || d->text[k] == '\r' ? ' ' : d->text[k]);
        nf_str_append_char(&ann->text, '\n');
    }
    return ann->text.failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}

/* clang-format off */
const nf_format nf_format_brat = {
    .name = "brat", .title = "brat's standoff", .endings = {""}, .folder = true,
    .holds = NF_HOLDS_SPACES | NF_HOLDS_ENTITIES | NF_HOLDS_OVERLAPS,
    .recognised = "a folder with `.ann` files and a `.txt` beside each, also in its folders",
    .kept = "text (a file is one text), entities, the file's name as `id`, all other lines (`R`, "
            "`E`, `A`, `#`, ...) as the field `brat`; an entity's text must stand at its place",
    .lost = "fragments: an entity is taken from its first to its last, with a warning; `.txt` files "
            "without `.ann` are left out, with a warning; written without other lines and fields",
    .part_looks_like = is_part, .part_is_sign = is_sign, .read_parts = read_parts,
    .write = write, .head = "", .between = "", .tail = "",
};
/* clang-format on */
