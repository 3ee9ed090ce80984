/* Every document comes into a corpus through here. A document's spans are checked one by one
 * (label, range, white space), then sorted and checked against each other (duplicates, overlaps);
 * the policies stand in document.h. All its errors are told before the document is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/assert.h"
#include "base/utf8.h"
#include "data/offsets.h"
#include "data/reading.h"

/* A span on its way: what is kept of it, and how it was given. */
typedef struct candidate {
    uint32_t start, end;
    const char *label; /* as given, trimmed; not NUL-terminated */
    size_t label_size;
    size_t number; /* as given, from 1 */
    const nf_given_span *given;
} candidate;

typedef struct checker {
    nf_reading *reading;
    const nf_given_document *given;
    nf_offset_unit unit; /* of the given spans */
    uint32_t length;     /* code points */
    uint32_t *offsets;   /* [length + 1] bytes before each code point; NULL for ASCII */
    candidate *kept;     /* [n_kept] */
    size_t n_kept;
    nf_range *unknown; /* [n_unknown] beside->unknown in code points */
    size_t n_unknown;
    bool refused; /* the document has an error */
} checker;

/* Long labels are shortened in messages. */
enum { SHOWN = 60 };
#define ENTITY_FORMAT "entity %zu (\"%.*s\", %lld..%lld)"
#define ENTITY_ARGS(number, span)                                                                  \
    (number), (int)((span)->label_size < SHOWN ? (span)->label_size : SHOWN), (span)->label,       \
        (long long)(span)->start, (long long)(span)->end

static nf_finding finding_of(const checker *c, nf_finding_kind kind, size_t number,
                             const nf_given_span *span) {
    const long *lines = c->given->span_lines;
    return (nf_finding){.kind = kind,
                        .line = lines ? lines[number - 1] : c->given->line,
                        .entity = number,
                        .given_start = span->start,
                        .given_end = span->end};
}

/* The label as NUL-terminated text for the report; it may be cut. */
static void show_label(nf_finding *finding, char shown[SHOWN + 1], const nf_given_span *span) {
    size_t size = span->label_size < SHOWN ? span->label_size : SHOWN;
    if (size) memcpy(shown, span->label, size);
    shown[size] = '\0';
    finding->label = shown;
}

static nerfit_status span_error(checker *c, nf_finding_kind kind, size_t number,
                                const nf_given_span *span, const char *what) {
    char label[SHOWN + 1];
    nf_finding finding = finding_of(c, kind, number, span);
    show_label(&finding, label, span);
    c->refused = true;
    return nf_reading_error(c->reading, &finding, ENTITY_FORMAT " %s", ENTITY_ARGS(number, span),
                            what);
}

static size_t byte_offset(const checker *c, uint32_t index) {
    return c->offsets ? c->offsets[index] : index;
}

/* Controls of ASCII and Latin-1, and Unicode's ends of lines and paragraphs. */
static bool has_control(const char *text, size_t size) {
    uint32_t c;
    for (size_t at = 0, step; at < size; at += step) {
        if (!(step = nf_utf8_decode(text + at, size - at, &c))) return true;
        if (c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029) return true;
    }
    return false;
}

static nerfit_status check_label(checker *c, size_t number, const nf_given_span *given,
                                 candidate *out, bool *good) {
    const char *label = given->label;
    size_t size = given->label_size;
    *good = false;
    if (!nf_utf8_valid(label, size, NULL))
        return span_error(c, NF_FINDING_BAD_LABEL, number, given, "has a label that is not UTF-8");
    nf_text_trim(&label, &size);
    if (size == 0) return span_error(c, NF_FINDING_BAD_LABEL, number, given, "has an empty label");
    if (has_control(label, size))
        return span_error(c, NF_FINDING_BAD_LABEL, number, given,
                          "has a control character in its label");
    if (size != given->label_size) {
        nf_finding finding = finding_of(c, NF_FINDING_TRIMMED, number, given);
        char shown[SHOWN + 1];
        show_label(&finding, shown, given);
        finding.kept_start = given->start, finding.kept_end = given->end;
        NF_TRY(nf_reading_warning(c->reading, &finding,
                                  ENTITY_FORMAT " has white space at an edge of its label: taken "
                                                "as \"%.*s\"",
                                  ENTITY_ARGS(number, given), (int)size, label));
    }
    out->label = label;
    out->label_size = size;
    *good = true;
    return NERFIT_OK;
}

