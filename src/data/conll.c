/* Rows are gathered into sentences first: the scheme is told from all of them. */
#include "data/conll.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/words.h"

/* ---------------------------------------------------------------- sentences */

nerfit_status nf_conll_add_row(nf_conll *s, const nf_conll_row *row, nerfit_error *err) {
    if (s->n_rows == s->rows_capacity) {
        size_t capacity = s->rows_capacity ? 2 * s->rows_capacity : 64;
        nf_conll_row *grown = realloc(s->rows, capacity * sizeof *grown);
        if (!grown) return nf_no_memory(err, capacity * sizeof *grown);
        s->rows = grown;
        s->rows_capacity = capacity;
    }
    s->rows[s->n_rows++] = *row;
    return NERFIT_OK;
}

static size_t sentence_start(const nf_conll *s, size_t index) {
    return index ? s->ends[index - 1] : 0;
}

nerfit_status nf_conll_end_sentence(nf_conll *s, nerfit_error *err) {
    if (s->n_rows == sentence_start(s, s->n_sentences)) return NERFIT_OK;
    if (s->n_sentences == s->ends_capacity) {
        size_t capacity = s->ends_capacity ? 2 * s->ends_capacity : 16;
        size_t *grown = realloc(s->ends, capacity * sizeof *grown);
        if (!grown) return nf_no_memory(err, capacity * sizeof *grown);
        s->ends = grown;
        s->ends_capacity = capacity;
    }
    s->ends[s->n_sentences++] = s->n_rows;
    return NERFIT_OK;
}

void nf_conll_drop_sentence(nf_conll *s) {
    s->n_rows = sentence_start(s, s->n_sentences);
}

void nf_conll_free(nf_conll *s) {
    free(s->rows);
    free(s->ends);
    *s = (nf_conll){0};
}

