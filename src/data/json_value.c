#include "data/json_value.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "data/formats/format.h"
#include "data/json_place.h"
#include "labels/tagging.h"

const char *nf_json_type_name(const json_t *json) {
    if (!json) return "missing";
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number with a fraction, an exponent or more than 64 bits";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a truth value";
    case JSON_NULL:
        return "null";
    }
    return "unknown";
}

/* ---------------------------------------------------------------- findings */

static void json_value_place(const nf_json_value *v, size_t at, nf_finding *finding) {
    nf_json_line_column(v->text, at, v->line, &finding->line, &finding->column);
    if (finding->line == 0)
        finding->line = v->line;
    else if (finding->line == v->line)
        finding->column += v->column - 1;
}

nerfit_status nf_json_value_error(const nf_json_value *v, size_t at, size_t entity,
                                  const char *format, ...) {
    nerfit_error message;
    char text[sizeof message.text];
    nf_finding finding = {.kind = NF_FINDING_MALFORMED, .entity = entity};
    va_list args;
    va_start(args, format);
    nf_print_list(text, sizeof text, format, args);
    va_end(args);
    json_value_place(v, at, &finding);
    return entity ? nf_reading_error(v->reading, &finding, "entity %zu: %s", entity, text)
                  : nf_reading_error(v->reading, &finding, "%s", text);
}

nerfit_status nf_json_value_warning(const nf_json_value *v, nf_finding_kind kind,
                                    const char *format, ...) {
    nerfit_error message;
    char text[sizeof message.text];
    nf_finding finding = {.kind = kind, .line = v->line};
    va_list args;
    va_start(args, format);
    nf_print_list(text, sizeof text, format, args);
    va_end(args);
    return nf_reading_warning(v->reading, &finding, "%s", text);
}

/* ---------------------------------------------------------------- paths */

static json_t *json_step(const json_t *json, const char *key) {
    if (json_is_object(json)) return json_object_get(json, key);
    if (!json_is_array(json) || key[strspn(key, "0123456789")]) return NULL;
    uint64_t index = 0;
    nf_whole_parse(key, UINT32_MAX, &index);
    return json_array_get(json, (size_t)index);
}

json_t *nf_json_get(const json_t *json, const char *path, char found[NF_JSON_KEY]) {
    while (path) {
        const json_t *at = json;
        char key[NF_JSON_KEY], first[NF_JSON_KEY] = "";
        size_t length = strcspn(path, "|");
        for (size_t from = 0; at && from < length;) {
            size_t size = strcspn(path + from, ".|");
            snprintf(key, sizeof key, "%.*s", (int)size, path + from);
            if (!from) memcpy(first, key, sizeof first);
            at = json_step(at, key);
            from += size + 1;
        }
        if (at && length) {
            if (found) memcpy(found, first, sizeof first);
            return (json_t *)at;
        }
        path = path[length] ? path + length + 1 : NULL;
    }
    return NULL;
}

nf_json_value nf_json_value_part(const nf_json_value *v, const json_t *json, size_t at) {
    nf_finding place = {.line = v->line, .column = v->column};
    if (at >= v->size) return (nf_json_value){v->reading, json, "", 0, v->line, v->column};
    json_value_place(v, at, &place);
    size_t end = nf_json_value_end(v->text, v->size, at);
    return (nf_json_value){v->reading, json, v->text + at, end - at, place.line, place.column};
}

nf_json_value nf_json_value_item(const nf_json_value *v, const json_t *json, nf_json_items *items,
                                 size_t index) {
    size_t at = nf_json_items_at(items, v->text, v->size, index);
    if (at >= v->size) return nf_json_value_part(v, json, at);
    if (!items->counted || at < items->counted)
        items->counted = 0, items->line = v->line, items->column = v->column;
    nf_json_value rest = *v;
    rest.text += items->counted;
    rest.size -= items->counted;
    rest.line = items->line;
    rest.column = items->column;
    nf_json_value part = nf_json_value_part(&rest, json, at - items->counted);
    items->counted = at;
    items->line = part.line;
    items->column = part.column;
    return part;
}

/* Prodigy's judgement of a text, which travels through all formats of JSON. */
static nerfit_status leave_out_rejected(const nf_json_value *v, bool *rejected) {
    const char *answer = json_string_value(json_object_get(v->json, "answer"));
    *rejected = answer && !v->reading->texts_only &&
                (strcmp(answer, "reject") == 0 || strcmp(answer, "ignore") == 0);
    if (!*rejected) return NERFIT_OK;
    return nf_json_value_warning(v, NF_FINDING_PASSED_OVER,
                                 "has the answer \"%s\": left out, as not annotated", answer);
}

