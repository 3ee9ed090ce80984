#include "annotate/chunks.h"

#include <stdbool.h>

#include "base/utf8.h"

/* How good a place behind code point `c` is to cut at, with `next` behind it: 0 is none. */
static int cut_value(uint32_t c, uint32_t next) {
    bool ends = c == '.' || c == '!' || c == '?' || c == 0x2026;
    bool wide = c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0x0964; /* CJK, Devanagari */
    if (c == '\n' || wide || (ends && nf_is_space(next))) return 3;
    if (nf_is_space(c)) return 2;
    return 1;
}

nf_chunk nf_chunk_next(const char *text, size_t size, nf_chunk before, size_t most) {
    nf_chunk out = {before.byte + before.size, 0, before.start};
    out.start += (uint32_t)nf_utf8_count(text + before.byte, before.size);
    size_t at = out.byte, count = 0, best_at[4] = {0};
    while (at < size && count < most) {
        uint32_t c = 0, next = ' ';
        size_t step = nf_utf8_decode(text + at, size - at, &c);
        if (step == 0) step = 1;
        at += step;
        count++;
        if (at < size) nf_utf8_decode(text + at, size - at, &next);
        /* a cut in the first half would make more parts than are needed */
        if (2 * count >= most) best_at[cut_value(c, next)] = at;
    }
    size_t end = at;
    if (at < size)
        for (int value = 1; value <= 3; value++)
            if (best_at[value]) end = best_at[value];
    out.size = end - out.byte;
    return out;
}
