/* How a table's columns are divided, and which hold words and labels, told from a look at its
 * rows. */
#include "base/ascii.h"
#include "base/number.h"
#include "data/formats/columns.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 64 };

/* ---------------------------------------------------------------- one line */

typedef struct cells {
    const char *text[MAX_COLUMNS];
    size_t size[MAX_COLUMNS];
    int count;
    bool too_many, unclosed;
} cells;

static bool is_blank_byte(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void add_cell(cells *out, const char *text, size_t size) {
    if (out->count == MAX_COLUMNS) {
        out->too_many = true;
        return;
    }
    while (size && is_blank_byte(text[0])) text++, size--;
    while (size && is_blank_byte(text[size - 1])) size--;
    out->text[out->count] = text;
    out->size[out->count++] = size;
}

/* A cell in quotes, in which two quotes are one; *at is its first one and then behind its last. */
static void add_quoted(cells *out, const char *line, size_t size, size_t *at, nf_arena *arena) {
    size_t from = ++*at, doubled = 0;
    while (*at < size && (line[*at] != '"' || (*at + 1 < size && line[*at + 1] == '"')))
        doubled += line[*at] == '"', *at += line[*at] == '"' ? 2 : 1;
    if (*at >= size) out->unclosed = true;
    const char *text = line + from;
    size_t length = (*at < size ? *at : size) - from;
    if (doubled && arena) {
        char *copy = nf_arena_alloc(arena, length);
        size_t n = 0;
        for (size_t i = 0; copy && i < length; i++) {
            copy[n++] = text[i];
            if (text[i] == '"') i++;
        }
        if (copy) text = copy, length = n;
    }
    add_cell(out, text, length);
    ++*at;
}

static void split_quoted(const char *line, size_t size, char delimiter, nf_arena *arena,
                         cells *out) {
    for (size_t at = 0; at <= size;) {
        if (at < size && line[at] == '"') {
            add_quoted(out, line, size, &at, arena);
            while (at < size && line[at] != delimiter) at++;
            at++;
            continue;
        }
        size_t end = at;
        while (end < size && line[end] != delimiter) end++;
        add_cell(out, line + at, end - at);
        at = end + 1;
    }
}

static void split_plain(const char *line, size_t size, bool tabs, cells *out) {
    for (size_t at = 0; at <= size;) {
        size_t end = at;
        while (end < size && line[end] != '\t' && (tabs || line[end] != ' ')) end++;
        if (tabs || end > at) add_cell(out, line + at, end - at);
        at = end + 1;
    }
}

static void split(const char *line, size_t size, char delimiter, nf_arena *arena, cells *out) {
    out->count = 0;
    out->too_many = out->unclosed = false;
    if (delimiter == '\t' || delimiter == ' ')
        split_plain(line, size, delimiter == '\t', out);
    else
        split_quoted(line, size, delimiter, arena, out);
}

bool nf_conll_is_docstart(const char *line, size_t size) {
    return size >= 10 && memcmp(line, "-DOCSTART-", 10) == 0;
}

static bool begins_like_comment(const char *line, size_t size) {
    return size >= 2 && line[0] == '#' && (line[1] == ' ' || line[1] == '\t');
}

static bool cell_has_style(const cells *c, int column, nf_label_style style) {
    return column > 0 && column <= c->count && c->count > 1 &&
           nf_label_has_style(c->text[column - 1], c->size[column - 1], style);
}

/* "12", and with `ranges` "1-2" and "8.1". */
static bool is_number(const cells *c, int column, bool ranges) {
    if (column < 1 || column > c->count || !c->size[column - 1]) return false;
    const char *text = c->text[column - 1];
    size_t size = c->size[column - 1], digits = 0, marks = 0;
    for (size_t i = 0; i < size; i++) {
        bool mark = i && i + 1 < size && (text[i] == '-' || text[i] == '.');
        digits += text[i] >= '0' && text[i] <= '9';
        marks += mark;
    }
    return digits + marks == size && marks <= (ranges ? 1 : 0) && size < 10;
}

static bool is_passed_over(const nf_columns *columns, const cells *c) {
    return columns->counter && is_number(c, columns->counter, true) &&
           !is_number(c, columns->counter, false);
}

nf_column_line nf_columns_line(const nf_columns *columns, const char *line, size_t size,
                               nf_arena *arena, nf_column_row *out) {
    cells c;
    if (nf_line_blank(line, size) || nf_conll_is_docstart(line, size)) return NF_LINE_BREAK;
    split(line, size, columns->delimiter, arena, &c);
    *out = (nf_column_row){.count = c.count};
    if (c.unclosed) return NF_LINE_UNCLOSED;
    if (begins_like_comment(line, size) && !cell_has_style(&c, columns->label, columns->style))
        return NF_LINE_PASSED_OVER;
    if (begins_like_comment(line, size) && columns->style == NF_STYLE_TYPE_ONLY)
        return NF_LINE_PASSED_OVER;
    if (is_passed_over(columns, &c)) return NF_LINE_PASSED_OVER;
    if (c.too_many) return NF_LINE_ROW;
    nf_conll_row *row = &out->row;
    int word = columns->word, label = columns->label, sentence = columns->sentence;
    if (word > 0 && word <= c.count)
        row->word = c.text[word - 1], row->word_size = c.size[word - 1];
    if (label > 0 && label <= c.count && label != word)
        row->label = c.text[label - 1], row->label_size = c.size[label - 1];
    if (sentence > 0 && sentence <= c.count)
        out->sentence = c.text[sentence - 1], out->sentence_size = c.size[sentence - 1];
    return NF_LINE_ROW;
}

/* ---------------------------------------------------------------- the rows of a file */

/* Comments cannot be told before the label's column is known: lines "# ..." take part only if there
 * are no others. */
typedef struct survey {
    nf_reading *reading; /* may be NULL */
    const nf_annotation_options *options;
    const char *text;
    size_t size, most_rows;
    bool only_comments;
    nf_columns columns;
    cells names;          /* of the header */
    size_t n_rows, n_all; /* that have the usual number of columns; all */
    bool numbered[MAX_COLUMNS], rising[MAX_COLUMNS], counts[MAX_COLUMNS], constant[MAX_COLUMNS];
    bool repeated[MAX_COLUMNS];  /* a number is that of the row before */
    bool worded[MAX_COLUMNS];    /* holds letters */
    bool plain[MAX_COLUMNS];     /* a number is no range */
    bool ranges;                 /* a row's number is a range */
    bool named[MAX_COLUMNS];     /* the rows' names: alike but for their numbers, which count */
    bool counts_on[MAX_COLUMNS]; /* the next column does so once at least */
    bool names_text
        [MAX_COLUMNS]; /* stays the same while the next column counts on from row to row */
    size_t hits[MAX_COLUMNS][NF_LABEL_STYLES], labelled[MAX_COLUMNS][NF_LABEL_STYLES];
    bool chunks[MAX_COLUMNS]; /* all types are those of phrases */
} survey;

/* A walk over the rows that count. */
typedef struct walk {
    nf_lines lines;
    size_t rows;
    bool starts; /* the row begins a text */
    bool first;  /* nothing was seen yet */
} walk;

static walk walk_of(const survey *s) {
    return (walk){.lines = nf_lines_of(s->text, s->size), .first = true};
}

static bool next_line(walk *w, const survey *s, const char **line, size_t *size) {
    w->starts = w->first;
    if (s->most_rows && w->rows >= s->most_rows) return false;
    while (nf_lines_next(&w->lines, line, size)) {
        if (nf_line_blank(*line, *size) || nf_conll_is_docstart(*line, *size)) {
            w->starts = true;
            continue;
        }
        if (!s->only_comments && begins_like_comment(*line, *size)) continue;
        bool header = w->first && s->columns.header;
        w->first = false;
        if (header) continue;
        w->rows++;
        return true;
    }
    return false;
}

static bool next_row(walk *w, const survey *s, cells *c) {
    const char *line;
    size_t size;
    if (!next_line(w, s, &line, &size)) return false;
    split(line, size, s->columns.delimiter, NULL, c);
    return true;
}

/* ---------------------------------------------------------------- how columns are divided */

static void find_delimiter(survey *s, bool csv) {
    const char *line, marks[] = ",;\t|";
    size_t size, with = 0, without = 0, counts[4] = {0};
    walk w = walk_of(s);
    s->only_comments = !next_line(&w, s, &line, &size);
    w = walk_of(s);
    for (bool first = true; next_line(&w, s, &line, &size); first = false) {
        bool tab = memchr(line, '\t', size) != NULL;
        with += tab, without += !tab;
        for (size_t i = 0; first && i < size; i++)
            for (int k = 0; k < 4; k++) counts[k] += line[i] == marks[k];
    }
    /* at least every second, so that a line that lacks its tab is the error */
    s->columns.delimiter = with > 0 && with >= without ? '\t' : ' ';
    int most = 0;
    for (int k = 1; k < 4; k++)
        if (counts[k] > counts[most]) most = k;
    if (csv && counts[most]) s->columns.delimiter = marks[most];
}

/* The number of columns that the most rows have. */
static void find_count(survey *s) {
    size_t rows[MAX_COLUMNS + 1] = {0};
    cells c;
    for (walk w = walk_of(s); next_row(&w, s, &c); s->n_all++) rows[c.too_many ? 0 : c.count]++;
    s->columns.count = 1;
    for (int i = 2; i <= MAX_COLUMNS; i++)
        if (rows[i] && rows[i] >= rows[s->columns.count]) s->columns.count = i;
    if (s->columns.header && rows[s->names.count]) s->columns.count = s->names.count;
    s->n_rows = rows[s->columns.count];
    if (!s->n_rows) s->columns.count = 0;
}

/* ---------------------------------------------------------------- header */

static const char *const word_names[] = {"word", "words", "token", "tokens",
                                         "form", "term",  "text",  NULL};
static const char *const label_names[] = {
    "label",        "labels",    "tag",    "tags", "ner",   "ner_tag", "ner_tags",
    "ner-tag",      "ner_label", "entity", "bio",  "iob",   "bio_tag", "entity_label",
    "named_entity", "tag_ner",   "gold",   "iob2", "bioes", NULL};
static const char *const sentence_names[] = {
    "sentence #",      "sentence_id", "sentence", "sent_id", "sentence id", "sentence_idx",
    "sentence_number", "sid",         "sent",     "text_id", "sentenceid",  NULL};

static bool same_name(const cells *c, int index, const char *name) {
    return strlen(name) == c->size[index] && nf_ascii_same_n(c->text[index], name, c->size[index]);
}

/* The column with one of the names, of several the one whose name stands first in the list. */
static int named_column(const cells *c, const char *const *names) {
    for (; *names; names++)
        for (int i = 0; i < c->count; i++)
            if (same_name(c, i, *names)) return i + 1;
    return NF_NO_COLUMN;
}

static nerfit_status no_such_column(survey *s, const char *option, const nf_column *column) {
    nf_str names = {0};
    for (int i = 0; i < s->names.count; i++) {
        nf_str_append_text(&names, i ? ", " : "");
        nf_str_append(&names, s->names.text[i], s->names.size[i]);
    }
    nerfit_status status = nf_reading_malformed(
        s->reading, 1, 0, "%s: there is no column \"%s\"; the first row has %s", option,
        column->name, nf_str_text(&names));
    nf_str_free(&names);
    return status;
}

static nerfit_status find_header(survey *s) {
    const nf_column *word = &s->options->word_column, *label = &s->options->label_column;
    walk w = walk_of(s);
    if (!next_row(&w, s, &s->names)) return NERFIT_OK;
    int words = named_column(&s->names, word_names), labels = named_column(&s->names, label_names);
    bool named = word->name || label->name;
    s->columns.header = named || (words && labels && words != labels);
    if (!s->columns.header) return NERFIT_OK;
    int sentence = named_column(&s->names, sentence_names);
    if (word->name) words = named_column(&s->names, (const char *const[]){word->name, NULL});
    if (label->name) labels = named_column(&s->names, (const char *const[]){label->name, NULL});
    if (!words && word->name && s->reading) return no_such_column(s, "word_column", word);
    if (!labels && label->name && s->reading) return no_such_column(s, "label_column", label);
    s->columns.word = words;
    s->columns.label = labels;
    if (sentence != words && sentence != labels) s->columns.sentence = sentence;
    return NERFIT_OK;
}

/* Kaggle's "Sentence #" is filled in the first row of a text only. */
static void find_sentences(survey *s) {
    cells c;
    int column = s->columns.sentence;
    size_t empty = 0;
    if (!column) return;
    for (walk w = walk_of(s); next_row(&w, s, &c);)
        empty += column <= c.count && !c.size[column - 1];
    s->columns.sentence_begins = empty > 0;
}

/* ---------------------------------------------------------------- what the columns hold */

static bool is_chunk(const char *label, size_t size) {
    static const char *const types[] = {"NP",    "VP",   "PP",  "ADVP", "ADJP", "SBAR", "PRT",
                                        "CONJP", "INTJ", "LST", "UCP",  "PC",   "NC",   "VC"};
    if (size < 3) return true;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strlen(types[i]) == size - 2 && memcmp(types[i], label + 2, size - 2) == 0) return true;
    return false;
}

