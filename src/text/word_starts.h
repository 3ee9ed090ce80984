/* What a word is, for models that label words.
 *
 *   tokenizer  the tokenizer's pre-tokens. BERT's divide at every punctuation mark: "state-of-the-art"
 *              is seven words, and each of them is labelled on its own.
 *   blanks     what stands between white space, with opening marks before it and closing ones after
 *              it (quotes, brackets, full stops, commas ...) as words of their own. Corpora are
 *              divided like that, and so is most text: it keeps a label from falling on a part of
 *              "state-of-the-art", "don't", "http://t.co/x" or "@name". */
#ifndef NF_TEXT_WORD_STARTS_H
#define NF_TEXT_WORD_STARTS_H

#include "text/tokenizer.h"

typedef enum nf_word_kind { NF_WORDS_TOKENIZER, NF_WORDS_BLANKS } nf_word_kind;

/* starts[i]: whether token i of the text, special ones left out, begins a word. `before` and `after`
 * are the encoding's special tokens; starts [length - before - after]. */
nerfit_status nf_word_starts(const nf_encoding *encoding, size_t before, size_t after,
                             const char *text, size_t size, nf_word_kind kind, bool *starts,
                             nerfit_error *err);
/* Whether words of the kind blanks have an edge at a byte of the text. */
bool nf_word_edge(const char *text, size_t size, size_t byte);

#endif
