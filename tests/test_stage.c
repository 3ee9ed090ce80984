/* The loop of a stage (src/train/stage.c): tests/golden/loop.json has what torch's and transformers'
 * loops do (tools/golden/training_loop.py); a task whose loss and metric follow a script shows the
 * rest. */
#include "tiny_model.h"

#include "golden_files.h"

#include <math.h>

#include "base/json.h"
#include "heads/contrastive_head.h"
#include "train/checkpoint.h"
#include "train/stage.h"
#include "train/task.h"

static json_t *loop_cases; /* loop.json */

static int load_cases(void **state) {
    (void)state;
    assert_ok(nf_json_load(&loop_cases, golden("loop.json"), &error), &error);
    return 0;
}

static int free_cases(void **state) {
    (void)state;
    json_decref(loop_cases);
    return 0;
}

static double number(const json_t *item, const char *key) {
    json_t *value = json_object_get(item, key);
    if (!value) fail_msg("loop.json has no \"%s\"", key);
    return json_number_value(value);
}

static const char *word(const json_t *item, const char *key) {
    return json_string_value(json_object_get(item, key));
}

/* ---------------------------------------------------------------- against torch */

typedef struct golden_run {
    const json_t *item;
    const char *backend;
    double tolerance;
    size_t seen;
} golden_run;

static void given_order(void *user, uint64_t seed, int64_t epoch, uint32_t *order, size_t count) {
    const golden_run *run = user;
    const json_t *given = json_array_get(json_object_get(run->item, "orders"), (size_t)epoch);
    (void)seed;
    assert_int_equal(json_array_size(given), count);
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)json_integer_value(json_array_get(given, i));
}

static void compare(const golden_run *run, const char *what, double ours, double theirs,
                    double tolerance) {
    if (!(fabs(ours - theirs) <= tolerance * fmax(1.0, fabs(theirs))))
        fail_msg("%s on %s, step %zu: %s is %.10g, expected %.10g", word(run->item, "name"),
                 run->backend, run->seen, what, ours, theirs);
}

static bool compare_step(void *user, const nf_stage_report *report) {
    static const char *const keys[][2] = {
        {"loss", "losses"}, {"grad_norm", "grad_norms"}, {"learning_rate", "rates"}};
    golden_run *run = user;
    if (report->event != NF_STAGE_LOG) return true;
    run->seen++;
    for (size_t i = 0; i < 3; i++)
        compare(run, keys[i][0], number(report->entry, keys[i][0]),
                json_number_value(
                    json_array_get(json_object_get(run->item, keys[i][1]), run->seen - 1)),
                i == 2 ? 1e-12 : run->tolerance);
    return true;
}

static nf_schedule_kind schedule_of(const char *name) {
    static const char *const names[] = {"linear",      "cosine",   "cosine_with_restarts",
                                        "polynomial",  "constant", "constant_with_warmup",
                                        "inverse_sqrt"};
    size_t i = 0;
    while (strcmp(names[i], name) != 0) assert_true(++i < sizeof names / sizeof *names);
    return (nf_schedule_kind)i;
}

static nf_stage_options options_of(const json_t *item) {
    const json_t *kwargs = json_object_get(item, "kwargs");
    nf_stage_options o = {
        .train_batch_size = (size_t)number(item, "batch"),
        .eval_batch_size = 5,
        .accumulation = (size_t)number(item, "accumulation"),
        .learning_rate = number(item, "learning_rate"),
        .weight_decay = number(item, "weight_decay"),
        .adam_beta1 = number(item, "beta1"),
        .adam_beta2 = number(item, "beta2"),
        .adam_epsilon = number(item, "epsilon"),
        .max_grad_norm = number(item, "max_grad_norm"),
        .scheduler = schedule_of(word(item, "scheduler")),
        .schedule = {json_number_value(json_object_get(kwargs, "num_cycles")),
                     json_number_value(json_object_get(kwargs, "power")),
                     json_number_value(json_object_get(kwargs, "lr_end")),
                     number(item, "learning_rate"), 0.0},
        .warmup_ratio = number(item, "warmup_ratio"),
        .warmup_steps = (int64_t)number(item, "warmup_steps"),
        .max_steps = (int64_t)number(item, "max_steps"),
        .num_train_epochs = number(item, "epochs"),
        .seed = (uint64_t)number(item, "seed"),
        .logging_strategy = NF_STRATEGY_STEPS,
        .logging_steps = 1,
    };
    o.rates[NF_GROUP_HEAD] = number(item, "head_learning_rate");
    return o;
}

