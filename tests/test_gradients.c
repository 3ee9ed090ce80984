/* Gradient checks in double: the analytical gradient of all losses by every kind of parameter,
 * through every block, against central differences. Dropout is on (its masks are a function of the
 * step), so that its backward is checked too. */
#include "differences.h"
#include "test.h"

#include <math.h>

#include "base/rng.h"
#include "heads/contrastive_head.h"
#include "model/adapter.h"
#include "model/adapter_match.h"
#include "model/word_shape.h"
#include "train/task.h"
#include "tensor/backends.h"

enum { TEXTS = 3, TRIES = 12 };
static nerfit_error error;

static const int32_t ids[] = {2, 17, 40, 8, 3, 2, 60, 61, 62, 63, 64, 9, 3, 2, 5, 3};
static const int32_t labels[] = {-100, 1, 2, 0, -100, -100, 3, 4, 4, 0, 1, 0, -100, -100, 5, -100};
static const int32_t words[] = {1, 2, 3, 4, 6, 1};
static const int32_t shapes[] = {0, 4, 5, 1, 0, 0, 9, 9, 9, 4, 5, 2, 0, 0, 5, 0};
static nf_entity entities[] = {{1, 3, 0, 0}, {1, 4, 1, 0}, {4, 5, 0, 0}};
static const nf_example texts[TEXTS] = {{.ids = ids,
                                         .labels = labels,
                                         .shapes = shapes,
                                         .length = 5,
                                         .entities = entities,
                                         .n_entities = 1,
                                         .words = words,
                                         .n_words = 3},
                                        {.ids = ids + 5,
                                         .labels = labels + 5,
                                         .shapes = shapes + 5,
                                         .length = 8,
                                         .entities = entities + 1,
                                         .n_entities = 2,
                                         .words = words,
                                         .n_words = 5},
                                        {.ids = ids + 13,
                                         .labels = labels + 13,
                                         .shapes = shapes + 13,
                                         .length = 3,
                                         .words = words + 5,
                                         .n_words = 0}};
/* The same, partly known: weights, a word that nobody knows, a type that was not looked for. */
static const int32_t partial_labels[] = {-100, 1, 2, 0,    -100, -100, 3,    4,
                                         4,    0, 1, -100, -100, -100, -100, -100};
static const float weights[] = {0.5f, 0.5f, 0.25f, 0.5f, 0.5f, 1, 2, 1, 0.3f, 1, 1, 0, 1, 1, 0, 1};
static const float entity_weights[] = {0.5f, 2, 1};
static const int32_t looked_for[] = {0};
static nf_example partial_texts[TEXTS];
static bool partial; /* whether the texts are the partly known ones */

static void make_partial_texts(void) {
    memcpy(partial_texts, texts, sizeof partial_texts);
    for (size_t i = 0, at = 0, e = 0; i < TEXTS;
         at += texts[i].length, e += texts[i++].n_entities) {
        partial_texts[i].labels = partial_labels + at;
        partial_texts[i].weights = weights + at;
        partial_texts[i].entity_weights = entity_weights + e;
        partial_texts[i].text_weight = i == 0 ? 0.5f : 1.0f;
    }
    partial_texts[0].looked_for = looked_for;
    partial_texts[0].n_looked_for = 1;
}

static const nf_examples examples = {.items = (nf_example *)(uintptr_t)texts, .count = TEXTS};

typedef struct setting {
    const char *name, *folder;
    int stage; /* 3, 4: stages 1 and 2 of the recipe nerfit; 5: without descriptions */
    bool lora, dora;
    const char *activation;
} setting;

