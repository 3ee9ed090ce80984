/* PubTator: texts of a title and an abstract, with entities below, and an empty line between two.
 *
 *   10021369|t|Title
 *   10021369|a|Abstract
 *   10021369<TAB>START<TAB>END<TAB>text<TAB>LABEL<TAB>IDENTIFIER
 *
 * Offsets are code points of the title, a blank and the abstract. Lines with other numbers of tabs
 * are relations. (https://www.ncbi.nlm.nih.gov/research/pubtator) */
#include <string.h>

#include "base/ascii.h"
#include "data/formats/format.h"
#include "data/lines.h"

/* "ID|t|" or "ID|a|": the length of the identifier; 0 if it is none. */
static size_t part_of(const char *line, size_t size, char *which) {
    const char *bar = memchr(line, '|', size < 64 ? size : 64);
    size_t id = bar ? (size_t)(bar - line) : 0;
    if (!id || size < id + 3 || bar[2] != '|' || (bar[1] != 't' && bar[1] != 'a')) return 0;
    *which = bar[1];
    return id;
}

static bool looks_like(const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    char which;
    while (nf_lines_next(&lines, &line, &length))
        if (!nf_line_blank(line, length)) return part_of(line, length, &which) && which == 't';
    return false;
}

enum { MOST_CELLS = 7 };

typedef struct article {
    nf_arena arena;
    nf_str text, others;
    const char *id;
    size_t id_size;
    nf_given_list spans;
    long line;
    bool refused;
} article;

/* The identifier of an entity's concept, as a field. */
static nerfit_status set_identifier(article *a, nf_given_span *span, const char *text, size_t size,
                                    nerfit_error *err) {
    nf_str field = {0};
    nf_beside *beside = nf_arena_calloc(&a->arena, 1, sizeof *beside);
    nf_str_append_text(&field, "\"identifier\": ");
    nf_str_append_json(&field, text, size);
    if (beside && !field.failed)
        beside->fields = nf_arena_copy(&a->arena, field.data, field.length);
    nf_str_free(&field);
    span->beside = beside;
    return beside && beside->fields ? NERFIT_OK : nf_no_memory(err, size);
}

static nerfit_status read_entity(nf_reading *reading, article *a, const char *line, size_t size,
                                 long number) {
    const char *cells[MOST_CELLS];
    size_t sizes[MOST_CELLS];
    const size_t n = nf_line_cells(line, size, cells, sizes, MOST_CELLS);
    int64_t start, end;
    if (n >= 3 && (sizes[0] != a->id_size || memcmp(cells[0], a->id, a->id_size) != 0)) {
        a->refused = true;
        return nf_reading_malformed(
            reading, number, 0, "is of the text \"%.*s\", but stands below \"%.*s\"",
            (int)(sizes[0] < 64 ? sizes[0] : 64), cells[0], (int)a->id_size, a->id);
    }
    if (n >= 5 && sizes[1] && nf_digits_read(cells[1], sizes[1], &start) == sizes[1] && sizes[2] &&
        nf_digits_read(cells[2], sizes[2], &end) == sizes[2]) {
        nf_given_span span = {.start = start,
                              .end = end,
                              .label = cells[4],
                              .label_size = sizes[4],
                              .text = cells[3],
                              .text_size = sizes[3]};
        if (n > 5 && sizes[5]) NF_TRY(set_identifier(a, &span, cells[5], sizes[5], reading->err));
        return nf_given_list_add(&a->spans, &span, number, reading->err);
    }
    if (n >= 3 && sizes[1] && !nf_ascii_is_digit(cells[1][0])) { /* a relation */
        nf_str_append_text(&a->others, a->others.length ? ", " : "");
        nf_str_append_json(&a->others, line, size);
        return NERFIT_OK;
    }
    a->refused = true;
    return nf_reading_malformed(reading, number, 0,
                                "expected \"ID<TAB>START<TAB>END<TAB>text<TAB>LABEL\"");
}

static void free_article(article *a) {
    nf_str_free(&a->text);
    nf_str_free(&a->others);
    nf_given_list_free(&a->spans);
    nf_arena_free(&a->arena);
    *a = (article){0};
}

static nerfit_status end_article(nf_reading *reading, article *a) {
    nf_str fields = {0};
    nerfit_status status = NERFIT_OK;
    if (a->id && !a->refused) {
        nf_str_append_text(&fields, "\"id\": ");
        nf_str_append_json(&fields, a->id, a->id_size);
        if (a->others.length)
            nf_str_appendf(&fields, ", \"relations\": [%s]", nf_str_text(&a->others));
        nf_beside beside = {.fields = nf_str_text(&fields)};
        nf_given_document given = {.text = nf_str_text(&a->text),
                                   .text_size = a->text.length,
                                   .spans = a->spans.items,
                                   .n_spans = a->spans.count,
                                   .span_lines = a->spans.lines,
                                   .beside = &beside,
                                   .line = a->line};
        status = fields.failed || a->text.failed || a->others.failed
                     ? nf_no_memory(reading->err, a->text.length)
                     : nf_reading_add(reading, &given);
    }
    nf_str_free(&fields);
    free_article(a);
    return status;
}

static nerfit_status read_line(nf_reading *reading, article *a, const char *line, size_t size,
                               long number) {
    char which = 0;
    size_t bad, id = part_of(line, size, &which);
    if (!nf_utf8_valid(line, size, &bad) || memchr(line, '\0', size)) {
        a->refused = true;
        return nf_reading_malformed(reading, number, 0,
                                    "is not valid UTF-8, or holds a NUL character");
    }
    if (!id && a->id) return read_entity(reading, a, line, size, number);
    if (!id) return nf_reading_malformed(reading, number, 0, "expected \"ID|t|title\"");
    if (which == 't') {
        if (a->id) NF_TRY(end_article(reading, a));
        a->id = line;
        a->id_size = id;
        a->line = number;
    }
    if (which == 'a') nf_str_append_char(&a->text, ' ');
    nf_str_append(&a->text, line + id + 3, size - id - 3);
    return NERFIT_OK;
}

static nerfit_status read_pubtator(nf_reading *reading, const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    article a = {0};
    nerfit_status status = NERFIT_OK;
    while (status == NERFIT_OK && nf_lines_next(&lines, &line, &length))
        status = nf_line_blank(line, length) ? end_article(reading, &a)
                                             : read_line(reading, &a, line, length, lines.number);
    nerfit_status last = status == NERFIT_OK ? end_article(reading, &a) : status;
    free_article(&a);
    return last;
}

/* clang-format off */
const nf_format nf_format_pubtator = {
    .name = "pubtator", .title = "PubTator", .endings = {".pubtator"}, .by_ending = true, .sure = true,
    .recognised = "`ID|t|` in the first line, or the ending",
    .kept = "title and abstract (with a blank between) as the text, entities with their "
            "`identifier`, the `id`, other lines as `relations`; an entity's text must stand at its "
            "place",
    .lost = "nothing",
    .looks_like = looks_like, .read = read_pubtator,
};
/* clang-format on */