/* The length of each trained parameter, and its product with cos(0), cos(1), ... */
static void compare_final(const golden_run *run, const nf_model *model) {
    const json_t *final = json_object_get(run->item, "final");
    size_t compared = 0;
    for (size_t i = 0; i < model->net.n_parameters; i++) {
        const nf_parameter *p = model->net.parameters[i];
        const json_t *expected = json_object_get(final, p->name);
        if (!p->grad) continue;
        assert_non_null(expected);
        size_t count = nf_parameter_count(p);
        double *values = malloc(count * sizeof *values), squares = 0.0, product = 0.0;
        model->net.be->to_f64(model->net.be, values, p->values, count);
        for (size_t k = 0; k < count; k++) {
            squares += values[k] * values[k];
            product += values[k] * cos((double)k);
        }
        free(values);
        /* see check_final of test_training.c on a key's bias */
        double tolerance = run->tolerance;
        if (strstr(p->name, "key.bias") && tolerance > 1e-6) tolerance = 0.1;
        compare(run, p->name, sqrt(squares), json_number_value(json_array_get(expected, 0)),
                tolerance);
        compare(run, p->name, product, json_number_value(json_array_get(expected, 1)),
                10.0 * tolerance);
        compared++;
    }
    assert_int_equal(compared, json_object_size(final));
}

static const char *types[] = {"a", "b", "c", "d", "e", "f"};
static const nf_label_set labels = {.types = types, .n_types = 6};

static void check_case(const json_t *item, nf_backend *be) {
    bool contrastive = number(item, "stage") == 1.0;
    golden_run run = {item, be->name, be->real_size == 8 ? 1e-9 : 1e-4, 0};
    nf_safetensors *file = open_golden("bert/train-full-stage1.safetensors");
    nf_model *model;
    assert_ok(nf_model_load(&model, golden(contrastive ? "bert" : "bert/token-classification"), be,
                            NULL, &error),
              &error);
    model->encoder.hidden_dropout = number(item, "hidden_dropout");
    model->encoder.attention_dropout = number(item, "attention_dropout");
    model->encoder.classifier_dropout = number(item, "classifier_dropout");
    if (contrastive) assert_ok(nf_model_add_projection(model, 24, 1, &error), &error);
    nf_model_train_encoder(model, true);
    nf_linear *head = contrastive ? nf_contrastive_head_linear(model->learner)
                                  : nf_token_classifier_linear(model->head);
    nf_parameter *const parts[] = {head->weight, head->bias};
    for (size_t i = 0; i < 2; i++) {
        parts[i]->trained = true;
        parts[i]->group = contrastive ? NF_GROUP_ENCODER : NF_GROUP_HEAD;
    }
    set_initial(model, file);
    assert_ok(nf_network_start_training(&model->net, &error), &error);
    assert_ok(nf_network_prepare(&model->net, true, &error), &error);
    nf_examples examples = {0};
    load_examples(file, &examples);
    examples.count = (size_t)number(item, "texts");
    float *embeddings = floats(file, "embeddings");
    nf_task *task;
    if (contrastive)
        assert_ok(nf_contrastive_head_set_types(model->learner, embeddings, 6, &error), &error);
    assert_ok(nf_task_new(&task, model, &labels, &examples, &examples, 0.0, &error), &error);
    nf_stage stage = {.number = (int)number(item, "stage"),
                      .task = task,
                      .options = options_of(item),
                      .order = given_order,
                      .observer = compare_step,
                      .user = &run};
    assert_ok(nf_workspace_new(&stage.ws, be, &error), &error);
    assert_ok(nf_stage_run(&stage, &error), &error);
    assert_int_equal(run.seen, json_array_size(json_object_get(item, "losses")));
    compare_final(&run, model);
    json_t *metrics;
    assert_ok(nf_stage_evaluate(&stage, &metrics, &error), &error);
    compare(&run, "eval_loss", number(metrics, "eval_loss"), number(item, "eval_loss"),
            run.tolerance);
    json_decref(metrics);
    nf_workspace_free(stage.ws);
    nf_stage_free(&stage);
    task->free(task);
    free(embeddings);
    nf_examples_free(&examples);
    nf_model_free(model);
    nf_safetensors_close(file);
}

static void test_golden_loop(void **state) {
    (void)state;
    for (size_t b = 0; b < N_BACKENDS; b++) {
        nf_backend *be = backend(backends[b]);
        size_t i;
        json_t *item;
        json_array_foreach(json_object_get(loop_cases, "training"), i, item) check_case(item, be);
        assert_true(i >= 17);
        be->free(be);
    }
}