nerfit_status nf_json_value_read(const nf_json_value *value) {
    bool rejected;
    NF_TRY(leave_out_rejected(value, &rejected));
    if (rejected) return NERFIT_OK;
    const nf_format *format = value->reading->format;
    if (!format || !format->read_value) format = nf_format_of_value(value->json);
    if (!format) format = &nf_format_jsonl;
    if (format->advice)
        return nf_json_value_error(value, 0, 0, "looks like %s, which is not read: %s",
                                   format->title, format->advice);
    return format->read_value(value);
}

nerfit_status nf_json_text_read(nf_reading *reading, const char *text, size_t size, long line,
                                long column) {
    nerfit_error error;
    json_t *json;
    nerfit_status status = nf_json_parse_at(&json, text, size, reading->name, line, column, &error);
    if (status != NERFIT_OK) return nf_reading_take(reading, &error);
    nf_json_value value = {reading, json, text, size, line, column};
    status = nf_json_value_read(&value);
    json_decref(json);
    return status;
}

/* ---------------------------------------------------------------- what is beside */

static bool is_taken(const char *const *taken, const char *key, size_t size) {
    for (; *taken; taken++)
        if (strlen(*taken) == size && memcmp(*taken, key, size) == 0) return true;
    return false;
}

/* The key at byte `at`, without its quotes; one with escapes is decoded into *decoded. */
static bool json_key_at(const char *text, size_t size, size_t at, const char **key, size_t *length,
                        json_t **decoded) {
    size_t end = nf_json_value_end(text, size, at);
    *key = "", *length = 0;
    if (end < at + 2) return true;
    *key = text + at + 1;
    *length = end - at - 2;
    if (!memchr(*key, '\\', *length)) return true;
    if (nf_json_parse(decoded, text + at, end - at, NULL, 0, NULL) != NERFIT_OK) return false;
    *key = json_string_value(*decoded);
    *length = json_string_length(*decoded);
    return true;
}

nerfit_status nf_json_fields(const nf_json_value *v, size_t at, const char *const *taken,
                             nf_arena *arena, const char **fields) {
    nf_str out = {0};
    *fields = NULL;
    if (at >= v->size) return NERFIT_OK;
    for (at = nf_json_first_part(v->text, v->size, at); at < v->size;) {
        const char *key;
        size_t length, from = at;
        json_t *decoded = NULL;
        out.failed |= !json_key_at(v->text, v->size, at, &key, &length, &decoded);
        bool kept = !is_taken(taken, key, length);
        json_decref(decoded);
        at = nf_json_value_of_key(v->text, v->size, at);
        if (at >= v->size) break;
        if (kept) {
            if (out.length) nf_str_append_text(&out, ", ");
            nf_str_append(&out, v->text + from, nf_json_value_end(v->text, v->size, at) - from);
        }
        at = nf_json_next_part(v->text, v->size, at);
    }
    for (size_t i = 0; i < out.length; i++)
        if (out.data[i] == '\n' || out.data[i] == '\r') out.data[i] = ' ';
    if (out.length) *fields = nf_arena_copy(arena, out.data, out.length);
    bool failed = out.failed || (out.length && !*fields);
    nf_str_free(&out);
    return failed ? nf_no_memory(v->reading->err, v->size) : NERFIT_OK;
}

bool nf_fields_have(const char *fields, const char *name) {
    size_t size = fields ? strlen(fields) : 0, length = strlen(name);
    for (size_t at = 0; at < size; at = nf_json_next_part(fields, size, at)) {
        if (size - at > length + 1 && fields[at + length + 1] == '"' &&
            memcmp(fields + at + 1, name, length) == 0)
            return true;
        at = nf_json_value_of_key(fields, size, at);
        if (at >= size) break;
    }
    return false;
}

/* ---------------------------------------------------------------- a text and its entities */

enum { MOST_TAKEN = 16 };

/* Keys that were read, so that the others are kept. */
typedef struct taken_keys {
    char keys[MOST_TAKEN][NF_JSON_KEY];
    const char *list[MOST_TAKEN + 1];
    size_t count;
} taken_keys;