static const setting settings[] = {
    {"full, stage 1", "bert", 1, false, false, "gelu"},
    {"full, stage 2", "bert/token-classification", 2, false, false, "gelu"},
    {"RoBERTa, stage 2", "roberta/token-classification", 2, false, false, "gelu"},
    {"partly known, stage 1", "bert", 1, false, false, "gelu"},
    {"partly known, stage 2", "bert/token-classification", 2, false, false, "gelu"},
    {"partly known, descriptions", "bert", 3, false, false, "gelu"},
    {"partly known, decoder", "bert", 4, false, false, "gelu"},
    {"tanh gelu", "bert/token-classification", 2, false, false, "gelu_new"},
    {"silu", "bert/token-classification", 2, false, false, "silu"},
    {"tanh", "bert/token-classification", 2, false, false, "tanh"},
    {"LoRA, stage 1", "bert", 1, true, false, "gelu"},
    {"LoRA, stage 2", "bert/token-classification", 2, true, false, "gelu"},
    {"DoRA, stage 2", "bert/token-classification", 2, true, true, "gelu"},
    {"descriptions, stage 1", "bert", 3, false, false, "gelu"},
    {"descriptions, stage 2", "bert", 4, false, false, "gelu"},
    {"descriptions, stage 2, LoRA", "bert", 4, true, false, "gelu"},
    {"descriptions after ModernBERT's head", "modernbert/token-classification", 4, false, false,
     "gelu"},
    {"no descriptions, stage 2", "bert", 5, false, false, "gelu"},
    {"XLM-RoBERTa", "xlm-roberta/token-classification", 2, false, false, "gelu"},
    {"DistilBERT, stage 1", "distilbert", 1, false, false, "gelu"},
    {"DistilBERT, LoRA", "distilbert/token-classification", 2, true, false, "gelu"},
    {"ELECTRA, stage 2", "electra/token-classification", 2, false, false, "gelu"},
    {"ELECTRA, LoRA on the projection too", "electra/token-classification", 2, true, false, "gelu"},
    {"ELECTRA, DoRA on the projection too", "electra/token-classification", 2, true, true, "gelu"},
    {"ELECTRA without projection", "electra-equal/token-classification", 2, false, false, "gelu"},
    {"ALBERT, stage 1", "albert", 1, false, false, "gelu_new"},
    {"ALBERT, stage 2", "albert/token-classification", 2, false, false, "gelu_new"},
    {"ALBERT, LoRA", "albert/token-classification", 2, true, false, "gelu_new"},
    {"ALBERT, DoRA", "albert/token-classification", 2, true, true, "gelu_new"},
    {"MPNet, stage 2", "mpnet/token-classification", 2, false, false, "gelu"},
    {"MPNet, LoRA", "mpnet/token-classification", 2, true, false, "gelu"},
    {"DeBERTa-v3, stage 1", "deberta-v3", 1, false, false, "gelu"},
    {"DeBERTa-v3, stage 2", "deberta-v3/token-classification", 2, false, false, "gelu"},
    {"DeBERTa-v3, DoRA", "deberta-v3/token-classification", 2, true, true, "gelu"},
    {"DeBERTa-v2, stage 2", "deberta-v2/token-classification", 2, false, false, "gelu"},
    {"ModernBERT, stage 1", "modernbert", 1, false, false, "gelu"},
    {"ModernBERT, stage 2", "modernbert/token-classification", 2, false, false, "gelu"},
    {"ModernBERT, DoRA", "modernbert/token-classification", 2, true, true, "gelu"},
    {"word shapes, stage 1", "bert", 1, false, false, "gelu"},
    {"word shapes, LoRA", "bert", 4, true, false, "gelu"},
    {"word shapes, with a projection behind", "electra", 4, false, false, "gelu"},
    {"EuroBERT, stage 1", "eurobert", 1, false, false, "silu"},
    {"EuroBERT, stage 2", "eurobert/token-classification", 2, false, false, "silu"},
    {"EuroBERT, LoRA", "eurobert/token-classification", 2, true, false, "silu"},
    {"EuroBERT, DoRA", "eurobert/token-classification", 2, true, true, "gelu"},
    {"EuroBERT with biases", "eurobert-bias/token-classification", 2, false, false, "silu"},
    {"ModernBERT with biases", "modernbert-bias/token-classification", 2, false, false, "silu"},
};

