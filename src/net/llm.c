#include "net/llm.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "base/str.h"

/* ---------------------------------------------------------------- from the environment */

static const char *first_set(const char *const names[NF_LLM_NAMES]) {
    for (size_t i = 0; i < NF_LLM_NAMES && names[i]; i++)
        if (nf_http_environment(names[i])) return nf_http_environment(names[i]);
    return NULL;
}

static void list_names(nf_str *out, const char *const names[NF_LLM_NAMES]) {
    for (size_t i = 0; i < NF_LLM_NAMES && names[i]; i++)
        nf_str_appendf(out, "%s%s", i ? " or " : "", names[i]);
}

static nerfit_status missing(const char *name, const char *what, const char *const *names,
                             nerfit_error *err) {
    nf_str list = {0};
    list_names(&list, names);
    nf_fail(err, NERFIT_ARGUMENT, "llm: %s needs %s: set the environment variable %s", name, what,
            nf_str_text(&list));
    nf_str_free(&list);
    return NERFIT_ARGUMENT;
}

/* Base and path; a base that has the path, or its beginning, already, is as good. */
static void openai_url(nf_str *url, const char *base, const char *path) {
    size_t size = strlen(base), slash;
    while (size > 0 && base[size - 1] == '/') size--;
    nf_str_append(url, base, size);
    if (nf_text_ends_with(base, size, path)) return;
    slash = strcspn(path + 1, "/") + 1; /* "/v1" of "/v1/chat/completions" */
    char first[16] = {0};
    if (slash < sizeof first) memcpy(first, path, slash);
    nf_str_append_text(url,
                       path[slash] && nf_text_ends_with(base, size, first) && strcmp(first, "/chat")
                           ? path + slash
                           : path);
}

static void azure_url(nf_str *url, const char *base, const char *deployment) {
    const char *version = nf_http_environment("AZURE_API_VERSION");
    size_t size = strlen(base);
    while (size > 0 && base[size - 1] == '/') size--;
    nf_str_append(url, base, size);
    nf_str_append_text(url, "/openai/deployments/");
    nf_http_escape(url, deployment, false);
    nf_str_append_text(url, "/chat/completions?api-version=");
    nf_http_escape(url, version ? version : "2024-10-21", false);
}

static const char *kept(nf_arena *arena, nf_str *text) {
    const char *copy = text->failed ? NULL : nf_arena_strdup(arena, nf_str_text(text));
    nf_str_free(text);
    return copy;
}

/* "huggingface/provider/owner/name" is the router's "owner/name:provider". */
static const char *router_model(nf_arena *arena, const char *model) {
    size_t first = strcspn(model, "/");
    if (!model[first] || !strchr(model + first + 1, '/')) return model;
    nf_str text = {0};
    nf_str_appendf(&text, "%s:%.*s", model + first + 1, (int)first, model);
    return kept(arena, &text);
}

static nerfit_status take_key(nf_llm *llm, nf_arena *arena, nerfit_error *err) {
    const nf_llm_provider *p = llm->provider;
    static const char *const headers[] = {"Authorization: Bearer ", "api-key: ", "x-api-key: "};
    const char *key = first_set(p->keys);
    if (!key) return p->key_optional ? NERFIT_OK : missing(llm->name, "a key", p->keys, err);
    nf_str trimmed = {0}, header = {0};
    size_t size = strlen(key);
    while (size > 0 && nf_ascii_is_space(key[size - 1])) size--;
    nf_str_append(&trimmed, key, size);
    for (size_t i = 0; i < trimmed.length; i++)
        if ((unsigned char)trimmed.data[i] <= ' ' || (unsigned char)trimmed.data[i] > '~') {
            nf_str_free(&trimmed);
            nf_fail(err, NERFIT_ARGUMENT,
                    "llm: the key of %s has a space or a character that no key "
                    "has",
                    llm->name);
            return NERFIT_ARGUMENT;
        }
    if (!trimmed.length && !trimmed.failed) {
        nf_str_free(&trimmed);
        return p->key_optional ? NERFIT_OK : missing(llm->name, "a key", p->keys, err);
    }
    nf_str_appendf(&header, "%s%s", headers[p->form], nf_str_text(&trimmed));
    llm->key = kept(arena, &trimmed);
    llm->secret = kept(arena, &header);
    return llm->key && llm->secret ? NERFIT_OK : nf_no_memory(err, 0);
}

nerfit_status nf_llm_open(nf_llm *llm, nf_arena *arena, const char *name, nerfit_error *err) {
    *llm = (nf_llm){.name = nf_arena_strdup(arena, name)};
    const char *model;
    double seconds;
    nf_str url = {0};
    if (!llm->name) return nf_no_memory(err, 0);
    NF_TRY(nf_llm_provider_find(&llm->provider, &model, llm->name, err));
    const nf_llm_provider *p = llm->provider;
    bool router = strcmp(p->name, "huggingface") == 0 && !first_set(p->bases);
    llm->model = router ? router_model(arena, model) : model;
    const char *base = first_set(p->bases);
    if (!base) base = p->base;
    if (!base) return missing(llm->name, "an address", p->bases, err);
    NF_TRY(take_key(llm, arena, err));
    NF_TRY(nf_http_seconds(&seconds, "NERFIT_LLM_TIMEOUT", 600, err)); /* as OpenAI's client */
    if (p->form == NF_LLM_AZURE)
        azure_url(&url, base, llm->model);
    else
        openai_url(&url, base, p->path);
    llm->url = kept(arena, &url);
    llm->policy = (nf_http_policy){.total_timeout = seconds, .stall_timeout = seconds + 1};
    return llm->url && llm->model ? NERFIT_OK : nf_no_memory(err, 0);
}

/* ---------------------------------------------------------------- the question */

