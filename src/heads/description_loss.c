/* The description head's loss and decoding. Its products run in the backend; the decoder's sums in
 * double on the host, on the logits, which are few. */
#include "heads/description_head.h"
#include "heads/label_rows.h"
#include "labels/decoder_loss.h"

/* Stage 1 and pre-training have no transitions: their evaluations take the best legal sequence. */
static void read_transitions(const nf_description_head *head, nf_backend *be, nf_transitions *out) {
    *out = (nf_transitions){0};
    if (head->transitions)
        be->to_f64(be, &out->next[0][0], head->transitions->values, NF_TRANSITION_COUNT);
}

double nf_description_measure(const nf_head *head, const nf_example *const *texts, size_t count) {
    (void)head;
    return nf_label_rows_measure(NF_ROWS_WORDS, texts, count);
}

/* step->own: nf_label_rows. Texts of blanks alone have no words. */
nerfit_status nf_description_prepare(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                                     nerfit_error *err) {
    const nf_head_batch *batch = step->batch;
    nf_label_rows *known = step->own = nf_arena_alloc(step->arena, sizeof *known);
    if (!known) return nf_no_memory(err, sizeof *known);
    size_t n_labels = 2 * ((const nf_description_head *)head)->columns->n_types + 1, at = 0;
    NF_TRY(nf_label_rows_make(known, NF_ROWS_WORDS, n_labels, pass, step, err));
    int32_t *rows = nf_arena_alloc(step->arena, known->n * sizeof *rows + 1), row = 0;
    if (!rows) return nf_no_memory(err, known->n * sizeof *rows);
    for (size_t s = 0; s < batch->count; s++) {
        const nf_example *text = batch->texts[s];
        for (size_t w = 0; w < text->n_words; w++) rows[at++] = row + text->words[w];
        row += (int32_t)text->length;
    }
    step->rows = nf_workspace_ints(pass->ws, rows, known->n);
    return nf_workspace_check(pass->ws, err);
}

/* ---------------------------------------------------------------- the loss */

/* The decoder's part of the loss, summed over texts. */
static nerfit_status decoder_loss(const nf_description_head *head, const nf_head_step *step,
                                  const nf_transitions *transitions, const double *logits,
                                  const nf_decoder_gradient *gradient, double *loss,
                                  nerfit_error *err) {
    const nf_head_batch *batch = step->batch;
    const nf_label_rows *known = step->own;
    size_t types = head->columns->n_types, l = 2 * types + 1, at = 0;
    *loss = 0.0;
    for (size_t s = 0; s < batch->count; s++) {
        const nf_example *e = batch->texts[s];
        const nf_decoder_input in = {transitions, logits + at * l, e->n_words, types};
        const nf_decoder_known of_text = {
            .gold = known->labels + at,
            .weights = e->weights ? known->weights + at : NULL,
            .allowed = e->looked_for ? nf_label_rows_allowed(known, at) : NULL};
        nf_decoder_gradient part = *gradient;
        part.logits += at * l;
        double more;
        NF_TRY(nf_decoder_loss(head->decoder, &in, &of_text, &part, &more, err));
        *loss += more;
        at += in.words;
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
    const nf_decoder_gradient gradient = {.scale = step->batch->grad_scale / counted,
                                          .logits = host + cells,
                                          .transitions = &dtransitions};
    NF_TRY(decoder_loss(head, step, &transitions, host, &gradient, &sum, err));
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
    *loss = nf_head_label_loss(pass, step);
    return head->transitions ? add_decoder(head, pass, step, loss, err) : NERFIT_OK;
}

/* ---------------------------------------------------------------- decoding */

/* Leaves out the words that nobody knows the labels of; returns how many are left. */
static size_t keep_known(const nf_example *text, int32_t *gold, int32_t *path) {
    size_t kept = 0;
    for (size_t i = 0; i < text->n_words; i++) {
        if (nf_example_word_weight(text, i) == 0.0f) continue;
        gold[kept] = gold[i];
        path[kept++] = path[i];
    }
    return kept;
}

nerfit_status nf_description_decode(const nf_head *base, const nf_pass *pass, nf_head_step *step,
                                    nf_head_found *found, nerfit_error *err) {
    const nf_description_head *head = (const nf_description_head *)base;
    const nf_label_rows *known = step->own;
    size_t types = head->columns->n_types, l = 2 * types + 1, at = 0;
    double *logits = nf_arena_alloc(step->arena, step->n * l * sizeof *logits + 1);
    int32_t *path = nf_arena_alloc(step->arena, step->n * sizeof *path + 1);
    nf_transitions transitions;
    if (!logits || !path) return nf_no_memory(err, step->n * l * sizeof *logits);
    read_transitions(head, pass->be, &transitions);
    pass->be->to_f64(pass->be, logits, step->y, step->n * l);
    for (size_t s = 0; s < step->batch->count; s++) {
        const nf_example *text = step->batch->texts[s];
        size_t n = text->n_words;
        double *x = logits + at * l;
        int32_t *gold = known->labels + at;
        nf_decoder_restrict(x, n, types, nf_label_rows_allowed(known, at));
        const nf_decoder_input in = {&transitions, x, n, types};
        NF_TRY(nf_decoder_labels(head->decoder, &in, step->decoding->least, false, path, err));
        at += n;
        n = keep_known(text, gold, path);
        if (!nf_head_found_labels(&found[s], step->arena, gold, path, n))
            return nf_no_memory(err, n * sizeof(nf_entity));
    }
    return NERFIT_OK;
}
