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

void nf_head_dropout(const nf_head *head, const nf_pass *pass, nf_values *y, const nf_values *x,
                     size_t n) {
    nf_dropout dropout =
        nf_pass_dropout(pass, head->site, head->dropout ? *head->dropout : 0.0, head->hidden);
    pass->be->dropout(pass->be, y, x, n * head->hidden, &dropout);
}

nf_pass nf_head_rows(const nf_pass *pass, size_t n) {
    nf_pass rows = *pass;
    rows.sequences.n_tokens = (int32_t)n;
    return rows;
}
