/* Names in PEFT's files: "base_model.model." + the module's path in the wrapped model (with the
 * architecture's prefix if that model has a head) + ".lora_A.weight" and so on; modules_to_save by
 * their plain names. A file made around a bare encoder (as in stage 1) lacks the prefix; both are
 * read here whatever the model at hand is, where PEFT itself would silently load nothing. */
#include "model/adapter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "model/adapter_fold.h"
#include "model/adapter_match.h"
#include "nn/low_rank.h"
#include "model/save.h"
#include "nn/store.h"
#include "model/word_shape.h"

static const char *const query_and_value[] = {"query", "value", NULL};

bool nf_adapter_folder(const char *folder) {
    return nf_file_exists_in(folder, "adapter_config.json");
}

static bool is_head(const nf_linear *linear) {
    return linear->weight->role == NF_ROLE_HEAD;
}

/* ---------------------------------------------------------------- adding */

/* "query, key, value, ...": the last parts of the names that can be adapted. */
static void list_names(const nf_model *model, nf_str *out) {
    for (size_t i = 0; i < model->net.n_linears; i++) {
        const nf_linear *linear = model->net.linears[i];
        if (is_head(linear)) continue;
        const char *dot = strrchr(linear->name, '.');
        const char *last = dot ? dot + 1 : linear->name;
        char item[128];
        snprintf(item, sizeof item, ", %s,", last);
        nf_str seen = {0};
        nf_str_appendf(&seen, ", %s,", nf_str_text(out));
        if (!strstr(nf_str_text(&seen), item))
            nf_str_appendf(out, "%s%s", out->length ? ", " : "", last);
        nf_str_free(&seen);
    }
}

static nerfit_status no_such_module(const nf_model *model, const char *target, nerfit_error *err) {
    nf_str names = {0};
    list_names(model, &names);
    nerfit_status status = nf_fail(
        err, NERFIT_ARGUMENT,
        "target_modules%s%s%s names no linear layer of this model; there are: %s (or "
        "all-linear)",
        target ? ": \"" : "", target ? target : "", target ? "\"" : "", nf_str_text(&names));
    nf_str_free(&names);
    return status;
}

static nerfit_status copy_names(nf_arena *arena, char ***names, size_t count, nerfit_error *err) {
    char **copies = nf_arena_calloc(arena, count + 1, sizeof *copies);
    if (!copies) return nf_no_memory(err, 0);
    for (size_t i = 0; i < count; i++)
        if (!(copies[i] = nf_arena_strdup(arena, (*names)[i]))) return nf_no_memory(err, 0);
    *names = copies;
    return NERFIT_OK;
}

/* Whether a parameter's module is `wanted`. */
static bool is_of_module(const nf_parameter *p, const char *wanted) {
    char module[512];
    snprintf(module, sizeof module, "%s", p->name);
    char *dot = strrchr(module, '.');
    if (!dot || p->removed) return false;
    *dot = '\0';
    return nf_module_is(module, wanted);
}

/* PEFT's own names of heads, which it adds for every token classifier. */
static bool is_head_name(const char *name) {
    static const char *const heads[] = {"classifier", "score", "head"};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(name, heads[i]) == 0) return true;
    return false;
}

/* Marks what is trained in full; an entry that names nothing is an error if `strict`. */
static nerfit_status train_saved_modules(nf_model *model, const nf_adapter_config *config,
                                         bool strict, nerfit_error *err) {
    for (size_t j = 0; j < config->n_modules_to_save; j++) {
        const char *wanted = config->modules_to_save[j];
        bool found = false;
        for (size_t i = 0; i < model->net.n_parameters; i++) {
            nf_parameter *p = model->net.parameters[i];
            if (!is_of_module(p, wanted)) continue;
            p->trained = p->in_adapter = found = true;
        }
        if (!found && strict && !is_head_name(wanted))
            return nf_fail(
                err, NERFIT_ARGUMENT,
                "modules_to_save: \"%s\" names no module of this model; expected the end "
                "of a name such as embeddings.word_embeddings or output.LayerNorm",
                wanted);
    }
    return NERFIT_OK;
}

