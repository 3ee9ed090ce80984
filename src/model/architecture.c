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

/* What else a folder's model_type tells of it. */
static const char *further(const char *type) {
    return strcmp(type, "extractor") == 0
               ? " (this is a model of the package gliner2, whose heads count and structure what "
                 "they find; of the package gliner's models all are known)"
               : "";
}

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
                          "model_type \"%s\"%s is not supported; known are: %s", type,
                          further(type), nf_str_text(&known))
             : nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "has no \"model_type\"; expected one of: %s", nf_str_text(&known));
    nf_str_free(&known);
    return status;
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
    const json_t *value = nf_config_get(in, key);
    const char *name = value ? json_string_value(value) : fallback;
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i].name) == 0) return names[i].kind;
    nf_config_wrong(in, key, "one of gelu, gelu_new, gelu_pytorch_tanh, relu, tanh, silu");
    return NF_ACTIVATION_NONE;
}