/* ---------------------------------------------------------------- a task that follows a script */

/* Every batch's gradient is 1 for the classifier's bias, so that each step changes the model; the
 * metric is the next of the script. Batches are written down. */
typedef struct scripted {
    nf_task base;
    const json_t *metrics;
    size_t evaluations, n_batches;
    struct {
        size_t count;
        ptrdiff_t items[8]; /* of train */
        uint64_t step;
        double scale;
    } batches[64];
    double bias[64]; /* by the step after which it was so */
} scripted;

static double bias_of(const nf_model *model) {
    double value;
    model->net.be->to_f64(model->net.be, &value,
                          nf_token_classifier_linear(model->head)->bias->values, 1);
    return value;
}

static nerfit_status run_scripted(nf_task *task, nf_pass *pass, const nf_head_batch *given,
                                  double *loss, nerfit_error *err) {
    scripted *s = (scripted *)task;
    const nf_example *const *batch = given->texts;
    size_t count = given->count;
    double grad_scale = given->grad_scale;
    (void)err;
    *loss = (double)count;
    if (!pass->keep) return NERFIT_OK;
    assert_true(s->n_batches < 64 && count <= 8);
    s->batches[s->n_batches].count = count;
    s->batches[s->n_batches].step = pass->step;
    s->batches[s->n_batches].scale = grad_scale;
    for (size_t i = 0; i < count; i++)
        s->batches[s->n_batches].items[i] = batch[i] - task->train->items;
    s->n_batches++;
    nf_parameter *bias = nf_token_classifier_linear(task->model->head)->bias;
    double ones[16];
    for (size_t i = 0; i < 16; i++) ones[i] = grad_scale;
    nf_values *part = nf_workspace_reals(pass->ws, nf_parameter_count(bias));
    pass->be->from_f64(pass->be, part, ones, nf_parameter_count(bias));
    pass->be->axpy(pass->be, nf_pass_grad(pass, bias), 1.0, part, nf_parameter_count(bias));
    return NERFIT_OK;
}

static nerfit_status scripted_metrics(nf_task *task, json_t *metrics, nerfit_error *err) {
    scripted *s = (scripted *)task;
    (void)err;
    assert_true(s->evaluations < json_array_size(s->metrics));
    json_t *value = json_array_get(s->metrics, s->evaluations++);
    return json_object_set(metrics, "eval_score", value) ? NERFIT_NO_MEMORY : NERFIT_OK;
}

static bool keep_bias(void *user, const nf_stage_report *report) {
    scripted *s = user;
    if (report->event == NF_STAGE_STEP) s->bias[report->step] = bias_of(s->base.model);
    return true;
}

/* A run of the scripted task over `count` texts of the golden files. */
typedef struct scripted_run {
    scripted task;
    nf_stage stage;
    nf_examples examples;
    nf_safetensors *file;
    nf_backend *be;
} scripted_run;

static void begin_scripted(scripted_run *run, size_t count) {
    nf_model *model;
    memset(run, 0, sizeof *run);
    run->be = backend("ref-f64");
    assert_ok(nf_model_load(&model, golden("bert/token-classification"), run->be, NULL, &error),
              &error);
    nf_head_train(model->head, true);
    assert_ok(nf_network_start_training(&model->net, &error), &error);
    assert_ok(nf_network_prepare(&model->net, true, &error), &error);
    run->file = open_golden("bert/train-full-stage2.safetensors");
    load_examples(run->file, &run->examples);
    run->examples.count = count;
    run->task.base =
        (nf_task){.name = "scripted", .model = model, .train = &run->examples, .run = run_scripted};
    run->stage = (nf_stage){.number = 2,
                            .task = &run->task.base,
                            .observer = keep_bias,
                            .user = &run->task,
                            .options = {.train_batch_size = 4,
                                        .eval_batch_size = 4,
                                        .accumulation = 1,
                                        .learning_rate = 0.1,
                                        .adam_beta1 = 0.9,
                                        .adam_beta2 = 0.999,
                                        .adam_epsilon = 1e-8,
                                        .num_train_epochs = 1.0,
                                        .seed = 42}};
    assert_ok(nf_workspace_new(&run->stage.ws, run->be, &error), &error);
}

static void end_scripted(scripted_run *run) {
    nf_workspace_free(run->stage.ws);
    nf_stage_free(&run->stage);
    nf_examples_free(&run->examples);
    nf_model_free(run->task.base.model);
    nf_safetensors_close(run->file);
    run->be->free(run->be);
}