static void train_biases(nf_model *model, nf_adapter_bias which) {
    if (which == NF_ADAPTER_BIAS_ALL)
        for (size_t i = 0; i < model->net.n_parameters; i++) {
            nf_parameter *p = model->net.parameters[i];
            size_t length = strlen(p->name);
            if (!p->removed && length > 5 && strcmp(p->name + length - 5, ".bias") == 0)
                p->trained = p->in_adapter = true;
        }
    for (size_t i = 0; which == NF_ADAPTER_BIAS_LORA && i < model->net.n_linears; i++) {
        nf_linear *linear = model->net.linears[i];
        if (linear->lora && linear->bias) linear->bias->trained = linear->bias->in_adapter = true;
    }
}

/* Takes out of a base weight what PiSSA or OLoRA begin with. */
static nerfit_status take_out(nf_model *model, nf_linear *linear, const nf_adapter_config *config,
                              size_t rank, double scaling, nerfit_error *err) {
    nf_backend *be = model->net.be;
    size_t count = linear->out * linear->in;
    double *w = malloc(count * sizeof *w + 1);
    if (!w) return nf_no_memory(err, count * sizeof *w);
    be->to_f64(be, w, linear->weight->values, count);
    nerfit_status status = config->init == NF_ADAPTER_INIT_PISSA
                               ? nf_low_rank_pissa(w, linear->out, linear->in, rank, err)
                               : nf_low_rank_olora(w, linear->out, linear->in, rank, scaling, err);
    if (status == NERFIT_OK) status = nf_parameter_allocate(&model->net, linear->weight, err);
    if (status == NERFIT_OK) be->from_f64(be, linear->weight->values, w, count);
    free(w);
    return status == NERFIT_OK ? status : nf_fail_within(err, status, "%s", linear->name);
}

static nerfit_status adapt(nf_model *model, nf_linear *linear, nf_adapter_matcher *matcher,
                           const char *prefix, uint64_t seed, nerfit_error *err) {
    const nf_adapter_config *config = matcher->config;
    char name[512];
    bool adapted;
    size_t rank;
    double alpha;
    if (linear->weight->removed || (is_head(linear) && linear->weight->head != model->head))
        return NERFIT_OK;
    snprintf(name, sizeof name, "%s%s", is_head(linear) ? "" : prefix, linear->name);
    NF_TRY(nf_adapter_match(matcher, name, &adapted, &rank, &alpha, err));
    if (!adapted) return NERFIT_OK;
    double scaling = alpha / (config->use_rslora ? sqrt((double)rank) : (double)rank);
    if (config->init != NF_ADAPTER_INIT_PLAIN)
        NF_TRY(take_out(model, linear, config, rank, scaling, err));
    NF_TRY(nf_linear_add_lora(&model->net, linear, rank, scaling, config->lora_dropout,
                              config->use_dora, seed, err));
    model->adapter->n_adapted++;
    return NERFIT_OK;
}

/* How an adapter is added. */
typedef struct adding {
    const char *path;   /* of its configuration, for messages */
    const char *prefix; /* of the encoder's names in the model that it was made for */
    bool
        foreign; /* it was made elsewhere: a head may be adapted, names may match nothing of ours */
    uint64_t seed;
} adding;

static nerfit_status add_adapter(nf_model *model, const nf_adapter_config *given, const adding *how,
                                 nerfit_error *err) {
    nf_network *net = &model->net;
    nf_adapter *adapter = nf_arena_calloc(&net->arena, 1, sizeof *adapter);
    if (!adapter) return nf_no_memory(err, sizeof *adapter);
    adapter->config = *given;
    nf_adapter_config *config = &adapter->config;
    if (config->r == 0) return nf_fail(err, NERFIT_ARGUMENT, "lora_r must be at least 1");
    if (!config->target_modules || config->n_target_modules == 0) {
        const char *const *targets = model->architecture->lora_targets;
        if (!targets) targets = query_and_value;
        config->target_modules = (char **)(uintptr_t)targets;
        config->n_target_modules = 0;
        while (targets[config->n_target_modules]) config->n_target_modules++;
    }
    NF_TRY(copy_names(&net->arena, &config->target_modules, config->n_target_modules, err));
    NF_TRY(copy_names(&net->arena, &config->modules_to_save, config->n_modules_to_save, err));
    nf_model_train_encoder(model, false);
    model->adapter = adapter;
    nf_adapter_matcher matcher;
    NF_TRY(nf_adapter_matcher_new(&matcher, config, how->path, err));
    nerfit_status status = NERFIT_OK;
    size_t n_linears = net->n_linears;
    for (size_t i = 0; i < n_linears && status == NERFIT_OK; i++)
        if (how->foreign || !is_head(net->linears[i]))
            status = adapt(model, net->linears[i], &matcher, how->prefix, how->seed, err);
    for (size_t i = 0; i < config->n_target_modules && status == NERFIT_OK; i++)
        if (!how->foreign && !config->target_regex && !matcher.target_used[i])
            status = no_such_module(model, config->target_modules[i], err);
    nf_adapter_matcher_free(&matcher);
    if (status == NERFIT_OK && adapter->n_adapted == 0 && !how->foreign)
        status = no_such_module(model, NULL, err);
    if (status == NERFIT_OK) status = train_saved_modules(model, config, !how->foreign, err);
    if (status == NERFIT_OK) train_biases(model, config->bias);
    return status;
}

