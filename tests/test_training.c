/* Both stages against torch, transformers and PEFT: hidden states, logits, the losses of the first
 * 20 steps and the weights after them (tests/golden, made by tools/golden/{models,training}.py). */
#include "golden_files.h"

#include <math.h>

#include "heads/contrastive_head.h"
#include "model/adapter.h"
#include "train/stage.h"
#include "train/task.h"
#include "tensor/backends.h"

enum { BATCH = 4, MAX_TEXTS = 128 };

static double largest_difference(const float *a, const float *b, size_t count) {
    double most = 0.0;
    for (size_t i = 0; i < count; i++) most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

/* ---------------------------------------------------------------- forward */

static void check_hidden(nf_backend *be, const char *folder, const char *golden_file,
                         const char *logits_name, double tolerance) {
    nf_model *model;
    assert_ok(nf_model_load(&model, golden(folder), be, NULL, &error), &error);
    assert_ok(nf_network_prepare(&model->net, false, &error), &error);
    nf_safetensors *file = open_golden(golden_file);
    size_t n, count;
    const int32_t *ids = ints(file, "ids", &n), *cu = ints(file, "cu_seqlens", &count);
    nf_tokens texts[MAX_TEXTS];
    for (size_t s = 0; s + 1 < count; s++)
        texts[s] = (nf_tokens){.ids = ids + cu[s], .length = (size_t)(cu[s + 1] - cu[s])};
    nf_pass pass = {.be = be};
    assert_ok(nf_workspace_new(&pass.ws, be, &error), &error);
    assert_ok(nf_batch_load(&pass, &model->encoder, texts, count - 1, &error), &error);
    size_t c = model->encoder.hidden;
    float *ours = malloc(n * (c > 8 ? c : 8) * sizeof *ours);
    if (logits_name) {
        nf_values *logits;
        assert_ok(nf_model_logits(model, &pass, &logits), &error);
        be->to_f32(be, ours, logits, n * model->n_labels);
        float *theirs = floats(file, logits_name);
        double difference = largest_difference(ours, theirs, n * model->n_labels);
        if (difference > tolerance)
            fail_msg("%s on %s: logits differ by %g", folder, be->name, difference);
        free(theirs);
    } else {
        nf_values *states[16], *last = nf_workspace_reals(pass.ws, n * c);
        for (size_t i = 0; i <= model->encoder.n_layers; i++)
            states[i] = nf_workspace_reals(pass.ws, n * c);
        assert_ok(nf_encoder_forward(&model->encoder, &pass, last, NULL, states), &error);
        for (size_t i = 0; i <= model->encoder.n_layers; i++) {
            char name[32];
            snprintf(name, sizeof name, "hidden.%zu", i);
            float *theirs = floats(file, name);
            be->to_f32(be, ours, states[i], n * c);
            double difference = largest_difference(ours, theirs, n * c);
            if (difference > tolerance)
                fail_msg("%s on %s: %s differs by %g", folder, be->name, name, difference);
            free(theirs);
        }
    }
    free(ours);
    nf_workspace_free(pass.ws);
    nf_safetensors_close(file);
    nf_model_free(model);
}

static const char *const architectures[] = {
    "bert",       "roberta",       "xlm-roberta",     "camembert", "distilbert",
    "electra",    "electra-equal", "albert",          "mpnet",     "deberta-v3",
    "deberta-v2", "modernbert",    "modernbert-bias", "eurobert",  "eurobert-bias",
};

static void test_hidden_states(void **state) {
    (void)state;
    for (size_t b = 0; b < N_BACKENDS; b++) {
        nf_backend *be = backend(backends[b]);
        for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++) {
            char head[64], file[64];
            snprintf(head, sizeof head, "%s/token-classification", architectures[i]);
            snprintf(file, sizeof file, "%s/hidden.safetensors", architectures[i]);
            check_hidden(be, architectures[i], file, NULL, 1e-4);
            check_hidden(be, head, file, "logits", 1e-4);
        }
        check_hidden(be, "bert/sharded", "bert/hidden.safetensors", "logits", 1e-4);
        check_hidden(be, "bert/bf16", "bert/hidden.safetensors", "logits.bf16", 1e-4);
        check_hidden(be, "bert/f16", "bert/hidden.safetensors", "logits.f16", 1e-4);
        be->free(be);
    }
}

/* ---------------------------------------------------------------- training */

typedef struct training_case {
    const char *architecture, *kind;
    int stage;
} training_case;

