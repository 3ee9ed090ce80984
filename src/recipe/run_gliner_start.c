/* What the recipe gliner begins with where model_name is an encoder: a GLiNER folder of it, in start/, with a
 * head that knows nothing yet, or what a description head knows. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "model/adapter.h"
#include "model/gliner_make.h"
#include "recipe/run.h"

static const char TOKEN_LEVEL[] = "token_level";
static const char *const span_modes[] = {NULL, "markerV0", "marker", "markerV1", TOKEN_LEVEL};

/* A description head's shared part, of the size that the head of words takes over. */
typedef struct described {
    float *projection, *shared, *bias;
    nf_gliner_described as;
} described;

static void described_free(described *d) {
    free(d->projection);
    free(d->shared);
    free(d->bias);
}

static nerfit_status read_tensor(const nf_safetensors *file, const char *name, size_t count,
                                 float **out, nerfit_error *err) {
    const nf_stored *stored = nf_safetensors_find(file, name);
    if (!stored || stored->count != count)
        return nf_fail_at(err, NERFIT_FORMAT, nf_safetensors_path(file), 0, 0,
                          "has no \"%s\" of %zu values", name, count);
    *out = malloc(count * sizeof **out + 1);
    return *out ? nf_stored_to_f32(stored, *out, err) : nf_no_memory(err, count * sizeof **out);
}

/* Names of types that the labels' encoder will read: those that are trained on. */
static nerfit_status list_names(nf_run *r, const char **names, size_t most, size_t *n) {
    *n = 0;
    for (size_t i = 0; i < r->labels.n_types && *n < most; i++) names[(*n)++] = r->labels.types[i];
    for (size_t k = 0; k < r->others.count; k++)
        for (size_t i = 0; i < r->others.items[k].labels.n_types && *n < most; i++)
            names[(*n)++] = r->others.items[k].labels.types[i];
    return *n ? NERFIT_OK : nf_fail(r->err, NERFIT_INTERNAL, "no types to train on");
}

static nerfit_status read_described(nf_run *r, const nf_gliner_plan *plan, nf_model *labels,
                                    described *d) {
    enum { MOST = 64 };
    const nf_safetensors *file = r->pretrained.head;
    const char *names[MOST];
    size_t c = plan->size, n;
    NF_TRY(read_tensor(file, "projection", c * c, &d->projection, r->err));
    NF_TRY(read_tensor(file, "shared", 3 * c, &d->shared, r->err));
    NF_TRY(read_tensor(file, "shared_bias", 3, &d->bias, r->err));
    d->as = (nf_gliner_described){d->projection, d->shared, d->bias, 1.0};
    NF_TRY(list_names(r, names, MOST, &n));
    return nf_gliner_label_norm(labels, names, n, &d->as.norm, r->err);
}

/* The encoder as pre-training left it, with nothing on it. */
static nerfit_status load_text(nf_run *r, nf_model **text) {
    const nf_train_options *o = r->options;
    const nf_model_source source = {.folder = r->model_folder, .base = r->model_base};
    bool changed;
    NF_TRY(nf_model_load_from(text, &source, r->be, r->log, r->err));
    NF_TRY(nf_pretrained_find(&r->pretrained, r->model_folder, o->pretrained, r->data->pretrained,
                              r->log, r->err));
    NF_TRY(nf_pretrained_apply(&r->pretrained, *text, &changed, r->err));
    if ((*text)->adapter) NF_TRY(nf_adapter_merge(*text, r->err));
    if (!(*text)->tokenizer)
        return nf_fail_at(r->err, NERFIT_FORMAT, r->model_folder, 0, 0, "has no tokenizer");
    return NERFIT_OK;
}

static nerfit_status load_labels(nf_run *r, const char *name, nf_model **labels) {
    const nf_train_services *s = r->data->services;
    const char *folder = name, *base = NULL;
    if (!name) return NERFIT_OK;
    if (s) NF_TRY(s->find_model(s->user, &r->arena, name, true, &folder, &base, r->err));
    const nf_model_source source = {.folder = folder, .base = base};
    return nf_model_load_from(labels, &source, r->be, r->log, r->err);
}

/* Whether the head of words can begin with what the description head compares. */
static bool takes_description(const nf_run *r, const nf_gliner_plan *plan) {
    return r->pretrained.head && plan->labels && plan->size == plan->text->encoder.hidden &&
           plan->size == plan->labels->encoder.hidden &&
           (!plan->span_mode || strcmp(plan->span_mode, TOKEN_LEVEL) == 0);
}

static nerfit_status make(nf_run *r, const nf_model *text, nf_model *labels, const char *folder) {
    const nf_train_options *o = r->options;
    size_t size = o->hidden_size ? (size_t)o->hidden_size : text->encoder.hidden;
    nf_gliner_plan plan = {.text = text,
                           .labels = labels,
                           .text_name = o->model_name,
                           .labels_name = o->labels_encoder,
                           .span_mode = span_modes[o->span_mode],
                           .size = size,
                           .max_width = (size_t)o->max_width,
                           .seed = (uint64_t)o->seed[0]};
    described d = {0};
    bool knows = takes_description(r, &plan);
    if (!plan.span_mode) plan.span_mode = knows ? TOKEN_LEVEL : "markerV0";
    if (size % 2)
        return nf_fail(r->err, NERFIT_ARGUMENT, "hidden_size is %zu, expected an even number",
                       size);
    nerfit_status status = knows ? read_described(r, &plan, labels, &d) : NERFIT_OK;
    if (knows) plan.described = &d.as;
    nf_log_info(r->log, "%s becomes a GLiNER model: %s, hidden_size %zu%s%s", r->model_folder,
                plan.span_mode, size, labels ? ", labels by an encoder of their own" : "",
                knows ? "; its head begins with what the description head knows" : "");
    if (status == NERFIT_OK) status = nf_gliner_make(&plan, folder, r->log, r->err);
    described_free(&d);
    return status;
}

nerfit_status nf_run_start_gliner(nf_run *r) {
    const char *output = r->options->output_dir, *unfinished;
    const char *start = nf_path_join(&r->arena, output, "start");
    nf_model *text = NULL, *labels = NULL;
    if (!start) return nf_no_memory(r->err, 0);
    if (nf_model_reads_labels(nf_model_kind_of(r->model_folder))) return NERFIT_OK;
    if (nf_comm_size(r->data->comm) > 1)
        return nf_fail(
            r->err, NERFIT_ARGUMENT,
            "%s is no GLiNER model; one process makes it (max_steps 0), and its start/ can "
            "then be trained by several",
            r->model_folder);
    NF_TRY(nf_run_check_output(r));
    NF_TRY(nf_run_begin_folder(r, output, "start", &unfinished));
    nerfit_status status = load_text(r, &text);
    if (status == NERFIT_OK) status = load_labels(r, r->options->labels_encoder, &labels);
    if (status == NERFIT_OK) status = make(r, text, labels, unfinished);
    nf_model_free(text);
    nf_model_free(labels);
    if (status != NERFIT_OK) nf_directory_remove(unfinished, NULL);
    NF_TRY(status);
    r->model_folder = start;
    r->model_base = NULL;
    return nf_run_end_folder(r, unfinished, output, "start");
}
