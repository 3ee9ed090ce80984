#include "train/pretrained.h"

#include <string.h>

#include "base/file.h"
#include "model/adapter.h"
#include "model/description_file.h"

static nerfit_status open_folder(nf_pretrained *out, const char *folder, nerfit_error *err) {
    out->name = folder;
    NF_TRY(nf_description_file_open(&out->head, folder, err));
    out->sentence_encoder = nf_description_file_encoder(out->head, folder, &out->arena);
    return NERFIT_OK;
}

static nerfit_status open_given(nf_pretrained *out, const char *folder, nerfit_error *err) {
    if (!nf_directory_exists(folder))
        return nf_fail_at(err, NERFIT_ARGUMENT, folder, 0, 0,
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

nerfit_status nf_pretrained_find(nf_pretrained *out, const nf_train_options *o, const nf_log *log,
                                 nerfit_error *err) {
    *out = (nf_pretrained){0};
    const char *wanted = o->pretrained ? o->pretrained : "auto";
    bool is_auto = strcmp(wanted, "auto") == 0;
    if (o->recipe != NF_RECIPE_NERFIT || strcmp(wanted, "none") == 0) return NERFIT_OK;
    if (nf_description_file_exists(o->model_name)) {
        if (!is_auto)
            return nf_fail(err, NERFIT_ARGUMENT,
                           "model_name %s is pre-trained itself: leave pretrained out (%s)",
                           o->model_name, wanted);
        NF_TRY(open_folder(out, o->model_name, err));
    } else if (!is_auto) {
        NF_TRY(open_given(out, wanted, err));
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
    *changed = model->adapter || pretrained->adapter;
    if (model->adapter) NF_TRY(nf_adapter_merge(model, err));
    if (!pretrained->adapter) return NERFIT_OK;
    nerfit_status status = nf_adapter_load(model, pretrained->adapter, err);
    if (status != NERFIT_OK)
        return nf_fail_within(err, status, "pretrained %s", pretrained->adapter);
    return nf_adapter_merge(model, err);
}
