/* nerfit.h: models by name, descriptions by a language model. */
#include "api_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_corpus.h"
#include "api_options.h"
#include "base/file.h"
#include "base/json.h"
#include "data/describing.h"
#include "model/adapter.h"
#include "net/llm.h"

/* ---------------------------------------------------------------- models */

static bool on_download(void *user, const char *model, const char *file, uint64_t done,
                        uint64_t total) {
    const nf_net *net = user;
    nerfit_transfer transfer = {model, file, done, total};
    return !net->transfer || net->transfer(net->user, &transfer);
}

/* "owner/name@revision", unless the name has a revision of its own; NULL when out of memory. */
static const char *at_revision(nf_arena *arena, const char *name, const char *revision) {
    if (!revision || !*revision || strchr(name, '@')) return name;
    size_t length = strlen(name) + strlen(revision) + 2;
    char *whole = nf_arena_alloc(arena, length);
    if (whole) snprintf(whole, length, "%s@%s", name, revision);
    return whole;
}

/* An adapter's base model, at the revision that the adapter names, if it is no folder. */
static nerfit_status find_base(const nf_hub_watch *watch, nf_arena *arena, const char *folder,
                               const char **base, nerfit_error *err) {
    const char *path = nf_path_join(arena, folder, "adapter_config.json");
    json_t *json;
    *base = NULL;
    if (!path) return nf_no_memory(err, 0);
    if (!nf_file_exists(path) || nf_json_load(&json, path, NULL) != NERFIT_OK) return NERFIT_OK;
    const char *name = json_string_value(json_object_get(json, "base_model_name_or_path"));
    const char *beside = name ? nf_path_join(arena, folder, name) : NULL;
    const char *revision = json_string_value(json_object_get(json, "revision"));
    nerfit_status status = NERFIT_OK;
    if (beside && name[0] != '/' && !nf_directory_exists(beside)) {
        name = at_revision(arena, name, revision);
        status = name ? nf_hub_folder(base, arena, name, NF_HUB_MODEL, watch, err)
                      : nf_no_memory(err, 0);
        if (status != NERFIT_OK)
            nf_fail_within(err, status, "base model of the adapter %s", folder);
        else if (!nf_directory_exists(*base))
            *base = NULL; /* the loader says what is missing */
    }
    json_decref(json);
    return status;
}

/* The encoder that a GLiNER folder names, for what it lacks itself: its tokenizer, which the first
 * releases never have, or its configuration, which may be one of those that the loader knows. */
static nerfit_status find_encoder(const nf_hub_watch *watch, nf_arena *arena, const char *folder,
                                  const char **base, nerfit_error *err) {
    const char *path = nf_path_join(arena, folder, "gliner_config.json");
    json_t *json;
    if (!path) return nf_no_memory(err, 0);
    if (!nf_file_exists(path) || nf_json_load(&json, path, NULL) != NERFIT_OK) return NERFIT_OK;
    bool tokenizer = nf_model_has_tokenizer(folder);
    bool configured = json_is_object(json_object_get(json, "encoder_config")) ||
                      nf_file_exists_in(folder, "config.json");
    const char *name = json_string_value(json_object_get(json, "model_name"));
    nerfit_status status = NERFIT_OK;
    if (name && (!tokenizer || !configured)) {
        name = nf_arena_strdup(arena, name);
        status =
            name ? nf_hub_folder(base, arena, name, NF_HUB_TOKENIZER, watch, tokenizer ? NULL : err)
                 : nf_no_memory(err, 0);
        if (status != NERFIT_OK && !tokenizer)
            nf_fail_within(err, status, "the tokenizer of %s, which has none of its own", folder);
        if (status != NERFIT_OK || !nf_directory_exists(*base)) *base = NULL;
        if (tokenizer && status != NERFIT_CANCELLED) status = NERFIT_OK;
    }
    json_decref(json);
    return status;
}

nerfit_status nf_net_folder(const nf_net *net, nf_arena *arena, const char *reference,
                            nf_hub_kind kind, const char **folder, const char **base,
                            nerfit_error *err) {
    nf_hub_watch watch = {on_download, (void *)(uintptr_t)net, &net->log};
    if (base) *base = NULL;
    NF_TRY(nf_hub_folder(folder, arena, reference, kind, &watch, err));
    if (!base) return NERFIT_OK;
    NF_TRY(find_base(&watch, arena, *folder, base, err));
    return *base ? NERFIT_OK : find_encoder(&watch, arena, *folder, base, err);
}

