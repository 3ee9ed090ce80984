#include "model/team.h"

#include <stdlib.h>

#include "base/array.h"
#include "nn/linear.h"

typedef struct member {
    nf_backend *be; /* the first member's too: one that works on its thread alone */
    nf_workspace *ws;
    nf_layer_saved *layers; /* [n_layers] */
    nf_encoder_saved saved;
    nf_values *grads; /* laid out as the network's; NULL for the first member, which uses those */
    nf_pass pass;
    size_t first; /* token of the batch */
    nerfit_status status;
} member;

struct nf_team {
    nf_model *model;
    int count;
    member *members;
    nf_parameter **shared; /* trained parameters of the encoder */
    size_t n_shared;
    int32_t *ends; /* [capacity]: cu_seqlens of the batch at hand */
    size_t capacity;
    /* the call at hand */
    const nf_encoder *encoder;
    const nf_pass *pass;
    nf_values *values; /* y or dy */
};

/* ---------------------------------------------------------------- life */

/* The encoder's trained parameters, without heads; false if there are others than adapters and
 * vectors among them. */
static bool find_shared(nf_team *team) {
    nf_network *net = &team->model->net;
    for (size_t i = 0; i < net->n_parameters; i++) {
        nf_parameter *p = net->parameters[i];
        if (!p->grad || p->removed || p->role == NF_ROLE_HEAD) continue;
        bool small = p->n_dims == 1 || p->role == NF_ROLE_ADAPTER || p->role == NF_ROLE_WORD_SHAPES;
        if (!small) return false;
        team->shared[team->n_shared++] = p;
    }
    return true;
}

void nf_team_free(nf_team *team) {
    if (!team) return;
    for (int i = 0; i < team->count; i++) {
        member *m = &team->members[i];
        if (m->grads) team->model->net.be->memory_free(team->model->net.be, m->grads);
        nf_workspace_free(m->ws);
        if (m->be) m->be->free(m->be);
        free(m->layers);
    }
    free(team->members);
    free(team->shared);
    free(team->ends);
    free(team);
}

static nerfit_status new_member(nf_team *team, int index, nerfit_error *err) {
    member *m = &team->members[index];
    nf_network *net = &team->model->net;
    NF_TRY(net->be->fork_alone(net->be, &m->be, err));
    NF_TRY(nf_workspace_new(&m->ws, m->be, err));
    m->layers = calloc(team->model->encoder.n_layers + 1, sizeof *m->layers);
    if (!m->layers) return nf_no_memory(err, 0);
    if (index == 0 || net->n_trained == 0) return NERFIT_OK;
    m->grads = net->be->memory_new(net->be, net->n_trained * net->be->real_size);
    return m->grads ? NERFIT_OK : nf_no_memory(err, net->n_trained * net->be->real_size);
}

nerfit_status nf_team_new(nf_team **out, nf_model *model, nerfit_error *err) {
    nf_network *net = &model->net;
    *out = NULL;
    /* tables of relative positions are of the whole batch;
     * the masks' numbers are drawn by eights, so that a member's must begin at a multiple of it */
    if (net->be->threads < 2 || model->encoder.relative || model->encoder.hidden % 8 ||
        model->encoder.intermediate % 8)
        return NERFIT_OK;
    nf_team *team = calloc(1, sizeof *team);
    if (!team) return nf_no_memory(err, sizeof *team);
    *team = (nf_team){.model = model, .count = net->be->threads};
    team->members = calloc((size_t)team->count, sizeof *team->members);
    team->shared = calloc(net->n_parameters + 1, sizeof(nf_parameter *));
    nerfit_status status = team->members && team->shared ? NERFIT_OK : nf_no_memory(err, 0);
    if (!team->members) team->count = 0;
    if (status == NERFIT_OK && !find_shared(team)) {
        nf_team_free(team);
        return NERFIT_OK;
    }
    for (int i = 0; i < team->count && status == NERFIT_OK; i++) status = new_member(team, i, err);
    if (status == NERFIT_OK)
        *out = team;
    else
        nf_team_free(team);
    return status;
}

/* ---------------------------------------------------------------- dividing */

/* The longest texts first, each to the member that has least; then member by member. */
void nf_team_arrange(const nf_team *team, const size_t *lengths, size_t count, size_t *order) {
    enum { MOST = 64 };
    size_t members = team && team->count < MOST ? (size_t)team->count : 1, load[MOST] = {0};
    size_t *by_length = malloc((count + 1) * sizeof *by_length),
           *owner = malloc((count + 1) * sizeof *owner);
    for (size_t i = 0; i < count; i++) order[i] = i;
    if (by_length && owner && members > 1) {
        for (size_t i = 0; i < count; i++) {
            size_t at = i;
            for (; at > 0 && lengths[by_length[at - 1]] < lengths[i]; at--)
                by_length[at] = by_length[at - 1];
            by_length[at] = i;
        }
        for (size_t i = 0; i < count; i++) {
            size_t least = 0;
            for (size_t m = 1; m < members; m++)
                if (load[m] < load[least]) least = m;
            owner[by_length[i]] = least;
            load[least] += lengths[by_length[i]];
        }
        size_t placed = 0;
        for (size_t m = 0; m < members; m++)
            for (size_t i = 0; i < count; i++)
                if (owner[i] == m) order[placed++] = i;
    }
    free(by_length);
    free(owner);
}

