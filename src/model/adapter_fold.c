#include "model/adapter_fold.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char TOKENS[] = ".token_adapter.trainable_tokens_delta", BIAS[] = ".lora_B.bias";

bool nf_adapter_own_name(const nf_adapter_loading *in, const char *stored, char name[512]) {
    size_t length = strlen(in->model->architecture->prefix);
    if (strncmp(stored, NF_PEFT_PREFIX, sizeof NF_PEFT_PREFIX - 1) != 0) return false;
    stored += sizeof NF_PEFT_PREFIX - 1;
    if (strncmp(stored, in->model->architecture->prefix, length) == 0) stored += length;
    snprintf(name, 512, "%s", stored);
    static const char *const around[] = {".base_layer.", ".modules_to_save."};
    for (size_t i = 0; i < 2; i++) {
        char *at = strstr(name, around[i]), *end = at ? at + strlen(around[i]) - 1 : NULL;
        if (at) memmove(at, end, strlen(end) + 1);
    }
    /* before PEFT 0.12 the magnitude was "lora_magnitude_vector.weight" or a bare parameter */
    char *end = strstr(name, ".lora_magnitude_vector");
    if (end) end[strlen(".lora_magnitude_vector")] = '\0';
    return true;
}

static bool has_ending(const char *name, const char *ending) {
    size_t size = strlen(name), length = strlen(ending);
    return size > length && strcmp(name + size - length, ending) == 0;
}

bool nf_adapter_is_folded(const char *name) {
    return strstr(name, ".lora_embedding_") || has_ending(name, TOKENS) || has_ending(name, BIAS);
}

/* ---------------------------------------------------------------- embeddings */

/* LoRA on a table of embeddings, E += s (B A)^T with A [R, rows] and B [cols, R], is added to the
 * table, which from then on goes with the adapter as a whole. */
static nerfit_status add_to_embedding(const nf_adapter_loading *in, nf_parameter *p,
                                      const nf_stored *a, const nf_stored *b) {
    const nf_adapter_config *config = in->options;
    nf_backend *be = in->model->net.be;
    size_t r = a->n_dims == 2 && a->dims[0] > 0 ? (size_t)a->dims[0] : 1;
    if (config->use_dora)
        return nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->where, 0, 0,
                          "DoRA on embeddings (\"%s\") is not supported", a->name);
    if (a->count != r * p->rows || b->n_dims != 2 || b->dims[0] != (int64_t)p->cols ||
        b->count != r * p->cols)
        return nf_fail_at(in->err, NERFIT_FORMAT, in->where, 0, 0,
                          "tensors \"%s\" and \"%s\" are not of %zu rows and %zu columns", a->name,
                          b->name, p->rows, p->cols);
    double scaling = config->lora_alpha / (config->use_rslora ? sqrt((double)r) : (double)r);
    double *x = malloc((a->count + b->count + p->cols) * sizeof *x + 1);
    if (!x) return nf_no_memory(in->err, a->count);
    double *y = x + a->count, *row = y + b->count;
    nf_values *base = p->values;
    nerfit_status status = nf_stored_to_f64(a, x, in->err);
    if (status == NERFIT_OK) status = nf_stored_to_f64(b, y, in->err);
    if (status == NERFIT_OK) status = nf_parameter_allocate(&in->model->net, p, in->err);
    for (size_t v = 0; v < p->rows && status == NERFIT_OK; v++) {
        be->to_f64(be, row, nf_at(be, base, v * p->cols), p->cols);
        for (size_t c = 0; c < p->cols; c++)
            for (size_t k = 0; k < r; k++) row[c] += scaling * y[c * r + k] * x[k * p->rows + v];
        be->from_f64(be, nf_at(be, p->values, v * p->cols), row, p->cols);
    }
    free(x);
    p->in_adapter = true;
    return status;
}

