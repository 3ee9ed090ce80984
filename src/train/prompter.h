/* Prompts for heads that read labels in them (model/gliner.h). Of an example what stays is a text's words and
 * entities; which labels its prompt names is drawn anew for every step: its own, and others of its label
 * set as negatives, in another order each time, so that a model learns to find any choice of them and
 * none where there is none. An evaluation asks for all labels.
 *
 * There may be several label sets (pre-training, rehearsal): a text's prompts name labels of its own set
 * alone, each by one of the texts that it is called by, drawn anew. */
#ifndef NF_TRAIN_PROMPTER_H
#define NF_TRAIN_PROMPTER_H

#include "model/gliner_prompt.h"
#include "train/task.h"

/* What a type is called: names, then descriptions, then both in one. A step draws one of the three kinds
 * that there are, and one of that kind. */
typedef struct nf_called {
    const char *const
        *texts; /* [n_names + n_descriptions + n_both], the first one in evaluations */
    size_t n_names, n_descriptions, n_both;
} nf_called;

static inline size_t nf_called_count(const nf_called *called) {
    return called->n_names + called->n_descriptions + called->n_both;
}

/* How labels are read. */
typedef struct nf_prompter nf_prompter;

/* max_length: tokens of a sequence, its prompt counted; 0: as many as the model takes. The model is
 * borrowed. */
nerfit_status nf_prompter_new(nf_prompter **out, const nf_model *model, size_t max_length,
                              nerfit_error *err);
/* One more label set: its types as called [labels->n_types]; both are borrowed. `evaluated`: prompts with
 * all of its labels must leave room for text; else drawn ones are kept to half of the room. */
nerfit_status nf_prompter_add(nf_prompter *p, const nf_label_set *labels, const nf_called *called,
                              bool evaluated, nerfit_error *err);
void nf_prompter_free(nf_prompter *prompter);

/* Lets a task's training draw the labels of its prompts; the model is ready for training. In the place of a
 * share of each batch's texts others are drawn, of `rehearsed` (NULL: none), which are borrowed. */
nerfit_status nf_prompter_serve(nf_prompter *prompter, nf_task *task, const nf_examples *rehearsed,
                                double share, nerfit_error *err);

/* ---------------------------------------------------------------- for prompted.c, which makes the examples */

/* A label set and all texts that its types are called by. */
typedef struct nf_prompt_set {
    const nf_label_set *labels;
    const nf_called *called; /* [labels->n_types] */
    size_t *firsts;          /* [labels->n_types] of their texts */
    const char **texts;      /* [n_texts] */
    size_t n_texts;
    size_t *lengths;        /* [n_texts] sub-words in a prompt, that of the label's token counted */
    nf_encoding *encodings; /* [n_texts] by a bi-encoder's labels' tokenizer; else NULL */
    nf_tokens *tokens;      /* [n_texts] likewise */
    float *
        means; /* [n_texts, C] what a labels' encoder that is not trained makes of them; else NULL */
    bool *known;   /* for which groups of texts */
    size_t room;   /* sub-words of text behind its longest prompt */
    size_t budget; /* sub-words of a drawn prompt's labels */
    bool evaluated;
} nf_prompt_set;

struct nf_prompter {
    const nf_model *model;
    nf_arena arena;
    nf_prompt_set **sets; /* [n_sets] */
    size_t n_sets;
    nf_workspace *ws; /* for means; NULL: there are none */
    size_t free_room; /* sub-words behind a prompt without labels */
    size_t most;      /* labels of a drawn prompt, unless a text has more of its own */
    const nf_examples *rehearsed;
    double share;
    nf_arena step; /* what was drawn for the batch at hand */
    nf_tokenizer_scratch *scratch;
};

/* A piece of a text, before labels are put to it. */
typedef struct nf_prompt_source {
    struct nf_prompted all; /* first: nf_example.prompted points to it */
    const nf_prompt_set *set;
    nf_gliner_words words;  /* of the whole text; in the examples' arena */
    size_t first, end;      /* the piece's words */
    const nf_entity *golds; /* [n_golds] of the types that there are, numbered as in the set */
    size_t n_golds;
    const nf_entity *unknown; /* [n_unknown] words */
    size_t n_unknown;
    const uint32_t *types; /* [n_types] those that were looked for */
    size_t n_types;
    double weight;
} nf_prompt_source;

/* The labels of a prompt. */
typedef struct nf_prompt_choice {
    uint32_t *types; /* [n] of the source's set */
    size_t *texts;   /* [n] as what, among the set's texts */
    size_t n;
} nf_prompt_choice;

/* All that were looked for, each by its first text; memory of the arena. */
nerfit_status nf_prompt_choose_all(const nf_prompt_source *s, nf_prompt_choice *choice,
                                   nf_arena *arena, nerfit_error *err);
/* `out` and `example` of a piece with these labels in this order. */
nerfit_status nf_prompter_put(const nf_prompter *p, const nf_prompt_source *s,
                              const nf_prompt_choice *choice, struct nf_prompted *out,
                              nf_example *example, nf_arena *arena, nerfit_error *err);

#endif
