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

/* ---------------------------------------------------------------- question and answer */

char *nf_llm_body(const nf_llm *llm, const char *system, const char *question) {
    enum { MOST_TOKENS = 4096 }; /* litellm's default for Anthropic, which must be told */
    json_t *body;
    if (llm->provider->form == NF_LLM_ANTHROPIC)
        body = json_pack("{s:s, s:i, s:s, s:[{s:s, s:s}]}", "model", llm->model, "max_tokens",
                         MOST_TOKENS, "system", system, "messages", "role", "user", "content",
                         question);
    else
        body = json_pack("{s:s, s:[{s:s, s:s}, {s:s, s:s}]}", "model", llm->model, "messages",
                         "role", "system", "content", system, "role", "user", "content", question);
    char *text = body ? nf_json_text(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return text;
}

/* A text, or a list of parts with texts. */
static void append_content(nf_str *out, const json_t *content) {
    size_t i;
    json_t *part;
    if (json_is_string(content)) nf_str_append_text(out, json_string_value(content));
    json_array_foreach(content, i, part) {
        const char *type = json_string_value(json_object_get(part, "type"));
        const char *text = json_string_value(json_object_get(part, "text"));
        if (text && (!type || strcmp(type, "text") == 0)) nf_str_append_text(out, text);
    }
}

static bool is_one_of(const char *reason, const char *a, const char *b, const char *c) {
    return reason && (!strcmp(reason, a) || !strcmp(reason, b) || !strcmp(reason, c));
}

/* ---------------------------------------------------------------- what people may see */

/* Words of a provider without the key, and without what a terminal would obey. */
static void append_shown(nf_str *out, const nf_llm *llm, const char *words, size_t most) {
    size_t key = llm->key ? strlen(llm->key) : 0;
    for (size_t n = 0; *words && n < most; n++) {
        const unsigned char c = (unsigned char)words[0], next = (unsigned char)words[1];
        if (key && strncmp(words, llm->key, key) == 0) {
            nf_str_append_text(out, "(key)");
            words += key;
        } else if (c == 0xC2 && next >= 0x80 && next < 0xA0) { /* U+0080 to U+009F */
            nf_str_append_char(out, ' ');
            words += 2;
        } else {
            bool control = (c < ' ' && c != '\n' && c != '\t') || c == 0x7F;
            nf_str_append_char(out, control ? ' ' : (char)c);
            words++;
        }
    }
}

static nerfit_status check_answer(const nf_llm *llm, const char *reason, const json_t *refusal,
                                  const nf_str *text, nerfit_error *err) {
    if (text->failed) return nf_no_memory(err, 0);
    if (is_one_of(reason, "content_filter", "refusal", "safety") || json_is_string(refusal)) {
        nf_str why = {0};
        append_shown(&why, llm, json_is_string(refusal) ? json_string_value(refusal) : reason, 400);
        nf_fail(err, NERFIT_UNSUPPORTED,
                "llm: %s: the provider filtered or refused the answer (%s)", llm->name,
                nf_str_text(&why));
        nf_str_free(&why);
        return NERFIT_UNSUPPORTED;
    }
    if (is_one_of(reason, "length", "max_tokens", "model_length"))
        return nf_fail(err, NERFIT_UNSUPPORTED,
                       "llm: %s: the answer was cut off at the model's limit of tokens (%s)",
                       llm->name, reason);
    const char *at = nf_str_text(text);
    while (nf_ascii_is_space(*at)) at++;
    if (!*at) return nf_fail(err, NERFIT_FORMAT, "llm: %s: the answer is empty", llm->name);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- the answer in an answer */

typedef struct slice {
    const char *start, *end;
} slice;

static slice trim(slice s) {
    while (s.start < s.end && nf_ascii_is_space(*s.start)) s.start++;
    while (s.end > s.start && nf_ascii_is_space(s.end[-1])) s.end--;
    return s;
}

static bool begins(slice s, const char *with) {
    size_t size = strlen(with);
    return (size_t)(s.end - s.start) >= size && nf_ascii_same_n(s.start, with, size);
}

static const char *find(slice s, const char *text) {
    for (; s.start < s.end; s.start++)
        if (begins(s, text)) return s.start;
    return NULL;
}

/* Reasoning models think aloud before they answer: <think> ... </think>, also without the first
 * mark, which some servers' templates put into the question. *open: the thinking never ends. */
static slice skip_thinking(slice s, bool *open) {
    static const char *const names[] = {"think", "thinking", "thought", "reasoning"};
    *open = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char first[16], last[16];
        snprintf(first, sizeof first, "<%s>", names[i]);
        snprintf(last, sizeof last, "</%s>", names[i]);
        s = trim(s);
        bool begun = begins(s, first);
        for (const char *end; (end = find(s, last));) s.start = end + strlen(last), begun = false;
        *open = *open || begun;
    }
    return trim(s);
}

/* ```json ... ``` */
static slice skip_fence(slice s) {
    static const char fence[] = "```";
    size_t size = sizeof fence - 1;
    slice inner = {s.start + size, s.end - size};
    if (!begins(s, fence) || inner.end < inner.start || strncmp(inner.end, fence, size) != 0)
        return s;
    while (inner.start < inner.end && *inner.start != '\n') inner.start++; /* its language */
    return find(inner, fence) ? s : trim(inner);
}

static slice skip_quotes(slice s) {
    static const struct {
        const char *open, *close;
    } quotes[] = {{"\"", "\""}, {"'", "'"}, {"`", "`"}, {"“", "”"},
                  {"„", "“"},   {"«", "»"}, {"‘", "’"}};
    for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++) {
        size_t first = strlen(quotes[i].open), last = strlen(quotes[i].close);
        if (!begins(s, quotes[i].open) || (size_t)(s.end - s.start) < first + last) continue;
        slice inner = {s.start + first, s.end - last};
        if (strncmp(inner.end, quotes[i].close, last) != 0) continue;
        if (!find(inner, quotes[i].open) && !find(inner, quotes[i].close)) return trim(inner);
    }
    return s;
}

