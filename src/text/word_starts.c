#include "text/word_starts.h"

#include <stdlib.h>

#include "base/script.h"
#include "base/utf8.h"
#include "text/grapheme.h"
#include "text/unicode.h"

bool nf_belongs_to_previous(uint32_t c) {
    uint8_t class = nf_grapheme_class(c);
    return (nf_unicode_flags_of(c) & NF_UNICODE_COMBINING) ||
           (class >= NF_GRAPHEME_EXTEND && class <= NF_GRAPHEME_SPACING);
}

static bool is_mark(uint32_t c) {
    return nf_unicode_flags_of(c) & NF_UNICODE_COMBINING;
}

/* The code point at an index, where p goes; false behind the text. */
static bool code_point_at(nf_utf8_place *p, uint32_t index, uint32_t *c) {
    nf_utf8_go_to(p, index);
    if (p->byte >= p->size) return false;
    nf_utf8_next(p->text + p->byte, c);
    return true;
}

/* White space of a text by code point. Where all are ASCII, as in most texts, they are the bytes. */
typedef struct blanks {
    nf_utf8_place place;
    bool ascii;
} blanks;

static blanks blanks_of(const char *text, size_t size) {
    unsigned char all = 0;
    for (size_t i = 0; i < size; i++) all |= (unsigned char)text[i];
    return (blanks){{text, size, 0, 0}, all < 0x80};
}

static inline bool blank_at(blanks *b, uint32_t index) {
    uint32_t c;
    if (b->ascii) {
        unsigned char byte = index < b->place.size ? (unsigned char)b->place.text[index] : 0;
        return byte <= ' ' && nf_is_space(byte);
    }
    return code_point_at(&b->place, index, &c) && nf_is_space(c);
}

/* Marks that stand before a word or after one: quotes open in one language and close in another („…“,
 * “…”, ”…”, «…», »…«). */
static const uint32_t quotes[] = {'"',    '\'',   '`',    0xAB,   0xBB,
                                  0x2018, 0x201C, 0x201D, 0x2039, 0x203A};
static const uint32_t opening[] = {'(',    '[',    '{',    0xA1,   0xBF,   0x201A, 0x201E,
                                   0x3008, 0x300A, 0x300C, 0x300E, 0x3010, 0xFF08};
static const uint32_t closing[] = {')',    ']',    '}',    '.',    ',',    ';',    ':',    '!',
                                   '?',    0x060C, 0x061B, 0x061F, 0x06D4, 0x0964, 0x0965, 0x2019,
                                   0x2026, 0x3001, 0x3002, 0x3009, 0x300B, 0x300D, 0x300F, 0x3011,
                                   0xFF01, 0xFF09, 0xFF0C, 0xFF1A, 0xFF1B, 0xFF1F};

static bool is_one_of(uint32_t c, const uint32_t *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (list[i] == c) return true;
    return false;
}

static bool is_quote(uint32_t c) {
    return is_one_of(c, quotes, sizeof quotes / sizeof *quotes);
}
static bool opens(uint32_t c) {
    return is_quote(c) || is_one_of(c, opening, sizeof opening / sizeof *opening);
}
static bool closes(uint32_t c) {
    return is_quote(c) || is_one_of(c, closing, sizeof closing / sizeof *closing);
}

/* Whether a word ends and closing marks begin here, with nothing behind them but white space, or
 * opening marks end that stand behind white space: "(Paris)," is a word and three marks also where a
 * tokenizer divides at blanks alone, as SentencePiece's do. */
static bool meets_marks(nf_utf8_place *p, uint32_t at, uint32_t before, uint32_t now) {
    uint32_t c = 0, i = at;
    bool marked = opens(before) || closes(before), marks = opens(now) || closes(now);
    if (marked == marks) return false;
    if (marks) {
        while (code_point_at(p, i, &c) && closes(c)) i++;
        return i > at && (!code_point_at(p, i, &c) || nf_is_space(c));
    }
    while (i > 0 && code_point_at(p, i - 1, &c) && opens(c)) i--;
    return i < at && (i == 0 || nf_is_space(c));
}