nerfit_status nerfit_model_find(const char *name, const char *kind,
                                const nerfit_model_options *given, char **folder,
                                nerfit_error *error) {
    static const char *const kinds[] = {"model", "sentence", "tokenizer"};
    nerfit_model_options own;
    nf_arena arena = {0};
    const char *found = NULL, *base; /* base: what a GLiNER model builds on comes along */
    size_t chosen = 0;
    *folder = NULL;
    NF_TRY(nf_options_take(&own, sizeof own, given, "nerfit_model_options", error));
    nf_net net = {own.transfer, own.transfer_user, {own.log, own.log_user}};
    while (kind && chosen < 3 && strcmp(kinds[chosen], kind) != 0) chosen++;
    if (chosen == 3)
        return nf_fail(error, NERFIT_ARGUMENT,
                       "kind \"%s\" is not one of model, sentence, tokenizer", kind);
    nerfit_status status =
        nf_net_folder(&net, &arena, name, (nf_hub_kind)chosen, &found, NULL, error);
    nf_hub_watch watch = {on_download, &net, &net.log};
    if (status == NERFIT_OK && chosen == NF_HUB_MODEL)
        status = find_encoder(&watch, &arena, found, &base, error);
    if (status == NERFIT_OK && !nf_directory_exists(found))
        status = nf_fail_at(error, NERFIT_IO, name, 0, 0,
                            "is neither a folder nor a model's name (owner/name)");
    if (status == NERFIT_OK && !(*folder = strdup(found))) status = nf_no_memory(error, 0);
    nf_arena_free(&arena);
    return status;
}

/* ---------------------------------------------------------------- descriptions */

typedef struct asking {
    const nf_net *net;
    const char *llm;
} asking;

static bool on_answer(void *user, uint64_t done, uint64_t total) {
    const asking *a = user;
    nerfit_transfer transfer = {a->llm, NULL, done, total};
    return !a->net->transfer || a->net->transfer(a->net->user, &transfer);
}

/* All distinct labels of the corpora, in order of appearance. */
static nerfit_status list_labels(const nf_corpus *const *corpora, size_t count,
                                 nf_descriptions *labels, nerfit_error *err) {
    for (size_t c = 0; c < count; c++)
        for (size_t i = 0; corpora[c] && i < corpora[c]->n_labels; i++)
            if (nf_descriptions_find(labels, corpora[c]->labels[i]) == labels->count)
                NF_TRY(nf_descriptions_add(labels, corpora[c]->labels[i], "", err));
    return NERFIT_OK;
}

static nerfit_status read_known(const nf_net *net, const char *file, nf_descriptions *out,
                                nerfit_error *err) {
    nf_descriptions known = {0};
    if (!file || !nf_file_exists(file)) return NERFIT_OK;
    nf_file content;
    NF_TRY(nf_file_open(&content, file, err));
    nerfit_status status =
        content.size ? nf_descriptions_parse(&known, content.data, content.size, file, err)
                     : NERFIT_OK;
    nf_file_close(&content);
    for (size_t i = 0; status == NERFIT_OK && i < known.count; i++)
        if (nf_descriptions_find(out, known.labels[i]) == out->count)
            status = nf_descriptions_add(out, known.labels[i], known.texts[i], err);
    if (status == NERFIT_OK && known.count)
        nf_log_info(&net->log, "%s: %zu descriptions are there already and stay as they are", file,
                    known.count);
    nf_descriptions_free(&known);
    return status;
}

static nerfit_status describe_one(const nf_net *net, const nf_llm *llm, uint64_t seed,
                                  const nf_corpus *const *corpora, size_t count, const char *label,
                                  nf_descriptions *out, nerfit_error *err) {
    nf_str question = {0};
    asking a = {net, llm->name};
    nf_http_watch watch = {on_answer, &a, &net->log};
    char *answer = NULL;
    nerfit_status status = nf_describing_question(&question, corpora, count, label, seed, err);
    if (status == NERFIT_OK)
        status = nf_llm_ask(llm, nf_describing_system, question.data, &watch, &answer, err);
    if (status == NERFIT_OK) {
        nf_log_info(&net->log, "description of \"%s\" by %s: %s", label, llm->name, answer);
        status = nf_descriptions_add(out, label, answer, err);
    } else {
        nf_fail_within(err, status, "description of \"%s\"", label);
    }
    free(answer);
    nf_str_free(&question);
    return status;
}

