/* Unicode as Hugging Face `tokenizers` sees it. Its parts use four different Unicode versions, and
 * ids and offsets must equal its own; so the tables are not a library's but were read out of the
 * package itself, code point by code point (tools/unicode_tables.py names the version). */
#ifndef NF_TEXT_UNICODE_H
#define NF_TEXT_UNICODE_H

#include <stdbool.h>

#include "base/utf8.h"
#include "text/unicode_data.h"

enum {
    NF_UNICODE_SPACE = 1,        /* White_Space */
    NF_UNICODE_CONTROL = 2,      /* what BertNormalizer's clean_text removes */
    NF_UNICODE_PUNCTUATION = 4,  /* what BertPreTokenizer isolates */
    NF_UNICODE_NONSPACING = 8,   /* Mn: the accents that BertNormalizer strips */
    NF_UNICODE_COMBINING = 16,   /* M: the marks that StripAccents strips */
    NF_UNICODE_LETTER = 32,      /* \p{L} of the GPT-2 pattern */
    NF_UNICODE_NUMBER = 64,      /* \p{N} of the GPT-2 pattern */
    NF_UNICODE_WORD = 128,       /* \w */
    NF_UNICODE_HAS_LOWER = 256,  /* lower-casing changes it */
    NF_UNICODE_HAS_NFD = 512,    /* it decomposes canonically */
    NF_UNICODE_HAS_NFKD = 1024,  /* it decomposes, compatibility forms included */
    NF_UNICODE_HAS_CLASS = 2048, /* its canonical combining class is not 0 */
    NF_UNICODE_NOT_NFC = 4096,   /* a text without any such code point is in NFC */
    NF_UNICODE_CHINESE = 8192    /* what BertNormalizer puts spaces around */
};

enum { NF_UNICODE_MAX_DECOMPOSITION = 18 };

static inline uint16_t nf_unicode_flags_of(uint32_t c) {
    return nf_unicode_flags[nf_unicode_block[c >> 7] * 128u + (c & 127)];
}

/* Writes the lower case of `c` (1 or 2 code points) and returns how many. */
size_t nf_unicode_to_lower(uint32_t c, uint32_t out[2]);
/* Writes the full decomposition of `c` and returns how many code points it has. */
size_t nf_unicode_decompose(uint32_t c, bool compatibility,
                            uint32_t out[NF_UNICODE_MAX_DECOMPOSITION]);
/* The canonical composition of a pair, or 0 if it has none. */
uint32_t nf_unicode_compose_pair(uint32_t first, uint32_t second);
uint8_t nf_unicode_combining_class(uint32_t c);

/* Decodes one code point of text that is known to be valid UTF-8; returns its size. */
static inline size_t nf_utf8_next(const char *text, uint32_t *code_point) {
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x80) {
        *code_point = p[0];
        return 1;
    }
    if (p[0] < 0xE0) {
        *code_point = (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
        return 2;
    }
    if (p[0] < 0xF0) {
        *code_point = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
        return 3;
    }
    *code_point =
        (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
    return 4;
}

#endif
