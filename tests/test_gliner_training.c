/* Training of GLiNER models: losses, gradients and twenty steps against the package `gliner`
 * (tests/golden/gliner-training.json, tools/golden/gliner_training.py) in double; gradients against
 * central differences, with dropout; the cpu backend against ref. */
#include "differences.h"
#include "test.h"

#include <jansson.h>
#include <math.h>

#include "base/rng.h"
#include "model/gliner_prompt.h"
#include "tensor/backends.h"
#include "train/task.h"

enum { TEXTS = 3, LABELS = 16 };

static nerfit_error error;
static json_t *golden;

/* A model with the golden texts as it reads them. */
typedef struct lesson {
    const char *name;
    nf_model *model;
    nf_pass pass;
    nf_tokenizer_scratch *scratch;
    nf_gliner_words words[TEXTS];
    nf_gliner_prompt prompts[TEXTS];
    nf_gliner_text texts[TEXTS];
    nf_gliner_golds golds[TEXTS];
    nf_entity items[TEXTS][8];
    nf_encoding label_encodings[LABELS];
    nf_tokens label_tokens[LABELS];
    const char *label_names[LABELS];
    int32_t label_rows[TEXTS][LABELS];
    size_t n_labels;      /* of all texts, for a bi-encoder */
    nf_gliner_loss *loss; /* the head's */
    nf_task *task;
    struct nf_prompted prompted[TEXTS];
    nf_example examples[TEXTS];
    int32_t types[LABELS];
    nf_arena arena;
} lesson;

static const char *const alone[] = {"markerv1", "deberta-fused", "pool-last"};

static bool is_alone(const char *name) {
    for (size_t i = 0; i < NF_COUNT(alone); i++)
        if (strcmp(alone[i], name) == 0) return true;
    return false;
}

static size_t label_of(lesson *l, const char *label) {
    size_t k = 0;
    while (k < l->n_labels && strcmp(l->label_names[k], label) != 0) k++;
    if (k < l->n_labels) return k;
    nf_encoding *e = &l->label_encodings[k];
    l->label_names[l->n_labels++] = label;
    assert_ok(nf_tokenizer_encode(l->model->gliner->labels_tokenizer, label, strlen(label), true, e,
                                  &error),
              &error);
    l->label_tokens[k] = (nf_tokens){.ids = e->ids, .length = e->length};
    return k;
}

/* The text's sequence and entities. A bi-encoder's texts share the labels of all. */
static void add_text(lesson *l, size_t t) {
    const json_t *all = json_object_get(golden, "texts"), *row = json_array_get(all, t);
    const char *text = json_string_value(json_object_get(row, "text"));
    const json_t *labels = json_object_get(row, "labels");
    const json_t *entities = json_object_get(row, "entities");
    bool bi = l->model->gliner->config.labels_encoder != NULL;
    const char *names[LABELS];
    size_t n = json_array_size(labels);
    for (size_t i = 0; i < n; i++) names[i] = json_string_value(json_array_get(labels, i));
    if (bi) {
        n = l->n_labels;
        memcpy(names, l->label_names, n * sizeof *names);
        for (size_t i = 0; i < n; i++) l->label_rows[t][i] = (int32_t)i;
    }
    assert_ok(nf_gliner_words_encode(&l->words[t], l->model->tokenizer, l->scratch, text,
                                     strlen(text), false, &error),
              &error);
    assert_ok(nf_gliner_prompt_make(&l->prompts[t], l->model, names, n, &error), &error);
    assert_ok(nf_gliner_sequence(&l->texts[t], &l->prompts[t], &l->words[t], 0,
                                 l->words[t].words.count, 1000, &l->arena, &error),
              &error);
    if (bi) l->texts[t].label_rows = l->label_rows[t];
    for (size_t i = 0; i < json_array_size(entities); i++) {
        const json_t *entity = json_array_get(entities, i);
        const char *name = json_string_value(json_array_get(entity, 2));
        int32_t label = 0;
        while (strcmp(names[label], name) != 0) label++;
        nf_entity gold = {.start = (uint32_t)json_integer_value(json_array_get(entity, 0)),
                          .end = (uint32_t)json_integer_value(json_array_get(entity, 1)) + 1,
                          .type = label};
        l->items[t][i] = gold;
    }
    l->golds[t] = (nf_gliner_golds){.items = l->items[t], .count = json_array_size(entities)};
    l->prompted[t] = (struct nf_prompted){.text = l->texts[t],
                                          .golds = l->golds[t],
                                          .types = l->types,
                                          .label_tokens = bi ? l->label_tokens : NULL};
    l->examples[t] = (nf_example){
        .ids = l->texts[t].ids, .length = l->texts[t].length, .prompted = &l->prompted[t]};
}

