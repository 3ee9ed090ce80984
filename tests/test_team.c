/* A team of threads against one handle, and updates that leave untouched rows alone against updates
 * of everything. */
#include "tiny_model.h"

#include <math.h>

#include "base/rng.h"
#include "model/adapter.h"
#include "model/team.h"
#include "model/word_shape.h"
#include "text/word_shapes.h"
#include "train/optimizer.h"
#include "tensor/backends.h"

static nerfit_error error;

enum { TEXTS = 7, MOST = 9 };

static void load_batch(const nf_model *model, nf_pass *pass) {
    static const size_t lengths[TEXTS] = {3, 9, 1, 5, 4, 8, 2};
    static int32_t ids[TEXTS][MOST], shapes[TEXTS][MOST];
    nf_tokens texts[TEXTS];
    nf_rng rng = nf_rng_new(3, 3);
    for (size_t s = 0; s < TEXTS; s++) {
        for (size_t t = 0; t < lengths[s]; t++) {
            ids[s][t] = (int32_t)nf_rng_below(&rng, 90);
            shapes[s][t] = (int32_t)nf_rng_below(&rng, NF_WORD_SHAPES);
        }
        texts[s] = (nf_tokens){ids[s], lengths[s], shapes[s]};
    }
    assert_ok(nf_batch_load(pass, &model->encoder, texts, TEXTS, &error), &error);
}

static void close_to(const char *name, const float *expected, const float *given, size_t n) {
    double size = 1e-3;
    for (size_t i = 0; i < n; i++) size = fmax(size, fabs((double)expected[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)expected[i] - (double)given[i]) <= 2e-5 * size))
            fail_msg("%s: element %zu is %.9g, expected %.9g", name, i, (double)given[i],
                     (double)expected[i]);
}

static void hear(void *listener, size_t layer) {
    (void)layer;
    ++*(size_t *)listener;
}

/* Hidden states and gradients, with dropout everywhere: the masks must be the whole batch's. */
static void check_team(int threads, bool shaped) {
    nf_backend *be;
    nf_model *model;
    nf_team *team;
    assert_ok(nf_backend_cpu(&be, NF_PRECISION_F32, threads, &error), &error);
    assert_ok(nf_model_load(&model, "tests/golden/bert", be, NULL, &error), &error);
    model->encoder.hidden_dropout = model->encoder.attention_dropout = 0.2;
    nf_adapter_config config = {.r = 3, .lora_alpha = 6, .lora_dropout = 0.2, .use_dora = true};
    assert_ok(nf_adapter_add(model, &config, 5, &error), &error);
    for (size_t i = 0; i < model->net.n_parameters; i++) { /* B is 0 at first */
        nf_parameter *p = model->net.parameters[i];
        if (strstr(p->name, "lora_B"))
            assert_ok(nf_parameter_normal(&model->net, p, 0.3, 9, i, &error), &error);
        if (strstr(p->name, "LayerNorm.bias")) p->trained = true;
    }
    if (shaped) {
        assert_ok(nf_word_shape_add(model, &error), &error);
        nf_parameter *table = model->encoder.embedding.shapes;
        table->trained = true;
        assert_ok(nf_parameter_normal(&model->net, table, 0.3, 9, 99, &error), &error);
    }
    assert_ok(nf_network_start_training(&model->net, &error), &error);
    assert_ok(nf_network_prepare(&model->net, true, &error), &error);
    assert_ok(nf_team_new(&team, model, &error), &error);
    assert_non_null(team);

    nf_network *net = &model->net;
    size_t c = model->encoder.hidden, n = 0, heard[2] = {0};
    float *hidden[2], *grads[2];
    nf_layer_saved *layers = calloc(model->encoder.n_layers + 1, sizeof *layers);
    for (int k = 0; k < 2; k++) {
        nf_pass pass = {.be = be, .keep = true, .training = true, .seed = 7, .step = 3};
        assert_ok(nf_workspace_new(&pass.ws, be, &error), &error);
        load_batch(model, &pass);
        n = (size_t)pass.sequences.n_tokens;
        pass.team = k ? team : NULL;
        pass.layer_done = hear;
        pass.listener = &heard[k];
        nf_encoder_saved saved = {.layers = layers};
        nf_values *y = nf_workspace_reals(pass.ws, n * c);
        be->zero(be, net->flat_grads, net->n_trained);
        assert_int_equal(nf_team_encoder_forward(&model->encoder, &pass, y, &saved), NERFIT_OK);
        hidden[k] = malloc(n * c * sizeof(float));
        be->to_f32(be, hidden[k], y, n * c);
        be->activation_forward(be, NF_ACTIVATION_TANH, y, y, n * c); /* some gradient */
        for (int again = 0; again < 2; again++) {                    /* gradients are added */
            nf_values *dy = nf_workspace_reals(pass.ws, n * c);
            be->copy(be, dy, y, n * c);
            assert_int_equal(nf_team_encoder_backward(&model->encoder, &pass, dy, &saved),
                             NERFIT_OK);
        }
        assert_ok(nf_backend_check(be, &error), &error);
        grads[k] = malloc(net->n_trained * sizeof(float));
        be->to_f32(be, grads[k], net->flat_grads, net->n_trained);
        nf_workspace_free(pass.ws);
    }
    assert_int_equal(heard[0], 2 * model->encoder.n_layers);
    assert_int_equal(heard[1], 0); /* no member is done for the others */
    close_to("hidden states", hidden[0], hidden[1], n * c);
    close_to("gradients", grads[0], grads[1], net->n_trained);
    for (int k = 0; k < 2; k++) {
        free(hidden[k]);
        free(grads[k]);
    }
    free(layers);
    nf_team_free(team);
    nf_model_free(model);
    be->free(be);
}

