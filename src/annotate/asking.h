/* Many questions to a language model: several at a time, answers from the cache first, a budget that is
 * never passed, and an end where going on makes no sense (a wrong key, a model that is not there,
 * failures in a row). Which answer belongs to which question does not depend on who was faster. */
#ifndef NF_ANNOTATE_ASKING_H
#define NF_ANNOTATE_ASKING_H

#include "annotate/answer_cache.h"
#include "base/str.h"
#include "net/llm.h"

/* What becomes of a question. */
typedef struct nf_asked {
    char *text; /* freed by the caller; NULL: there is no answer that can be read */
    bool truncated, cached;
    char *failure; /* why, freed by the caller; NULL */
} nf_asked;

typedef struct nf_asking {
    const nf_llm *llm;
    nf_answer_cache *cache;
    size_t n_questions;
    int concurrency;
    double budget;              /* of money if there are prices, else of tokens; 0: none */
    double price_in, price_out; /* of a million tokens; 0: none */
    const nf_log *log;
    bool (*go_on)(void *user, size_t done, size_t n_questions); /* on the calling thread; or NULL */
    void *user;
    /* Makes question i, on any thread: `text` and `schema` are appended to, all of `question` is set.
     * *pass tells questions of the same words apart. */
    nerfit_status (*question)(void *owner, size_t i, nf_str *text, nf_str *schema,
                              nf_llm_question *question, uint32_t *pass, nerfit_error *err);
    /* Whether an answer to question i can be read, on any thread. */
    bool (*readable)(void *owner, size_t i, const char *answer, bool truncated);
    void *owner;
} nf_asking;

typedef struct nf_asking_totals {
    size_t answers, cached, requests;
    uint64_t tokens_in, tokens_out; /* of all answers, cached ones included */
    double spent;                   /* not on cached ones: tokens, or money */
    size_t n_left_out;              /* questions not asked for the budget's sake */
} nf_asking_totals;

/* What is left to ask: questions that the cache has not, and about how many tokens they take. */
typedef struct nf_asking_estimate {
    size_t questions, cached;
    double tokens_in, tokens_out;
} nf_asking_estimate;
nerfit_status nf_asking_estimate_make(nf_asking_estimate *out, const nf_asking *asking,
                                      nerfit_error *err);

/* Asks all; out [n_questions]. Adds to totals, of which `spent` counts against the budget. On an error what
 * came is in the cache. */
nerfit_status nf_asking_run(const nf_asking *asking, nf_asked *out, nf_asking_totals *totals,
                            nerfit_error *err);

#endif