static nerfit_status describe_all(const nf_net *net, const nf_net_describing *how,
                                  const nf_corpus *const *corpora, size_t count,
                                  const nf_descriptions *labels, nf_descriptions *out,
                                  nf_arena *arena, nerfit_error *err) {
    nf_llm llm = {0};
    nf_str heading = {0};
    nf_str_appendf(&heading,
                   "Descriptions of the labels, written by %s. Edit them: what stands here is "
                   "used as it is.",
                   how->llm);
    nerfit_status status = heading.failed ? nf_no_memory(err, 0) : NERFIT_OK;
    for (size_t i = 0; i < labels->count && status == NERFIT_OK; i++) {
        const char *label = labels->labels[i];
        size_t known = nf_descriptions_find(out, label);
        if (known == out->count) {
            /* opened when it is needed: a complete file takes no key */
            if (!llm.name) status = nf_llm_open(&llm, arena, how->llm, err);
            if (status == NERFIT_OK)
                status = describe_one(net, &llm, how->seed, corpora, count, label, out, err);
            if (status == NERFIT_OK && how->file) /* an answer may have cost money */
                status = nf_descriptions_write(out, how->file, heading.data, err);
        }
        if (status == NERFIT_OK && how->described &&
            !how->described(how->user, label, out->texts[known], i + 1, labels->count))
            status =
                nf_fail(err, NERFIT_CANCELLED, "cancelled after the description of \"%s\"", label);
    }
    nf_str_free(&heading);
    return status;
}

nerfit_status nf_net_describe(const nf_net *net, const nf_net_describing *how,
                              const nf_corpus *const *corpora, size_t count, nf_descriptions *out,
                              nerfit_error *err) {
    nf_descriptions labels = {0};
    nf_arena arena = {0};
    nerfit_status status = list_labels(corpora, count, &labels, err);
    if (status == NERFIT_OK && labels.count == 0)
        status =
            nf_fail(err, NERFIT_ARGUMENT, "no text has an entity: there is no label to describe");
    if (status == NERFIT_OK) status = read_known(net, how->file, out, err);
    if (status == NERFIT_OK)
        status = describe_all(net, how, corpora, count, &labels, out, &arena, err);
    nf_descriptions_free(&labels);
    nf_arena_free(&arena);
    return status;
}

static nerfit_status describe_given(const nerfit_corpus *const *corpora, size_t count,
                                    const nerfit_describe_options *o, nf_descriptions *out,
                                    nerfit_error *error) {
    nf_net net = {o->transfer, o->user, {o->log, o->user}};
    nf_net_describing how = {o->llm, o->seed, o->file, o->described, o->user};
    const nf_corpus **inner = calloc(count + 1, sizeof *inner);
    nerfit_status status = inner ? NERFIT_OK : nf_no_memory(error, count * sizeof *inner);
    for (size_t i = 0; i < count && inner; i++) inner[i] = &corpora[i]->corpus;
    for (size_t i = 0; i < o->n_known && status == NERFIT_OK; i++)
        status = nf_descriptions_add(out, o->labels[i], o->descriptions[i], error);
    if (status == NERFIT_OK) status = nf_net_describe(&net, &how, inner, count, out, error);
    free(inner);
    return status;
}

nerfit_status nerfit_describe(const nerfit_corpus *const *corpora, size_t count,
                              const nerfit_describe_options *given, char **text,
                              nerfit_error *error) {
    nerfit_describe_options own, *options = &own;
    nf_descriptions out = {0};
    nf_str written = {0};
    *text = NULL;
    NF_TRY(nf_options_take(&own, sizeof own, given, "nerfit_describe_options", error));
    const char *format = options->format ? options->format : "json";
    if (!options->llm || strcmp(options->llm, "no") == 0)
        return nf_fail(error, NERFIT_ARGUMENT,
                       "llm is missing: expected a model's name, such as "
                       "gpt-4o-mini or ollama/llama3.2");
    if (strcmp(format, "json") != 0 && strcmp(format, "yaml") != 0)
        return nf_fail(error, NERFIT_ARGUMENT, "format \"%s\" is not one of json, yaml", format);
    nerfit_status status = describe_given(corpora, count, options, &out, error);
    if (status == NERFIT_OK) {
        nf_descriptions_format(&written, &out, strcmp(format, "json") == 0);
        if (written.failed)
            status = nf_no_memory(error, 0);
        else
            *text = written.data;
    }
    if (status != NERFIT_OK) nf_str_free(&written);
    nf_descriptions_free(&out);
    return status;
}

/* ---------------------------------------------------------------- for a run */

static nerfit_status find_model(void *user, nf_arena *arena, const char *name, bool sentence,
                                const char **folder, const char **base, nerfit_error *err) {
    return nf_net_folder(user, arena, name, sentence ? NF_HUB_SENTENCE : NF_HUB_MODEL, folder, base,
                         err);
}

static nerfit_status describe(void *user, const char *llm, const nf_corpus *const *corpora,
                              size_t count, uint64_t seed, const char *file, nf_descriptions *out,
                              nerfit_error *err) {
    nf_net_describing how = {.llm = llm, .seed = seed, .file = file};
    return nf_net_describe(user, &how, corpora, count, out, err);
}

nf_train_services nf_net_services(const nf_net *net) {
    return (nf_train_services){find_model, describe, (void *)(uintptr_t)net};
}