static void lesson_begin(lesson *l, const char *name, nf_backend *be) {
    char path[256];
    snprintf(path, sizeof path, "tests/golden/gliner/%s", name);
    *l = (lesson){.name = name, .scratch = nf_tokenizer_scratch_new()};
    assert_ok(nf_model_load(&l->model, path, be, NULL, &error), &error);
    l->model->gliner->config.negative_spans = 0.0;
    for (size_t i = 0; i < l->model->net.n_parameters; i++)
        l->model->net.parameters[i]->trained = true;
    assert_ok(nf_network_start_training(&l->model->net, &error), &error);
    l->model->net.precision = NF_PRECISION_F32;
    assert_ok(nf_network_prepare(&l->model->net, true, &error), &error);
    l->pass = (nf_pass){.be = be, .keep = true, .training = true, .seed = 7, .step = 3};
    assert_ok(nf_workspace_new(&l->pass.ws, be, &error), &error);
    const json_t *texts = json_object_get(golden, "texts");
    for (size_t t = 0; t < TEXTS && l->model->gliner->config.labels_encoder; t++) {
        const json_t *labels = json_object_get(json_array_get(texts, t), "labels");
        for (size_t i = 0; i < json_array_size(labels); i++)
            label_of(l, json_string_value(json_array_get(labels, i)));
    }
    for (size_t t = 0; t < TEXTS; t++) add_text(l, t);
    l->loss = nf_gliner_head_loss(l->model->head);
    assert_ok(nf_task_new(&l->task, l->model, NULL, NULL, NULL, 0.0, &error), &error);
}

static void lesson_end(lesson *l) {
    l->task->free(l->task);
    for (size_t t = 0; t < TEXTS; t++) {
        nf_gliner_words_free(&l->words[t]);
        nf_gliner_prompt_free(&l->prompts[t]);
    }
    for (size_t i = 0; i < l->n_labels; i++) nf_encoding_free(&l->label_encodings[i]);
    nf_workspace_free(l->pass.ws);
    nf_tokenizer_scratch_free(l->scratch);
    nf_arena_free(&l->arena);
    nf_model_free(l->model);
}

static void use_options(lesson *l, const json_t *options) {
    *l->loss = (nf_gliner_loss){
        .alpha = json_number_value(json_object_get(options, "alpha")),
        .gamma = json_number_value(json_object_get(options, "gamma")),
        .margin = json_number_value(json_object_get(options, "prob_margin")),
        .smoothing = json_number_value(json_object_get(options, "label_smoothing")),
        .mean = strcmp(json_string_value(json_object_get(options, "reduction")), "mean") == 0,
        .negatives = 1.0};
}

/* The loss of texts first .. first+count-1 as a batch; the gradient is added. */
static double learn(lesson *l, size_t first, size_t count) {
    const nf_example *batch[TEXTS];
    nf_tokens tokens[TEXTS];
    double loss;
    for (size_t i = 0; i < count; i++) {
        batch[i] = &l->examples[first + i];
        tokens[i] = (nf_tokens){.ids = batch[i]->ids, .length = batch[i]->length};
    }
    nf_head_batch whole = nf_task_batch_of(l->task, batch, count, 1.0);
    nf_workspace_reset(l->pass.ws);
    assert_ok(nf_batch_load(&l->pass, &l->model->encoder, tokens, count, &error), &error);
    assert_ok(l->task->run(l->task, &l->pass, &whole, &loss, &error), &error);
    return loss;
}