nerfit_status nf_adapter_add(nf_model *model, const nf_adapter_config *config, uint64_t seed,
                             nerfit_error *err) {
    adding how = {.path = "the adapter's configuration",
                  .prefix = model->head ? model->architecture->prefix : "",
                  .seed = seed};
    nerfit_status status = add_adapter(model, config, &how, err);
    if (status != NERFIT_OK) model->adapter = NULL;
    return status;
}

nerfit_status nf_adapter_merge(nf_model *model, nerfit_error *err) {
    for (size_t i = 0; i < model->net.n_linears; i++)
        NF_TRY(nf_linear_merge(&model->net, model->net.linears[i], err));
    for (size_t i = 0; i < model->net.n_parameters; i++)
        model->net.parameters[i]->in_adapter = false;
    model->adapter = NULL;
    return NERFIT_OK;
}

nerfit_status nf_adapter_settle(nf_model *model, nerfit_error *err) {
    nf_network *net = &model->net;
    for (size_t i = 0; i < net->n_linears; i++) {
        nf_linear *linear = net->linears[i];
        bool own = is_head(linear) || linear->weight->owned;
        NF_TRY((own ? nf_linear_merge : nf_linear_settle)(net, linear, err));
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- reading */

nerfit_status nf_adapter_base(char **out, nf_arena *arena, const char *folder, nerfit_error *err) {
    const char *path = nf_path_join(arena, folder, "adapter_config.json");
    if (!path) return nf_no_memory(err, 0);
    json_t *json;
    NF_TRY(nf_json_load(&json, path, err));
    const char *base = json_string_value(json_object_get(json, "base_model_name_or_path"));
    nerfit_status status = NERFIT_OK;
    if (!base)
        status = nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                            "has no \"base_model_name_or_path\"; expected the base model's folder");
    else if (!(*out = nf_path_join(arena, folder, base)))
        status = nf_no_memory(err, 0);
    json_decref(json);
    return status;
}

/* Parts of the wrapped model that neither tagging nor embedding uses, and what PEFT has replaced. */
static bool is_unused(const char *name) {
    if (strstr(name, ".original_module.")) return true;
    static const char *const parts[] = {"pooler.", "cls.", "lm_head.", "score."};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strncmp(name, parts[i], strlen(parts[i])) == 0) return true;
    return false;
}

/* A table of word embeddings of another number of rows: the base model's was resized for tokens that
 * were added. */
static nerfit_status resize_words(const nf_adapter_loading *in, const nf_stored *stored) {
    nf_model *model = in->model;
    nf_parameter *words = model->encoder.embedding.words;
    if (stored->n_dims != 2 || stored->dims[1] != (int64_t)words->cols || stored->dims[0] < 1 ||
        stored->dims[0] == (int64_t)words->rows)
        return NERFIT_OK;
    nf_log_info(in->log, "%s: the adapter brings %lld word embeddings in place of the base's %zu",
                in->where, (long long)stored->dims[0], words->rows);
    if (words->owned) model->net.be->memory_free(model->net.be, words->owned);
    words->owned = words->values = NULL;
    words->rows = model->encoder.vocabulary = (size_t)stored->dims[0];
    if (json_object_set_new(model->config, "vocab_size", json_integer(stored->dims[0])) != 0)
        return nf_no_memory(in->err, 0);
    return NERFIT_OK;
}

