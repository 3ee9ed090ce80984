/* The LSTM block: gradients in double against differences, by every parameter and the input. That it
 * computes what torch.nn.LSTM does, test_gliner shows. */
#include "differences.h"
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

static double loss_of(void *user) {
    probe *p = user;
    assert_ok(nf_network_refresh(&p->net, &error), &error);
    return run(p, false);
}

static void check_derivative(probe *p, const char *what, size_t index, double *value,
                             double gradient) {
    expect(what, index, gradient, central_difference(&(probed){value, 1e-5, loss_of, p}));
}

static void check_parameter(probe *p, nf_parameter *parameter) {
    double *values = (double *)(void *)parameter->values;
    const double *gradient = (const double *)(const void *)parameter->grad;
    for (int i = 0; i < TRIES; i++) {
        size_t k = nf_rng_below(&rng, nf_parameter_count(parameter));
        check_derivative(p, parameter->name, k, &values[k], gradient[k]);
    }
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
    for (size_t i = 0; i < TOKENS * IN; i += 3) check_derivative(p, "x", i, &p->x[i], p->dx[i]);
    nf_workspace_free(p->ws);
    nf_network_free(&p->net);
    be->free(be);
    free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gradients)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
