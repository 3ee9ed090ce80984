/* WebAnno TSV 3, as INCEpTION exports it. Each sentence is a text here.
 *
 *   #FORMAT=WebAnno TSV 3.3
 *   #T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value
 *
 *   #Text=Ada Byron lives
 *   1-1<TAB>0-3<TAB>Ada<TAB>*[1]<TAB>PER[1]
 *   1-2<TAB>4-9<TAB>Byron<TAB>*[1]<TAB>PER[1]
 *
 * Offsets are UTF-16 units of the document. A cell has "_" for nothing, "*" for an annotation
 * without a value, "PER[1]|LOC[2]" for several; the number joins the words of one. Rows 1-1.1 are
 * parts of words. (https://inception-project.github.io, WebAnno TSV 3.3 file format) */
#include <stdlib.h>
#include <string.h>

#include "data/formats/format.h"
#include "data/lines.h"
#include "data/offsets.h"

static const char MARK[] = "#FORMAT=WebAnno TSV 3";

static bool looks_like(const char *text, size_t size) {
    return size >= sizeof MARK - 1 && memcmp(text, MARK, sizeof MARK - 1) == 0;
}

enum { MOST_CELLS = 64 };

typedef struct tsv_reader {
    nf_reading *reading;
    int value_cell; /* of the entities' value, from 0 with the word's two cells before it; 0: none */
    int n_cells;    /* that features have taken so far, behind number, place and word */
    bool named;     /* the layer is NamedEntity */
    nf_arena arena; /* of a sentence */
    nf_str text;
    bool has_text;
    int64_t base;        /* units of the document before the text; -1: unknown */
    nf_given_list spans; /* `mark` is the annotation's number; 0: none */
    long line;
    bool refused;
    size_t n_unlabelled; /* annotations without a value */
    int64_t unlabelled;  /* the last one's number */
} tsv_reader;

/* "#T_SP=LAYER|feature|...": which cell holds the value of the entities' layer. */
static void read_layer(tsv_reader *r, const char *line, size_t size) {
    const char *end = line + size, *equals = memchr(line, '=', size),
               *at = equals ? equals + 1 : end;
    const char *bar = memchr(at, '|', (size_t)(end - at));
    size_t layer = (size_t)((bar ? bar : end) - at);
    bool named = layer >= 11 && memcmp(at + layer - 11, "NamedEntity", 11) == 0;
    bool spans = size > 5 && memcmp(line, "#T_SP", 5) == 0;
    bool other = memmem(at, layer, "core.api", 8) && !named; /* POS, Lemma, ... */
    int first = r->n_cells, value = 0;
    for (; bar; bar = memchr(bar + 1, '|', (size_t)(end - bar) - 1)) {
        const char *next = memchr(bar + 1, '|', (size_t)(end - bar) - 1);
        size_t length = (size_t)((next ? next : end) - bar) - 1;
        bool is_value = (length == 5 && memcmp(bar + 1, "value", 5) == 0) ||
                        (length == 5 && memcmp(bar + 1, "label", 5) == 0);
        r->n_cells++;
        if (is_value || !value) value = r->n_cells;
    }
    if (r->n_cells == first) r->n_cells++; /* a layer without features has a cell, too */
    if (!spans || other || !value || (r->value_cell && (r->named || !named))) return;
    r->value_cell = value + 2;
    r->named = named;
}

/* "#Text=...", with \t, \n, \r and \\ written out. */
static void set_text(tsv_reader *r, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '\\' && i + 1 < size && strchr("tnrbf\\", text[i + 1])) {
            c = text[++i];
            c = c == 't'   ? '\t'
                : c == 'n' ? '\n'
                : c == 'r' ? '\r'
                : c == 'b' ? '\b'
                : c == 'f' ? '\f'
                           : c;
        }
        nf_str_append_char(&r->text, c);
    }
    r->has_text = true;
    r->base = -1;
}

/* One value of a cell: "PER", "PER[1]", "*[1]". */
static nerfit_status read_value(tsv_reader *r, const char *value, size_t size, int64_t start,
                                int64_t end, long number) {
    int64_t id = 0;
    const char *open = NULL;
    for (size_t i = 0; i < size; i++)
        if (value[i] == '[' && (!i || value[i - 1] != '\\')) open = value + i;
    size_t digits = open ? nf_digits_read(open + 1, (size_t)(value + size - open) - 1, &id) : 0;
    if (digits && open + 1 + digits < value + size && open[1 + digits] == ']')
        size = (size_t)(open - value);
    else
        id = 0;
    if (!size || (size == 1 && value[0] == '_')) return NERFIT_OK;
    if (size == 1 && value[0] == '*') {
        r->n_unlabelled += !id || id != r->unlabelled;
        r->unlabelled = id;
        return NERFIT_OK;
    }
    for (size_t i = r->spans.count; id && i-- > 0;)
        if (r->spans.items[i].mark == id) {
            r->spans.items[i].end = end;
            return NERFIT_OK;
        }
    char *label = nf_arena_copy(&r->arena, value, size);
    if (!label) return nf_no_memory(r->reading->err, size);
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        if (label[i] == '\\' && i + 1 < size) i++;
        label[n++] = label[i];
    }
    const nf_given_span span = {
        .start = start, .end = end, .label = label, .label_size = n, .mark = id};
    return nf_given_list_add(&r->spans, &span, number, r->reading->err);
}