static nf_activation activation_of(const char *name) {
    return strcmp(name, "gelu_new") == 0 ? NF_ACTIVATION_GELU_TANH
           : strcmp(name, "silu") == 0   ? NF_ACTIVATION_SILU
           : strcmp(name, "tanh") == 0   ? NF_ACTIVATION_TANH
                                         : NF_ACTIVATION_GELU;
}

typedef struct lesson {
    nf_task *task;
    nf_pass pass;
} lesson;

/* With `keep` the gradient is added; without, what was found is scored, as in an evaluation. */
static double learn(lesson *l, bool keep) {
    const nf_example *all = partial ? partial_texts : texts;
    const nf_example *batch[TEXTS] = {&all[0], &all[1], &all[2]};
    nf_tokens tokens[TEXTS];
    for (size_t i = 0; i < TEXTS; i++)
        tokens[i] = (nf_tokens){texts[i].ids, texts[i].length, texts[i].shapes};
    nf_pass *pass = &l->pass;
    nf_workspace_reset(pass->ws);
    double loss;
    pass->keep = keep;
    assert_ok(nf_batch_load(pass, &l->task->model->encoder, tokens, TEXTS, &error), &error);
    nf_head_batch whole = nf_task_batch_of(l->task, batch, TEXTS, 1.0);
    assert_ok(l->task->run(l->task, pass, &whole, &loss, &error), &error);
    return loss;
}

static double loss_alone(void *user) {
    return learn(user, false);
}

static bool is_near(double numeric, double gradient) {
    return fabs(numeric - gradient) <= 1e-6 * fmax(fabs(numeric), fabs(gradient)) + 1e-9;
}

static void check_parameter(const setting *s, lesson *l, nf_parameter *p, const double *gradient,
                            nf_rng *rng) {
    for (int i = 0; i < TRIES; i++) {
        size_t at = nf_rng_below(rng, (uint32_t)nf_parameter_count(p));
        double *value = (double *)(void *)p->values + at;
        probed by = {value, 1e-5 * fmax(1.0, fabs(*value)), loss_alone, l};
        double numeric = central_difference(&by);
        if (!is_near(numeric, gradient[at])) numeric = finer_difference(&by, numeric);
        if (!is_near(numeric, gradient[at]))
            fail_msg("%s: %s[%zu]: gradient %.12g, finite difference %.12g", s->name, p->name, at,
                     gradient[at], numeric);
    }
}

/* DoRA takes the norms of W + s B A as constants: their part of the derivative by A and B is left
 * out on purpose, as in PEFT, and only the magnitude and what lies elsewhere can be compared. */
static bool comparable(const setting *s, const nf_parameter *p) {
    return !(s->dora && (strstr(p->name, "lora_A") || strstr(p->name, "lora_B")));
}

static const char *const label_names[] = {"O", "B-a", "I-a", "B-b", "I-b"};
static const char *type_names[] = {"a", "b", "c"};
static const nf_label_set types = {.types = type_names, .n_types = NF_COUNT(type_names)};

/* A description head with parameters that are far from their first values. */
static void add_head(nf_model *model, int stage, const float *embeddings) {
    size_t size = stage == 5 ? 0 : 6;
    assert_ok(nf_model_add_description_head(model, size, false, 3, &error), &error);
    nf_description_head *head = nf_description_head_of(model->learner);
    if (stage == 3)
        assert_ok(nf_type_columns_make(&head->own, model->net.be, embeddings, 2, 6, &error),
                  &error);
    else
        assert_ok(nf_model_add_types(model, label_names, 2, embeddings, 4, &error), &error);
    for (size_t i = 0; i < model->net.n_parameters; i++)
        if (model->net.parameters[i]->head == model->learner && model->learner)
            assert_ok(nf_parameter_normal(&model->net, model->net.parameters[i], 0.3, 9, i, &error),
                      &error);
}

