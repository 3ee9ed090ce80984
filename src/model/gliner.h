/* GLiNER (Zaratiana et al. 2024): spans or words of a text are scored against labels, which come
 * with the call. A uni-encoder reads them in the text's own sequence, as a prompt; a bi-encoder has
 * an encoder for them. Formulas, names and tensors are those of the package `gliner` (0.2.29).
 *
 * Letters: D size of words' and labels' vectors, W words, C labels, K words of the longest span,
 * P(x) = out(relu(in(x))) with 4D in between. h [W,D] are the words' vectors, q [C,D] the labels'.
 *
 *   markerV0  r_ij = P_out(relu [P_start(h_i); P_end(h_j)]),   logit = r_ij . P_prompt(q_c)
 *   marker    the same with one linear layer for P_out, and 2D in P_start and P_end
 *   markerV1  a third part in P_out: the mean of h
 *   token     out(relu(in [t0_i; l0_c; t1_i * l1_c])): three logits, of a start, an end, an inside
 *
 * The relu before P_out's first layer acts on each part by itself, so that its matrix is divided
 * into columns, each applied once a word and not once a span; and its last layer is linear, so that
 * it is applied to the labels and not to the spans. Sums are taken in another order than in the
 * package: logits agree to about 1e-6. */
#ifndef NF_MODEL_GLINER_H
#define NF_MODEL_GLINER_H

#include "model/gliner_config.h"
#include "nn/lstm.h"
#include "model/model.h"

/* The threshold of GLiNER's own predictions (gliner 0.2.29: BaseEncoderGLiNER.inference). */
#define NF_GLINER_THRESHOLD 0.5

/* P: out(dropout(relu(in(x)))) */
typedef struct nf_gliner_mlp {
    nf_linear *in, *out;
    uint32_t stream; /* of that dropout */
} nf_gliner_mlp;

/* P_out's first layer (or only one), divided by the parts of its input. */
typedef struct nf_gliner_span_head {
    nf_gliner_mlp start, end;
    nf_linear *from_start, *from_end, *from_mean; /* from_mean: markerV1, else NULL */
    nf_linear *out;                               /* NULL: marker */
    uint32_t stream;                              /* of the dropout before `out` */
} nf_gliner_span_head;

typedef struct nf_gliner_token_head {
    nf_linear *word[2], *label[2];                    /* t0, t1; l0, l1 */
    nf_linear *from_word, *from_label, *from_product; /* out_mlp.0 by the parts of its input */
    nf_linear *out;                                   /* [3, 4D] */
    uint32_t stream;                                  /* of the dropout before the relu */
} nf_gliner_token_head;

/* Squeeze and excitation over the layers' outputs (LayersFuser). */
typedef struct nf_layers_fuser {
    nf_linear *squeeze, *w1, *w2, *output;
} nf_layers_fuser;

/* A parameter that is a part of a stored tensor: rows and columns from first_row, first_col. */
typedef struct nf_gliner_part {
    nf_parameter *part;
    const char *name; /* of the whole */
    size_t rows, cols, first_row, first_col;
} nf_gliner_part;

typedef struct nf_gliner_label_cache nf_gliner_label_cache;

typedef struct nf_gliner {
    nf_gliner_config config;
    json_t *json;          /* gliner_config.json */
    json_t *labels_config; /* of a bi-encoder's labels' encoder; else NULL */
    nf_layers_fuser *fuser, *labels_fuser;
    nf_linear *projection; /* H to D; NULL: they are equal */
    nf_lstm *lstm;         /* NULL: none */
    nf_gliner_span_head *span;
    nf_gliner_token_head *token;
    nf_gliner_mlp prompt;            /* of models without token head */
    nf_parameter *precomputed;       /* [L, D] labels' vectors; NULL: none */
    const char **precomputed_labels; /* [L] */
    nf_encoder labels_encoder;       /* of a bi-encoder */
    nf_linear *labels_projection;
    nf_tokenizer *labels_tokenizer;
    nf_gliner_label_cache *label_cache;
    nf_gliner_part parts[20];
    size_t n_parts;
    int32_t label_token; /* id of ent_token */
    /* [n_labels] of calls that name none: nf_gliner_set_labels */
    const char *const *names, *const *prompts;
    size_t n_labels;
    double *thresholds; /* [n_labels] of a folder's nerfit.json; NULL: it says none */
    bool characters;    /* words of scripts without spaces are their characters: nerfit.json */
    bool frozen[2];     /* the encoder of texts, that of labels: training leaves it as it is */
} nf_gliner;

