/* One pass with the little memory that the rules GB9c and GB11 need. */
#include "text/grapheme.h"

#include "text/unicode.h"

enum { NO_PICTURE, PICTURE, PICTURE_ZWJ };         /* GB11: a picture and what extends it, a ZWJ */
enum { NO_CONJUNCT, CONSONANT, CONSONANT_LINKER }; /* GB9c: a consonant, a linker since */

static bool hangul_joins(uint8_t before, uint8_t after) {
    switch (before) {
    case NF_GRAPHEME_L:
        return after == NF_GRAPHEME_L || after == NF_GRAPHEME_V || after == NF_GRAPHEME_LV ||
               after == NF_GRAPHEME_LVT;
    case NF_GRAPHEME_V:
    case NF_GRAPHEME_LV:
        return after == NF_GRAPHEME_V || after == NF_GRAPHEME_T;
    case NF_GRAPHEME_T:
    case NF_GRAPHEME_LVT:
        return after == NF_GRAPHEME_T;
    default:
        return false;
    }
}

size_t nf_grapheme_end(const char *text, size_t at, size_t end) {
    uint32_t c;
    size_t i = at + nf_utf8_next(text + at, &c);
    if (c == '\r' && i < end && text[i] == '\n') return i + 1;
    uint8_t before = nf_grapheme_class(c);
    if (before == NF_GRAPHEME_CONTROL) return i;
    int picture = before == NF_GRAPHEME_PICTURE ? PICTURE : NO_PICTURE;
    int conjunct = before == NF_GRAPHEME_CONSONANT ? CONSONANT : NO_CONJUNCT;
    while (i < end) {
        size_t size = nf_utf8_next(text + i, &c);
        uint8_t class = nf_grapheme_class(c);
        switch (class) {
        case NF_GRAPHEME_CONTROL:
            return i;
        case NF_GRAPHEME_EXTEND:
        case NF_GRAPHEME_INDIC_EXTEND:
        case NF_GRAPHEME_LINKER:
            picture = picture == PICTURE ? PICTURE : NO_PICTURE;
            break;
        case NF_GRAPHEME_ZWJ:
            picture = picture == PICTURE ? PICTURE_ZWJ : NO_PICTURE;
            break;
        case NF_GRAPHEME_SPACING:
            picture = NO_PICTURE;
            break;
        default:
            if (before != NF_GRAPHEME_PREPEND && !hangul_joins(before, class) &&
                !(picture == PICTURE_ZWJ && class == NF_GRAPHEME_PICTURE) &&
                !(conjunct == CONSONANT_LINKER && class == NF_GRAPHEME_CONSONANT))
                return i;
            picture = class == NF_GRAPHEME_PICTURE ? PICTURE : NO_PICTURE;
        }
        if (class == NF_GRAPHEME_CONSONANT)
            conjunct = CONSONANT;
        else if (class == NF_GRAPHEME_LINKER)
            conjunct = conjunct ? CONSONANT_LINKER : NO_CONJUNCT;
        else if (class != NF_GRAPHEME_ZWJ && class != NF_GRAPHEME_INDIC_EXTEND)
            conjunct = NO_CONJUNCT;
        before = class;
        i += size;
    }
    return i;
}