static const training_case cases[] = {
    {"bert", "full", 1},         {"bert", "full", 2},
    {"bert", "lora", 1},         {"bert", "lora", 2},
    {"bert", "rslora", 1},       {"bert", "rslora", 2},
    {"bert", "dora", 1},         {"bert", "dora", 2},
    {"roberta", "full", 1},      {"roberta", "full", 2},
    {"roberta", "dora", 1},      {"roberta", "dora", 2},
    {"roberta", "lora", 1},      {"roberta", "lora", 2},
    {"bert", "all-linear", 2},   {"bert", "smoothing", 2},
    {"bert", "accumulation", 2}, {"distilbert", "full", 2},
    {"distilbert", "lora", 2},   {"electra", "full", 1},
    {"electra", "full", 2},      {"albert", "full", 1},
    {"albert", "full", 2},       {"albert", "lora", 2},
    {"albert", "dora", 2},       {"mpnet", "full", 1},
    {"mpnet", "full", 2},        {"mpnet", "lora", 2},
    {"deberta-v3", "full", 1},   {"deberta-v3", "full", 2},
    {"deberta-v3", "lora", 2},   {"deberta-v3", "dora", 2},
    {"deberta-v2", "full", 2},   {"modernbert", "full", 1},
    {"modernbert", "full", 2},   {"modernbert", "lora", 2},
    {"modernbert", "dora", 2},   {"modernbert-bias", "full", 2},
    {"eurobert", "full", 1},     {"eurobert", "full", 2},
    {"eurobert", "lora", 2},     {"eurobert", "dora", 2},
};

static bool is_adapter(const char *kind) {
    static const char *const adapters[] = {"lora", "rslora", "dora", "all-linear"};
    for (size_t i = 0; i < 4; i++)
        if (strcmp(kind, adapters[i]) == 0) return true;
    return false;
}

/* What the log of a run is held against. */
typedef struct expected_log {
    const training_case *c;
    const char *backend;
    double losses[64], norms[64], rates[64];
    size_t steps, seen;
} expected_log;

static void in_order(void *user, uint64_t seed, int64_t epoch, uint32_t *order, size_t count) {
    (void)user, (void)seed, (void)epoch;
    for (size_t i = 0; i < count; i++) order[i] = (uint32_t)i;
}

static bool compare_log(void *user, const nf_stage_report *report) {
    expected_log *e = user;
    if (report->event != NF_STAGE_LOG) return true;
    size_t step = e->seen++;
    assert_int_equal(report->step, step + 1);
    double loss = json_number_value(json_object_get(report->entry, "loss"));
    double norm = json_number_value(json_object_get(report->entry, "grad_norm"));
    double rate = json_number_value(json_object_get(report->entry, "learning_rate"));
    if (fabs(loss - e->losses[step]) > 1e-4 * fmax(1.0, fabs(e->losses[step])) ||
        fabs(norm - e->norms[step]) > 1e-3 * fmax(1e-2, e->norms[step]) ||
        fabs(rate - e->rates[step]) > 1e-9)
        fail_msg("%s %s stage %d on %s, step %zu: loss %.7g, expected %.7g; gradient norm %.6g, "
                 "expected %.6g; rate %.9g, expected %.9g",
                 e->c->architecture, e->c->kind, e->c->stage, e->backend, step, loss,
                 e->losses[step], norm, e->norms[step], rate, e->rates[step]);
    return true;
}

/* The stage's own loop; the batches come in order. */
static void run_steps(const training_case *c, nf_task *task, const nf_safetensors *file,
                      nf_backend *be) {
    expected_log e = {.c = c, .backend = be->name};
    const nf_stored *stored = nf_safetensors_find(file, "losses");
    e.steps = stored->count;
    assert_ok(nf_stored_to_f64(stored, e.losses, &error), &error);
    assert_ok(nf_stored_to_f64(nf_safetensors_find(file, "grad_norms"), e.norms, &error), &error);
    assert_ok(nf_stored_to_f64(nf_safetensors_find(file, "lrs"), e.rates, &error), &error);
    nf_stage stage = {
        .number = c->stage,
        .task = task,
        .order = in_order,
        .observer = compare_log,
        .user = &e,
        .options = {.train_batch_size = BATCH,
                    .eval_batch_size = BATCH,
                    .accumulation = (size_t)atoi(nf_safetensors_metadata(file, "accumulation")),
                    .learning_rate = strtod(nf_safetensors_metadata(file, "learning_rate"), NULL),
                    .weight_decay = 0.01,
                    .adam_beta1 = 0.9,
                    .adam_beta2 = 0.999,
                    .adam_epsilon = 1e-8,
                    .max_grad_norm = 1.0,
                    .scheduler = NF_SCHEDULE_LINEAR,
                    .warmup_steps = 4,
                    .max_steps = (int64_t)e.steps,
                    .logging_strategy = NF_STRATEGY_STEPS,
                    .logging_steps = 1}};
    assert_ok(nf_workspace_new(&stage.ws, be, &error), &error);
    assert_ok(nf_stage_run(&stage, &error), &error);
    assert_int_equal(e.seen, e.steps);
    nf_workspace_free(stage.ws);
    nf_stage_free(&stage);
}

