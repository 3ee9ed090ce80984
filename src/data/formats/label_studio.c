/* Label Studio's JSON and JSON-MIN exports. Its offsets are those of the browser: UTF-16 units.
 *
 * JSON      tasks: {"id", "data": {"text"}, "annotations": [{"result": [{"type": "labels", "value":
 *           {"start", "end", "text", "labels"}}], "was_cancelled"}], "predictions": [...]}
 * JSON-MIN  {"id", "text", "label": [{"start", "end", "text", "labels"}], "annotator", ...}, where
 *           "label" is the name of the labels' control
 * (https://labelstud.io/guide/export; label-studio-sdk 1.0) */
#include <stdlib.h>
#include <string.h>

#include "data/formats/format.h"
#include "data/json_place.h"
#include "data/offsets.h"

/* ---------------------------------------------------------------- spans */

/* Spans on their way. */
typedef struct task_reader {
    const nf_json_value *value;
    nf_arena arena;
    nf_given_list spans;
    size_t n_others; /* results that are no spans */
    const char *source;
    bool refused;
} task_reader;

/* One value {"start", "end", "text", "labels"}: an entity for each label. */
static nerfit_status read_region(task_reader *r, const json_t *value, const json_t *source) {
    const json_t *start = nf_json_get(value, "globalOffsets.start|start", NULL),
                 *end = nf_json_get(value, "globalOffsets.end|end", NULL),
                 *labels = nf_json_get(value, "labels|hypertextlabels|paragraphlabels", NULL),
                 *text = json_object_get(value, "text");
    if (!json_is_integer(start) || !json_is_integer(end) || !json_array_size(labels)) {
        r->n_others++;
        return NERFIT_OK;
    }
    if (json_object_get(value, "globalOffsets") && strpbrk(json_string_value(source), "<&")) {
        r->refused = true;
        return nf_json_value_error(
            r->value, SIZE_MAX, 0,
            "is labelled as hypertext: its offsets count the characters that "
            "a browser shows, and the text is HTML; export plain text");
    }
    nf_beside *beside = NULL;
    if (r->source) {
        beside = nf_arena_calloc(&r->arena, 1, sizeof *beside);
        if (!beside) return nf_no_memory(r->value->reading->err, sizeof *beside);
        beside->source = r->source;
    }
    for (size_t i = 0; i < json_array_size(labels); i++) {
        const json_t *label = json_array_get(labels, i);
        if (!json_is_string(label)) {
            r->refused = true;
            return nf_json_value_error(r->value, SIZE_MAX, 0, "a label is %s; expected a string",
                                       nf_json_type_name(label));
        }
        nf_given_span span = {.start = json_integer_value(start),
                              .end = json_integer_value(end),
                              .label = json_string_value(label),
                              .label_size = json_string_length(label),
                              .text = json_string_value(text),
                              .text_size = json_string_length(text),
                              .beside = beside};
        NF_TRY(nf_given_list_add(&r->spans, &span, r->value->line, r->value->reading->err));
    }
    return NERFIT_OK;
}

/* The only text among the data: "text", or the only string. */
static const json_t *text_of(const json_t *data, const char **name) {
    const char *key;
    json_t *value, *found = json_object_get(data, "text");
    *name = "text";
    if (json_is_string(found)) return found;
    size_t n = 0;
    json_object_foreach((json_t *)data, key, value) if (json_is_string(value)) {
        found = value;
        *name = key;
        n++;
    }
    return n == 1 ? found : NULL;
}

static nerfit_status add_task(task_reader *r, const json_t *text, const char *const *taken) {
    const nf_json_value *v = r->value;
    nf_beside beside = {0};
    if (r->refused) return NERFIT_OK;
    NF_TRY(nf_json_fields(v, 0, taken, &r->arena, &beside.fields));
    if (r->n_others)
        NF_TRY(nf_json_value_warning(v, NF_FINDING_LEFT_OUT,
                                     "%zu results that are no labelled spans (relations, choices) "
                                     "are left out",
                                     r->n_others));
    nf_given_document given = {.text = json_string_value(text),
                               .text_size = json_string_length(text),
                               .spans = r->spans.items,
                               .n_spans = r->spans.count,
                               .unit = NF_OFFSETS_UTF16,
                               .beside = beside.fields ? &beside : NULL,
                               .line = v->line};
    return nf_reading_add(v->reading, &given);
}

