/* CLUENER: {"text": ..., "label": {label: {"the entity's text": [[first, last], ...]}}}, with the
 * last character's place instead of the end. (https://github.com/CLUEbenchmark/CLUENER2020) */
#include <string.h>

#include "data/formats/format.h"
#include "data/json_place.h"

static bool looks_like(const json_t *value) {
    return json_is_string(json_object_get(value, "text")) && !json_object_get(value, "entities") &&
           json_is_object(json_object_get(value, "label"));
}

static size_t count_places(const json_t *labels) {
    const char *label, *name;
    json_t *names, *places;
    size_t count = 0;
    json_object_foreach((json_t *)labels, label, names) json_object_foreach(names, name, places)
        count += json_array_size(places);
    return count;
}

/* The given text is compared, because such offsets are easily one off. */
static nerfit_status read_places(const nf_json_value *v, nf_arena *arena) {
    const json_t *text = json_object_get(v->json, "text"),
                 *labels = json_object_get(v->json, "label");
    static const char *const taken[] = {"text", "label", NULL};
    size_t count = count_places(labels), i;
    nf_given_span *spans = nf_arena_calloc(arena, count + 1, sizeof *spans);
    nf_beside beside = {0};
    if (!spans) return nf_no_memory(v->reading->err, count * sizeof *spans);
    nf_given_document given = {.text = json_string_value(text),
                               .text_size = json_string_length(text),
                               .spans = spans,
                               .line = v->line};
    NF_TRY(nf_json_fields(v, 0, taken, arena, &beside.fields));
    if (beside.fields) given.beside = &beside;
    const char *label, *name;
    json_t *names, *places, *place;
    json_object_foreach((json_t *)labels, label, names) json_object_foreach(names, name, places)
        json_array_foreach(places, i, place) {
        const json_t *first = json_array_get(place, 0), *last = json_array_get(place, 1);
        if (!json_is_integer(first) || !json_is_integer(last))
            return nf_json_value_error(v, nf_json_member(v->text, v->size, 0, "label"), 0,
                                       "expected \"label\": {label: {text: [[first, last], ...]}}, "
                                       "with the places at which that text stands");
        spans[given.n_spans++] = (nf_given_span){.start = json_integer_value(first),
                                                 .end = json_integer_value(last) + 1,
                                                 .label = label,
                                                 .label_size = strlen(label),
                                                 .text = name,
                                                 .text_size = strlen(name)};
    }
    return nf_reading_add(v->reading, &given);
}

static nerfit_status read_value(const nf_json_value *value) {
    if (!looks_like(value->json))
        return nf_json_value_error(
            value, 0, 0,
            "expected \"text\" and \"label\": {label: {text: [[first, last], "
            "...]}}");
    nf_arena arena = {0};
    nerfit_status status = read_places(value, &arena);
    nf_arena_free(&arena);
    return status;
}

/* clang-format off */
const nf_format nf_format_cluener = {
    .name = "cluener", .title = "CLUENER's JSON lines",
    .recognised = "objects with `text` and a `label` that is an object",
    .kept = "text, entities, other fields",
    .lost = "nothing; an entity's text must stand at its place",
    .value_looks_like = looks_like, .read_value = read_value,
};
/* clang-format on */