/* Whether a word begins between two neighbours of the text, the second of which is at `index`;
 * `begins` is what the tokenizer says. */
static bool divides(nf_utf8_place *p, uint32_t index, bool begins) {
    uint32_t before, now;
    nf_utf8_go_to(p, index - 1);
    if (p->byte >= p->size) return begins;
    size_t next = p->byte + nf_utf8_next(p->text + p->byte, &before);
    if (next >= p->size) return begins;
    nf_utf8_next(p->text + next, &now);
    if (nf_unicode_flags_of(before) & NF_UNICODE_SPACE) return begins;
    if (nf_belongs_to_previous(now)) return false;
    if (nf_is_spaceless(before) || nf_is_spaceless(now)) return true;
    /* byte-level patterns end a word at every mark, as in Hindi */
    bool letter = nf_unicode_flags_of(now) & NF_UNICODE_LETTER;
    return begins ? !(is_mark(before) && letter) : meets_marks(p, index, before, now);
}

/* Words of blanks go on with the word before them; the first one of a text has none. */
static void join_blank_words(const nf_encoding *e, size_t first, size_t count, blanks *b,
                             bool *starts) {
    for (size_t i = 1, end; i < count; i = end) {
        bool blank = starts[i];
        for (size_t k = i; blank && (k == i || (k < count && !starts[k])); k++)
            for (uint32_t c = e->starts[first + k]; c < e->ends[first + k] && blank; c++)
                blank = blank_at(b, c);
        for (end = i + 1; end < count && !starts[end]; end++) {
        }
        if (blank) starts[i] = false;
    }
}

static void by_tokenizer(const nf_encoding *e, size_t first, size_t count, const char *text,
                         size_t size, bool *starts) {
    nf_utf8_place p = {text, size, 0, 0};
    for (size_t i = 0; i < count; i++) {
        size_t at = first + i;
        starts[i] = i == 0 || e->words[at] != e->words[at - 1];
        if (i == 0 || e->starts[at] >= e->ends[at] || e->starts[at - 1] >= e->ends[at - 1])
            continue;
        if (e->starts[at] < e->ends[at - 1])
            starts[i] = false; /* of one character */
        else if (e->starts[at] == e->ends[at - 1])
            starts[i] = divides(&p, e->starts[at], starts[i]);
    }
    blanks b = blanks_of(text, size);
    join_blank_words(e, first, count, &b, starts);
}

/* ---------------------------------------------------------------- between blanks */

/* "'s", "'ll": corpora write what follows an apostrophe as a word. */
static bool is_ending(const uint32_t *c, size_t size) {
    return (c[0] == '\'' || c[0] == 0x2019) && size > 1 && size <= 3 && !closes(c[size - 1]);
}

/* words[i] receives the number of the word that code point i belongs to (blanks: the word
 * before). */
static void number_words(const uint32_t *c, size_t n, uint32_t *words) {
    uint32_t word = 0;
    for (size_t i = 0; i < n;) {
        if (nf_is_space(c[i])) {
            words[i++] = word;
            continue;
        }
        size_t end = i, core = i;
        while (end < n && !nf_is_space(c[end])) end++;
        while (core < end && opens(c[core]) && !is_ending(c + core, end - core))
            words[core++] = ++word;
        size_t tail = end;
        while (tail > core && closes(c[tail - 1])) tail--;
        if (tail > core) word++;
        for (bool first = true; core < tail; first = false) {
            bool divided = !first && !nf_belongs_to_previous(c[core]) &&
                           (nf_is_spaceless(c[core - 1]) || nf_is_spaceless(c[core]));
            word += divided;
            words[core++] = word;
        }
        while (core < end) words[core++] = ++word;
        i = end;
    }
}

static nerfit_status by_blanks(const nf_encoding *e, size_t before, size_t n, const char *text,
                               size_t size, bool *starts, nerfit_error *err) {
    size_t length = 0;
    uint32_t *points = malloc(2 * size * sizeof *points + 1);
    if (!points) return nf_no_memory(err, 2 * size * sizeof *points);
    uint32_t *words = points + size;
    for (size_t at = 0; at < size; length++)
        at += nf_utf8_decode(text + at, size - at, &points[length]);
    number_words(points, length, words);
    uint32_t last = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t at = e->starts[before + i], end = e->ends[before + i];
        /* some tokenizers count the blank before a word to it */
        while (at + 1 < end && at < length && nf_is_space(points[at])) at++;
        uint32_t word = at < length ? words[at] : last;
        starts[i] = i == 0 || word != last;
        last = word;
    }
    free(points);
    return NERFIT_OK;
}