/* ---------------------------------------------------------------- JSON */

static bool looks_like_task(const json_t *value) {
    return json_is_object(json_object_get(value, "data")) &&
           nf_json_get(value, "annotations|completions|predictions", NULL);
}

/* The first annotation that was not cancelled; *skipped counts those that were. */
static const json_t *annotation_of(const json_t *list, size_t *n, size_t *skipped) {
    const json_t *found = NULL;
    *n = *skipped = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        bool cancelled = json_is_true(json_object_get(item, "was_cancelled")) ||
                         json_is_true(json_object_get(item, "skipped"));
        *skipped += cancelled;
        if (!cancelled && !found) found = item;
        *n += !cancelled;
    }
    return found;
}

/* Which of a task's annotations and predictions is read. */
static nerfit_status choose(task_reader *r, const json_t **results) {
    const nf_json_value *v = r->value;
    size_t n, skipped;
    const json_t *list = nf_json_get(v->json, "annotations|completions", NULL);
    const json_t *chosen = annotation_of(list, &n, &skipped);
    *results = NULL;
    if (n > 1)
        NF_TRY(nf_json_value_warning(v, NF_FINDING_READING,
                                     "has %zu annotations: the first one is taken", n));
    if (!chosen && skipped)
        return nf_json_value_warning(v, NF_FINDING_PASSED_OVER,
                                     "was skipped by its annotator: left out, as not annotated");
    if (!chosen) {
        chosen = nf_json_get(v->json, "predictions.0", NULL);
        if (!chosen)
            return nf_json_value_warning(v, NF_FINDING_PASSED_OVER,
                                         "has no annotation: left out, as not annotated");
        r->source = json_string_value(json_object_get(chosen, "model_version"));
        if (!r->source || !r->source[0]) r->source = "prediction";
        NF_TRY(nf_json_value_warning(v, NF_FINDING_READING,
                                     "has no annotation, but a prediction (%s), which is taken",
                                     r->source));
    }
    *results = json_object_get(chosen, "result");
    return NERFIT_OK;
}

static nerfit_status read_task(task_reader *r) {
    static const char *const taken[] = {"data", "annotations", "completions", "predictions", NULL};
    const nf_json_value *v = r->value;
    const char *name;
    const json_t *text = text_of(json_object_get(v->json, "data"), &name), *results = NULL;
    if (!text)
        return nf_json_value_error(v, nf_json_member(v->text, v->size, 0, "data"), 0,
                                   "\"data\" has no \"text\", nor one string alone");
    if (!v->reading->texts_only) {
        NF_TRY(choose(r, &results));
        if (!results) return NERFIT_OK;
    }
    for (size_t i = 0; i < json_array_size(results) && !r->refused; i++)
        NF_TRY(read_region(r, json_object_get(json_array_get(results, i), "value"), text));
    return add_task(r, text, taken);
}

/* ---------------------------------------------------------------- JSON-MIN */

/* The member that holds regions; NULL if there is none. */
static const char *control_of(const json_t *value) {
    const char *key;
    json_t *list;
    json_object_foreach(
        (json_t *)value, key,
        list) if (json_is_array(nf_json_get(list, "0.labels|0.hypertextlabels", NULL)) &&
                  nf_json_get(list, "0.start|0.globalOffsets", NULL)) return key;
    return NULL;
}

static bool looks_like_row(const json_t *value) {
    if (!json_is_object(value) || json_object_get(value, "data")) return false;
    return control_of(value) ||
           (json_object_get(value, "annotation_id") && json_object_get(value, "annotator"));
}

