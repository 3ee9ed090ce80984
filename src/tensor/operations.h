/* Every operation of a backend, once. Whoever wants a table of them defines the rows it is
 * interested in and includes this file; the rows that are not defined vanish:
 *
 *     NF_HANDLE(result, name, parameters)                       life, memory, prepared weights
 *     NF_OPERATION(result, name, kind, parameters, arguments)   work on the backend's memory
 *     NF_ANSWER(result, name, kind, parameters, arguments)      work whose result the host gets:
 *                                                               a device must be waited for
 *     NF_SHORTCUT(result, name, kind, parameters, arguments)    as NF_OPERATION, may be NULL
 *
 * `kind` is what profile.h counts the time as, `arguments` are the parameters' names. The struct of
 * backend.h, the tables of ref and cpu, the profile, and the test that every operation is compared
 * with ref are made from it: a new operation is a row here and a function in each backend.
 *
 * Letters: N tokens, C hidden, H heads, K heads of keys and values, D head size, F feed-forward, L
 * labels, R rank, S sequences (texts), E entities, T types, P projection size. */
#ifndef NF_HANDLE
#define NF_HANDLE(...)
#endif
#ifndef NF_OPERATION
#define NF_OPERATION(...)
#endif
#ifndef NF_ANSWER
#define NF_ANSWER(...)
#endif
#ifndef NF_SHORTCUT
#define NF_SHORTCUT(...)
#endif

/* clang-format off */

/* ---- life and memory */
NF_HANDLE(void, free, (nf_backend *be))
/* Another handle for another thread; weights made by one are usable by all. */
NF_HANDLE(nerfit_status, fork, (nf_backend *be, nf_backend **out, nerfit_error *err))
/* The same, working on the calling thread alone. */
NF_HANDLE(nerfit_status, fork_alone, (nf_backend *be, nf_backend **out, nerfit_error *err))
/* Calls work(user, 0 .. count-1), each on a thread of its own; count <= threads. Each may use its
 * own handle only, one of fork_alone. */
NF_HANDLE(void, parallel, (nf_backend *be, int count, void (*work)(void *user, int index),
                           void *user))
/* 64-byte aligned, NULL if out of memory */
NF_HANDLE(void *, memory_new, (nf_backend *be, size_t bytes))
NF_HANDLE(void, memory_free, (nf_backend *be, void *memory))
/* n floats of the host that will stay where they are and unchanged (a mapped file): as values, if
 * the backend can use them there, else NULL, and the caller copies. Nothing is to be freed. */
NF_HANDLE(const nf_values *, adopt, (nf_backend *be, const float *host, size_t n))
/* `values` [out, in] must stay valid as long as the weight; it is read again by weight_update, which
 * must be called when the values have changed. */
NF_HANDLE(nerfit_status, weight_new, (nf_backend *be, nf_weight **w, const nf_values *values,
                                      const nf_weight_plan *plan, nerfit_error *err))
NF_HANDLE(void, weight_free, (nf_backend *be, nf_weight *w))

/* ---- in */
NF_OPERATION(void, zero, OTHER, (nf_backend *be, nf_values *y, size_t n), (be, y, n))
NF_OPERATION(void, copy, OTHER, (nf_backend *be, nf_values *y, const nf_values *x, size_t n),
             (be, y, x, n))
NF_OPERATION(void, from_f32, OTHER, (nf_backend *be, nf_values *y, const float *x, size_t n),
             (be, y, x, n))
NF_OPERATION(void, from_f64, OTHER, (nf_backend *be, nf_values *y, const double *x, size_t n),
             (be, y, x, n))
NF_OPERATION(void, ints_in, OTHER, (nf_backend *be, int32_t *y, const int32_t *x, size_t n),
             (be, y, x, n))

/* ---- out: what the host waits for */
NF_ANSWER(void, to_f32, OTHER, (nf_backend *be, float *y, const nf_values *x, size_t n),
          (be, y, x, n))
NF_ANSWER(void, to_f64, OTHER, (nf_backend *be, double *y, const nf_values *x, size_t n),
          (be, y, x, n))
NF_ANSWER(void, ints_out, OTHER, (nf_backend *be, int32_t *y, const int32_t *x, size_t n),
          (be, y, x, n))
NF_ANSWER(double, sum_of_squares, OPTIMIZER, (nf_backend *be, const nf_values *x, size_t n),
          (be, x, n))
/* The same for some rows, in the host's memory [n_rows], of a matrix with c columns. */
NF_ANSWER(double, sum_of_squares_rows, OPTIMIZER,
          (nf_backend *be, const nf_values *x, const int32_t *rows, size_t n_rows, size_t c),
          (be, x, rows, n_rows, c))
