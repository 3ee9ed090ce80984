/* nerfit's own objects, {"text": ..., "entities": [[start, end, label], ...]}, one a line (jsonl)
 * or in an array (json); and the files of JSON values that all formats of JSON share. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "data/formats/format.h"
#include "data/json_place.h"
#include "data/lines.h"
#include "labels/tagging.h"

/* ---------------------------------------------------------------- one object */

/* An entity may be spelled in the ways of other tools: under "entities" they are not ambiguous. */
static const nf_span_shape own_shape = {
    .text = "text|sentence",
    .list = "entities",
    .start = "start|span.0|pos.0|start_offset|startOffset|start_char|begin|offset",
    .end = "end|span.1|pos.1|end_offset|endOffset|end_char",
    .length = "length",
    .label = "label|type|entity_group|entity_type|entity|category|class|tag|labels.0",
    .own = "text",
    .lists = true,
    .partial = true,
};

static bool has_text(const json_t *value) {
    return json_is_string(json_object_get(value, "text")) ||
           json_is_string(json_array_get(nf_json_get(value, "tokens|tokenized_text", NULL), 0));
}

/* Where, some levels down, a value has an object with a text: keys and numbers, for the message. */
static bool find_inner(const json_t *value, int depth, nf_str *path) {
    const char *key;
    json_t *member;
    size_t before = path->length;
    if (before && has_text(value)) return true;
    if (!depth) return false;
    if (json_is_array(value)) return find_inner(json_array_get(value, 0), depth - 1, path);
    json_object_foreach((json_t *)value, key, member) {
        nf_str_appendf(path, before ? ".%s" : "%s", key);
        if (find_inner(member, depth - 1, path)) return true;
        path->length = before;
    }
    return false;
}

/* The key of a column: all texts, one behind another or by their numbers. NULL if there is none. */
static const char *column_key(const json_t *object) {
    static const char *const keys[] = {"text", "tokens", "words", "tokenized_text", "sentence"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *column = json_object_get(object, keys[i]), *numbered;
        const json_t *first = json_array_get(column, 0);
        bool rows = i == 0 || i == 4 ? json_is_string(first) : json_is_array(first);
        numbered = json_is_object(column) ? json_object_get(column, "0") : NULL;
        if (rows || json_is_string(numbered) || json_is_array(numbered)) return keys[i];
    }
    return json_is_array(json_object_get(object, "columns")) &&
                   json_is_array(json_object_get(object, "data"))
               ? "columns"
               : NULL;
}

/* Another key that may hold the text. */
static const char *other_text_key(const json_t *object) {
    static const char *const keys[] = {"content",  "data",    "raw_text",  "body", "document",
                                       "sentText", "context", "utterance", "input"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_is_string(json_object_get(object, keys[i]))) return keys[i];
    return NULL;
}

/* An object without a text: what it looks like. */
static nerfit_status refuse_textless(const nf_json_value *v) {
    enum { LEVELS = 5 };
    const char *column = column_key(v->json), *other = other_text_key(v->json);
    nf_str path = {0};
    nerfit_status status;
    if (column)
        status = nf_json_value_error(v, nf_json_member(v->text, v->size, 0, column), 0,
                                     "holds columns (\"%s\"), not texts; expected an object for "
                                     "each text, as pandas' to_json(orient=\"records\", "
                                     "lines=True) and datasets' to_json write them",
                                     column);
    else if (find_inner(v->json, LEVELS, &path))
        status = nf_json_value_error(v, 0, 0,
                                     "has no \"text\", but \"%s\" holds objects that have one; "
                                     "expected these, in an array or one a line",
                                     nf_str_text(&path));
    else
        status = nf_json_value_error(
            v, 0, 0, other ? "has no \"text\", but \"%s\": rename it" : "has no \"text\"", other);
    nf_str_free(&path);
    return status;
}

