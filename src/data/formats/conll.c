/* Rows are gathered into sentences first: the scheme is told from all of them. */
#include "data/formats/conll.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/utf8.h"
#include "data/words.h"

/* ---------------------------------------------------------------- sentences */

nerfit_status nf_conll_add_row(nf_conll *s, const nf_conll_row *row, nerfit_error *err) {
    if (!nf_array_reserve(&s->rows, &s->rows_capacity, s->n_rows + 1, sizeof *s->rows))
        return nf_no_memory(err, 0);
    s->rows[s->n_rows++] = *row;
    return NERFIT_OK;
}

static size_t sentence_start(const nf_conll *s, size_t index) {
    return index ? s->ends[index - 1] : 0;
}

nerfit_status nf_conll_end_sentence(nf_conll *s, nerfit_error *err) {
    if (s->refused) s->n_rows = sentence_start(s, s->n_sentences);
    s->refused = false;
    if (s->n_rows == sentence_start(s, s->n_sentences)) return NERFIT_OK;
    if (!nf_array_reserve(&s->ends, &s->ends_capacity, s->n_sentences + 1, sizeof *s->ends))
        return nf_no_memory(err, 0);
    s->ends[s->n_sentences++] = s->n_rows;
    return NERFIT_OK;
}

void nf_conll_free(nf_conll *s) {
    free(s->rows);
    free(s->ends);
    nf_arena_free(&s->arena);
    *s = (nf_conll){0};
}

