/* The large tables that a tokenizer's model is made of: its tokens, with an id or a score each, and
 * the merges of byte-pair encoding. They come from tokenizer.json, vocab.json and merges.txt,
 * vocab.txt or a SentencePiece model, and are the same to the model that is built over them
 * (subword.c). All else of a tokenizer is read through jansson's trees; these tables never are,
 * which would take most of a program's start. */
#ifndef NF_TEXT_TOKEN_TABLES_H
#define NF_TEXT_TOKEN_TABLES_H

#include "base/json.h"
#include "text/vocabulary.h"

typedef enum nf_table_form {
    NF_TABLE_NONE,   /* there is no vocabulary, or something else in its place */
    NF_TABLE_IDS,    /* {"token": id, ...} */
    NF_TABLE_SCORES, /* [["token", score], ...]: ids are places */
} nf_table_form;

typedef struct nf_token_row {
    const char *text; /* NUL-terminated, in the arena */
    uint32_t length;
    int32_t id;
    double score;
} nf_token_row;

typedef struct nf_merge_row {
    const char *left, *right; /* valid as long as what they were read from */
    uint32_t left_length, right_length;
} nf_merge_row;

/* Zero-initialise. */
typedef struct nf_token_tables {
    nf_arena *arena; /* holds the tokens' texts and `index`; the rows are freed with the tables */
    nf_table_form form;
    nf_token_row *rows; /* [count] */
    size_t count, capacity;
    nf_string_table index; /* token -> id; of equal tokens the last counts */
    bool has_merges;
    nf_merge_row *merges; /* [merge_count] in order of rank */
    size_t merge_count, merge_capacity;

    /* What a model may complain of. The text (NULL: none) is that of `file`; 0 is no place, for no
     * table stands at a text's beginning. */
    const char *file, *text;
    size_t vocabulary_at;
    bool broken;         /* a token without a fitting id or score: rows end there */
    size_t broken_at;    /* its place */
    size_t broken_merge; /* the number of the first merge that is no pair; 0: none */
    size_t broken_merge_at;
} nf_token_tables;

void nf_token_tables_free(nf_token_tables *tables);

/* Reads tokenizer.json: the tables, and into *description all the rest, in which they are empty.
 * The text has to stay until the tables are freed. */
nerfit_status nf_token_tables_read(nf_token_tables *tables, json_t **description, const char *text,
                                   size_t length, const char *file, nerfit_error *err);
/* Reads vocab.json; all is checked. */
nerfit_status nf_token_tables_read_ids(nf_token_tables *tables, const char *text, size_t length,
                                       const char *file, nerfit_error *err);

/* Adds a token (copied), or a merge "a b" or a and b (kept). */
nerfit_status nf_token_tables_add(nf_token_tables *tables, const char *text, size_t length,
                                  int32_t id, double score, nerfit_error *err);
nerfit_status nf_token_tables_add_merge(nf_token_tables *tables, nf_merge_row merge,
                                        nerfit_error *err);
/* The two halves of "a b"; false if it is not two. */
bool nf_merge_split(nf_merge_row *merge, const char *text, size_t length);
/* After the last token: makes the index. */
nerfit_status nf_token_tables_index(nf_token_tables *tables, nerfit_error *err);
/* -1 if there is none. */
int32_t nf_token_tables_id(const nf_token_tables *tables, const char *token);

/* An error at a byte of the text. */
nerfit_status nf_token_tables_fail(const nf_token_tables *tables, const char *file, size_t at,
                                   nerfit_error *err, const char *format, ...) NERFIT_PRINTF(5, 6);

#endif
