#include "infer/rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

bool nf_decode_find(const char *name, nf_decode *out) {
    static const char *const names[] = {"auto", "labels", "viterbi", "crf"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return *out = (nf_decode)i, true;
    return false;
}

/* The decoder's labels are O, B-x, I-x, B-y, ...; a model of another origin may have them in any
 * order, and lack some. */
static nerfit_status rules_map_labels(nf_rules *rules, const nf_model *model, nerfit_error *err) {
    size_t n = 2 * rules->tags.n_types + 1;
    rules->ids = malloc(n * sizeof *rules->ids);
    if (!rules->ids) return nf_no_memory(err, n * sizeof *rules->ids);
    for (size_t k = 0; k < n; k++) rules->ids[k] = -1;
    for (size_t i = 0; i < model->n_labels; i++) {
        nf_tag tag = rules->tags.tags[i];
        if (tag.prefix > NF_TAG_I)
            return nf_fail_at(err, NERFIT_ARGUMENT, model->folder, 0, 0,
                              "has the label \"%s\"; the decoder takes O, B-x and I-x",
                              model->labels[i]);
        rules->ids[tag.prefix == NF_TAG_O ? 0 : nf_label_id(tag.type, tag.prefix == NF_TAG_I)] =
            (int32_t)i;
    }
    return NERFIT_OK;
}

static nerfit_status rules_make_decoder(nf_rules *rules, const nf_model *model, nf_decode decode,
                                        nerfit_error *err) {
    const nf_decoding *own = &model->decoding;
    if (decode == NF_DECODE_AUTO) decode = own->present ? NF_DECODE_CRF : NF_DECODE_LABELS;
    if (decode == NF_DECODE_CRF && !own->present)
        return nf_fail_at(err, NERFIT_ARGUMENT, model->folder, 0, 0,
                          "has no nerfit.json, whose transitions the decoder crf takes");
    rules->by_words = decode != NF_DECODE_LABELS;
    if (!rules->by_words) return NERFIT_OK;
    if (decode == NF_DECODE_CRF) {
        rules->transitions = own->transitions;
        rules->least = rules->own_least = own->least;
    }
    return rules_map_labels(rules, model, err);
}

/* The thresholds that the model's folder has for labels of a call, by their names. */
static nerfit_status rules_find_limits(nf_rules *rules, const nf_gliner *g, nerfit_error *err) {
    size_t n = rules->gliner->count;
    if (!g->thresholds) return NERFIT_OK;
    rules->n_limits = n;
    rules->own_limits = rules->model_limits = malloc(n * sizeof *rules->model_limits + 1);
    if (!rules->model_limits) return nf_no_memory(err, n * sizeof *rules->model_limits);
    for (size_t i = 0; i < n; i++) {
        size_t k = nf_list_index(g->names, g->n_labels, rules->gliner->names[i]);
        rules->model_limits[i] = k < g->n_labels ? g->thresholds[k] : NF_GLINER_THRESHOLD;
    }
    return NERFIT_OK;
}

/* Rules over `labels` [n], the tags; `names`: of a GLiNER model's call. */
static nerfit_status rules_make(nf_rules *rules, const nf_model *model, nf_decode decode,
                                char *const *labels, size_t n, const nf_label_names *names,
                                nerfit_error *err) {
    *rules = (nf_rules){.calibration = NF_CALIBRATION_NONE, .labels = labels};
    rules->words = model->decoding.present ? model->decoding.words : NF_WORDS_TOKENIZER;
    nerfit_status status = nf_tag_set_make(&rules->tags, (const char *const *)labels, n, err);
    if (status == NERFIT_OK && names) {
        rules->own_threshold = rules->threshold = NF_GLINER_THRESHOLD;
        rules->characters = model->gliner->characters;
        rules->gliner = calloc(1, sizeof *rules->gliner);
        if (rules->gliner)
            *rules->gliner = (nf_gliner_labels){
                .names = names->names, .prompts = names->prompts, .count = names->count};
        else
            status = nf_no_memory(err, sizeof *rules->gliner);
        if (status == NERFIT_OK) status = rules_find_limits(rules, model->gliner, err);
        if (status == NERFIT_OK && decode != NF_DECODE_AUTO)
            status = nf_fail_at(err, NERFIT_ARGUMENT, model->folder, 0, 0,
                                "is a GLiNER model, which scores spans; the decoders labels, "
                                "viterbi and crf are for labels of words");
    } else if (status == NERFIT_OK) {
        status = rules_make_decoder(rules, model, decode, err);
    }
    if (status != NERFIT_OK) nf_rules_free(rules);
    return status;
}

nerfit_status nf_rules_make(nf_rules *rules, const nf_model *model, nf_decode decode,
                            nerfit_error *err) {
    nf_label_names own = {0};
    bool reads = nf_model_reads_labels(model->kind);
    if (reads)
        own =
            (nf_label_names){model->gliner->names, model->gliner->prompts, model->gliner->n_labels};
    return rules_make(rules, model, decode, model->labels, model->n_labels, reads ? &own : NULL,
                      err);
}

nerfit_status nf_rules_make_labels(nf_rules *rules, const nf_model *model, nf_decode decode,
                                   const nf_label_names *labels, nf_arena *arena,
                                   nerfit_error *err) {
    *rules = (nf_rules){0};
    if (!nf_model_reads_labels(model->kind))
        return nf_fail_at(err, NERFIT_ARGUMENT, model->folder, 0, 0,
                          "has labels of its own, or takes others when it is loaded; labels of a "
                          "call are for GLiNER models");
    char **tags = nf_gliner_tags(labels->names, labels->count, arena);
    if (!tags) return nf_no_memory(err, labels->count);
    return rules_make(rules, model, decode, tags, 2 * labels->count + 1, labels, err);
}

nerfit_status nf_rules_prepare(const nf_rules *rules, const nf_model *model, nf_backend *be,
                               nerfit_error *err) {
    if (!nf_rules_read_labels(rules) || nf_rules_lack_labels(rules)) return NERFIT_OK;
    return nf_gliner_labels_prepare(rules->gliner, model, be, err);
}

void nf_rules_free(nf_rules *rules) {
    nf_tag_set_free(&rules->tags);
    nf_gliner_labels_free(rules->gliner);
    free(rules->gliner);
    free(rules->ids);
    free(rules->thresholds);
    free(rules->model_limits);
    *rules = (nf_rules){0};
}

/* ---------------------------------------------------------------- thresholds */

static nerfit_status rules_unknown_type(const nf_rules *rules, const char *type,
                                        nerfit_error *err) {
    nf_nearest nearest = {0};
    nf_str known = {0};
    for (size_t i = 0; i < rules->tags.n_types; i++) {
        nf_nearest_see(&nearest, type, rules->tags.types[i]);
        nf_str_appendf(&known, "%s%s", i ? ", " : "", rules->tags.types[i]);
    }
    if (nearest.name)
        nf_fail(err, NERFIT_ARGUMENT,
                "threshold: the model has no entity type \"%s\"; did you mean \"%s\"?", type,
                nearest.name);
    else
        nf_fail(err, NERFIT_ARGUMENT,
                "threshold: the model has no entity type \"%s\"; it has %.200s", type,
                nf_str_text(&known));
    nf_str_free(&known);
    return NERFIT_ARGUMENT;
}

static nerfit_status rules_make_thresholds(nf_rules *rules, nerfit_error *err) {
    size_t n = rules->tags.n_types;
    if (rules->thresholds) return NERFIT_OK;
    rules->thresholds = malloc(n * sizeof *rules->thresholds + 1);
    if (!rules->thresholds) return nf_no_memory(err, n * sizeof *rules->thresholds);
    for (size_t i = 0; i < n; i++) rules->thresholds[i] = -1;
    return NERFIT_OK;
}

nerfit_status nf_rules_set_threshold(nf_rules *rules, const char *type, double threshold,
                                     nerfit_error *err) {
    if (!(threshold >= 0 && threshold <= 1))
        return nf_fail(err, NERFIT_ARGUMENT, "threshold: %g is not a number from 0 to 1",
                       threshold);
    int32_t of = type ? nf_tag_set_type(&rules->tags, type) : -1;
    if (type && of < 0) return rules_unknown_type(rules, type, err);
    if (type) NF_TRY(rules_make_thresholds(rules, err));
    rules->least = 0.0;
    if (type)
        rules->thresholds[of] = threshold;
    else
        rules->threshold = threshold;
    if (!type) rules->own_limits = NULL;
    return NERFIT_OK;
}

void nf_rules_reset_thresholds(nf_rules *rules) {
    rules->least = rules->own_least;
    rules->threshold = rules->own_threshold;
    rules->own_limits = rules->model_limits;
    free(rules->thresholds);
    rules->thresholds = NULL;
}

nerfit_status nf_rules_take(nf_rules *rules, const nf_rules *from, nerfit_error *err) {
    nf_rules_reset_thresholds(rules);
    rules->calibration = from->calibration;
    rules->threshold = from->threshold;
    if (from->model_limits && !from->own_limits) rules->own_limits = NULL; /* one for all was set */
    if (from->least != from->own_least) rules->least = 0.0;                /* a threshold was set */
    for (size_t i = 0; i < from->tags.n_types && from->thresholds; i++) {
        int32_t of = nf_tag_set_type(&rules->tags, from->tags.types[i]);
        if (of < 0 || from->thresholds[i] < 0) continue;
        NF_TRY(rules_make_thresholds(rules, err));
        rules->thresholds[of] = from->thresholds[i];
    }
    rules->spans = from->spans;
    rules->characters = from->characters;
    return nf_rules_set_lists(rules, from->lists, from->list_labels, from->n_list_labels, err);
}

/* ---------------------------------------------------------------- lists of the user */

nerfit_status nf_rules_set_lists(nf_rules *rules, const struct nf_lists *lists,
                                 const char *const *labels, size_t n, nerfit_error *err) {
    nf_tag_set *tags = &rules->tags;
    size_t count = tags->n_types;
    const char **types = nf_arena_calloc(&tags->arena, count + n + 1, sizeof *types);
    int32_t *list_types = nf_arena_calloc(&tags->arena, n + 1, sizeof *list_types);
    if (!types || !list_types) return nf_no_memory(err, (count + n) * sizeof *types);
    if (count) memcpy(types, tags->types, count * sizeof *types);
    for (size_t i = 0; i < n; i++) {
        int32_t type = nf_tag_set_type(tags, labels[i]);
        if (type < 0) types[type = (int32_t)count++] = labels[i];
        list_types[i] = type;
    }
    rules->lists = lists;
    rules->list_labels = labels;
    rules->n_list_labels = n;
    rules->list_types = list_types;
    tags->types = types; /* n_types are the model's */
    return NERFIT_OK;
}
