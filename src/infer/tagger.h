/* Tagging: texts to entities by a token-classification model.
 *
 * A text that does not fit the model is covered by overlapping windows (text/windows.h): nothing is
 * cut off. Entities are made of whole words (text/word_starts.h): a word's label is
 * read from its first sub-word (transformers' aggregation "first"). A span goes from its first
 * word's start to its last one's end, with the marks that belong to its last character (tokenizers
 * that strip accents end before them), less white space at the edges. rules.h tells how labels are
 * found; with the rules viterbi and crf, a word's other sub-words get its label (I- after B-).
 *
 * The data's way (pipeline.c): texts are read in portions, on the calling thread; each thread takes
 * a few texts, encodes them, and a batch of encoded ones through the model and the decoder;
 * portions are handed out in order, on the calling thread. Up to three portions are under way, so
 * that reading, tagging and writing overlap. */
#ifndef NF_INFER_TAGGER_H
#define NF_INFER_TAGGER_H

#include "data/document.h"
#include "infer/rules.h"
#include "infer/tagged.h"

/* Threads' scratch over a shared, prepared model: one call at a time. */
typedef struct nf_tagger nf_tagger;

/* `be`: the calling thread's handle, borrowed. */
nerfit_status nf_tagger_new(nf_tagger **out, const nf_model *model, nf_backend *be,
                            nerfit_error *err);
void nf_tagger_free(nf_tagger *tagger);

/* What belongs to one call: how labels are read, and whether to go on. */
typedef struct nf_tagging_call {
    const nf_rules *rules;
    /* Asked after every batch, and several times a second while there is nothing to do, on the
     * calling thread; false: NERFIT_CANCELLED. NULL: never. */
    bool (*go_on)(void *user);
    void *user;
    const nf_log *log; /* may be NULL */
    bool entropy;      /* whether nf_tagged's is wanted: it takes the sums over all paths */
} nf_tagging_call;

static inline const nf_rules *nf_text_rules(const nf_text *text, const nf_tagging_call *call) {
    return text->rules ? text->rules : call->rules;
}

/* Texts that are tagged together: batches are of texts of similar length. */
typedef struct nf_portion {
    const nf_text *texts; /* [count] */
    size_t count;
    nf_tagged *results; /* [count], the tagger's */
    void *user;         /* the job's */
} nf_portion;

/* What is tagged, and what is done with it. Functions are called on the calling thread, but for
 * `tagged`. An error of any of them ends the job. */
typedef struct nf_tagging_job {
    nf_tagging_call call;
    bool token_scores; /* whether anything reads nf_tagged_token's score */
    void *user;
    /* Fills texts, count and user; *more false: they are the last (count may be 0). What it points
     * to stays until `done`. */
    nerfit_status (*next)(void *user, nf_portion *portion, bool *more, nerfit_error *err);
    /* One text is tagged; on any thread, several at the same time. NULL: nothing to do. */
    nerfit_status (*tagged)(void *user, const nf_portion *portion, size_t index, nerfit_error *err);
    /* All texts of a portion are tagged; in the order of the input. */
    nerfit_status (*done)(void *user, const nf_portion *portion, nerfit_error *err);
    /* Frees what `next` made; called once for each portion, whatever happened. NULL: nothing. */
    void (*release)(void *user, nf_portion *portion);
    /* Puts before an error's text where the text stands; NULL: "text 3". */
    void (*locate)(const nf_portion *portion, size_t index, nerfit_error *err);
} nf_tagging_job;

/* Runs a job to its end. An error in a portion ends it after those before it. Results are the
 * tagger's until its next call; those of a portion of its last three at most. */
nerfit_status nf_tagger_run(nf_tagger *tagger, const nf_tagging_job *job, nerfit_error *err);

/* One portion of texts; results [count], valid until the tagger's next call. */
nerfit_status nf_tagger_tag(nf_tagger *tagger, const nf_tagging_call *call, const nf_text *texts,
                            size_t count, nf_tagged *results, nerfit_error *err);

/* Gold labels of a document for tagged tokens: labels [n_tokens] as texts "B-x", "I-x", "O", by the
 * rule of labels/span_tokens.h; label texts are made in the arena. */
nerfit_status nf_tagger_gold(const nf_document *document, const nf_tagged *tagged, nf_arena *arena,
                             const char **labels, nerfit_error *err);

#endif
