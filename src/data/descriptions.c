/* Both languages are brought to the same few questions about a value (what it is, its parts, where
 * it stands), so that the rules are written once. */
#include "data/descriptions.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/ascii.h"
#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "base/yaml.h"
#include "data/document.h"
#include "data/json_place.h"

typedef enum kind { KIND_TEXT, KIND_LIST, KIND_MAPPING, KIND_OTHER } kind;

/* Where a value stands. A place in JSON text is counted into lines only for a message. */
typedef struct spot {
    long line, column;
    size_t place; /* line 0: this byte of the JSON */
} spot;

/* A value of either language, seen as what it is. */
typedef struct value {
    kind kind;
    const char *shown; /* "a number", ... */
    const char *text;  /* of KIND_TEXT */
    size_t text_size;
    size_t count; /* items or members */
    spot at;
    const json_t *json; /* one of the two */
    const yaml_node_t *yaml;
} value;

typedef struct source {
    const char *text, *name;
    size_t size;
    yaml_document_t *yaml; /* NULL: JSON, or lists in memory, which have no text */
} source;

/* ---------------------------------------------------------------- JSON */

static value json_value(const json_t *json, size_t place) {
    value v = {.kind = KIND_OTHER, .json = json, .at = {.place = place}};
    switch (json_typeof(json)) {
    case JSON_STRING:
        v.kind = KIND_TEXT, v.text = json_string_value(json);
        v.text_size = json_string_length(json);
        break;
    case JSON_OBJECT:
        v.kind = KIND_MAPPING, v.count = json_object_size(json), v.shown = "an object";
        break;
    case JSON_ARRAY:
        v.kind = KIND_LIST, v.count = json_array_size(json), v.shown = "an array";
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        v.shown = "a number";
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        v.shown = "a truth value";
        break;
    case JSON_NULL:
        v.shown = "null";
        break;
    }
    return v;
}

/* ---------------------------------------------------------------- YAML */

/* What a plain scalar is in YAML's core schema, if it is no text; else NULL. */
static const char *plain_type(const char *text) {
    static const char *const nulls[] = {"", "~", "null"}, *const truths[] = {"true", "false"};
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        if (nf_ascii_same(text, nulls[i])) return "null";
    for (size_t i = 0; i < sizeof truths / sizeof *truths; i++)
        if (nf_ascii_same(text, truths[i])) return "a truth value";
    if (!strchr("+-.0123456789", text[0])) return NULL;
    char *end;
    nf_number_read(text, &end);
    return *end == '\0' ? "a number" : NULL;
}

static value yaml_value(const yaml_node_t *node) {
    value v = {.kind = KIND_OTHER,
               .yaml = node,
               .at = {.line = (long)node->start_mark.line + 1,
                      .column = (long)node->start_mark.column + 1}};
    if (node->type == YAML_MAPPING_NODE) {
        v.kind = KIND_MAPPING, v.shown = "a mapping";
        v.count = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    } else if (node->type == YAML_SEQUENCE_NODE) {
        v.kind = KIND_LIST, v.shown = "a list";
        v.count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    } else if (node->type == YAML_SCALAR_NODE) {
        v.text = (const char *)node->data.scalar.value;
        v.text_size = node->data.scalar.length;
        v.shown = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_type(v.text) : NULL;
        if (!v.shown) v.kind = KIND_TEXT;
    }
    return v;
}

/* A key is a text, whatever its plain form looks like. */
static value yaml_key(const yaml_node_t *node) {
    value v = yaml_value(node);
    if (node->type == YAML_SCALAR_NODE) v.kind = KIND_TEXT;
    return v;
}

/* ---------------------------------------------------------------- the parts of a value */

/* The parts are asked for in order; jansson keeps the order of the file. */
typedef struct walk {
    const source *source;
    const value *of;
    size_t index;
    void *iterator; /* of a JSON object */
    size_t place;   /* of the JSON part */
} walk;

static void next_json_part(walk *w, value *key, value *part) {
    const source *s = w->source;
    const json_t *of = w->of->json;
    w->place = w->index ? nf_json_next_part(s->text, s->size, w->place)
                        : nf_json_first_part(s->text, s->size, w->of->at.place);
    if (json_is_array(of)) {
        *part = json_value(json_array_get(of, w->index), w->place);
        return;
    }
    json_t *object = (json_t *)of;
    w->iterator = w->index ? json_object_iter_next(object, w->iterator) : json_object_iter(object);
    const char *name = json_object_iter_key(w->iterator);
    *key = (value){
        .kind = KIND_TEXT, .text = name, .text_size = strlen(name), .at = {.place = w->place}};
    w->place = nf_json_value_of_key(s->text, s->size, w->place);
    *part = json_value(json_object_iter_value(w->iterator), w->place);
}

static void next_yaml_part(walk *w, value *key, value *part) {
    yaml_document_t *document = w->source->yaml;
    if (w->of->kind == KIND_LIST) {
        yaml_node_item_t item = w->of->yaml->data.sequence.items.start[w->index];
        *part = yaml_value(yaml_document_get_node(document, item));
        return;
    }
    const yaml_node_pair_t *pair = w->of->yaml->data.mapping.pairs.start + w->index;
    *key = yaml_key(yaml_document_get_node(document, pair->key));
    *part = yaml_value(yaml_document_get_node(document, pair->value));
}

