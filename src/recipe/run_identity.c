/* What a run's stages learn from, as every checkpoint keeps it, so that a run resumes its own and
 * no other one's:
 *
 *   trainer_state.json   {..., "run": {"labels": ["time", "song"], "train_annotations": "<hash>",
 *                         "val_annotations": "<hash>", "ent2emb": "<hash>", "model_name": "<hash>",
 *                         ..., "options": {"seed": [123, 123], ...}}}
 *
 * Texts, descriptions and weights are told apart by fingerprints, not by where they stand: a run may
 * be resumed from another folder. Checkpoints of versions before this one have no "run"; of them
 * only the counts are compared (checkpoint.c). */
#include "recipe/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "recipe/fingerprint.h"

/* Options that say where things are, and those that change nothing of what the stages learn. */
static const char *const unlike[] = {
    "output_dir",
    "resume_from_checkpoint",
    "overwrite_output_dir",
    "threads",
    "gradient_sums",
    "calibration",
    "calibration_folds",
    "model_name",
    "st_model_name",
    "pretrained",
    "labels_encoder",
    "train_annotations",
    "val_annotations",
    "test_annotations",
    "unlabelled_annotations",
    "rehearsal_annotations",
    "ent2emb",
    "annotation_format",
    "llm",
    "pretrain_annotations",
    "pretrain_ent2emb",
    "report_to",
    "dataloader_num_workers",
    "logging_strategy",
    "logging_steps",
    "save_strategy",
    "save_steps",
    "save_total_limit",
};

static void remove_unlike(json_t *options) {
    for (size_t i = 0; i < sizeof unlike / sizeof *unlike; i++) json_object_del(options, unlike[i]);
}

static json_t *fingerprint_text(uint64_t fingerprint) {
    return json_sprintf("%016" PRIx64, fingerprint);
}

static nerfit_status add_corpora(nf_run *r, json_t *out) {
    static const char *const names[] = {"train_annotations", "val_annotations"};
    for (int i = 0; i < 2; i++) {
        const nf_corpus *corpus = i == NF_SPLIT_TRAIN ? nf_run_learned(r) : r->corpora[i];
        uint64_t fingerprint = NF_HASH_START;
        if (!corpus) continue;
        NF_TRY(nf_fingerprint_corpus(&fingerprint, corpus, r->err));
        json_object_set_new(out, names[i], fingerprint_text(fingerprint));
    }
    return NERFIT_OK;
}

static nerfit_status add_models(nf_run *r, json_t *out) {
    const nf_train_options *o = r->options;
    const struct {
        const char *name, *given;
    } models[] = {{"model_name", o->model_name},
                  {"st_model_name", o->st_model_name},
                  {"labels_encoder", o->labels_encoder},
                  {"pretrained", o->pretrained}};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        uint64_t fingerprint = NF_HASH_START;
        if (!models[i].given) continue;
        NF_TRY(nf_fingerprint_weights(&fingerprint, models[i].given, r->err));
        json_object_set_new(out, models[i].name, fingerprint_text(fingerprint));
    }
    return NERFIT_OK;
}

/* Descriptions or embeddings; a language model's, which the run wrote itself, if none were given. */
static nerfit_status add_descriptions(nf_run *r, json_t *out) {
    static const nf_train_data none = {0};
    uint64_t fingerprint = NF_HASH_START;
    bool given = r->options->ent2emb || r->data->embeddings || r->data->descriptions;
    const char *own = nf_path_join(&r->arena, r->options->output_dir, "descriptions.yaml");
    if (!own) return nf_no_memory(r->err, 0);
    if (!given && !nf_file_exists(own)) return NERFIT_OK;
    NF_TRY(nf_fingerprint_descriptions(&fingerprint, given ? r->data : &none,
                                       given ? r->options->ent2emb : own, r->err));
    json_object_set_new(out, "ent2emb", fingerprint_text(fingerprint));
    return NERFIT_OK;
}

static nerfit_status add_rehearsed(nf_run *r, json_t *out) {
    uint64_t fingerprint = NF_HASH_START;
    if (!r->corpora[NF_SPLIT_TRAIN] || r->others.count == 0) return NERFIT_OK;
    NF_TRY(nf_annotated_sets_fingerprint(&r->others, &fingerprint, r->err));
    json_object_set_new(out, "rehearsal_annotations", fingerprint_text(fingerprint));
    return NERFIT_OK;
}

nerfit_status nf_run_make_identity(nf_run *r) {
    json_t *out = json_object(), *labels = json_array();
    json_t *options = nf_train_options_to_json(r->options);
    for (size_t i = 0; i < r->labels.n_types; i++)
        json_array_append_new(labels, json_string(r->labels.types[i]));
    json_decref(r->identity);
    r->identity = out;
    if (!out || !labels || !options) {
        json_decref(labels);
        json_decref(options);
        return nf_no_memory(r->err, 0);
    }
    remove_unlike(options);
    json_object_set_new(out, "labels", labels);
    if (nf_comm_size(r->data->comm) > 1) /* a step has so many batches at once */
        json_object_set_new(out, "ranks", json_integer((json_int_t)r->data->comm->size));
    if (nf_comm_size(r->data->comm) > 1 && r->options->gradient_sums)
        json_object_set_new(out, "gradient_sums", json_string("bf16"));
    if (!r->corpora[NF_SPLIT_TRAIN]) /* of pre-training: its texts and descriptions */
        json_object_set_new(out, "pretrain_annotations", fingerprint_text(r->fingerprint));
    nerfit_status status = add_corpora(r, out);
    if (status == NERFIT_OK) status = add_rehearsed(r, out);
    if (status == NERFIT_OK) status = add_descriptions(r, out);
    if (status == NERFIT_OK) status = add_models(r, out);
    json_object_set_new(out, "options", options);
    return status;
}

