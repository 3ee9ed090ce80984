#include "data/conll.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/lines.h"

enum { MAX_COLUMNS = 64 };

typedef struct columns {
    const char *text[MAX_COLUMNS];
    size_t size[MAX_COLUMNS];
    size_t count;
} columns;

/* By tabs if there is one, else by runs of spaces. */
static void split(const char *line, size_t size, columns *out) {
    bool tabs = memchr(line, '\t', size) != NULL;
    out->count = 0;
    for (size_t at = 0; at <= size && out->count < MAX_COLUMNS;) {
        size_t end = at;
        while (end < size && line[end] != (tabs ? '\t' : ' ')) end++;
        if (tabs || end > at) {
            out->text[out->count] = line + at;
            out->size[out->count++] = end - at;
        }
        at = end + 1;
    }
    /* spaces at the end of a tab line are no column, and do not belong to the last one */
    while (tabs && out->count && nf_line_blank(out->text[out->count - 1], out->size[out->count - 1]))
        out->count--;
    for (size_t i = 0; i < out->count; i++)
        while (out->size[i] && out->text[i][out->size[i] - 1] == ' ') out->size[i]--;
}

static bool looks_like_label(const char *text, size_t size) {
    if (size == 1 && (text[0] == 'O')) return true;
    return size >= 3 && text[1] == '-' && strchr("BIESLU", text[0]);
}

static bool passed_over(const char *line, size_t size) {
    if (size >= 10 && memcmp(line, "-DOCSTART-", 10) == 0) return true;
    return size >= 2 && line[0] == '#' && line[1] == ' ' && !memchr(line, '\t', size);
}

/* The last column, or the first if it alone holds labels on every line. */
static bool label_comes_first(const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length, rows = 0;
    bool first = true, last = true;
    columns c;
    while (nf_lines_next(&lines, &line, &length)) {
        if (nf_line_blank(line, length) || passed_over(line, length)) continue;
        split(line, length, &c);
        if (c.count < 2) continue;
        first = first && looks_like_label(c.text[0], c.size[0]);
        last = last && looks_like_label(c.text[c.count - 1], c.size[c.count - 1]);
        rows++;
    }
    return rows && first && !last;
}

static nerfit_status add_row(nf_conll *out, size_t *capacity, const nf_conll_row *row,
                             nerfit_error *err) {
    if (out->n_rows == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 1024;
        nf_conll_row *grown = realloc(out->rows, *capacity * sizeof *grown);
        if (!grown) return nf_no_memory(err, *capacity * sizeof *grown);
        out->rows = grown;
    }
    out->rows[out->n_rows++] = *row;
    return NERFIT_OK;
}

static nerfit_status end_sentence(nf_conll *out, nerfit_error *err) {
    size_t start = out->n_sentences ? out->ends[out->n_sentences - 1] : 0;
    if (out->n_rows == start) return NERFIT_OK;
    if ((out->n_sentences & (out->n_sentences - 1)) == 0) { /* at powers of two */
        size_t capacity = out->n_sentences ? 2 * out->n_sentences : 1;
        size_t *grown = realloc(out->ends, capacity * sizeof *grown);
        if (!grown) return nf_no_memory(err, capacity * sizeof *grown);
        out->ends = grown;
    }
    out->ends[out->n_sentences++] = out->n_rows;
    return NERFIT_OK;
}

static nerfit_status parse(nf_conll *out, const char *text, size_t size, const char *name,
                           nerfit_error *err) {
    bool first = label_comes_first(text, size);
    size_t capacity = 0, length, bad;
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    columns c;
    while (nf_lines_next(&lines, &line, &length)) {
        if (nf_line_blank(line, length)) {
            NF_TRY(end_sentence(out, err));
            continue;
        }
        if (passed_over(line, length)) continue;
        if (!nf_utf8_valid(line, length, &bad))
            return nf_fail_at(err, NERFIT_FORMAT, name, lines.number, (long)bad + 1,
                              "is not valid UTF-8");
        split(line, length, &c);
        if (c.count < 2)
            return nf_fail_at(err, NERFIT_FORMAT, name, lines.number, 0,
                              "has one column; expected a word and a label divided by a tab or "
                              "spaces");
        size_t label = first ? 0 : c.count - 1, word = first ? 1 : 0;
        nf_conll_row row = {c.text[word], c.text[label], c.size[word], c.size[label],
                            lines.number};
        if (!looks_like_label(row.label, row.label_size))
            return nf_fail_at(err, NERFIT_FORMAT, name, lines.number, 0,
                              "label \"%.*s\" is neither O nor a prefix (B I E S L U), a dash and a "
                              "type",
                              (int)row.label_size, row.label);
        if (row.word_size == 0)
            return nf_fail_at(err, NERFIT_FORMAT, name, lines.number, 0, "the word is empty");
        NF_TRY(add_row(out, &capacity, &row, err));
    }
    return end_sentence(out, err);
}