/* `key` is set for mappings only. */
static bool next_part(walk *w, value *key, value *part) {
    if (w->index >= w->of->count) return false;
    if (w->of->json)
        next_json_part(w, key, part);
    else
        next_yaml_part(w, key, part);
    w->index++;
    return true;
}

/* ---------------------------------------------------------------- the rules */

typedef struct reader {
    nf_descriptions *out;
    const source *source;
    spot *spots; /* [count] of the labels */
    nerfit_error *err;
} reader;

static spot located(const reader *r, spot at) {
    if (at.line == 0 && r->source->text)
        nf_json_line_column(r->source->text, at.place, 1, &at.line, &at.column);
    return at;
}

static nerfit_status bad(const reader *r, const value *at, const char *what) {
    spot s = located(r, at->at);
    return nf_fail_at(r->err, NERFIT_FORMAT, r->source->name, s.line, s.column, "%s", what);
}

static nerfit_status bad_label(const reader *r, const value *at, const value *label,
                               const char *what) {
    spot s = located(r, at->at);
    return nf_fail_at(r->err, NERFIT_FORMAT, r->source->name, s.line, s.column,
                      "label \"%.60s\" %s", label->text, what);
}

static nerfit_status add(reader *r, const value *label, const value *text) {
    if (label->kind != KIND_TEXT) return bad(r, label, "expected a label (a text)");
    const char *name = label->text, *words = text->text;
    size_t name_size = label->text_size, size = text->text_size;
    char what[128];
    if (text->kind != KIND_TEXT) {
        snprintf(what, sizeof what, "has %s where its description is expected (a text)%s",
                 text->shown, text->kind == KIND_OTHER ? "; put it in quotes if it is one" : "");
        return bad_label(r, text, label, what);
    }
    if (memchr(name, '\0', name_size) || memchr(words, '\0', size))
        return bad_label(r, label, label, "or its description holds a NUL character");
    nf_text_trim(&name, &name_size);
    nf_text_trim(&words, &size);
    if (name_size == 0) return bad(r, label, "the label is empty");
    if (name_size != label->text_size)
        return bad_label(r, label, label, "has white space at its edge");
    if (size == 0) return bad_label(r, text, label, "has an empty description");
    nf_descriptions *out = r->out;
    r->spots[out->count] = label->at;
    out->labels[out->count] = nf_arena_copy(&out->arena, name, name_size);
    out->texts[out->count] = nf_arena_copy(&out->arena, words, size);
    if (!out->labels[out->count] || !out->texts[out->count]) return nf_no_memory(r->err, size);
    out->count++;
    return NERFIT_OK;
}

/* {"label": ..., "description": ...} or [label, text]. */
static nerfit_status add_item(reader *r, const value *item) {
    static const char expected[] =
        "expected {\"label\": ..., \"description\": ...} or [label, description]";
    value key, part, label = {.kind = KIND_OTHER}, text = {.kind = KIND_OTHER};
    bool has_label = false, has_text = false;
    walk w = {.source = r->source, .of = item};
    if (item->kind == KIND_LIST && item->count == 2) {
        has_label = next_part(&w, &key, &label);
        has_text = next_part(&w, &key, &text);
    } else if (item->kind == KIND_MAPPING) {
        while (next_part(&w, &key, &part)) {
            if (key.kind != KIND_TEXT) continue;
            if (strcmp(key.text, "label") == 0) label = part, has_label = true;
            if (strcmp(key.text, "description") == 0) text = part, has_text = true;
        }
    }
    return has_label && has_text ? add(r, &label, &text) : bad(r, item, expected);
}

typedef struct named {
    const char *label;
    size_t index;
} named;

static int by_label(const void *a, const void *b) {
    const named *x = a, *y = b;
    int order = strcmp(x->label, y->label);
    return order ? order : x->index < y->index ? -1 : x->index > y->index;
}

static nerfit_status check_repeated(const reader *r) {
    const nf_descriptions *out = r->out;
    named *sorted = nf_arena_calloc(&r->out->arena, out->count, sizeof *sorted);
    if (!sorted) return nf_no_memory(r->err, out->count * sizeof *sorted);
    for (size_t i = 0; i < out->count; i++) sorted[i] = (named){out->labels[i], i};
    qsort(sorted, out->count, sizeof *sorted, by_label);
    for (size_t i = 1; i < out->count; i++) {
        if (strcmp(sorted[i - 1].label, sorted[i].label) != 0) continue;
        spot first = located(r, r->spots[sorted[i - 1].index]);
        spot again = located(r, r->spots[sorted[i].index]);
        char where[40] = "";
        if (first.line) snprintf(where, sizeof where, ", on line %ld", first.line);
        return nf_fail_at(r->err, NERFIT_FORMAT, r->source->name, again.line, again.column,
                          "label \"%.60s\" is there already%s", sorted[i].label, where);
    }
    return NERFIT_OK;
}

