/* Linear layer y = x W^T + b, and everything that may be done to its weight: frozen or trained,
 * prepared in the backend's form, with a LoRA, rsLoRA or DoRA adapter. Nothing else in the code
 * knows about adapters' arithmetic.
 *
 * LoRA (Hu et al. 2021): y += s B (A x'), x' = dropout(x), s = alpha/R, or alpha/sqrt(R) for
 * rsLoRA. DoRA (Liu et al. 2024), as PEFT computes it, norms taken as constants by the gradient:
 *     g = m / |W + s B A|_row,   y = W x + b - W x' + g (W x' + s B A x'). */
#ifndef NF_NN_LINEAR_H
#define NF_NN_LINEAR_H

#include "nn/network.h"

typedef struct nf_lora {
    nf_parameter *a;         /* [R, in] */
    nf_parameter *b;         /* [out, R] */
    nf_parameter *magnitude; /* [out], DoRA; NULL for LoRA */
    size_t rank;
    double scaling;
    double dropout;
    uint32_t stream;
    nf_values *w_squares; /* [out] |W_i|^2, for DoRA's norms; in the backend's memory */
    /* of an adapter that is not trained any more and stays beside its weight: [out] DoRA's g */
    bool settled;
    nf_values *gain; /* NULL: LoRA */
} nf_lora;

struct nf_linear {
    const char *name; /* "encoder.layer.0.attention.self.query" */
    size_t in, out;
    nf_parameter *weight; /* [out, in] */
    nf_parameter *bias;   /* [out] or NULL */
    nf_weight *packed;
    bool packed_is_shared; /* it is the network's shared file's */
    nf_lora *lora;         /* NULL: no adapter */
};

/* What backward needs besides x; zero-initialised by forward. */
typedef struct nf_linear_saved {
    const nf_values *x;       /* [N, in] */
    const nf_values *dropped; /* [N, in] x'; = x without dropout */
    nf_values *low;           /* [N, R] A x' */
    nf_values *sum;           /* [N, out] W x' + s B A x' (DoRA) */
    nf_values *norms, *gain;  /* [out] |W + s B A|_row and g (DoRA) */
} nf_linear_saved;

/* Registers weight "name.weight" and, if has_bias, "name.bias". NULL when out of memory. */
nf_linear *nf_linear_new(nf_network *net, const char *name, size_t in, size_t out, bool has_bias);
/* Adds an adapter: A uniform in +-1/sqrt(in) (torch's kaiming_uniform with a = sqrt 5), B zero, the
 * magnitude the row norms of W; parameters "name.lora_A.weight", "name.lora_B.weight",
 * "name.lora_magnitude_vector". */
nerfit_status nf_linear_add_lora(nf_network *net, nf_linear *linear, size_t rank, double scaling,
                                 double dropout, bool dora, uint64_t seed, nerfit_error *err);
/* Adds the adapter into W (the weight gets memory of its own) and removes it. */
nerfit_status nf_linear_merge(nf_network *net, nf_linear *linear, nerfit_error *err);
/* Makes an adapter ready that stays beside W instead, for tagging alone: what DoRA's gain depends on does
 * not change any more. */
nerfit_status nf_linear_settle(nf_network *net, nf_linear *linear, nerfit_error *err);
/* Frees the prepared form, unless it is shared. */
void nf_linear_unpack(nf_network *net, nf_linear *linear);
nerfit_status nf_linear_prepare(nf_network *net, nf_linear *linear, bool backward,
                                nerfit_error *err);
void nf_linear_release(nf_network *net, nf_linear *linear);
/* Whether any of its parameters is trained. */
bool nf_linear_trained(const nf_linear *linear);

/* Asserts that the layer takes rows of `in` and makes rows of `out`. */
static inline void nf_linear_assert(const nf_linear *linear, size_t in, size_t out) {
    nf_assert_equal(linear->in, in);
    nf_assert_equal(linear->out, out);
    nf_assert_equal(linear->weight->rows, out);
    nf_assert_equal(linear->weight->cols, in);
    nf_assert(!linear->bias || linear->bias->cols == out);
    nf_assert(!linear->lora || (linear->lora->a->cols == in && linear->lora->b->rows == out));
}

/* y [N,out]; with pre (may be NULL) the values before the activation. kept may be NULL. */
nerfit_status nf_linear_forward(const nf_linear *linear, const nf_pass *pass, nf_values *y,
                                nf_values *pre, const nf_values *x, nf_activation activation,
                                nf_linear_saved *saved);
/* dy: the gradient before the activation. dx may be NULL (not needed). */
nerfit_status nf_linear_backward(const nf_linear *linear, const nf_pass *pass, nf_values *dx,
                                 const nf_values *dy, const nf_linear_saved *saved,
                                 bool accumulate);

#endif
