/* doccano's JSON lines: {"id", "text", "label": [[start, end, label], ...]} (older exports say
 * "labels"); with relations {"id", "text", "entities": [{"id", "label", "start_offset",
 * "end_offset"}], "relations": [...]}. (https://doccano.github.io/doccano, version 1.8) */
#include <string.h>

#include "data/formats/format.h"

static const nf_span_shape shape = {
    .text = "text|data",
    .list = "label|labels|entities",
    .start = "start_offset|start",
    .end = "end_offset|end",
    .label = "label",
    .own = "text",
    .lists = true,
};

static bool looks_like(const json_t *value) {
    if (!json_is_string(nf_json_get(value, "text|data", NULL))) return false;
    if (json_is_integer(nf_json_get(value, "entities.0.start_offset", NULL))) return true;
    const json_t *list = nf_json_get(value, "label|labels", NULL);
    if (json_object_get(value, "entities") || !json_is_array(list)) return false;
    const json_t *first = json_array_get(list, 0);
    return !first || (json_is_array(first) && json_array_size(first) == 3 &&
                      json_is_integer(json_array_get(first, 0)));
}

static nerfit_status read_value(const nf_json_value *value) {
    return nf_span_shape_read(value, &shape);
}

/* Entities that have something beside take the form that goes with relations. */
static void write_entities(nf_str *out, const nf_document *d, bool objects) {
    static const char *const own[] = {"start_offset", "end_offset", "label", NULL};
    nf_str_appendf(out, ", \"%s\": [", objects ? "entities" : "label");
    for (size_t i = 0; i < d->n_spans; i++) {
        const nf_span *span = &d->spans[i];
        nf_str_append_text(out, i ? ", " : "");
        if (objects) {
            bool has_id = span->beside && nf_fields_have(span->beside->fields, "id");
            nf_str_append_char(out, '{');
            if (!has_id) nf_str_appendf(out, "\"id\": %zu, ", i + 1);
            nf_str_append_text(out, "\"label\": ");
            nf_str_append_json(out, span->label, strlen(span->label));
            nf_str_appendf(out, ", \"start_offset\": %u, \"end_offset\": %u", span->start,
                           span->end);
            nf_json_append_beside(out, span->beside, own);
            nf_str_append_char(out, '}');
            continue;
        }
        nf_str_appendf(out, "[%u, %u, ", span->start, span->end);
        nf_str_append_json(out, span->label, strlen(span->label));
        nf_str_append_char(out, ']');
    }
    nf_str_append_char(out, ']');
}

static const char *const text_own[] = {"text", "label", "labels", "entities", NULL};

static nerfit_status write(nf_parts *parts, const nf_document *d, nerfit_error *err) {
    nf_part *part = nf_parts_get(parts, "");
    if (!part) return nf_no_memory(err, 0);
    bool objects = false;
    for (size_t i = 0; i < d->n_spans; i++) objects |= d->spans[i].beside != NULL;
    nf_str_append_text(&part->text, "{\"text\": ");
    nf_str_append_json(&part->text, d->text, d->text_size);
    write_entities(&part->text, d, objects);
    nf_json_append_beside(&part->text, d->beside, text_own);
    nf_str_append_text(&part->text, "}\n");
    return part->text.failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}

/* clang-format off */
const nf_format nf_format_doccano = {
    .name = "doccano", .title = "doccano's JSON lines", .endings = {".jsonl"}, .holds = NF_HOLDS_ALL,
    .recognised = "objects with `text` and `label` or `labels`, a list of `[start, end, label]`; or "
                  "`entities` with `start_offset`",
    .kept = "text, entities, all other fields (`id`, `relations`, `Comments`, ...)",
    .lost = "nothing",
    .value_looks_like = looks_like, .read_value = read_value,
    .write = write, .own = text_own, .head = "", .between = "", .tail = "",
};
/* clang-format on */