nerfit_status nf_word_starts(const nf_encoded_text *t, nf_word_kind kind, bool *starts,
                             nerfit_error *err) {
    const nf_encoding *e = t->encoding;
    size_t n = e->length - t->before - t->after;
    if (kind == NF_WORDS_BLANKS) return by_blanks(e, t->before, n, t->text, t->size, starts, err);
    by_tokenizer(e, t->before, n, t->text, t->size, starts);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- ranges */

/* Takes white space off both ends of start .. end-1. */
static void trim_range(nf_utf8_place *p, uint32_t *start, uint32_t *end) {
    uint32_t c;
    while (*start < *end && code_point_at(p, *start, &c) && nf_is_space(c)) ++*start;
    while (*end > *start && code_point_at(p, *end - 1, &c) && nf_is_space(c)) --*end;
}

void nf_subword_ranges(const nf_encoded_text *t, const bool *starts_word, uint32_t *starts,
                       uint32_t *ends) {
    const nf_encoding *e = t->encoding;
    size_t before = t->before, n = e->length - before - t->after;
    blanks b = blanks_of(t->text, t->size);
    for (size_t i = 0; i < n; i++) {
        uint32_t start = e->starts[before + i], end = e->ends[before + i];
        while (start < end && blank_at(&b, start)) start++;
        while (end > start && blank_at(&b, end - 1)) end--;
        starts[i] = start;
        ends[i] = end;
    }
    for (size_t i = 0; i < n; i++) {
        if (starts[i] < ends[i]) continue;
        size_t next = i + 1;
        while (next < n && !starts_word[next] && starts[next] >= ends[next]) next++;
        if (next < n && !starts_word[next])
            starts[i] = ends[i] = starts[next];
        else if (i > 0)
            starts[i] = ends[i] = ends[i - 1];
    }
}

/* Whether all from white space (or the text's start) up to `start` belongs to a character that is
 * not there; *first receives where it begins. */
static bool stray_marks_before(nf_utf8_place *p, uint32_t start, uint32_t *first) {
    uint32_t c = 0, at = start;
    while (at > 0 && code_point_at(p, at - 1, &c) && nf_belongs_to_previous(c)) at--;
    *first = at;
    return at < start && (at == 0 || nf_is_space(c));
}

nf_text_range nf_word_range(nf_utf8_place *p, uint32_t start, uint32_t end, uint32_t next) {
    uint32_t c, first;
    trim_range(p, &start, &end);
    nf_text_range range = {.start = start, .end = end};
    if (start < end) {
        if (stray_marks_before(p, start, &first)) range.start = first;
        while (range.end < next && code_point_at(p, range.end, &c) && nf_belongs_to_previous(c))
            range.end++;
    }
    nf_utf8_go_to(p, range.start);
    range.byte_start = p->byte;
    nf_utf8_go_to(p, range.end);
    range.byte_end = p->byte;
    return range;
}

bool nf_word_edge(const char *text, size_t size, size_t byte) {
    uint32_t c, before = ' ', after = ' ';
    size_t at = byte;
    /* a word's start: nothing but opening marks back to the blank */
    while (at > 0) {
        size_t start = at - 1;
        while (start > 0 && ((unsigned char)text[start] & 0xC0) == 0x80) start--;
        nf_utf8_decode(text + start, size - start, &before);
        if (nf_is_space(before) || !opens(before)) break;
        at = start;
    }
    if (at == 0 || nf_is_space(before)) return true;
    /* an end: nothing but closing marks up to the blank */
    for (at = byte; at < size;) {
        size_t length = nf_utf8_decode(text + at, size - at, &c);
        after = c;
        if (nf_is_space(c) || !closes(c)) break;
        at += length;
    }
    return at == size || nf_is_space(after);
}
