#include "recipe/pretrained.h"

#include <string.h>

#include "base/ascii.h"
#include "base/file.h"
#include "data/label_list.h"
#include "data/labels.h"
#include "model/adapter.h"
#include "heads/description_file.h"
#include "heads/description_head.h"
#include "recipe/embeddings.h"

static nerfit_status open_folder(nf_pretrained *out, const char *folder, nerfit_error *err) {
    out->name = folder;
    NF_TRY(nf_description_file_open(&out->head, folder, err));
    out->sentence_encoder = nf_description_file_encoder(out->head, folder, &out->arena);
    return NERFIT_OK;
}

static nerfit_status open_given(nf_pretrained *out, const char *folder, nerfit_error *err) {
    if (!nf_directory_exists(folder))
        return nf_fail_at(
            err, NERFIT_ARGUMENT, folder, 0, 0,
            "is not a folder (pretrained: a folder of nerfit pretrain, auto or none)");
    if (!nf_description_file_exists(folder))
        return nf_fail_at(err, NERFIT_ARGUMENT, folder, 0, 0,
                          "has no description_head.safetensors; expected a folder that nerfit "
                          "pretrain wrote");
    if (!nf_adapter_folder(folder))
        return nf_fail_at(err, NERFIT_ARGUMENT, folder, 0, 0,
                          "is an encoder of its own: give it as model_name, not as pretrained");
    out->adapter = folder;
    return open_folder(out, folder, err);
}

nerfit_status nf_pretrained_find(nf_pretrained *out, const char *encoder, const char *wanted,
                                 const nf_pretrained *known, const nf_log *log, nerfit_error *err) {
    *out = (nf_pretrained){0};
    bool is_auto = !wanted || nf_ascii_same(wanted, "auto");
    if (wanted && nf_ascii_same(wanted, "none")) return NERFIT_OK;
    if (nf_description_file_exists(encoder)) {
        if (!is_auto)
            return nf_fail(err, NERFIT_ARGUMENT,
                           "%s is pre-trained itself: leave pretrained out (%s)", encoder, wanted);
        NF_TRY(open_folder(out, encoder, err));
    } else if (!is_auto) {
        NF_TRY(open_given(out, wanted, err));
    } else if ((out->builtin = known ? known->builtin : nf_builtin_find(encoder))) {
        out->name = nf_builtin_name(out->builtin);
        NF_TRY(nf_builtin_head(out->builtin, &out->head, err));
        nf_log_info(log,
                    "this encoder comes pre-trained on other label sets: begins with the adapter "
                    "%s (pretrained: none leaves it out)",
                    out->name);
        return NERFIT_OK;
    }
    if (out->head) nf_log_info(log, "begins with what pre-training left in %s", out->name);
    return NERFIT_OK;
}

void nf_pretrained_free(nf_pretrained *pretrained) {
    nf_safetensors_close(pretrained->head);
    nf_arena_free(&pretrained->arena);
    *pretrained = (nf_pretrained){0};
}

nerfit_status nf_pretrained_apply(const nf_pretrained *pretrained, nf_model *model, bool *changed,
                                  nerfit_error *err) {
    *changed = false;
    if (!pretrained->head) return NERFIT_OK;
    *changed = model->adapter || pretrained->adapter || pretrained->builtin;
    if (model->adapter) NF_TRY(nf_adapter_merge(model, err));
    if (!pretrained->adapter && !pretrained->builtin) return NERFIT_OK;
    nerfit_status status = pretrained->builtin
                               ? nf_builtin_adapter(pretrained->builtin, model, err)
                               : nf_adapter_load(model, pretrained->adapter, NULL, err);
    if (status != NERFIT_OK) return nf_fail_within(err, status, "pretrained %s", pretrained->name);
    return nf_adapter_merge(model, err);
}

/* ---------------------------------------------------------------- zero-shot */

/* Below it, what is found without a single example is mostly wrong. */
static const double ZERO_SHOT_LEAST = 0.35;

