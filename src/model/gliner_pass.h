/* A batch on its way through a GLiNER model: what the files of the pass share. gliner_encode.c goes
 * from sub-words to the vectors of words and labels, gliner_spans.c and gliner_words.c from there to
 * logits or to a loss, gliner_forward.c puts them together. Every forward has its backward under it. */
#ifndef NF_MODEL_GLINER_PASS_H
#define NF_MODEL_GLINER_PASS_H

#include "model/gliner.h"

/* An encoder with what stands directly on it. */
typedef struct nf_gliner_encoder {
    const nf_encoder *encoder;
    const nf_layers_fuser *fuser;
    const nf_linear *projection; /* NULL: none, as the fuser */
} nf_gliner_encoder;

typedef struct nf_gliner_top_saved {
    nf_values **layers;       /* [n_layers + 1, tokens, C] outputs, of a fused one */
    nf_linear_saved *squeeze; /* [n_layers] */
    nf_linear_saved w1, w2, output, projection;
    nf_values *weights; /* [texts, n_layers] of the layers, before the sigmoid */
} nf_gliner_top_saved;

typedef struct nf_gliner_encoder_saved {
    nf_encoder_saved encoder;
    nf_gliner_top_saved top;
} nf_gliner_encoder_saved;

typedef struct nf_gliner_mlp_saved {
    nf_linear_saved in, out;
} nf_gliner_mlp_saved;

typedef struct nf_gliner_run {
    const nf_model *model;
    const nf_gliner *gliner;
    const nf_pass *pass; /* over the sub-words */
    const nf_gliner_text *texts;
    size_t count;
    size_t n_tokens, n_words, n_labels; /* of all texts */
    const nf_values *hidden;            /* [n_tokens, C] the encoder's output */
    nf_values **layers;                 /* [n_layers + 1, n_tokens, C], if they are fused */
    nf_pass words;                      /* over the words */
    nf_values *tokens;                  /* [n_tokens + 1, D]; the last one is zero */
    nf_values *h, *q;                   /* [n_words, D], [n_labels, D] */
    nf_arena *arena;

    /* logits */
    double threshold;
    nf_gliner_logits *logits;

    /* learning */
    const nf_gliner_lesson *lesson; /* NULL: logits are wanted */
    double loss;
    nf_values *dtokens, *dh, *dq; /* of tokens, h, q; NULL: without backward */
    nf_gliner_top_saved top;
    nf_gliner_encoder_saved labels;
    const int32_t *places; /* the sub-words that words are read from */
    size_t n_places;
    nf_sequences pieces;           /* and which of them are a word's, if they are pooled */
    nf_values *rows;               /* [n_places, D] likewise */
    nf_lstm_layer_saved *lstm;     /* [layers] */
    nf_pass label_tokens;          /* over the labels of a bi-encoder */
    nf_values *label_rows;         /* [their tokens, D] */
    nf_values *vectors, *dvectors; /* [lesson->n_labels, D] */
} nf_gliner_run;

static inline bool nf_gliner_keeps(const nf_gliner_run *run) {
    return run->lesson && run->pass->keep;
}

/* Fills what the texts tell; lesson, logits and hidden are the caller's to set. */
void nf_gliner_run_begin(nf_gliner_run *run, const nf_model *model, const nf_pass *pass,
                         const nf_gliner_text *texts, size_t count, nf_arena *arena);
/* run->logits, of what is represented. */
nerfit_status nf_gliner_run_logits(nf_gliner_run *run);
/* As many rows as there are, whatever the texts are. */
nf_pass nf_gliner_rows(const nf_pass *pass, size_t rows);
/* n reals, zero; NULL when out of memory. */
nf_values *nf_gliner_zeros(const nf_pass *pass, size_t n);
/* kept may be NULL. */
nerfit_status nf_gliner_linear(const nf_linear *linear, const nf_pass *pass, nf_values *y,
                               const nf_values *x, size_t rows, nf_activation activation,
                               nf_linear_saved *saved);
nerfit_status nf_gliner_linear_backward(const nf_linear *linear, const nf_pass *pass, nf_values *dx,
                                        const nf_values *dy, size_t rows,
                                        const nf_linear_saved *saved, bool accumulate);
nerfit_status nf_gliner_mlp_forward(const nf_gliner_run *run, const nf_gliner_mlp *mlp,
                                    nf_values *y, const nf_values *x, size_t rows,
                                    nf_gliner_mlp_saved *saved);
/* Adds to dx. */
nerfit_status nf_gliner_mlp_backward(const nf_gliner_run *run, const nf_gliner_mlp *mlp,
                                     nf_values *dx, const nf_values *dy, size_t rows,
                                     const nf_gliner_mlp_saved *saved);
/* The model's dropout at a stream, the elements counted from `first`, a multiple of 8. */
nf_dropout nf_gliner_dropout(const nf_gliner_run *run, uint32_t stream, uint64_t first);

/* ---- gliner_encode.c */
/* y [tokens, D] of the encoder's output x, and of its layers', if they are fused: their fusing, the
 * projection. kept: NULL without backward. */
nerfit_status nf_gliner_top_forward(const nf_gliner_encoder *e, const nf_pass *pass, nf_values *y,
                                    const nf_values *x, nf_values **layers,
                                    nf_gliner_top_saved *saved, nf_arena *arena);
/* dx [tokens, C] may not be dy, which is overwritten. */
nerfit_status nf_gliner_top_backward(const nf_gliner_encoder *e, const nf_pass *pass, nf_values *dx,
                                     nf_values *const *dlayers, nf_values *dy,
                                     const nf_gliner_top_saved *saved);
/* [n_layers + 1] arrays of [tokens, C]; NULL: out of memory. */
nf_values **nf_gliner_layers(const nf_encoder *encoder, const nf_pass *pass, bool zero,
                             nf_arena *arena);
nf_gliner_encoder nf_gliner_text_encoder(const nf_gliner_run *run);
/* The vectors [texts, D] of the texts of a pass, by a bi-encoder's labels' encoder. `rows` receives
 * the tokens'; kept as above. */
nerfit_status nf_gliner_label_vectors(const nf_model *model, const nf_pass *pass, nf_values *y,
                                      nf_values **rows, nf_gliner_encoder_saved *saved,
                                      nf_arena *arena);
/* run->tokens, h, q and words, from hidden and layers. */
nerfit_status nf_gliner_represent(nf_gliner_run *run);
/* From dh and dq to dx and dlayers, and a labels' encoder's gradients. */
nerfit_status nf_gliner_represent_backward(nf_gliner_run *run, nf_values *dx,
                                           nf_values *const *dlayers);

/* ---- gliner_spans.c */
nerfit_status nf_gliner_span_logits(const nf_gliner_run *run);
/* Of a token model's probable spans. */
nerfit_status nf_gliner_chosen_span_logits(const nf_gliner_run *run);
/* Adds to run->loss, and to dh and dq. */
nerfit_status nf_gliner_span_learn(nf_gliner_run *run);

/* ---- gliner_words.c */
nerfit_status nf_gliner_word_logits(nf_gliner_run *run);
nerfit_status nf_gliner_word_learn(nf_gliner_run *run);

#endif