static bool has_letter(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] >= 0x80 || ((text[i] | 32) >= 'a' && (text[i] | 32) <= 'z'))
            return true;
    return false;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Whether two cells are alike but for their numbers: "s1.4" and "s12.1". */
static bool same_but_numbers(const char *a, size_t a_size, const char *b, size_t b_size) {
    size_t i = 0, k = 0;
    while (i < a_size && k < b_size) {
        if (is_digit(a[i]) != is_digit(b[k])) return false;
        bool digits = is_digit(a[i]);
        if (!digits && a[i++] != b[k++]) return false;
        while (digits && i < a_size && is_digit(a[i])) i++;
        while (digits && k < b_size && is_digit(b[k])) k++;
    }
    return i == a_size && k == b_size;
}

/* The number at a cell's end; -1 if it ends with none. */
static long last_number(const char *text, size_t size) {
    size_t from = size;
    int64_t number;
    while (from > 0 && is_digit(text[from - 1])) from--;
    if (from == size || size - from > 9) return -1;
    nf_digits_read(text + from, size - from, &number);
    return (long)number;
}

static void look_at_cell(survey *s, const cells *c, int i, bool starts, long last[],
                         long last_names[], const cells *first) {
    const char *text = c->text[i];
    size_t size = c->size[i];
    bool number = is_number(c, i + 1, true);
    int64_t whole = 0;
    if (number) nf_digits_read(text, size, &whole);
    long value = (long)whole;
    if (number && !is_number(c, i + 1, false)) s->ranges = true;
    s->numbered[i] &= number;
    if (!starts && number && value < last[i] && value > 1) s->rising[i] = false;
    if (!starts && number && value == last[i]) s->repeated[i] = true;
    long name = last_number(text, size);
    s->named[i] &= name >= 0 && (starts || name == last_names[i] + 1) &&
                   same_but_numbers(text, size, first->text[i], first->size[i]);
    last_names[i] = name;
    if (is_number(c, i + 1, false)) {
        s->plain[i] = true;
        if (value != (starts ? 1 : last[i] + 1)) s->counts[i] = false;
        last[i] = value;
    }
    s->constant[i] &= size == first->size[i] && memcmp(text, first->text[i], size) == 0;
    s->worded[i] |= has_letter(text, size);
    for (int style = 0; style < NF_LABEL_STYLES; style++) {
        if (!nf_label_has_style(text, size, (nf_label_style)style)) continue;
        s->hits[i][style]++;
        /* B I O without types are told from other letters by what begins an entity */
        s->labelled[i][style] += size > 1 || memchr("BSUW", text[0], 4) != NULL;
        if (style == NF_STYLE_DASH) s->chunks[i] &= is_chunk(text, size);
    }
}

