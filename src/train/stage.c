#include "train/stage.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "train/checkpoint.h"

enum { STREAM_SHUFFLE = 0x53485546 }; /* + epoch */

static bool tell(nf_stage *stage, nf_stage_event event, double loss, const json_t *entry,
                 const char *path) {
    if (!stage->observer) return true;
    nf_stage_report report = {.event = event,
                              .stage = stage->number,
                              .name = stage->task->name,
                              .step = stage->state.step,
                              .total_steps = stage->total_steps,
                              .epoch = nf_stage_epoch(stage, stage->state.step),
                              .loss = loss,
                              .entry = entry,
                              .path = path};
    return stage->observer(stage->user, &report);
}

/* ---------------------------------------------------------------- one step */

/* nf_stage_order: at random, another order in every epoch. */
static void shuffle(void *user, uint64_t seed, int64_t epoch, uint32_t *order, size_t count) {
    (void)user;
    for (size_t i = 0; i < count; i++) order[i] = (uint32_t)i;
    nf_rng rng = nf_rng_new(seed, STREAM_SHUFFLE + (uint64_t)epoch);
    nf_rng_shuffle(&rng, order, count);
}

/* What the ranks must know of each other's texts: *whole of all, *first_row the tokens of those
 * before. */
static nerfit_status share_extent(nf_comm *comm, const nf_head_batch *own, nf_extent *whole,
                                  size_t *first_row, nerfit_error *err) {
    enum { COUNTED, TEXTS, LONGEST, ENTITIES, TOKENS, NUMBERS };
    const nf_extent *e = &own->whole;
    double values[NUMBERS] = {e->counted, e->texts, e->longest, e->most_entities, 0.0};
    for (size_t i = 0; i < own->count; i++) values[TOKENS] += (double)own->texts[i]->length;
    double *all = malloc(comm->size * NUMBERS * sizeof *all);
    if (!all) return nf_no_memory(err, comm->size * NUMBERS * sizeof *all);
    nerfit_status status = comm->all_gather(comm, values, NUMBERS, all, err);
    *whole = (nf_extent){0};
    *first_row = 0;
    for (size_t r = 0; r < comm->size && status == NERFIT_OK; r++) {
        const double *v = all + r * NUMBERS;
        whole->counted += v[COUNTED];
        whole->texts += v[TEXTS];
        whole->longest = fmax(whole->longest, v[LONGEST]);
        whole->most_entities = fmax(whole->most_entities, v[ENTITIES]);
        if (r < comm->rank) *first_row += (size_t)v[TOKENS];
    }
    free(all);
    return status;
}

/* Where the other ranks wait for a backward pass: what begins their sums, and what came of it. */
typedef struct sums {
    nf_stage *stage;
    nerfit_status status;
    nerfit_error *err;
} sums;

static void begin_sums(void *listener, size_t layer) {
    sums *s = listener;
    if (s->status == NERFIT_OK)
        s->status = nf_optimizer_layer_done(s->stage->optimizer, s->stage->comm, layer, s->err);
}

/* The rank's texts, loaded and run. Dropout masks are those that the whole batch would have in one
 * process. `last`: what backward is done with may be added up. */
static nerfit_status run_batch(nf_stage *stage, nf_head_batch *batch, bool backward, bool last,
                               uint64_t micro_step, double *loss, nerfit_error *err) {
    nf_task *task = stage->task;
    sums s = {stage, NERFIT_OK, err};
    size_t count = batch->count, first_row = 0;
    *loss = 0.0;
    if (stage->comm && backward)
        NF_TRY(share_extent(stage->comm, batch, &batch->whole, &first_row, err));
    if (count == 0) return NERFIT_OK; /* the other ranks have some */
    nf_pass pass = {.be = task->model->net.be,
                    .ws = stage->ws,
                    .team = stage->team,
                    .keep = backward,
                    .training = backward,
                    .seed = stage->options.seed,
                    .step = micro_step,
                    .listener = &s};
    if (last && stage->comm && task->one_pass) pass.layer_done = begin_sums;
    nf_tokens *texts = malloc(count * sizeof *texts + 1);
    if (!texts) return nf_no_memory(err, count * sizeof *texts);
    for (size_t i = 0; i < count; i++)
        texts[i] =
            (nf_tokens){batch->texts[i]->ids, batch->texts[i]->length, batch->texts[i]->shapes};
    nf_workspace_reset(stage->ws);
    nerfit_status status = nf_batch_load(&pass, &task->model->encoder, texts, count, err);
    free(texts);
    NF_TRY(status);
    pass.first_row = first_row;
    pass.sequences.longest = (int32_t)batch->whole.longest;
    status = task->run(task, &pass, batch, loss, err);
    NF_TRY(s.status);
    NF_TRY(status);
    return nf_network_check_pass(&task->model->net, pass.be, err);
}

