#include "experiment/benchmark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "model/adapter.h"
#include "infer/tagger.h"
#include "train/stage.h"

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Multiplications and additions of a token's way forward through the weights. */
static double forward_flops(const nf_model *model) {
    double sum = 0.0;
    for (size_t i = 0; i < model->net.n_linears; i++) {
        const nf_linear *linear = model->net.linears[i];
        if (!linear->weight->removed) sum += 2.0 * (double)linear->in * (double)linear->out;
    }
    return sum;
}

/* ---------------------------------------------------------------- the products alone */

static nerfit_status measure_peak(nf_benchmark *out, const nf_model *model, nerfit_error *err) {
    enum { ROWS = 64, TIMES = 60 };
    nf_backend *be = model->net.be;
    const nf_linear *largest = NULL;
    for (size_t i = 0; i < model->net.n_linears; i++) {
        const nf_linear *linear = model->net.linears[i];
        if (linear->packed && (!largest || linear->in * linear->out > largest->in * largest->out))
            largest = linear;
    }
    if (!largest) return nf_fail(err, NERFIT_ARGUMENT, "the model has no linear layers");
    size_t n = ROWS * (size_t)be->threads;
    nf_values *x = be->memory_new(be, n * largest->in * be->real_size);
    nf_values *y = be->memory_new(be, n * largest->out * be->real_size);
    double best = 0.0, flops = 2.0 * (double)(n * largest->in) * (double)largest->out;
    if (x && y) {
        be->zero(be, x, n * largest->in);
        for (int i = 0; i < TIMES; i++) {
            double began = nf_clock_now();
            be->linear_forward(be, y, x, largest->packed, n, NULL);
            double speed = flops / (nf_clock_now() - began);
            if (speed > best) best = speed;
        }
    }
    nerfit_status status = x && y ? nf_backend_check(be, err) : nf_no_memory(err, 0);
    if (x) be->memory_free(be, x);
    if (y) be->memory_free(be, y);
    out->peak = best;
    return status;
}

/* ---------------------------------------------------------------- tagging */

static const char *const sentences[] = {
    "wake me up at nine tomorrow morning",
    "play the song so what by miles davis in the kitchen",
    "what is the weather going to be like in madrid this weekend",
    "please add olive oil and two loaves of bread to my shopping list",
    "remind me to call the dentist on friday at four in the afternoon",
    "how much is one hundred euros in japanese yen",
    "turn the lights off",
    "book a table for two at the italian restaurant near the station",
};
enum { N_SENTENCES = sizeof sentences / sizeof *sentences, N_TEXTS = 256 };

/* Texts of one sentence, or of as many as make `size` bytes. */
static nerfit_status make_texts(nf_arena *arena, nf_text *texts, size_t size, nerfit_error *err) {
    for (size_t i = 0; i < N_TEXTS; i++) {
        char *text = nf_arena_alloc(arena, size + 128);
        size_t length = 0, wanted = size ? size * (50 + i % 51) / 100 : 1;
        if (!text) return nf_no_memory(err, size + 128);
        for (size_t k = i; length < wanted; k++)
            length += (size_t)sprintf(text + length, "%s%s", length ? ", " : "",
                                      sentences[k % N_SENTENCES]);
        texts[i] = (nf_text){.text = text, .size = length};
    }
    return NERFIT_OK;
}

/* Tokens that go through the model beside a text's own: special ones, or a prompt; its words are then
 * counted as a token each. */
static size_t further_tokens(const nf_rules *rules) {
    const nf_gliner_labels *labels = rules->gliner;
    return labels ? labels->prompt.length + labels->prompt.n_after : 2;
}

static nerfit_status tag_for(nf_tagger *tagger, const nf_tagging_call *call, const nf_text *texts,
                             double seconds, size_t *n_texts, size_t *n_tokens, double *took,
                             nerfit_error *err) {
    static const size_t A_CALL = 64;
    nf_tagged *results = calloc(N_TEXTS, sizeof *results);
    if (!results) return nf_no_memory(err, N_TEXTS * sizeof *results);
    nerfit_status status = nf_tagger_tag(tagger, call, texts, A_CALL, results, err); /* warms up */
    *n_texts = *n_tokens = 0;
    double began = nf_clock_now();
    for (size_t at = 0; status == NERFIT_OK && nf_clock_now() - began < seconds; at += A_CALL) {
        status = nf_tagger_tag(tagger, call, texts + at % N_TEXTS, A_CALL, results, err);
        for (size_t i = 0; i < A_CALL && status == NERFIT_OK; i++)
            *n_tokens += results[i].n_tokens + further_tokens(call->rules);
        *n_texts += A_CALL;
    }
    *took = nf_clock_now() - began;
    free(results);
    return status;
}