/* {"description": "..."}: the one text in it; NULL: it is no such object. */
static char *text_in_json(slice s) {
    const char *name;
    json_t *value, *json = NULL;
    char *found = NULL;
    nerfit_error none; /* text that is no JSON is a description as it stands */
    if (nf_json_parse(&json, s.start, (size_t)(s.end - s.start), NULL, 1, &none) != NERFIT_OK)
        return NULL;
    if (json_is_object(json) && json_object_size(json) == 1)
        json_object_foreach(json, name, value) if (json_is_string(value)) found =
            strdup(json_string_value(value));
    json_decref(json);
    return found;
}

/* The description alone, malloc'ed; NULL when out of memory. *open: there is only thinking. */
static char *extract(const nf_llm *llm, const char *text, bool *open) {
    nf_str shown = {0};
    slice s = skip_thinking((slice){text, text + strlen(text)}, open);
    s = skip_fence(s);
    char *inner = s.start < s.end && *s.start == '{' ? text_in_json(s) : NULL;
    if (inner) s = trim((slice){inner, inner + strlen(inner)});
    s = skip_quotes(s);
    size_t size = (size_t)(s.end - s.start);
    char *copy = malloc(size + 1);
    if (copy) memcpy(copy, s.start, size);
    if (copy) copy[size] = '\0';
    if (copy) append_shown(&shown, llm, copy, SIZE_MAX);
    if (!shown.data && copy) nf_str_append_text(&shown, "");
    free(copy);
    free(inner);
    if (copy && !shown.failed) return shown.data;
    nf_str_free(&shown);
    return NULL;
}

/* The provider's own words on an error: {"error": {"message": ...}} and its like; NULL: none. */
static const char *words_on_error(const json_t *json) {
    const json_t *object = json_is_array(json) ? json_array_get(json, 0) : json; /* Gemini's */
    const json_t *error = json_object_get(object, "error");
    const char *words = json_string_value(json_object_get(error, "message"));
    if (!words) words = json_string_value(error);
    if (!words) words = json_string_value(json_object_get(object, "message"));
    if (!words) words = json_string_value(json_object_get(object, "detail"));
    return words;
}

