/* The parts of a tokenizer as tokenizer.json describes them. A part is a file: it reads its own
 * JSON object into a struct whose first member is one of the bases below. To add one, write its
 * file and add its row to the table of its kind (normalizer.c, pre_tokenizer.c, subword.c,
 * post_processor.c); a name that is in no table is an error that lists those known. */
#ifndef NF_TEXT_COMPONENT_H
#define NF_TEXT_COMPONENT_H

#include "base/json.h"
#include "text/token_tables.h"
#include "text/vocabulary.h"
#include "text/work.h"

/* What the loaders share. */
typedef struct nf_load {
    nf_arena *arena;               /* of the tokenizer */
    const nf_token_tables *tables; /* of the model */
    const char *file;              /* for messages */
    bool byte_level; /* the pre-tokenizers end with ByteLevel; set before the model is read. A
                        model that cannot take the bytes sets it to false. */
    nerfit_error *err;
} nf_load;

/* ---- the four kinds */

typedef struct nf_normalizer nf_normalizer;
struct nf_normalizer {
    /* Appends the normalized form of from[start, end) to `to`. False when out of memory. */
    bool (*apply)(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start, size_t end,
                  nf_text *to);
};

typedef struct nf_pre_tokenizer nf_pre_tokenizer;
struct nf_pre_tokenizer {
    /* Splits those of work->pieces that are not added tokens; may write a new stage of the text.
     * False when out of memory. */
    bool (*split)(const nf_pre_tokenizer *self, nf_work *work);
    /* Whether it ends by turning each byte into a character of the byte-level alphabet. It does not
     * write that alphabet; models take the bytes (see bpe.c). */
    bool byte_level;
};

typedef struct nf_subword_model nf_subword_model;
struct nf_subword_model {
    /* Appends the pre-token's tokens; there is room for as many as it has bytes. Token offsets are
     * bytes of the current text. */
    nerfit_status (*tokenize)(const nf_subword_model *self, nf_work *work,
                              const nf_pre_token *token, nf_encoding *out, nerfit_error *err);
    nf_vocabulary vocabulary;
};

typedef struct nf_post_processor nf_post_processor;
struct nf_post_processor {
    bool (*process)(const nf_post_processor *self, const nf_tokenizer *tokenizer, nf_work *work,
                    bool add_special_tokens, nf_encoding *encoding);
    bool trims;           /* it trims offsets: the tokenizer counts the spaces of each token */
    size_t before, after; /* special tokens it adds */
};

nerfit_status nf_normalizer_load(nf_normalizer **out, const json_t *json, nf_load *load);
nerfit_status nf_pre_tokenizer_load(nf_pre_tokenizer **out, const json_t *json, nf_load *load);
nerfit_status nf_subword_load(nf_subword_model **out, const json_t *json, nf_load *load);
nerfit_status nf_post_processor_load(nf_post_processor **out, const json_t *json, nf_load *load);

/* ---- tables */

typedef struct nf_component_row {
    const char *type;
    /* `out` is the base struct of the kind. */
    nerfit_status (*load)(void **out, const json_t *json, nf_load *load);
} nf_component_row;

/* Finds the row of json["type"] and reads the component. `kind` is for messages ("normalizer"). */
nerfit_status nf_component_load(void **out, const json_t *json, const char *kind,
                                const nf_component_row *rows, size_t count, nf_load *load);

/* ---- reading fields; `what` names the component in messages */

enum { NF_REQUIRED = -1 };
/* `fallback` is 0, 1 or NF_REQUIRED. */
nerfit_status nf_field_bool(bool *out, const json_t *json, const char *key, int fallback,
                            const char *what, nf_load *load);
/* `fallback` may be NULL: then NULL is what a missing or null field gives. */
nerfit_status nf_field_text(const char **out, const json_t *json, const char *key,
                            const char *fallback, const char *what, nf_load *load);
/* An id in the range of vocabularies. */
nerfit_status nf_field_id(int32_t *out, const json_t *value, const char *what, nf_load *load);

/* Memory for a component, zeroed. */
nerfit_status nf_component_new(void **out, size_t size, nf_load *load);

#endif