static nerfit_status put_labels(nf_model *model, const nf_pretrained *p,
                                const nf_embeddings *embeddings, nerfit_error *err) {
    nf_label_set labels = {0};
    bool projected = true;
    nerfit_status status = nf_model_add_description_head(model, embeddings->size, false, 0, err);
    if (status == NERFIT_OK)
        status = model->learner->kind->load(model->learner, p->head, &projected, err);
    if (status == NERFIT_OK && !projected)
        status = nf_fail_at(err, NERFIT_ARGUMENT, p->name, 0, 0,
                            "was pre-trained with another sentence encoder than the one at hand, "
                            "whose embeddings have %zu values",
                            embeddings->size);
    if (status == NERFIT_OK)
        status = nf_label_set_make(&labels, embeddings->types, embeddings->count, err);
    if (status == NERFIT_OK)
        status =
            nf_model_add_types(model, labels.labels, labels.n_types, embeddings->vectors, 0, err);
    if (status == NERFIT_OK)
        status = nf_description_head_weigh_outside(nf_description_head_of(model->learner), err);
    model->decoding.least = ZERO_SHOT_LEAST;
    if (status == NERFIT_OK) status = nf_model_fold(model, err);
    nf_model_remove_learner(model);
    nf_label_set_free(&labels);
    return status;
}

static nerfit_status label(nf_model *model, const nf_pretrained *p, const char *encoder,
                           const char *labels, nf_label_text rule, const char *sentence_encoder,
                           const nf_log *log, nerfit_error *err) {
    bool changed;
    if (!p->head)
        return nf_fail_at(err, NERFIT_ARGUMENT, encoder, 0, 0,
                          "cannot tag labels that it was not trained on; expected a folder that "
                          "nerfit pretrain wrote");
    if (!sentence_encoder) sentence_encoder = p->builtin ? encoder : p->sentence_encoder;
    if (!sentence_encoder)
        return nf_fail_at(
            err, NERFIT_ARGUMENT, p->name, 0, 0,
            "does not say which sentence encoder it was pre-trained with; give its folder");
    nf_descriptions descriptions = {0};
    nf_embeddings embeddings = {0};
    NF_TRY(nf_pretrained_apply(p, model, &changed, err));
    NF_TRY(nf_label_list_read(&descriptions, labels, NULL, err));
    if (rule == NF_LABEL_TEXT_AUTO) rule = NF_LABEL_TEXT_MEAN;
    const nf_embedder by = {
        .sentence_encoder = sentence_encoder, .be = model->net.be, .log = log, .rule = rule};
    nerfit_status status = nf_embeddings_describe(&embeddings, &descriptions, labels, &by, err);
    if (status == NERFIT_OK) status = put_labels(model, p, &embeddings, err);
    nf_embeddings_free(&embeddings);
    nf_descriptions_free(&descriptions);
    return status;
}

/* A GLiNER model reads the labels themselves, or a file's descriptions of them. */
static nerfit_status label_by_name(nf_model *model, const char *labels, nerfit_error *err) {
    nf_descriptions descriptions = {0};
    bool named;
    nerfit_status status = nf_label_list_read(&descriptions, labels, &named, err);
    if (status == NERFIT_OK)
        status = model->kind->set_labels(model, descriptions.labels,
                                         named ? descriptions.labels : descriptions.texts,
                                         descriptions.count, err);
    nf_descriptions_free(&descriptions);
    return status;
}

nerfit_status nf_pretrained_label(nf_model *model, const char *encoder, const char *labels,
                                  nf_label_text rule, const char *sentence_encoder,
                                  const nf_log *log, nerfit_error *err) {
    if (nf_model_reads_labels(model->kind)) return label_by_name(model, labels, err);
    nf_pretrained p;
    nerfit_status status = nf_pretrained_find(&p, encoder, NULL, NULL, NULL, err);
    if (status == NERFIT_OK)
        status = label(model, &p, encoder, labels, rule, sentence_encoder, log, err);
    nf_pretrained_free(&p);
    return status;
}
