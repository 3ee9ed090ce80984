/* Text that remembers where it came from. Normalizers drop, add and replace code points, yet the
 * offsets of a token must be those of the original text. So each byte of a normalized text carries
 * the range of original code points that it stands for, as `NormalizedString` of Hugging Face
 * `tokenizers` does; nearly all texts need no such ranges, because each of their bytes still stands
 * for the byte at the same place ("direct" text). */
#ifndef NF_TEXT_ALIGNED_H
#define NF_TEXT_ALIGNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nf_text {
    const char *bytes; /* [length], valid UTF-8 */
    /* [length]: the original code points that each byte stands for, end exclusive; NULL for direct
     * text: byte i stands for byte i of the original, and the code points have the same sizes. */
    const uint32_t *starts, *ends;
    size_t length;

    char *own_bytes;
    uint32_t *own_starts, *own_ends;
    size_t capacity;
    size_t cursor_byte, cursor_index; /* of the last nf_text_index */
} nf_text;

/* Makes it a direct view of somebody else's bytes. */
void nf_text_borrow(nf_text *text, const char *bytes, size_t length);
/* Makes it an empty direct text of its own. */
void nf_text_clear(nf_text *text);
void nf_text_free(nf_text *text);

/* The functions below return false when out of memory. */

/* Room for `more` bytes behind the end, in own_bytes and, of aligned text, own_starts and own_ends.
 */
bool nf_text_reserve(nf_text *text, size_t more);
/* Gives direct text its ranges. */
bool nf_text_align(nf_text *text);
/* Appends a part of another text with its ranges; stays direct where it can. */
bool nf_text_append(nf_text *to, nf_text *from, size_t start, size_t end);

/* Of direct text: the index of the code point that holds a byte. Quick when asked in rising order.
 */
uint32_t nf_text_index(nf_text *text, size_t byte);
/* The original code points of the bytes start .. end, in place. */
void nf_text_original(nf_text *text, uint32_t *start, uint32_t *end);

/* Rewriting: replays `NormalizedString::transform_range`, whose rule decides which original code
 * points a new one stands for. A change of 0 replaces the next old code point; -n does so and
 * drops the n after it; 1 inserts, and shares the range of the byte before. */
typedef struct nf_rewrite {
    nf_text *from, *to;
    size_t begin, at, end;
} nf_rewrite;

/* `skip` leading bytes are dropped. Both texts become aligned. */
bool nf_rewrite_begin(nf_rewrite *rewrite, nf_text *from, size_t start, size_t end, size_t skip,
                      nf_text *to);
bool nf_rewrite_emit(nf_rewrite *rewrite, uint32_t code_point, long change);

#endif
