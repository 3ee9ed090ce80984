/* BioC in XML and JSON: a collection of documents with passages (or sentences in them), each a text
 * with annotations whose offsets count from the document's beginning. Every passage or sentence is
 * a text here. An annotation's type is its infon "type". (https://bioc.sourceforge.net; bioc 2) */
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "data/formats/format.h"
#include "data/formats/xml.h"
#include "data/json_place.h"

/* Annotations of a document, or of a passage whose text is that of its sentences: each belongs to the
 * text in which it lies. */
typedef struct bioc_outer {
    nf_given_span *spans; /* offsets count from the document's beginning */
    size_t n_spans;
    bool *placed;
    const struct bioc_outer *around; /* NULL: none */
} bioc_outer;

/* A text with its annotations on their way, from either spelling. */
typedef struct bioc_text {
    nf_reading *reading;
    nf_arena *arena;
    nf_given_span *spans; /* offsets as in bioc_outer */
    size_t n_spans;
    const char *id; /* of the document; NULL: none */
    int64_t offset;
    long line;
} bioc_text;

static size_t count_outer(const bioc_outer *outer) {
    return outer ? outer->n_spans + count_outer(outer->around) : 0;
}

/* Takes what lies in the text, [n] code points, from the annotations around it. */
static void take_outer(bioc_text *t, const bioc_outer *outer, size_t n) {
    for (; outer; outer = outer->around)
        for (size_t i = 0; i < outer->n_spans; i++) {
            const nf_given_span *span = &outer->spans[i];
            if (outer->placed[i] || span->start < t->offset || span->end > t->offset + (int64_t)n)
                continue;
            outer->placed[i] = true;
            t->spans[t->n_spans++] = *span;
        }
}

static nerfit_status outer_end(nf_reading *reading, const bioc_outer *outer, long line) {
    for (size_t i = 0; i < outer->n_spans; i++)
        if (!outer->placed[i])
            return nf_reading_malformed(
                reading, line, 0, "an annotation (\"%s\", %lld..%lld) lies in none of the texts",
                outer->spans[i].label, (long long)outer->spans[i].start,
                (long long)outer->spans[i].end);
    return NERFIT_OK;
}

static nerfit_status add_text(bioc_text *t, const char *text, size_t size) {
    nf_str fields = {0};
    nf_beside beside = {0};
    for (size_t i = 0; i < t->n_spans; i++)
        t->spans[i].start -= t->offset, t->spans[i].end -= t->offset;
    if (t->id) {
        nf_str_append_text(&fields, "\"id\": ");
        nf_str_append_json(&fields, t->id, strlen(t->id));
        beside.fields = nf_str_text(&fields);
    }
    nf_given_document given = {.text = text,
                               .text_size = size,
                               .spans = t->spans,
                               .n_spans = t->n_spans,
                               .beside = t->id ? &beside : NULL,
                               .line = t->line};
    nerfit_status status =
        fields.failed ? nf_no_memory(t->reading->err, 0) : nf_reading_add(t->reading, &given);
    nf_str_free(&fields);
    return status;
}

static nerfit_status warn_of_parts(nf_reading *reading, long line, size_t n) {
    nf_finding finding = {.kind = NF_FINDING_LEFT_OUT, .line = line};
    return n < 2 ? NERFIT_OK
                 : nf_reading_warning(reading, &finding,
                                      "an annotation of %zu parts is taken from the first to the "
                                      "last",
                                      n);
}

/* ---------------------------------------------------------------- XML */

static bool looks_like_xml(const char *text, size_t size) {
    return nf_xml_root_is(text, size, "collection") && memmem(text, size, "<passage", 8);
}

static bool number_of(const nf_xml_node *node, const char *name, int64_t *out) {
    const char *text = node ? nf_xml_attribute_of(node, name) : NULL;
    uint64_t value;
    if (!text || !nf_whole_parse(text, INT32_MAX, &value)) return false;
    *out = (int64_t)value;
    return true;
}

/* All text below a node; NULL of none. */
static nerfit_status text_of(nf_arena *arena, const nf_xml_node *node, const char **out,
                             nerfit_error *err) {
    nf_str text = {0};
    *out = NULL;
    if (!node) return NERFIT_OK;
    nf_xml_append_text(&text, node);
    if (!text.failed) *out = nf_arena_copy(arena, nf_str_text(&text), text.length);
    nf_str_free(&text);
    return *out ? NERFIT_OK : nf_no_memory(err, 0);
}

static const nf_xml_node *infon_of(const nf_xml_node *node, const char *key) {
    for (node = nf_xml_child(node, "infon"); node; node = nf_xml_from(node->next, "infon")) {
        const char *name = nf_xml_attribute_of(node, "key");
        if (name && strcmp(name, key) == 0) return node;
    }
    return NULL;
}

