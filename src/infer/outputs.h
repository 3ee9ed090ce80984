/* What is written of a tagged text: a row a format. */
#ifndef NF_INFER_OUTPUTS_H
#define NF_INFER_OUTPUTS_H

#include "base/str.h"
#include "infer/pseudonyms.h"
#include "infer/rules.h"
#include "infer/tagged.h"
#include "data/document.h"

/* A text that is written; on any thread. */
typedef struct nf_output_text {
    const nf_document *document;
    const nf_tagged *tagged;
    const nf_rules *rules;
    char *const *labels;       /* of the model */
    nf_pseudonyms *pseudonyms; /* of redacted texts, which are then written in order; NULL: none */
    nf_str out;                /* appended to */
    /* Entities that found no row: they lie in a given word that has another one's label. */
    size_t n_without_row;
    nf_entity without_row; /* the first of them */
} nf_output_text;

typedef struct nf_output {
    const char *name;
    void (*head)(nf_str *out); /* what stands before the texts; NULL: nothing */
    const char *tail;
    bool token_scores; /* whether it shows them */
    nerfit_status (*write)(nf_output_text *text, nerfit_error *err);
} nf_output;

/* By name: "jsonl", "conll" (words that the input gives stay as they are, one label each),
 * "brackets", "tokens", "html"; NULL if there is none. */
const nf_output *nf_output_find(const char *name);

#endif
