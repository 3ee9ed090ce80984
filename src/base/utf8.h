/* UTF-8: checked decoding, and the count of code points, which are the offsets of this project. */
#ifndef NF_BASE_UTF8_H
#define NF_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the code point at `text` (`length` > 0 bytes left). Returns its size in bytes, or 0 if
 * the bytes are not valid UTF-8 (overlong forms, surrogates and values past U+10FFFF included). */
size_t nf_utf8_decode(const char *text, size_t length, uint32_t *code_point);
/* Writes 1 to 4 bytes; returns how many. The code point must be a valid one. */
size_t nf_utf8_encode(uint32_t code_point, char out[4]);
/* Whether all bytes are valid; if not, *bad_at (may be NULL) is the offset of the first bad one. */
bool nf_utf8_valid(const char *text, size_t length, size_t *bad_at);
/* Ends a text where it is not valid any more: in the middle of a character, if it was cut there. */
void nf_utf8_end(char *text);
/* Code points in valid UTF-8. */
size_t nf_utf8_count(const char *text, size_t length);
/* Byte offset of the code point with the given index; `length` if the index is past the end. */
size_t nf_utf8_offset(const char *text, size_t length, size_t index);
/* The size in bytes of the code point that begins with `byte`, in valid UTF-8. */
static inline size_t nf_utf8_size(unsigned char byte) {
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}
/* Walks along valid UTF-8, in steps from index to index: `byte` is the offset of code point
 * `index`. */
typedef struct nf_utf8_place {
    const char *text;
    size_t size, byte, index;
} nf_utf8_place;
/* Goes to a code point; byte is `size` if it is past the end. */
void nf_utf8_go_to(nf_utf8_place *place, size_t index);
/* White space as Python's str.isspace has it. */
bool nf_is_space(uint32_t code_point);

#endif