/* Text boundaries nearest to equal shares of the tokens. */
static nerfit_status divide(nf_team *team, const nf_pass *pass) {
    const nf_sequences *all = &pass->sequences;
    size_t texts = (size_t)all->n_sequences, needed = texts + 1;
    if (!nf_array_reserve(&team->ends, &team->capacity, needed, sizeof *team->ends))
        return NERFIT_NO_MEMORY;
    pass->be->ints_out(pass->be, team->ends, all->cu_seqlens, needed);
    size_t text = 0;
    for (int i = 0; i < team->count; i++) {
        member *m = &team->members[i];
        size_t begin = text, wanted = (size_t)all->n_tokens * (size_t)(i + 1) / (size_t)team->count;
        while (text < texts && (size_t)(team->ends[text] + team->ends[text + 1]) <= 2 * wanted)
            text++;
        if (i + 1 == team->count) text = texts;
        m->first = (size_t)team->ends[begin];
        m->pass = *pass;
        m->pass.team = NULL;
        m->pass.layer_done = NULL; /* what a member is done with others add to */
        m->pass.be = m->be;
        m->pass.ws = m->ws;
        m->pass.ids = pass->ids + m->first;
        m->pass.positions = pass->positions + m->first;
        m->pass.types = pass->types + m->first;
        m->pass.shapes = pass->shapes ? pass->shapes + m->first : NULL;
        m->pass.first_row = pass->first_row + m->first;
        m->pass.grads = m->grads;
        m->pass.sequences = (nf_sequences){.cu_seqlens = team->ends + begin, /* see start */
                                           .n_sequences = (int32_t)(text - begin),
                                           .n_tokens = team->ends[text] - team->ends[begin],
                                           .longest = all->longest};
    }
    return NERFIT_OK;
}

/* Brings the member's cu_seqlens, counted from its first token, into its workspace. */
static nerfit_status start(member *m) {
    size_t count = (size_t)m->pass.sequences.n_sequences + 1;
    const int32_t *ends = m->pass.sequences.cu_seqlens;
    int32_t *own = nf_malloc(count * sizeof *own);
    if (!own) return NERFIT_NO_MEMORY;
    for (size_t i = 0; i < count; i++) own[i] = ends[i] - (int32_t)m->first;
    nf_workspace_reset(m->ws);
    m->pass.sequences.cu_seqlens = nf_workspace_ints(m->ws, own, count);
    free(own);
    return nf_workspace_failed(m->ws) ? NERFIT_NO_MEMORY : NERFIT_OK;
}

static nf_values *rows_of(const nf_team *team, const member *m) {
    return nf_at(m->be, team->values, m->first * team->encoder->hidden);
}

static nerfit_status together(nf_team *team, void (*work)(void *user, int index)) {
    team->pass->be->parallel(team->pass->be, team->count, work, team);
    nerfit_status status = NERFIT_OK;
    for (int i = 0; i < team->count; i++) {
        member *m = &team->members[i];
        if (m->status != NERFIT_OK) status = m->status;
        nf_workspace_blame(team->pass->ws, m->ws);
        if (m->be->failed) team->pass->be->failed = m->be->failed;
        m->be->failed = 0;
    }
    return status;
}

/* ---------------------------------------------------------------- the passes */

static void forward_member(void *user, int index) {
    nf_team *team = user;
    member *m = &team->members[index];
    m->saved.layers = m->layers;
    m->status = start(m);
    if (m->status == NERFIT_OK && m->pass.sequences.n_tokens > 0)
        m->status = nf_encoder_forward(team->encoder, &m->pass, rows_of(team, m), &m->saved, NULL);
}

static void backward_member(void *user, int index) {
    nf_team *team = user;
    member *m = &team->members[index];
    for (size_t i = 0; i < team->n_shared && m->grads; i++)
        m->be->zero(m->be, nf_pass_grad(&m->pass, team->shared[i]),
                    nf_parameter_count(team->shared[i]));
    m->status = NERFIT_OK;
    if (m->pass.sequences.n_tokens > 0)
        m->status = nf_encoder_backward(team->encoder, &m->pass, rows_of(team, m), &m->saved, NULL);
}

nerfit_status nf_team_encoder_forward(const nf_encoder *encoder, const nf_pass *pass, nf_values *y,
                                      nf_encoder_saved *saved) {
    nf_team *team = pass->team;
    if (!team) return nf_encoder_forward(encoder, pass, y, saved, NULL);
    team->encoder = encoder;
    team->pass = pass;
    team->values = y;
    NF_TRY(divide(team, pass));
    return together(team, forward_member);
}

nerfit_status nf_team_encoder_backward(const nf_encoder *encoder, const nf_pass *pass,
                                       nf_values *dy, const nf_encoder_saved *saved) {
    nf_team *team = pass->team;
    if (!team) return nf_encoder_backward(encoder, pass, dy, saved, NULL);
    team->encoder = encoder;
    team->pass = pass;
    team->values = dy;
    NF_TRY(together(team, backward_member));
    for (int i = 1; i < team->count; i++)
        for (size_t j = 0; j < team->n_shared; j++) {
            nf_parameter *p = team->shared[j];
            pass->be->axpy(pass->be, p->grad, 1.0, nf_pass_grad(&team->members[i].pass, p),
                           nf_parameter_count(p));
        }
    return NERFIT_OK;
}