static nerfit_status read_xml_annotation(bioc_text *t, const nf_xml_node *node, bool *good) {
    const char *type, *own = NULL;
    NF_TRY(text_of(t->arena, infon_of(node, "type"), &type, t->reading->err));
    int64_t start = INT64_MAX, end = -1;
    size_t n = 0;
    *good = type != NULL;
    for (const nf_xml_node *l = nf_xml_child(node, "location"); l;
         l = nf_xml_from(l->next, "location"), n++) {
        int64_t offset, length;
        *good &= number_of(l, "offset", &offset) && number_of(l, "length", &length);
        if (!*good) break;
        if (offset < start) start = offset;
        if (offset + length > end) end = offset + length;
    }
    *good &= n > 0;
    if (!*good)
        return nf_reading_malformed(t->reading, node->line, 0,
                                    "an annotation has no infon \"type\", or no location with "
                                    "offset and length");
    NF_TRY(warn_of_parts(t->reading, node->line, n));
    if (n == 1) NF_TRY(text_of(t->arena, nf_xml_child(node, "text"), &own, t->reading->err));
    t->spans[t->n_spans++] = (nf_given_span){.start = start,
                                             .end = end,
                                             .label = type,
                                             .label_size = strlen(type),
                                             .text = own,
                                             .text_size = own ? strlen(own) : 0};
    return NERFIT_OK;
}

static size_t count_xml_annotations(const nf_xml_node *node) {
    size_t count = 0;
    for (const nf_xml_node *a = nf_xml_child(node, "annotation"); a;
         a = nf_xml_from(a->next, "annotation"))
        count++;
    return count;
}

/* The node's annotations, behind those that t has; *all says whether all could be read. */
static nerfit_status read_xml_annotations(bioc_text *t, const nf_xml_node *node, bool *all) {
    bool good = true;
    *all = true;
    for (const nf_xml_node *a = nf_xml_child(node, "annotation"); a && !t->reading->texts_only;
         a = nf_xml_from(a->next, "annotation")) {
        NF_TRY(read_xml_annotation(t, a, &good));
        *all &= good;
    }
    return NERFIT_OK;
}

static nerfit_status read_xml_outer(nf_reading *reading, const nf_xml_node *node, nf_arena *arena,
                                    bioc_outer *out) {
    const size_t count = count_xml_annotations(node);
    bioc_text t = {.reading = reading,
                   .arena = arena,
                   .spans = nf_arena_calloc(arena, count + 1, sizeof(nf_given_span))};
    bool all;
    out->placed = nf_arena_calloc(arena, count + 1, sizeof *out->placed);
    if (!t.spans || !out->placed) return nf_no_memory(reading->err, count);
    NF_TRY(read_xml_annotations(&t, node, &all));
    out->spans = t.spans;
    out->n_spans = t.n_spans;
    return NERFIT_OK;
}

/* A passage or a sentence that has a text. */
static nerfit_status read_xml_text(nf_reading *reading, const nf_xml_node *node, const char *id,
                                   const bioc_outer *outer, nf_arena *arena) {
    const nf_xml_node *text = nf_xml_child(node, "text"), *offset = nf_xml_child(node, "offset");
    const char *content, *number;
    uint64_t first = 0;
    NF_TRY(text_of(arena, text, &content, reading->err));
    NF_TRY(text_of(arena, offset, &number, reading->err));
    if (!number || !nf_whole_parse(number, INT32_MAX, &first))
        return nf_reading_malformed(reading, node->line, 0, "has no offset that is a number");
    const size_t count = count_xml_annotations(node) + count_outer(outer);
    bioc_text t = {.reading = reading,
                   .arena = arena,
                   .spans = nf_arena_calloc(arena, count + 1, sizeof(nf_given_span)),
                   .id = id,
                   .offset = (int64_t)first,
                   .line = text->line};
    bool all;
    if (!t.spans) return nf_no_memory(reading->err, count);
    NF_TRY(read_xml_annotations(&t, node, &all));
    take_outer(&t, outer, nf_utf8_count(content, strlen(content)));
    return all ? add_text(&t, content, strlen(content)) : NERFIT_OK;
}

static nerfit_status read_xml_passage(nf_reading *reading, const nf_xml_node *p, const char *id,
                                      const bioc_outer *of_document, nf_arena *arena) {
    bioc_outer outer = {.around = of_document};
    if (nf_xml_child(p, "text"))
        NF_TRY(read_xml_text(reading, p, id, of_document, arena));
    else
        NF_TRY(read_xml_outer(reading, p, arena, &outer));
    for (const nf_xml_node *s = nf_xml_child(p, "sentence"); s;
         s = nf_xml_from(s->next, "sentence"))
        if (nf_xml_child(s, "text")) NF_TRY(read_xml_text(reading, s, id, &outer, arena));
    return outer_end(reading, &outer, p->line);
}

