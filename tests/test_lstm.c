/* The LSTM block: gradients in double against differences, by every parameter and the input. That it
 * computes what torch.nn.LSTM does, test_gliner shows. */
#include "test.h"

#include <math.h>

#include "base/rng.h"
#include "nn/lstm.h"
#include "tensor/backends.h"

enum { TEXTS = 4, TOKENS = 13, IN = 5, HIDDEN = 3, LAYERS = 2, OUT = 2 * HIDDEN, TRIES = 8 };

static nerfit_error error;
static const int32_t cu[TEXTS + 1] = {0, 4, 5, 5, TOKENS};
static nf_rng rng;

typedef struct probe {
    nf_network net;
    nf_lstm *lstm;
    nf_workspace *ws;
    nf_pass pass;
    double x[TOKENS * IN], weights[TOKENS * OUT]; /* the loss is weights . y */
    double dx[TOKENS * IN];
} probe;

/* weights . y, and with `backward` all gradients. */
static double run(probe *p, bool backward) {
    nf_backend *be = p->pass.be;
    nf_lstm_layer_saved saved[LAYERS] = {0};
    double y[TOKENS * OUT], loss = 0.0;
    nf_workspace_reset(p->ws);
    nf_values *x = nf_workspace_reals(p->ws, TOKENS * IN);
    nf_values *out = nf_workspace_reals(p->ws, TOKENS * OUT);
    nf_values *dy = nf_workspace_reals(p->ws, TOKENS * OUT);
    nf_values *dx = nf_workspace_reals(p->ws, TOKENS * IN);
    be->from_f64(be, x, p->x, TOKENS * IN);
    assert_int_equal(nf_lstm_forward(p->lstm, &p->pass, out, x, saved), NERFIT_OK);
    be->to_f64(be, y, out, TOKENS * OUT);
    for (int i = 0; i < TOKENS * OUT; i++) loss += p->weights[i] * y[i];
    if (!backward) return loss;
    be->from_f64(be, dy, p->weights, TOKENS * OUT);
    assert_int_equal(nf_lstm_backward(p->lstm, &p->pass, dx, dy, saved), NERFIT_OK);
    be->to_f64(be, p->dx, dx, TOKENS * IN);
    return loss;
}

static void expect(const char *what, size_t index, double analytic, double numeric) {
    if (fabs(analytic - numeric) > 1e-7 * fmax(1.0, fabs(numeric)))
        fail_msg("%s[%zu]: gradient %.10g, difference %.10g", what, index, analytic, numeric);
}

static void check_parameter(probe *p, nf_parameter *parameter) {
    nf_backend *be = p->pass.be;
    size_t count = nf_parameter_count(parameter);
    double *values = malloc(count * sizeof *values), *gradient = malloc(count * sizeof *gradient);
    be->to_f64(be, values, parameter->values, count);
    be->to_f64(be, gradient, parameter->grad, count);
    for (int i = 0; i < TRIES; i++) {
        size_t k = nf_rng_below(&rng, count);
        double saved = values[k], step = 1e-5, losses[2];
        for (int side = 0; side < 2; side++) {
            values[k] = saved + (side ? step : -step);
            be->from_f64(be, parameter->values, values, count);
            assert_ok(nf_network_refresh(&p->net, &error), &error);
            losses[side] = run(p, false);
        }
        values[k] = saved;
        be->from_f64(be, parameter->values, values, count);
        assert_ok(nf_network_refresh(&p->net, &error), &error);
        expect(parameter->name, k, gradient[k], (losses[1] - losses[0]) / (2 * step));
    }
    free(values);
    free(gradient);
}

static void test_gradients(void **state) {
    (void)state;
    nf_backend *be;
    probe *p = calloc(1, sizeof *p);
    rng = nf_rng_new(11, 0);
    assert_ok(nf_backend_ref(&be, sizeof(double), &error), &error);
    nf_network_init(&p->net, be);
    p->lstm = nf_lstm_new(&p->net, "rnn.", IN, HIDDEN, LAYERS);
    assert_non_null(p->lstm);
    assert_ok(nf_workspace_new(&p->ws, be, &error), &error);
    for (size_t i = 0; i < p->net.n_parameters; i++) {
        p->net.parameters[i]->trained = true;
        assert_ok(nf_parameter_normal(&p->net, p->net.parameters[i], 0.6, 3, i, &error), &error);
    }
    assert_ok(nf_network_start_training(&p->net, &error), &error);
    assert_ok(nf_network_prepare(&p->net, true, &error), &error);
    p->pass = (nf_pass){.be = be, .ws = p->ws, .keep = true, .sequences = {cu, TEXTS, TOKENS, 8}};
    for (int i = 0; i < TOKENS * IN; i++) p->x[i] = nf_rng_normal(&rng);
    for (int i = 0; i < TOKENS * OUT; i++) p->weights[i] = nf_rng_normal(&rng);
    run(p, true);
    assert_string_equal(p->net.parameters[0]->name, "rnn.weight_ih_l0");
    assert_int_equal(p->net.n_parameters, 4 * 2 * LAYERS);
    for (size_t i = 0; i < p->net.n_parameters; i++) check_parameter(p, p->net.parameters[i]);
    for (int i = 0; i < TOKENS * IN; i += 3) {
        double saved = p->x[i], losses[2];
        for (int side = 0; side < 2; side++) {
            p->x[i] = saved + (side ? 1e-5 : -1e-5);
            losses[side] = run(p, false);
        }
        p->x[i] = saved;
        expect("x", (size_t)i, p->dx[i], (losses[1] - losses[0]) / 2e-5);
    }
    nf_workspace_free(p->ws);
    nf_network_free(&p->net);
    be->free(be);
    free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gradients)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
