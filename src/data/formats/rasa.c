/* Rasa's training data: examples with [span](label), in YAML (nlu: - intent, examples: | - ...), in
 * Markdown (## intent:name, - ...), or with offsets in JSON. An annotation may say more:
 * [span](label:value), [span]{"entity": "label", "value": "...", "role": "..."}, or several in [...].
 * (https://rasa.com/docs/rasa/training-data-format, 3; https://legacy-docs-v1.rasa.com) */
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/json.h"
#include "base/yaml.h"
#include "data/formats/format.h"
#include "data/json_place.h"
#include "data/lines.h"

/* ---------------------------------------------------------------- one example */

typedef struct example {
    nf_reading *reading;
    nf_arena arena;
    nf_str text;
    uint32_t at;
    nf_given_list spans;
} example;

/* {"entity": ..., ...} behind a span: its label, the rest as fields. */
static nerfit_status read_object(example *e, const char *text, size_t size, long line,
                                 nf_given_span *span, bool *good) {
    static const char *const taken[] = {"entity", NULL};
    nerfit_error error;
    json_t *json;
    *good = false;
    nerfit_status status = nf_json_parse_at(&json, text, size, e->reading->name, line, 0, &error);
    if (status != NERFIT_OK) return nf_reading_take(e->reading, &error);
    const json_t *entity = json_object_get(json, "entity");
    nf_json_value value = {e->reading, json, text, size, line, 0};
    nf_beside *beside = nf_arena_calloc(&e->arena, 1, sizeof *beside);
    if (!beside)
        status = nf_no_memory(e->reading->err, sizeof *beside);
    else if (!json_is_string(entity))
        status = nf_json_value_error(&value, SIZE_MAX, 0, "an annotation has no \"entity\"");
    else {
        span->label = nf_arena_strdup(&e->arena, json_string_value(entity));
        span->label_size = json_string_length(entity);
        status = nf_json_fields(&value, 0, taken, &e->arena, &beside->fields);
        if (!span->label) status = nf_no_memory(e->reading->err, span->label_size);
        if (beside->fields) span->beside = beside;
        *good = status == NERFIT_OK;
    }
    json_decref(json);
    return status;
}

/* (label) or (label:value). */
static nerfit_status read_label(example *e, const char *text, size_t size, nf_given_span *span) {
    const char *colon = memchr(text, ':', size);
    nf_str fields = {0};
    span->label = text;
    span->label_size = colon ? (size_t)(colon - text) : size;
    if (!colon) return NERFIT_OK;
    nf_str_append_text(&fields, "\"value\": ");
    nf_str_append_json(&fields, colon + 1, size - span->label_size - 1);
    nf_beside *beside = nf_arena_calloc(&e->arena, 1, sizeof *beside);
    if (beside) beside->fields = nf_arena_copy(&e->arena, nf_str_text(&fields), fields.length);
    bool failed = fields.failed || !beside || !beside->fields;
    nf_str_free(&fields);
    span->beside = beside;
    return failed ? nf_no_memory(e->reading->err, size) : NERFIT_OK;
}

static void append(example *e, const char *text, size_t size) {
    nf_str_append(&e->text, text, size);
    e->at += (uint32_t)nf_utf8_count(text, size);
}

/* [{"entity": ...}, {"entity": ...}]: an entity for each. */
static nerfit_status read_objects(example *e, const char *text, size_t size, long line,
                                  const nf_given_span *place, bool *good) {
    for (size_t at = nf_json_first_part(text, size, 0); at < size && *good;
         at = nf_json_next_part(text, size, at)) {
        nf_given_span span = *place;
        NF_TRY(
            read_object(e, text + at, nf_json_value_end(text, size, at) - at, line, &span, good));
        if (*good) NF_TRY(nf_given_list_add(&e->spans, &span, line, e->reading->err));
    }
    return NERFIT_OK;
}

/* Where what is behind the "]" of a span ends; `size` if nothing there says what it is. */
static size_t annotation_end(const char *text, size_t size, size_t at) {
    const char *close = at < size && text[at] == '(' ? memchr(text + at, ')', size - at) : NULL;
    if (close) return (size_t)(close - text);
    bool objects = at + 1 < size && text[at] == '[' && text[at + 1] == '{';
    size_t end = objects || (at < size && text[at] == '{') ? nf_json_value_end(text, size, at) : at;
    return end > at ? end - 1 : size;
}

