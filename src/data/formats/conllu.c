/* CoNLL-U: ten columns with tabs, the last of which may have NER=B-PER among its parts. An eleventh
 * column of labels goes before it. Words are the syntactic ones; rows of ranges (1-2) and empty
 * nodes (8.1) are passed over. (https://universaldependencies.org/format.html) */
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "data/formats/conll.h"

enum { N_COLUMNS = 10 };

/* "7" gives true; *word is false of "7-8" and "7.1". */
static bool is_id(const char *cell, size_t size, bool *word) {
    *word = true;
    for (size_t i = 0; i < size; i++) {
        if (nf_ascii_is_digit(cell[i])) continue;
        if (!i || (cell[i] != '-' && cell[i] != '.')) return false;
        *word = false;
    }
    return size > 0;
}

static bool is_row(const char *line, size_t size, bool *word) {
    const char *cells[N_COLUMNS + 1];
    size_t sizes[N_COLUMNS + 1];
    return nf_line_cells(line, size, cells, sizes, N_COLUMNS + 1) >= N_COLUMNS &&
           is_id(cells[0], sizes[0], word);
}

static bool looks_like(const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length, n = 0;
    bool word;
    while (n < 20 && nf_lines_next(&lines, &line, &length)) {
        if (nf_line_blank(line, length) || line[0] == '#') continue;
        if (!is_row(line, length, &word)) return false;
        n++;
    }
    return n > 0;
}

/* The value of NER= (in any case) in the last column; false if there is none. */
static bool label_of(const char *misc, size_t size, const char **label, size_t *length) {
    static const char *const keys[] = {"NER=", "NE=", "Entity=", "NamedEntity="};
    for (size_t at = 0; at < size;) {
        const char *bar = memchr(misc + at, '|', size - at);
        size_t end = bar ? (size_t)(bar - misc) : size;
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            size_t key = strlen(keys[k]);
            if (end - at <= key || !nf_ascii_same_n(misc + at, keys[k], key)) continue;
            *label = misc + at + key;
            *length = end - at - key;
            return true;
        }
        at = end + 1;
    }
    return false;
}

/* One row into the table; *labelled counts rows with a label. */
static nerfit_status read_row(nf_reading *reading, nf_conll *out, const char *line, size_t size,
                              long number, size_t *labelled) {
    const char *cells[N_COLUMNS + 1];
    size_t sizes[N_COLUMNS + 1];
    bool word;
    size_t n = nf_line_cells(line, size, cells, sizes, N_COLUMNS + 1);
    if (n < N_COLUMNS || !is_id(cells[0], sizes[0], &word)) {
        out->refused = true;
        return nf_reading_malformed(reading, number, 0,
                                    "expected the ten columns of CoNLL-U, divided by tabs");
    }
    if (!word) return NERFIT_OK;
    nf_conll_row row = {
        .word = cells[1], .word_size = sizes[1], .label = "O", .label_size = 1, .line = number};
    const char *label = cells[N_COLUMNS];
    size_t label_size = n > N_COLUMNS ? sizes[N_COLUMNS] : 0;
    bool found = n > N_COLUMNS || label_of(cells[9], sizes[9], &label, &label_size);
    *labelled += found;
    if (found && !(label_size == 1 && label[0] == '_')) {
        row.label = label;
        row.label_size = label_size;
    }
    const char *problem =
        reading->texts_only ? NULL : nf_tag_problem(row.label, row.label_size, NF_TAGGING_AUTO);
    if (problem || !row.word_size) {
        out->refused = true;
        return problem ? nf_reading_malformed(reading, number, 0, "label \"%.*s\" %s",
                                              (int)(label_size < 60 ? label_size : 60), row.label,
                                              problem)
                       : nf_reading_malformed(reading, number, 0, "the word is empty");
    }
    if (reading->texts_only) row.label = "O", row.label_size = 1;
    return nf_conll_add_row(out, &row, reading->err);
}

static nerfit_status read_rows(nf_reading *reading, const char *text, size_t size, nf_conll *out) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length, labelled = 0, bad;
    while (nf_lines_next(&lines, &line, &length)) {
        if (nf_line_blank(line, length)) {
            NF_TRY(nf_conll_end_sentence(out, reading->err));
        } else if (!nf_utf8_valid(line, length, &bad)) {
            out->refused = true;
            NF_TRY(nf_reading_malformed(reading, lines.number, nf_line_column(line, bad),
                                        "is not valid UTF-8"));
        } else if (line[0] != '#')
            NF_TRY(read_row(reading, out, line, length, lines.number, &labelled));
    }
    NF_TRY(nf_conll_end_sentence(out, reading->err));
    if (labelled || reading->texts_only || !out->n_rows) return NERFIT_OK;
    return nf_reading_malformed(reading, 1, 0,
                                "has no entities: CoNLL-U has them in an eleventh column, or as "
                                "NER=B-PER in its tenth");
}

static nerfit_status read_conllu(nf_reading *reading, const char *text, size_t size) {
    nf_conll rows = {0};
    nerfit_status status = read_rows(reading, text, size, &rows);
    if (status == NERFIT_OK) status = nf_conll_add_to(&rows, reading);
    nf_conll_free(&rows);
    return status;
}

/* clang-format off */
const nf_format nf_format_conllu = {
    .name = "conllu", .title = "CoNLL-U", .endings = {".conllu"}, .by_ending = true, .sure = true,
    .recognised = "the ending, or ten columns with tabs of which the first numbers the words",
    .kept = "words (the syntactic ones, with single blanks between them), labels of an eleventh "
            "column, or `NER=` in the tenth",
    .lost = "the other columns, comments, rows of ranges and empty nodes",
    .looks_like = looks_like, .read = read_conllu,
};
/* clang-format on */