/* Whether column i names a text whose words the next one counts: "s1 0 Ada", "s1 1 lives", "s2 0 Bo".
 * Where it changes the count begins anew. */
static void look_at_names(survey *s, const cells *c, const cells *before, bool starts,
                          const long last[]) {
    for (int i = 0; i + 1 < c->count; i++) {
        bool same = before->count && c->size[i] == before->size[i] &&
                    memcmp(c->text[i], before->text[i], c->size[i]) == 0;
        int64_t now = 0;
        if (is_number(c, i + 2, false)) nf_digits_read(c->text[i + 1], c->size[i + 1], &now);
        bool counts_on = now == last[i + 1] + 1, begins = now < 2;
        if (!is_number(c, i + 2, false) || (!begins && !counts_on)) s->names_text[i] = false;
        if (same ? !counts_on && !starts : !begins) s->names_text[i] = false;
        s->counts_on[i] |= same && counts_on;
    }
}

static void look_at_columns(survey *s) {
    long last[MAX_COLUMNS] = {0}, last_names[MAX_COLUMNS] = {0};
    cells c, first, before = {.count = 0};
    bool any = false;
    memset(s->names_text, 1, sizeof s->names_text);
    memset(s->numbered, 1, sizeof s->numbered);
    memset(s->rising, 1, sizeof s->rising);
    memset(s->counts, 1, sizeof s->counts);
    memset(s->constant, 1, sizeof s->constant);
    memset(s->chunks, 1, sizeof s->chunks);
    memset(s->named, 1, sizeof s->named);
    for (walk w = walk_of(s); next_row(&w, s, &c);) {
        if (c.count != s->columns.count) continue;
        if (!any) first = c;
        any = true;
        look_at_names(s, &c, &before, w.starts, last);
        before = c;
        for (int i = 0; i < c.count; i++)
            look_at_cell(s, &c, i, w.starts, last, last_names, &first);
    }
}