static nerfit_status load_value(const nf_adapter_loading *in, const nf_stored *stored,
                                size_t *unused) {
    nf_network *net = &in->model->net;
    char name[512];
    bool known = nf_adapter_own_name(in, stored->name, name);
    if (known && nf_adapter_is_folded(name)) return NERFIT_OK; /* nf_adapter_fold */
    nf_parameter *p = known ? nf_network_find(net, name) : NULL;
    if (!p && known && is_unused(name)) {
        (*unused)++;
        return NERFIT_OK;
    }
    if (!p)
        return nf_fail_at(in->err, NERFIT_FORMAT, in->where, 0, 0,
                          "tensor \"%s\" belongs to no part of this model (model_type \"%s\") that "
                          "the adapter's configuration names",
                          stored->name, in->model->architecture->model_type);
    if (p == in->model->encoder.embedding.words) NF_TRY(resize_words(in, stored));
    NF_TRY(nf_parameter_copy(net, p, stored, in->where, in->err));
    p->in_adapter = true;
    in->filled[p->index] = true;
    return NERFIT_OK;
}

static nerfit_status lacks(const nf_adapter_loading *in, const nf_parameter *p, const char *why) {
    return nf_fail_at(in->err, NERFIT_FORMAT, in->where, 0, 0, "has no tensor for \"%s\", which %s",
                      p->name, why);
}

/* What the configuration calls for is there. */
static nerfit_status check_filled(const nf_adapter_loading *in) {
    const nf_network *net = &in->model->net;
    const nf_adapter_config *config = &in->model->adapter->config;
    for (size_t i = 0; i < net->n_linears; i++) {
        const nf_lora *lora = net->linears[i]->lora;
        const nf_parameter *parts[] = {lora ? lora->a : NULL, lora ? lora->b : NULL,
                                       lora ? lora->magnitude : NULL};
        for (size_t k = 0; k < 3; k++)
            if (parts[k] && !in->filled[parts[k]->index])
                return lacks(in, parts[k], "the adapter's configuration calls for");
    }
    for (size_t i = 0; i < net->n_parameters; i++) {
        const nf_parameter *p = net->parameters[i];
        if (p->removed || in->filled[i] || !p->in_adapter || p->role == NF_ROLE_ADAPTER) continue;
        for (size_t k = 0; k < config->n_modules_to_save; k++)
            if (is_of_module(p, config->modules_to_save[k]))
                return lacks(in, p, "modules_to_save names");
        /* biases: those of a pooler or a head that is not there are not ours to ask for */
        if (config->bias != NF_ADAPTER_BIAS_NONE && p->role != NF_ROLE_HEAD)
            return lacks(in, p, "\"bias\" of the configuration calls for");
    }
    return NERFIT_OK;
}

static nerfit_status load_values(const nf_adapter_loading *in) {
    size_t unused = 0;
    for (size_t i = 0; i < nf_safetensors_count(in->file); i++)
        NF_TRY(load_value(in, nf_safetensors_at(in->file, i), &unused));
    NF_TRY(check_filled(in));
    NF_TRY(nf_adapter_fold(in));
    if (unused)
        nf_log_info(in->log,
                    "%s: %zu tensors are of parts that are not used here (the pooler) and are "
                    "passed over",
                    in->where, unused);
    return NERFIT_OK;
}

/* An adapter on the classifier or on what stands before it is added to it: these go with the adapter
 * as a whole in any case. */
