/* What a set of annotated texts says about a tagger's entities, beyond F1: the mistakes with their
 * texts, which types were taken for which, the SemEval'13 measures, and what the scores are worth.
 */
#ifndef NF_EVAL_ANALYSIS_H
#define NF_EVAL_ANALYSIS_H

#include <jansson.h>

#include "base/str.h"
#include "eval/reliability.h"
#include "eval/mistakes.h"
#include "eval/semeval.h"
#include "eval/type_names.h"
#include "infer/tagger.h"

/* An entity to be shown, with its bytes of the text. */
typedef struct nf_shown_entity {
    nf_entity entity; /* type -1: there is none */
    size_t byte_start, byte_end;
} nf_shown_entity;

/* One match that is not correct. Everything it points to belongs to the analysis. */
typedef struct nf_mistake {
    nf_match_kind kind;
    const char *file, *text; /* the file may be NULL */
    long line;
    size_t text_size;
    nf_shown_entity gold, predicted;
} nf_mistake;

/* Zero-initialise. */
typedef struct nf_analysis {
    nf_arena arena;
    nf_type_names types; /* of all entities */
    nf_semeval semeval;
    nf_confusion confusion;
    size_t n_texts, n_wrong_texts, n_gold;
    size_t counts[NF_MATCH_KINDS];
    nf_mistake *mistakes; /* in the order of the texts */
    size_t n_mistakes, mistakes_capacity;
    nf_scored *scored; /* every predicted entity that has a score */
    size_t n_scored, scored_capacity;
} nf_analysis;

/* A text with where it stands; nothing of it is kept but by copy. Its entities are ranges of code
 * points, or of words, whose bytes are then given. */
typedef struct nf_analysed_text {
    const char *file, *text;
    long line;
    size_t size;
    const size_t *word_starts, *word_ends; /* [words]; NULL: code points */
} nf_analysed_text;

/* Types are numbers of analysis->types. */
nerfit_status nf_analysis_add(nf_analysis *analysis, const nf_analysed_text *text,
                              const nf_entity *gold, size_t n_gold, const nf_entity *predicted,
                              size_t n_predicted, nerfit_error *err);
/* The same for a document and what the tagger says of it. */
nerfit_status nf_analysis_add_tagged(nf_analysis *analysis, const nf_document *document,
                                     const nf_tag_set *tags, const nf_tagged *tagged,
                                     nerfit_error *err);
/* Tags a corpus and adds all of it. */
nerfit_status nf_analysis_add_corpus(nf_analysis *analysis, nf_tagger *tagger,
                                     const nf_tagging_call *call, const nf_corpus *corpus,
                                     nerfit_error *err);
void nf_analysis_free(nf_analysis *analysis);

/* Texts for a terminal. `failed` of `out` tells of missing memory. */
/* What the scores are worth: calibration error, precision and recall by threshold; nothing without
 * scores. Sorts the scored entities. */
void nf_analysis_scores_text(nf_analysis *analysis, nf_str *out);
/* Counts of mistakes, the confusion table and the SemEval'13 measures. */
void nf_analysis_text(const nf_analysis *analysis, nf_str *out);
/* Adds to a report's JSON, see nerfit_report in nerfit.h: "semeval", "confusion", "errors", and
 * with scores "calibration" and "thresholds". Sorts the scored entities. */
nerfit_status nf_analysis_json(nf_analysis *analysis, json_t *report, nerfit_error *err);

#endif
