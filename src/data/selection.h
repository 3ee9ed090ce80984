/* Which texts of a corpus: k-shot samples and stratified splits. Both are functions of the corpus
 * and a seed alone. */
#ifndef NF_DATA_SELECTION_H
#define NF_DATA_SELECTION_H

#include "data/document.h"

/* A number of texts: as a count, or as a share of something. */
typedef struct nf_amount {
    enum { NF_AMOUNT_COUNT, NF_AMOUNT_SHARE, NF_AMOUNT_REST } kind;
    double value; /* texts, or 0 to 1 */
} nf_amount;

/* "120" is a count, "0.8" and "80%" are shares, "rest" is what is left. `what` names it in
 * errors. */
nerfit_status nf_amount_parse(nf_amount *amount, const char *text, const char *what,
                              nerfit_error *err);

typedef struct nf_sample_options {
    size_t k; /* mentions of every type; at least 1 */
    uint64_t seed;
    nf_amount negatives; /* texts without an entity: a count, or a share of the whole sample */
} nf_sample_options;

/* What a sample lacks. */
typedef struct nf_shortage {
    size_t types;     /* that have fewer than k mentions */
    size_t negatives; /* texts without an entity that were wanted, and are not there */
} nf_shortage;

/* Greedy k-shot sampling. Texts in random order are taken while they bring a type that has fewer
 * than k mentions and push no type past 2k (the K~2K shot of Ding et al., "Few-NERD", ACL 2021);
 * types that have not k mentions then are filled up without that cap. It ends when every type has
 * k, or all texts are used: `shortage` (may be NULL) receives what is missing then. chosen
 * [n_documents] receives the indices in ascending order, *count how many. */
nerfit_status nf_sample(const nf_corpus *corpus, const nf_sample_options *options, uint32_t *chosen,
                        size_t *count, nf_shortage *shortage, nerfit_error *err);

/* Stratified by entity types: iterative stratification (Sechidis, Tsoumakas, Vlahavas, "On the
 * Stratification of Multi-Label Data", ECML PKDD 2011), by texts. Equal texts go to the same part,
 * so that nothing trained on is tested on; sizes are exact but for them.
 * sizes [n_parts]: at most one "rest"; together no more than all. part_of [n_documents] receives
 * each text's part, or n_parts for the texts that no part asked for. */
nerfit_status nf_split(const nf_corpus *corpus, const nf_amount *sizes, size_t n_parts,
                       uint64_t seed, uint32_t *part_of, nerfit_error *err);

/* Copies a document, checked before, to the end of `out`. */
nerfit_status nf_corpus_copy(nf_corpus *out, const nf_document *document, nerfit_error *err);
/* Copies the chosen documents to the end of `out`, and all of the corpus's labels, in its order. */
nerfit_status nf_corpus_take(nf_corpus *out, const nf_corpus *from, const uint32_t *chosen,
                             size_t count, nerfit_error *err);

/* Equal texts of several corpora: same_as [all documents, corpus after corpus] receives for every
 * text the number of the first one that is equal to it (its own if it is the first). */
nerfit_status nf_texts_same_as(const nf_corpus *const *corpora, size_t n_corpora, uint32_t *same_as,
                               nerfit_error *err);

#endif
