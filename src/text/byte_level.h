/* The byte-level alphabet of GPT-2: each byte has a printable character, so that a vocabulary over
 * bytes can be written as text. A blank is U+0120. */
#ifndef NF_TEXT_BYTE_LEVEL_H
#define NF_TEXT_BYTE_LEVEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/aligned.h"

/* The code point that stands for a byte. */
uint32_t nf_byte_level_character(unsigned char byte);
/* Turns text in the alphabet into its bytes (`out` has room for `length`) and returns how many;
 * SIZE_MAX if a character is not of the alphabet. */
size_t nf_byte_level_decode(const char *text, size_t length, char *out);
/* Appends bytes start .. end (start < end) in the alphabet. False when out of memory. */
bool nf_byte_level_write(nf_text *from, size_t start, size_t end, nf_text *to);

#endif
