/* A language model as an annotator: texts in parts, questions (prompt.h), answers (answer.h), their places
 * (align.h), passes that vote (merge.h).
 *
 * A text of which a part got no answer is failed, not empty; with a label at a time, a label without an
 * answer was not asked for. Behind what an answer that was cut off reached, nothing is known. */
#ifndef NF_ANNOTATE_BY_LLM_H
#define NF_ANNOTATE_BY_LLM_H

#include <jansson.h>

#include "annotate/align.h"
#include "annotate/asking.h"
#include "annotate/open_types.h"

typedef struct nf_llm_annotator {
    const nf_llm *llm;
    nf_answer_cache *cache;
    const nf_log *log;
    bool (*go_on)(void *user, size_t done, size_t n_questions); /* or NULL */
    void *user;
    int concurrency;  /* requests at a time */
    size_t passes;    /* of each question; more than one: at temperature 0.7, with the labels
                                   in another order */
    size_t vote;      /* passes that must agree; 0: more than half */
    size_t max_chars; /* of a part */
    bool one_label_at_a_time;
    bool open; /* the model names the types itself: nf_llm_annotator_see_types comes first */
    const nf_open_types *types; /* those, merged: the job's labels are theirs */
    nf_align_options align;
    double budget, price_in, price_out; /* asking.h */
    uint64_t seed;
    const nf_corpus *examples; /* annotated texts; or NULL */
    const uint32_t *shown;     /* [texts, shots] which of them; n_documents: none */
    size_t shots;
    nf_asked *asked; /* [n_asked] answers that nf_llm_annotator_ask left; owned */
    size_t n_asked;
    /* What it came to. */
    nf_asking_totals totals;
    size_t counts[NF_COUNTS];
    json_t
        *dropped; /* [{"file", "line", "answer", "label", "why"}] at most NF_LLM_DROPPED; owned */
} nf_llm_annotator;

enum { NF_LLM_DROPPED = 1000 };

/* Asks all that is to be asked of the texts; the answers wait for nf_annotate_by_llm of the same texts. */
nerfit_status nf_llm_annotator_ask(nf_llm_annotator *annotator, const nf_corpus *corpus,
                                   const nf_job_labels *labels, nerfit_error *err);
/* The types of the answers that wait. */
nerfit_status nf_llm_annotator_see_types(nf_open_types *types, nf_llm_annotator *annotator,
                                         nerfit_error *err);
/* Frees the answers that wait. */
void nf_llm_annotator_forget(nf_llm_annotator *annotator);
/* `annotate` of nf_annotator; self: nf_llm_annotator. Asks, unless answers wait. */
nerfit_status nf_annotate_by_llm(void *self, const nf_corpus *corpus, const nf_job_labels *labels,
                                 nf_opinion *opinions, nf_arena *arena, nerfit_error *err);
/* The whole first question, with its system line, for people to read. */
nerfit_status nf_llm_first_question(nf_str *out, nf_llm_annotator *annotator,
                                    const nf_corpus *corpus, const nf_job_labels *labels,
                                    nerfit_error *err);
/* What is left to ask. */
nerfit_status nf_llm_annotator_estimate(nf_asking_estimate *out, nf_llm_annotator *annotator,
                                        const nf_corpus *corpus, const nf_job_labels *labels,
                                        nerfit_error *err);
/* For the summary: model, address, answers, tokens, cost, counts, answers left out. NULL when out of
 * memory. */
json_t *nf_llm_annotator_json(const nf_llm_annotator *annotator);

#endif