/* Where the text begins in the document: the first word says it. */
static bool find_base(tsv_reader *r, const char *word, size_t size, int64_t start) {
    const char *text = nf_str_text(&r->text), *found = memmem(text, r->text.length, word, size);
    if (!found) return false;
    uint32_t before = (uint32_t)nf_utf8_count(text, (size_t)(found - text));
    r->base = start - nf_offset_of(text, r->text.length, NF_OFFSETS_UTF16, before);
    return true;
}

/* "7-12". */
static bool read_place(const char *text, size_t size, int64_t *start, int64_t *end) {
    size_t n = nf_digits_read(text, size, start);
    return n && n < size && text[n] == '-' &&
           nf_digits_read(text + n + 1, size - n - 1, end) == size - n - 1 && n + 1 < size;
}

static nerfit_status read_row(tsv_reader *r, const char *line, size_t size, long number) {
    const char *cells[MOST_CELLS];
    size_t sizes[MOST_CELLS];
    const size_t n = nf_line_cells(line, size, cells, sizes, MOST_CELLS);
    int64_t start, end;
    bool good = n >= 3 && r->has_text && read_place(cells[1], sizes[1], &start, &end);
    if (good && r->base < 0) good = find_base(r, cells[2], sizes[2], start);
    if (!good) {
        r->refused = true;
        return nf_reading_malformed(r->reading, number, 0,
                                    "expected \"#Text=...\" and then rows of number, start-end, "
                                    "word, features");
    }
    size_t cell = (size_t)r->value_cell;
    if (!cell) return NERFIT_OK;
    if (cell >= n) {
        r->refused = true;
        return nf_reading_malformed(r->reading, number, 0,
                                    "has %zu columns; the layers of the first lines take %d", n,
                                    r->n_cells + 3);
    }
    for (size_t from = 0; from <= sizes[cell];) {
        size_t to = from;
        while (to < sizes[cell] && (cells[cell][to] != '|' || (to && cells[cell][to - 1] == '\\')))
            to++;
        NF_TRY(
            read_value(r, cells[cell] + from, to - from, start - r->base, end - r->base, number));
        from = to + 1;
    }
    return NERFIT_OK;
}

static nerfit_status end_sentence(tsv_reader *r) {
    nerfit_status status = NERFIT_OK;
    nf_given_document given = {.text = nf_str_text(&r->text),
                               .text_size = r->text.length,
                               .spans = r->spans.items,
                               .n_spans = r->spans.count,
                               .span_lines = r->spans.lines,
                               .unit = NF_OFFSETS_UTF16,
                               .line = r->line};
    if (r->text.failed)
        status = nf_no_memory(r->reading->err, r->text.length);
    else if (r->has_text && !r->refused)
        status = nf_reading_add(r->reading, &given);
    nf_str_clear(&r->text);
    nf_arena_free(&r->arena);
    r->spans.count = 0;
    r->has_text = r->refused = false;
    return status;
}

static nerfit_status read_tsv_line(tsv_reader *r, const char *line, size_t size, long number) {
    size_t bad;
    if (nf_line_blank(line, size)) return end_sentence(r);
    if (!nf_utf8_valid(line, size, &bad)) {
        r->refused = true;
        return nf_reading_malformed(r->reading, number, nf_line_column(line, bad),
                                    "is not valid UTF-8");
    }
    if (size >= 6 && memcmp(line, "#Text=", 6) == 0) {
        if (r->has_text && r->base < 0)
            nf_str_append_char(&r->text, '\n'); /* goes on */
        else if (r->has_text)
            NF_TRY(end_sentence(r));
        if (!r->has_text) r->line = number;
        set_text(r, line + 6, size - 6);
        return r->text.failed ? nf_no_memory(r->reading->err, size) : NERFIT_OK;
    }
    if (size >= 3 && memcmp(line, "#T_", 3) == 0) read_layer(r, line, size);
    return line[0] == '#' ? NERFIT_OK : read_row(r, line, size, number);
}

static nerfit_status read_webanno(nf_reading *reading, const char *text, size_t size) {
    tsv_reader r = {.reading = reading};
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    nerfit_status status = NERFIT_OK;
    while (status == NERFIT_OK && nf_lines_next(&lines, &line, &length))
        status = read_tsv_line(&r, line, length, lines.number);
    if (status == NERFIT_OK) status = end_sentence(&r);
    if (status == NERFIT_OK && !r.value_cell && !reading->texts_only)
        status = nf_reading_malformed(reading, 1, 0,
                                      "has no layer of entities (#T_SP=...NamedEntity|value)");
    nf_finding finding = {.kind = NF_FINDING_LEFT_OUT};
    if (status == NERFIT_OK && r.n_unlabelled && !reading->texts_only)
        status = nf_reading_warning(reading, &finding, "%zu named entities have no value: left out",
                                    r.n_unlabelled);
    nf_str_free(&r.text);
    nf_given_list_free(&r.spans);
    nf_arena_free(&r.arena);
    return status;
}

/* clang-format off */
const nf_format nf_format_webanno = {
    .name = "webanno", .title = "WebAnno TSV 3 (INCEpTION)", .endings = {".tsv"}, .sure = true,
    .recognised = "`#FORMAT=WebAnno TSV 3` in the first line",
    .kept = "sentences, each a text; the values of the layer NamedEntity, or of the first layer of "
            "spans that is not dkpro's own (offsets in UTF-16 units)",
    .lost = "other layers; annotations without a value, with a warning",
    .looks_like = looks_like, .read = read_webanno,
};
/* clang-format on */