static void take_key(taken_keys *taken, const char *key) {
    if (taken->count == MOST_TAKEN) return;
    snprintf(taken->keys[taken->count], NF_JSON_KEY, "%s", key);
    taken->list[taken->count] = taken->keys[taken->count];
    taken->list[++taken->count] = NULL;
}

typedef struct span_reader {
    const nf_json_value *value;
    const nf_span_shape *shape;
    nf_arena arena;
    nf_json_items items; /* of the list */
} span_reader;

static size_t entity_place(span_reader *r, size_t index) {
    return nf_json_items_at(&r->items, r->value->text, r->value->size, index);
}

/* "unknown": [[start, end], ...]. *good becomes false with an error that does not end the reading. */
static nerfit_status read_unknown(const nf_json_value *v, taken_keys *taken, nf_arena *arena,
                                  nf_beside *out, bool *good) {
    const json_t *list = json_object_get(v->json, "unknown");
    size_t n = json_array_size(list), place = nf_json_member(v->text, v->size, 0, "unknown");
    if (list && !json_is_array(list) && !json_is_null(list))
        return nf_json_value_warning(v, NF_FINDING_READING,
                                     "has \"unknown\" that is no list of places [start, end]: kept "
                                     "as a field");
    if (!json_is_array(list)) return NERFIT_OK;
    take_key(taken, "unknown");
    nf_range *ranges = nf_arena_calloc(arena, n + 1, sizeof *ranges);
    if (!ranges) return nf_no_memory(v->reading->err, n * sizeof *ranges);
    for (size_t i = 0; i < n; i++) {
        const json_t *range = json_array_get(list, i), *start = json_array_get(range, 0),
                     *end = json_array_get(range, 1);
        json_int_t from = json_integer_value(start), to = json_integer_value(end);
        if (json_array_size(range) != 2 || !json_is_integer(start) || !json_is_integer(end) ||
            from < 0 || to <= from || to > UINT32_MAX) {
            *good = false;
            return nf_json_value_error(v, nf_json_item(v->text, v->size, place, i), 0,
                                       "\"unknown\": item %zu is no place in the text; expected "
                                       "[start, end], two whole numbers with start < end",
                                       i + 1);
        }
        ranges[i] = (nf_range){(uint32_t)from, (uint32_t)to};
    }
    out->unknown = ranges;
    out->n_unknown = n;
    return NERFIT_OK;
}

/* "labels": ["person", ...]; a list of anything else is a field. */
static nerfit_status read_labels(const nf_json_value *v, taken_keys *taken, nf_arena *arena,
                                 nf_beside *out) {
    const json_t *list = json_object_get(v->json, "labels");
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++)
        if (!json_is_string(json_array_get(list, i))) return NERFIT_OK;
    if (!json_is_array(list)) return NERFIT_OK;
    take_key(taken, "labels");
    const char **labels = nf_arena_calloc(arena, n + 1, sizeof *labels);
    if (!labels) return nf_no_memory(v->reading->err, n * sizeof *labels);
    for (size_t i = 0; i < n; i++) labels[i] = json_string_value(json_array_get(list, i));
    out->labels = labels;
    out->n_labels = n;
    return NERFIT_OK;
}

/* Weight and source are read where they are a number from 0 on and a text; else they are fields. good: of an
 * object of which `unknown` and `labels` are read, too; whether they could be. */
static nerfit_status read_beside(const nf_json_value *v, const json_t *json, size_t at,
                                 taken_keys *taken, nf_arena *arena, bool *good,
                                 const nf_beside **out) {
    nf_beside beside = {0};
    const json_t *weight = json_object_get(json, "weight"),
                 *source = json_object_get(json, "source");
    *out = NULL;
    bool counts = json_is_number(weight) && json_number_value(weight) >= 0 &&
                  isfinite(json_number_value(weight));
    if (weight && !counts && !json_is_null(weight) && !v->reading->texts_only)
        NF_TRY(nf_json_value_warning(v, NF_FINDING_READING,
                                     "has a \"weight\" that is no number from 0 on: kept as a "
                                     "field, and not counted"));
    if (counts) {
        beside.weight = json_number_value(weight);
        beside.weighted = true;
        take_key(taken, "weight");
    }
    if (json_is_string(source) && !(taken->count && is_taken(taken->list, "source", 6))) {
        beside.source = json_string_value(source);
        take_key(taken, "source");
    }
    if (good) {
        NF_TRY(read_unknown(v, taken, arena, &beside, good));
        NF_TRY(read_labels(v, taken, arena, &beside));
    }
    NF_TRY(nf_json_fields(v, at, taken->list, arena, &beside.fields));
    if (!beside.fields && !beside.source && !beside.weighted && !beside.n_unknown && !beside.labels)
        return NERFIT_OK;
    nf_beside *copy = nf_arena_alloc(arena, sizeof *copy);
    if (!copy) return nf_no_memory(v->reading->err, sizeof *copy);
    *copy = beside;
    *out = copy;
    return NERFIT_OK;
}

