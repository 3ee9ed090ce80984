/* What annotators say of texts, and what becomes of it.
 *
 * An annotator (a model, a language model, lists of the user) gives an opinion of every text: spans
 * with labels and scores. Opinions are merged (merge.h): what enough of them share is written, what is
 * disputed is marked, so that training passes over it and a person can look at it. */
#ifndef NF_ANNOTATE_OPINION_H
#define NF_ANNOTATE_OPINION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "data/document.h"
#include "data/synonyms.h"
#include "labels/entity.h"

/* A text as one annotator sees it. Zero: nobody was asked. */
typedef struct nf_opinion {
    nf_entity *spans; /* [n_spans] code points; types of the job's labels; scores 0 to 1 */
    size_t n_spans;
    bool given;        /* else there is none, and `failure` says why */
    bool *asked;       /* [n_labels] labels that were looked for; NULL: all */
    nf_entity *unsure; /* [n_unsure] what it saw and did not hold on to: passes that disagree */
    size_t n_unsure;
    const char *failure; /* in words; NULL */
} nf_opinion;

/* The labels of a job. */
typedef struct nf_job_labels {
    const char *const *names;        /* [count] */
    const char *const *descriptions; /* [count] "": none */
    const nf_label_texts *further;   /* [count] other names and descriptions; or NULL */
    size_t count;
} nf_job_labels;
/* The number of a label; -1: there is none of that name. */
int32_t nf_job_label(const nf_job_labels *labels, const char *name);

/* Everything that several parts count, for the report. */
typedef enum nf_annotate_count {
    NF_COUNT_EXACT,    /* answers found in the text as they stand */
    NF_COUNT_FOLDED,   /* but for case, blanks, quotes, Unicode forms */
    NF_COUNT_TRIMMED,  /* without an article, punctuation, a possessive */
    NF_COUNT_FUZZY,    /* nearly */
    NF_COUNT_REPEATED, /* further occurrences of an answer */
    NF_COUNT_ABSENT,   /* dropped: not in the text */
    NF_COUNT_INSIDE,   /* dropped: inside a word only */
    NF_COUNT_AGAIN,    /* dropped: answered more often than it occurs */
    NF_COUNT_EMPTY,    /* dropped: no text */
    NF_COUNT_LABEL,    /* dropped: a label that was not asked for */
    NF_COUNT_TYPE, /* dropped: a type of the model's own without a name, or with a very long one */
    NF_COUNT_OVERLAP, /* dropped: overlaps a longer one */
    NF_COUNTS
} nf_annotate_count;
const char *nf_annotate_count_text(nf_annotate_count count);

/* An answer that was not written, for the report. */
typedef struct nf_dropped_answer {
    size_t text; /* its number in the corpus */
    const char *answer, *label;
    nf_annotate_count why;
} nf_dropped_answer;

/* An annotator: `annotate` fills opinions [corpus->n_documents], made in the arena. */
typedef struct nf_annotator {
    const char *name; /* that its spans have as their source */
    void *self;
    nerfit_status (*annotate)(void *self, const nf_corpus *corpus, const nf_job_labels *labels,
                              nf_opinion *opinions, nf_arena *arena, nerfit_error *err);
} nf_annotator;

#endif
