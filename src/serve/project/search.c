#include "serve/project/search.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/* towlower asks the host's locale. */
static uint32_t small(uint32_t c) {
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
    if (c >= 0x100 && c <= 0x137 && c != 0x130 && c != 0x131) return c | 1;
    if (c >= 0x139 && c <= 0x148) return c + (c & 1);
    if (c >= 0x14A && c <= 0x177) return c | 1;
    if (c == 0x178) return 0xFF;
    if (c >= 0x179 && c <= 0x17E) return c + (c & 1);
    if (c >= 0x391 && c <= 0x3AB && c != 0x3A2) return c + 32;
    if (c >= 0x410 && c <= 0x42F) return c + 32;
    if (c >= 0x400 && c <= 0x40F) return c + 80;
    return c;
}

void nf_search_fold(nf_str *out, const char *text, size_t size) {
    char bytes[4];
    uint32_t c;
    nf_str_reserve(out, out->length + size);
    for (size_t at = 0, step; at < size; at += step) {
        if (!(step = nf_utf8_decode(text + at, size - at, &c))) return;
        nf_str_append(out, bytes, nf_utf8_encode(small(c), bytes));
    }
}

/* Folding changes no character's size but that of U+0178, which becomes U+00FF: two bytes both. */
bool nf_search_matches(const char *text, size_t size, const nf_str *folded) {
    char bytes[4];
    uint32_t c;
    for (size_t from = 0; from + folded->length <= size; from++) {
        size_t at = 0;
        if (((unsigned char)text[from] & 0xC0) == 0x80) continue;
        while (at < folded->length) {
            size_t step = nf_utf8_decode(text + from + at, size - from - at, &c);
            if (!step || nf_utf8_encode(small(c), bytes) != step || at + step > folded->length ||
                memcmp(bytes, folded->data + at, step) != 0)
                break;
            at += step;
        }
        if (at == folded->length) return true;
    }
    return false;
}
