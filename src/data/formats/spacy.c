/* What spaCy reads and writes as JSON:
 *   tuples          ["text", {"entities": [[start, end, label], ...]}]
 *   annotations     {"classes": [...], "annotations": [tuple, null, ...]}, of the NER annotators
 *   Doc.to_json     {"text", "ents": [{"start", "end", "label"}], "tokens", ...}
 *   version 2       {"id", "paragraphs": [{"raw", "sentences": [{"tokens": [{"orth", "ner"}]}]}]}
 * (spacy 3.8, and https://v2.spacy.io/api/annotation#json-input) */
#include <stdint.h>
#include <string.h>

#include "data/formats/token_json.h"
#include "data/json_place.h"

static const nf_span_shape doc_shape = {
    .text = "text", .list = "ents", .start = "start", .end = "end", .label = "label"};

static bool is_tuple(const json_t *value) {
    return json_is_array(value) && json_is_string(json_array_get(value, 0)) &&
           json_is_object(json_array_get(value, 1)) && json_array_size(value) == 2;
}

static bool is_annotator(const json_t *value) {
    const json_t *list = json_object_get(value, "annotations");
    return json_object_get(value, "classes") && json_is_array(list);
}

static bool looks_like(const json_t *value) {
    return is_tuple(value) || is_annotator(value) ||
           (json_is_string(json_object_get(value, "text")) &&
            json_is_array(json_object_get(value, "ents"))) ||
           json_is_array(json_object_get(value, "paragraphs"));
}

/* ---------------------------------------------------------------- tuples */

static nerfit_status read_tuple(const nf_json_value *v) {
    const json_t *text = json_array_get(v->json, 0), *annotations = json_array_get(v->json, 1);
    size_t at = nf_json_item(v->text, v->size, 0, 1);
    nf_json_value inner = nf_json_value_part(v, annotations, at);
    /* as an object, so that the entities' places are found */
    json_t *object = json_object();
    if (!object) return nf_no_memory(v->reading->err, 0);
    const json_t *entities = json_object_get(annotations, "entities");
    const char *other = v->reading->texts_only ? NULL : nf_json_annotation_key(annotations, true);
    json_object_set(object, "text", (json_t *)text);
    if (entities) json_object_set(object, "entities", (json_t *)entities);
    static const nf_span_shape shape = {.text = "text",
                                        .list = "entities",
                                        .start = "start",
                                        .end = "end",
                                        .label = "label",
                                        .lists = true};
    inner.json = object;
    inner.line = v->line;
    nerfit_status status =
        other && !entities
            ? nf_json_value_error(&inner, 0, 0,
                                  "has no \"entities\", but \"%s\" holds what looks like "
                                  "annotations",
                                  other)
            : nf_span_shape_read(&inner, &shape);
    json_decref(object);
    return status;
}

