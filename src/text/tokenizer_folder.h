/* A model folder's tokenizer files, and what transformers (5.23) makes of them. */
#ifndef NF_TEXT_TOKENIZER_FOLDER_H
#define NF_TEXT_TOKENIZER_FOLDER_H

#include "base/arena.h"
#include "base/json.h"
#include "text/sentencepiece.h"
#include "text/token_tables.h"

/* The special tokens that have a name, in the order in which transformers adds them. */
enum { NF_BOS, NF_EOS, NF_UNK, NF_SEP, NF_PAD, NF_CLS, NF_MASK, NF_NAMED_TOKENS };

typedef struct nf_tokenizer_folder {
    nf_arena *arena;
    const char *path;
    json_t *config;         /* tokenizer_config.json; an empty object if there is none */
    json_t *special_tokens; /* special_tokens_map.json; likewise, and if the config replaces it */
    json_t *extra;          /* tokens to add, in the layout of "added_tokens" */
    const char *named[NF_NAMED_TOKENS]; /* NULL: none */
    const char *tokenizer_class;        /* without "Fast"; NULL if nothing names it */
    nf_token_tables *tables;            /* of a folder without tokenizer.json */
    const nf_sp_model *pieces;          /* of a SentencePiece file; NULL: none was read */
    json_t *brought; /* special tokens that it brings along, unless the configuration lists any */
    bool decoder_is_raw; /* tokens of "added_tokens_decoder" are looked for in the original text */
    bool mask_strips;    /* a mask token given as text takes the blanks before it along */
} nf_tokenizer_folder;

/* Reads the configuration files, with `defaults` for named tokens that they do not name (may be
 * NULL). nf_tokenizer_folder_close frees, also after a failure. */
nerfit_status nf_tokenizer_folder_open(nf_tokenizer_folder *folder, const char *path,
                                       nf_arena *arena, nerfit_error *err);
void nf_tokenizer_folder_close(nf_tokenizer_folder *folder);

/* Fills `extra` and `named`: tokens of the configuration that `description` (tokenizer.json's
 * layout) does not add itself. */
nerfit_status nf_tokenizer_folder_tokens(nf_tokenizer_folder *folder, const json_t *description,
                                         const char *const defaults[NF_NAMED_TOKENS],
                                         nerfit_error *err);

/* Lets the options of tokenizer_config.json change a tokenizer.json (do_lower_case, …). */
nerfit_status nf_tokenizer_folder_override(const nf_tokenizer_folder *folder, json_t *description,
                                           nerfit_error *err);

/* Makes a description in tokenizer.json's layout, and the tables of its model, from vocab.txt, from
 * vocab.json and merges.txt, or from a SentencePiece model; `extra` and `named` are filled too. The
 * caller owns *description and the tables. */
nerfit_status nf_tokenizer_folder_describe(nf_tokenizer_folder *folder, nf_token_tables *tables,
                                           json_t **description, nerfit_error *err);

#endif
