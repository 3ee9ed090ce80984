/* What comes back from a language model: the text in an answer, what ended it, and what of it may be
 * shown. */
#include "net/llm.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/json.h"
#include "base/number.h"
#include "base/str.h"

/* A text, or a list of parts with texts. */
static void append_content(nf_str *out, const json_t *content) {
    size_t i;
    json_t *part;
    if (json_is_string(content)) nf_str_append_text(out, json_string_value(content));
    json_array_foreach(content, i, part) {
        const char *type = json_string_value(json_object_get(part, "type"));
        const char *text = json_string_value(json_object_get(part, "text"));
        if (text && (!type || strcmp(type, "text") == 0)) nf_str_append_text(out, text);
        const json_t *input = json_object_get(part, "input"); /* of a tool: the form asked for */
        char *form = input && type && strcmp(type, "tool_use") == 0
                         ? nf_json_text(input, JSON_COMPACT)
                         : NULL;
        if (form) nf_str_append_text(out, form);
        free(form);
    }
}

static bool is_one_of(const char *reason, const char *a, const char *b, const char *c) {
    return reason && (!strcmp(reason, a) || !strcmp(reason, b) || !strcmp(reason, c));
}

/* ---------------------------------------------------------------- what people may see */

/* Words of a provider without the key, and without what a terminal would obey. */
void nf_llm_append_shown(nf_str *out, const nf_llm *llm, const char *words, size_t most) {
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

static nerfit_status cut_off(const nf_llm *llm, const char *reason, nerfit_error *err) {
    return nf_fail(err, NERFIT_UNSUPPORTED,
                   "llm: %s: the answer was cut off at the model's limit of tokens (%s)", llm->name,
                   reason);
}

static nerfit_status check_answer(const nf_llm *llm, const char *reason, const json_t *refusal,
                                  const nf_str *text, nerfit_error *err) {
    if (text->failed) return nf_no_memory(err, 0);
    if (is_one_of(reason, "content_filter", "refusal", "safety") || json_is_string(refusal)) {
        nf_str why = {0};
        nf_llm_append_shown(&why, llm,
                            json_is_string(refusal) ? json_string_value(refusal) : reason, 400);
        nf_fail(err, NERFIT_UNSUPPORTED,
                "llm: %s: the provider filtered or refused the answer (%s)", llm->name,
                nf_str_text(&why));
        nf_str_free(&why);
        return NERFIT_UNSUPPORTED;
    }
    const char *at = nf_str_text(text);
    while (nf_ascii_is_space(*at)) at++;
    if (!*at && is_one_of(reason, "length", "max_tokens", "model_length"))
        return cut_off(llm, reason, err);
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
    if (copy) nf_llm_append_shown(&shown, llm, copy, SIZE_MAX);
    if (!shown.data && copy) nf_str_append_text(&shown, "");
    free(copy);
    free(inner);
    if (copy && !shown.failed) return shown.data;
    nf_str_free(&shown);
    return NULL;
}

/* The provider's own words on an error: {"error": {"message": ...}} and its like; NULL: none. */
const char *nf_llm_words_on_error(const json_t *json) {
    const json_t *object = json_is_array(json) ? json_array_get(json, 0) : json; /* Gemini's */
    const json_t *error = json_object_get(object, "error");
    const char *words = json_string_value(json_object_get(error, "message"));
    if (!words) words = json_string_value(error);
    if (!words) words = json_string_value(json_object_get(object, "message"));
    if (!words) words = json_string_value(json_object_get(object, "detail"));
    return words;
}

/* What the provider counted. */
static uint64_t count_of(const json_t *json, const char *name, const char *other) {
    const json_t *usage = json_object_get(json, "usage"), *count = json_object_get(usage, name);
    if (!json_is_integer(count)) count = json_object_get(usage, other);
    return json_integer_value(count) > 0 ? (uint64_t)json_integer_value(count) : 0;
}

/* Where an answer has its text and why it ends, in either form. */
typedef struct parts {
    const json_t *holder, *content, *refusal;
    const char *reason;
} parts;

static parts parts_of(const nf_llm *llm, const json_t *json) {
    parts p = {.holder = json};
    if (llm->provider->form == NF_LLM_ANTHROPIC) {
        p.content = json_object_get(json, "content");
        p.reason = json_string_value(json_object_get(json, "stop_reason"));
    } else {
        const json_t *choice = json_array_get(json_object_get(json, "choices"), 0);
        p.holder = json_object_get(choice, "message");
        p.content = json_object_get(p.holder, "content");
        p.refusal = json_object_get(p.holder, "refusal");
        p.reason = json_string_value(json_object_get(choice, "finish_reason"));
    }
    return p;
}

static nerfit_status read_parts(const nf_llm *llm, const json_t *json, const parts *p, nf_str *text,
                                nerfit_error *err) {
    append_content(text, p->content);
    const char *words = nf_llm_words_on_error(json);
    if (words && !p->content) { /* some servers send errors as if all were well */
        nf_str why = {0};
        nf_llm_append_shown(&why, llm, words, 400);
        nf_fail(err, NERFIT_IO, "llm: %s: the provider says: %s", llm->name, nf_str_text(&why));
        nf_str_free(&why);
        return NERFIT_IO;
    }
    if (!json_is_object(p->holder) || (!p->content && !p->reason && !json_is_string(p->refusal)))
        return nf_fail(err, NERFIT_FORMAT, "llm: %s: the answer is not of the form expected (%s)",
                       llm->name,
                       llm->provider->form == NF_LLM_ANTHROPIC ? "\"content\" with texts"
                                                               : "\"choices\" with a \"message\"");
    return check_answer(llm, p->reason, p->refusal, text, err);
}

nerfit_status nf_llm_answer_read(const nf_llm *llm, const char *bytes, size_t size,
                                 nf_llm_answer *out, nerfit_error *err) {
    json_t *json;
    nf_str text = {0};
    nerfit_status status = nf_json_parse(&json, bytes, size, "the answer", 1, err);
    if (status != NERFIT_OK) return nf_fail_within(err, status, "llm: %s", llm->name);
    const parts p = parts_of(llm, json);
    status = read_parts(llm, json, &p, &text, err);
    out->truncated = is_one_of(p.reason, "length", "max_tokens", "model_length");
    out->tokens_in = count_of(json, "prompt_tokens", "input_tokens");
    out->tokens_out = count_of(json, "completion_tokens", "output_tokens");
    if (status == NERFIT_OK && out->truncated)
        nf_print(out->reason, sizeof out->reason, "%s", p.reason);
    if (status == NERFIT_OK)
        out->text = text.data;
    else
        nf_str_free(&text);
    json_decref(json);
    return status;
}

nerfit_status nf_llm_description(const nf_llm *llm, const nf_llm_answer *answer, char **out,
                                 nerfit_error *err) {
    bool open = false;
    nerfit_status status = NERFIT_OK;
    *out = NULL;
    if (answer->truncated) return cut_off(llm, answer->reason, err);
    if (!(*out = extract(llm, answer->text, &open))) return nf_no_memory(err, 0);
    if (open && **out)
        status = nf_fail(err, NERFIT_FORMAT, "llm: %s: the answer is thinking alone: it never ends",
                         llm->name);
    else if (!**out)
        status = nf_fail(err, NERFIT_FORMAT, "llm: %s: the answer is %s", llm->name,
                         open ? "thinking alone" : "empty but for its marks");
    if (status != NERFIT_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

nerfit_status nf_llm_read(const nf_llm *llm, const char *bytes, size_t size, char **out,
                          nerfit_error *err) {
    nf_llm_answer answer = {0};
    *out = NULL;
    nerfit_status status = nf_llm_answer_read(llm, bytes, size, &answer, err);
    if (status == NERFIT_OK) status = nf_llm_description(llm, &answer, out, err);
    free(answer.text);
    return status;
}