/* The batches that the package ran; losses [batches]; their number. */
static size_t learn_all(lesson *l, double *losses) {
    nf_network *net = &l->model->net;
    net->be->zero(net->be, net->flat_grads, net->n_trained);
    if (!is_alone(l->name)) {
        losses[0] = learn(l, 0, TEXTS);
        return 1;
    }
    for (size_t t = 0; t < TEXTS; t++) losses[t] = learn(l, t, 1);
    return TEXTS;
}

static bool is_close(double a, double b, double tolerance, double floor) {
    return fabs(a - b) <= tolerance * fmax(fabs(a), fabs(b)) + floor;
}

/* ---------------------------------------------------------------- against the package */

/* The gradient of a stored tensor, of one parameter or put together from parts; its length. */
static size_t gradient_of(const lesson *l, const char *name, double *out, size_t capacity) {
    const nf_network *net = &l->model->net;
    const nf_gliner *g = l->model->gliner;
    double *values = malloc(capacity * sizeof *values);
    size_t n = 0;
    for (size_t i = 0; i < net->n_parameters; i++) {
        const nf_parameter *p = net->parameters[i];
        if (strcmp(p->name, name) != 0) continue;
        n = nf_parameter_count(p);
        assert_true(n <= capacity);
        net->be->to_f64(net->be, out, p->grad, n);
    }
    for (size_t k = 0; k < g->n_parts; k++) {
        const nf_gliner_part *part = &g->parts[k];
        if (strcmp(part->name, name) != 0) continue;
        n = part->rows * part->cols;
        assert_true(n <= capacity);
        net->be->to_f64(net->be, values, part->part->grad, nf_parameter_count(part->part));
        for (size_t r = 0; r < part->part->rows; r++)
            memcpy(out + (part->first_row + r) * part->cols + part->first_col,
                   values + r * part->part->cols, part->part->cols * sizeof *out);
    }
    free(values);
    return n;
}

static void compare_gradients(const lesson *l, const json_t *expected, double tolerance) {
    const nf_network *net = &l->model->net;
    double all = sqrt(net->be->sum_of_squares(net->be, net->flat_grads, net->n_trained));
    enum { MOST = 1 << 16 };
    double *values = calloc(MOST, sizeof *values);
    const char *name;
    json_t *pair;
    json_object_foreach((json_t *)(uintptr_t)expected, name, pair) {
        size_t n = gradient_of(l, name, values, MOST);
        double squares = 0.0, along = 0.0;
        double norm = json_number_value(json_array_get(pair, 0));
        if (n == 0 && norm == 0.0) continue; /* of what a model has and does not use */
        if (n == 0) fail_msg("%s: no gradient of %s", l->name, name);
        for (size_t i = 0; i < n; i++) {
            squares += values[i] * values[i];
            along += values[i] * sin((double)(i + 1));
        }
        double want = json_number_value(json_array_get(pair, 1));
        if (!is_close(sqrt(squares), norm, tolerance, 1e-3 * tolerance * all) ||
            fabs(along - want) > tolerance * (norm * 10 + all))
            fail_msg("%s: gradient of %s: norm %.12g, along %.12g; gliner has %.12g, %.12g",
                     l->name, name, sqrt(squares), along, norm, want);
    }
    free(values);
}

static void check_lessons(const char *name, const json_t *model, nf_backend *be, double tolerance) {
    const json_t *lessons = json_object_get(model, "lessons");
    for (size_t i = 0; i < json_array_size(lessons); i++) {
        const json_t *row = json_array_get(lessons, i), *want = json_object_get(row, "losses");
        double losses[TEXTS];
        lesson l;
        lesson_begin(&l, name, be);
        l.model->gliner->config.dropout = 0.0;
        use_options(&l, json_object_get(row, "options"));
        size_t n = learn_all(&l, losses);
        assert_int_equal(n, json_array_size(want));
        for (size_t b = 0; b < n; b++)
            if (!is_close(losses[b], json_number_value(json_array_get(want, b)), tolerance, 0.0))
                fail_msg("%s: loss %zu of setting %zu is %.12g, gliner has %.12g", name, b, i,
                         losses[b], json_number_value(json_array_get(want, b)));
        compare_gradients(&l, json_object_get(row, "gradients"), tolerance);
        lesson_end(&l);
    }
}

