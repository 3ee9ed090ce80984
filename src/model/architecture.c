#include "model/architecture.h"

#include <string.h>

#include "base/str.h"

extern const nf_architecture nf_architecture_bert, nf_architecture_roberta,
    nf_architecture_xlm_roberta, nf_architecture_camembert, nf_architecture_distilbert,
    nf_architecture_electra, nf_architecture_albert, nf_architecture_mpnet,
    nf_architecture_deberta_v2, nf_architecture_modernbert, nf_architecture_eurobert;

static const nf_architecture *const architectures[] = {
    &nf_architecture_bert,       &nf_architecture_roberta,    &nf_architecture_xlm_roberta,
    &nf_architecture_camembert,  &nf_architecture_distilbert, &nf_architecture_electra,
    &nf_architecture_albert,     &nf_architecture_mpnet,      &nf_architecture_deberta_v2,
    &nf_architecture_modernbert, &nf_architecture_eurobert,
};
enum { N_ARCHITECTURES = sizeof architectures / sizeof *architectures };

nerfit_status nf_architecture_find(const nf_architecture **out, const json_t *config,
                                   const char *path, nerfit_error *err) {
    const char *type = json_string_value(json_object_get(config, "model_type"));
    for (size_t i = 0; type && i < N_ARCHITECTURES; i++)
        if (strcmp(type, architectures[i]->model_type) == 0) {
            *out = architectures[i];
            return NERFIT_OK;
        }
    nf_str known = {0};
    for (size_t i = 0; i < N_ARCHITECTURES; i++)
        nf_str_appendf(&known, "%s%s", i ? ", " : "", architectures[i]->model_type);
    nerfit_status status =
        type ? nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "model_type \"%s\" is not supported; known are: %s", type,
                          nf_str_text(&known))
             : nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "has no \"model_type\"; expected one of: %s", nf_str_text(&known));
    nf_str_free(&known);
    return status;
}

static void fail(nf_config_reader *in, const char *key, const char *expected) {
    if (in->status != NERFIT_OK) return;
    in->status =
        nf_fail_at(in->err, NERFIT_FORMAT, in->path, 0, 0, "\"%s\" should be %s", key, expected);
}

static const json_t *field(const nf_config_reader *in, const char *key) {
    const json_t *value = json_object_get(in->config, key);
    return json_is_null(value) ? NULL : value;
}

size_t nf_config_size(nf_config_reader *in, const char *key, size_t fallback) {
    const json_t *value = field(in, key);
    if (!value && fallback) return fallback;
    json_int_t size = json_integer_value(value);
    /* the limit keeps products of two sizes far from overflow */
    if (size <= 0 || size > 100000000) fail(in, key, "a whole number from 1 to 100,000,000");
    return size > 0 ? (size_t)size : 1;
}

double nf_config_number(nf_config_reader *in, const char *key, double fallback) {
    const json_t *value = field(in, key);
    if (!value) return fallback;
    if (!json_is_number(value)) fail(in, key, "a number");
    return json_number_value(value);
}

static double below_one(nf_config_reader *in, const char *key, double fallback,
                        const char *expected) {
    double value = nf_config_number(in, key, fallback);
    if (!(value >= 0.0 && value < 1.0)) fail(in, key, expected);
    return value;
}

double nf_config_dropout(nf_config_reader *in, const char *key, double fallback) {
    return below_one(in, key, fallback, "a probability, from 0 to below 1");
}

double nf_config_epsilon(nf_config_reader *in, const char *key, double fallback) {
    return below_one(in, key, fallback, "a small number, from 0 to below 1");
}

bool nf_config_is_true(const json_t *config, const char *key, bool fallback) {
    const json_t *value = json_object_get(config, key);
    return value && !json_is_null(value) ? json_is_true(value) : fallback;
}

nf_activation nf_config_activation(nf_config_reader *in, const char *key, const char *fallback) {
    static const struct {
        const char *name;
        nf_activation kind;
    } names[] = {
        {"gelu", NF_ACTIVATION_GELU},           {"gelu_python", NF_ACTIVATION_GELU},
        {"gelu_new", NF_ACTIVATION_GELU_TANH},  {"gelu_pytorch_tanh", NF_ACTIVATION_GELU_TANH},
        {"gelu_fast", NF_ACTIVATION_GELU_TANH}, {"relu", NF_ACTIVATION_RELU},
        {"tanh", NF_ACTIVATION_TANH},           {"silu", NF_ACTIVATION_SILU},
        {"swish", NF_ACTIVATION_SILU},
    };
    const json_t *value = field(in, key);
    const char *name = value ? json_string_value(value) : fallback;
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i].name) == 0) return names[i].kind;
    fail(in, key, "one of gelu, gelu_new, gelu_pytorch_tanh, relu, tanh, silu");
    return NF_ACTIVATION_NONE;
}

void nf_config_expect(nf_config_reader *in, const char *key, const char *value) {
    const json_t *given = field(in, key);
    if (!given || in->status != NERFIT_OK) return;
    const char *text = json_string_value(given);
    if (!text || strcmp(text, value) != 0)
        in->status = nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                                "\"%s\": \"%s\" is not supported; expected \"%s\"", key,
                                text ? text : "(not text)", value);
}

void nf_config_expect_false(nf_config_reader *in, const char *key) {
    if (json_is_true(json_object_get(in->config, key)) && in->status == NERFIT_OK)
        in->status = nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                                "\"%s\": true is not supported", key);
}
