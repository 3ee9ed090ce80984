/* Where words and labels stand, told from a look at the whole file (or its first rows). */
#include <string.h>

#include "data/conll.h"

enum { MAX_COLUMNS = 64, N_CANDIDATES = MAX_COLUMNS + 1 };

typedef struct columns {
    const char *text[MAX_COLUMNS];
    size_t size[MAX_COLUMNS];
    int count;
    bool too_many;
} columns;

static bool is_blank_byte(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void add_column(columns *out, const char *text, size_t size) {
    if (out->count == MAX_COLUMNS) {
        out->too_many = true;
        return;
    }
    while (size && is_blank_byte(text[0])) text++, size--;
    while (size && is_blank_byte(text[size - 1])) size--;
    out->text[out->count] = text;
    out->size[out->count++] = size;
}

static void split(const char *line, size_t size, bool tabs, columns *out) {
    out->count = 0;
    out->too_many = false;
    for (size_t at = 0; at <= size;) {
        size_t end = at;
        while (end < size && line[end] != '\t' && (tabs || line[end] != ' ')) end++;
        if (tabs || end > at) add_column(out, line + at, end - at);
        at = end + 1;
    }
}

/* The index of a column that is counted from 1, or from the end; -1 if the row has none. */
static int column_index(const columns *c, int column) {
    int index = column > 0 ? column - 1 : c->count + column;
    return column != NF_NO_COLUMN && index >= 0 && index < c->count ? index : -1;
}

bool nf_conll_is_docstart(const char *line, size_t size) {
    return size >= 10 && memcmp(line, "-DOCSTART-", 10) == 0;
}

static bool begins_like_comment(const char *line, size_t size) {
    return size >= 2 && line[0] == '#' && line[1] == ' ';
}

static bool holds_tag(const columns *c, int column) {
    int index = column_index(c, column);
    return index >= 0 && c->count > 1 && nf_is_tag(c->text[index], c->size[index]);
}

nf_conll_line nf_conll_line_read(const nf_conll_layout *layout, const char *line, size_t size,
                                 nf_conll_row *row) {
    if (nf_line_blank(line, size) || nf_conll_is_docstart(line, size)) return NF_CONLL_BREAK;
    columns c;
    split(line, size, layout->tabs, &c);
    if (begins_like_comment(line, size) && !holds_tag(&c, layout->label))
        return NF_CONLL_PASSED_OVER;
    int word = column_index(&c, layout->word), label = column_index(&c, layout->label);
    *row = (nf_conll_row){0};
    if (c.too_many) return NF_CONLL_ROW;
    if (word >= 0) row->word = c.text[word], row->word_size = c.size[word];
    if (label >= 0 && label != word) row->label = c.text[label], row->label_size = c.size[label];
    return NF_CONLL_ROW;
}

/* ---------------------------------------------------------------- finding the columns */

/* A look at the rows. Comments cannot be told before the label's column is known: lines "# ..."
 * take part only if there are no others. */
typedef struct survey {
    const char *text;
    size_t size, most_rows;
    bool tabs, only_comments;
} survey;

static bool next_row_line(nf_lines *lines, const survey *s, const char **line, size_t *size,
                          bool *starts_sentence) {
    *starts_sentence = lines->number == 0;
    while (nf_lines_next(lines, line, size)) {
        if (nf_line_blank(*line, *size) || nf_conll_is_docstart(*line, *size))
            *starts_sentence = true;
        else if (s->only_comments || !begins_like_comment(*line, *size))
            return true;
    }
    return false;
}

static bool next_row(nf_lines *lines, const survey *s, columns *c, bool *starts_sentence) {
    const char *line;
    size_t size;
    if (!next_row_line(lines, s, &line, &size, starts_sentence)) return false;
    split(line, size, s->tabs, c);
    return true;
}

static survey survey_of(const char *text, size_t size, size_t most_rows) {
    survey s = {.text = text, .size = size, .most_rows = most_rows};
    const char *line;
    size_t length, with = 0, without = 0;
    bool starts;
    nf_lines lines = nf_lines_of(text, size);
    s.only_comments = !next_row_line(&lines, &s, &line, &length, &starts);
    lines = nf_lines_of(text, size);
    while (next_row_line(&lines, &s, &line, &length, &starts)) {
        bool tab = memchr(line, '\t', length) != NULL;
        with += tab, without += !tab;
    }
    /* at least every second, so that a line that lacks its tab is the error */
    s.tabs = with > 0 && with >= without;
    return s;
}

/* The candidates for the label's column, in the order of preference: last, first, then from the
 * end. */
static int candidate(int i) {
    return i == 0 ? -1 : i == 1 ? 1 : -i;
}

static int find_label(const survey *s, int word_column, double *score) {
    nf_lines lines = nf_lines_of(s->text, s->size);
    size_t hits[N_CANDIDATES] = {0}, rows = 0;
    columns c;
    bool starts;
    for (; (!s->most_rows || rows < s->most_rows) && next_row(&lines, s, &c, &starts); rows++) {
        int word = column_index(&c, word_column);
        for (int i = 0; i < N_CANDIDATES && i <= c.count; i++)
            if (column_index(&c, candidate(i)) != word || word < 0)
                hits[i] += holds_tag(&c, candidate(i));
    }
    int best = 0;
    for (int i = 0; i < N_CANDIDATES && hits[best] * 10 < rows * 9; i++)
        if (hits[i] > hits[best] || hits[i] * 10 >= rows * 9) best = i;
    *score = rows ? (double)hits[best] / (double)rows : 0;
    return *score >= 0.5 ? candidate(best) : NF_NO_COLUMN;
}

static bool is_number(const columns *c, int index, size_t value) {
    size_t number = 0;
    if (index < 0 || index >= c->count || !c->size[index] || c->size[index] > 9) return false;
    for (size_t i = 0; i < c->size[index]; i++) {
        char digit = c->text[index][i];
        if (digit < '0' || digit > '9') return false;
        number = number * 10 + (size_t)(digit - '0');
    }
    return number == value;
}

/* Whether the column with this index counts the words of every sentence. */
static bool counts(const survey *s, int index) {
    nf_lines lines = nf_lines_of(s->text, s->size);
    columns c;
    bool starts;
    size_t number = 0, rows = 0;
    for (; (!s->most_rows || rows < s->most_rows) && next_row(&lines, s, &c, &starts); rows++) {
        number = starts ? 1 : number + 1;
        if (c.count < 3 || !is_number(&c, index, number)) return false;
    }
    return rows > 0;
}

static int find_word(const survey *s, int label) {
    int first = label == 1 ? 2 : 1, next = label == first + 1 ? first + 2 : first + 1;
    return counts(s, first - 1) ? next : first;
}

nf_conll_layout nf_conll_layout_find(const char *text, size_t size,
                                     const nf_annotation_options *options, size_t most_rows,
                                     double *score) {
    survey s = survey_of(text, size, most_rows);
    nf_conll_layout layout = {s.tabs, options->word_column, options->label_column};
    *score = 1;
    if (layout.label == NF_NO_COLUMN) layout.label = find_label(&s, layout.word, score);
    if (layout.word == NF_NO_COLUMN) layout.word = find_word(&s, layout.label);
    return layout;
}