static nerfit_status read_xml_document(nf_reading *reading, const nf_xml_node *node,
                                       nf_arena *arena) {
    const char *id;
    bioc_outer outer = {0};
    NF_TRY(text_of(arena, nf_xml_child(node, "id"), &id, reading->err));
    NF_TRY(read_xml_outer(reading, node, arena, &outer));
    for (const nf_xml_node *p = nf_xml_child(node, "passage"); p;
         p = nf_xml_from(p->next, "passage"))
        NF_TRY(read_xml_passage(reading, p, id, &outer, arena));
    return outer_end(reading, &outer, node->line);
}

static nerfit_status read_xml(nf_reading *reading, const char *text, size_t size) {
    nf_arena arena = {0};
    nf_xml_node *root;
    nerfit_status status = nf_xml_parse(reading, text, size, 1, false, &arena, &root);
    if (status == NERFIT_OK && root && strcmp(root->name, "collection") != 0)
        status = nf_reading_malformed(reading, root->line, 0, "expected BioC's <collection>");
    else
        for (const nf_xml_node *d = root ? nf_xml_child(root, "document") : NULL;
             d && status == NERFIT_OK; d = nf_xml_from(d->next, "document"))
            status = read_xml_document(reading, d, &arena);
    nf_arena_free(&arena);
    return status;
}

/* clang-format off */
const nf_format nf_format_bioc_xml = {
    .name = "bioc-xml", .title = "BioC's XML", .endings = {".xml"}, .sure = true,
    .recognised = "the element `collection` with `passage`",
    .kept = "passages and sentences, each a text with its entities (also those that stand at the "
            "document or the passage around it) and the document's `id`; an entity's text must stand "
            "at its place",
    .lost = "infons but `type`, relations; parts: an entity is taken from its first to its last, "
            "with a warning",
    .looks_like = looks_like_xml, .read = read_xml,
};
/* clang-format on */

/* ---------------------------------------------------------------- JSON */

/* The key of the list of documents: "documents", or, as PubTator's server has it, "PubTator3"; NULL
 * if there is none. */
static const char *documents_key(const json_t *value) {
    const char *key;
    json_t *list;
    json_object_foreach((json_t *)value, key,
                        list) if (json_is_array(nf_json_get(list, "0.passages", NULL))) return key;
    return json_is_array(json_object_get(value, "documents")) ? "documents" : NULL;
}

static bool looks_like_json(const json_t *value) {
    const char *key = documents_key(value);
    return json_is_array(json_object_get(value, "passages")) ||
           (key && json_array_size(json_object_get(value, key)));
}

static nerfit_status read_json_annotation(bioc_text *t, const nf_json_value *v, const json_t *json,
                                          bool *good) {
    const json_t *type = nf_json_get(json, "infons.type", NULL),
                 *locations = json_object_get(json, "locations"),
                 *text = json_object_get(json, "text");
    int64_t start = INT64_MAX, end = -1;
    size_t n = json_array_size(locations);
    *good = json_is_string(type) && n > 0;
    for (size_t i = 0; i < n && *good; i++) {
        const json_t *location = json_array_get(locations, i),
                     *offset = json_object_get(location, "offset"),
                     *length = json_object_get(location, "length");
        *good = json_is_integer(offset) && json_is_integer(length);
        int64_t from = json_integer_value(offset);
        if (from < start) start = from;
        if (from + json_integer_value(length) > end) end = from + json_integer_value(length);
    }
    if (!*good)
        return nf_json_value_error(v, SIZE_MAX, 0,
                                   "an annotation has no \"type\" among its infons, or no location "
                                   "with offset and length");
    NF_TRY(warn_of_parts(t->reading, v->line, n));
    bool own = n == 1 && json_is_string(text);
    t->spans[t->n_spans++] = (nf_given_span){.start = start,
                                             .end = end,
                                             .label = json_string_value(type),
                                             .label_size = json_string_length(type),
                                             .text = own ? json_string_value(text) : NULL,
                                             .text_size = own ? json_string_length(text) : 0};
    return NERFIT_OK;
}

/* As read_xml_annotations. */
static nerfit_status read_json_annotations(bioc_text *t, const nf_json_value *v, bool *all) {
    const json_t *list = json_object_get(v->json, "annotations");
    bool good = true;
    *all = true;
    for (size_t i = 0; i < json_array_size(list) && !v->reading->texts_only; i++) {
        NF_TRY(read_json_annotation(t, v, json_array_get(list, i), &good));
        *all &= good;
    }
    return NERFIT_OK;
}