static nerfit_status read_annotator(const nf_json_value *v) {
    const json_t *list = json_object_get(v->json, "annotations");
    nf_json_items items = {.list = nf_json_member(v->text, v->size, 0, "annotations")};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (json_is_null(item)) continue; /* an empty line */
        nf_json_value part = nf_json_value_item(v, item, &items, i);
        if (is_tuple(item))
            NF_TRY(read_tuple(&part));
        else
            NF_TRY(nf_json_value_error(&part, 0, 0,
                                       "expected [\"text\", {\"entities\": [[start, end, label], "
                                       "...]}]"));
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- version 2 */

static nerfit_status read_token(const nf_json_value *v, const json_t *token, nf_conll_row *row,
                                bool *good) {
    const json_t *word = json_object_get(token, "orth"), *label = json_object_get(token, "ner");
    *good = json_is_string(word) && json_string_length(word);
    if (!*good)
        return nf_json_value_error(v, SIZE_MAX, 0, "a token has no \"orth\"; expected its text");
    bool missing = !json_is_string(label) || strcmp(json_string_value(label), "-") == 0;
    *row = (nf_conll_row){.word = json_string_value(word),
                          .word_size = json_string_length(word),
                          .label = missing ? "O" : json_string_value(label),
                          .label_size = missing ? 1 : json_string_length(label),
                          .line = v->line};
    const char *problem = nf_tag_problem(row->label, row->label_size, NF_TAGGING_AUTO);
    *good = !problem;
    if (problem)
        return nf_json_value_error(v, SIZE_MAX, 0, "label \"%.60s\" %s", row->label, problem);
    return NERFIT_OK;
}

static size_t count_tokens(const json_t *paragraph) {
    size_t i, count = 0;
    json_t *sentence;
    json_array_foreach(json_object_get(paragraph, "sentences"), i, sentence) count +=
        json_array_size(json_object_get(sentence, "tokens"));
    return count;
}

static nerfit_status read_paragraph(const nf_json_value *v, nf_arena *arena) {
    size_t i, k, n = 0, count = count_tokens(v->json);
    json_t *sentence, *token;
    const json_t *raw = json_object_get(v->json, "raw");
    nf_conll_row *rows = nf_arena_calloc(arena, count + 1, sizeof *rows);
    if (!rows) return nf_no_memory(v->reading->err, count * sizeof *rows);
    json_array_foreach(json_object_get(v->json, "sentences"), i, sentence)
        json_array_foreach(json_object_get(sentence, "tokens"), k, token) {
        bool good;
        NF_TRY(read_token(v, token, &rows[n++], &good));
        if (!good) return NERFIT_OK;
    }
    if (!count) return nf_json_value_error(v, 0, 0, "has no \"sentences\" with \"tokens\"");
    nf_sentence s = {.rows = rows,
                     .count = count,
                     .tagging = NF_TAGGING_AUTO,
                     .raw = json_string_value(raw),
                     .raw_size = json_string_length(raw)};
    return nf_sentence_add(v->reading, &s);
}

static nerfit_status read_version2(const nf_json_value *v) {
    const json_t *list = json_object_get(v->json, "paragraphs");
    nf_json_items items = {.list = nf_json_member(v->text, v->size, 0, "paragraphs")};
    nf_arena arena = {0};
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < json_array_size(list) && status == NERFIT_OK; i++) {
        nf_json_value part = nf_json_value_item(v, json_array_get(list, i), &items, i);
        status = read_paragraph(&part, &arena);
    }
    nf_arena_free(&arena);
    return status;
}

/* ---------------------------------------------------------------- Doc.to_json */

static nerfit_status read_doc(const nf_json_value *v) {
    const char *group;
    json_t *spans;
    json_object_foreach(json_object_get(v->json, "spans"), group, spans) {
        if (!json_array_size(spans) || v->reading->texts_only) continue;
        NF_TRY(nf_json_value_warning(v, NF_FINDING_READING,
                                     "has annotations under \"ents\" and \"spans\" (\"%s\"): "
                                     "\"ents\" are taken",
                                     group));
        break;
    }
    return nf_span_shape_read(v, &doc_shape);
}

static nerfit_status read_value(const nf_json_value *v) {
    if (json_is_array(v->json) && is_tuple(v->json)) return read_tuple(v);
    if (is_annotator(v->json)) return read_annotator(v);
    if (json_is_array(json_object_get(v->json, "paragraphs"))) return read_version2(v);
    return read_doc(v);
}

/* clang-format off */
const nf_format nf_format_spacy = {
    .name = "spacy", .title = "spaCy's JSON", .endings = {".json"},
    .recognised = "tuples `[\"text\", {\"entities\": [...]}]`; objects with `classes` and "
                  "`annotations`; with `text` and `ents` (Doc.to_json); with `paragraphs` (version 2)",
    .kept = "text, entities, of Doc.to_json all other fields",
    .lost = "what tuples and version 2 have beside entities (`cats`, `tag`, `head`, `dep`, ...)",
    .value_looks_like = looks_like, .read_value = read_value,
};
/* clang-format on */
