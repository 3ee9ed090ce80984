/* Logits of a model folder, for tools/check_interop.py, which holds them against transformers and
 * PEFT.
 *
 *     tool_logits MODEL [save OUT]      reads lines of text, prints for each {"ids": […], "logits":
 *                                       [[…], …]}; a text longer than the model takes is cut
 *     tool_logits MODEL ids [save OUT]  reads lines of token ids instead
 *
 * The logits are those of the loaded weights, an adapter's not merged. With `save`, OUT becomes the
 * folder that nerfit writes of what it loaded: an adapter's, or a whole model's. Always in f32. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/adapter.h"
#include "model/model.h"
#include "tensor/backends.h"

static int fail(const nerfit_error *err) {
    fprintf(stderr, "%s\n", err->text);
    return 1;
}

static void read_ids(char *line, nf_encoding *out) {
    out->length = 0;
    for (char *end; out->length < out->capacity; line = end) {
        long id = strtol(line, &end, 10);
        if (end == line) return;
        out->ids[out->length++] = (int32_t)id;
    }
}

static void print_row(const nf_encoding *e, const float *logits, size_t n_labels) {
    printf("{\"ids\": [");
    for (size_t i = 0; i < e->length; i++) printf("%s%d", i ? ", " : "", e->ids[i]);
    printf("], \"logits\": [");
    for (size_t i = 0; i < e->length; i++)
        for (size_t k = 0; k < n_labels; k++)
            printf("%s%.9g%s",
                   k   ? ", "
                   : i ? ", ["
                       : "[",
                   (double)logits[i * n_labels + k], k + 1 == n_labels ? "]" : "");
    printf("]}\n");
}

static nerfit_status one_text(const nf_model *model, nf_pass *pass, nf_encoding *e,
                              nerfit_error *err) {
    nf_values *logits;
    nf_workspace_reset(pass->ws);
    nf_tokens text = {.ids = e->ids, .length = e->length};
    NF_TRY(nf_batch_load(pass, &model->encoder, &text, 1, err));
    NF_TRY(nf_model_logits(model, pass, &logits));
    float *values = malloc(e->length * model->n_labels * sizeof *values);
    if (!values) return nf_no_memory(err, 0);
    pass->be->to_f32(pass->be, values, logits, e->length * model->n_labels);
    print_row(e, values, model->n_labels);
    free(values);
    return NERFIT_OK;
}

/* Drops tokens before the special ones at the end. */
static void cut(nf_encoding *e, size_t limit, size_t after) {
    if (e->length <= limit) return;
    memmove(e->ids + limit - after, e->ids + e->length - after, after * sizeof *e->ids);
    e->length = limit;
}

static nerfit_status all_texts(const nf_model *model, nf_backend *be, bool as_ids,
                               nerfit_error *err) {
    char *line = NULL;
    size_t capacity = 0, limit = nf_model_max_length(model), before, after = 0;
    int32_t *ids = calloc(limit, sizeof *ids);
    nf_encoding own = {.ids = ids, .capacity = limit}, encoding = {0};
    nf_pass pass = {.be = be};
    nerfit_status status = ids ? nf_workspace_new(&pass.ws, be, err) : nf_no_memory(err, limit);
    if (!as_ids && model->tokenizer) nf_tokenizer_special_counts(model->tokenizer, &before, &after);
    for (ssize_t size; status == NERFIT_OK && (size = getline(&line, &capacity, stdin)) >= 0;) {
        nf_encoding *e = as_ids ? &own : &encoding;
        if (size > 0 && line[size - 1] == '\n') line[--size] = '\0';
        if (as_ids)
            read_ids(line, e);
        else
            status = nf_tokenizer_encode(model->tokenizer, line, (size_t)size, true, e, err);
        cut(e, limit, after);
        if (status == NERFIT_OK) status = one_text(model, &pass, e, err);
    }
    nf_workspace_free(pass.ws);
    nf_encoding_free(&encoding);
    free(ids);
    free(line);
    return status;
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    bool as_ids = argc > 2 && strcmp(argv[2], "ids") == 0;
    const char *out = argc > 3 + as_ids ? argv[3 + as_ids] : NULL;
    nerfit_error err = {0};
    nf_backend *be;
    nf_model *model;
    if (nf_backend_cpu(&be, NF_PRECISION_F32, 2, &err) != NERFIT_OK) return fail(&err);
    nerfit_status status = nf_model_load(&model, argv[1], be, NULL, &err);
    if (status == NERFIT_OK && !model->head)
        status = nf_fail(&err, NERFIT_ARGUMENT, "%s has no token-classification head", argv[1]);
    if (status == NERFIT_OK && !as_ids && !model->tokenizer)
        status = nf_fail(&err, NERFIT_ARGUMENT, "%s has no tokenizer: give ids", argv[1]);
    if (status == NERFIT_OK) status = nf_network_prepare(&model->net, false, &err);
    if (status == NERFIT_OK) status = all_texts(model, be, as_ids, &err);
    if (status == NERFIT_OK && out)
        status =
            model->adapter ? nf_adapter_save(model, out, &err) : nf_model_save(model, out, &err);
    nf_model_free(model);
    be->free(be);
    return status == NERFIT_OK ? 0 : fail(&err);
}
