/* Prodigy's JSON lines: {"text", "tokens", "spans": [{"start", "end", "label"}], "answer"}.
 * (https://prodi.gy/docs/api-interfaces#spans) */
#include <string.h>

#include "data/formats/format.h"

static const nf_span_shape shape = {
    .text = "text",
    .list = "spans",
    .start = "start",
    .end = "end",
    .label = "label",
    .own = "text",
};

static bool looks_like(const json_t *value) {
    if (!json_is_string(json_object_get(value, "text")) || json_object_get(value, "entities"))
        return false;
    const json_t *spans = json_object_get(value, "spans");
    if (json_is_array(spans))
        return !json_array_size(spans) || json_is_integer(nf_json_get(spans, "0.start", NULL));
    const char *answer = json_string_value(json_object_get(value, "answer"));
    bool judged = answer && (strcmp(answer, "accept") == 0 || strcmp(answer, "reject") == 0 ||
                             strcmp(answer, "ignore") == 0);
    bool prodigys =
        judged || json_object_get(value, "_input_hash") || json_object_get(value, "_task_hash");
    return prodigys && !nf_json_annotation_key(value, false);
}

static nerfit_status read_value(const nf_json_value *v) {
    return nf_span_shape_read(v, &shape);
}

static const char *const own[] = {"text", "spans", NULL};

static nerfit_status write(nf_parts *parts, const nf_document *d, nerfit_error *err) {
    static const char *const of_span[] = {"start", "end", "label", "text", NULL};
    nf_part *part = nf_parts_get(parts, "");
    if (!part) return nf_no_memory(err, 0);
    nf_str *out = &part->text;
    nf_str_append_text(out, "{\"text\": ");
    nf_str_append_json(out, d->text, d->text_size);
    nf_str_append_text(out, ", \"spans\": [");
    for (size_t i = 0; i < d->n_spans; i++) {
        const nf_span *span = &d->spans[i];
        nf_str_appendf(out, "%s{\"start\": %u, \"end\": %u, \"label\": ", i ? ", " : "",
                       span->start, span->end);
        nf_str_append_json(out, span->label, strlen(span->label));
        nf_json_append_beside(out, span->beside, of_span);
        nf_str_append_char(out, '}');
    }
    nf_str_append_char(out, ']');
    if (!d->beside || !nf_fields_have(d->beside->fields, "answer"))
        nf_str_append_text(out, ", \"answer\": \"accept\"");
    nf_json_append_beside(out, d->beside, own);
    nf_str_append_text(out, "}\n");
    return out->failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}

/* clang-format off */
const nf_format nf_format_prodigy = {
    .name = "prodigy", .title = "Prodigy's JSON lines", .endings = {".jsonl"}, .holds = NF_HOLDS_ALL,
    .recognised = "objects with `text` and `spans`, a list of objects with `start`",
    .kept = "text, spans, all other fields (`tokens`, `meta`, `_task_hash`, ...)",
    .lost = "texts whose `answer` is `reject` or `ignore` are left out, with a warning",
    .value_looks_like = looks_like, .read_value = read_value,
    .write = write, .own = own, .head = "", .between = "", .tail = "",
};
/* clang-format on */