static nerfit_status read_json_outer(const nf_json_value *v, nf_arena *arena, bioc_outer *out) {
    const size_t count = json_array_size(json_object_get(v->json, "annotations"));
    bioc_text t = {.reading = v->reading,
                   .arena = arena,
                   .spans = nf_arena_calloc(arena, count + 1, sizeof(nf_given_span))};
    bool all;
    out->placed = nf_arena_calloc(arena, count + 1, sizeof *out->placed);
    if (!t.spans || !out->placed) return nf_no_memory(v->reading->err, count);
    NF_TRY(read_json_annotations(&t, v, &all));
    out->spans = t.spans;
    out->n_spans = t.n_spans;
    return NERFIT_OK;
}

static bool has_text(const json_t *json) {
    return json_string_length(json_object_get(json, "text")) > 0;
}

static nerfit_status read_json_text(const nf_json_value *v, const char *id, const bioc_outer *outer,
                                    nf_arena *arena) {
    const json_t *text = json_object_get(v->json, "text"),
                 *list = json_object_get(v->json, "annotations"),
                 *offset = json_object_get(v->json, "offset");
    const size_t count = json_array_size(list) + count_outer(outer);
    bioc_text t = {.reading = v->reading,
                   .arena = arena,
                   .spans = nf_arena_calloc(arena, count + 1, sizeof(nf_given_span)),
                   .id = id,
                   .offset = json_integer_value(offset),
                   .line = v->line};
    bool all;
    if (!t.spans) return nf_no_memory(v->reading->err, count);
    NF_TRY(read_json_annotations(&t, v, &all));
    const char *content = json_string_value(text);
    const size_t size = json_string_length(text);
    take_outer(&t, outer, nf_utf8_count(content, size));
    return all ? add_text(&t, content, size) : NERFIT_OK;
}

static nerfit_status read_json_passage(const nf_json_value *p, const char *id,
                                       const bioc_outer *of_document, nf_arena *arena) {
    const json_t *sentences = json_object_get(p->json, "sentences");
    nf_json_items items = {.list = nf_json_member(p->text, p->size, 0, "sentences")};
    bioc_outer outer = {.around = of_document};
    if (has_text(p->json))
        NF_TRY(read_json_text(p, id, of_document, arena));
    else
        NF_TRY(read_json_outer(p, arena, &outer));
    for (size_t k = 0; k < json_array_size(sentences); k++) {
        nf_json_value s = nf_json_value_item(p, json_array_get(sentences, k), &items, k);
        if (has_text(s.json)) NF_TRY(read_json_text(&s, id, &outer, arena));
    }
    return outer_end(p->reading, &outer, p->line);
}

static nerfit_status read_json_document(const nf_json_value *v, nf_arena *arena) {
    const char *id = json_string_value(json_object_get(v->json, "id"));
    const json_t *passages = json_object_get(v->json, "passages");
    nf_json_items items = {.list = nf_json_member(v->text, v->size, 0, "passages")};
    bioc_outer outer = {0};
    if (!json_is_array(passages))
        return nf_json_value_error(v, SIZE_MAX, 0,
                                   "has no \"passages\", as BioC's documents have; a list of other "
                                   "texts is expected alone, or one text a line");
    NF_TRY(read_json_outer(v, arena, &outer));
    for (size_t i = 0; i < json_array_size(passages); i++) {
        nf_json_value p = nf_json_value_item(v, json_array_get(passages, i), &items, i);
        NF_TRY(read_json_passage(&p, id, &outer, arena));
    }
    return outer_end(v->reading, &outer, v->line);
}

static nerfit_status read_json(const nf_json_value *v) {
    nf_arena arena = {0};
    const char *key = documents_key(v->json);
    const json_t *documents = key ? json_object_get(v->json, key) : NULL;
    nf_json_items items = {.list = key ? nf_json_member(v->text, v->size, 0, key) : SIZE_MAX};
    nerfit_status status = NERFIT_OK;
    if (!documents) status = read_json_document(v, &arena);
    for (size_t i = 0; i < json_array_size(documents) && status == NERFIT_OK; i++) {
        nf_json_value d = nf_json_value_item(v, json_array_get(documents, i), &items, i);
        status = read_json_document(&d, &arena);
    }
    nf_arena_free(&arena);
    return status;
}

/* clang-format off */
const nf_format nf_format_bioc_json = {
    .name = "bioc-json", .title = "BioC's JSON", .endings = {".json"},
    .recognised = "objects with `documents` (or `PubTator3`) that have `passages`, or with `passages`",
    .kept = "as bioc-xml", .lost = "as bioc-xml",
    .value_looks_like = looks_like_json, .read_value = read_json,
};
/* clang-format on */