static void fill_shares(nf_benchmark_row *row, const nf_profile *profile, double took) {
    row->rest = 1.0;
    for (int i = 0; i < NF_OPERATIONS; i++) {
        row->shares[i] = profile->seconds[i] / took;
        row->rest -= row->shares[i];
    }
}

static nerfit_status measure_tagging(nf_benchmark *out, const nf_model *model, const char *name,
                                     size_t size, double seconds, nerfit_error *err) {
    nf_arena arena = {0};
    nf_text texts[N_TEXTS];
    nf_benchmark_row *row = &out->rows[out->n_rows];
    nf_backend *be = model->net.be, *alone = NULL;
    nf_tagger *tagger = NULL;
    nf_rules rules = {0};
    const nf_tagging_call call = {.rules = &rules};
    size_t n, tokens;
    double took;
    *row = (nf_benchmark_row){.name = name};
    nerfit_status status = make_texts(&arena, texts, size, err);
    if (status == NERFIT_OK) status = nf_rules_make(&rules, model, NF_DECODE_AUTO, err);
    if (status == NERFIT_OK) status = nf_tagger_new(&tagger, model, be, err);
    if (status == NERFIT_OK)
        status = tag_for(tagger, &call, texts, seconds, &n, &tokens, &took, err);
    nf_tagger_free(tagger);
    tagger = NULL;
    if (status == NERFIT_OK) {
        row->per_second = (double)n / took;
        row->tokens = (double)tokens / took;
        row->flops = row->tokens * forward_flops(model);
        status = be->fork_alone(be, &alone, err);
    }
    nf_profile profile;
    if (status == NERFIT_OK) {
        nf_profile_init(&profile, alone);
        status = nf_tagger_new(&tagger, model, &profile.be, err);
    }
    if (status == NERFIT_OK) { /* what warms up counts too: it is small beside the rest */
        double began = nf_clock_now();
        status = tag_for(tagger, &call, texts, seconds / 2, &n, &tokens, &took, err);
        fill_shares(row, &profile, nf_clock_now() - began);
    }
    nf_tagger_free(tagger);
    nf_rules_free(&rules);
    if (alone) alone->free(alone);
    nf_arena_free(&arena);
    if (status == NERFIT_OK) out->n_rows++;
    return status;
}

/* ---------------------------------------------------------------- training */

enum { N_EXAMPLES = 96, BATCH = 8, SHORTEST = 8, MOST_LENGTH = 24, MOST_STEPS = 4096 };

/* Made-up token ids and labels of the lengths of short utterances. */
static nerfit_status make_examples(const nf_model *model, nf_examples *out, nerfit_error *err) {
    nf_rng rng = nf_rng_new(1, 1);
    out->items = calloc(N_EXAMPLES, sizeof *out->items);
    if (!out->items) return nf_no_memory(err, 0);
    for (size_t i = 0; i < N_EXAMPLES; i++) {
        size_t length = SHORTEST + (size_t)nf_rng_below(&rng, MOST_LENGTH - SHORTEST + 1);
        int32_t *ids = nf_arena_calloc(&out->arena, 3 * length, sizeof *ids);
        if (!ids) return nf_no_memory(err, length);
        for (size_t t = 0; t < length; t++) {
            ids[t] = (int32_t)nf_rng_below(&rng, (uint32_t)model->encoder.vocabulary);
            ids[length + t] = (int32_t)nf_rng_below(&rng, (uint32_t)model->n_labels);
        }
        out->items[out->count++] = (nf_example){
            .ids = ids, .labels = ids + length, .shapes = ids + 2 * length, .length = length};
        out->n_tokens += length;
    }
    return NERFIT_OK;
}

typedef struct clock_of_steps {
    double last, began, seconds, times[MOST_STEPS];
    size_t count;
} clock_of_steps;

static bool note_step(void *user, const nf_stage_report *report) {
    clock_of_steps *c = user;
    double t = nf_clock_now();
    if (report->event == NF_STAGE_BEGIN) c->began = t;
    if (report->event == NF_STAGE_STEP && c->count < MOST_STEPS) c->times[c->count++] = t - c->last;
    c->last = t;
    return true;
}

static nerfit_status train_for(nf_model *model, const nf_examples *examples, int64_t steps,
                               clock_of_steps *clock, nerfit_error *err) {
    nf_task *task = NULL;
    nf_workspace *ws = NULL;
    *clock = (clock_of_steps){0};
    nf_stage stage = {.number = 2, .observer = note_step, .user = clock};
    stage.options = (nf_stage_options){.train_batch_size = BATCH,
                                       .eval_batch_size = BATCH,
                                       .accumulation = 1,
                                       .learning_rate = 1e-5,
                                       .weight_decay = 0.01,
                                       .adam_beta1 = 0.9,
                                       .adam_beta2 = 0.999,
                                       .adam_epsilon = 1e-8,
                                       .max_grad_norm = 1.0,
                                       .max_steps = steps,
                                       .seed = 1};
    nerfit_status status = nf_workspace_new(&ws, model->net.be, err);
    if (status == NERFIT_OK) status = nf_task_new(&task, model, NULL, examples, NULL, 0.0, err);
    stage.task = task;
    stage.ws = ws;
    if (status == NERFIT_OK) status = nf_stage_run(&stage, err);
    nf_stage_free(&stage);
    if (task) task->free(task);
    nf_workspace_free(ws);
    return status;
}