/* ---------------------------------------------------------------- which column is which */

static nerfit_status tell(const survey *s, const char *format, ...) NERFIT_PRINTF(2, 3);

static nerfit_status tell(const survey *s, const char *format, ...) {
    nerfit_error message;
    nf_finding finding = {.kind = NF_FINDING_READING};
    if (!s->reading) return NERFIT_OK;
    va_list args;
    va_start(args, format);
    nf_print_list(message.text, sizeof message.text, format, args);
    va_end(args);
    return nf_reading_warning(s->reading, &finding, "%s", message.text);
}

/* The style that a column's labels have: of those that nine in ten rows have the first with which
 * some row has a label. */
static nf_label_style style_of(const survey *s, int column, size_t *hits) {
    int best = NF_STYLE_DASH;
    for (int style = NF_LABEL_STYLES - 2; style >= 0; style--)
        if (s->hits[column - 1][style] * 10 >= s->n_rows * 9 && s->labelled[column - 1][style])
            best = style;
    *hits = s->hits[column - 1][best];
    return (nf_label_style)best;
}

/* Whether a column could be types without prefixes: none that has one, many O, and few types that
 * recur. */
static bool looks_like_types(const survey *s, int column) {
    enum { MOST_TYPES = 512 };
    const char *types[MOST_TYPES];
    size_t sizes[MOST_TYPES], n_types = 0, outside = 0, labelled = 0;
    cells c;
    for (int style = 0; style < NF_STYLE_TYPE_ONLY; style++)
        if (s->labelled[column - 1][style]) return false;
    for (walk w = walk_of(s); next_row(&w, s, &c);) {
        if (c.count != s->columns.count) return false;
        const char *text = c.text[column - 1];
        size_t size = c.size[column - 1], i = 0;
        if (size == 1 && text[0] == 'O') {
            outside++;
            continue;
        }
        if (!size || !has_letter(text, 1)) return false;
        labelled++;
        while (i < n_types && (sizes[i] != size || memcmp(types[i], text, size) != 0)) i++;
        if (i < n_types) continue;
        if (n_types == MOST_TYPES) return false;
        types[n_types] = text;
        sizes[n_types++] = size;
    }
    return outside && labelled && outside * 5 >= labelled &&
           (n_types <= 4 || n_types * 2 <= labelled);
}

