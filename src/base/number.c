/* uselocale sets the calling thread's locale alone; in the C library the C locale is a constant,
 * which newlocale hands out without taking memory. */
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static locale_t c_locale(void) {
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

nf_locale nf_locale_enter(void) {
    return (nf_locale)uselocale(c_locale());
}

void nf_locale_leave(nf_locale before) {
    uselocale((locale_t)before);
}

double nf_number_read(const char *text, char **end) {
    return strtod_l(text, end, c_locale());
}

bool nf_number_parse(const char *text, double *out) {
    if (!*text || strspn(text, "+-.0123456789eE") != strlen(text)) return false;
    char *end;
    double value = nf_number_read(text, &end);
    if (end == text || *end || !isfinite(value)) return false;
    *out = value;
    return true;
}

bool nf_whole_read(const char *text, uint64_t most, uint64_t *out, const char **end) {
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value) || value > most)
            return false;
    if (at == text) return false;
    *out = value;
    *end = at;
    return true;
}

bool nf_whole_parse(const char *text, uint64_t most, uint64_t *out) {
    const char *end;
    uint64_t value;
    if (!nf_whole_read(text, most, &value, &end) || *end) return false;
    *out = value;
    return true;
}

int nf_print_list(char *out, size_t size, const char *format, va_list arguments) {
    nf_locale before = nf_locale_enter();
    int length = vsnprintf(out, size, format, arguments);
    nf_locale_leave(before);
    return length;
}

int nf_print(char *out, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = nf_print_list(out, size, format, arguments);
    va_end(arguments);
    return length;
}
