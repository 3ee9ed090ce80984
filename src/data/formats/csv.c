/* Tables of words with commas, semicolons, tabs or bars between their cells, as spreadsheets and
 * pandas write them: with a header, cells in quotes where needed. (RFC 4180) */
#include <string.h>

#include "data/formats/conll.h"

static nerfit_status read_csv(nf_reading *reading, const char *text, size_t size) {
    return nf_table_read(reading, text, size, true);
}

/* Two names of columns that are known, with a comma or semicolon between. */
static bool looks_like(const char *text, size_t size) {
    static const nf_annotation_options defaults = {0};
    enum { ROWS = 200 };
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    nf_columns columns;
    if (!nf_lines_next(&lines, &line, &length)) return false;
    if (!memchr(line, ',', length) && !memchr(line, ';', length)) return false;
    return nf_columns_find(&columns, NULL, text, size, &defaults, ROWS, true, NULL) == NERFIT_OK &&
           columns.header && columns.delimiter != ' ';
}

/* clang-format off */
const nf_format nf_format_csv = {
    .name = "csv", .title = "a table of words in CSV", .endings = {".csv"}, .by_ending = true,
    .recognised = "the ending, or a header that names a column of words and one of labels, with "
                  "commas or semicolons between; columns are chosen by their names (`word`, "
                  "`token`, ...; `label`, `tag`, `ner`, ...), texts divided by `sentence_id` or "
                  "Kaggle's `Sentence #`, or empty lines",
    .kept = "words (as the text, with single blanks between them), entities, labels as in conll",
    .lost = "other columns",
    .looks_like = looks_like, .read = read_csv,
};
/* clang-format on */