static nerfit_status read_own(const nf_json_value *v) {
    if (v->reading->texts_only && json_is_string(v->json)) { /* a JSON string is a text, too */
        nf_given_document given = {.text = json_string_value(v->json),
                                   .text_size = json_string_length(v->json),
                                   .line = v->line};
        return nf_reading_add(v->reading, &given);
    }
    if (!json_is_object(v->json))
        return nf_json_value_error(v, 0, 0, "expected an object with \"text\" and \"entities\"");
    if (!nf_json_get(v->json, own_shape.text, NULL) || column_key(v->json))
        return refuse_textless(v);
    const json_t *first = nf_json_get(v->json, "entities.0.entity", NULL);
    if (json_is_string(first) && json_string_length(first) > 1 && !v->reading->texts_only &&
        nf_is_tag(json_string_value(first), json_string_length(first)))
        return nf_json_value_error(
            v, nf_json_member(v->text, v->size, 0, "entities"), 0,
            "its entities are words' labels (\"%s\"); expected whole entities: give the pipeline "
            "aggregation_strategy=\"simple\"",
            json_string_value(first));
    const json_t *entities = json_object_get(v->json, "entities");
    bool given = entities && !json_is_null(entities);
    const char *foreign = v->reading->texts_only ? NULL : nf_json_annotation_key(v->json, !given);
    if (foreign && !given)
        return nf_json_value_error(
            v, nf_json_member(v->text, v->size, 0, foreign), 0,
            "has no \"entities\", but \"%s\" holds what looks like annotations; expected "
            "\"entities\": [[start, end, label], ...], or [] where there are none",
            foreign);
    if (foreign)
        NF_TRY(nf_json_value_warning(v, NF_FINDING_READING,
                                     "has annotations under \"entities\" and \"%s\": \"entities\" "
                                     "are taken",
                                     foreign));
    return nf_span_shape_read(v, &own_shape);
}

static bool is_own(const json_t *value) {
    return json_object_get(value, "text") && !json_is_object(json_object_get(value, "label"));
}

/* ---------------------------------------------------------------- files of values */

static nerfit_status read_jsonl_line(nf_reading *reading, const char *line, size_t size,
                                     long number) {
    if (nf_line_blank(line, size)) { /* in a stream */
        nf_given_document given = {.text = "", .line = number};
        return nf_reading_add(reading, &given);
    }
    size_t at = nf_json_space_end(line, size, 0);
    return nf_json_text_read(reading, line + at, size - at, number, (long)at + 1);
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

/* Whether the array at that byte is ["text", {...}], as spaCy has them: a value, no list of values. */
static bool is_pair(const char *text, size_t size, size_t at) {
    at = nf_json_space_end(text, size, at + 1);
    if (at >= size || text[at] != '"') return false;
    at = nf_json_next_part(text, size, at);
    return at < size && text[at] == '{';
}

/* Each value is found by its brackets and parsed by itself, so that it has a line of its own, and
 * one bad value does not end the reading of the others. */
static nerfit_status read_values(nf_reading *reading, const char *text, size_t size) {
    place p = {0, 1, 1};
    size_t at = nf_json_space_end(text, size, 0);
    if (at == size) return NERFIT_OK;
    bool array = text[at] == '[' && !is_pair(text, size, at), first = true;
    if (!array && text[at] != '{' && text[at] != '[')
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
        NF_TRY(nf_json_text_read(reading, text + at, end - at, p.line, p.column));
        at = nf_json_space_end(text, size, end);
    }
    if (!array) return NERFIT_OK;
    if (at == size) return malformed_at(reading, &p, text, at, "the array is not closed");
    at = nf_json_space_end(text, size, at + 1);
    if (at == size) return NERFIT_OK;
    return malformed_at(reading, &p, text, at, "expected nothing after the array");
}

/* Whether the first value ends on the line on which it begins. */
static bool is_lines(const char *text, size_t size) {
    size_t at = nf_json_space_end(text, size, 0), end = nf_json_value_end(text, size, at);
    return end == size || !memchr(text + at, '\n', end - at);
}

/* Lines, even where one is broken; but a file that is one array is read as that. */
static nerfit_status read_jsonl(nf_reading *reading, const char *text, size_t size) {
    size_t at = nf_json_space_end(text, size, 0);
    if (at < size && text[at] == '[' && !(is_pair(text, size, at) && is_lines(text, size)))
        return read_values(reading, text, size);
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    while (nf_lines_next(&lines, &line, &length))
        if (!nf_line_blank(line, length))
            NF_TRY(read_jsonl_line(reading, line, length, lines.number));
    return NERFIT_OK;
}

static bool looks_like_jsonl(const char *text, size_t size) {
    size_t at = nf_json_space_end(text, size, 0);
    return at < size && text[at] == '{' && is_lines(text, size);
}

static bool looks_like_json(const char *text, size_t size) {
    size_t at = nf_json_space_end(text, size, 0);
    if (at == size) return false;
    if (text[at] == '{') return true;
    if (text[at] != '[') return false;
    at = nf_json_space_end(text, size, at + 1);
    return at < size && (text[at] == '{' || text[at] == '[' || text[at] == ']');
}

