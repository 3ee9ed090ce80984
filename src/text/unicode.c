/* Binary searches in the generated tables, and the arithmetic of Hangul syllables (Unicode
 * standard, section 3.12), which has no table. */
#include "text/unicode.h"

enum {
    HANGUL_S = 0xAC00,
    HANGUL_L = 0x1100,
    HANGUL_V = 0x1161,
    HANGUL_T = 0x11A7,
    HANGUL_L_COUNT = 19,
    HANGUL_V_COUNT = 21,
    HANGUL_T_COUNT = 28,
    HANGUL_S_COUNT = HANGUL_L_COUNT * HANGUL_V_COUNT * HANGUL_T_COUNT
};

size_t nf_unicode_to_lower(uint32_t c, uint32_t out[2]) {
    out[0] = c;
    if (c < 0x80) {
        if (c >= 'A' && c <= 'Z') out[0] = c + 32;
        return 1;
    }
    if (c == 0x130) { /* the only one whose lower case is longer: i, combining dot above */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    size_t low = 0, high = nf_unicode_lower_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (nf_unicode_lower[middle].from < c)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < nf_unicode_lower_count && nf_unicode_lower[low].from == c)
        out[0] = nf_unicode_lower[low].to;
    return 1;
}

static const nf_unicode_decomposition *find(const nf_unicode_decomposition *table, size_t count,
                                            uint32_t c) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table[middle].from < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && table[low].from == c ? &table[low] : NULL;
}

size_t nf_unicode_decompose(uint32_t c, bool compatibility,
                            uint32_t out[NF_UNICODE_MAX_DECOMPOSITION]) {
    if (c >= HANGUL_S && c < HANGUL_S + HANGUL_S_COUNT) {
        uint32_t s = c - HANGUL_S;
        out[0] = HANGUL_L + s / (HANGUL_V_COUNT * HANGUL_T_COUNT);
        out[1] = HANGUL_V + s % (HANGUL_V_COUNT * HANGUL_T_COUNT) / HANGUL_T_COUNT;
        out[2] = HANGUL_T + s % HANGUL_T_COUNT;
        return out[2] == HANGUL_T ? 2 : 3;
    }
    const nf_unicode_decomposition *row = NULL;
    if (compatibility) row = find(nf_unicode_nfkd, nf_unicode_nfkd_count, c);
    if (!row) row = find(nf_unicode_nfd, nf_unicode_nfd_count, c);
    if (!row) {
        out[0] = c;
        return 1;
    }
    for (size_t i = 0; i < row->length; i++) out[i] = nf_unicode_pool[row->offset + i];
    return row->length;
}

uint32_t nf_unicode_compose_pair(uint32_t first, uint32_t second) {
    if (first >= HANGUL_L && first < HANGUL_L + HANGUL_L_COUNT && second >= HANGUL_V &&
        second < HANGUL_V + HANGUL_V_COUNT)
        return HANGUL_S +
               ((first - HANGUL_L) * HANGUL_V_COUNT + (second - HANGUL_V)) * HANGUL_T_COUNT;
    if (first >= HANGUL_S && first < HANGUL_S + HANGUL_S_COUNT &&
        (first - HANGUL_S) % HANGUL_T_COUNT == 0 && second > HANGUL_T &&
        second < HANGUL_T + HANGUL_T_COUNT)
        return first + (second - HANGUL_T);
    size_t low = 0, high = nf_unicode_compose_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const nf_unicode_composition *row = &nf_unicode_compose[middle];
        if (row->first < first || (row->first == first && row->second < second))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == nf_unicode_compose_count || nf_unicode_compose[low].first != first ||
        nf_unicode_compose[low].second != second)
        return 0;
    return nf_unicode_compose[low].composed;
}

uint8_t nf_unicode_combining_class(uint32_t c) {
    if (!(nf_unicode_flags_of(c) & NF_UNICODE_HAS_CLASS)) return 0;
    size_t low = 0, high = nf_unicode_class_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (nf_unicode_classes[middle].to < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < nf_unicode_class_count && nf_unicode_classes[low].from <= c
               ? nf_unicode_classes[low].value
               : 0;
}
