/* Numbers in text, the same in every locale.
 *
 * A library lives in programs that call setlocale(LC_ALL, ""): from then on printf writes 0,5 in
 * Germany, and strtod stops at the point of 0.5. What this library reads and writes (JSON, configs,
 * tables, HTML) knows the point alone, so it reads and prints numbers here and nowhere else;
 * tools/check_numbers.py holds the sources to that. All of it may be called by any thread. */
#ifndef NF_BASE_NUMBER_H
#define NF_BASE_NUMBER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nerfit.h"

/* As strtod in the C locale: reads the number that `text` begins with; *end (may be NULL) receives
 * the first byte behind it, `text` if there is none. */
double nf_number_read(const char *text, char **end);
/* The whole of `text` as a finite decimal number ("12", "-0.5", "5e-3"); no white space, no
 * hexadecimal digits, no "inf" or "nan". False, with *out unchanged, if it is anything else. */
bool nf_number_parse(const char *text, double *out);
/* The digits that `text` begins with, as a number up to `most`; *end receives the first byte behind
 * them. False, with nothing changed, if there are none or the number is larger. */
bool nf_whole_read(const char *text, uint64_t most, uint64_t *out, const char **end);
/* The whole of `text` as digits; no sign, no white space. */
bool nf_whole_parse(const char *text, uint64_t most, uint64_t *out);

/* As snprintf and vsnprintf in the C locale. */
int nf_print(char *out, size_t size, const char *format, ...) NERFIT_PRINTF(3, 4);
int nf_print_list(char *out, size_t size, const char *format, va_list arguments);

/* What the calling thread's other calls (jansson's) take for numbers: the C locale from
 * nf_locale_enter until nf_locale_leave, which gets what nf_locale_enter returned. */
typedef void *nf_locale;
nf_locale nf_locale_enter(void);
void nf_locale_leave(nf_locale before);

#endif
