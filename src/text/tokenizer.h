/* Tokenizers: text to sub-word ids with exact offsets, equal to Hugging Face `tokenizers`. */
#ifndef NF_TEXT_TOKENIZER_H
#define NF_TEXT_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/* Immutable after loading; shared by threads. */
typedef struct nf_tokenizer nf_tokenizer;

/* What a thread keeps from text to text: buffers, and for BPE the words seen lately. */
typedef struct nf_tokenizer_scratch nf_tokenizer_scratch;

/* One text's sub-words, special tokens included. Offsets are code points of the original text, end
 * exclusive; special tokens that the post-processor adds have (0, 0) and `special` 1.
 * Zero-initialise, reuse from text to text, free at the end. */
typedef struct nf_encoding {
    int32_t *ids;
    uint32_t *starts, *ends;
    int32_t *words; /* index of the pre-token (as `word_ids`), -1 for special tokens */
    uint8_t *special;
    size_t length, capacity;
} nf_encoding;

/* Loads a model folder's tokenizer: tokenizer.json if there, else vocab.txt (BERT), vocab.json +
 * merges.txt (byte-level BPE) or a SentencePiece file (.model); tokenizer_config.json and
 * special_tokens_map.json are honoured as transformers honours them. `path` may also be a
 * tokenizer.json itself. */
nerfit_status nf_tokenizer_load(nf_tokenizer **out, const char *path, nerfit_error *err);
void nf_tokenizer_free(nf_tokenizer *tokenizer);

/* Encodes valid UTF-8 (an error otherwise). Nothing is truncated or padded, whatever the file
 * says of truncation and padding. */
nerfit_status nf_tokenizer_encode(const nf_tokenizer *tokenizer, const char *text, size_t size,
                                  bool add_special_tokens, nf_encoding *out, nerfit_error *err);
/* The same with a scratch of the calling thread, which saves the memory's allocation at each text
 * and lets BPE remember words: for loops over many texts. A scratch must not outlive the tokenizer
 * it was last used with. */
nerfit_status nf_tokenizer_encode_with(const nf_tokenizer *tokenizer, nf_tokenizer_scratch *scratch,
                                       const char *text, size_t size, bool add_special_tokens,
                                       nf_encoding *out, nerfit_error *err);
/* NULL when out of memory. */
nf_tokenizer_scratch *nf_tokenizer_scratch_new(void);
void nf_tokenizer_scratch_free(nf_tokenizer_scratch *scratch);

void nf_encoding_free(nf_encoding *encoding);

/* The sub-word's text as in the vocabulary, or NULL for an id that does not exist. */
const char *nf_tokenizer_token(const nf_tokenizer *tokenizer, int32_t id);
/* Adds special tokens behind the others, as transformers' add_tokens(special_tokens=True): those that
 * are there keep their ids. For whoever loads the tokenizer, before others share it; what is saved
 * of it are the files it was loaded from. */
nerfit_status nf_tokenizer_add_special(nf_tokenizer *tokenizer, const char *const *tokens,
                                       size_t count, nerfit_error *err);
/* The id of a token, added ones included; -1 if there is none. */
int32_t nf_tokenizer_id(const nf_tokenizer *tokenizer, const char *token);
/* Ids 0 .. size-1, added tokens included. */
size_t nf_tokenizer_vocabulary_size(const nf_tokenizer *tokenizer);
/* How many special tokens the post-processor puts before and after a text. */
void nf_tokenizer_special_counts(const nf_tokenizer *tokenizer, size_t *before, size_t *after);
/* -1 if the tokenizer has none. */
int32_t nf_tokenizer_pad_id(const nf_tokenizer *tokenizer);

/* Appends {"ids": […], "tokens": […], "offsets": [[start, end], …]} to a string (no newline). */
nerfit_status nf_encoding_to_json(const nf_encoding *encoding, const nf_tokenizer *tokenizer,
                                  nf_str *out, nerfit_error *err);

/* Writes the files it was loaded from into another folder, so that transformers finds them. */
nerfit_status nf_tokenizer_save(const nf_tokenizer *tokenizer, const char *folder,
                                nerfit_error *err);

#endif
