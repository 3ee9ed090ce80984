#include "data/json_annotations.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "data/json_place.h"
#include "data/lines.h"

/* One object, as text and as values. */
typedef struct object {
    nf_reading *reading;
    const json_t *json;
    const char *text;
    size_t size;
    long line, column; /* where the text begins */
} object;

static nerfit_status bad_value(const object *o, size_t at, size_t entity, const char *what) {
    nf_finding finding = {.kind = NF_FINDING_MALFORMED, .entity = entity};
    nf_json_line_column(o->text, at, o->line, &finding.line, &finding.column);
    if (finding.line == 0)
        finding.line = o->line;
    else if (finding.line == o->line)
        finding.column += o->column - 1;
    return entity ? nf_reading_error(o->reading, &finding, "entity %zu: %s", entity, what)
                  : nf_reading_error(o->reading, &finding, "%s", what);
}

static const char *type_name(const json_t *json) {
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
        return "a number with a fraction or an exponent";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a truth value";
    case JSON_NULL:
        return "null";
    }
    return "unknown";
}

static const struct {
    const char *key;
    json_type type;
    const char *expected;
} parts[] = {
    {"start", JSON_INTEGER, "an integer"},
    {"end", JSON_INTEGER, "an integer"},
    {"label", JSON_STRING, "a string"},
};
enum { N_PARTS = sizeof parts / sizeof *parts };

static size_t entity_place(const object *o, size_t index) {
    size_t list = nf_json_member(o->text, o->size, 0, "entities");
    return nf_json_item(o->text, o->size, list, index);
}

static nerfit_status bad_part(const object *o, size_t index, size_t part, const json_t *value,
                              bool in_list) {
    size_t entity = entity_place(o, index);
    size_t at = in_list ? nf_json_item(o->text, o->size, entity, part)
                        : nf_json_member(o->text, o->size, entity, parts[part].key);
    char what[128];
    snprintf(what, sizeof what, "its %s is %s; expected %s", parts[part].key, type_name(value),
             parts[part].expected);
    return bad_value(o, at == SIZE_MAX ? entity : at, index + 1, what);
}

/* *good says whether the entity could be read. */
static nerfit_status read_entity(const object *o, size_t index, const json_t *json,
                                 nf_given_span *out, bool *good) {
    bool list = json_is_array(json) && json_array_size(json) == N_PARTS;
    *good = false;
    if (!list && !json_is_object(json))
        return bad_value(o, entity_place(o, index), index + 1,
                         "expected [start, end, label] or {\"start\", \"end\", \"label\"}");
    const json_t *values[N_PARTS];
    const json_t *span = list ? NULL : json_object_get(json, "span");
    bool spanned = json_is_array(span) && json_array_size(span) == 2;
    for (size_t i = 0; i < N_PARTS; i++) {
        values[i] = list ? json_array_get(json, i) : json_object_get(json, parts[i].key);
        /* {"span": [start, end], "type": label} says the same */
        if (!list && !values[i] && i < 2 && spanned) values[i] = json_array_get(span, i);
        if (!list && !values[i] && i == 2) values[i] = json_object_get(json, "type");
        if (!values[i] || json_typeof(values[i]) != parts[i].type)
            return bad_part(o, index, i, values[i], list);
    }
    *out = (nf_given_span){.start = json_integer_value(values[0]),
                           .end = json_integer_value(values[1]),
                           .label = json_string_value(values[2]),
                           .label_size = json_string_length(values[2])};
    *good = true;
    return NERFIT_OK;
}

static nerfit_status read_entities(const object *o, const json_t *text, const json_t *list) {
    size_t count = json_array_size(list);
    nf_given_span *spans = malloc((count + 1) * sizeof *spans);
    if (!spans) return nf_no_memory(o->reading->err, count * sizeof *spans);
    nf_given_document given = {.text = json_string_value(text),
                               .text_size = json_string_length(text),
                               .spans = spans,
                               .n_spans = count,
                               .line = o->line};
    nerfit_status status = NERFIT_OK;
    bool good = true, all_good = true;
    for (size_t i = 0; i < count && status == NERFIT_OK; i++) {
        status = read_entity(o, i, json_array_get(list, i), &spans[i], &good);
        all_good &= good;
    }
    if (status == NERFIT_OK && all_good) status = nf_reading_add(o->reading, &given);
    free(spans);
    return status;
}