static nerfit_status bad_part(span_reader *r, size_t index, int part, const json_t *got,
                              const char *key) {
    static const char *const names[] = {"start", "end", "label"};
    const nf_json_value *v = r->value;
    size_t entity = entity_place(r, index);
    size_t at = key ? nf_json_member(v->text, v->size, entity, key)
                    : nf_json_item(v->text, v->size, entity, (size_t)part);
    return nf_json_value_error(v, at == SIZE_MAX ? entity : at, index + 1,
                               "its %s is %s; expected %s", names[part], nf_json_type_name(got),
                               part < 2 ? "an integer" : "a string");
}

/* *good says whether the entity could be read. */
static nerfit_status read_span(span_reader *r, size_t index, const json_t *json, nf_given_span *out,
                               bool *good) {
    const nf_span_shape *shape = r->shape;
    const char *const paths[3] = {shape->start, shape->end, shape->label};
    char keys[3][NF_JSON_KEY] = {"start", "end", "label"};
    const json_t *values[3];
    taken_keys taken = {.count = 0};
    bool list = shape->lists && json_is_array(json) && json_array_size(json) == 3;
    *good = false;
    if (!list && !json_is_object(json))
        return nf_json_value_error(r->value, entity_place(r, index), index + 1,
                                   shape->lists
                                       ? "expected [start, end, label] or {\"start\", \"end\", "
                                         "\"label\"}"
                                       : "expected an object");
    for (int i = 0; i < 3; i++) {
        values[i] = list ? json_array_get(json, (size_t)i) : nf_json_get(json, paths[i], keys[i]);
        const json_t *length = !list && i == 1 && !values[1] && shape->length
                                   ? nf_json_get(json, shape->length, keys[1])
                                   : NULL;
        bool fits =
            i < 2 ? json_is_integer(length ? length : values[i]) : json_is_string(values[i]);
        if (!fits) return bad_part(r, index, i, values[i], list ? NULL : keys[i]);
        if (!list) take_key(&taken, keys[i]);
        if (length) {
            out->end = json_integer_value(values[0]) + json_integer_value(length);
            values[1] = NULL;
        }
    }
    int64_t end = values[1] ? json_integer_value(values[1]) + shape->last : out->end;
    const json_t *own = !list && shape->own ? nf_json_get(json, shape->own, keys[0]) : NULL;
    bool has_own = json_is_string(own);
    if (has_own) take_key(&taken, keys[0]);
    *out = (nf_given_span){.start = json_integer_value(values[0]),
                           .end = end,
                           .label = json_string_value(values[2]),
                           .label_size = json_string_length(values[2]),
                           .text = has_own ? json_string_value(own) : NULL,
                           .text_size = has_own ? json_string_length(own) : 0};
    *good = true;
    if (list) return NERFIT_OK;
    return read_beside(r->value, json, entity_place(r, index), &taken, &r->arena, NULL,
                       &out->beside);
}

static nerfit_status read_spans(span_reader *r, const json_t *list, nf_given_document *given) {
    size_t count = json_array_size(list);
    nf_given_span *spans = nf_arena_calloc(&r->arena, count + 1, sizeof *spans);
    if (!spans) return nf_no_memory(r->value->reading->err, count * sizeof *spans);
    bool good = true, all_good = true;
    for (size_t i = 0; i < count; i++) {
        NF_TRY(read_span(r, i, json_array_get(list, i), &spans[i], &good));
        all_good &= good;
    }
    given->spans = spans;
    given->n_spans = count;
    return all_good ? nf_reading_add(r->value->reading, given) : NERFIT_OK;
}

