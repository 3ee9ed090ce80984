#include "text/word_shapes.h"

#include "base/utf8.h"
#include "text/unicode.h"

/* What a word's shape is told by. */
typedef struct letters {
    size_t capitals, small, digits;
    bool capital_first;
    uint32_t last; /* code point */
} letters;

/* Code points from `start` to `end`, where p goes. */
static letters count_letters(nf_utf8_place *p, uint32_t start, uint32_t end) {
    letters out = {0};
    for (uint32_t i = start; i < end; i++) {
        uint32_t c;
        nf_utf8_go_to(p, i);
        if (p->byte >= p->size) break;
        nf_utf8_next(p->text + p->byte, &c);
        uint16_t flags = nf_unicode_flags_of(c);
        if (flags & NF_UNICODE_SPACE) continue;
        out.last = c;
        if (flags & NF_UNICODE_NUMBER) {
            out.digits++;
        } else if (flags & NF_UNICODE_LETTER) {
            bool capital = flags & NF_UNICODE_HAS_LOWER;
            if (out.capitals + out.small == 0) out.capital_first = capital;
            if (capital)
                out.capitals++;
            else
                out.small++;
        }
    }
    return out;
}

static nf_word_shape shape_of(const letters *l, bool begins_sentence) {
    size_t all = l->capitals + l->small;
    if (all == 0) return l->digits ? NF_SHAPE_DIGITS : NF_SHAPE_MARKS;
    if (l->digits) return NF_SHAPE_LETTERS_DIGITS;
    if (l->capitals == 0) return NF_SHAPE_SMALL;
    if (l->small == 0) return all == 1 ? NF_SHAPE_CAPITAL : NF_SHAPE_CAPITALS;
    if (l->capitals > 1 || !l->capital_first) return NF_SHAPE_MIXED;
    return begins_sentence ? NF_SHAPE_CAPITALISED_FIRST : NF_SHAPE_CAPITALISED;
}

static bool ends_sentence(uint32_t c) {
    return c == '.' || c == '!' || c == '?';
}

void nf_word_shapes(const nf_encoded_text *t, const bool *starts, int32_t *shapes) {
    const nf_encoding *e = t->encoding;
    size_t before = t->before, n = e->length - before - t->after, end;
    nf_utf8_place place = {t->text, t->size, 0, 0};
    bool begins = true;
    for (size_t i = 0; i < n; i = end) {
        uint32_t from = e->starts[before + i], to = e->ends[before + i];
        for (end = i + 1; end < n && !starts[end]; end++) {
            if (e->starts[before + end] < from) from = e->starts[before + end];
            if (e->ends[before + end] > to) to = e->ends[before + end];
        }
        letters l = count_letters(&place, from, to);
        nf_word_shape shape = shape_of(&l, begins);
        for (size_t k = i; k < end; k++) shapes[k] = (int32_t)shape;
        /* a mark in front of a sentence leaves what it found */
        if (shape != NF_SHAPE_MARKS || ends_sentence(l.last)) begins = ends_sentence(l.last);
    }
}
