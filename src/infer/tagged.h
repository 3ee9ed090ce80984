/* What tagging says of a text. */
#ifndef NF_INFER_TAGGED_H
#define NF_INFER_TAGGED_H

#include <stdbool.h>
#include <stddef.h>

#include "labels/entity.h"

/* A sub-word with its label, special tokens left out. */
typedef struct nf_tagged_token {
    uint32_t start, end;           /* as the tokenizer says */
    uint32_t text_start, text_end; /* without white space: nf_subword_ranges */
    int32_t id;
    int32_t label; /* of the model's labels */
    float score;   /* its probability; not computed unless it is asked for */
    bool starts_word;
    bool left_out; /* its entity's score is under the threshold */
} nf_tagged_token;

typedef struct nf_tagged {
    nf_entity *entities; /* code points; types of the rules' tag set */
    size_t n_entities;
    nf_tagged_token *tokens;
    size_t n_tokens;
    uint32_t *words; /* [n_words + 1] the words' first tokens */
    size_t n_words;
    double entropy; /* of its words' labels, summed, in nats; where the call asks for it */
} nf_tagged;

typedef struct nf_text {
    const char *text; /* UTF-8 */
    size_t size;
    const struct nf_rules *rules; /* for labels of its own; NULL: the call's */
} nf_text;

#endif