/* Whether a column but this one holds labels in nine of ten rows. */
static bool other_labels(const survey *s, int but) {
    for (int column = 1; column <= s->columns.count; column++) {
        size_t hits;
        style_of(s, column, &hits);
        if (column != but && hits * 10 >= s->n_rows * 9) return true;
    }
    return false;
}

/* The columns of labels that are not phrases', with labels in them if there are such. */
static int label_columns(const survey *s, int word, int *out) {
    for (int pass = 0; pass < 3; pass++) {
        int n = 0;
        for (int column = 1; column <= s->columns.count; column++) {
            size_t hits;
            nf_label_style style = style_of(s, column, &hits);
            if (column == word || hits * 10 < s->n_rows * 9) continue;
            if (column == 1 && pass < 2 && word != 1 && other_labels(s, 1)) continue;
            if (pass < 2 && style == NF_STYLE_DASH && s->chunks[column - 1] &&
                s->labelled[column - 1][style])
                continue;
            if (pass < 1 && !s->labelled[column - 1][style]) continue;
            out[n++] = column;
        }
        if (n) return n;
    }
    return 0;
}

static nerfit_status find_label(survey *s, double *score) {
    int columns[MAX_COLUMNS], count = s->columns.count;
    int n = count > 1 ? label_columns(s, s->columns.word, columns) : 0;
    size_t hits = 0;
    *score = 0;
    if (n) {
        s->columns.label = columns[0];
        hits = s->n_rows;
        style_of(s, columns[0], &hits);
        *score = (double)hits / (double)s->n_all;
        if (n > 1)
            return tell(s,
                        "columns %d and %d hold labels: column %d is taken (label_column "
                        "chooses another)",
                        columns[0], columns[1], columns[0]);
        return NERFIT_OK;
    }
    for (int i = count; i >= 1 && count > 1; i--) {
        int column = i == count       ? count
                     : i == count - 1 ? 1
                                      : i + 1; /* last, first, from the end */
        size_t got = s->hits[column - 1][NF_STYLE_DASH];
        if (column != s->columns.word && got > hits) hits = got, s->columns.label = column;
    }
    *score = s->n_rows ? (double)hits / (double)s->n_rows : 0;
    if (count > 1 && count != s->columns.word && *score < 0.9 && looks_like_types(s, count)) {
        s->columns.label = count;
        *score = 0.9;
    }
    if (*score < 0.5) s->columns.label = NF_NO_COLUMN;
    return NERFIT_OK;
}