/* Losses: the sum over elements; dx (may be NULL) gets grad_scale times the gradient of that sum.
 * Binary cross-entropy of z_token . embedding_entity against "token lies in the entity", for every
 * pair of an entity and a token of the same text, times its weight. z [N,P] */
NF_ANSWER(double, contrastive_loss, LOSS,
          (nf_backend *be, nf_values *dz, const nf_values *z, const nf_sequences *sequences,
           const nf_entities *entities, double grad_scale),
          (be, dz, z, sequences, entities, grad_scale))
/* Cross-entropy of logits [N,L] against labels, with label smoothing s as in transformers'
 * LabelSmoother: (1-s) nll + s mean_l(-log p_l), times the row's weight; over the labels that are
 * allowed alone. */
NF_ANSWER(double, cross_entropy, LOSS,
          (nf_backend *be, nf_values *dlogits, const nf_values *logits, const nf_targets *targets,
           double grad_scale),
          (be, dlogits, logits, targets, grad_scale))
/* Focal loss (Lin et al. 2017) of logits that each say yes or no by themselves. */
NF_ANSWER(double, focal_loss, LOSS,
          (nf_backend *be, nf_values *dlogits, const nf_values *logits,
           const nf_focal_targets *targets, double grad_scale),
          (be, dlogits, logits, targets, grad_scale))

/* ---- elementwise, y may be x */
/* y += alpha x */
NF_OPERATION(void, axpy, OTHER,
             (nf_backend *be, nf_values *y, double alpha, const nf_values *x, size_t n),
             (be, y, alpha, x, n))
NF_OPERATION(void, dropout, DROPOUT,
             (nf_backend *be, nf_values *y, const nf_values *x, size_t n, const nf_dropout *dropout),
             (be, y, x, n, dropout))
NF_OPERATION(void, activation_forward, ACTIVATION,
             (nf_backend *be, nf_activation kind, nf_values *y, const nf_values *x, size_t n),
             (be, kind, y, x, n))
/* dx = dy * f'(x) */
NF_OPERATION(void, activation_backward, ACTIVATION,
             (nf_backend *be, nf_activation kind, nf_values *dx, const nf_values *dy,
              const nf_values *x, size_t n),
             (be, kind, dx, dy, x, n))
/* Gated linear unit (Shazeer 2020): y [N,F] = f(inputs[n,i]) gates[n,i] */
NF_OPERATION(void, gated_forward, ACTIVATION,
             (nf_backend *be, nf_values *y, const nf_gated_operands *gated), (be, y, gated))
/* dinputs and dgates have the rows of inputs and gates (the same stride); dy [N,F]. */
NF_OPERATION(void, gated_backward, ACTIVATION,
             (nf_backend *be, nf_values *dinputs, nf_values *dgates, const nf_values *dy,
              const nf_gated_operands *gated),
             (be, dinputs, dgates, dy, gated))
/* y[n,c] (+)= x[n,c] s[c] */
NF_OPERATION(void, scale_columns, ADAPTER,
             (nf_backend *be, nf_values *y, const nf_values *x, const nf_values *s, size_t rows,
              size_t cols, bool accumulate),
             (be, y, x, s, rows, cols, accumulate))
/* y[n,c] += b[c] */
NF_OPERATION(void, add_rows, OTHER,
             (nf_backend *be, nf_values *y, const nf_values *b, size_t rows, size_t cols),
             (be, y, b, rows, cols))
/* y[i] = a[i] / b[i] */
NF_OPERATION(void, divide, ADAPTER,
             (nf_backend *be, nf_values *y, const nf_values *a, const nf_values *b, size_t n),
             (be, y, a, b, n))

/* ---- reductions */
/* y[c] += sum_n x[n,c] */
NF_OPERATION(void, column_sums, OTHER,
             (nf_backend *be, nf_values *y, const nf_values *x, size_t rows, size_t cols),
             (be, y, x, rows, cols))
/* y[c] += sum_n a[n,c] b[n,c] */
NF_OPERATION(void, column_dots, ADAPTER,
             (nf_backend *be, nf_values *y, const nf_values *a, const nf_values *b, size_t rows,
              size_t cols),
             (be, y, a, b, rows, cols))
/* y[r] = sum_c x[r,c]^2 */
NF_OPERATION(void, row_squares, OTHER,
             (nf_backend *be, nf_values *y, const nf_values *x, size_t rows, size_t cols),
             (be, y, x, rows, cols))