/* Early stopping, the checkpoints kept, and the model a stage ends with are the Trainer's; but the
 * last checkpoint stays beside the best with save_total_limit 1, too: a run that is resumed goes on
 * from it. */
static void check_stopping(const json_t *item, const char *folder) {
    scripted_run run;
    begin_scripted(&run, 4);
    size_t evaluations = json_array_size(json_object_get(item, "metrics"));
    int64_t every = (int64_t)number(item, "eval_steps");
    run.task.metrics = json_object_get(item, "metrics");
    run.task.base.metrics = scripted_metrics;
    run.task.base.validation = &run.examples;
    run.stage.folder = folder;
    nf_stage_options *o = &run.stage.options;
    o->max_steps = (int64_t)evaluations * every;
    o->eval_strategy = o->save_strategy = NF_STRATEGY_STEPS;
    o->eval_steps = o->save_steps = every;
    o->save_total_limit = (int64_t)number(item, "save_total_limit");
    o->load_best_model_at_end = json_is_true(json_object_get(item, "load_best_model_at_end"));
    o->metric_for_best_model = "score";
    o->greater_is_better = json_is_true(json_object_get(item, "greater_is_better"));
    o->early_stopping_patience = (int64_t)number(item, "patience");
    o->early_stopping_threshold = number(item, "threshold");
    assert_ok(nf_stage_run(&run.stage, &error), &error);

    const char *name = word(item, "name");
    const nf_stage_state *s = &run.stage.state;
    int64_t stopped = (int64_t)number(item, "stopped_at"),
            ends = (int64_t)number(item, "ends_with");
    if (s->step != stopped) fail_msg("%s: stopped at %d", name, (int)s->step);
    assert_int_equal(run.task.evaluations, (size_t)number(item, "evaluations"));
    if (o->load_best_model_at_end) {
        assert_int_equal(s->best_step, (int64_t)number(item, "best_step"));
        assert_true(s->best_metric == number(item, "best_metric"));
    }
    for (int64_t step = 1; step <= s->step; step++) /* one step has these weights, no other */
        if ((bias_of(run.task.base.model) == run.task.bias[step]) != (step == ends))
            fail_msg("%s: the model is %sthat of step %d", name, step == ends ? "not " : "",
                     (int)step);
    for (int64_t step = every; step <= s->step; step += every) {
        nf_arena arena = {0};
        bool there = nf_directory_exists(nf_checkpoint_path(&arena, folder, step));
        bool expected = o->save_total_limit == 1 && step == stopped;
        size_t i;
        json_t *kept;
        json_array_foreach(json_object_get(item, "kept"), i, kept) expected =
            expected || json_integer_value(kept) == step;
        if (there != expected)
            fail_msg("%s: checkpoint-%d is %sthere", name, (int)step, there ? "" : "not ");
        nf_arena_free(&arena);
    }
    end_scripted(&run);
}

static void test_stopping(void **state) {
    (void)state;
    char root[64], folder[128];
    size_t i;
    json_t *item;
    temporary_folder(root);
    json_array_foreach(json_object_get(loop_cases, "stopping"), i, item) {
        snprintf(folder, sizeof folder, "%s/%zu", root, i);
        assert_ok(nf_directory_make(folder, &error), &error);
        check_stopping(item, folder);
    }
    assert_true(i >= 11);
    nf_directory_remove(root, NULL);
}

/* The best model is there at the end, also where save_steps passes over it. */
static void test_best_between_saves(void **state) {
    (void)state;
    char root[64];
    temporary_folder(root);
    scripted_run run;
    begin_scripted(&run, 4);
    json_t *metrics = json_pack("[f, f, f, f]", 0.5, 0.4, 0.3, 0.2);
    run.task.metrics = metrics;
    run.task.base.metrics = scripted_metrics;
    run.task.base.validation = &run.examples;
    run.stage.folder = root;
    nf_stage_options *o = &run.stage.options;
    o->max_steps = 8;
    o->eval_strategy = o->save_strategy = NF_STRATEGY_STEPS;
    o->eval_steps = 2;
    o->save_steps = 4;
    o->load_best_model_at_end = o->greater_is_better = true;
    o->metric_for_best_model = "score";
    assert_ok(nf_stage_run(&run.stage, &error), &error);
    assert_int_equal(run.stage.state.best_step, 2);
    assert_true(bias_of(run.task.base.model) == run.task.bias[2]);
    json_decref(metrics);
    end_scripted(&run);
    nf_directory_remove(root, NULL);
}