static nerfit_status find_style(survey *s) {
    int label = s->columns.label;
    size_t hits;
    if (s->options->bare_labels) {
        s->columns.style = NF_STYLE_TYPE_ONLY;
        return NERFIT_OK;
    }
    if (!label || label > s->columns.count) return NERFIT_OK;
    s->columns.style = style_of(s, label, &hits);
    if (hits * 10 < s->n_rows * 9 && looks_like_types(s, label))
        s->columns.style = NF_STYLE_TYPE_ONLY;
    if (s->columns.style == NF_STYLE_TYPE_ONLY)
        return tell(s,
                    "the labels have no prefix (B-, I-): neighbours of one type are taken as one "
                    "entity");
    if (s->columns.style == NF_STYLE_PREFIX_ONLY)
        return tell(s, "the labels have no type: \"entity\" is taken for all");
    return NERFIT_OK;
}

/* Whether a column numbers or names the rows and is no word of theirs. */
static bool is_beside_words(const survey *s, int column) {
    bool other = false;
    for (int i = column + 1; i <= s->columns.count; i++)
        if (i != s->columns.label && s->worded[i - 1] && !s->numbered[i - 1]) other = true;
    if (!other || !s->n_rows) return false;
    if (s->numbered[column - 1]) return s->rising[column - 1] || !s->plain[column - 1];
    if (s->named[column - 1] && s->n_rows > 1) return true;
    return s->constant[column - 1] && s->n_rows > 3;
}