/* The order of the batch's texts that a team divides best. */
static nerfit_status arrange(const nf_stage *stage, const nf_example **batch, size_t count,
                             nerfit_error *err) {
    if (!stage->team) return NERFIT_OK;
    size_t *lengths = malloc(2 * count * sizeof *lengths + 1), *order = lengths + count;
    const nf_example **given = malloc(count * sizeof *given + 1);
    if (lengths && given) {
        for (size_t i = 0; i < count; i++) {
            given[i] = batch[i];
            lengths[i] = batch[i]->length;
        }
        nf_team_arrange(stage->team, lengths, count, order);
        for (size_t i = 0; i < count; i++) batch[i] = given[order[i]];
    }
    nerfit_status status = lengths && given ? NERFIT_OK : nf_no_memory(err, count);
    free(lengths);
    free(given);
    return status;
}

/* Scales the gradients to the largest norm allowed and updates (torch's clip_grad_norm_, AdamW). */
static nerfit_status update(nf_stage *stage, double factor, double *grad_norm, nerfit_error *err) {
    nf_network *net = &stage->task->model->net;
    const nf_stage_options *o = &stage->options;
    if (stage->comm) NF_TRY(nf_optimizer_reduce(stage->optimizer, stage->comm, err));
    *grad_norm = nf_optimizer_norm(stage->optimizer);
    double scale = 1.0;
    if (o->max_grad_norm > 0.0) {
        scale = o->max_grad_norm / (*grad_norm + 1e-6);
        if (scale > 1.0) scale = 1.0;
    }
    nf_adamw adamw = {.beta1 = o->adam_beta1,
                      .beta2 = o->adam_beta2,
                      .epsilon = o->adam_epsilon,
                      .grad_scale = scale,
                      .step = stage->state.step + 1};
    size_t from = 0;
    for (int part = 0; part < 2 * NF_GROUPS; part++) {
        size_t end = net->ends[part / 2][part % 2];
        adamw.learning_rate =
            factor * (part / 2 == NF_GROUP_ENCODER ? o->learning_rate : o->rates[part / 2]);
        adamw.weight_decay = part % 2 == 0 ? o->weight_decay : 0.0;
        if (end > from) NF_TRY(nf_optimizer_update(stage->optimizer, from, end, &adamw, err));
        from = end;
    }
    return NERFIT_OK;
}

/* The factor of the schedule at a step. */
static double factor_at(const nf_stage *stage, int64_t step) {
    const nf_stage_options *o = &stage->options;
    int64_t warmup = o->warmup_steps > 0
                         ? o->warmup_steps
                         : (int64_t)ceil(o->warmup_ratio * (double)stage->total_steps);
    return nf_schedule_factor(o->scheduler, step, warmup, stage->total_steps, &o->schedule);
}

/* The sum of a number over the ranks, in their order. */
static nerfit_status add_up(nf_comm *comm, double *value, nerfit_error *err) {
    if (!comm) return NERFIT_OK;
    double *all = malloc(comm->size * sizeof *all), sum = 0.0;
    if (!all) return nf_no_memory(err, comm->size * sizeof *all);
    nerfit_status status = comm->all_gather(comm, value, 1, all, err);
    for (size_t r = 0; r < comm->size && status == NERFIT_OK; r++) sum += all[r];
    free(all);
    if (status == NERFIT_OK) *value = sum;
    return status;
}

/* This rank's texts of a batch of `count`. */
static nf_head_batch own_part(const nf_stage *stage, const nf_example **batch, size_t count,
                              double grad_scale) {
    size_t share = stage->options.train_batch_size, from = nf_comm_rank(stage->comm) * share;
    if (from > count) from = count;
    size_t own = count - from < share ? count - from : share;
    return nf_task_batch_of(stage->task, batch + from, own, grad_scale);
}

/* One optimizer step: `accumulation` batches (fewer at the end of an epoch), each counting
 * alike. */
