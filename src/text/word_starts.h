/* Where words begin among sub-words: what tagging, scores by words and the cuts of long texts go by.
 *
 * A word is the tokenizer's own (its word id), with two corrections. In scripts without spaces that
 * would be a whole sentence: there every sub-word that begins with a new character begins a word,
 * so that an entity may begin and end wherever a sub-word does. And no word begins with a mark that
 * belongs to the character before it, or with other bytes of that same character; nor with a letter
 * after a mark, where byte-level patterns end a word (in Hindi at every vowel sign).
 *
 * A sub-word that stands for no character, or for one that the next one stands for as well (the
 * blank that sentencepiece puts in front), keeps that next one in its word. */
#ifndef NF_TEXT_WORD_STARTS_H
#define NF_TEXT_WORD_STARTS_H

#include "text/tokenizer.h"

/* starts [count]: for the `count` tokens from `first` on; `text` is what was encoded. */
void nf_word_starts(const nf_encoding *encoding, size_t first, size_t count, const char *text,
                    size_t size, bool *starts);

#endif