static nerfit_status reserve(reader *r, size_t count) {
    nf_arena *arena = &r->out->arena;
    r->out->labels = nf_arena_calloc(arena, count, sizeof *r->out->labels);
    r->out->texts = nf_arena_calloc(arena, count, sizeof *r->out->texts);
    r->spots = nf_arena_calloc(arena, count, sizeof *r->spots);
    if (r->out->labels && r->out->texts && r->spots) return NERFIT_OK;
    return nf_no_memory(r->err, count * sizeof *r->spots);
}

static nerfit_status read_root(reader *r, const value *root) {
    if (root->kind != KIND_MAPPING && root->kind != KIND_LIST)
        return bad(r, root, "expected a mapping of labels to descriptions, or a list of them");
    if (root->count == 0) return bad(r, root, "holds no descriptions");
    NF_TRY(reserve(r, root->count));
    value key, part;
    walk w = {.source = r->source, .of = root};
    while (next_part(&w, &key, &part))
        NF_TRY(root->kind == KIND_MAPPING ? add(r, &key, &part) : add_item(r, &part));
    return check_repeated(r);
}

static nerfit_status read_lists(reader *r, const char *const *labels, const char *const *texts,
                                size_t count) {
    if (count == 0)
        return nf_fail_at(r->err, NERFIT_FORMAT, r->source->name, 0, 0, "holds no descriptions");
    NF_TRY(reserve(r, count));
    for (size_t i = 0; i < count; i++) {
        value label = {.kind = KIND_TEXT, .text = labels[i], .text_size = strlen(labels[i])};
        value text = {.kind = KIND_TEXT, .text = texts[i], .text_size = strlen(texts[i])};
        NF_TRY(add(r, &label, &text));
    }
    return check_repeated(r);
}

nerfit_status nf_descriptions_make(nf_descriptions *out, const char *const *labels,
                                   const char *const *texts, size_t count, const char *name,
                                   nerfit_error *err) {
    source s = {.name = name};
    reader r = {.out = out, .source = &s, .err = err};
    nerfit_status status = read_lists(&r, labels, texts, count);
    if (status != NERFIT_OK) nf_descriptions_free(out);
    return status;
}

/* ---------------------------------------------------------------- files */

static nerfit_status parse_json(reader *r, source *s) {
    json_t *json;
    NF_TRY(nf_json_parse(&json, s->text, s->size, s->name, 1, r->err));
    value root = json_value(json, nf_json_space_end(s->text, s->size, 0));
    nerfit_status status = read_root(r, &root);
    json_decref(json);
    return status;
}

static nerfit_status parse_yaml(reader *r, source *s) {
    yaml_document_t document;
    NF_TRY(nf_yaml_load(&document, s->text, s->size, s->name, r->err));
    s->yaml = &document;
    const yaml_node_t *node = yaml_document_get_root_node(&document);
    value root = node ? yaml_value(node) : (value){.kind = KIND_OTHER, .at = {.line = 1}};
    nerfit_status status = read_root(r, &root);
    yaml_document_delete(&document);
    return status;
}

static bool is_json(const source *s) {
    if (nf_path_has_ending(s->name, ".yaml") || nf_path_has_ending(s->name, ".yml")) return false;
    size_t at = nf_json_space_end(s->text, s->size, 0);
    return nf_path_has_ending(s->name, ".json") ||
           (at < s->size && (s->text[at] == '{' || s->text[at] == '['));
}

nerfit_status nf_descriptions_parse(nf_descriptions *out, const char *text, size_t size,
                                    const char *name, nerfit_error *err) {
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3, size -= 3;
    source s = {.text = text, .size = size, .name = name};
    reader r = {.out = out, .source = &s, .err = err};
    nerfit_status status = is_json(&s) ? parse_json(&r, &s) : parse_yaml(&r, &s);
    if (status != NERFIT_OK) nf_descriptions_free(out);
    return status;
}

static nerfit_status read_synonyms(nf_descriptions *out, const char *path, nerfit_error *err) {
    out->further = nf_arena_calloc(&out->arena, out->count, sizeof *out->further);
    if (!out->further) return nf_no_memory(err, out->count * sizeof *out->further);
    return nf_synonyms_read(out->further, &out->arena, out->labels, out->count, path, err);
}

nerfit_status nf_descriptions_read(nf_descriptions *out, const char *path, nerfit_error *err) {
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status status = nf_descriptions_parse(out, file.data, file.size, path, err);
    nf_file_close(&file);
    if (status != NERFIT_OK) return status;
    const char *beside = nf_synonyms_path(&out->arena, path);
    if (!beside) status = nf_no_memory(err, strlen(path));
    if (beside && nf_file_exists(beside)) status = read_synonyms(out, beside, err);
    if (status != NERFIT_OK) nf_descriptions_free(out);
    return status;
}

void nf_descriptions_free(nf_descriptions *descriptions) {
    nf_arena_free(&descriptions->arena);
    *descriptions = (nf_descriptions){0};
}