/* AdamW: the encoders at 1e-3, all else at 3e-3. */
static void check_steps(const char *name, const json_t *model, nf_backend *be) {
    const json_t *steps = json_object_get(model, "steps");
    lesson l;
    lesson_begin(&l, name, be);
    l.model->gliner->config.dropout = 0.0;
    use_options(&l,
                json_object_get(json_array_get(json_object_get(model, "lessons"), 0), "options"));
    nf_network *net = &l.model->net;
    for (size_t s = 0; s < json_array_size(steps); s++) {
        double losses[TEXTS], loss = 0.0, want = json_number_value(json_array_get(steps, s));
        size_t n = learn_all(&l, losses);
        for (size_t b = 0; b < n; b++) loss += losses[b];
        if (!is_close(loss, want, 1e-4, 0.0))
            fail_msg("%s: step %zu: loss %.9g, gliner has %.9g", name, s, loss, want);
        for (size_t i = 0; i < net->n_parameters; i++) {
            nf_parameter *p = net->parameters[i];
            bool encoder = strstr(p->name, "bert_layer") != NULL;
            const nf_adamw options = {.learning_rate = encoder ? 1e-3 : 3e-3,
                                      .beta1 = 0.9,
                                      .beta2 = 0.999,
                                      .epsilon = 1e-8,
                                      .grad_scale = 1.0,
                                      .step = (int64_t)s + 1};
            const nf_adamw_arrays arrays = {p->values, p->grad, nf_at(be, net->flat_m, p->offset),
                                            nf_at(be, net->flat_v, p->offset)};
            be->adamw(be, &arrays, nf_parameter_count(p), &options);
        }
        assert_ok(nf_network_refresh(net, &error), &error);
    }
    lesson_end(&l);
}

static void test_against_the_package(void **state) {
    (void)state;
    nf_backend *be;
    const char *name;
    json_t *model;
    assert_ok(nf_backend_ref(&be, sizeof(double), &error), &error);
    json_object_foreach(json_object_get(golden, "models"), name, model) {
        check_lessons(name, model, be, 1e-6);
        check_steps(name, model, be);
    }
    be->free(be);
}

static void test_cpu(void **state) {
    (void)state;
    nf_backend *be;
    const char *name;
    json_t *model;
    assert_ok(nf_backend_cpu(&be, NF_PRECISION_F32, 2, &error), &error);
    json_object_foreach(json_object_get(golden, "models"), name, model)
        check_lessons(name, model, be, 2e-4);
    be->free(be);
}

/* ---------------------------------------------------------------- against differences */

static double loss_of_all(void *user) {
    lesson *l = user;
    assert_ok(nf_network_refresh(&l->model->net, &error), &error);
    return learn(l, 0, TEXTS);
}

static void check_differences(const char *name, nf_backend *be) {
    lesson l;
    nf_rng rng = nf_rng_new(5, 6);
    lesson_begin(&l, name, be);
    l.model->gliner->config.dropout = 0.25;
    l.model->encoder.hidden_dropout = 0.1;
    l.model->gliner->config.negative_spans = 2.0;
    *l.loss = (nf_gliner_loss){.alpha = 0.6,
                               .gamma = 1.5,
                               .margin = 0.0,
                               .smoothing = 0.05,
                               .negatives = 0.7,
                               .masking = NF_GLINER_MASK_SPAN};
    nf_network *net = &l.model->net;
    double *gradient = malloc(net->n_trained * sizeof *gradient);
    net->be->zero(net->be, net->flat_grads, net->n_trained);
    learn(&l, 0, TEXTS);
    memcpy(gradient, net->flat_grads, net->n_trained * sizeof *gradient);
    for (size_t i = 0; i < net->n_parameters; i++) {
        nf_parameter *p = net->parameters[i];
        size_t at = nf_rng_below(&rng, (uint32_t)nf_parameter_count(p));
        double got = gradient[p->offset + at], want = 0.0, step = 1e-6;
        bool close = false; /* a relu may switch within a step: then a smaller one tells */
        for (; step > 1e-9 && !close; step /= 10) {
            double floor = 1e-6 * fmax(1.0, 1e-7 / step);
            const probed by = {(double *)(void *)p->values + at, step, loss_of_all, &l};
            want = central_difference(&by);
            if (!is_close(got, want, 1e-5, floor)) want = finer_difference(&by, want);
            close = is_close(got, want, 1e-5, floor);
        }
        if (!close)
            fail_msg("%s: %s[%zu]: gradient %.12g, difference %.12g", name, p->name, at, got, want);
    }
    free(gradient);
    lesson_end(&l);
}