/* What stands before the names of all stored tensors: torch.compile's wrapper, or one more module. */
const char *nf_gliner_wrapper(const nf_safetensors *weights);
/* The name of an encoder's parameter (`labels`: of that of labels) as its own model has it; NULL: it is none. */
const char *nf_gliner_encoder_name(const char *name, bool labels);
/* The network that config, json and labels_config call for, without values. */
nerfit_status nf_gliner_build(nf_model *model, nerfit_error *err);
/* Writes a folder that the package loads. */
nerfit_status nf_gliner_save(const nf_model *model, const char *folder, nerfit_error *err);

/* ---- labels */
/* Those of the folder's nerfit.json, with their thresholds, if it has one: the labels that a model was
 * trained further on. */
nerfit_status nf_gliner_load_labels(nf_model *model, const char *folder, nerfit_error *err);
/* Puts thresholds [count] into the folder's nerfit.json. */
nerfit_status nf_gliner_save_thresholds(const char *folder, const char *const *labels,
                                        const double *thresholds, size_t count, nerfit_error *err);
/* "O", "B-person", "I-person", "B-place", ... [2 count + 1] in the arena; NULL: out of memory. */
char **nf_gliner_tags(const char *const *names, size_t count, nf_arena *arena);
/* The labels that are looked for unless a call names others; they are copied. */
nerfit_status nf_gliner_set_labels(nf_model *model, const char *const *names,
                                   const char *const *prompts, size_t count, nerfit_error *err);

/* ---- gliner_labels.c */
/* Vectors of a bi-encoder's labels, kept from call to call; for any thread. */
nerfit_status nf_gliner_label_cache_new(nf_gliner_label_cache **out, nerfit_error *err);
void nf_gliner_label_cache_free(nf_gliner_label_cache *cache); /* may be NULL */

/* ---- forward: gliner_forward.c */

/* One text, or window of one, as a sequence. */
typedef struct nf_gliner_text {
    const int32_t *ids; /* [length] */
    size_t length;
    /* The words' sub-words: word w has those from word_starts[w] to before word_ends[w]; none, if
     * they are equal, and its vector is then zero. */
    const int32_t *word_starts, *word_ends; /* [n_words] */
    size_t n_words;
    /* A uni-encoder's labels stand at these places of ids [n_labels]; else NULL. */
    const int32_t *label_places;
    const float *label_vectors; /* [n_labels, D], of a bi-encoder or precomputed; else NULL */
    const int32_t *label_rows;  /* [n_labels] of a lesson's labels, of a bi-encoder; else NULL */
    size_t n_labels;
} nf_gliner_text;

/* Logits of one text: of spans [n_words, K, C], -inf where the span ends past the text; or of words
 * [n_words, C, 3] (start, end, inside), and then of `spans` [n_spans] that the words' logits make
 * probable [n_spans, C], if the model represents spans. */
typedef struct nf_gliner_logits {
    float *values;
    struct nf_gliner_span {
        int32_t start, end; /* words, the last one included */
    } * spans;
    float *span_values;
    size_t n_spans;
} nf_gliner_logits;

/* ---- learning */

/* What is there in a text: entities of words, with their label among the text's as type. */
typedef struct nf_gliner_golds {
    const nf_entity *items;
    size_t count;
    const nf_entity *unknown; /* [n_unknown] words of which nobody knows what they are: what
                               * overlaps them and is no entity has no loss */
    size_t n_unknown;
    double weight; /* of the text's loss; 0: 1 */
} nf_gliner_golds;

static inline double nf_gliner_weight(const nf_gliner_golds *golds) {
    return golds->weight > 0.0 ? golds->weight : 1.0;
}

