#include "data/words.h"

#include <stdlib.h>

#include <utf8proc.h>

#include "base/script.h"
#include "base/utf8.h"

static bool is_word_character(uint32_t c) {
    if (c < 128) return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
    if (nf_is_spaceless(c)) return false;
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

/* Walks along the code points: each belongs to the open word, begins one, or is white space. */
typedef struct splitter {
    nf_word *words;
    size_t count;
    uint32_t last;             /* the code point before */
    utf8proc_int32_t clusters; /* utf8proc's state for UAX 29 */
    bool open, run;            /* whether a word is open, and whether letters may go on with it */
} splitter;

static void take(splitter *s, uint32_t at, uint32_t c) {
    bool joined = s->open && !utf8proc_grapheme_break_stateful((utf8proc_int32_t)s->last,
                                                               (utf8proc_int32_t)c, &s->clusters);
    s->last = c;
    if (nf_is_space(c)) {
        s->open = false;
        s->clusters = 0;
        return;
    }
    bool letter = is_word_character(c);
    if (joined || (s->open && s->run && letter)) {
        s->words[s->count - 1].end = at + 1;
        return;
    }
    s->words[s->count++] = (nf_word){at, at + 1};
    s->open = true;
    s->run = letter;
}

/* Words of the text from byte `byte`, code point `at`, up to code point `end`. */
static size_t split(splitter *s, const char *text, size_t size, size_t byte, uint32_t at,
                    uint32_t end) {
    uint32_t c;
    s->open = false;
    s->clusters = 0;
    for (size_t step; at < end && byte < size; byte += step, at++) {
        step = nf_utf8_decode(text + byte, size - byte, &c);
        if (step == 0) break;
        take(s, at, c);
    }
    return byte;
}

static nerfit_status room(nf_word **words, size_t count, nerfit_error *err) {
    *words = malloc((count + 1) * sizeof **words);
    return *words ? NERFIT_OK : nf_no_memory(err, count * sizeof **words);
}

nerfit_status nf_words_of_text(nf_word **words, size_t *count, const char *text, size_t size,
                               nerfit_error *err) {
    uint32_t length = (uint32_t)nf_utf8_count(text, size);
    *count = 0;
    NF_TRY(room(words, length, err));
    splitter s = {.words = *words};
    split(&s, text, size, 0, 0, length);
    *count = s.count;
    return NERFIT_OK;
}

/* The document's own words, and words for what lies between them. */
static nerfit_status all_words(nf_word **words, size_t *count, const nf_document *d,
                               nerfit_error *err) {
    if (!d->n_words) return nf_words_of_text(words, count, d->text, d->text_size, err);
    NF_TRY(room(words, (size_t)d->length + d->n_words, err));
    splitter s = {.words = *words};
    size_t byte = 0;
    uint32_t at = 0;
    for (size_t i = 0; i <= d->n_words; i++) {
        uint32_t gap_end = i < d->n_words ? d->words[i].start : d->length;
        byte = split(&s, d->text, d->text_size, byte, at, gap_end);
        if (i == d->n_words) break;
        at = d->words[i].end;
        byte += nf_utf8_offset(d->text + byte, d->text_size - byte, at - gap_end);
        s.words[s.count++] = d->words[i];
    }
    *count = s.count;
    return NERFIT_OK;
}

static int compare_places(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* All edges of spans, in order: spans may lie in each other. */
static nerfit_status edges_of(uint32_t **edges, const nf_document *d, nerfit_error *err) {
    *edges = malloc((2 * d->n_spans + 1) * sizeof **edges);
    if (!*edges) return nf_no_memory(err, 2 * d->n_spans * sizeof **edges);
    for (size_t i = 0; i < d->n_spans; i++) {
        (*edges)[2 * i] = d->spans[i].start;
        (*edges)[2 * i + 1] = d->spans[i].end;
    }
    if (d->n_spans) qsort(*edges, 2 * d->n_spans, sizeof **edges, compare_places);
    return NERFIT_OK;
}

/* Divides words at the span edges inside them. */
static size_t divide(nf_word *out, const nf_word *words, size_t count, const uint32_t *edges,
                     size_t n_edges) {
    size_t n = 0, edge = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t start = words[i].start;
        while (edge < n_edges && edges[edge] <= start) edge++;
        for (; edge < n_edges && edges[edge] < words[i].end; edge++) {
            if (edges[edge] == start) continue;
            out[n++] = (nf_word){start, edges[edge]};
            start = edges[edge];
        }
        out[n++] = (nf_word){start, words[i].end};
    }
    return n;
}

nerfit_status nf_words_split(nf_word **words, size_t *count, const nf_document *document,
                             nerfit_error *err) {
    nf_word *whole;
    uint32_t *edges = NULL;
    size_t n_whole;
    *count = 0;
    *words = NULL;
    NF_TRY(all_words(&whole, &n_whole, document, err));
    nerfit_status status = edges_of(&edges, document, err);
    if (status == NERFIT_OK) status = room(words, n_whole + 2 * document->n_spans, err);
    if (status == NERFIT_OK) *count = divide(*words, whole, n_whole, edges, 2 * document->n_spans);
    free(whole);
    free(edges);
    return status;
}