nerfit_status nf_json_values_read(nf_reading *reading, const char *text, size_t size) {
    return looks_like_jsonl(text, size) ? read_jsonl(reading, text, size)
                                        : read_values(reading, text, size);
}

/* ---------------------------------------------------------------- writing */

static nerfit_status write_object(nf_str *out, const nf_document *d, nerfit_error *err) {
    static const char *const of_text[] = {"text", "entities", NULL}, *const of_entity[] = {
                                                                         "start", "end", "label",
                                                                         NULL};
    nf_str_append_text(out, "{\"text\": ");
    nf_str_append_json(out, d->text, d->text_size);
    nf_str_append_text(out, ", \"entities\": [");
    for (size_t i = 0; i < d->n_spans; i++) {
        const nf_span *span = &d->spans[i];
        nf_str_appendf(out,
                       span->beside ? "%s{\"start\": %u, \"end\": %u, \"label\": " : "%s[%u, %u, ",
                       i ? ", " : "", span->start, span->end);
        nf_str_append_json(out, span->label, strlen(span->label));
        nf_json_append_beside(out, span->beside, of_entity);
        nf_str_append_char(out, span->beside ? '}' : ']');
    }
    nf_str_append_char(out, ']');
    nf_json_append_beside(out, d->beside, of_text);
    nf_str_append_char(out, '}');
    return out->failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}

nerfit_status nf_jsonl_bare(nf_str *out, const nf_document *document, nerfit_error *err) {
    nf_document bare = *document;
    bare.beside = NULL;
    nf_span *spans = malloc((bare.n_spans + 1) * sizeof *spans);
    if (!spans) return nf_no_memory(err, bare.n_spans * sizeof *spans);
    for (size_t i = 0; i < bare.n_spans; i++)
        spans[i] = (nf_span){document->spans[i].start, document->spans[i].end,
                             document->spans[i].label, NULL};
    bare.spans = spans;
    nerfit_status status = write_object(out, &bare, err);
    free(spans);
    if (status != NERFIT_OK) return status;
    return nf_str_append_char(out, '\n') ? NERFIT_OK : nf_no_memory(err, document->text_size);
}

static nerfit_status write_json(nf_parts *out, const nf_document *d, nerfit_error *err) {
    nf_part *part = nf_parts_get(out, "");
    return part ? write_object(&part->text, d, err) : nf_no_memory(err, 0);
}

static nerfit_status write_jsonl(nf_parts *out, const nf_document *d, nerfit_error *err) {
    NF_TRY(write_json(out, d, err));
    return nf_str_append_char(&nf_parts_get(out, "")->text, '\n') ? NERFIT_OK
                                                                  : nf_no_memory(err, 0);
}

/* clang-format off */
const nf_format nf_format_jsonl = {
    .name = "jsonl", .title = "JSON lines", .endings = {".jsonl", ".ndjson"}, .by_ending = true,
    .holds = NF_HOLDS_ALL,
    .recognised = "the ending, or a `{` that is closed on its line; each object is then read by the "
                  "format of JSON that it is like, and is nerfit's own if it has `text`",
    .kept = "text (also as `sentence`), entities (lists, or objects with `start`, `end`, `label` by any "
            "of their usual names, or `span` or `pos` and `type`), `weight` and `source` of texts and entities, `labels` and "
            "`unknown` of texts, all other fields as they are spelled",
    .lost = "texts whose `answer` (Prodigy's) is `reject` or `ignore` are left out, with a warning; "
            "annotations under another key are an error that names it",
    .looks_like = looks_like_jsonl, .read = read_jsonl, .read_line = read_jsonl_line,
    .value_looks_like = is_own, .read_value = read_own,
    .write = write_jsonl, .head = "", .between = "", .tail = "",
};
const nf_format nf_format_json = {
    .name = "json", .title = "JSON", .endings = {".json"}, .by_ending = true,
    .holds = NF_HOLDS_ALL,
    .recognised = "the ending, or a `{` that is not closed on its line, or `[` and then `{`, `[` or `]`",
    .kept = "as jsonl", .lost = "as jsonl",
    .looks_like = looks_like_json, .read = read_values,
    .write = write_json, .head = "[\n", .between = ",\n", .tail = "\n]\n", .empty = "[]\n",
};
/* clang-format on */