static nerfit_status add_to_embeddings(const nf_adapter_loading *in) {
    static const char A[] = ".lora_embedding_A";
    for (size_t i = 0; i < nf_safetensors_count(in->file); i++) {
        const nf_stored *a = nf_safetensors_at(in->file, i);
        char name[512], other[600];
        if (!nf_adapter_own_name(in, a->name, name)) continue;
        char *end = strstr(name, A);
        if (!end) continue;
        snprintf(end, sizeof name - (size_t)(end - name), ".weight");
        nf_parameter *p = nf_network_find(&in->model->net, name);
        snprintf(other, sizeof other, "%s", a->name);
        char *letter = strstr(other, A);
        letter[sizeof A - 2] = 'B';
        const nf_stored *b = nf_safetensors_find(in->file, other);
        if (!p || !b)
            return nf_fail_at(in->err, NERFIT_FORMAT, in->where, 0, 0,
                              p ? "has no tensor \"%s\" beside its other half"
                                : "tensor \"%s\" belongs to no embedding of this model",
                              p ? other : a->name);
        NF_TRY(add_to_embedding(in, p, a, b));
        *in->folded = true;
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- rows of embeddings */

/* The rows that the configuration names for a table: one list for the word embeddings, or an object
 * with a list for each module, named whole or by its end. */
static const json_t *rows_of(const nf_adapter_loading *in, const nf_parameter *p,
                             const char *module) {
    const json_t *given = json_object_get(in->json, "trainable_token_indices");
    const char *name;
    json_t *rows;
    if (json_is_array(given)) return p == in->model->encoder.embedding.words ? given : NULL;
    json_object_foreach((json_t *)given, name, rows) {
        size_t size = strlen(module), length = strlen(name);
        const char *end = size >= length ? module + size - length : NULL;
        if (end && strcmp(end, name) == 0 && (end == module || end[-1] == '.')) return rows;
    }
    return NULL;
}

static nerfit_status put_rows(const nf_adapter_loading *in, nf_parameter *p,
                              const nf_stored *stored, const json_t *rows) {
    nf_backend *be = in->model->net.be;
    size_t n = json_array_size(rows), c = p->cols, i;
    json_t *row;
    if (!json_is_array(rows) || stored->n_dims != 2 || stored->dims[0] != (int64_t)n ||
        stored->dims[1] != (int64_t)c)
        return nf_fail_at(in->err, NERFIT_FORMAT, in->where, 0, 0,
                          "tensor \"%s\" has not a row of %zu columns for each of the %zu of "
                          "\"trainable_token_indices\"",
                          stored->name, c, n);
    json_array_foreach(
        rows, i,
        row) if (!json_is_integer(row) || json_integer_value(row) < 0 ||
                 json_integer_value(row) >=
                     (json_int_t)p->rows) return nf_fail_at(in->err, NERFIT_FORMAT, in->config, 0,
                                                            0,
                                                            "\"trainable_token_indices\": item %zu "
                                                            "is no row of \"%s\", which has %zu",
                                                            i + 1, p->name, p->rows);
    double *values = malloc((stored->count + p->rows * c) * sizeof *values + 1);
    if (!values) return nf_no_memory(in->err, stored->count * sizeof *values);
    double *table = values + stored->count;
    be->to_f64(be, table, p->values, p->rows * c);
    nerfit_status status = nf_stored_to_f64(stored, values, in->err);
    if (status == NERFIT_OK) status = nf_parameter_allocate(&in->model->net, p, in->err);
    json_array_foreach(rows, i, row)
        memcpy(table + (size_t)json_integer_value(row) * c, values + i * c, c * sizeof *table);
    if (status == NERFIT_OK) be->from_f64(be, p->values, table, p->rows * c);
    free(values);
    p->in_adapter = true;
    return status;
}

/* ---------------------------------------------------------------- biases */

static nerfit_status add_bias(const nf_adapter_loading *in, const nf_linear *linear,
                              const nf_stored *stored) {
    nf_backend *be = in->model->net.be;
    nf_parameter *p = linear->bias;
    size_t n = p->rows * p->cols;
    if (stored->count != n)
        return nf_fail_at(in->err, NERFIT_FORMAT, in->where, 0, 0,
                          "tensor \"%s\" has %zu values; the bias of that layer has %zu",
                          stored->name, stored->count, n);
    double *values = malloc(2 * n * sizeof *values + 1);
    if (!values) return nf_no_memory(in->err, n * sizeof *values);
    be->to_f64(be, values + n, p->values, n);
    nerfit_status status = nf_stored_to_f64(stored, values, in->err);
    if (status == NERFIT_OK) status = nf_parameter_allocate(&in->model->net, p, in->err);
    for (size_t i = 0; i < n; i++) values[n + i] += linear->lora->scaling * values[i];
    if (status == NERFIT_OK) be->from_f64(be, p->values, values + n, n);
    free(values);
    p->in_adapter = true;
    return status;
}

/* With lora_bias every adapted layer has one. */
static nerfit_status add_biases(const nf_adapter_loading *in) {
    const nf_network *net = &in->model->net;
    bool wanted = json_is_true(json_object_get(in->json, "lora_bias"));
    size_t found = 0, adapted = 0;
    for (size_t i = 0; i < nf_safetensors_count(in->file); i++) {
        const nf_stored *stored = nf_safetensors_at(in->file, i);
        char name[512];
        if (!nf_adapter_own_name(in, stored->name, name) || !has_ending(name, BIAS)) continue;
        name[strlen(name) - strlen(BIAS)] = '\0';
        nf_linear *linear = NULL;
        for (size_t k = 0; k < net->n_linears; k++)
            if (strcmp(net->linears[k]->name, name) == 0) linear = net->linears[k];
        if (!wanted || !linear || !linear->lora || !linear->bias)
            return nf_fail_at(in->err, NERFIT_FORMAT, in->where, 0, 0,
                              "tensor \"%s\" belongs to no layer with a bias that the adapter's "
                              "configuration names with \"lora_bias\"",
                              stored->name);
        NF_TRY(add_bias(in, linear, stored));
        found++;
    }
    for (size_t k = 0; k < net->n_linears; k++) adapted += net->linears[k]->lora != NULL;
    if (wanted && found != adapted)
        return nf_fail_at(
            in->err, NERFIT_FORMAT, in->where, 0, 0,
            "has %zu biases of adapters (lora_B.bias); \"lora_bias\" calls for one of "
            "each of the %zu adapted layers",
            found, adapted);
    *in->folded |= found > 0;
    return NERFIT_OK;
}

static nerfit_status add_tokens(const nf_adapter_loading *in) {
    size_t found = 0;
    for (size_t i = 0; i < nf_safetensors_count(in->file); i++) {
        const nf_stored *stored = nf_safetensors_at(in->file, i);
        char name[512], module[512];
        if (!nf_adapter_own_name(in, stored->name, name) || !has_ending(name, TOKENS)) continue;
        name[strlen(name) - strlen(TOKENS)] = '\0';
        strcpy(module, name);
        strncat(name, ".weight", sizeof name - strlen(name) - 1);
        nf_parameter *p = nf_network_find(&in->model->net, name);
        const json_t *rows = p ? rows_of(in, p, module) : NULL;
        if (!rows)
            return nf_fail_at(in->err, NERFIT_FORMAT, in->where, 0, 0,
                              "tensor \"%s\" belongs to no embeddings of this model that "
                              "\"trainable_token_indices\" names",
                              stored->name);
        NF_TRY(put_rows(in, p, stored, rows));
        found++;
    }
    const json_t *given = json_object_get(in->json, "trainable_token_indices");
    size_t wanted = json_is_object(given) ? json_object_size(given) : json_array_size(given) > 0;
    if (found != wanted)
        return nf_fail_at(in->err, NERFIT_FORMAT, in->where, 0, 0,
                          "has %zu tables of trained tokens; \"trainable_token_indices\" names %zu",
                          found, wanted);
    *in->folded |= found > 0;
    return NERFIT_OK;
}

nerfit_status nf_adapter_fold(const nf_adapter_loading *in) {
    NF_TRY(add_to_embeddings(in));
    NF_TRY(add_tokens(in));
    return add_biases(in);
}