static void test_team(void **state) {
    (void)state;
    check_team(2, false);
    check_team(3, true);   /* with a table of word shapes */
    check_team(12, false); /* more than there are texts */
}

/* What is not worth dividing, or cannot be, has no team. */
static void test_no_team(void **state) {
    (void)state;
    for (int full = 0; full < 2; full++) {
        nf_backend *be;
        nf_model *model;
        nf_team *team;
        assert_ok(nf_backend_cpu(&be, NF_PRECISION_F32, full ? 2 : 1, &error), &error);
        assert_ok(nf_model_load(&model, "tests/golden/bert", be, NULL, &error), &error);
        nf_model_train_encoder(model, full);
        assert_ok(nf_network_start_training(&model->net, &error), &error);
        assert_ok(nf_team_new(&team, model, &error), &error);
        assert_null(team);
        nf_model_free(model);
        be->free(be);
    }
}

static void test_arrange(void **state) {
    (void)state;
    const size_t lengths[] = {20, 3, 9, 11, 4, 13};
    size_t order[6], seen = 0;
    nf_team_arrange(NULL, lengths, 6, order);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(order[i], i);
        seen += order[i];
    }
    assert_int_equal(seen, 15);
}

/* Twenty steps, texts of a few words: eager and lazy values must be equal to the last bit. */
static void test_optimizer(void **state) {
    (void)state;
    nf_backend *be;
    nf_model *models[2];
    nf_optimizer *optimizer;
    assert_ok(nf_backend_cpu(&be, NF_PRECISION_F32, 2, &error), &error);
    for (int k = 0; k < 2; k++) {
        assert_ok(nf_model_load(&models[k], "tests/golden/bert", be, NULL, &error), &error);
        nf_model_train_encoder(models[k], true);
        assert_ok(nf_network_start_training(&models[k]->net, &error), &error);
    }
    nf_network *eager = &models[0]->net, *lazy = &models[1]->net;
    const nf_parameter *words = models[1]->encoder.embedding.words;
    size_t c = words->cols, n = lazy->n_trained;
    assert_ok(nf_optimizer_new(&optimizer, models[1], &error), &error);
    nf_rng rng = nf_rng_new(5, 5);
    float *values[2] = {malloc(n * sizeof(float)), malloc(n * sizeof(float))};
    float *row = malloc(c * sizeof *row);
    for (int64_t step = 1; step <= 20; step++) {
        int32_t ids[3];
        for (int i = 0; i < 3; i++) ids[i] = (int32_t)nf_rng_below(&rng, 30);
        be->zero(be, eager->flat_grads, n);
        nf_optimizer_begin(optimizer);
        assert_ok(nf_optimizer_touch(optimizer, ids, 3, &error), &error);
        for (int i = 0; i < 3; i++) {
            for (size_t j = 0; j < c; j++) row[j] = (float)nf_rng_normal(&rng);
            size_t at =
                (size_t)((float *)words->values - (float *)lazy->flat_values) + (size_t)ids[i] * c;
            be->from_f32(be, nf_at(be, eager->flat_grads, at), row, c);
            be->from_f32(be, nf_at(be, lazy->flat_grads, at), row, c);
            /* what a forward would read is up to date */
            float now[2];
            be->to_f32(be, &now[0], nf_at(be, eager->flat_values, at), 1);
            be->to_f32(be, &now[1], nf_at(be, lazy->flat_values, at), 1);
            assert_memory_equal(&now[0], &now[1], sizeof now[0]);
        }
        double norm = sqrt(be->sum_of_squares(be, eager->flat_grads, n));
        assert_true(fabs(nf_optimizer_norm(optimizer) - norm) <= 1e-5 * norm);
        nf_adamw o = {.learning_rate = 1e-3 * (double)step,
                      .beta1 = 0.9,
                      .beta2 = 0.999,
                      .epsilon = 1e-8,
                      .weight_decay = 0.1,
                      .grad_scale = 0.5,
                      .step = step};
        for (size_t from = 0, part = 0; part < 2 * NF_GROUPS; part++) {
            size_t end = eager->ends[part / 2][part % 2], count = end - from;
            o.weight_decay = part % 2 == 0 ? 0.1 : 0.0;
            if (!count) continue;
            const nf_adamw_arrays arrays = {
                nf_at(be, eager->flat_values, from), nf_at(be, eager->flat_grads, from),
                nf_at(be, eager->flat_m, from), nf_at(be, eager->flat_v, from)};
            be->adamw(be, &arrays, count, &o);
            assert_ok(nf_optimizer_update(optimizer, from, end, &o, &error), &error);
            from = end;
        }
        if (step == 9) { /* as after a checkpoint that a run goes on from */
            nf_optimizer_settle(optimizer);
            nf_optimizer_free(optimizer);
            assert_ok(nf_optimizer_new(&optimizer, models[1], &error), &error);
            be->zero(be, lazy->flat_grads, n);
        }
        if (step == 15) nf_optimizer_settle(optimizer);
    }
    nf_optimizer_settle(optimizer);
    nf_values *const parts[2][3] = {{eager->flat_values, eager->flat_m, eager->flat_v},
                                    {lazy->flat_values, lazy->flat_m, lazy->flat_v}};
    for (int part = 0; part < 3; part++) {
        for (int k = 0; k < 2; k++) be->to_f32(be, values[k], parts[k][part], n);
        assert_memory_equal(values[0], values[1], n * sizeof(float));
    }
    nf_optimizer_free(optimizer);
    free(row);
    for (int k = 0; k < 2; k++) {
        free(values[k]);
        nf_model_free(models[k]);
    }
    be->free(be);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_team),
        cmocka_unit_test(test_no_team),
        cmocka_unit_test(test_arrange),
        cmocka_unit_test(test_optimizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