static nerfit_status fold_head(const nf_adapter_loading *in) {
    nf_model *model = in->model;
    for (size_t i = 0; i < model->net.n_linears; i++) {
        nf_linear *linear = model->net.linears[i];
        if (!linear->lora || !is_head(linear)) continue;
        NF_TRY(nf_linear_merge(&model->net, linear, in->err));
        model->adapter->n_adapted--;
        model->adapter->folded = true;
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- the head's labels */

/* id2label of the adapter's own config.json, which nerfit writes beside PEFT's files; NULL: none. */
static nerfit_status own_labels(const nf_adapter_loading *in, json_t **config, const char **labels,
                                size_t count) {
    nf_arena *arena = &in->model->net.arena;
    const char *path = in->folder ? nf_path_join(arena, in->folder, "config.json") : NULL;
    *config = NULL;
    if (!path || !nf_file_exists(path)) return NERFIT_OK;
    NF_TRY(nf_json_load(config, path, in->err));
    json_t *table = json_object_get(*config, "id2label");
    bool names = json_is_object(json_object_get(*config, "label2id"));
    if (json_is_object(*config) && (!table || json_is_null(table)) && !names) {
        json_decref(*config);
        *config = NULL;
        return NERFIT_OK;
    }
    if (!json_is_object(table))
        return nf_fail_at(
            in->err, NERFIT_FORMAT, path, 0, 0,
            "has no object \"id2label\"; expected {\"id2label\": {\"0\": \"O\", ...}}, the "
            "names of the adapter's %zu labels",
            count);
    bool fits = json_object_size(table) == count;
    for (size_t i = 0; i < count && fits; i++) {
        char key[32];
        snprintf(key, sizeof key, "%zu", i);
        labels[i] = json_string_value(json_object_get(table, key));
        fits = labels[i] != NULL;
    }
    if (fits) return NERFIT_OK;
    return nf_fail_at(in->err, NERFIT_FORMAT, path, 0, 0,
                      "\"id2label\" does not name the %zu labels of the adapter's classifier, 0 to "
                      "%zu",
                      count, count - 1);
}

/* Without names of its own: the base's, if it has as many, or LABEL_0, ... as transformers has it. */
static nerfit_status fallback_labels(const nf_adapter_loading *in, const char **labels,
                                     size_t count) {
    nf_model *model = in->model;
    bool base = model->head && model->n_labels == count;
    for (size_t i = 0; i < count; i++) {
        char name[48];
        snprintf(name, sizeof name, "LABEL_%zu", i);
        labels[i] = base ? model->labels[i] : nf_arena_strdup(&model->net.arena, name);
        if (!labels[i]) return nf_no_memory(in->err, 0);
    }
    if (!base)
        nf_log_warning(in->log,
                       "%s names no labels (PEFT does not write them): they are LABEL_0 to "
                       "LABEL_%zu; a config.json with \"id2label\" beside it names them",
                       in->config, count - 1);
    return NERFIT_OK;
}

/* The head that an adapter brings along: size from its tensor, labels from its config.json. */
static nerfit_status add_head(const nf_adapter_loading *in, const char *task) {
    nf_model *model = in->model;
    const nf_stored *head = nf_safetensors_find(in->file, "base_model.model.classifier.weight");
    if (!head || head->n_dims != 2 || head->dims[0] < 1) return NERFIT_OK;
    if (task && strcmp(task, "TOKEN_CLS") != 0)
        return nf_fail_at(
            in->err, NERFIT_UNSUPPORTED, in->config, 0, 0,
            "\"task_type\" is %s and the adapter has a classifier; expected TOKEN_CLS", task);
    size_t count = (size_t)head->dims[0];
    const char **labels = nf_arena_calloc(&model->net.arena, count, sizeof *labels);
    if (!labels) return nf_no_memory(in->err, count * sizeof *labels);
    json_t *config;
    nerfit_status status = own_labels(in, &config, labels, count);
    if (status == NERFIT_OK && !config) status = fallback_labels(in, labels, count);
    if (status == NERFIT_OK && model->head && model->n_labels == count)
        status = nf_model_name_labels(model, labels, count, in->err);
    else if (status == NERFIT_OK)
        status = nf_model_add_classifier(model, labels, count, 0, in->err);
    json_decref(config);
    return status;
}

/* ---------------------------------------------------------------- the whole */

/* Whether the file's names have the architecture's prefix: the adapter was made around a model with
 * a head. */
static const char *file_prefix(const nf_model *model, const nf_safetensors *file) {
    const char *prefix = model->architecture->prefix;
    for (size_t i = 0; i < nf_safetensors_count(file); i++) {
        const char *name = nf_safetensors_at(file, i)->name;
        if (strncmp(name, NF_PEFT_PREFIX, sizeof NF_PEFT_PREFIX - 1) == 0 &&
            strncmp(name + sizeof NF_PEFT_PREFIX - 1, prefix, strlen(prefix)) == 0)
            return prefix;
    }
    return "";
}

static nerfit_status load_adapter(nf_adapter_loading *in, const json_t *json) {
    nf_model *model = in->model;
    nf_adapter_config config;
    const char *task = json_string_value(json_object_get(json, "task_type"));
    in->json = json;
    NF_TRY(nf_adapter_config_read(&config, json, in->config, &model->net.arena, in->log, in->err));
    NF_TRY(add_head(in, task));
    in->prefix = file_prefix(model, in->file);
    adding how = {.path = in->config, .prefix = in->prefix, .foreign = true};
    NF_TRY(add_adapter(model, &config, &how, in->err));
    in->options = &model->adapter->config;
    in->folded = &model->adapter->folded;
    in->filled = calloc(model->net.n_parameters + 1, sizeof *in->filled);
    nerfit_status status = in->filled ? load_values(in) : nf_no_memory(in->err, 0);
    free(in->filled);
    if (status == NERFIT_OK) status = fold_head(in);
    if (status == NERFIT_OK && model->adapter->n_adapted == 0 && !model->adapter->folded)
        status = nf_fail_at(in->err, NERFIT_FORMAT, in->config, 0, 0,
                            "\"target_modules\" names no layer of this model (model_type \"%s\")",
                            model->architecture->model_type);
    return status;
}

/* adapter_model.safetensors, or the pickled file of older versions of PEFT. */
static nerfit_status open_weights(nf_safetensors **out, nf_arena *arena, const char *folder,
                                  nerfit_error *err) {
    static const char *const names[] = {"adapter_model.safetensors", "adapter_model.bin"};
    bool pickled = !nf_file_exists_in(folder, names[0]) && nf_file_exists_in(folder, names[1]);
    const char *path = nf_path_join(arena, folder, names[pickled]);
    return path ? nf_safetensors_open(out, path, err) : nf_no_memory(err, 0);
}

nerfit_status nf_adapter_load(nf_model *model, const char *folder, const nf_log *log,
                              nerfit_error *err) {
    nf_arena *arena = &model->net.arena;
    const char *path = nf_path_join(arena, folder, "adapter_config.json");
    nf_safetensors *file;
    json_t *json;
    if (!path) return nf_no_memory(err, 0);
    NF_TRY(open_weights(&file, arena, folder, err));
    nerfit_status status = nf_json_load(&json, path, err);
    if (status == NERFIT_OK) {
        nf_adapter_loading in = {.model = model,
                                 .file = file,
                                 .where = nf_safetensors_path(file),
                                 .config = path,
                                 .folder = folder,
                                 .log = log,
                                 .err = err};
        status = load_adapter(&in, json);
        json_decref(json);
    }
    nf_safetensors_close(file);
    return status == NERFIT_OK ? nf_word_shape_load(model, folder, err) : status;
}

nerfit_status nf_adapter_load_memory(nf_model *model, const char *config, size_t config_size,
                                     const void *weights, size_t weights_size, const char *name,
                                     nerfit_error *err) {
    nf_safetensors *file;
    json_t *json;
    NF_TRY(nf_safetensors_open_memory(&file, weights, weights_size, name, err));
    nerfit_status status = nf_json_parse(&json, config, config_size, name, 1, err);
    if (status == NERFIT_OK) {
        nf_adapter_loading in = {
            .model = model, .file = file, .where = name, .config = name, .err = err};
        status = load_adapter(&in, json);
        json_decref(json);
    }
    nf_safetensors_close(file);
    return status;
}

/* ---------------------------------------------------------------- writing */

static void add_name(json_t *list, const char *name) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), name) == 0) return;
    json_array_append_new(list, json_string(name));
}

