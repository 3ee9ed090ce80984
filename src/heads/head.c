#include "heads/head.h"

void nf_head_own(nf_head *head, nf_parameter *p) {
    if (!p) return;
    p->role = NF_ROLE_HEAD;
    p->head = head;
}

void nf_head_own_linear(nf_head *head, nf_linear *linear) {
    nf_head_own(head, linear->weight);
    nf_head_own(head, linear->bias);
}

void nf_head_train(const nf_head *head, bool trained) {
    for (size_t i = 0; i < head->net->n_parameters; i++) {
        nf_parameter *p = head->net->parameters[i];
        if (p->head == head && !p->removed) p->trained = trained;
    }
}

void nf_head_remove(nf_head *head) {
    nf_network *net = head->net;
    for (size_t i = 0; i < net->n_linears; i++)
        if (net->linears[i]->weight->head == head) nf_linear_release(net, net->linears[i]);
    for (size_t i = 0; i < net->n_parameters; i++)
        if (net->parameters[i]->head == head) nf_parameter_remove(net, net->parameters[i]);
    if (head->kind->release) head->kind->release(head);
}

nerfit_status nf_head_forward(const nf_head *head, const nf_pass *pass, nf_values *y,
                              const nf_values *x, size_t n, nf_head_saved *saved) {
    nf_head_saved own = {0};
    if (saved) *saved = own;
    return head->kind->forward(head, pass, y, x, n, saved ? saved : &own);
}

nerfit_status nf_head_backward(const nf_head *head, const nf_pass *pass, nf_values *dx,
                               nf_values *dy, size_t n, const nf_head_saved *saved) {
    return head->kind->backward(head, pass, dx, dy, n, saved);
}

const char *nf_head_objective(const nf_head *head) {
    return head->objective ? head->objective : head->kind->name;
}

nerfit_status nf_head_step_forward(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                                   const nf_values *x, nerfit_error *err) {
    nf_backend *be = pass->be;
    size_t n = step->n, c = head->hidden, cells = n * head->kind->width(head);
    nf_values *h = step->rows ? nf_workspace_reals(pass->ws, n * c) : NULL;
    step->y = nf_workspace_reals(pass->ws, cells);
    step->dy = pass->keep ? nf_workspace_reals(pass->ws, cells) : NULL;
    NF_TRY(nf_workspace_check(pass->ws, err));
    if (h) be->embedding_forward(be, h, x, step->rows, n, c, false); /* gathers the rows */
    if (nf_head_forward(head, pass, step->y, h ? h : x, n, &step->saved) != NERFIT_OK)
        return nf_pass_failed(pass, err);
    return NERFIT_OK;
}

nerfit_status nf_head_step_backward(const nf_head *head, const nf_pass *pass, nf_head_step *step,
                                    nf_values *dx, nerfit_error *err) {
    nf_backend *be = pass->be;
    size_t n = step->n, c = head->hidden;
    nf_values *dh = step->rows ? nf_workspace_reals(pass->ws, n * c) : dx;
    if (nf_workspace_failed(pass->ws) ||
        nf_head_backward(head, pass, dh, step->dy, n, &step->saved) != NERFIT_OK)
        return nf_pass_failed(pass, err);
    if (!step->rows) return NERFIT_OK;
    be->zero(be, dx, (size_t)pass->sequences.n_tokens * c);
    be->embedding_backward(be, dx, dh, step->rows, n, c, -1); /* puts the rows back */
    return NERFIT_OK;
}

double nf_head_label_loss(const nf_pass *pass, nf_head_step *step) {
    double counted = step->batch->whole.counted;
    return pass->be->cross_entropy(pass->be, step->dy, step->y, &step->targets,
                                   step->batch->grad_scale / counted) /
           counted;
}

void nf_head_dropout(const nf_head *head, const nf_pass *pass, nf_values *y, const nf_values *x,
                     size_t n) {
    nf_dropout dropout =
        nf_pass_dropout(pass, head->stream, head->dropout ? *head->dropout : 0.0, head->hidden);
    pass->be->dropout(pass->be, y, x, n * head->hidden, &dropout);
}

nf_pass nf_head_rows(const nf_pass *pass, size_t n) {
    nf_pass rows = *pass;
    rows.sequences.n_tokens = (int32_t)n;
    return rows;
}
