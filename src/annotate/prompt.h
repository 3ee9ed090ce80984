/* What a language model is asked: the labels with what they mean, the rules, examples, and the text
 * between two lines that nobody who wrote the text could have written. The answer is asked for as
 * {"entities": [{"text", "label"}]}, substrings in their order; offsets are not asked for, models count
 * badly. */
#ifndef NF_ANNOTATE_PROMPT_H
#define NF_ANNOTATE_PROMPT_H

#include "annotate/opinion.h"
#include "base/str.h"

extern const char nf_prompt_system[];

typedef struct nf_prompt {
    const nf_job_labels *labels;
    int32_t only; /* one label at a time; -1: all of them */
    bool open;    /* the model names the types; labels, if any, are to be taken where they fit */
    const uint32_t *order; /* [labels->count] in which they are shown; NULL: as they are */
    const nf_document *const *examples; /* [n_examples] */
    size_t n_examples;
} nf_prompt;

/* Appends the question about a text [size]; `failed` of out tells of missing memory. */
void nf_prompt_question(nf_str *out, const nf_prompt *prompt, const char *text, size_t size);
/* The JSON schema of its answer. */
void nf_prompt_schema(nf_str *out, const nf_prompt *prompt);

#endif