static nerfit_status read_pieces(example *e, const char *text, size_t size, long line, bool *good) {
    *good = true;
    for (size_t at = 0; at < size;) {
        const char *open = memchr(text + at, '[', size - at);
        size_t from = open ? (size_t)(open - text) : size, close = from;
        while (close < size && text[close] != ']') close++;
        size_t end = annotation_end(text, size, close + 1);
        if (end >= size) { /* a bracket that is text */
            size_t next = from < size ? from + 1 : size;
            append(e, text + at, next - at);
            at = next;
            continue;
        }
        append(e, text + at, from - at);
        nf_given_span span = {.start = e->at};
        append(e, text + from + 1, close - from - 1);
        span.end = e->at;
        if (text[close + 1] == '[')
            NF_TRY(read_objects(e, text + close + 1, end - close, line, &span, good));
        else if (text[close + 1] == '{')
            NF_TRY(read_object(e, text + close + 1, end - close, line, &span, good));
        else
            NF_TRY(read_label(e, text + close + 2, end - close - 2, &span));
        if (!*good) return NERFIT_OK;
        if (text[close + 1] != '[')
            NF_TRY(nf_given_list_add(&e->spans, &span, line, e->reading->err));
        at = end + 1;
    }
    return e->text.failed ? nf_no_memory(e->reading->err, size) : NERFIT_OK;
}

/* An example, with its intent as a field. */
static nerfit_status read_example(nf_reading *reading, const char *text, size_t size, long line,
                                  const char *intent, size_t intent_size) {
    example e = {.reading = reading};
    nf_str fields = {0};
    bool good = true;
    size_t bad;
    if (!nf_utf8_valid(text, size, &bad) || !nf_utf8_valid(intent, intent_size, &bad) ||
        memchr(intent, '\0', intent_size))
        return nf_reading_malformed(reading, line, 0,
                                    "is not valid UTF-8, or its intent holds a NUL character");
    nf_text_trim(&text, &size);
    nerfit_status status = read_pieces(&e, text, size, line, &good);
    if (intent_size) {
        nf_str_append_text(&fields, "\"intent\": ");
        nf_str_append_json(&fields, intent, intent_size);
    }
    nf_beside beside = {.fields = nf_str_text(&fields)};
    nf_given_document given = {.text = nf_str_text(&e.text),
                               .text_size = e.text.length,
                               .spans = e.spans.items,
                               .n_spans = e.spans.count,
                               .beside = intent_size ? &beside : NULL,
                               .line = line};
    if (status == NERFIT_OK && fields.failed) status = nf_no_memory(reading->err, intent_size);
    if (status == NERFIT_OK && good) status = nf_reading_add(reading, &given);
    nf_str_free(&fields);
    nf_str_free(&e.text);
    nf_given_list_free(&e.spans);
    nf_arena_free(&e.arena);
    return status;
}

