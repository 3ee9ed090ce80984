/* The inside of nf_tagger: tagger.c has what is done with one text and one batch, pipeline.c who
 * does it when. */
#ifndef NF_INFER_TAGGER_IMPL_H
#define NF_INFER_TAGGER_IMPL_H

#include <stdatomic.h>

#include "infer/entities.h"
#include "infer/lists.h"
#include "infer/tagger.h"
#include "model/gliner_decode.h"
#include "text/windows.h"

/* Portions under way: one is read, one is tagged, one is written. */
enum { NF_PORTIONS = 3 };

/* A thread's own handle and scratch. */
typedef struct nf_tagging_worker {
    nf_backend *be;
    bool own; /* the handle is to be freed */
    nf_workspace *ws;
    nf_tokenizer_scratch *scratch;
    nf_encoding encoding;
    nf_entity_finder finder;
    nf_lists_scratch lists;
    float *values; /* [capacity] logits of a batch */
    size_t capacity;
    int32_t *rows; /* [n_rows] of a batch that are wanted */
    size_t n_rows;
    size_t n_tokens; /* room for: */
    bool *starts_word;
    uint32_t *ranges; /* [2 n_tokens] */
    int32_t *shapes;
    nf_gliner_words words; /* of a GLiNER model's text */
    nf_span_list spans;
} nf_tagging_worker;

/* A window of a text as one sequence of a batch. */
typedef struct nf_piece {
    size_t text; /* of the portion */
    nf_window window;
    int32_t *ids, *shapes; /* [length]; no shapes, if the model has no table of them: NULL */
    size_t length;
    const nf_gliner_text *sequence; /* of a GLiNER model, whose window counts words */
    size_t index;                   /* of that window */
} nf_piece;

typedef struct nf_pieces {
    nf_piece *items;
    size_t count, capacity;
} nf_pieces_list;

/* What is known of a text of a portion besides its result. */
typedef struct nf_text_state {
    atomic_size_t pieces_left;      /* that no batch has gone through yet */
    bool divided;                   /* has several pieces, so that `logits` collects them */
    double *logits;                 /* [n_words, 2 types + 1] */
    struct nf_gliner_state *gliner; /* gliner_tagger.c */
} nf_text_state;

/* Pieces first .. first+count-1, of like length. */
typedef struct nf_piece_batch {
    size_t first, count;
} nf_piece_batch;

/* A portion under way. */
typedef struct nf_portion_run {
    nf_portion portion;
    size_t first_text; /* number of its first text in the job */
    nf_text_state *states;
    nf_arena *arenas;      /* [workers] of what each makes for it */
    nf_pieces_list *lists; /* [workers] the pieces of the texts that each encoded */
    nf_pieces_list pieces; /* all of them, by length */
    nf_piece_batch *batches;
    size_t n_batches;
} nf_portion_run;

struct nf_tagger {
    const nf_model *model;
    nf_backend *be;
    size_t before, after; /* special tokens around a text */
    int n_workers;
    nf_tagging_worker alone;    /* batches one after another, on all threads of the handle */
    nf_tagging_worker *workers; /* [n_workers] batches at the same time; made when first needed */
    nf_portion_run runs[NF_PORTIONS];
};

/* Who works on what: a worker, with its number, on a portion of a job. */
typedef struct nf_tagging_work {
    const nf_tagger *tagger;
    nf_tagging_worker *worker;
    int index; /* the worker's */
    const nf_tagging_job *job;
    nf_portion_run *run;
} nf_tagging_work;

/* False: out of memory. */
bool nf_pieces_add(nf_pieces_list *list, const nf_piece *piece);

nerfit_status nf_tagging_worker_make(nf_tagging_worker *worker, nf_backend *be, bool own,
                                     nerfit_error *err);
void nf_tagging_worker_free(nf_tagging_worker *worker);

/* Encodes a text into `tagged` and pieces. */
nerfit_status nf_tagger_encode(const nf_tagging_work *in, size_t text, nerfit_error *err);
/* Makes batches of the pieces of all texts. */
nerfit_status nf_tagger_plan(nf_tagger *tagger, nf_portion_run *run, nerfit_error *err);
/* Takes a batch through the model, and the texts that are complete with it through the decoder.
 * *failed: the text an error is about. */
nerfit_status nf_tagger_batch(const nf_tagging_work *in, size_t batch, size_t *failed,
                              nerfit_error *err);

/* A text has its entities: puts in what lists find, and tells the job. */
nerfit_status nf_tagger_finish(const nf_tagging_work *in, size_t text, nerfit_error *err);

/* Both for a GLiNER model. */
nerfit_status nf_gliner_encode(const nf_tagging_work *in, size_t text, nerfit_error *err);
nerfit_status nf_gliner_batch(const nf_tagging_work *in, size_t batch, size_t *failed,
                              nerfit_error *err);

#endif