/* ---- embeddings */
/* y[n] (+)= table[ids[n]] */
NF_OPERATION(void, embedding_forward, EMBEDDING,
             (nf_backend *be, nf_values *y, const nf_values *table, const int32_t *ids, size_t n,
              size_t c, bool accumulate),
             (be, y, table, ids, n, c, accumulate))
/* dtable[ids[n]] += dy[n], in the order of n; rows of padding_id (-1: none) get nothing. */
NF_OPERATION(void, embedding_backward, EMBEDDING,
             (nf_backend *be, nf_values *dtable, const nf_values *dy, const int32_t *ids, size_t n,
              size_t c, int32_t padding_id),
             (be, dtable, dy, ids, n, c, padding_id))

/* ---- norms over a residual sum: sum = dropout(x) + residual (NULL: 0), then by row
 * layer norm (Ba et al. 2016): y = (sum - mean) rstd gamma + beta, rstd = 1/sqrt(var + epsilon)
 * RMSNorm (Zhang and Sennrich 2019): y = sum rstd gamma, rstd = 1/sqrt(mean(sum^2) + epsilon) */
NF_OPERATION(void, norm_forward, NORM,
             (nf_backend *be, nf_values *y, const nf_values *x, const nf_values *residual,
              const nf_norm_operands *norm, const nf_dropout *dropout),
             (be, y, x, residual, norm, dropout))
/* dsum = gradient by the sum (dsum may be dy); dgamma, dbeta may be NULL (frozen). The caller gets
 * dx by applying the same dropout to dsum. */
NF_OPERATION(void, norm_backward, NORM,
             (nf_backend *be, nf_values *dsum, nf_values *dgamma, nf_values *dbeta,
              const nf_values *dy, const nf_norm_operands *norm),
             (be, dsum, dgamma, dbeta, dy, norm))

/* ---- matrix products */
/* Prepares the weight again after its values have changed. */
NF_OPERATION(nerfit_status, weight_update, OPTIMIZER,
             (nf_backend *be, nf_weight *w, nerfit_error *err), (be, w, err))
/* y [N,out] = x [N,in] W^T, and what `epilogue` says (NULL: nothing) */
NF_OPERATION(void, linear_forward, PRODUCT,
             (nf_backend *be, nf_values *y, const nf_values *x, const nf_weight *w, size_t n,
              const nf_epilogue *epilogue),
             (be, y, x, w, n, epilogue))
/* dx [N,in] (+)= dy [N,out] W */
NF_OPERATION(void, linear_backward_input, PRODUCT,
             (nf_backend *be, nf_values *dx, const nf_values *dy, const nf_weight *w, size_t n,
              bool accumulate),
             (be, dx, dy, w, n, accumulate))
/* dw [out,in] (+)= dy [N,out]^T x [N,in], in the precision of the weight's products (sums in f32) */
NF_OPERATION(void, weight_gradient, PRODUCT,
             (nf_backend *be, nf_values *dw, const nf_values *dy, const nf_values *x,
              const nf_weight *w, size_t n, bool accumulate),
             (be, dw, dy, x, w, n, accumulate))
/* Shortcuts for weights made with NF_USE_DROPPED. They return false, with nothing done, where the
 * backend has no faster way than linear_forward of the dropped x, and than linear_backward_input and
 * dropout of its result.
 * y = dropout(x) W^T, given known = x W^T + bias */
NF_SHORTCUT(bool, linear_forward_dropped, ADAPTER,
            (nf_backend *be, nf_values *y, const nf_dropped_forward_operands *operands),
            (be, y, operands))
/* dx [N,in] (+)= dy W + mask * (scaled W - dy W + low a), mask the dropout's factors */
NF_SHORTCUT(bool, linear_backward_dropped, ADAPTER,
            (nf_backend *be, nf_values *dx, const nf_dropped_backward_operands *operands,
             bool accumulate),
            (be, dx, operands, accumulate))
/* c [m,n] (+)= alpha op(a) op(b): the adapters' thin products, heads */
NF_OPERATION(void, matmul, ADAPTER,
             (nf_backend *be, nf_values *c, const nf_values *a, const nf_values *b,
              const nf_product *product),
             (be, c, a, b, product))
/* norms [out]: norm[i] = sqrt(w_squares[i] + 2 s B_i.(A W^T)_i + s^2 B_i (A A^T) B_i^T), the row
 * norms of W + s B A */
NF_OPERATION(void, dora_norms, ADAPTER,
             (nf_backend *be, nf_values *norms, const nf_dora_operands *operands),
             (be, norms, operands))