static nerfit_status train_step(nf_stage *stage, const uint32_t *order, const nf_example **batch,
                                double *loss, double *grad_norm, nerfit_error *err) {
    const nf_examples *train = stage->task->train;
    const nf_stage_options *o = &stage->options;
    size_t in_epoch = (size_t)(stage->state.step % stage->steps_per_epoch);
    size_t size = nf_stage_batch_size(stage), first = in_epoch * o->accumulation * size;
    size_t left = train->count - first, batches = 0;
    size_t remaining = (left + size - 1) / size;
    size_t planned = remaining < o->accumulation ? remaining : o->accumulation;
    *loss = 0.0;
    nf_optimizer_begin(stage->optimizer);
    for (size_t at = first; batches < planned; batches++) {
        uint64_t micro_step = (uint64_t)stage->state.step * o->accumulation + batches;
        size_t count = train->count - at < size ? train->count - at : size;
        for (size_t i = 0; i < count; i++) batch[i] = &train->items[order[at + i]];
        at += count;
        if (stage->task->draw)
            count = stage->task->draw(stage->task, o->seed, micro_step, size, batch);
        if (stage->task->dress)
            NF_TRY(
                stage->task->dress(stage->task->dresser, o->seed, micro_step, batch, count, err));
        double batch_loss, share = 1.0 / (double)planned;
        nf_head_batch own = own_part(stage, batch, count, share);
        for (size_t i = 0; i < own.count; i++)
            NF_TRY(
                nf_optimizer_touch(stage->optimizer, own.texts[i]->ids, own.texts[i]->length, err));
        NF_TRY(arrange(stage, (const nf_example **)(uintptr_t)own.texts, own.count, err));
        bool last = batches + 1 == planned;
        NF_TRY(run_batch(stage, &own, true, last, micro_step, &batch_loss, err));
        *loss += share * batch_loss;
    }
    if (stage->comm) /* those of ranks that had no texts, too, before anything else is said */
        NF_TRY(nf_optimizer_layer_done(stage->optimizer, stage->comm, 0, err));
    NF_TRY(add_up(stage->comm, loss, err));
    if (!isfinite(*loss)) {
        NF_TRY(nf_network_check_finite(&stage->task->model->net, stage->task->model->folder,
                                       stage->state.step > 0, err));
        return nf_fail(err, NERFIT_NUMERIC,
                       "stage %d, step %lld: the loss is not finite; lower the learning rate",
                       stage->number, (long long)stage->state.step + 1);
    }
    return update(stage, factor_at(stage, stage->state.step), grad_norm, err);
}

/* ---------------------------------------------------------------- evaluation */

nerfit_status nf_stage_evaluate(nf_stage *stage, json_t **metrics, nerfit_error *err) {
    const nf_examples *validation = stage->task->validation;
    nf_optimizer_settle(stage->optimizer);
    size_t size = stage->options.eval_batch_size, done = 0;
    const nf_example **batch = malloc(size * sizeof *batch);
    *metrics = json_object();
    nerfit_status status = batch && *metrics ? NERFIT_OK : nf_no_memory(err, size);
    double sum = 0.0;
    while (done < validation->count && status == NERFIT_OK) {
        size_t count = validation->count - done < size ? validation->count - done : size;
        for (size_t i = 0; i < count; i++) batch[i] = &validation->items[done + i];
        double loss;
        nf_head_batch own = nf_task_batch_of(stage->task, batch, count, 0.0);
        status = run_batch(stage, &own, false, false, 0, &loss, err);
        sum += loss * (double)count; /* the Trainer repeats a batch's loss for each text */
        done += count;
    }
    free(batch);
    if (status == NERFIT_OK &&
        json_object_set_new(*metrics, "eval_loss", json_real(done ? sum / (double)done : 0.0)))
        status = nf_no_memory(err, 0);
    if (status == NERFIT_OK && stage->task->metrics)
        status = stage->task->metrics(stage->task, *metrics, err);
    if (status != NERFIT_OK) {
        json_decref(*metrics);
        *metrics = NULL;
    }
    return status;
}

/* Adds epoch and step, keeps the entry in the history, tells the observer. Takes the entry. */
static nerfit_status record(nf_stage *stage, nf_stage_event event, json_t *entry, bool *go_on,
                            nerfit_error *err) {
    nf_stage_state *state = &stage->state;
    int failed =
        !entry ||
        json_object_set_new(entry, "epoch", json_real(nf_stage_epoch(stage, state->step))) ||
        json_object_set_new(entry, "step", json_integer((json_int_t)state->step)) ||
        json_array_append(state->log_history, entry);
    if (!failed && !tell(stage, event, 0.0, entry, NULL)) *go_on = false;
    json_decref(entry);
    return failed ? nf_no_memory(err, 0) : NERFIT_OK;
}

