/* What in an object of JSON could be annotations that its reader would not see: better an error that
 * names the key than a text without entities. */
#include <string.h>

#include "base/ascii.h"
#include "data/json_value.h"
#include "labels/tagging.h"

/* [1, 4, "PER"], or an object that has a start, itself or in a part of it. */
static bool looks_like_span(const json_t *json, int depth) {
    const char *key;
    json_t *member;
    if (json_is_array(json)) {
        size_t integers = 0, texts = 0;
        for (size_t i = 0; i < json_array_size(json); i++) {
            integers += json_is_integer(json_array_get(json, i));
            texts += json_is_string(json_array_get(json, i));
        }
        return integers == 2 && texts >= 1;
    }
    if (json_is_integer(
            nf_json_get(json,
                        "start|start_offset|startOffset|start_char|char_start|start_index|"
                        "startIndex|token_start|begin|from|span.0|pos.0|position.0|offset|Start|"
                        "Begin|BeginOffset|answer_start|index.0|interval.0|range.0",
                        NULL)))
        return true;
    if (depth) json_object_foreach((json_t *)json, key, member) {
            if (json_is_object(member) && looks_like_span(member, depth - 1)) return true;
        }
    return false;
}

/* A list that was turned into a text. */
static bool looks_like_printed_list(const char *text) {
    text += strspn(text, " ");
    return (text[0] == '[' && strspn(text + 1, " [({\"'0123456789-") > 1) ||
           (text[0] == '{' && strspn(text + 1, " \"'") > 0);
}

/* The labels of several words in one text: "B-PER I-PER O". */
static bool looks_like_tags(const char *text) {
    size_t labels = 0, words = 0;
    for (size_t size; *text; text += size) {
        text += strspn(text, " ,");
        size = strcspn(text, " ,");
        if (!size) break;
        if (!nf_is_tag(text, size)) return false;
        labels += size > 1;
        words++;
    }
    return labels > 0 && words > 1;
}

/* Keys under which other tools have annotations. */
static const char *const annotation_keys[] = {"label",       "labels",      "spans", "ents",
                                              "annotations", "denotations", "ner",   "tags",
                                              "ner_tags",    "annotation",  "entity"};

static bool is_one_of(const char *const *keys, size_t count, const char *key) {
    for (size_t i = 0; i < count; i++)
        if (nf_ascii_same(keys[i], key)) return true;
    return false;
}

/* {"PER": ["Ada"], ...}, under a key that means annotations. */
static bool looks_like_lists_by_label(const char *key, const json_t *json) {
    static const char *const keys[] = {"ner",    "ents",  "annotations", "annotation", "entity",
                                       "labels", "spans", "denotations", "entities"};
    const char *label;
    json_t *list;
    if (!is_one_of(keys, NF_COUNT(keys), key)) return false;
    json_object_foreach((json_t *)json, label, list) if (json_array_size(list) > 0) return true;
    return false;
}

/* ["Ada Byron", ...], words of the text, under a key that means annotations. */
static bool looks_like_mentions(const char *key, const json_t *json, const char *text) {
    static const char *const keys[] = {"ner", "ents", "entity", "spans", "entities", "mentions"};
    const char *first = json_string_value(json_array_get(json, 0));
    return first && *first && text && strstr(text, first) && is_one_of(keys, NF_COUNT(keys), key);
}

static bool looks_like_spans(const json_t *json) {
    const json_t *first = json_array_get(json, 0);
    if (!json_is_string(first)) return looks_like_span(first, 1);
    size_t tags = 0, count = json_array_size(json);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(json, i);
        tags +=
            json_is_string(item) && nf_is_tag(json_string_value(item), json_string_length(item));
    }
    return tags == count;
}

/* Whether a value has in it, some levels down, what looks like annotations. */
static bool holds_spans(const json_t *value, int depth) {
    const char *key;
    json_t *member;
    if (json_is_array(value))
        return looks_like_spans(value) ||
               (depth && holds_spans(json_array_get(value, 0), depth - 1));
    if (depth && json_is_object(value))
        json_object_foreach((json_t *)value, key,
                            member) if (strcmp(key, "tokens") != 0 &&
                                        holds_spans(member, depth - 1)) return true;
    return false;
}

const char *nf_json_annotation_key(const json_t *object, bool deep) {
    enum { LEVELS = 4 };
    const char *key, *own = json_string_value(json_object_get(object, "text"));
    json_t *value;
    for (size_t i = 0; i < NF_COUNT(annotation_keys); i++) {
        value = json_object_get(object, annotation_keys[i]);
        bool objects =
            i && json_is_object(json_array_get(value, 0)); /* whatever they call places */
        if (objects || looks_like_spans(value) ||
            (json_is_string(value) && looks_like_printed_list(json_string_value(value))))
            return annotation_keys[i];
    }
    json_object_foreach((json_t *)object, key, value) {
        if (strcmp(key, "entities") == 0 || strcmp(key, "tokens") == 0) continue;
        const char *text = json_string_value(value);
        if (looks_like_spans(value) || looks_like_lists_by_label(key, value) ||
            looks_like_mentions(key, value, own) ||
            (text && strcmp(key, "text") != 0 && looks_like_tags(text)))
            return key;
    }
    if (!deep) return NULL;
    json_object_foreach((json_t *)object, key, value) if (holds_spans(value, LEVELS)) return key;
    return NULL;
}