/* modules_to_save with the heads that PEFT adds for token classification, and what comes before
 * ours, which a new model would otherwise have other random values of. */
static json_t *saved_modules(const nf_model *model) {
    const nf_adapter_config *config = &model->adapter->config;
    if (config->n_modules_to_save == 0 && !model->head) return json_null();
    json_t *list = nf_names_to_json(config->modules_to_save, config->n_modules_to_save);
    if (!list || !model->head) return list;
    add_name(list, "classifier");
    add_name(list, "score");
    for (size_t i = 0; i < model->net.n_parameters; i++) {
        const nf_parameter *p = model->net.parameters[i];
        char module[64];
        if (p->removed || p->head != model->head) continue;
        snprintf(module, sizeof module, "%.*s", (int)strcspn(p->name, "."), p->name);
        add_name(list, module);
    }
    return list;
}

/* Where a part of the adapter was added to what it stood on, the layers that are left by name. */
static json_t *adapted_modules(const nf_model *model) {
    json_t *list = json_array();
    for (size_t i = 0; i < model->net.n_linears && list; i++)
        if (model->net.linears[i]->lora)
            json_array_append_new(list, json_string(model->net.linears[i]->name));
    return list;
}

/* The base model's folder is written as an absolute path: relative ones are read as counting from
 * the adapter's folder here, and from the working folder by PEFT. */
