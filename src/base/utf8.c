#include "base/utf8.h"

#include <string.h>
#include <utf8proc.h>

size_t nf_utf8_decode(const char *text, size_t length, uint32_t *code_point) {
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) {
        *code_point = s[0];
        return 1;
    }
    size_t size;
    uint32_t value, least;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        size = 2, value = s[0] & 0x1Fu, least = 0x80;
    else if ((s[0] & 0xF0) == 0xE0)
        size = 3, value = s[0] & 0x0Fu, least = 0x800;
    else if (s[0] >= 0xF0 && s[0] <= 0xF4)
        size = 4, value = s[0] & 0x07u, least = 0x10000;
    else
        return 0;
    if (length < size) return 0;
    for (size_t i = 1; i < size; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
        value = value << 6 | (s[i] & 0x3Fu);
    }
    if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return 0;
    *code_point = value;
    return size;
}

size_t nf_utf8_encode(uint32_t c, char out[4]) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

bool nf_utf8_valid(const char *text, size_t length, size_t *bad_at) {
    uint32_t code_point;
    for (size_t i = 0, size; i < length; i += size) {
        size = nf_utf8_decode(text + i, length - i, &code_point);
        if (size == 0) {
            if (bad_at) *bad_at = i;
            return false;
        }
    }
    return true;
}

void nf_utf8_end(char *text) {
    size_t bad;
    if (!nf_utf8_valid(text, strlen(text), &bad)) text[bad] = '\0';
}

size_t nf_utf8_count(const char *text, size_t length) {
    size_t count = 0;
    for (size_t i = 0; i < length; i++) count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

size_t nf_utf8_offset(const char *text, size_t length, size_t index) {
    size_t at = 0;
    for (; at < length; at++) {
        if (((unsigned char)text[at] & 0xC0) == 0x80) continue;
        if (index-- == 0) return at;
    }
    return length;
}

void nf_utf8_go_to(nf_utf8_place *p, size_t index) {
    if (index < p->index / 2) p->byte = p->index = 0;
    while (p->index > index) {
        do p->byte--;
        while (((unsigned char)p->text[p->byte] & 0xC0) == 0x80);
        p->index--;
    }
    for (; p->index < index && p->byte < p->size; p->index++)
        p->byte += nf_utf8_size((unsigned char)p->text[p->byte]);
}

bool nf_is_space(uint32_t c) {
    if (c < 128) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return c == 0x85 || category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
           category == UTF8PROC_CATEGORY_ZP;
}
