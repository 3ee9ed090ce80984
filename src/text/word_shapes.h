/* The shape of a word as it was written: what an uncased tokenizer takes away. A model may have a
 * table with a row for each (model/word_shape.h). */
#ifndef NF_TEXT_WORD_SHAPES_H
#define NF_TEXT_WORD_SHAPES_H

#include "text/word_starts.h"

/* Letters of scripts without case count as small ones. Marks (hyphens, apostrophes ...) do not
 * matter in a word that has letters or digits. Saved tables have this order. */
typedef enum nf_word_shape {
    NF_SHAPE_NONE,              /* special tokens */
    NF_SHAPE_MARKS,             /* neither letter nor digit */
    NF_SHAPE_DIGITS,            /* 7, 1,000 */
    NF_SHAPE_LETTERS_DIGITS,    /* 4pm, G20 */
    NF_SHAPE_SMALL,             /* paris */
    NF_SHAPE_CAPITALISED,       /* Paris */
    NF_SHAPE_CAPITALISED_FIRST, /* the same, first in a text or behind . ! ? */
    NF_SHAPE_CAPITAL,           /* one letter: A */
    NF_SHAPE_CAPITALS,          /* PARIS, U.S. */
    NF_SHAPE_MIXED,             /* iPhone, McDonald */
    NF_WORD_SHAPES
} nf_word_shape;

/* shapes[i]: that of the word to which token i of the text belongs, special ones left out. `starts`
 * is nf_word_starts', of the same text. */
void nf_word_shapes(const nf_encoded_text *text, const bool *starts, int32_t *shapes);

#endif