/* What it folds into gives the same logits. */
static void check_folding(nf_model *model, nf_pass *pass) {
    enum { N = 3 };
    size_t c = model->encoder.hidden, l = model->n_labels;
    nf_backend *be = pass->be;
    nf_head_saved saved;
    nf_rng rng = nf_rng_new(2, 2);
    nf_workspace_reset(pass->ws);
    nf_values *h = nf_workspace_reals(pass->ws, N * c),
              *by_head = nf_workspace_reals(pass->ws, N * l);
    nf_values *folded = nf_workspace_reals(pass->ws, N * l);
    double *values = malloc(N * c * sizeof *values), a[N * 5], b[N * 5], bias[5];
    for (size_t i = 0; i < N * c; i++) values[i] = nf_rng_normal(&rng);
    be->from_f64(be, h, values, N * c);
    free(values);
    assert_ok(nf_head_forward(model->learner, pass, by_head, h, N, &saved), &error);
    assert_ok(nf_model_fold(model, &error), &error);
    be->matmul(be, folded, saved.h, nf_token_classifier_linear(model->head)->weight->values,
               &(nf_product){N, l, c, false, true, 1.0, false});
    be->to_f64(be, a, by_head, N * l);
    be->to_f64(be, b, folded, N * l);
    be->to_f64(be, bias, nf_token_classifier_linear(model->head)->bias->values, l);
    for (size_t i = 0; i < N * l; i++)
        if (fabs(a[i] - b[i] - bias[i % l]) > 1e-12) fail_msg("logit %zu: %g, %g", i, a[i], b[i]);
    assert_true(model->decoding.present);
}

static void check_setting(const setting *s) {
    partial = strncmp(s->name, "partly known", 12) == 0;
    nf_backend *be;
    nf_model *model;
    lesson l = {.pass = {.training = true, .seed = 7, .step = 3}};
    nf_pass *pass = &l.pass;
    char path[256];
    snprintf(path, sizeof path, "tests/golden/%s", s->folder);
    assert_ok(nf_backend_ref(&be, sizeof(double), &error), &error);
    assert_ok(nf_model_load(&model, path, be, NULL, &error), &error);
    model->encoder.hidden_dropout = model->encoder.attention_dropout = 0.2;
    model->encoder.classifier_dropout = model->encoder.inner_dropout = 0.2;
    model->encoder.embedding.dropout = 0.2;
    for (size_t i = 0; i < model->encoder.n_layers; i++)
        model->encoder.layers[i].feed_forward.activation = activation_of(s->activation);
    if (s->stage == 1) assert_ok(nf_model_add_projection(model, 6, 3, &error), &error);
    nf_rng rng = nf_rng_new(11, 0);
    float embeddings[12];
    for (int i = 0; i < 12; i++) embeddings[i] = (float)nf_rng_normal(&rng);
    if (s->stage >= 3) add_head(model, s->stage, embeddings);
    if (s->lora) {
        /* those that a model has */
        char *targets[] = {"query",
                           "value",
                           "intermediate.dense",
                           "q_lin",
                           "v_lin",
                           "lin1",
                           "embeddings_project",
                           "embedding_hidden_mapping_in",
                           "ffn",
                           "q",
                           "v",
                           "query_proj",
                           "value_proj",
                           "pos_key_proj",
                           "Wqkv",
                           "Wi",
                           "mlp.Wo",
                           "q_proj",
                           "k_proj",
                           "v_proj",
                           "gate_proj",
                           "up_proj"};
        size_t n_targets = 0; /* those that this model has */
        for (size_t t = 0; t < sizeof targets / sizeof *targets; t++)
            for (size_t i = 0; i < model->net.n_linears; i++)
                if (nf_module_is(model->net.linears[i]->name, targets[t])) {
                    targets[n_targets++] = targets[t];
                    break;
                }
        nf_adapter_config config = {.r = 3,
                                    .lora_alpha = 6,
                                    .lora_dropout = 0.3,
                                    .use_dora = s->dora,
                                    .target_modules = targets,
                                    .n_target_modules = n_targets};
        assert_ok(nf_adapter_add(model, &config, 5, &error), &error);
        for (size_t i = 0; i < model->net.n_parameters; i++) /* B is 0 at first */
            if (strstr(model->net.parameters[i]->name, "lora_B"))
                assert_ok(
                    nf_parameter_normal(&model->net, model->net.parameters[i], 0.3, 9, i, &error),
                    &error);
    } else
        nf_model_train_encoder(model, true);
    if (strncmp(s->name, "word shapes", 11) == 0) {
        assert_ok(nf_word_shape_add(model, &error), &error);
        nf_parameter *table = model->encoder.embedding.shapes;
        table->trained = true;
        assert_ok(nf_parameter_normal(&model->net, table, 0.3, 9, 99, &error), &error);
    }
    if (s->stage == 1)
        nf_contrastive_head_linear(model->learner)->weight->trained =
            nf_contrastive_head_linear(model->learner)->bias->trained = true;
    else if (s->stage == 2)
        nf_head_train(model->head, true);
    assert_ok(nf_network_start_training(&model->net, &error), &error);
    assert_ok(nf_network_prepare(&model->net, true, &error), &error);
    if (s->stage == 1)
        assert_ok(nf_contrastive_head_set_types(model->learner, embeddings, 2, &error), &error);
    assert_ok(nf_task_new(&l.task, model, &types, &examples, NULL, 0.1, &error), &error);
    pass->be = be;
    assert_ok(nf_workspace_new(&pass->ws, be, &error), &error);
    be->zero(be, model->net.flat_grads, model->net.n_trained);
    learn(&l, true);
    for (size_t i = 0; i < model->net.n_parameters; i++) {
        nf_parameter *p = model->net.parameters[i];
        if (!p->grad || !comparable(s, p)) continue;
        double *gradient = malloc(nf_parameter_count(p) * sizeof *gradient);
        be->to_f64(be, gradient, p->grad, nf_parameter_count(p));
        check_parameter(s, &l, p, gradient, &rng);
        free(gradient);
    }
    if (s->stage >= 4) check_folding(model, pass);
    nf_workspace_free(pass->ws);
    l.task->free(l.task);
    nf_model_free(model);
    be->free(be);
}