/* The code point at an offset of the spans' unit. */
static bool place_of(const checker *c, int64_t offset, uint32_t *out) {
    if (c->unit != NF_OFFSETS_CODE_POINTS)
        return nf_offset_code_point(c->given->text, c->given->text_size, c->unit, offset, out);
    *out = (uint32_t)offset;
    return offset <= (int64_t)c->length;
}

/* An entity's own text against what stands at its place. */
static nerfit_status check_own_text(checker *c, size_t number, const nf_given_span *given,
                                    uint32_t start, uint32_t end, bool *fits) {
    const nf_given_document *d = c->given;
    size_t from = byte_offset(c, start), size = byte_offset(c, end) - from;
    *fits = !given->text || nf_same_but_space(d->text + from, size, given->text, given->text_size);
    if (*fits) return NERFIT_OK;
    nf_str what = {0};
    nf_str_append_text(&what, "is \"");
    nf_str_append(&what, d->text + from, nf_utf8_cut(d->text + from, size, SHOWN));
    nf_str_append_text(&what, "\" in the text, but says of itself that it is \"");
    nf_str_append(&what, given->text, nf_utf8_cut(given->text, given->text_size, SHOWN));
    nf_str_append_char(&what, '"');
    nf_contradiction_explain(&what, d, given, c->unit);
    nerfit_status status =
        what.failed ? nf_no_memory(c->reading->err, 0)
                    : span_error(c, NF_FINDING_CONTRADICTION, number, given, nf_str_text(&what));
    nf_str_free(&what);
    return status;
}

static nerfit_status past_the_end(checker *c, size_t number, const nf_given_span *given) {
    nf_str what = {0};
    bool units = c->unit != NF_OFFSETS_CODE_POINTS;
    nf_str_appendf(&what, "ends past the text (%u characters)%s%s", c->length,
                   units ? ", or inside a character; its offsets count " : "",
                   units ? nf_offset_unit_title(c->unit) : "");
    if (given->text) {
        nf_str_append_text(&what, "; its own text is \"");
        nf_str_append(&what, given->text, nf_utf8_cut(given->text, given->text_size, SHOWN));
        nf_str_append_char(&what, '"');
        nf_contradiction_explain(&what, c->given, given, c->unit);
    }
    nerfit_status status =
        what.failed ? nf_no_memory(c->reading->err, 0)
                    : span_error(c, NF_FINDING_OUTSIDE, number, given, nf_str_text(&what));
    nf_str_free(&what);
    return status;
}

static nerfit_status check_range(checker *c, size_t number, const nf_given_span *given,
                                 candidate *out, bool *good) {
    *good = false;
    if (given->start < 0)
        return span_error(c, NF_FINDING_OUTSIDE, number, given, "begins before the text");
    if (given->start >= given->end)
        return span_error(c, NF_FINDING_EMPTY, number, given,
                          "is empty: its start is not before its end");
    uint32_t start, end;
    if (!place_of(c, given->end, &end)) return past_the_end(c, number, given);
    if (!place_of(c, given->start, &start))
        return span_error(c, NF_FINDING_OUTSIDE, number, given, "begins inside a character");
    bool fits;
    NF_TRY(check_own_text(c, number, given, start, end, &fits));
    if (!fits) return NERFIT_OK;
    const char *from = c->given->text + byte_offset(c, start), *text = from;
    size_t size = byte_offset(c, end) - byte_offset(c, start), whole = size;
    nf_text_trim(&text, &size);
    if (size == 0) return span_error(c, NF_FINDING_BLANK, number, given, "holds only white space");
    out->start = start + (uint32_t)nf_utf8_count(from, (size_t)(text - from));
    out->end = out->start + (uint32_t)nf_utf8_count(text, size);
    if (size != whole) {
        char shown[SHOWN + 1];
        nf_finding finding = finding_of(c, NF_FINDING_TRIMMED, number, given);
        show_label(&finding, shown, given);
        finding.kept_start = out->start, finding.kept_end = out->end;
        c->reading->corpus->n_trimmed++;
        NF_TRY(nf_reading_warning(c->reading, &finding,
                                  ENTITY_FORMAT " has white space at its edge: taken as %u..%u",
                                  ENTITY_ARGS(number, given), out->start, out->end));
    }
    *good = true;
    return NERFIT_OK;
}

