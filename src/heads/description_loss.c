/* The description head's loss and decoding. Its products run in the backend; the decoder's sums in
 * double on the host, on the logits, which are few. */
#include "heads/description_head.h"

/* Stage 1 and pre-training have no transitions: their evaluations take the best legal sequence. */
static void read_transitions(const nf_description_head *head, nf_backend *be, nf_transitions *out) {
    *out = (nf_transitions){0};
    if (head->transitions)
        be->to_f64(be, &out->next[0][0], head->transitions->values, NF_TRANSITION_COUNT);
}

double nf_description_measure(const nf_head *head, const nf_example *const *texts, size_t count) {
    double words = 0.0;
    (void)head;
    for (size_t s = 0; s < count; s++) words += (double)texts[s]->n_words;
    return words;
}

/* step->own: the gold labels [n] on the host. Texts of blanks alone have no words. */
nerfit_status nf_description_prepare(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                                     nerfit_error *err) {
    const nf_head_batch *batch = step->batch;
    size_t n = (size_t)nf_description_measure(head, batch->texts, batch->count), at = 0;
    int32_t *rows = nf_arena_alloc(step->arena, 2 * n * sizeof *rows + 1), *labels = rows + n;
    int32_t row = 0;
    if (!rows) return nf_no_memory(err, 2 * n * sizeof *rows);
    for (size_t s = 0; s < batch->count; s++) {
        const nf_example *text = batch->texts[s];
        nf_example_word_labels(text, labels + at);
        for (size_t w = 0; w < text->n_words; w++) rows[at++] = row + text->words[w];
        row += (int32_t)text->length;
    }
    step->n = n;
    step->rows = nf_workspace_ints(pass->ws, rows, n);
    step->gold = nf_workspace_ints(pass->ws, labels, n);
    step->own = labels;
    return nf_workspace_failed(pass->ws) ? nf_no_memory(err, 2 * n * sizeof *rows) : NERFIT_OK;
}

/* ---------------------------------------------------------------- the loss */

/* The decoder's part of the loss, summed over texts; its gradient times `scale` is added to dlogits
 * and dtransitions. */
static nerfit_status decoder_loss(const nf_description_head *head, const nf_head_step *step,
                                  const nf_transitions *transitions, const double *logits,
                                  double scale, double *loss, double *dlogits,
                                  nf_transitions *dtransitions, nerfit_error *err) {
    const nf_head_batch *batch = step->batch;
    size_t types = head->columns->n_types, l = 2 * types + 1, at = 0;
    *loss = 0.0;
    for (size_t s = 0; s < batch->count; s++) {
        size_t n = batch->texts[s]->n_words;
        const double *x = logits + at * l;
        const int32_t *gold = (const int32_t *)step->own + at;
        double log_z;
        NF_TRY(nf_decoder_sum(head->decoder, transitions, x, n, types, &log_z, err));
        *loss += log_z - nf_decoder_path_score(transitions, x, n, types, gold);
        nf_decoder_sum_gradient(head->decoder, scale, dlogits + at * l, dtransitions);
        nf_decoder_path_gradient(gold, n, types, -scale, dlogits + at * l, dtransitions);
        at += n;
    }
    return NERFIT_OK;
}

/* Adds the decoder's loss, and its gradient to dy and the transitions'. */
static nerfit_status add_decoder(const nf_description_head *head, const nf_pass *pass,
                                 nf_head_step *step, double *loss, nerfit_error *err) {
    nf_backend *be = pass->be;
    nf_parameter *p = head->transitions;
    size_t cells = step->n * (2 * head->columns->n_types + 1);
    double counted = step->batch->whole.counted, sum = 0.0;
    double *host = nf_arena_calloc(step->arena, 2 * cells + 1, sizeof *host);
    nf_values *more = nf_workspace_reals(pass->ws, cells);
    nf_values *dp = nf_workspace_reals(pass->ws, NF_TRANSITION_COUNT);
    nf_transitions transitions, dtransitions = {0};
    if (!host || nf_workspace_failed(pass->ws)) return nf_no_memory(err, 2 * cells * sizeof *host);
    read_transitions(head, be, &transitions);
    be->to_f64(be, host, step->y, cells);
    NF_TRY(decoder_loss(head, step, &transitions, host, step->batch->grad_scale / counted, &sum,
                        host + cells, &dtransitions, err));
    *loss += sum / counted;
    if (!step->dy) return NERFIT_OK;
    be->from_f64(be, more, host + cells, cells);
    be->axpy(be, step->dy, 1.0, more, cells);
    be->from_f64(be, dp, &dtransitions.next[0][0], NF_TRANSITION_COUNT);
    if (p->grad) be->axpy(be, p->grad, 1.0, dp, NF_TRANSITION_COUNT);
    return NERFIT_OK;
}

nerfit_status nf_description_loss(const nf_head *base, const nf_pass *pass, nf_head_step *step,
                                  const nf_values *x, double *loss, nerfit_error *err) {
    const nf_description_head *head = (const nf_description_head *)base;
    NF_TRY(nf_head_step_forward(base, pass, step, x, err));
    *loss = nf_head_label_loss(pass, step, 2 * head->columns->n_types + 1);
    return head->transitions ? add_decoder(head, pass, step, loss, err) : NERFIT_OK;
}

/* ---------------------------------------------------------------- decoding */

nerfit_status nf_description_decode(const nf_head *base, const nf_pass *pass, nf_head_step *step,
                                    nf_head_found *found, nerfit_error *err) {
    const nf_description_head *head = (const nf_description_head *)base;
    size_t types = head->columns->n_types, l = 2 * types + 1;
    double *logits = nf_arena_alloc(step->arena, step->n * l * sizeof *logits + 1);
    int32_t *path = nf_arena_alloc(step->arena, step->n * sizeof *path + 1);
    const int32_t *gold = step->own;
    nf_transitions transitions;
    if (!logits || !path) return nf_no_memory(err, step->n * l * sizeof *logits);
    read_transitions(head, pass->be, &transitions);
    pass->be->to_f64(pass->be, logits, step->y, step->n * l);
    for (size_t s = 0; s < step->batch->count; s++) {
        size_t n = step->batch->texts[s]->n_words;
        double log_z;
        NF_TRY(nf_decoder_best(head->decoder, &transitions, logits, n, types, path, NULL, err));
        NF_TRY(nf_decoder_sum(head->decoder, &transitions, logits, n, types, &log_z, err));
        nf_decoder_keep(head->decoder, step->decoding->least, path);
        if (!nf_head_found_labels(&found[s], step->arena, gold, path, n))
            return nf_no_memory(err, n * sizeof(nf_entity));
        gold += n;
        logits += n * l;
    }
    return NERFIT_OK;
}