nerfit_status nf_conll_add_to(const nf_conll *s, nf_reading *reading) {
    nf_tagging tagging = reading->options->tagging;
    if (tagging == NF_TAGGING_AUTO) tagging = nf_tagging_detect(s->rows, s->ends, s->n_sentences);
    for (size_t i = 0; i < s->n_sentences; i++) {
        size_t start = sentence_start(s, i);
        const nf_sentence sentence = {
            .rows = s->rows + start, .count = s->ends[i] - start, .tagging = tagging};
        NF_TRY(nf_sentence_add(reading, &sentence));
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- one sentence */

static nerfit_status report_transition(nf_reading *reading, const nf_conll_row *before,
                                       const nf_conll_row *now, long line, nf_tagging tagging) {
    enum { SHOWN = 60 };
    nf_conll_row outside = {.label = "O", .label_size = 1};
    const nf_conll_row *a = before ? before : &outside, *b = now ? now : &outside;
    nf_finding finding = {.kind = NF_FINDING_TRANSITION, .line = line};
    return nf_reading_warning(
        reading, &finding, "label \"%.*s\" %s \"%.*s\" is not legal in %s: %s",
        (int)(b->label_size < SHOWN ? b->label_size : SHOWN), b->label,
        now ? before ? "after" : "at the beginning, after" : "at the end, after",
        (int)(a->label_size < SHOWN ? a->label_size : SHOWN), a->label, nf_tagging_name(tagging),
        nf_tag_begins(before, b) ? "taken as the beginning of an entity"
                                 : "the entity before it is taken as ended");
}

static nerfit_status report_transitions(nf_reading *reading, const nf_conll_row *rows, size_t count,
                                        nf_tagging tagging) {
    for (size_t i = 0; i <= count; i++) {
        const nf_conll_row *before = i ? &rows[i - 1] : NULL, *now = i < count ? &rows[i] : NULL;
        if (nf_tag_legal(before, now, tagging)) continue;
        NF_TRY(report_transition(reading, before, now, now ? now->line : before->line, tagging));
    }
    return NERFIT_OK;
}

typedef struct sentence_places {
    nf_str text;
    nf_word *words;       /* [count] */
    nf_given_span *spans; /* [n_spans] */
    long *lines;          /* [n_spans] */
    size_t n_spans;
} sentence_places;

/* Places the words: behind each other, or in the raw text, where *missing receives the first that
 * is not there. */
static bool place_words(const nf_sentence *s, sentence_places *out, size_t *missing) {
    uint32_t at = 0;
    size_t byte = 0;
    for (size_t i = 0; i < s->count; i++) {
        const nf_conll_row *row = &s->rows[i];
        if (s->raw) {
            const char *found =
                memmem(s->raw + byte, s->raw_size - byte, row->word, row->word_size);
            *missing = i;
            if (!found) return false;
            at += (uint32_t)nf_utf8_count(s->raw + byte, (size_t)(found - s->raw) - byte);
            byte = (size_t)(found - s->raw) + row->word_size;
        } else {
            if (i) nf_str_append_char(&out->text, ' '), at++;
            nf_str_append(&out->text, row->word, row->word_size);
        }
        out->words[i] = (nf_word){at, at + (uint32_t)nf_utf8_count(row->word, row->word_size)};
        at = out->words[i].end;
    }
    return true;
}

/* Spans come in order: a word either goes on with the last one or begins the next. */
static void place_spans(const nf_sentence *s, sentence_places *out) {
    for (size_t i = 0; i < s->count; i++) {
        const nf_conll_row *row = &s->rows[i];
        if (nf_tag_begins(i ? row - 1 : NULL, row)) {
            out->lines[out->n_spans] = row->line;
            out->spans[out->n_spans++] = (nf_given_span){.start = out->words[i].start,
                                                         .end = out->words[i].end,
                                                         .label = row->label + 2,
                                                         .label_size = row->label_size - 2};
        } else if (row->label[0] != 'O')
            out->spans[out->n_spans - 1].end = out->words[i].end;
    }
}

static nerfit_status add_places(nf_reading *reading, const nf_sentence *s, sentence_places *p) {
    size_t missing;
    bool placed = place_words(s, p, &missing);
    if (p->text.failed) return nf_no_memory(reading->err, s->count);
    if (!placed)
        return nf_reading_malformed(reading, s->rows[missing].line, 0,
                                    "word %zu (\"%.*s\") does not stand in the text behind the "
                                    "words before it",
                                    missing + 1, (int)s->rows[missing].word_size,
                                    s->rows[missing].word);
    place_spans(s, p);
    nf_given_document given = {.text = s->raw ? s->raw : nf_str_text(&p->text),
                               .text_size = s->raw ? s->raw_size : p->text.length,
                               .spans = p->spans,
                               .n_spans = p->n_spans,
                               .span_lines = p->lines,
                               .words = p->words,
                               .n_words = s->count,
                               .beside = s->beside,
                               .line = s->rows[0].line};
    NF_TRY(report_transitions(reading, s->rows, s->count, s->tagging));
    return nf_reading_add(reading, &given);
}

nerfit_status nf_sentence_add(nf_reading *reading, const nf_sentence *s) {
    sentence_places p = {.words = malloc(s->count * sizeof *p.words),
                         .spans = malloc(s->count * sizeof *p.spans),
                         .lines = malloc(s->count * sizeof *p.lines)};
    nerfit_status status = p.words && p.spans && p.lines ? add_places(reading, s, &p)
                                                         : nf_no_memory(reading->err, s->count);
    nf_str_free(&p.text);
    free(p.words);
    free(p.spans);
    free(p.lines);
    return status;
}

/* ---------------------------------------------------------------- a file */

/* The row's label is one that its style has, and becomes one that every scheme has. */
static nerfit_status check_label(nf_reading *reading, const nf_columns *columns, const char *line,
                                 size_t size, const nf_conll_row *row, bool *good) {
    enum { SHOWN = 60 };
    int shown = (int)(row->label_size < SHOWN ? row->label_size : SHOWN);
    /* rows without a label column have a constant's */
    uintptr_t at = (uintptr_t)row->label - (uintptr_t)line;
    long column = at < size ? nf_line_column(line, at) : 0;
    *good = false;
    if (row->label_size == 0)
        return nf_reading_malformed(reading, row->line, 0, "the label is empty");
    if (columns->style != NF_STYLE_DASH) {
        *good = nf_label_has_style(row->label, row->label_size, columns->style);
        if (*good) return NERFIT_OK;
        return nf_reading_malformed(reading, row->line, column,
                                    "label \"%.*s\" is not spelled like the others (\"%s\", or O)",
                                    shown, row->label, nf_label_style_example(columns->style));
    }
    const char *problem = nf_tag_problem(row->label, row->label_size, reading->options->tagging);
    *good = !problem || nf_label_has_style(row->label, row->label_size, NF_STYLE_DASH);
    if (problem && row->label[0] != 'M' && row->label[0] != 'W') *good = false;
    if (*good) return NERFIT_OK;
    return nf_reading_malformed(reading, row->line, column, "label \"%.*s\" %s", shown, row->label,
                                problem);
}

static nerfit_status check_row(nf_reading *reading, const nf_columns *columns, const char *line,
                               size_t size, const nf_conll_row *row, int count, bool *good) {
    size_t bad;
    *good = false;
    if (!nf_utf8_valid(line, size, &bad))
        return nf_reading_malformed(reading, row->line, nf_line_column(line, bad),
                                    "is not valid UTF-8");
    if (!row->word && !row->label)
        return nf_reading_malformed(reading, row->line, 0,
                                    "has no word and no label in the columns that hold them, or "
                                    "more than 64 columns");
    if (!row->word || !row->label)
        return nf_reading_malformed(reading, row->line, 0,
                                    "has no %s; expected a word and a label divided by a tab or "
                                    "spaces",
                                    row->word ? "label" : "word");
    if (columns->count && count != columns->count)
        return nf_reading_malformed(reading, row->line, 0,
                                    "has %d columns, and most rows have %d: expected as many in "
                                    "every row%s",
                                    count, columns->count,
                                    columns->delimiter == ' '
                                        ? "; words with a space in them take tabs between columns"
                                        : "");
    if (!row->word_size) return nf_reading_malformed(reading, row->line, 0, "the word is empty");
    return check_label(reading, columns, line, size, row, good);
}

/* The label that row i of the rows since the text's beginning has, as it was given. */
typedef struct given_label {
    const char *text;
    size_t size;
} given_label;

static nerfit_status add_row(nf_reading *reading, const nf_columns *columns, nf_conll *out,
                             nf_conll_row row, given_label *before) {
    given_label now = {row.label, row.label_size};
    bool first = out->n_rows == sentence_start(out, out->n_sentences);
    row.label = nf_label_respell(&out->arena, now.text, now.size, first ? NULL : before->text,
                                 first ? 0 : before->size, columns->style, &row.label_size);
    *before = now;
    return row.label ? nf_conll_add_row(out, &row, reading->err)
                     : nf_no_memory(reading->err, now.size);
}

nerfit_status nf_conll_rows_read(nf_reading *reading, const nf_columns *columns, nf_lines *lines,
                                 nf_conll *out) {
    const char *line, *sentence = NULL;
    size_t length, sentence_size = 0;
    nf_column_row row;
    given_label before = {NULL, 0};
    bool header = columns->header;
    while (nf_lines_next(lines, &line, &length)) {
        nf_column_line kind = nf_columns_line(columns, line, length, &out->arena, &row);
        if (kind == NF_LINE_PASSED_OVER) continue;
        bool new_sentence =
            kind == NF_LINE_ROW && columns->sentence && row.sentence &&
            (columns->sentence_begins
                 ? row.sentence_size > 0
                 : row.sentence_size != sentence_size ||
                       (sentence_size && memcmp(row.sentence, sentence, sentence_size) != 0));
        if (kind == NF_LINE_ROW && header) {
            header = false;
            continue;
        }
        if (kind == NF_LINE_BREAK || new_sentence) {
            NF_TRY(nf_conll_end_sentence(out, reading->err));
            if (kind == NF_LINE_BREAK) continue;
        }
        if (row.sentence) sentence = row.sentence, sentence_size = row.sentence_size;
        bool good = false;
        row.row.line = lines->number;
        if (reading->texts_only) row.row.label = "O", row.row.label_size = 1;
        if (kind == NF_LINE_UNCLOSED)
            NF_TRY(nf_reading_malformed(reading, lines->number, 0,
                                        "has a quoted cell that is not closed on its line"));
        else
            NF_TRY(check_row(reading, columns, line, length, &row.row, row.count, &good));
        if (good) NF_TRY(add_row(reading, columns, out, row.row, &before));
        out->refused |= !good;
    }
    return nf_conll_end_sentence(out, reading->err);
}

static nerfit_status parse(nf_reading *reading, const char *text, size_t size, bool csv,
                           nf_conll *out) {
    nf_columns columns;
    NF_TRY(nf_columns_find(&columns, reading, text, size, reading->options, 0, csv, NULL));
    if (columns.label == NF_NO_COLUMN && !reading->texts_only && !nf_line_blank(text, size))
        return nf_reading_malformed(
            reading, 1, 0,
            "no column holds labels (O, or one of B I E S L U, a dash and a type) in most rows; "
            "expected a word and a label a line, divided by a tab or spaces");
    nf_lines lines = nf_lines_of(text, size);
    return nf_conll_rows_read(reading, &columns, &lines, out);
}

nerfit_status nf_conll_parse(nf_conll *out, const char *text, size_t size, const char *name,
                             const nf_annotation_options *options, nerfit_error *err) {
    *out = (nf_conll){0};
    nf_reading reading = nf_reading_begin(NULL, options, name, err);
    nerfit_status status = nf_reading_end(&reading, parse(&reading, text, size, false, out));
    if (status != NERFIT_OK) nf_conll_free(out);
    return status;
}

nerfit_status nf_table_read(nf_reading *reading, const char *text, size_t size, bool csv) {
    nf_conll conll = {0};
    nerfit_status status = parse(reading, text, size, csv, &conll);
    if (status == NERFIT_OK) status = nf_conll_add_to(&conll, reading);
    nf_conll_free(&conll);
    return status;
}

static nerfit_status read_conll(nf_reading *reading, const char *text, size_t size) {
    return nf_table_read(reading, text, size, false);
}

static bool looks_like_conll(const char *text, size_t size) {
    static const nf_annotation_options defaults = {0};
    enum { ROWS = 200 };
    double score = 0;
    nf_columns columns;
    if (nf_columns_find(&columns, NULL, text, size, &defaults, ROWS, false, &score) != NERFIT_OK)
        return false;
    return columns.label != NF_NO_COLUMN && columns.word != NF_NO_COLUMN &&
           (score >= 0.9 || columns.header);
}

/* ---------------------------------------------------------------- writing */

nerfit_status nf_conll_rows_write(const nf_document *d, nf_row_writer write, void *user,
                                  nerfit_error *err) {
    nf_word *words;
    size_t count, s = 0, byte = 0;
    uint32_t at = 0; /* the code point at `byte` */
    NF_TRY(nf_words_split(&words, &count, d, err));
    for (size_t i = 0; i < count; i++) {
        const nf_word *word = &words[i];
        byte += nf_utf8_offset(d->text + byte, d->text_size - byte, word->start - at);
        const char *text = d->text + byte;
        size_t size = nf_utf8_offset(text, d->text_size - byte, word->end - word->start);
        while (s < d->n_spans && d->spans[s].end <= word->start) s++;
        const nf_span *span =
            s < d->n_spans && d->spans[s].start <= word->start ? &d->spans[s] : NULL;
        const char *label = span ? span->label : NULL;
        bool begins = span && span->start == word->start;
        size_t dash = nf_conll_is_docstart(text, size) ? 1 : 0;
        if (dash) write(user, text, dash, label, begins);
        write(user, text + dash, size - dash, label, begins && !dash);
        byte += size;
        at = word->end;
    }
    free(words);
    return NERFIT_OK;
}

static void write_row(void *user, const char *word, size_t size, const char *label, bool begins) {
    nf_str *out = user;
    nf_str_append(out, word, size);
    if (label)
        nf_str_appendf(out, "\t%c-%s\n", begins ? 'B' : 'I', label);
    else
        nf_str_append_text(out, "\tO\n");
}

/* Whether a word of the document's own has a character that divides columns or rows. */
static bool has_divided_word(const nf_document *d) {
    nf_utf8_place place = {.text = d->text, .size = d->text_size};
    for (size_t i = 0; i < d->n_words; i++) {
        nf_utf8_go_to(&place, d->words[i].start);
        size_t from = place.byte;
        nf_utf8_go_to(&place, d->words[i].end);
        for (size_t k = from; k < place.byte; k++)
            if (d->text[k] == '\t' || d->text[k] == '\n' || d->text[k] == '\r') return true;
    }
    return false;
}

/* word<TAB>label, BIO2. */
static nerfit_status write_conll(nf_parts *parts, const nf_document *d, nerfit_error *err) {
    nf_part *part = nf_parts_get(parts, "");
    if (!part) return nf_no_memory(err, 0);
    if (has_divided_word(d))
        return nf_fail_at(
            err, NERFIT_UNSUPPORTED, d->file, d->line, 0,
            "has a word with a tab or line break, which conll cannot hold; use jsonl");
    for (size_t i = 0; i < d->n_spans; i++)
        if (nf_type_joins_tags(d->spans[i].label, strlen(d->spans[i].label)))
            return nf_fail_at(
                err, NERFIT_UNSUPPORTED, d->file, d->line, 0,
                "has the label \"%.100s\", which would be several labels in conll; use "
                "jsonl",
                d->spans[i].label);
    NF_TRY(nf_conll_rows_write(d, write_row, &part->text, err));
    nf_str_append_char(&part->text, '\n');
    return part->text.failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}

/* clang-format off */
const nf_format nf_format_conll = {
    .name = "conll", .title = "CoNLL columns",
    .endings = {".conll", ".tsv", ".bio", ".iob"}, .by_ending = true,
    .holds = NF_HOLDS_ENTITIES,
    .recognised = "the ending, or a column of which nine in ten of the first 200 rows look like "
                  "labels; which columns hold words and labels is told from all rows or a header, "
                  "or chosen with `word_column` and `label_column`",
    .kept = "words (as the text, with single blanks between them) and entities; IOB1, IOB2, BIOES, "
            "BILOU, BMES, BMEWO, also spelled B_PER, b-per, PER-B, B or PER",
    .lost = "other columns, comments, the white space of the text",
    .looks_like = looks_like_conll, .read = read_conll,
    .write = write_conll, .head = "", .between = "", .tail = "",
};
/* clang-format on */