/* Which negatives are left out at random. */
typedef enum nf_gliner_masking {
    NF_GLINER_MASK_NONE,
    NF_GLINER_MASK_GLOBAL, /* any */
    NF_GLINER_MASK_LABEL,  /* of labels that the text has not */
    NF_GLINER_MASK_SPAN,   /* of spans that are no entity */
} nf_gliner_masking;

/* How the loss is taken: gliner's names (focal_loss_alpha, ...) and formulas. */
typedef struct nf_gliner_loss {
    double alpha; /* below 0: positives and negatives count alike */
    double gamma, margin, smoothing;
    double negatives; /* the share of them that is kept, by `masking`; of spans only */
    nf_gliner_masking masking;
    bool mean; /* divided by the spans that there are, or by words times labels; else the sum */
} nf_gliner_loss;

typedef struct nf_gliner_lesson {
    const nf_gliner_golds *golds; /* [texts] */
    const nf_gliner_loss *loss;
    const nf_tokens *labels;   /* [n_labels] of the batch, of a bi-encoder; else NULL */
    const float *const *means; /* [n_labels] nf_gliner_label_means of them; NULL: not known */
    size_t n_labels;
    double divisor;    /* of the loss; and of the gradient, which is */
    double grad_scale; /* multiplied with this */
} nf_gliner_lesson;

/* A text as it is trained on: nf_example's ids are the sequence. */
struct nf_prompted {
    nf_gliner_text text;
    nf_gliner_golds golds;
    const int32_t *types;          /* [text.n_labels] which of the examples' types its labels are */
    const nf_tokens *label_tokens; /* [text.n_labels] of a bi-encoder, each made once; else NULL */
    const float *const
        *label_means; /* [text.n_labels] [C] nf_gliner_label_means; NULL: they change */
};

/* The row of heads/head.h, over the whole of what stands on the encoder, for the model that is being
 * loaded. NULL when out of memory. */
nf_head *nf_gliner_head_new(nf_model *model);
/* How its loss is taken. */
nf_gliner_loss *nf_gliner_head_loss(nf_head *head);
/* By the package's names: "text_encoder", "labels_encoder" (freeze_components). */
nerfit_status nf_gliner_freeze(nf_model *model, const char *component, nerfit_error *err);
/* Takes what is frozen out of what is trained. */
void nf_gliner_keep_frozen(nf_model *model);
/* Whether a bi-encoder's labels' encoder gives the same for a label at every step. */
bool nf_gliner_knows_labels(const nf_model *model);

/* ---- logits */

/* Logits of `texts` [count], in memory of the arena. `threshold`: at which words' logits make spans
 * (models that represent spans). */
nerfit_status nf_gliner_forward(const nf_model *model, nf_pass *pass, const nf_gliner_text *texts,
                                size_t count, double threshold, nf_arena *arena,
                                nf_gliner_logits *logits, nerfit_error *err);
/* Sub-words of labels: tokens [count] of encodings [count], which are zeroed; the caller frees each. */
nerfit_status nf_gliner_label_tokens(const nf_tokenizer *tokenizer, const char *const *labels,
                                     size_t count, nf_encoding *encodings, nf_tokens *tokens,
                                     nerfit_error *err);
/* Means [count, C] over what an encoder of the network makes of texts; y lies in the pass's workspace. */
nerfit_status nf_gliner_means(const nf_network *net, const nf_encoder *encoder, nf_pass *pass,
                              const nf_tokens *texts, size_t count, nf_values **y,
                              nerfit_error *err);
/* Those of a labels' encoder, before they are projected; it has no fuser. */
nerfit_status nf_gliner_label_means(const nf_model *model, nf_pass *pass, const nf_tokens *labels,
                                    size_t count, float *means, nerfit_error *err);
/* Vectors [count, D] of labels by a bi-encoder's own encoder, which do not depend on the text. */
nerfit_status nf_gliner_encode_labels(const nf_model *model, nf_pass *pass,
                                      const char *const *labels, size_t count, float *vectors,
                                      nerfit_error *err);

#endif
