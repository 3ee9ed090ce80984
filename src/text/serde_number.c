/* Follows `Deserializer` in serde_json's de.rs: digits are taken into 64 bits; those of the whole
 * part that no longer fit count as zeros, those of the fraction not at all. */
#include "text/serde_number.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"

enum { MAX_POWER = 308, SMALL_POWERS = 23 };

/* The double nearest to 10^n. */
static double power_of_ten(int n) {
    static const double small[SMALL_POWERS] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (n < SMALL_POWERS) return small[n];
    char text[8];
    snprintf(text, sizeof text, "1e%d", n);
    return nf_number_read(text, NULL);
}

static bool scale(double *out, uint64_t digits, long exponent) {
    double value = (double)digits;
    while (labs(exponent) > MAX_POWER) {
        if (value == 0) break;
        if (exponent >= 0) return false;
        value /= 1e308;
        exponent += MAX_POWER;
    }
    if (value != 0)
        value = exponent >= 0 ? value * power_of_ten((int)exponent)
                              : value / power_of_ten((int)-exponent);
    *out = value;
    return !isinf(value);
}

/* Appends a digit to the number unless it has no room for it. */
static bool take_digit(uint64_t *digits, char c) {
    uint64_t next;
    if (__builtin_mul_overflow(*digits, 10, &next) ||
        __builtin_add_overflow(next, (uint64_t)(c - '0'), &next))
        return false;
    *digits = next;
    return true;
}

static bool is_digit(const char *at, const char *end) {
    return at < end && *at >= '0' && *at <= '9';
}

bool nf_serde_number(double *out, const char *at, size_t length) {
    const char *end = at + length;
    bool negative = at < end && *at == '-', full = false;
    uint64_t digits = 0;
    long exponent = 0, power = 0;
    for (at += negative; is_digit(at, end); at++) {
        full = full || !take_digit(&digits, *at);
        exponent += full;
    }
    if (at < end && *at == '.') {
        full = false;
        for (at++; is_digit(at, end); at++) {
            full = full || !take_digit(&digits, *at);
            exponent -= !full;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        bool below = at + 1 < end && at[1] == '-';
        for (at += 1 + (at + 1 < end && (at[1] == '-' || at[1] == '+')); is_digit(at, end); at++)
            if (power < 100000000) power = power * 10 + (*at - '0');
        exponent += below ? -power : power;
    }
    if (!scale(out, digits, exponent)) return false;
    if (negative) *out = -*out;
    return true;
}
