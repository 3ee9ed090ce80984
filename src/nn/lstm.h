/* A long short-term memory in two directions (Hochreiter & Schmidhuber 1997) over each text of a
 * packed batch, as torch.nn.LSTM(bidirectional=True) has it: gates in the order i, f, g, o, two
 * bias vectors, zero initial state; a layer's output is [forward, backward] side by side. */
#ifndef NF_NN_LSTM_H
#define NF_NN_LSTM_H

#include "nn/linear.h"

typedef struct nf_lstm_direction {
    nf_linear *input;        /* [4H, in], with b_ih */
    nf_parameter *recurrent; /* [4H, H] */
    nf_parameter *bias;      /* [4H] b_hh */
} nf_lstm_direction;

typedef struct nf_lstm {
    size_t hidden; /* H, of one direction */
    size_t n_layers;
    nf_lstm_direction (*layers)[2]; /* [n_layers]: from the first token to the last, and back */
} nf_lstm;

typedef struct nf_lstm_layer_saved {
    nf_values *y; /* [N, 2H] */
    struct {
        nf_linear_saved input;
        nf_values *gates, *cells; /* [N, 4H], [N, H] */
    } directions[2];
} nf_lstm_layer_saved;

/* Parameters "PREFIXweight_ih_l0", "PREFIXweight_hh_l0_reverse", ... as torch names them; `in`: the
 * first layer's input. NULL when out of memory. */
nf_lstm *nf_lstm_new(nf_network *net, const char *prefix, size_t in, size_t hidden,
                     size_t n_layers);
/* y [N, 2H] from x [N, in], N tokens of the pass's sequences. kept (may be NULL if nothing is
 * kept): [n_layers]. */
nerfit_status nf_lstm_forward(const nf_lstm *lstm, const nf_pass *pass, nf_values *y,
                              const nf_values *x, nf_lstm_layer_saved *saved);
/* dx [N, in] (may be NULL) from dy [N, 2H]. */
nerfit_status nf_lstm_backward(const nf_lstm *lstm, const nf_pass *pass, nf_values *dx,
                               const nf_values *dy, const nf_lstm_layer_saved *saved);

#endif