static nerfit_status write_config(const nf_model *model, const char *path, nerfit_error *err) {
    char *base = realpath(model->folder, NULL);
    json_t *json = nf_adapter_config_write(&model->adapter->config);
    int failed = !json;
    failed |= json_object_set_new(json, "base_model_name_or_path",
                                  json_string(base ? base : model->folder));
    failed |= json_object_set_new(json, "modules_to_save", saved_modules(model));
    failed |= json_object_set_new(json, "task_type",
                                  model->head ? json_string("TOKEN_CLS") : json_null());
    if (model->adapter->folded)
        failed |= json_object_set_new(json, "target_modules", adapted_modules(model));
    free(base);
    nerfit_status status = failed ? nf_no_memory(err, 0) : nf_json_save(json, path, err);
    json_decref(json);
    return status;
}

/* A layer that PEFT has wrapped has its bias inside. */
static const char *stored_name(const nf_model *model, const nf_parameter *p, nf_arena *arena) {
    for (size_t i = 0; i < model->net.n_linears; i++) {
        const nf_linear *linear = model->net.linears[i];
        if (!linear->lora || p != linear->bias) continue;
        size_t length = strlen(linear->name) + sizeof ".base_layer.bias";
        char *name = nf_arena_alloc(arena, length);
        if (name) snprintf(name, length, "%s.base_layer.bias", linear->name);
        return name;
    }
    return p->name;
}

nerfit_status nf_adapter_save(const nf_model *model, const char *folder, nerfit_error *err) {
    const nf_network *net = &model->net;
    if (!model->adapter) return nf_fail(err, NERFIT_INTERNAL, "the model has no adapter to save");
    NF_TRY(nf_directory_make(folder, err));
    nf_arena arena = {0};
    nf_to_store *tensors = calloc(net->n_parameters + 1, sizeof *tensors);
    char prefix[128];
    size_t count = 0;
    nerfit_status status = tensors ? NERFIT_OK : nf_no_memory(err, 0);
    for (size_t i = 0; i < net->n_parameters && status == NERFIT_OK; i++) {
        const nf_parameter *p = net->parameters[i];
        bool head = p->role == NF_ROLE_HEAD && p->head == model->head;
        bool encoder = p->role == NF_ROLE_ENCODER && (p->trained || p->in_adapter);
        if (p->removed || !(head || encoder || p->role == NF_ROLE_ADAPTER)) continue;
        const char *name = stored_name(model, p, &arena);
        snprintf(prefix, sizeof prefix, "%s%s", NF_PEFT_PREFIX,
                 model->head && !head ? model->architecture->prefix : "");
        status = name ? nf_store_parameter_as(&tensors[count++], &arena, net, p, prefix, name, err)
                      : nf_no_memory(err, 0);
    }
    static const char *const metadata[] = {"format", "pt", NULL};
    const char *weights = nf_path_join(&arena, folder, "adapter_model.safetensors");
    const char *config = nf_path_join(&arena, folder, "adapter_config.json");
    if (status == NERFIT_OK && (!weights || !config)) status = nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = nf_safetensors_save(weights, tensors, count, metadata, err);
    if (status == NERFIT_OK) status = write_config(model, config, err);
    if (status == NERFIT_OK && model->head) status = nf_save_config(model, folder, err);
    if (status == NERFIT_OK && model->tokenizer)
        status = nf_tokenizer_save(model->tokenizer, folder, err);
    if (status == NERFIT_OK) status = nf_decoding_save(&model->decoding, folder, err);
    if (status == NERFIT_OK) status = nf_word_shape_save(model, folder, err);
    free(tensors);
    nf_arena_free(&arena);
    return status;
}
