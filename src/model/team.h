/* A team: the texts of a batch divided among threads, each of which takes its texts through the
 * whole encoder, forward and backward, with a backend handle and a workspace of its own. Threads
 * meet twice a step instead of at every operation: with few tokens a batch, waiting for each other
 * would cost as much as the work.
 *
 * Each member adds the gradients of the parameters into a buffer of its own; they are added up in
 * the members' order, so that the sums depend on the number of threads alone. For that reason only
 * models of which little is trained (adapters) get a team. Dropout masks are those that the whole
 * batch would have. */
#ifndef NF_MODEL_TEAM_H
#define NF_MODEL_TEAM_H

#include "model/model.h"

typedef struct nf_team nf_team;

/* For a network whose training has started; *out is NULL where a team would not help: one thread,
 * or weights or embeddings of the encoder are trained. */
nerfit_status nf_team_new(nf_team **out, nf_model *model, nerfit_error *err);
void nf_team_free(nf_team *team);

/* Puts `lengths` [count] into an order that divides well: order[i] is the text in place i, n the
 * number of members (a team's, or any). */
void nf_team_arrange(const nf_team *team, const size_t *lengths, size_t count, size_t *order);

/* nf_encoder_forward and nf_encoder_backward, divided among the pass's team if it has one, which then
 * holds what backward needs. */
nerfit_status nf_team_encoder_forward(const nf_encoder *encoder, const nf_pass *pass, nf_values *y,
                                      nf_encoder_saved *saved);
nerfit_status nf_team_encoder_backward(const nf_encoder *encoder, const nf_pass *pass,
                                       nf_values *dy, const nf_encoder_saved *saved);

#endif