static nerfit_status read_row(task_reader *r) {
    static const char *const texts[] = {"text", "Text", "content", "sentence"};
    const nf_json_value *v = r->value;
    const char *control = control_of(v->json), *name = NULL;
    for (size_t i = 0; i < 4 && !name; i++)
        if (json_is_string(json_object_get(v->json, texts[i]))) name = texts[i];
    if (!name) return nf_json_value_error(v, 0, 0, "has no \"text\"");
    const json_t *regions = control ? json_object_get(v->json, control) : NULL;
    for (size_t i = 0; i < json_array_size(regions) && !r->refused; i++)
        NF_TRY(read_region(r, json_array_get(regions, i), json_object_get(v->json, name)));
    const char *const taken[] = {name, control, NULL};
    return add_task(r, json_object_get(v->json, name), taken);
}

/* ---------------------------------------------------------------- both */

static bool looks_like(const json_t *value) {
    return looks_like_task(value) || looks_like_row(value);
}

static nerfit_status read_value(const nf_json_value *value) {
    task_reader r = {.value = value};
    nerfit_status status =
        json_is_object(json_object_get(value->json, "data")) ? read_task(&r) : read_row(&r);
    nf_given_list_free(&r.spans);
    nf_arena_free(&r.arena);
    return status;
}

static const char *const own[] = {"data", "annotations", "predictions", NULL};

static nerfit_status write(nf_parts *parts, const nf_document *d, nerfit_error *err) {
    nf_part *part = nf_parts_get(parts, "");
    if (!part) return nf_no_memory(err, 0);
    nf_str *out = &part->text;
    nf_str_append_text(out, "{\"data\": {\"text\": ");
    nf_str_append_json(out, d->text, d->text_size);
    nf_str_append_text(out, "}, \"annotations\": [{\"result\": [");
    for (size_t i = 0; i < d->n_spans; i++) {
        const nf_span *span = &d->spans[i];
        size_t from = nf_utf8_offset(d->text, d->text_size, span->start);
        size_t to = nf_utf8_offset(d->text, d->text_size, span->end);
        nf_str_appendf(
            out,
            "%s{\"id\": \"%zu\", \"from_name\": \"label\", \"to_name\": \"text\", "
            "\"type\": \"labels\", \"value\": {\"start\": %lld, \"end\": %lld, "
            "\"text\": ",
            i ? ", " : "", i + 1,
            (long long)nf_offset_of(d->text, d->text_size, NF_OFFSETS_UTF16, span->start),
            (long long)nf_offset_of(d->text, d->text_size, NF_OFFSETS_UTF16, span->end));
        nf_str_append_json(out, d->text + from, to - from);
        nf_str_append_text(out, ", \"labels\": [");
        nf_str_append_json(out, span->label, strlen(span->label));
        nf_str_append_text(out, "]}}");
    }
    nf_str_append_text(out, "]}]");
    nf_json_append_beside(out, d->beside, own);
    nf_str_append_char(out, '}');
    return out->failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}

/* clang-format off */
const nf_format nf_format_label_studio = {
    .name = "label-studio", .title = "Label Studio's JSON and JSON-MIN", .endings = {".json"},
    .holds = NF_HOLDS_ALL & ~NF_HOLDS_ENTITY_FIELDS,
    .recognised = "objects with `data` and `annotations`; or a list of objects with `start` and "
                  "`labels` under any key",
    .kept = "text, labelled spans (offsets in UTF-16 units), fields of the task; written with the "
            "control `label` over `text`",
    .lost = "tasks that were skipped or not annotated, annotations but the first, relations and "
            "choices, each with a warning; the fields of entities when it is written; predictions are read where there is no annotation, with "
            "the model as their source",
    .value_looks_like = looks_like, .read_value = read_value,
    .write = write, .own = own, .head = "[\n", .between = ",\n", .tail = "\n]\n", .empty = "[]\n",
};
/* clang-format on */
