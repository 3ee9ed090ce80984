/* Extended grapheme clusters (UAX #29) as the normalizer Precompiled of `tokenizers` sees them: it
 * treats a short cluster as a whole. The classes were read out of the package
 * (tools/grapheme_tables.py); what makes no difference there, regional indicators above all, has no
 * class. */
#ifndef NF_TEXT_GRAPHEME_H
#define NF_TEXT_GRAPHEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NF_GRAPHEME_OTHER,
    NF_GRAPHEME_CONTROL,
    NF_GRAPHEME_EXTEND,
    NF_GRAPHEME_INDIC_EXTEND, /* Extend, and Extend of Indic_Conjunct_Break */
    NF_GRAPHEME_LINKER,       /* Extend, and Linker of Indic_Conjunct_Break */
    NF_GRAPHEME_ZWJ,
    NF_GRAPHEME_SPACING,
    NF_GRAPHEME_PREPEND,
    NF_GRAPHEME_L,
    NF_GRAPHEME_V,
    NF_GRAPHEME_T,
    NF_GRAPHEME_LV,
    NF_GRAPHEME_LVT,
    NF_GRAPHEME_PICTURE,
    NF_GRAPHEME_CONSONANT /* of Indic_Conjunct_Break */
};

extern const uint8_t nf_grapheme_block[8704];
extern const uint8_t nf_grapheme_classes[];

static inline uint8_t nf_grapheme_class(uint32_t c) {
    if (c >= 0xAC00 && c < 0xAC00 + 11172)
        return (c - 0xAC00) % 28 ? NF_GRAPHEME_LVT : NF_GRAPHEME_LV;
    return nf_grapheme_classes[nf_grapheme_block[c >> 7] * 128u + (c & 127)];
}

/* The end of the cluster that begins at `at`, in valid UTF-8. */
size_t nf_grapheme_end(const char *text, size_t at, size_t end);

#endif