/* CLUENER's {label: {"the entity's text": [[first, last], ...]}}, with the last character's place
 * instead of the end. The text is compared, because such offsets are easily one off. */
static nerfit_status read_by_label(const object *o, const json_t *text, const json_t *labels) {
    nf_given_document given = {
        .text = json_string_value(text), .text_size = json_string_length(text), .line = o->line};
    nf_given_span *spans = NULL;
    size_t capacity = 0, at = nf_json_member(o->text, o->size, 0, "label"), i;
    nerfit_status status = NERFIT_OK;
    const char *label, *name;
    json_t *names, *places, *place;
    json_object_foreach((json_t *)labels, label, names) json_object_foreach(names, name, places)
        json_array_foreach(places, i, place) {
        if (status != NERFIT_OK) break;
        const json_t *first = json_array_get(place, 0), *last = json_array_get(place, 1);
        size_t from = 0, to = 0;
        bool good = json_is_integer(first) && json_is_integer(last) &&
                    json_integer_value(first) >= 0 &&
                    json_integer_value(last) >= json_integer_value(first);
        if (good) {
            from = nf_utf8_offset(given.text, given.text_size, (size_t)json_integer_value(first));
            to = nf_utf8_offset(given.text, given.text_size, (size_t)json_integer_value(last) + 1);
        }
        if (!good || to - from != strlen(name) || memcmp(given.text + from, name, to - from) != 0) {
            free(spans);
            return bad_value(o, at, 0,
                             "expected \"label\": {label: {text: [[first, last], ...]}}, with the "
                             "places at which that text stands");
        }
        if (given.n_spans == capacity) {
            capacity = capacity ? 2 * capacity : 8;
            nf_given_span *grown = realloc(spans, capacity * sizeof *spans);
            if (!grown) status = nf_no_memory(o->reading->err, capacity * sizeof *spans);
            if (!grown) break;
            spans = grown;
        }
        spans[given.n_spans++] = (nf_given_span){.start = json_integer_value(first),
                                                 .end = json_integer_value(last) + 1,
                                                 .label = label,
                                                 .label_size = strlen(label)};
    }
    given.spans = spans;
    if (status == NERFIT_OK) status = nf_reading_add(o->reading, &given);
    free(spans);
    return status;
}

/* Without annotations a JSON string is a text, too. */
static nerfit_status read_text(const object *o, const json_t *text) {
    nf_given_document given = {
        .text = json_string_value(text), .text_size = json_string_length(text), .line = o->line};
    return nf_reading_add(o->reading, &given);
}

static nerfit_status read_object(const object *o) {
    if (o->reading->texts_only && json_is_string(o->json)) return read_text(o, o->json);
    if (!json_is_object(o->json))
        return bad_value(o, 0, 0, "expected an object with \"text\" and \"entities\"");
    const json_t *text = json_object_get(o->json, "text");
    const json_t *list = json_object_get(o->json, "entities");
    char what[96];
    if (!text) return bad_value(o, 0, 0, "has no \"text\"");
    if (!json_is_string(text)) {
        snprintf(what, sizeof what, "\"text\" is %s; expected a string", type_name(text));
        return bad_value(o, nf_json_member(o->text, o->size, 0, "text"), 0, what);
    }
    if (o->reading->texts_only) return read_text(o, text);
    if (list && !json_is_array(list) && !json_is_null(list)) {
        snprintf(what, sizeof what, "\"entities\" is %s; expected an array", type_name(list));
        return bad_value(o, nf_json_member(o->text, o->size, 0, "entities"), 0, what);
    }
    const json_t *by_label = json_object_get(o->json, "label");
    if (!list && json_is_object(by_label)) return read_by_label(o, text, by_label);
    return read_entities(o, text, list);
}

nerfit_status nf_json_object_read(nf_reading *reading, const char *text, size_t size, long line,
                                  long column) {
    nerfit_error error;
    json_t *json;
    nerfit_status status = nf_json_parse_at(&json, text, size, reading->name, line, column, &error);
    if (status != NERFIT_OK) return nf_reading_take(reading, &error);
    object o = {reading, json, text, size, line, column};
    status = read_object(&o);
    json_decref(json);
    return status;
}

