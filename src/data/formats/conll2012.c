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

/* The label of a row, in B-/I-; `open` is the type of the entity that goes on. */
static bool read_label(nf_arena *arena, const char *cell, size_t size, const char **open,
                       size_t *open_size, nf_conll_row *row) {
    bool begins = size > 1 && cell[0] == '(', ends = cell[size - 1] == ')';
    if (begins) {
        size_t type = 1;
        while (type < size && cell[type] != '*' && cell[type] != ')' && cell[type] != '(') type++;
        if (type == 1 || *open || (type < size && cell[type] == '(')) return false;
        *open = cell + 1;
        *open_size = type - 1;
    } else if (cell[0] != '*')
        return false;
    row->label = "O";
    row->label_size = 1;
    if (*open) {
        char *label = nf_arena_alloc(arena, *open_size + 3);
        row->label = label; /* NULL: out of memory */
        if (!label) return true;
        label[0] = begins ? 'B' : 'I', label[1] = '-';
        memcpy(label + 2, *open, *open_size);
        label[*open_size + 2] = '\0';
        row->label = label;
        row->label_size = *open_size + 2;
    } else if (ends)
        return false;
    if (ends) *open = NULL;
    return true;
}

static nerfit_status read_rows(nf_reading *reading, const char *text, size_t size, nf_conll *out) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line, *cells[MOST], *open = NULL;
    size_t length, sizes[MOST], open_size = 0, bad;
    bool refused = false;
    while (nf_lines_next(&lines, &line, &length)) {
        bool blank = nf_line_blank(line, length);
        if (blank || line[0] == '#') {
            if (!blank && memcmp(line, "#begin", length < 6 ? length : 6) != 0 &&
                memcmp(line, "#end", length < 4 ? length : 4) != 0)
                NF_TRY(nf_reading_malformed(reading, lines.number, 0,
                                            "expected a row, \"#begin document\" or \"#end "
                                            "document\""));
            if (refused) nf_conll_drop_sentence(out);
            NF_TRY(nf_conll_end_sentence(out, reading->err));
            refused = false;
            open = NULL;
            continue;
        }
        size_t n = split(line, length, cells, sizes);
        nf_conll_row row = {.label = "O", .label_size = 1, .line = lines.number};
        bool good = nf_utf8_valid(line, length, &bad) && n > ENTITY;
        if (good) row.word = cells[WORD], row.word_size = sizes[WORD];
        if (good && !reading->texts_only)
            good = read_label(&out->arena, cells[ENTITY], sizes[ENTITY], &open, &open_size, &row);
        if (!row.label) return nf_no_memory(reading->err, length);
        if (good)
            NF_TRY(nf_conll_add_row(out, &row, reading->err));
        else
            NF_TRY(nf_reading_malformed(reading, lines.number, 0,
                                        "expected at least eleven columns, the eleventh with "
                                        "entities as \"(TYPE*\", \"*\", \"*)\""));
        refused |= !good;
    }
    if (refused) nf_conll_drop_sentence(out);
    return nf_conll_end_sentence(out, reading->err);
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
