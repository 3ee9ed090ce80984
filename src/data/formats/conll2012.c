/* CoNLL-2012, as OntoNotes comes: columns divided by spaces, the eleventh of which has the named
 * entities as brackets: "(PERSON*", "*", "*)", "(GPE)". (https://conll.cemantix.org/2012/data.html) */
#include <string.h>

#include "data/formats/conll.h"

enum { WORD = 3, ENTITY = 10, MOST = 64 };

static size_t split(const char *line, size_t size, const char *cells[MOST], size_t sizes[MOST]) {
    size_t n = 0;
    for (size_t at = 0; at < size && n < MOST;) {
        while (at < size && (line[at] == ' ' || line[at] == '\t')) at++;
        size_t from = at;
        while (at < size && line[at] != ' ' && line[at] != '\t') at++;
        if (at > from) cells[n] = line + from, sizes[n++] = at - from;
    }
    return n;
}

static bool looks_like(const char *text, size_t size) {
    return size >= 16 && memcmp(text, "#begin document ", 16) == 0;
}

/* The entity that the rows are in. */
typedef struct open_entity {
    const char *type; /* [size]; NULL: none */
    size_t size;
    long line;
} open_entity;

/* The label of a row, in B-/I-. */
static bool read_label(nf_arena *arena, const char *cell, size_t size, open_entity *open,
                       nf_conll_row *row) {
    bool begins = size > 1 && cell[0] == '(', ends = cell[size - 1] == ')';
    if (begins) {
        size_t type = 1;
        while (type < size && cell[type] != '*' && cell[type] != ')' && cell[type] != '(') type++;
        if (type == 1 || open->type || (type < size && cell[type] == '(')) return false;
        *open = (open_entity){cell + 1, type - 1, row->line};
    } else if (cell[0] != '*')
        return false;
    if (open->type) {
        char *label = nf_arena_alloc(arena, open->size + 3);
        row->label = label; /* NULL: out of memory */
        if (!label) return true;
        label[0] = begins ? 'B' : 'I', label[1] = '-';
        memcpy(label + 2, open->type, open->size);
        label[open->size + 2] = '\0';
        row->label_size = open->size + 2;
    } else if (ends)
        return false;
    if (ends) open->type = NULL;
    return true;
}

static nerfit_status read_row(nf_reading *reading, const char *line, size_t size, long number,
                              open_entity *open, nf_conll *out) {
    const char *cells[MOST];
    size_t sizes[MOST], bad, n = split(line, size, cells, sizes);
    nf_conll_row row = {.label = "O", .label_size = 1, .line = number};
    bool good = nf_utf8_valid(line, size, &bad) && n > ENTITY;
    if (good) row.word = cells[WORD], row.word_size = sizes[WORD];
    if (good && !reading->texts_only)
        good = read_label(&out->arena, cells[ENTITY], sizes[ENTITY], open, &row);
    if (!row.label) return nf_no_memory(reading->err, size);
    if (good) return nf_conll_add_row(out, &row, reading->err);
    out->refused = true;
    return nf_reading_malformed(reading, number, 0,
                                "expected at least eleven columns, the eleventh with entities as "
                                "\"(TYPE*\", \"*\", \"*)\"");
}

/* An empty line, or a comment. */
static nerfit_status end_sentence(nf_reading *reading, open_entity *open, nf_conll *out) {
    if (open->type && !out->refused) {
        out->refused = true;
        NF_TRY(nf_reading_malformed(reading, open->line, 0,
                                    "entity \"%.*s\" is not closed where its sentence ends; "
                                    "expected \"*)\" in its last row",
                                    (int)(open->size < 60 ? open->size : 60), open->type));
    }
    open->type = NULL;
    return nf_conll_end_sentence(out, reading->err);
}

static bool begins_with(const char *line, size_t size, const char *mark) {
    return size >= strlen(mark) && memcmp(line, mark, strlen(mark)) == 0;
}

static nerfit_status read_rows(nf_reading *reading, const char *text, size_t size, nf_conll *out) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    open_entity open = {0};
    while (nf_lines_next(&lines, &line, &length)) {
        bool blank = nf_line_blank(line, length);
        if (!blank && line[0] != '#') {
            NF_TRY(read_row(reading, line, length, lines.number, &open, out));
            continue;
        }
        if (!blank && !begins_with(line, length, "#begin document") &&
            !begins_with(line, length, "#end document"))
            NF_TRY(
                nf_reading_malformed(reading, lines.number, 0,
                                     "expected a row, \"#begin document\" or \"#end document\""));
        NF_TRY(end_sentence(reading, &open, out));
    }
    return end_sentence(reading, &open, out);
}

static nerfit_status read_conll2012(nf_reading *reading, const char *text, size_t size) {
    nf_conll rows = {0};
    nerfit_status status = read_rows(reading, text, size, &rows);
    if (status == NERFIT_OK) status = nf_conll_add_to(&rows, reading);
    nf_conll_free(&rows);
    return status;
}

/* clang-format off */
const nf_format nf_format_conll2012 = {
    .name = "conll2012", .title = "CoNLL-2012 (OntoNotes)",
    .endings = {".gold_conll", ".v4_gold_conll"}, .by_ending = true, .sure = true,
    .recognised = "`#begin document` in the first line, or the ending",
    .kept = "words (with single blanks between them), named entities",
    .lost = "the other columns",
    .looks_like = looks_like, .read = read_conll2012,
};
/* clang-format on */