nerfit_status nf_jsonl_read(nf_reading *reading, const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    while (nf_lines_next(&lines, &line, &length)) {
        if (nf_line_blank(line, length)) continue;
        size_t at = nf_json_space_end(line, length, 0);
        NF_TRY(nf_json_object_read(reading, line + at, length - at, lines.number, (long)at + 1));
    }
    return NERFIT_OK;
}

/* Runs along with the reading, so that places cost nothing extra. */
typedef struct place {
    size_t at;
    long line, column;
} place;

static void advance(place *p, const char *text, size_t at) {
    for (; p->at < at; p->at++) {
        if (text[p->at] == '\n')
            p->line++, p->column = 1;
        else
            p->column += ((unsigned char)text[p->at] & 0xC0) != 0x80;
    }
}

static nerfit_status malformed_at(nf_reading *reading, place *p, const char *text, size_t at,
                                  const char *what) {
    advance(p, text, at);
    return nf_reading_malformed(reading, p->line, p->column, "%s", what);
}

/* Each object is found by its brackets and parsed by itself, so that it has a line of its own, and
 * one bad object does not end the reading of the others. */
nerfit_status nf_json_read(nf_reading *reading, const char *text, size_t size) {
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3, size -= 3;
    place p = {0, 1, 1};
    size_t at = nf_json_space_end(text, size, 0);
    if (at == size) return NERFIT_OK;
    bool array = text[at] == '[', first = true;
    if (!array && text[at] != '{')
        return malformed_at(reading, &p, text, at, "expected an array of objects");
    at = nf_json_space_end(text, size, at + array);
    for (; at < size && !(array && text[at] == ']'); first = false) {
        if (array && !first) {
            if (text[at] != ',')
                return malformed_at(reading, &p, text, at,
                                    "expected \",\" or \"]\" after an object");
            at = nf_json_space_end(text, size, at + 1);
        }
        size_t end = nf_json_value_end(text, size, at);
        if (end == at) return malformed_at(reading, &p, text, at, "expected an object");
        advance(&p, text, at);
        NF_TRY(nf_json_object_read(reading, text + at, end - at, p.line, p.column));
        at = nf_json_space_end(text, size, end);
    }
    if (!array) return NERFIT_OK;
    if (at == size) return malformed_at(reading, &p, text, at, "the array is not closed");
    at = nf_json_space_end(text, size, at + 1);
    if (at == size) return NERFIT_OK;
    return malformed_at(reading, &p, text, at, "expected nothing after the array");
}

bool nf_json_is_lines(const char *text, size_t size) {
    size_t at = nf_json_space_end(text, size, 0), end = nf_json_value_end(text, size, at);
    return end == size || !memchr(text + at, '\n', end - at);
}

static bool append_json(nf_str *out, json_t *value) {
    char *text = value ? nf_json_text(value, 0) : NULL;
    bool good = text && nf_str_append_text(out, text);
    free(text);
    json_decref(value);
    return good;
}

nerfit_status nf_json_write(nf_str *out, const nf_document *d, nerfit_error *err) {
    nf_str_append_text(out, "{\"text\": ");
    bool good = append_json(out, json_stringn(d->text, d->text_size));
    nf_str_append_text(out, ", \"entities\": [");
    for (size_t i = 0; i < d->n_spans && good; i++) {
        const nf_span *span = &d->spans[i];
        nf_str_appendf(out, "%s[%u, %u, ", i ? ", " : "", span->start, span->end);
        good = append_json(out, json_string(span->label));
        nf_str_append_char(out, ']');
    }
    nf_str_append_text(out, "]}");
    return good && !out->failed ? NERFIT_OK : nf_no_memory(err, d->text_size);
}

nerfit_status nf_jsonl_write(nf_str *out, const nf_document *d, nerfit_error *err) {
    NF_TRY(nf_json_write(out, d, err));
    return nf_str_append_char(out, '\n') ? NERFIT_OK : nf_no_memory(err, d->text_size);
}
