/* What a GLiNER model reads: a prompt of the labels, and the text's words behind it.
 *
 *     [CLS] <<ENT>> label_1 <<ENT>> label_2 ... <<SEP>> word_1 ... word_n [SEP]
 *
 * Each label and each word is tokenized by itself. A bi-encoder has no prompt, a model with
 * precomputed labels only <<SEP>>, one of relations a second <<SEP>>. */
#ifndef NF_MODEL_GLINER_PROMPT_H
#define NF_MODEL_GLINER_PROMPT_H

#include "model/gliner.h"
#include "text/word_pattern.h"

/* What stands before a text's words, and after them. Zero-initialise. */
typedef struct nf_gliner_prompt {
    int32_t *ids; /* [length], the tokenizer's special tokens before a text included */
    size_t length;
    int32_t *places; /* [n_labels] where a label's vector is read; NULL: not in the prompt */
    size_t n_labels;
    int32_t *after; /* [n_after] the special tokens behind a text */
    size_t n_after;
} nf_gliner_prompt;

/* Labels are refused that are empty, come twice, or hold the model's own tokens. */
nerfit_status nf_gliner_prompt_make(nf_gliner_prompt *prompt, const nf_model *model,
                                    const char *const *labels, size_t n_labels, nerfit_error *err);
void nf_gliner_prompt_free(nf_gliner_prompt *prompt);
/* How many sub-words of text fit behind the prompt; an error says how many labels are too many. */
nerfit_status nf_gliner_prompt_room(const nf_gliner_prompt *prompt, const nf_model *model,
                                    size_t *room, nerfit_error *err);

/* The labels that a call looks for. */
typedef struct nf_gliner_labels {
    const char *const *names, *const
                                  *prompts; /* [count] what they are called, what the model reads;
                                                * borrowed */
    size_t count;
    nf_gliner_prompt prompt;
    size_t room;    /* sub-words of text behind the prompt */
    float *vectors; /* [count, D], of a bi-encoder or precomputed; else NULL */
} nf_gliner_labels;

/* Makes prompt and vectors, if they are not there yet; without labels it is an error. Of a bi-encoder
 * the labels are encoded, with `be`. */
nerfit_status nf_gliner_labels_prepare(nf_gliner_labels *labels, const nf_model *model,
                                       nf_backend *be, nerfit_error *err);
/* The error that a call has no labels. */
nerfit_status nf_gliner_labels_missing(const nf_model *model, nerfit_error *err);
void nf_gliner_labels_free(nf_gliner_labels *labels);

/* A text's words with their sub-words, reused from text to text. Zero-initialise. */
typedef struct nf_gliner_words {
    nf_pattern_words words;
    size_t *firsts; /* [words.count + 1] of ids */
    int32_t *ids;
    size_t n_ids, ids_capacity, firsts_capacity;
    nf_encoding encoding;
} nf_gliner_words;

/* `characters`: those of scripts without spaces are words. */
nerfit_status nf_gliner_words_encode(nf_gliner_words *words, const nf_tokenizer *tokenizer,
                                     nf_tokenizer_scratch *scratch, const char *text, size_t size,
                                     bool characters, nerfit_error *err);
/* Makes several words of one with more sub-words than `most`, where the text's characters allow it, so that
 * a window has room for each; before, its first sub-words alone would be read. */
nerfit_status nf_gliner_words_divide(nf_gliner_words *words, const nf_tokenizer *tokenizer,
                                     nf_tokenizer_scratch *scratch, const char *text, size_t most,
                                     nerfit_error *err);
void nf_gliner_words_free(nf_gliner_words *words);

/* The sequence of the words first .. end-1 behind a prompt, in memory of the arena. A word of more than
 * `room` sub-words, which nf_gliner_words_divide leaves where a single character has them, loses those past
 * it. */
nerfit_status nf_gliner_sequence(nf_gliner_text *out, const nf_gliner_prompt *prompt,
                                 const nf_gliner_words *words, size_t first, size_t end,
                                 size_t room, nf_arena *arena, nerfit_error *err);

#endif
