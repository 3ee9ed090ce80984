/* The layout of the generated tables in unicode_data.c; everyone else includes text/unicode.h. */
#ifndef NF_TEXT_UNICODE_DATA_H
#define NF_TEXT_UNICODE_DATA_H

#include <stddef.h>
#include <stdint.h>

typedef struct nf_unicode_pair {
    uint32_t from, to;
} nf_unicode_pair;

/* pool[offset .. offset + length) */
typedef struct nf_unicode_decomposition {
    uint32_t from;
    uint16_t offset, length;
} nf_unicode_decomposition;

typedef struct nf_unicode_composition {
    uint32_t first, second, composed;
} nf_unicode_composition;

/* Canonical combining class of the code points from .. to, both included. */
typedef struct nf_unicode_class {
    uint32_t from, to;
    uint8_t value;
} nf_unicode_class;

/* flags[block[c / 128] * 128 + c % 128]; all other tables are sorted by their first members. */
extern const uint16_t nf_unicode_block[];
extern const uint16_t nf_unicode_flags[];
extern const nf_unicode_pair nf_unicode_lower[];
extern const size_t nf_unicode_lower_count;
extern const nf_unicode_decomposition nf_unicode_nfd[], nf_unicode_nfkd[];
extern const size_t nf_unicode_nfd_count, nf_unicode_nfkd_count;
extern const uint32_t nf_unicode_pool[];
extern const nf_unicode_composition nf_unicode_compose[];
extern const size_t nf_unicode_compose_count;
extern const nf_unicode_class nf_unicode_classes[];
extern const size_t nf_unicode_class_count;

#endif