/* Lines "- example". */
static nerfit_status read_examples(nf_reading *reading, const char *text, size_t size, long first,
                                   const char *intent, size_t intent_size) {
    nf_lines lines = {text, text + size, first - 1};
    const char *line;
    size_t length;
    while (nf_lines_next(&lines, &line, &length)) {
        nf_text_trim(&line, &length);
        if (!length) continue;
        if (line[0] != '-')
            NF_TRY(nf_reading_malformed(reading, lines.number, 0, "expected \"- example\""));
        else
            NF_TRY(read_example(reading, line + 1, length - 1, lines.number, intent, intent_size));
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- YAML */

static const char *scalar_of(const yaml_node_t *node, size_t *size) {
    *size = 0;
    if (!node || node->type != YAML_SCALAR_NODE) return NULL;
    *size = node->data.scalar.length;
    return (const char *)node->data.scalar.value;
}

static yaml_node_t *yaml_member(yaml_document_t *d, const yaml_node_t *map, const char *key) {
    if (!map || map->type != YAML_MAPPING_NODE) return NULL;
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++) {
        size_t size;
        const char *name = scalar_of(yaml_document_get_node(d, p->key), &size);
        if (name && strcmp(name, key) == 0) return yaml_document_get_node(d, p->value);
    }
    return NULL;
}

static nerfit_status read_item(nf_reading *reading, yaml_document_t *d, yaml_node_t *item) {
    size_t intent_size, size;
    const char *intent = scalar_of(yaml_member(d, item, "intent"), &intent_size);
    yaml_node_t *examples = yaml_member(d, item, "examples");
    if (!intent || !examples) return NERFIT_OK; /* synonyms, look-ups, patterns */
    long line = (long)examples->start_mark.line + 1;
    const char *text = scalar_of(examples, &size);
    if (text) {
        bool block = examples->data.scalar.style == YAML_LITERAL_SCALAR_STYLE;
        return read_examples(reading, text, size, line + block, intent, intent_size);
    }
    if (examples->type != YAML_SEQUENCE_NODE)
        return nf_reading_malformed(reading, line, 0, "\"examples\" is no text and no list");
    for (yaml_node_item_t *i = examples->data.sequence.items.start;
         i < examples->data.sequence.items.top; i++) {
        yaml_node_t *node = yaml_document_get_node(d, *i);
        if (node->type == YAML_MAPPING_NODE) node = yaml_member(d, node, "text");
        text = scalar_of(node, &size);
        if (text)
            NF_TRY(read_example(reading, text, size, (long)node->start_mark.line + 1, intent,
                                intent_size));
    }
    return NERFIT_OK;
}

static nerfit_status read_yaml(nf_reading *reading, const char *text, size_t size) {
    yaml_document_t document;
    nerfit_error error;
    nerfit_status status = nf_yaml_load(&document, text, size, reading->name, &error);
    if (status != NERFIT_OK) return nf_reading_take(reading, &error);
    yaml_node_t *nlu = yaml_member(&document, yaml_document_get_root_node(&document), "nlu");
    if (!nlu || nlu->type != YAML_SEQUENCE_NODE)
        status = nf_reading_malformed(reading, 1, 0, "expected Rasa's list \"nlu:\"");
    else
        for (yaml_node_item_t *i = nlu->data.sequence.items.start;
             i < nlu->data.sequence.items.top && status == NERFIT_OK; i++)
            status = read_item(reading, &document, yaml_document_get_node(&document, *i));
    yaml_document_delete(&document);
    return status;
}

/* ---------------------------------------------------------------- Markdown */

static nerfit_status read_markdown(nf_reading *reading, const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line, *intent = NULL;
    size_t length, intent_size = 0;
    while (nf_lines_next(&lines, &line, &length)) {
        nf_text_trim(&line, &length);
        if (length >= 10 && memcmp(line, "## intent:", 10) == 0) {
            intent = line + 10;
            intent_size = length - 10;
        } else if (length && line[0] == '#')
            intent = NULL; /* synonyms, look-ups, patterns */
        else if (length && intent)
            NF_TRY(read_examples(reading, line, length, lines.number, intent, intent_size));
    }
    return NERFIT_OK;
}

static bool has_line(const char *text, size_t size, const char *start) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length, n = strlen(start);
    while (nf_lines_next(&lines, &line, &length)) {
        while (length && (*line == ' ' || *line == '-')) line++, length--;
        if (length >= n && memcmp(line, start, n) == 0) return true;
    }
    return false;
}

static bool is_yaml(const char *text, size_t size) {
    return has_line(text, size, "nlu:") && has_line(text, size, "examples:");
}

static bool looks_like(const char *text, size_t size) {
    return is_yaml(text, size) || has_line(text, size, "## intent:");
}

static nerfit_status read_rasa(nf_reading *reading, const char *text, size_t size) {
    return is_yaml(text, size) ? read_yaml(reading, text, size)
                               : read_markdown(reading, text, size);
}

/* clang-format off */
const nf_format nf_format_rasa = {
    .name = "rasa", .title = "Rasa's YAML and Markdown", .endings = {".yml", ".md"},
    .recognised = "`nlu:` and `examples:`, or `## intent:`",
    .kept = "examples with their entities, `intent` as a field, `value`, `role` and `group` of "
            "entities as theirs",
    .lost = "synonyms, look-up tables, regular expressions, stories",
    .looks_like = looks_like, .read = read_rasa,
};
/* clang-format on */

/* ---------------------------------------------------------------- JSON */

static bool looks_like_json(const json_t *value) {
    return json_is_array(nf_json_get(value, "rasa_nlu_data.common_examples", NULL));
}

static nerfit_status read_json(const nf_json_value *v) {
    static const nf_span_shape shape = {
        .text = "text", .list = "entities", .start = "start", .end = "end", .label = "entity"};
    const json_t *list = nf_json_get(v->json, "rasa_nlu_data.common_examples", NULL);
    size_t at = nf_json_member(v->text, v->size, 0, "rasa_nlu_data");
    nf_json_items items = {.list = nf_json_member(v->text, v->size, at, "common_examples")};
    if (!list) return nf_json_value_error(v, 0, 0, "has no \"rasa_nlu_data\"");
    for (size_t i = 0; i < json_array_size(list); i++) {
        nf_json_value part = nf_json_value_item(v, json_array_get(list, i), &items, i);
        NF_TRY(nf_span_shape_read(&part, &shape));
    }
    return NERFIT_OK;
}

/* clang-format off */
const nf_format nf_format_rasa_json = {
    .name = "rasa-json", .title = "Rasa's JSON", .endings = {".json"},
    .recognised = "`rasa_nlu_data` with `common_examples`",
    .kept = "examples with their entities and all other fields",
    .lost = "synonyms, look-up tables, regular expressions",
    .value_looks_like = looks_like_json, .read_value = read_json,
};
/* clang-format on */