/* ---------------------------------------------------------------- comparing */

/* The first key with another value; NULL: none. A key that one of them lacks is another value, but
 * for options, which an earlier version may not have had. */
static const char *difference(const json_t *now, const json_t *then, bool options) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)now, name, value) {
        const json_t *other = json_object_get(then, name);
        if (!options && strcmp(name, "options") == 0) continue;
        if (!(options && !other) && !json_equal(value, other)) return name;
    }
    json_object_foreach((json_t *)(uintptr_t)then, name,
                        value) if (!options && !json_object_get(now, name)) return name;
    return NULL;
}

static char *text_of(const json_t *value) {
    return value ? nf_json_text(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6))
                 : NULL;
}

/* What is to be resumed was made of something else. Fingerprints say nothing to a reader. */
static nerfit_status refuse(nf_run *r, const char *path, const char *name, const json_t *now,
                            const json_t *then, bool shown) {
    char *mine = shown ? text_of(now) : NULL, *theirs = shown ? text_of(then) : NULL;
    nerfit_status status;
    if (mine && theirs)
        status = nf_fail_at(r->err, NERFIT_ARGUMENT, path, 0, 0,
                            "cannot be resumed from: it was made with %s %.200s, this run has "
                            "%.200s; resume with the same, or choose another output_dir",
                            name, theirs, mine);
    else
        status = nf_fail_at(r->err, NERFIT_ARGUMENT, path, 0, 0,
                            "cannot be resumed from: it was made with other %s; resume with the "
                            "same, or choose another output_dir",
                            strcmp(name, "ent2emb") == 0             ? "descriptions or embeddings"
                            : strcmp(name, "model_name") == 0        ? "weights of model_name"
                            : strcmp(name, "train_annotations") == 0 ? "texts in train_annotations"
                            : strcmp(name, "val_annotations") == 0   ? "texts in val_annotations"
                            : strcmp(name, "rehearsal_annotations") == 0
                                ? "texts or descriptions in rehearsal_annotations"
                            : strcmp(name, "pretrain_annotations") == 0
                                ? "texts or descriptions in pretrain_annotations"
                                : name);
    free(mine);
    free(theirs);
    return status;
}

/* folder: a checkpoint, or what a finished stage left. */
static nerfit_status compare(nf_run *r, const char *folder) {
    const char *path = nf_path_join(&r->arena, folder, "trainer_state.json");
    if (!path) return nf_no_memory(r->err, 0);
    json_t *state;
    if (!nf_file_exists(path)) return NERFIT_OK; /* reading it says so */
    NF_TRY(nf_json_load(&state, path, r->err));
    const json_t *then = json_object_get(state, "run"), *now = r->identity;
    nerfit_status status = NERFIT_OK;
    if (json_is_object(then)) {
        const char *name = difference(now, then, false);
        const json_t *options[] = {json_object_get(now, "options"),
                                   json_object_get(then, "options")};
        const char *option = difference(options[0], options[1], true);
        const char *nested = option && strcmp(option, "peft_config") == 0 ? option : NULL;
        if (name) {
            status = refuse(r, path, name, json_object_get(now, name), json_object_get(then, name),
                            strcmp(name, "labels") == 0);
        } else if (nested) {
            const json_t *mine = json_object_get(options[0], nested),
                         *theirs = json_object_get(options[1], nested);
            const char *inner = difference(mine, theirs, true);
            if (inner)
                status = refuse(r, path, inner, json_object_get(mine, inner),
                                json_object_get(theirs, inner), true);
        } else if (option) {
            status = refuse(r, path, option, json_object_get(options[0], option),
                            json_object_get(options[1], option), true);
        }
    } else {
        nf_log_info(r->log,
                    "%s was written by an earlier version: whether it was made with these labels, "
                    "texts and options is not known",
                    folder);
    }
    json_decref(state);
    return status;
}

nerfit_status nf_run_check_resumed(nf_run *r) {
    if (!nf_run_resumes(r->options) || r->finished) return NERFIT_OK;
    const char *stage1 = nf_run_finished_stage1(r);
    if (stage1) NF_TRY(compare(r, stage1));
    for (int s = 0; s < 2; s++) {
        const char *checkpoint = nf_run_checkpoint_of(r, s);
        if (checkpoint) NF_TRY(compare(r, checkpoint));
    }
    return NERFIT_OK;
}

nerfit_status nf_run_keep_label_text(nf_run *r) {
    nf_train_options *o = &r->own_options;
    if (!nf_run_resumes(o) || o->label_text != NF_LABEL_TEXT_AUTO) return NERFIT_OK;
    const char *path = nf_path_join(&r->arena, o->output_dir, "training_args.json");
    if (!path) return nf_no_memory(r->err, 0);
    json_t *then;
    if (!nf_file_exists(path) || nf_json_load(&then, path, NULL) != NERFIT_OK) return NERFIT_OK;
    const json_t *given = json_object_get(then, "label_text");
    nf_label_text rule = NF_LABEL_TEXT_DESCRIPTION;
    if (!given)
        nf_log_info(r->log,
                    "%s: began before there was label_text; its labels stay their descriptions",
                    o->output_dir);
    else if (!nf_label_text_find(json_string_value(given), &rule))
        rule = NF_LABEL_TEXT_AUTO;
    o->label_text = rule;
    json_decref(then);
    return NERFIT_OK;
}