/* The learning rate is that of the step just done, as the Trainer of transformers 5 logs it. */
static nerfit_status log_step(nf_stage *stage, double grad_norm, bool *go_on, nerfit_error *err) {
    nf_stage_state *state = &stage->state;
    double rate = stage->options.learning_rate * factor_at(stage, state->step - 1);
    json_t *entry =
        json_pack("{s:f, s:f, s:f}", "loss", state->loss_sum / (double)state->loss_steps,
                  "grad_norm", grad_norm, "learning_rate", rate);
    state->loss_sum = 0.0;
    state->loss_steps = 0;
    return record(stage, NF_STAGE_LOG, entry, go_on, err);
}

static nerfit_status judge(nf_stage *stage, const json_t *metrics, nerfit_error *err) {
    const nf_stage_options *o = &stage->options;
    nf_stage_state *state = &stage->state;
    if (!o->load_best_model_at_end && o->early_stopping_patience <= 0) return NERFIT_OK;
    char key[256];
    const char *name = o->metric_for_best_model;
    snprintf(key, sizeof key, "%s%s", strncmp(name, "eval_", 5) == 0 ? "" : "eval_", name);
    const json_t *value = json_object_get(metrics, key);
    if (!value) {
        char known[512] = "";
        size_t used = 0;
        const char *k;
        json_t *v;
        json_object_foreach((json_t *)(uintptr_t)metrics, k, v) {
            if (used < sizeof known)
                used += (size_t)snprintf(known + used, sizeof known - used, "%s%s",
                                         used ? ", " : "", k);
        }
        return nf_fail(err, NERFIT_ARGUMENT,
                       "metric_for_best_model \"%s\": stage %d has no such metric; it has %s", name,
                       stage->number, known);
    }
    double metric = json_number_value(value), gain = metric - state->best_metric;
    if (!o->greater_is_better) gain = -gain;
    bool better = !state->has_best || gain > 0.0;
    state->patience_used = better && (!state->has_best || fabs(gain) > o->early_stopping_threshold)
                               ? 0
                               : state->patience_used + 1;
    if (better) {
        state->has_best = true;
        state->best_metric = metric;
        state->best_step = state->step;
        free(state->best_folder);
        state->best_folder = NULL;
    }
    if (o->early_stopping_patience > 0 && state->patience_used >= o->early_stopping_patience)
        state->stopped_early = true;
    return NERFIT_OK;
}

static nerfit_status evaluate_step(nf_stage *stage, bool *go_on, nerfit_error *err) {
    json_t *metrics;
    NF_TRY(nf_stage_evaluate(stage, &metrics, err));
    nerfit_status status = judge(stage, metrics, err);
    if (status == NERFIT_OK) return record(stage, NF_STAGE_EVALUATE, metrics, go_on, err);
    json_decref(metrics);
    return status;
}

static nerfit_status save_step(nf_stage *stage, bool *go_on, nerfit_error *err) {
    nf_arena arena = {0};
    const char *path = NULL;
    nf_optimizer_settle(stage->optimizer);
    nerfit_status status = NERFIT_OK;
    if (nf_comm_rank(stage->comm) == 0) status = nf_checkpoint_save(stage, &arena, &path, err);
    double none = 0.0; /* who loads it finds it whole */
    if (status == NERFIT_OK) status = add_up(stage->comm, &none, err);
    if (status == NERFIT_OK && !tell(stage, NF_STAGE_SAVE, 0.0, NULL, path)) *go_on = false;
    nf_arena_free(&arena);
    return status;
}

/* ---------------------------------------------------------------- the loop */

static bool due(nf_strategy strategy, int64_t every, const nf_stage *stage) {
    int64_t step = stage->state.step;
    if (strategy == NF_STRATEGY_STEPS) return every > 0 && step % every == 0;
    if (strategy == NF_STRATEGY_EPOCH)
        return step % stage->steps_per_epoch == 0 || step == stage->total_steps;
    return false;
}

/* One rank's observer stops all. */
static nerfit_status agree(nf_stage *stage, bool *go_on, nerfit_error *err) {
    double stops = *go_on ? 0.0 : 1.0;
    NF_TRY(add_up(stage->comm, &stops, err));
    *go_on = stops == 0.0;
    return NERFIT_OK;
}

