/* Scripts that are written without spaces between words. */
#ifndef NF_BASE_SCRIPT_H
#define NF_BASE_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a character of such a script counts as a word: Han, Hiragana, Katakana, Thai, Lao, Khmer,
 * Myanmar; their digits, which run together, are not among them. Their marks are: a mark belongs to
 * the character before it. */
bool nf_is_spaceless(uint32_t code_point);

#endif