/* Whether a column and the next one name a text and count its words, and words stand behind them. */
static bool names_texts(const survey *s, int column) {
    if (!s->worded[column - 1] || !s->names_text[column - 1] || s->n_rows < 2) return false;
    bool repeats = s->counts_on[column - 1];
    for (int i = column + 2; repeats && i <= s->columns.count; i++)
        if (i != s->columns.label && s->worded[i - 1] && !s->numbered[i - 1]) return true;
    return false;
}

static nerfit_status find_word(survey *s) {
    int column = 1;
    bool sure = true;
    for (; column < s->columns.count; column++) {
        if (names_texts(s, column)) {
            if (!s->columns.sentence) s->columns.sentence = column;
            s->columns.counter = ++column;
            sure = false;
            continue;
        }
        if (column == s->columns.label || column == s->columns.sentence) continue;
        if (!is_beside_words(s, column)) break;
        /* a number that stays for some rows is the text's */
        if (s->repeated[column - 1] && !s->constant[column - 1] && !s->columns.sentence)
            s->columns.sentence = column;
        else if (s->numbered[column - 1] && s->plain[column - 1])
            s->columns.counter = column;
        sure &= s->numbered[column - 1] && s->plain[column - 1] && s->counts[column - 1];
    }
    if (column == s->columns.label && column > 1) column--;
    s->columns.word = column;
    if (sure) return NERFIT_OK;
    return tell(s,
                "column %d is taken as the words: what is before it counts or names them "
                "(word_column chooses another)",
                column);
}

/* From 1, of a number that may count from the end. */
static int absolute(int number, int count) {
    return number < 0 ? count + 1 + number : number;
}

nerfit_status nf_columns_find(nf_columns *out, nf_reading *reading, const char *text, size_t size,
                              const nf_annotation_options *options, size_t most_rows, bool csv,
                              double *score) {
    double share = 1;
    survey survey_of_file = {.reading = reading,
                             .options = options,
                             .text = text,
                             .size = size,
                             .most_rows = most_rows},
           *s = &survey_of_file;
    find_delimiter(s, csv);
    nerfit_status status = find_header(s);
    find_count(s);
    find_sentences(s);
    const nf_column *word = &options->word_column, *label = &options->label_column;
    if (word->number) s->columns.word = absolute(word->number, s->columns.count);
    if (label->number) s->columns.label = absolute(label->number, s->columns.count);
    if (s->columns.count) look_at_columns(s);
    if (status == NERFIT_OK && !s->columns.label) status = find_label(s, &share);
    if (status == NERFIT_OK && !s->n_rows) share = 0;
    if (status == NERFIT_OK) status = find_style(s);
    if (status == NERFIT_OK && !s->columns.word) status = find_word(s);
    if (status == NERFIT_OK && s->ranges && s->columns.counter && reading) {
        nf_finding finding = {.kind = NF_FINDING_LEFT_OUT};
        status = nf_reading_warning(reading, &finding,
                                    "rows whose number is a range (1-2) or has a point (8.1) are "
                                    "passed over: they are no words of their own");
    }
    *out = s->columns;
    if (word->number > 0 && label->number > 0) out->count = 0; /* then rows may differ */
    if (score) *score = share;
    return status;
}
