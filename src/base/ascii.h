/* Letters, digits and white space of ASCII. The functions of <ctype.h> and strcasecmp ask the
 * locale: in some of them bytes past 127 are letters, and "I" is no capital "i". What this library
 * compares (names of options, HTTP headers, file endings) is ASCII. */
#ifndef NF_BASE_ASCII_H
#define NF_BASE_ASCII_H

#include <stdbool.h>
#include <stddef.h>

static inline bool nf_ascii_is_digit(char c) {
    return c >= '0' && c <= '9';
}

static inline bool nf_ascii_is_alphanumeric(char c) {
    return nf_ascii_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool nf_ascii_is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline char nf_ascii_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Whether the first `size` bytes are the same but for capitals; a text that ends earlier must end
 * in both. */
static inline bool nf_ascii_same_n(const char *a, const char *b, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (nf_ascii_lower(a[i]) != nf_ascii_lower(b[i])) return false;
        if (!a[i]) return true;
    }
    return true;
}

static inline bool nf_ascii_same(const char *a, const char *b) {
    return nf_ascii_same_n(a, b, (size_t)-1);
}

#endif
