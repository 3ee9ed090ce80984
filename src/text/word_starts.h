/* Where words begin among sub-words: what tagging, scores by words and the cuts of long texts go
 * by. A model's words are of one of two kinds.
 *
 *   tokenizer  the tokenizer's own (its word id), with three corrections. In scripts without spaces
 *              that would be a whole sentence: there every sub-word that begins with a new
 *              character begins a word, so that an entity may begin and end wherever a sub-word
 *              does. Where it is what stands between blanks (SentencePiece), opening marks before
 *              it and closing ones after it are words of their own: "(Paris)" would else have the
 *              label of "(". And no word begins with a mark that belongs to the character before it, or
 *              with other bytes of that same character; nor with a letter after a mark, where
 *              byte-level patterns end a word (in Hindi at every vowel sign). BERT's pre-tokens
 *              divide at every punctuation mark: "state-of-the-art" is seven words, and each of
 *              them is labelled on its own.
 *   blanks     what stands between white space, with opening marks before it and closing ones after
 *              it (quotes, brackets, full stops, commas ...) as words of their own, and every
 *              character of a script without spaces too. Corpora are divided like that, and so is
 *              most text: it keeps a label from falling on a part of "state-of-the-art", "don't",
 *              "http://t.co/x" or "@name".
 *
 * A sub-word that stands for no character, or for one that the next one stands for as well (the
 * blank that sentencepiece puts in front), keeps that next one in its word. White space by itself
 * is no word: sub-words that stand for nothing else go on with the word before them. */
#ifndef NF_TEXT_WORD_STARTS_H
#define NF_TEXT_WORD_STARTS_H

#include "base/utf8.h"
#include "text/tokenizer.h"

typedef enum nf_word_kind { NF_WORDS_TOKENIZER, NF_WORDS_BLANKS } nf_word_kind;

/* A text as it was encoded; it has length - before - after tokens of its own. */
typedef struct nf_encoded_text {
    const nf_encoding *encoding;
    size_t before, after; /* special tokens */
    const char *text;
    size_t size;
} nf_encoded_text;

/* starts[i]: whether token i of the text, special ones left out, begins a word. */
nerfit_status nf_word_starts(const nf_encoded_text *text, nf_word_kind kind, bool *starts,
                             nerfit_error *err);
/* What the tokens of the text stand for, without white space: tokenizers differ in whether
 * the blank before a word is in a sub-word's offsets. A sub-word of white space alone (the lone "Ġ" of byte-level BPE) has an empty range: where the next
 * sub-word of its word begins, if one follows; else where the one before it ends. `starts_word` is
 * nf_word_starts'. */
void nf_subword_ranges(const nf_encoded_text *text, const bool *starts_word, uint32_t *starts,
                       uint32_t *ends);

/* Marks (Mn, Mc, Me), and what extends a grapheme cluster of UAX 29 besides: the vowels of Thai and
 * Lao that are letters, joiners, variation selectors, skin tones. */
bool nf_belongs_to_previous(uint32_t c);

/* A range of a text, in code points and in bytes, end exclusive. */
typedef struct nf_text_range {
    uint32_t start, end;
    size_t byte_start, byte_end;
} nf_text_range;

/* The range of words whose sub-words cover the code points start .. end-1, without white space at
 * its edges, and with what belongs to its last character but has no sub-word, up to `next`, where
 * the next word begins: marks, joiners, variation selectors, the vowels of Thai and Lao (many
 * normalizers strip accents, and offsets end before them). Such characters in front of the first
 * word that follow nothing but white space are taken in, too. `at` walks along the text. */
nf_text_range nf_word_range(nf_utf8_place *at, uint32_t start, uint32_t end, uint32_t next);
/* Whether words of the kind blanks have an edge at a byte of the text. */
bool nf_word_edge(const char *text, size_t size, size_t byte);

#endif