nerfit_status nf_llm_read(const nf_llm *llm, const char *answer, size_t size, char **out,
                          nerfit_error *err) {
    json_t *json;
    *out = NULL;
    nerfit_status status = nf_json_parse(&json, answer, size, "the answer", 1, err);
    if (status != NERFIT_OK) return nf_fail_within(err, status, "llm: %s", llm->name);
    nf_str text = {0};
    const json_t *holder = json, *content, *refusal = NULL;
    const char *reason;
    if (llm->provider->form == NF_LLM_ANTHROPIC) {
        content = json_object_get(json, "content");
        reason = json_string_value(json_object_get(json, "stop_reason"));
    } else {
        const json_t *choice = json_array_get(json_object_get(json, "choices"), 0);
        holder = json_object_get(choice, "message");
        content = json_object_get(holder, "content");
        refusal = json_object_get(holder, "refusal");
        reason = json_string_value(json_object_get(choice, "finish_reason"));
    }
    append_content(&text, content);
    const char *words = words_on_error(json);
    bool open = false;
    if (words && !content) { /* some servers send errors as if all were well */
        nf_str why = {0};
        append_shown(&why, llm, words, 400);
        status =
            nf_fail(err, NERFIT_IO, "llm: %s: the provider says: %s", llm->name, nf_str_text(&why));
        nf_str_free(&why);
    } else if (!json_is_object(holder) || (!content && !reason && !json_is_string(refusal)))
        status = nf_fail(
            err, NERFIT_FORMAT, "llm: %s: the answer is not of the form expected (%s)", llm->name,
            llm->provider->form == NF_LLM_ANTHROPIC ? "\"content\" with texts"
                                                    : "\"choices\" with a \"message\"");
    else
        status = check_answer(llm, reason, refusal, &text, err);
    if (status == NERFIT_OK && !(*out = extract(llm, nf_str_text(&text), &open)))
        status = nf_no_memory(err, 0);
    if (status == NERFIT_OK && !**out)
        status = nf_fail(err, NERFIT_FORMAT, "llm: %s: the answer is %s", llm->name,
                         open ? "thinking alone" : "empty but for its marks");
    if (status == NERFIT_OK && open)
        status = nf_fail(err, NERFIT_FORMAT, "llm: %s: the answer is thinking alone: it never ends",
                         llm->name);
    if (status != NERFIT_OK) {
        free(*out);
        *out = NULL;
    }
    nf_str_free(&text);
    json_decref(json);
    return status;
}

static void append_reason(nf_str *out, const nf_llm *llm, const nf_http_response *r) {
    json_t *json = json_loadb(nf_str_text(&r->body), r->body.length, JSON_DISABLE_EOF_CHECK, NULL);
    const char *words = words_on_error(json);
    if (words) nf_str_append_text(out, ": ");
    if (words) append_shown(out, llm, words, 400);
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

nerfit_status nf_llm_ask(const nf_llm *llm, const char *system, const char *question,
                         const nf_http_watch *watch, char **text, nerfit_error *err) {
    static const char *const headers[] = {"anthropic-version: 2023-06-01"};
    *text = NULL;
    char *body = nf_llm_body(llm, system, question);
    if (!body) return nf_no_memory(err, 0);
    nf_http_request request = {.method = "POST",
                               .url = llm->url,
                               .headers = headers,
                               .n_headers = llm->provider->form == NF_LLM_ANTHROPIC,
                               .secret = llm->secret,
                               .body = body};
    nf_http_response response = {0};
    nerfit_status status = nf_http_send(&request, &llm->policy, watch, &response, err);
    if (status != NERFIT_OK)
        status = nf_fail_within(err, status, "llm: %s", llm->name);
    else if (response.status != 200)
        status = refused(llm, &response, err);
    else
        status = nf_llm_read(llm, nf_str_text(&response.body), response.body.length, text, err);
    nf_http_response_free(&response);
    free(body);
    return status;
}