static void test_gradients(void **state) {
    (void)state;
    make_partial_texts();
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) check_setting(&settings[i]);
}

/* Dropout of a layer that serves at every depth must not drop the same elements at each. That
 * backward's masks are forward's is what the gradients say; here the streams of backward are seen. */
enum { MAX_STREAMS = 64 };
static uint32_t streams[MAX_STREAMS];
static size_t n_sites;
static nf_backend plain;

static void note_dropout(nf_backend *be, nf_values *y, const nf_values *x, size_t n,
                         const nf_dropout *dropout) {
    size_t i = 0;
    while (i < n_sites && streams[i] != dropout->stream) i++;
    if (i == n_sites && n_sites < MAX_STREAMS) streams[n_sites++] = dropout->stream;
    plain.dropout(be, y, x, n, dropout);
}

static void test_shared_dropout(void **state) {
    (void)state;
    nf_backend *be;
    nf_model *model;
    lesson l = {.pass = {.training = true, .seed = 7, .step = 3}};
    assert_ok(nf_backend_ref(&be, sizeof(double), &error), &error);
    plain = *be;
    be->dropout = note_dropout;
    assert_ok(nf_model_load(&model, "tests/golden/albert/token-classification", be, NULL, &error),
              &error);
    size_t depth = model->encoder.n_layers;
    assert_int_equal(depth, 3);
    model->encoder.hidden_dropout = model->encoder.classifier_dropout = 0.2;
    nf_model_train_encoder(model, true);
    assert_ok(nf_network_start_training(&model->net, &error), &error);
    assert_ok(nf_network_prepare(&model->net, true, &error), &error);
    assert_ok(nf_task_new(&l.task, model, &types, &examples, NULL, 0.1, &error), &error);
    l.pass.be = be;
    assert_ok(nf_workspace_new(&l.pass.ws, be, &error), &error);
    learn(&l, true);
    /* two norms at each depth, the embeddings, the classifier */
    assert_int_equal(n_sites, 2 * depth + 2);
    nf_workspace_free(l.pass.ws);
    l.task->free(l.task);
    nf_model_free(model);
    be->free(be);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gradients),
                                       cmocka_unit_test(test_shared_dropout)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