nerfit_status nf_conll_parse(nf_conll *out, const char *text, size_t size, const char *name,
                             nerfit_error *err) {
    *out = (nf_conll){0};
    nerfit_status status = parse(out, text, size, name, err);
    if (status != NERFIT_OK) nf_conll_free(out);
    return status;
}

void nf_conll_free(nf_conll *conll) {
    free(conll->rows);
    free(conll->ends);
    *conll = (nf_conll){0};
}

/* seqeval's rules for where an entity begins and ends, with L as E and U as S. */
static char prefix_of(const nf_conll_row *row) {
    char c = row->label[0];
    return c == 'L' ? 'E' : c == 'U' ? 'S' : c;
}

static bool same_type(const nf_conll_row *a, const nf_conll_row *b) {
    return a->label_size == b->label_size &&
           memcmp(a->label + 1, b->label + 1, a->label_size - 1) == 0;
}

static bool begins(const nf_conll_row *before, const nf_conll_row *now) {
    char tag = prefix_of(now), last = before ? prefix_of(before) : 'O';
    if (tag == 'O') return false;
    if (tag == 'B' || tag == 'S' || last == 'O' || last == 'E' || last == 'S') return true;
    return !same_type(before, now);
}

nerfit_status nf_conll_add(nf_corpus *corpus, const nf_conll_row *rows, size_t count,
                           const char *name, const nf_log *log, nerfit_error *err) {
    nf_str text = {0};
    nf_word *words = malloc((count + 1) * sizeof *words);
    nf_given_span *spans = malloc((count + 1) * sizeof *spans);
    size_t n_spans = 0;
    uint32_t at = 0;
    bool open = false;
    for (size_t i = 0; i < count && words && spans; i++) {
        if (i) nf_str_append_char(&text, ' '), at++;
        nf_str_append(&text, rows[i].word, rows[i].word_size);
        uint32_t length = (uint32_t)nf_utf8_count(rows[i].word, rows[i].word_size);
        words[i] = (nf_word){at, at + length};
        at += length;
        if (prefix_of(&rows[i]) == 'O') open = false;
        else if (!open || begins(&rows[i - 1], &rows[i])) {
            spans[n_spans++] = (nf_given_span){words[i].start, words[i].end, rows[i].label + 2,
                                               rows[i].label_size - 2};
            open = true;
        } else spans[n_spans - 1].end = words[i].end;
    }
    nerfit_status status = !words || !spans || text.failed ? nf_no_memory(err, count) : NERFIT_OK;
    nf_given_document given = {.text = nf_str_text(&text),
                               .text_size = text.length,
                               .spans = spans,
                               .n_spans = n_spans,
                               .words = words,
                               .n_words = count,
                               .file = name,
                               .line = rows[0].line};
    if (status == NERFIT_OK) status = nf_corpus_add(corpus, &given, log, err);
    nf_str_free(&text);
    free(words);
    free(spans);
    return status;
}

nerfit_status nf_conll_read(nf_corpus *corpus, const char *text, size_t size, const char *name,
                            const nf_log *log, nerfit_error *err) {
    nf_conll conll;
    NF_TRY(nf_conll_parse(&conll, text, size, name, err));
    nerfit_status status = NERFIT_OK;
    for (size_t s = 0; s < conll.n_sentences && status == NERFIT_OK; s++) {
        size_t start = s ? conll.ends[s - 1] : 0;
        status = nf_conll_add(corpus, conll.rows + start, conll.ends[s] - start, name, log, err);
    }
    nf_conll_free(&conll);
    return status;
}