/* The form that an answer must have, as each kind of provider takes it. */
static bool body_structure(json_t *body, const nf_llm *llm, const char *schema) {
    json_t *form, *value;
    bool tool = llm->provider->form == NF_LLM_ANTHROPIC;
    if (llm->provider->structure == NF_LLM_PLAIN) return true;
    if (nf_json_parse(&form, schema, strlen(schema), "schema", 1, NULL) != NERFIT_OK) return false;
    if (tool) {
        value = json_pack("[{s:s, s:s, s:o}]", "name", "answer", "description",
                          "The answer, in its form.", "input_schema", form);
        json_t *choice = json_pack("{s:s, s:s}", "type", "tool", "name", "answer");
        return json_object_set_new(body, "tools", value) == 0 &&
               json_object_set_new(body, "tool_choice", choice) == 0;
    }
    if (llm->provider->structure == NF_LLM_JSON_OBJECT) {
        json_decref(form);
        value = json_pack("{s:s}", "type", "json_object");
    } else {
        value = json_pack("{s:s, s:{s:s, s:b, s:o}}", "type", "json_schema", "json_schema", "name",
                          "answer", "strict", 1, "schema", form);
    }
    return json_object_set_new(body, "response_format", value) == 0;
}

char *nf_llm_body(const nf_llm *llm, const nf_llm_question *question) {
    enum { MOST_TOKENS = 4096 }; /* litellm's default for Anthropic, which must be told */
    json_t *body;
    if (llm->provider->form == NF_LLM_ANTHROPIC)
        body = json_pack("{s:s, s:i, s:s, s:[{s:s, s:s}]}", "model", llm->model, "max_tokens",
                         MOST_TOKENS, "system", question->system, "messages", "role", "user",
                         "content", question->text);
    else
        body = json_pack("{s:s, s:[{s:s, s:s}, {s:s, s:s}]}", "model", llm->model, "messages",
                         "role", "system", "content", question->system, "role", "user", "content",
                         question->text);
    bool made = body != NULL;
    if (made && question->warm)
        made = json_object_set_new(body, "temperature", json_real(question->temperature)) == 0;
    if (made && question->schema) made = body_structure(body, llm, question->schema);
    char *text = made ? nf_json_text(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return text;
}

/* ---------------------------------------------------------------- what went wrong */

static void append_reason(nf_str *out, const nf_llm *llm, const nf_http_response *r) {
    json_t *json = json_loadb(nf_str_text(&r->body), r->body.length, JSON_DISABLE_EOF_CHECK, NULL);
    const char *words = nf_llm_words_on_error(json);
    if (words) nf_str_append_text(out, ": ");
    if (words) nf_llm_append_shown(out, llm, words, 400);
    json_decref(json);
}

static nerfit_status refused(const nf_llm *llm, const nf_http_response *r, nerfit_error *err) {
    nf_str why = {0}, url = {0}, keys = {0};
    append_reason(&why, llm, r);
    nf_http_url_shown(&url, llm->url);
    list_names(&keys, llm->provider->keys);
    if (r->status == 401 || r->status == 403)
        nf_fail(err, NERFIT_IO, "llm: %s: %s refused the key (HTTP status %ld); check %s%s",
                llm->name, nf_str_text(&url), r->status, nf_str_text(&keys), nf_str_text(&why));
    else if (r->status == 404)
        nf_fail(err, NERFIT_IO, "llm: %s: %s knows no such model or address (HTTP status 404)%s",
                llm->name, nf_str_text(&url), nf_str_text(&why));
    else if (r->status == 429)
        nf_fail(err, NERFIT_IO,
                "llm: %s: too many requests, or the account's quota is used up (HTTP "
                "status 429)%s",
                llm->name, nf_str_text(&why));
    else
        nf_fail(err, NERFIT_IO, "llm: %s: %s answered with HTTP status %ld%s", llm->name,
                nf_str_text(&url), r->status, nf_str_text(&why));
    nf_str_free(&why);
    nf_str_free(&url);
    nf_str_free(&keys);
    return NERFIT_IO;
}

nerfit_status nf_llm_ask_with(const nf_llm *llm, const nf_llm_question *question,
                              const nf_http_watch *watch, nf_llm_answer *answer,
                              nerfit_error *err) {
    static const char *const headers[] = {"anthropic-version: 2023-06-01"};
    *answer = (nf_llm_answer){0};
    char *body = nf_llm_body(llm, question);
    if (!body) return nf_no_memory(err, 0);
    nf_http_request request = {.method = "POST",
                               .url = llm->url,
                               .headers = headers,
                               .n_headers = llm->provider->form == NF_LLM_ANTHROPIC,
                               .secret = llm->secret,
                               .body = body};
    nf_http_response response = {0};
    nerfit_status status = nf_http_send(&request, &llm->policy, watch, &response, err);
    answer->http_status = status == NERFIT_OK ? response.status : 0;
    if (status != NERFIT_OK)
        status = nf_fail_within(err, status, "llm: %s", llm->name);
    else if (response.status != 200)
        status = refused(llm, &response, err);
    else
        status =
            nf_llm_answer_read(llm, nf_str_text(&response.body), response.body.length, answer, err);
    nf_http_response_free(&response);
    free(body);
    return status;
}

nerfit_status nf_llm_ask(const nf_llm *llm, const char *system, const char *text,
                         const nf_http_watch *watch, char **out, nerfit_error *err) {
    const nf_llm_question question = {.system = system, .text = text};
    nf_llm_answer answer;
    *out = NULL;
    nerfit_status status = nf_llm_ask_with(llm, &question, watch, &answer, err);
    if (status == NERFIT_OK) status = nf_llm_description(llm, &answer, out, err);
    free(answer.text);
    return status;
}