nerfit_status nf_conll_add_to(const nf_conll *s, nf_reading *reading) {
    nf_tagging tagging = reading->options->tagging;
    if (tagging == NF_TAGGING_AUTO) tagging = nf_tagging_detect(s->rows, s->ends, s->n_sentences);
    for (size_t i = 0; i < s->n_sentences; i++) {
        size_t start = sentence_start(s, i);
        NF_TRY(nf_conll_sentence_add(reading, s->rows + start, s->ends[i] - start, tagging));
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

/* Spans come in order: a word either goes on with the last one or begins the next. */
static void place_words(const nf_conll_row *rows, size_t count, nf_str *text, nf_word *words,
                        nf_given_span *spans, long *span_lines, size_t *n_spans) {
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const nf_conll_row *row = &rows[i];
        if (i) nf_str_append_char(text, ' '), at++;
        nf_str_append(text, row->word, row->word_size);
        words[i] = (nf_word){at, at + (uint32_t)nf_utf8_count(row->word, row->word_size)};
        at = words[i].end;
        if (nf_tag_begins(i ? row - 1 : NULL, row)) {
            span_lines[*n_spans] = row->line;
            spans[(*n_spans)++] =
                (nf_given_span){words[i].start, words[i].end, row->label + 2, row->label_size - 2};
        } else if (row->label[0] != 'O')
            spans[*n_spans - 1].end = words[i].end;
    }
}

nerfit_status nf_conll_sentence_add(nf_reading *reading, const nf_conll_row *rows, size_t count,
                                    nf_tagging tagging) {
    nf_str text = {0};
    nf_word *words = malloc(count * sizeof *words);
    nf_given_span *spans = malloc(count * sizeof *spans);
    long *lines = malloc(count * sizeof *lines);
    size_t n_spans = 0;
    bool room = words && spans && lines;
    if (room) place_words(rows, count, &text, words, spans, lines, &n_spans);
    nerfit_status status = room && !text.failed ? NERFIT_OK : nf_no_memory(reading->err, count);
    nf_given_document given = {.text = nf_str_text(&text),
                               .text_size = text.length,
                               .spans = spans,
                               .n_spans = n_spans,
                               .span_lines = lines,
                               .words = words,
                               .n_words = count,
                               .line = rows[0].line};
    if (status == NERFIT_OK) status = report_transitions(reading, rows, count, tagging);
    if (status == NERFIT_OK) status = nf_reading_add(reading, &given);
    nf_str_free(&text);
    free(words);
    free(spans);
    free(lines);
    return status;
}

/* ---------------------------------------------------------------- a file */

static nerfit_status check_row(nf_reading *reading, const char *line, size_t size,
                               const nf_conll_row *row, bool *good) {
    enum { SHOWN = 60 };
    size_t bad;
    nf_tagging tagging = reading->options->tagging;
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
    if (!row->word_size) return nf_reading_malformed(reading, row->line, 0, "the word is empty");
    const char *problem = nf_tag_problem(row->label, row->label_size, tagging);
    if (problem && row->label_size == 0)
        return nf_reading_malformed(reading, row->line, 0, "the label is empty");
    if (problem)
        return nf_reading_malformed(
            reading, row->line, nf_line_column(line, row->label - line), "label \"%.*s\" %s",
            (int)(row->label_size < SHOWN ? row->label_size : SHOWN), row->label, problem);
    *good = true;
    return NERFIT_OK;
}

nerfit_status nf_conll_rows_read(nf_reading *reading, const nf_conll_layout *layout,
                                 nf_lines *lines, nf_conll *out) {
    const char *line;
    size_t length;
    nf_conll_row row;
    bool refused = false; /* a row of this sentence had an error */
    while (nf_lines_next(lines, &line, &length)) {
        nf_conll_line kind = nf_conll_line_read(layout, line, length, &row);
        if (kind == NF_CONLL_PASSED_OVER) continue;
        if (kind == NF_CONLL_BREAK) {
            if (refused) nf_conll_drop_sentence(out);
            NF_TRY(nf_conll_end_sentence(out, reading->err));
            refused = false;
            continue;
        }
        bool good;
        row.line = lines->number;
        if (reading->texts_only) row.label = "O", row.label_size = 1;
        NF_TRY(check_row(reading, line, length, &row, &good));
        if (good) NF_TRY(nf_conll_add_row(out, &row, reading->err));
        refused |= !good;
    }
    if (refused) nf_conll_drop_sentence(out);
    return nf_conll_end_sentence(out, reading->err);
}

static bool is_blank(const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    return nf_line_blank(lines.at, (size_t)(lines.end - lines.at));
}

static nerfit_status parse(nf_reading *reading, const char *text, size_t size, nf_conll *out) {
    double score;
    nf_conll_layout layout = nf_conll_layout_find(text, size, reading->options, 0, &score);
    if (layout.label == NF_NO_COLUMN && !is_blank(text, size))
        return nf_reading_malformed(
            reading, 1, 0,
            "no column holds labels (O, or one of B I E S L U, a dash and a type) in most rows; "
            "expected a word and a label a line, divided by a tab or spaces");
    nf_lines lines = nf_lines_of(text, size);
    return nf_conll_rows_read(reading, &layout, &lines, out);
}

nerfit_status nf_conll_parse(nf_conll *out, const char *text, size_t size, const char *name,
                             nerfit_error *err) {
    *out = (nf_conll){0};
    nf_reading reading = nf_reading_begin(NULL, NULL, name, err);
    nerfit_status status = parse(&reading, text, size, out);
    if (status != NERFIT_OK) nf_conll_free(out);
    return status;
}

nerfit_status nf_conll_read(nf_reading *reading, const char *text, size_t size) {
    nf_conll conll = {0};
    nerfit_status status = parse(reading, text, size, &conll);
    if (status == NERFIT_OK) status = nf_conll_add_to(&conll, reading);
    nf_conll_free(&conll);
    return status;
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

/* word<TAB>label, BIO2. */
nerfit_status nf_conll_write(nf_str *out, const nf_document *d, nerfit_error *err) {
    NF_TRY(nf_conll_rows_write(d, write_row, out, err));
    nf_str_append_char(out, '\n');
    return out->failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}