/* Forward, backward by the inputs, and, where weights are trained, by them. */
static nerfit_status measure_training(nf_benchmark *out, nf_model *model, const char *name,
                                      double passes, double seconds, nerfit_error *err) {
    enum { TRIAL = 12 };
    nf_benchmark_row *row = &out->rows[out->n_rows];
    nf_backend *be = model->net.be, *alone = NULL;
    nf_examples examples = {0};
    *row = (nf_benchmark_row){.name = name};
    clock_of_steps *clock = malloc(sizeof *clock);
    nerfit_status status = clock ? NERFIT_OK : nf_no_memory(err, sizeof *clock);
    if (status == NERFIT_OK) status = make_examples(model, &examples, err);
    if (status == NERFIT_OK) status = nf_network_start_training(&model->net, err);
    if (status == NERFIT_OK) status = nf_network_prepare(&model->net, true, err);
    if (status == NERFIT_OK) status = train_for(model, &examples, TRIAL, clock, err);
    int64_t steps = TRIAL;
    if (status == NERFIT_OK) {
        qsort(clock->times, clock->count, sizeof *clock->times, by_value);
        double wanted = seconds / clock->times[clock->count / 2];
        steps = wanted < TRIAL ? TRIAL : wanted > MOST_STEPS ? MOST_STEPS : (int64_t)wanted;
        status = train_for(model, &examples, steps, clock, err);
    }
    if (status == NERFIT_OK) {
        qsort(clock->times, clock->count, sizeof *clock->times, by_value);
        row->per_second = 1.0 / clock->times[clock->count / 2];
        row->tokens = row->per_second * BATCH * (double)examples.n_tokens / N_EXAMPLES;
        row->flops = row->tokens * passes * forward_flops(model);
        status = be->fork_alone(be, &alone, err);
    }
    if (status == NERFIT_OK) {
        nf_profile profile;
        nf_profile_init(&profile, alone);
        model->net.be = &profile.be;
        status = train_for(model, &examples, steps / 2 + 1, clock, err);
        model->net.be = be;
        fill_shares(row, &profile, clock->last - clock->began);
    }
    if (status == NERFIT_OK) status = nf_network_end_training(&model->net, err);
    if (alone) alone->free(alone);
    nf_arena_free(&examples.arena);
    free(examples.items);
    free(clock);
    if (status == NERFIT_OK) out->n_rows++;
    return status;
}

/* Models that read labels look for ten; their examples for training are made of documents. */
static nerfit_status name_labels(nf_model *model, nerfit_error *err) {
    static const char *const labels[] = {"person", "organization", "city", "date",  "time",
                                         "song",   "food",         "shop", "money", "event"};
    return model->kind->set_labels(model, labels, labels, NF_COUNT(labels), err);
}

nerfit_status nf_benchmark_run(nf_benchmark *out, nf_model *model, double seconds,
                               nerfit_error *err) {
    static const char *const labels[] = {"O", "B-entity", "I-entity"};
    static const size_t LONG_TEXT = 1500;
    bool reads_labels = nf_model_reads_labels(model->kind);
    *out = (nf_benchmark){0};
    if (reads_labels) NF_TRY(name_labels(model, err));
    if (!model->head) NF_TRY(nf_model_add_classifier(model, labels, 3, 1, err));
    NF_TRY(nf_model_prepare_use(model, err));
    NF_TRY(measure_peak(out, model, err));
    NF_TRY(measure_tagging(out, model, "tagging, short texts", 0, seconds, err));
    NF_TRY(measure_tagging(out, model, "tagging, long texts", LONG_TEXT, seconds, err));
    if (model->net.be->precision == NF_PRECISION_INT8 || reads_labels) return NERFIT_OK;
    nf_encoder_forget_positions(&model->encoder);
    nf_model_train_encoder(model, true);
    NF_TRY(measure_training(out, model, "training, all weights", 3.0, seconds, err));
    nf_adapter_config adapter = {.r = 16, .lora_alpha = 16, .lora_dropout = 0.1, .use_dora = true};
    NF_TRY(nf_adapter_add(model, &adapter, 1, err));
    return measure_training(out, model, "training, DoRA r=16 on query and value", 2.0, seconds,
                            err);
}