static nerfit_status after_step(nf_stage *stage, double loss, double grad_norm, bool *go_on,
                                nerfit_error *err) {
    const nf_stage_options *o = &stage->options;
    bool has_validation = stage->task->validation && stage->task->validation->count > 0;
    if (!tell(stage, NF_STAGE_STEP, loss, NULL, NULL)) *go_on = false;
    if (due(o->logging_strategy, o->logging_steps, stage))
        NF_TRY(log_step(stage, grad_norm, go_on, err));
    if (has_validation && due(o->eval_strategy, o->eval_steps, stage))
        NF_TRY(evaluate_step(stage, go_on, err));
    NF_TRY(agree(stage, go_on, err));
    /* A cancelled run leaves a checkpoint whatever the strategy, to go on from; the best model is
     * kept where save_steps would pass over it, for the end loads it. */
    bool best = o->load_best_model_at_end && stage->state.has_best &&
                stage->state.best_step == stage->state.step;
    if (!*go_on || best || due(o->save_strategy, o->save_steps, stage)) {
        NF_TRY(save_step(stage, go_on, err));
        NF_TRY(agree(stage, go_on, err));
    }
    return NERFIT_OK;
}

static nerfit_status loop(nf_stage *stage, uint32_t *order, const nf_example **batch,
                          nerfit_error *err) {
    nf_stage_state *state = &stage->state;
    int64_t ordered = -1;
    bool go_on = tell(stage, NF_STAGE_BEGIN, 0.0, NULL, NULL);
    NF_TRY(agree(stage, &go_on, err));
    while (go_on && state->step < stage->total_steps && !state->stopped_early) {
        int64_t epoch = state->step / stage->steps_per_epoch;
        if (epoch != ordered)
            (stage->order ? stage->order : shuffle)(stage->user, stage->options.seed, epoch, order,
                                                    stage->task->train->count);
        ordered = epoch;
        double loss = 0.0, grad_norm = 0.0;
        NF_TRY(train_step(stage, order, batch, &loss, &grad_norm, err));
        state->step++;
        state->loss_sum += loss;
        state->loss_total += loss;
        state->loss_steps++;
        NF_TRY(after_step(stage, loss, grad_norm, &go_on, err));
    }
    if (!go_on)
        return nf_fail(err, NERFIT_CANCELLED,
                       "stopped at step %lld of stage %d; the run can be resumed",
                       (long long)state->step, stage->number);
    return NERFIT_OK;
}

static nerfit_status load_best(nf_stage *stage, nerfit_error *err) {
    const nf_stage_state *state = &stage->state;
    if (!stage->options.load_best_model_at_end || !state->has_best ||
        state->best_step == state->step)
        return NERFIT_OK;
    nf_arena arena = {0};
    const char *path = state->best_folder
                           ? state->best_folder
                           : nf_checkpoint_path(&arena, stage->folder, state->best_step);
    nerfit_status status =
        path ? nf_checkpoint_load_values(stage->task->model, path, err) : nf_no_memory(err, 0);
    nf_arena_free(&arena);
    if (status != NERFIT_OK) return status;
    return nf_network_refresh(&stage->task->model->net, err);
}

nerfit_status nf_stage_run(nf_stage *stage, nerfit_error *err) {
    nf_stage_plan(stage);
    if (stage->task->train->count == 0)
        return nf_fail(err, NERFIT_ARGUMENT, "there are no training examples");
    if (!stage->state.log_history) stage->state.log_history = json_array();
    uint32_t *order = malloc(stage->task->train->count * sizeof *order);
    const nf_example **batch = malloc(nf_stage_batch_size(stage) * sizeof *batch);
    nerfit_status status =
        order && batch && stage->state.log_history ? NERFIT_OK : nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = nf_team_new(&stage->team, stage->task->model, err);
    if (status == NERFIT_OK) status = nf_optimizer_new(&stage->optimizer, stage->task->model, err);
    if (status == NERFIT_OK) status = loop(stage, order, batch, err);
    nf_optimizer_settle(stage->optimizer);
    nf_optimizer_free(stage->optimizer);
    stage->optimizer = NULL;
    nf_team_free(stage->team);
    stage->team = NULL;
    free(order);
    free(batch);
    if (status == NERFIT_OK) status = load_best(stage, err);
    if (status != NERFIT_OK && stage->comm) stage->comm->leave(stage->comm);
    if (status == NERFIT_OK) tell(stage, NF_STAGE_END, 0.0, NULL, NULL);
    return status;
}