/* ---- attention inside each text: softmax(scale q k^T + what shape->relative says) v, head by
 * head, over the keys that shape->rule lets it see */
/* Writes operands->out, and lse unless it is NULL. Dropout acts on the probabilities;
 * nf_attention_element numbers them. */
NF_OPERATION(void, attention_forward, ATTENTION,
             (nf_backend *be, const nf_attention_operands *operands), (be, operands))
/* dq has the rows of q, dk and dv those of k and v (the same strides); dout [N, H*D]. */
NF_OPERATION(void, attention_backward, ATTENTION,
             (nf_backend *be, nf_values *dq, nf_values *dk, nf_values *dv, const nf_values *dout,
              const nf_attention_operands *operands),
             (be, dq, dk, dv, dout, operands))
/* Rotary positions, in place: in each of the heads at the start of a row of x [N, stride], the pair
 * (x[l], x[l + D/2]) turns by the angle whose cosine and sine are cos_sin[p,l] and cos_sin[p,D/2+l],
 * p = positions[n]; back again with `inverse`, which is also the gradient. */
NF_OPERATION(void, rotate, ATTENTION,
             (nf_backend *be, nf_values *x, const nf_rotation *rotation, size_t n, bool inverse),
             (be, x, rotation, n, inverse))

/* ---- recurrence */
NF_OPERATION(void, lstm_forward, PRODUCT, (nf_backend *be, const nf_lstm_operands *operands),
             (be, operands))
/* dgates [N,4H]: gradient by z; dw [4H,H] (NULL: frozen) gets W's; dy has the rows of y. */
NF_OPERATION(void, lstm_backward, PRODUCT,
             (nf_backend *be, nf_values *dgates, nf_values *dw, const nf_values *dy,
              const nf_lstm_operands *operands),
             (be, dgates, dw, dy, operands))

/* ---- rows */
/* y = x / max(|x|, 1e-12) by row (torch's F.normalize); norms [N] kept for backward. */
NF_OPERATION(void, normalize_forward, LOSS,
             (nf_backend *be, nf_values *y, nf_values *norms, const nf_values *x, size_t n,
              size_t c),
             (be, y, norms, x, n, c))
NF_OPERATION(void, normalize_backward, LOSS,
             (nf_backend *be, nf_values *dx, const nf_values *dy, const nf_values *y,
              const nf_values *norms, size_t n, size_t c),
             (be, dx, dy, y, norms, n, c))
/* y [S,C], rows `stride` apart, from x [N,C] without the first `skip` tokens of each sequence.
 * Where nothing is left y is 0; CLS then takes the very first token. */
NF_OPERATION(void, pool, OTHER,
             (nf_backend *be, nf_values *y, const nf_values *x, const nf_sequences *sequences,
              const nf_pooling_shape *shape),
             (be, y, x, sequences, shape))
/* dx [N,C] from dy [S,C], rows `stride` apart; MAX gives it to the first of the largest. */
NF_OPERATION(void, pool_backward, OTHER,
             (nf_backend *be, nf_values *dx, const nf_values *dy, const nf_values *x,
              const nf_sequences *sequences, const nf_pooling_shape *shape),
             (be, dx, dy, x, sequences, shape))
/* y = softmax of each row (y may be x). */
NF_OPERATION(void, softmax, LOSS,
             (nf_backend *be, nf_values *y, const nf_values *x, size_t n, size_t l), (be, y, x, n, l))

/* ---- optimizer: torch's AdamW (decoupled decay, epsilon outside the bias-corrected root) */
NF_OPERATION(void, adamw, OPTIMIZER,
             (nf_backend *be, const nf_adamw_arrays *arrays, size_t n, const nf_adamw *options),
             (be, arrays, n, options))
/* The same for some rows, in the host's memory [n_rows], of matrices with c columns. */
NF_OPERATION(void, adamw_rows, OPTIMIZER,
             (nf_backend *be, const nf_adamw_arrays *arrays, const int32_t *rows, size_t n_rows,
              size_t c, const nf_adamw *options),
             (be, arrays, rows, n_rows, c, options))
/* What adamw does, with these weight decays times learning rates [n_rates], one after another, to n
 * values whose gradients and moments are zero. */
NF_OPERATION(void, decay, OPTIMIZER,
             (nf_backend *be, nf_values *values, size_t n, const double *rates, size_t n_rates),
             (be, values, n, rates, n_rates))

/* clang-format on */

#undef NF_HANDLE
#undef NF_OPERATION
#undef NF_ANSWER
#undef NF_SHORTCUT