/* Each epoch meets every text once, in an order of its own that depends on the seed alone. */
static void test_order(void **state) {
    (void)state;
    enum { TEXTS = 22, EPOCHS = 3 };
    ptrdiff_t orders[3][EPOCHS][TEXTS]; /* twice the same seed, and another */
    static const uint64_t seeds[] = {42, 42, 43};
    for (size_t k = 0; k < 3; k++) {
        scripted_run run;
        begin_scripted(&run, TEXTS);
        run.stage.options.num_train_epochs = EPOCHS;
        run.stage.options.seed = seeds[k];
        assert_ok(nf_stage_run(&run.stage, &error), &error);
        assert_int_equal(run.task.n_batches, 6 * EPOCHS); /* the short last one is not left out */
        for (size_t epoch = 0, b = 0; epoch < EPOCHS; epoch++) {
            bool met[TEXTS] = {false};
            for (size_t at = 0; at < TEXTS; b++)
                for (size_t i = 0; i < run.task.batches[b].count; i++, at++) {
                    ptrdiff_t item = run.task.batches[b].items[i];
                    assert_true(item >= 0 && item < TEXTS && !met[item]);
                    met[item] = true;
                    orders[k][epoch][at] = item;
                }
        }
        end_scripted(&run);
    }
    assert_memory_equal(orders[0], orders[1], sizeof orders[0]);
    for (size_t epoch = 0; epoch < EPOCHS; epoch++) {
        assert_memory_not_equal(orders[0][epoch], orders[2][epoch], sizeof orders[0][0]);
        for (size_t other = 0; other < epoch; other++)
            assert_memory_not_equal(orders[0][epoch], orders[0][other], sizeof orders[0][0]);
    }
}

/* Every batch of a step has dropout masks of its own, and counts as a share of those there are. */
static void test_micro_batches(void **state) {
    (void)state;
    scripted_run run;
    begin_scripted(&run, 22); /* 6 batches: steps of 4 and 2 */
    run.stage.options.accumulation = 4;
    run.stage.options.num_train_epochs = 2.0;
    assert_ok(nf_stage_run(&run.stage, &error), &error);
    static const uint64_t steps[] = {0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13};
    assert_int_equal(run.task.n_batches, 12);
    for (size_t b = 0; b < 12; b++) {
        assert_int_equal(run.task.batches[b].step, steps[b]);
        assert_true(run.task.batches[b].scale == (b % 6 < 4 ? 0.25 : 0.5));
        assert_int_equal(run.task.batches[b].count, b % 6 == 5 ? 2 : 4);
    }
    end_scripted(&run);
}

/* Strategies by epoch act at each epoch's end and at the last step. */
static void test_by_epoch(void **state) {
    (void)state;
    char root[64];
    temporary_folder(root);
    scripted_run run;
    begin_scripted(&run, 12); /* 3 steps an epoch */
    json_t *metrics = json_pack("[f, f, f]", 0.5, 0.4, 0.3);
    run.task.metrics = metrics;
    run.task.base.metrics = scripted_metrics;
    run.task.base.validation = &run.examples;
    run.stage.folder = root;
    run.stage.options.num_train_epochs = 2.5; /* 8 steps */
    run.stage.options.eval_strategy = run.stage.options.save_strategy =
        run.stage.options.logging_strategy = NF_STRATEGY_EPOCH;
    assert_ok(nf_stage_run(&run.stage, &error), &error);
    static const int steps[] = {3, 6, 8};
    size_t entries = json_array_size(run.stage.state.log_history);
    assert_int_equal(entries, 6);
    for (size_t i = 0; i < entries; i++) {
        const json_t *entry = json_array_get(run.stage.state.log_history, i);
        assert_int_equal(json_integer_value(json_object_get(entry, "step")), steps[i / 2]);
        assert_true(json_object_get(entry, i % 2 ? "eval_loss" : "loss"));
    }
    nf_arena arena = {0};
    for (int step = 1; step <= 8; step++)
        assert_int_equal(nf_directory_exists(nf_checkpoint_path(&arena, root, step)),
                         step == 3 || step == 6 || step == 8);
    nf_arena_free(&arena);
    json_decref(metrics);
    end_scripted(&run);
    nf_directory_remove(root, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_loop), cmocka_unit_test(test_stopping),
        cmocka_unit_test(test_order),       cmocka_unit_test(test_micro_batches),
        cmocka_unit_test(test_by_epoch),    cmocka_unit_test(test_best_between_saves),
    };
    return cmocka_run_group_tests(tests, load_cases, free_cases);
}