static int compare_labels(const candidate *x, const candidate *y) {
    size_t shorter = x->label_size < y->label_size ? x->label_size : y->label_size;
    int order = memcmp(x->label, y->label, shorter);
    return order ? order : x->label_size < y->label_size ? -1 : x->label_size > y->label_size;
}

static int by_place(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    int order = compare_labels(x, y);
    if (order) return order;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int by_number(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int by_size(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    uint32_t i = x->end - x->start, j = y->end - y->start;
    if (i != j) return i > j ? -1 : 1;
    return by_number(a, b);
}

static void sort(checker *c, int (*order)(const void *, const void *)) {
    if (c->n_kept) qsort(c->kept, c->n_kept, sizeof *c->kept, order);
}

/* The candidates are in order of place: equal ones stand together. */
static nerfit_status drop_duplicates(checker *c) {
    size_t n = 0;
    for (size_t i = 0; i < c->n_kept; i++) {
        const candidate *now = &c->kept[i], *last = n ? &c->kept[n - 1] : NULL;
        if (!last || last->start != now->start || last->end != now->end ||
            compare_labels(last, now) != 0) {
            c->kept[n++] = *now;
            continue;
        }
        nf_finding finding = finding_of(c, NF_FINDING_DUPLICATE, now->number, now->given);
        char shown[SHOWN + 1];
        show_label(&finding, shown, now->given);
        c->reading->corpus->n_duplicates++;
        NF_TRY(nf_reading_warning(c->reading, &finding,
                                  ENTITY_FORMAT " repeats entity %zu: kept once",
                                  ENTITY_ARGS(now->number, now->given), last->number));
    }
    c->n_kept = n;
    return NERFIT_OK;
}

/* By default an overlap is an error of the span that stands later. */
static nerfit_status refuse_overlaps(checker *c) {
    const candidate *last = NULL; /* the one that reaches furthest */
    for (size_t i = 0; i < c->n_kept; i++) {
        const candidate *now = &c->kept[i];
        if (last && now->start < last->end) {
            nf_finding finding = finding_of(c, NF_FINDING_OVERLAP, now->number, now->given);
            char shown[SHOWN + 1];
            show_label(&finding, shown, now->given);
            c->refused = true;
            NF_TRY(nf_reading_error(
                c->reading, &finding,
                ENTITY_FORMAT " overlaps " ENTITY_FORMAT "; a word can belong to one entity only: "
                              "remove one, or say which is kept: overlap longest, or first",
                ENTITY_ARGS(now->number, now->given), ENTITY_ARGS(last->number, last->given)));
        }
        if (!last || now->end > last->end) last = now;
    }
    return NERFIT_OK;
}

/* Takes the candidates in the policy's order, each if none of its characters is taken. */
static nerfit_status keep_some(checker *c, const char *why) {
    char *taken = calloc(c->length + (size_t)1, 1);
    if (!taken) return nf_no_memory(c->reading->err, c->length);
    nerfit_status status = NERFIT_OK;
    size_t n = 0;
    for (size_t i = 0; i < c->n_kept && status == NERFIT_OK; i++) {
        const candidate now = c->kept[i];
        if (!memchr(taken + now.start, 1, now.end - now.start)) {
            memset(taken + now.start, 1, now.end - now.start);
            c->kept[n++] = now;
            continue;
        }
        nf_finding finding = finding_of(c, NF_FINDING_OVERLAP, now.number, now.given);
        char shown[SHOWN + 1];
        show_label(&finding, shown, now.given);
        status = nf_reading_warning(c->reading, &finding,
                                    ENTITY_FORMAT " overlaps another one: left out (%s)",
                                    ENTITY_ARGS(now.number, now.given), why);
    }
    free(taken);
    c->n_kept = n;
    return status;
}

static nerfit_status check_against_each_other(checker *c) {
    sort(c, by_place);
    NF_TRY(drop_duplicates(c));
    switch (c->reading->options->overlap) {
    case NF_OVERLAP_ERROR:
        return refuse_overlaps(c);
    case NF_OVERLAP_KEEP_ALL:
        return NERFIT_OK;
    case NF_OVERLAP_KEEP_LONGEST:
        sort(c, by_size);
        NF_TRY(keep_some(c, "the longest is kept"));
        break;
    case NF_OVERLAP_KEEP_FIRST:
        sort(c, by_number);
        NF_TRY(keep_some(c, "the first is kept"));
        break;
    }
    sort(c, by_place);
    return NERFIT_OK;
}

static nerfit_status check_spans(checker *c) {
    for (size_t i = 0; i < c->given->n_spans; i++) {
        candidate now = {.number = i + 1, .given = &c->given->spans[i]};
        bool good;
        NF_TRY(check_label(c, i + 1, now.given, &now, &good));
        if (good) NF_TRY(check_range(c, i + 1, now.given, &now, &good));
        if (good) c->kept[c->n_kept++] = now;
    }
    return check_against_each_other(c);
}

/* ---------------------------------------------------------------- what is not known of the text */

static nerfit_status text_error(checker *c, const char *what, size_t number) {
    nf_finding finding = {.kind = NF_FINDING_OUTSIDE, .line = c->given->line};
    c->refused = true;
    return nf_reading_error(c->reading, &finding, "\"unknown\": item %zu %s", number, what);
}

static int by_start(const void *a, const void *b) {
    const nf_range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* Places in code points, sorted, those that touch made one. */
static nerfit_status check_unknown(checker *c) {
    const nf_beside *beside = c->given->beside;
    size_t n = beside ? beside->n_unknown : 0, kept = 0;
    if (n == 0) return NERFIT_OK;
    c->unknown = malloc(n * sizeof *c->unknown);
    if (!c->unknown) return nf_no_memory(c->reading->err, n * sizeof *c->unknown);
    for (size_t i = 0; i < n; i++) {
        nf_range *r = &c->unknown[i];
        if (!place_of(c, beside->unknown[i].end, &r->end))
            return text_error(c, "ends past the text, or inside a character", i + 1);
        if (!place_of(c, beside->unknown[i].start, &r->start))
            return text_error(c, "begins inside a character", i + 1);
    }
    qsort(c->unknown, n, sizeof *c->unknown, by_start);
    for (size_t i = 0; i < n; i++) {
        nf_range *last = kept ? &c->unknown[kept - 1] : NULL, now = c->unknown[i];
        if (last && now.start <= last->end)
            last->end = now.end > last->end ? now.end : last->end;
        else
            c->unknown[kept++] = now;
    }
    c->n_unknown = kept;
    return NERFIT_OK;
}

/* A text's `labels` name those of its entities. */
static nerfit_status check_looked_for(checker *c) {
    const nf_beside *beside = c->given->beside;
    for (size_t i = 0; beside && beside->labels && i < c->n_kept; i++) {
        const candidate *now = &c->kept[i];
        bool there = false;
        for (size_t k = 0; k < beside->n_labels && !there; k++)
            there = strlen(beside->labels[k]) == now->label_size &&
                    memcmp(beside->labels[k], now->label, now->label_size) == 0;
        if (!there)
            NF_TRY(span_error(c, NF_FINDING_BAD_LABEL, now->number, now->given,
                              "has a label that is not among the text's \"labels\", the ones "
                              "that were looked for in it"));
    }
    return NERFIT_OK;
}

static nerfit_status check_text(checker *c) {
    const nf_given_document *given = c->given;
    nf_reading *r = c->reading;
    size_t bad;
    c->refused = true;
    if (given->text_size > INT32_MAX)
        return nf_reading_malformed(r, given->line, 0, "the text is longer than 2^31 bytes");
    if (!nf_utf8_valid(given->text, given->text_size, &bad))
        return nf_reading_malformed(r, given->line, 0, "is not valid UTF-8 at byte %zu of the text",
                                    bad + 1);
    if (given->text_size && memchr(given->text, '\0', given->text_size))
        return nf_reading_malformed(r, given->line, 0, "the text holds a NUL character");
    c->refused = false;
    c->length = (uint32_t)nf_utf8_count(given->text, given->text_size);
    return NERFIT_OK;
}

static nerfit_status prepare(checker *c) {
    const nf_given_document *given = c->given;
    c->kept = malloc((given->n_spans + 1) * sizeof *c->kept);
    if (!c->kept) return nf_no_memory(c->reading->err, given->n_spans * sizeof *c->kept);
    c->unit = c->reading->options->offsets_given ? c->reading->options->offsets : given->unit;
    if (!given->n_spans || c->length == given->text_size) return NERFIT_OK;
    c->offsets = malloc(((size_t)c->length + 1) * sizeof *c->offsets);
    if (!c->offsets) return nf_no_memory(c->reading->err, c->length);
    size_t n = 0;
    for (size_t i = 0; i < given->text_size; i++)
        if (((unsigned char)given->text[i] & 0xC0) != 0x80) c->offsets[n++] = (uint32_t)i;
    c->offsets[n] = (uint32_t)given->text_size;
    return NERFIT_OK;
}

/* The name is copied once for a run of documents from one file. */
static const char *own_file(nf_corpus *corpus, const char *name) {
    if (!corpus->file || strcmp(corpus->file, name) != 0)
        corpus->file = nf_arena_strdup(&corpus->arena, name);
    return corpus->file;
}

static const nf_beside *own_beside(checker *c) {
    if (!c->given->beside) return NULL;
    nf_beside beside = *c->given->beside;
    beside.unknown = c->unknown;
    beside.n_unknown = c->n_unknown;
    return nf_corpus_beside(c->reading->corpus, &beside);
}

static nerfit_status append(checker *c) {
    nf_corpus *corpus = c->reading->corpus;
    const nf_given_document *given = c->given;
    nerfit_error *err = c->reading->err;
    if (!nf_array_reserve(&corpus->documents, &corpus->capacity, corpus->n_documents + 1,
                          sizeof *corpus->documents))
        return nf_no_memory(err, 0);
    nf_document d = {
        .text = nf_arena_copy(&corpus->arena, given->text, given->text_size),
        .text_size = given->text_size,
        .length = c->length,
        .spans = nf_arena_calloc(&corpus->arena, c->n_kept, sizeof *d.spans),
        .n_spans = c->n_kept,
        .n_words = given->n_words,
        .beside = own_beside(c),
        .file = own_file(corpus, c->reading->name),
        .line = given->line,
    };
    if (!d.text || !d.spans || !d.file || !d.beside != !given->beside)
        return nf_no_memory(err, given->text_size);
    for (size_t i = 0; i < c->n_kept; i++) {
        const candidate *now = &c->kept[i];
        const nf_beside *beside = now->given->beside;
        d.spans[i] =
            (nf_span){now->start, now->end, nf_corpus_label(corpus, now->label, now->label_size),
                      nf_corpus_beside(corpus, beside)};
        if (!d.spans[i].label || !d.spans[i].beside != !beside)
            return nf_no_memory(err, now->label_size);
    }
    if (given->n_words) {
        d.words = nf_arena_calloc(&corpus->arena, given->n_words, sizeof *d.words);
        if (!d.words) return nf_no_memory(err, given->n_words * sizeof *d.words);
        memcpy(d.words, given->words, given->n_words * sizeof *d.words);
    }
    for (size_t i = 0; NF_ASSERTING && i < d.n_spans; i++) { /* what everybody behind relies on */
        nf_assert_below(d.spans[i].start, d.spans[i].end);
        nf_assert_within(d.spans[i].end, d.length);
        nf_assert(
            i == 0 || d.spans[i - 1].start < d.spans[i].start ||
            (d.spans[i - 1].start == d.spans[i].start && d.spans[i - 1].end <= d.spans[i].end));
    }
    corpus->documents[corpus->n_documents++] = d;
    corpus->n_spans += d.n_spans;
    return NERFIT_OK;
}

nerfit_status nf_reading_add(nf_reading *reading, const nf_given_document *given) {
    nf_given_document text = *given;
    if (reading->texts_only) text.n_spans = 0;
    checker c = {.reading = reading, .given = &text};
    NF_TRY(check_text(&c));
    if (c.refused) return NERFIT_OK;
    nerfit_status status = prepare(&c);
    if (status == NERFIT_OK) status = check_spans(&c);
    if (status == NERFIT_OK && !reading->texts_only) status = check_looked_for(&c);
    if (status == NERFIT_OK) status = check_unknown(&c);
    if (status == NERFIT_OK && !c.refused) status = append(&c);
    free(c.offsets);
    free(c.unknown);
    free(c.kept);
    return status;
}

nerfit_status nf_corpus_add_with(nf_corpus *corpus, const nf_given_document *given,
                                 const nf_annotation_options *options, nerfit_error *err) {
    nf_reading reading = nf_reading_begin(corpus, options, given->file, err);
    return nf_reading_add(&reading, given);
}

nerfit_status nf_corpus_add(nf_corpus *corpus, const nf_given_document *given, const nf_log *log,
                            nerfit_error *err) {
    nf_annotation_options options = {.log = log};
    return nf_corpus_add_with(corpus, given, &options, err);
}
