/* Classes of code points as the patterns of Split, and the pre-tokenizers Digits and
 * UnicodeScripts, see them. Like the tables of unicode.h they were read out of the package
 * `tokenizers` itself (tools/unicode_class_tables.py): its regular expressions know another Unicode
 * version than its other parts. */
#ifndef NF_TEXT_UNICODE_CLASS_H
#define NF_TEXT_UNICODE_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* General categories, as \p{..} of a pattern names them. */
typedef enum nf_category {
    NF_CATEGORY_LU,
    NF_CATEGORY_LL,
    NF_CATEGORY_LT,
    NF_CATEGORY_LM,
    NF_CATEGORY_LO,
    NF_CATEGORY_MN,
    NF_CATEGORY_MC,
    NF_CATEGORY_ME,
    NF_CATEGORY_ND,
    NF_CATEGORY_NL,
    NF_CATEGORY_NO,
    NF_CATEGORY_PC,
    NF_CATEGORY_PD,
    NF_CATEGORY_PS,
    NF_CATEGORY_PE,
    NF_CATEGORY_PI,
    NF_CATEGORY_PF,
    NF_CATEGORY_PO,
    NF_CATEGORY_SM,
    NF_CATEGORY_SC,
    NF_CATEGORY_SK,
    NF_CATEGORY_SO,
    NF_CATEGORY_ZS,
    NF_CATEGORY_ZL,
    NF_CATEGORY_ZP,
    NF_CATEGORY_CC,
    NF_CATEGORY_CF,
    NF_CATEGORY_CS,
    NF_CATEGORY_CO,
    NF_CATEGORY_CN,
    NF_CATEGORIES
} nf_category;

enum {
    NF_CLASS_CATEGORY = 31, /* the category's bits */
    NF_CLASS_WORD = 32,     /* \w of a pattern */
    NF_CLASS_NUMERIC = 64   /* what Digits splits off (Rust's char::is_numeric) */
};

/* In rising order; code points of no range have the value 0. */
typedef struct nf_class_range {
    uint32_t first, last;
    uint8_t value;
} nf_class_range;

extern const uint16_t nf_class_block[];
extern const uint8_t nf_class_flags[];
/* Scripts of patterns: value i is nf_class_script_names[i - 1]. */
extern const nf_class_range nf_class_scripts[];
extern const size_t nf_class_scripts_count;
extern const char *const nf_class_script_names[];
extern const size_t nf_class_script_names_count;
/* What UnicodeScripts takes for one script; 0 goes with any. */
extern const nf_class_range nf_class_groups[];
extern const size_t nf_class_groups_count;

static inline uint8_t nf_class_flags_of(uint32_t c) {
    return nf_class_flags[nf_class_block[c >> 7] * 128u + (c & 127)];
}

static inline uint8_t nf_class_value(const nf_class_range *table, size_t count, uint32_t c) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table[middle].last < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && table[low].first <= c ? table[low].value : 0;
}

#endif
