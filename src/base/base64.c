#include "base/base64.h"

#include <stdint.h>

static int value_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool nf_base64_decode(const char *text, size_t length, unsigned char *out, size_t *size) {
    *size = 0;
    if (length % 4 != 0) return false;
    for (size_t i = 0; i < length; i += 4) {
        size_t padding = 0;
        uint32_t bits = 0;
        if (i + 4 == length)
            while (padding < 2 && text[i + 3 - padding] == '=') padding++;
        for (size_t k = 0; k < 4 - padding; k++) {
            int value = value_of(text[i + k]);
            if (value < 0) return false;
            bits |= (uint32_t)value << (18 - 6 * k);
        }
        /* What the padding leaves over must be zero. */
        if (padding && (bits & ((1u << (8 * padding)) - 1))) return false;
        for (size_t k = 0; k < 3 - padding; k++)
            out[(*size)++] = (unsigned char)(bits >> (16 - 8 * k));
    }
    return true;
}

void nf_base64_encode(const unsigned char *bytes, size_t size, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)bytes[i] << 16;
        if (left > 1) bits |= (uint32_t)bytes[i + 1] << 8;
        if (left > 2) bits |= bytes[i + 2];
        *out++ = digits[bits >> 18];
        *out++ = digits[bits >> 12 & 63];
        *out++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[bits & 63] : '=';
    }
    *out = '\0';
}