static nerfit_status read_shape(span_reader *r) {
    const nf_json_value *v = r->value;
    const nf_span_shape *shape = r->shape;
    char text_key[NF_JSON_KEY] = "text", list_key[NF_JSON_KEY] = "";
    if (!json_is_object(v->json))
        return nf_json_value_error(v, 0, 0, "expected an object, not %s",
                                   nf_json_type_name(v->json));
    const json_t *text = nf_json_get(v->json, shape->text, text_key);
    const json_t *list = nf_json_get(v->json, shape->list, list_key);
    if (!text)
        return nf_json_value_error(v, 0, 0, "has no \"%.*s\"", (int)strcspn(shape->text, "|"),
                                   shape->text);
    if (!json_is_string(text))
        return nf_json_value_error(v, nf_json_member(v->text, v->size, 0, text_key), 0,
                                   "\"%s\" is %s; expected a string", text_key,
                                   nf_json_type_name(text));
    taken_keys taken = {.count = 0};
    take_key(&taken, text_key);
    nf_given_document given = {.text = json_string_value(text),
                               .text_size = json_string_length(text),
                               .unit = shape->unit,
                               .line = v->line};
    bool texts_only = v->reading->texts_only;
    if (!texts_only && shape->must && !list)
        return nf_json_value_error(v, 0, 0, "has no \"%.*s\"", (int)strcspn(shape->list, "|"),
                                   shape->list);
    if (list) take_key(&taken, list_key);
    r->items.list = list ? nf_json_member(v->text, v->size, 0, list_key) : SIZE_MAX;
    if (!texts_only && list && !json_is_array(list) && !json_is_null(list))
        return nf_json_value_error(v, r->items.list, 0, "\"%s\" is %s; expected an array", list_key,
                                   nf_json_type_name(list));
    if (list && strchr(shape->list, '.')) /* the list is deeper */
        for (const char *dot = strchr(shape->list, '.'); dot && r->items.list != SIZE_MAX;
             dot = strchr(dot + 1, '.')) {
            char key[NF_JSON_KEY];
            snprintf(key, sizeof key, "%.*s", (int)strcspn(dot + 1, ".|"), dot + 1);
            r->items.list = nf_json_member(v->text, v->size, r->items.list, key);
        }
    bool good = true;
    NF_TRY(read_beside(v, v->json, 0, &taken, &r->arena, shape->partial ? &good : NULL,
                       &given.beside));
    return good ? read_spans(r, texts_only ? NULL : list, &given) : NERFIT_OK;
}

nerfit_status nf_span_shape_read(const nf_json_value *value, const nf_span_shape *shape) {
    span_reader r = {.value = value, .shape = shape, .items = {.list = SIZE_MAX}};
    nerfit_status status = read_shape(&r);
    nf_arena_free(&r.arena);
    return status;
}

/* ---------------------------------------------------------------- writing */

/* The members but those with one of the names. */
static void append_fields(nf_str *out, const char *fields, const char *const *but) {
    size_t size = strlen(fields);
    for (size_t at = 0; at < size;) {
        size_t key = nf_json_value_end(fields, size, at),
               value = nf_json_value_of_key(fields, size, at);
        if (value >= size || key < at + 2) break;
        if (!is_taken(but, fields + at + 1, key - at - 2)) {
            nf_str_append_text(out, ", ");
            nf_str_append(out, fields + at, nf_json_value_end(fields, size, value) - at);
        }
        at = nf_json_next_part(fields, size, value);
    }
}

void nf_json_append_beside(nf_str *out, const nf_beside *beside, const char *const *own) {
    if (!beside) return;
    if (beside->source) {
        nf_str_append_text(out, ", \"source\": ");
        nf_str_append_json(out, beside->source, strlen(beside->source));
    }
    if (beside->weighted) nf_str_appendf(out, ", \"weight\": %.15g", beside->weight);
    if (beside->labels && !is_taken(own, "labels", strlen("labels"))) {
        nf_str_append_text(out, ", \"labels\": [");
        for (size_t i = 0; i < beside->n_labels; i++) {
            if (i) nf_str_append_text(out, ", ");
            nf_str_append_json(out, beside->labels[i], strlen(beside->labels[i]));
        }
        nf_str_append_char(out, ']');
    }
    for (size_t i = 0; i < beside->n_unknown; i++)
        nf_str_appendf(out, i ? ", [%u, %u]" : ", \"unknown\": [[%u, %u]", beside->unknown[i].start,
                       beside->unknown[i].end);
    if (beside->n_unknown) nf_str_append_char(out, ']');
    if (beside->fields) append_fields(out, beside->fields, own);
}
