/* The inside of nf_tokenizer, for the files that build it. */
#ifndef NF_TEXT_TOKENIZER_IMPL_H
#define NF_TEXT_TOKENIZER_IMPL_H

#include <stdatomic.h>

#include "text/added_tokens.h"
#include "text/component.h"

struct nf_tokenizer {
    nf_arena arena;
    nf_normalizer *normalizer;       /* NULL: none */
    nf_pre_tokenizer *pre_tokenizer; /* NULL: none */
    nf_subword_model *model;
    nf_post_processor *post_processor; /* NULL: none */
    nf_added_tokens added;
    const char **texts; /* [size]: the vocabulary's, with the added tokens over it */
    size_t size;
    uint16_t *blanks_before, *blanks_after; /* [size]; NULL unless offsets are trimmed */
    int32_t pad;                            /* -1: none */
    const char *folder;                     /* where its files lie */
    const char *file;                       /* its tokenizer.json; NULL if it has none */
    atomic_size_t holders;                  /* but the first */
};

/* For another holder, who ends with nf_tokenizer_free, too. */
nf_tokenizer *nf_tokenizer_hold(nf_tokenizer *tokenizer);
bool nf_tokenizer_held_once(const nf_tokenizer *tokenizer);

/* The files that it may be made of, in a folder. */
enum { NF_TOKENIZER_FILES = 11 };
extern const char *const nf_tokenizer_files[NF_TOKENIZER_FILES];

/* Builds all parts from a description in tokenizer.json's layout and the tables of its model, then
 * the tokens of `extra` (in the layout of "added_tokens"; may be NULL) as if they were added to the
 * finished tokenizer. `tables` have the tokenizer's arena. */
nerfit_status nf_tokenizer_build(nf_tokenizer *tokenizer, const json_t *description,
                                 const nf_token_tables *tables, const json_t *extra,
                                 const char *file, nerfit_error *err);
/* Builds it from a tokenizer.json's text. */
nerfit_status nf_tokenizer_parse(nf_tokenizer *tokenizer, const char *text, size_t length,
                                 const char *file, nerfit_error *err);

/* How many blanks (white space, or the byte-level one) a token's text begins and ends with; false
 * if none. */
bool nf_tokenizer_blanks(const nf_tokenizer *tokenizer, int32_t id, uint32_t *before,
                         uint32_t *after);

#endif
