/* Numbers as `tokenizers` reads them: serde_json (1.0, without "float_roundtrip") takes a number as
 * digits times a power of ten, which is not always the nearest double; ties between the paths of a
 * Unigram model can hang on it. */
#ifndef NF_TEXT_SERDE_NUMBER_H
#define NF_TEXT_SERDE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

/* A number spelled as JSON has it; false if it is too large for a double. */
bool nf_serde_number(double *out, const char *spelling, size_t length);

#endif
