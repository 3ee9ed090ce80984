/* Tables of words: a word a row, with its label and whatever else in columns. How a file's columns
 * are divided and which hold words and labels is told from all its rows (or the first ones):
 *
 * Divided  by tabs if half of the rows have one, else by runs of spaces and tabs; in csv by the
 *          mark that its first row has most of. ASCII white space at a column's ends is no part of
 *          it. All rows must have the same number of columns; those that differ from most are
 *          errors.
 * Header   the first row, if it names a column of words and one of labels (word, token, ...; label,
 *          tag, ner, ...), or if the user names a column. A column sentence_id, or "Sentence #" as
 *          Kaggle's table has it, divides texts.
 * Label    the columns of which nine in ten rows hold a label. Of several, those that hold chunks
 *          (NP, VP, ...) are left out; of what is left the first is the outer layer and is taken,
 *          and a line says so. Else the column of which the most rows hold one, at least every
 *          second. Else, if the last column looks like types without a prefix, that.
 * Word     the first column that is not the label's, and neither counts the words (from 0 or 1,
 *          with gaps, anew from 0 or 1, or on through the file) nor numbers or names the text (a name
 *          that stays while the next column counts words), nor holds ranges or fractions alone. Rows of ranges (1-2)
 *          and empty nodes (8.1), as CoNLL-U has them, are passed over.
 *
 * Lines of white space end a text. Lines that begin with "-DOCSTART-" end one and are passed over,
 * and so are lines that begin with "#" and a blank or tab and hold no label in the label's column.
 * (In a file divided by spaces "# O" is the word "#".) */
#ifndef NF_DATA_COLUMNS_H
#define NF_DATA_COLUMNS_H

#include "data/lines.h"
#include "data/reading.h"
#include "labels/tagging.h"

/* How labels are spelled. All but the first are read as if they were spelled like the first. */
typedef enum nf_label_style {
    NF_STYLE_DASH,        /* B-PER; also M- (inside) and W- (single), as BMES and BMEWO have them */
    NF_STYLE_SEPARATOR,   /* B_PER B:PER B/PER */
    NF_STYLE_LOWER,       /* b-per, o */
    NF_STYLE_SUFFIX,      /* PER-B PER_B */
    NF_STYLE_PREFIX_ONLY, /* B I O: one type, which is called "entity" */
    NF_STYLE_TYPE_ONLY,   /* PER PER O: neighbours of one type are one entity */
    NF_LABEL_STYLES
} nf_label_style;

enum { NF_NO_COLUMN = 0 };

typedef struct nf_columns {
    char delimiter;       /* '\t', ' ' (runs of spaces and tabs), or ',' ';' '|' with quotes */
    int count;            /* of every row; 0: unknown */
    int word, label;      /* from 1; label may be NF_NO_COLUMN */
    int counter;          /* numbers the words; rows whose number is a range are passed over */
    int sentence;         /* tells texts apart */
    bool sentence_begins; /* it is filled where a text begins; else it changes there */
    bool header;          /* the first row is one */
    nf_label_style style;
} nf_columns;

typedef enum nf_column_line {
    NF_LINE_ROW,
    NF_LINE_BREAK, /* between texts */
    NF_LINE_PASSED_OVER,
    NF_LINE_UNCLOSED, /* a quoted cell goes on past the line */
} nf_column_line;

/* A row's cells that count. */
typedef struct nf_column_row {
    nf_conll_row row; /* its word and label may be empty or missing (NULL) */
    const char *sentence;
    size_t sentence_size;
    int count; /* of columns */
} nf_column_row;

/* Whether a line begins with "-DOCSTART-". */
bool nf_conll_is_docstart(const char *line, size_t size);
/* Finds what the options leave open, from at most `most_rows` rows (0: all). *score (may be NULL)
 * receives the share of the rows that have a label, 0 if there is no row. What was chosen where
 * there was a choice is told to the reading, which may be NULL; `csv` is for the delimiter. */
nerfit_status nf_columns_find(nf_columns *out, nf_reading *reading, const char *text, size_t size,
                              const nf_annotation_options *options, size_t most_rows, bool csv,
                              double *score);
/* What a line is; *row is filled for a row. `arena` receives cells whose quotes were taken off. */
nf_column_line nf_columns_line(const nf_columns *columns, const char *line, size_t size,
                               nf_arena *arena, nf_column_row *row);

/* Whether a label is spelled in a style. */
bool nf_label_has_style(const char *label, size_t size, nf_label_style style);
/* The label as NF_STYLE_DASH spells it; `before` is the label of the row before in the same text
 * (NULL: none), as it was given. NULL when out of memory. *out_size receives its length. */
const char *nf_label_respell(nf_arena *arena, const char *label, size_t size, const char *before,
                             size_t before_size, nf_label_style style, size_t *out_size);
/* "PER-B": for messages. */
const char *nf_label_style_example(nf_label_style style);

#endif