static void check_final(const training_case *c, nf_model *model, const nf_safetensors *file,
                        nf_backend *be) {
    size_t compared = 0, trained = 0;
    for (size_t i = 0; i < model->net.n_parameters; i++)
        trained += model->net.parameters[i]->trained && !model->net.parameters[i]->removed;
    for (size_t i = 0; i < nf_safetensors_count(file); i++) {
        const nf_stored *stored = nf_safetensors_at(file, i);
        if (strncmp(stored->name, "final.", 6) != 0) continue;
        nf_parameter *p = nf_network_find(&model->net, stored->name + 6);
        if (!p || !p->grad)
            fail_msg("%s %s: %s is not trained", c->architecture, c->kind, stored->name);
        size_t count = nf_parameter_count(p);
        float *ours = malloc(count * sizeof *ours), *theirs = floats(file, stored->name);
        be->to_f32(be, ours, p->values, count);
        double difference = 0.0, size = 0.0;
        for (size_t k = 0; k < count; k++) {
            difference += pow((double)ours[k] - (double)theirs[k], 2);
            size += pow((double)theirs[k], 2);
        }
        /* A key's bias shifts all scores of a query alike: its gradient is 0 but for rounding,
         * which Adam blows up to the size of a step. */
        bool key = strstr(stored->name, "key.bias") || strstr(stored->name, "k_lin.bias") ||
                   strstr(stored->name, "attn.k.bias") || strstr(stored->name, "key_proj.bias");
        double tolerance = key ? 1e-1 : 1e-4;
        if (sqrt(difference) > tolerance * sqrt(size) + 1e-7)
            fail_msg("%s %s stage %d on %s: %s differs by %g relative", c->architecture, c->kind,
                     c->stage, be->name, stored->name, sqrt(difference / size));
        free(ours);
        free(theirs);
        compared++;
    }
    assert_int_equal(compared, trained);
}

static void check_training(const training_case *c, nf_backend *be) {
    char path[256];
    snprintf(path, sizeof path, "%s/train-%s-stage%d.safetensors", c->architecture, c->kind,
             c->stage);
    nf_safetensors *file = open_golden(path);
    snprintf(path, sizeof path, "%s%s", c->architecture,
             c->stage == 2 ? "/token-classification" : "");
    nf_model *model;
    assert_ok(nf_model_load(&model, golden(path), be, NULL, &error), &error);
    model->encoder.classifier_dropout = 0.0;
    if (c->stage == 1) assert_ok(nf_model_add_projection(model, 24, 1, &error), &error);
    if (is_adapter(c->kind)) {
        char *all[] = {"all-linear"};
        bool everything = strcmp(c->kind, "all-linear") == 0;
        nf_adapter_config config = {.r = 4,
                                    .lora_alpha = 8,
                                    .use_dora = !strcmp(c->kind, "dora"),
                                    .use_rslora = !strcmp(c->kind, "rslora"),
                                    .target_modules = everything ? all : NULL,
                                    .n_target_modules = everything};
        assert_ok(nf_adapter_add(model, &config, 1, &error), &error);
    } else {
        nf_model_train_encoder(model, true);
    }
    if (c->stage == 1)
        nf_contrastive_head_linear(model->learner)->weight->trained =
            nf_contrastive_head_linear(model->learner)->bias->trained = true;
    else
        nf_head_train(model->head, true);
    set_initial(model, file);
    assert_ok(nf_network_start_training(&model->net, &error), &error);
    assert_ok(nf_network_prepare(&model->net, true, &error), &error);

    nf_examples examples = {0};
    load_examples(file, &examples);
    nf_task *task;
    float *embeddings = floats(file, "embeddings");
    if (c->stage == 1)
        assert_ok(nf_contrastive_head_set_types(model->learner, embeddings, 6, &error), &error);
    assert_ok(nf_task_new(&task, model, NULL, &examples, NULL,
                          strcmp(c->kind, "smoothing") ? 0.0 : 0.1, &error),
              &error);
    run_steps(c, task, file, be);
    check_final(c, model, file, be);
    task->free(task);
    free(embeddings);
    nf_examples_free(&examples);
    nf_model_free(model);
    nf_safetensors_close(file);
}

static void test_training_steps(void **state) {
    (void)state;
    for (size_t b = 0; b < N_BACKENDS; b++) {
        nf_backend *be = backend(backends[b]);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_training(&cases[i], be);
        be->free(be);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hidden_states),
        cmocka_unit_test(test_training_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