static void test_differences(void **state) {
    (void)state;
    static const char *const names[] = {"markerv0", "marker",    "markerv1",      "token-spans",
                                        "pool-max", "pool-mean", "deberta-fused", "bi"};
    nf_backend *be;
    assert_ok(nf_backend_ref(&be, sizeof(double), &error), &error);
    for (size_t i = 0; i < NF_COUNT(names); i++) check_differences(names[i], be);
    be->free(be);
}

/* ---------------------------------------------------------------- a labels' encoder that stays as it is */

/* Without dropout, labels whose means were computed before give what the labels' encoder gives. */
static void check_known_labels(const char *name, nf_backend *be) {
    lesson l;
    float means[LABELS * 64];
    const float *places[LABELS];
    lesson_begin(&l, name, be);
    l.model->gliner->config.dropout = 0.0;
    *l.loss = (nf_gliner_loss){.alpha = 0.75, .gamma = 2.0, .negatives = 1.0};
    nf_network *net = &l.model->net;
    size_t c = l.model->gliner->labels_encoder.hidden;
    assert_true(c <= 64 && l.n_labels > 3);
    assert_false(nf_gliner_knows_labels(l.model));
    assert_ok(nf_gliner_freeze(l.model, "labels_encoder", &error), &error);
    assert_true(nf_gliner_knows_labels(l.model));
    nf_pass pass = {.be = be, .ws = l.pass.ws};
    nf_workspace_reset(pass.ws);
    assert_ok(nf_gliner_label_means(l.model, &pass, l.label_tokens, l.n_labels, means, &error),
              &error);
    double *gradient = malloc(net->n_trained * sizeof *gradient), loss[2];
    for (int known = 0; known < 2; known++) {
        for (size_t i = 0; i < l.n_labels; i++) places[i] = means + i * c;
        for (size_t t = 0; t < TEXTS; t++) l.prompted[t].label_means = known ? places : NULL;
        be->zero(be, net->flat_grads, net->n_trained);
        loss[known] = learn(&l, 0, TEXTS);
        if (!known) memcpy(gradient, net->flat_grads, net->n_trained * sizeof *gradient);
    }
    assert_true(is_close(loss[0], loss[1], 1e-6, 0.0)); /* means are floats */
    const double *now = (const double *)(const void *)net->flat_grads;
    double all = sqrt(be->sum_of_squares(be, net->flat_grads, net->n_trained));
    for (size_t i = 0; i < net->n_parameters; i++) {
        const nf_parameter *p = net->parameters[i];
        bool frozen = strstr(p->name, "labels_encoder.model.") != NULL;
        for (size_t k = p->offset; k < p->offset + nf_parameter_count(p); k++)
            if (frozen ? now[k] != 0.0 : !is_close(now[k], gradient[k], 1e-5, 1e-7 * all))
                fail_msg("%s: gradient of %s: %.12g, with the labels' encoder %.12g", name, p->name,
                         now[k], gradient[k]);
    }
    nf_gliner_keep_frozen(l.model);
    for (size_t i = 0; i < net->n_parameters; i++)
        assert_int_equal(net->parameters[i]->trained,
                         strstr(net->parameters[i]->name, "labels_encoder.model.") == NULL);
    free(gradient);
    lesson_end(&l);
}

static void test_known_labels(void **state) {
    (void)state;
    nf_backend *be;
    assert_ok(nf_backend_ref(&be, sizeof(double), &error), &error);
    check_known_labels("bi",
                       be); /* both project labels; runs with D = C are test_gliner_recipe's */
    check_known_labels("bi-token", be);
    be->free(be);
}

static int set_up(void **state) {
    (void)state;
    golden = json_load_file("tests/golden/gliner-training.json", 0, NULL);
    return golden ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    json_decref(golden);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_package), cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_known_labels), cmocka_unit_test(test_differences)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
