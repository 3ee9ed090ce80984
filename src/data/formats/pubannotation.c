/* PubAnnotation's JSON: {"text", "denotations": [{"id", "span": {"begin", "end"}, "obj"}],
 * "relations", ...}. (https://www.pubannotation.org/docs/annotation-format/) */
#include "data/formats/format.h"

static const nf_span_shape shape = {
    .text = "text",
    .list = "denotations",
    .start = "span.begin|begin",
    .end = "span.end|end",
    .label = "obj",
};

static bool looks_like(const json_t *value) {
    return json_is_string(json_object_get(value, "text")) &&
           json_is_array(json_object_get(value, "denotations"));
}

static nerfit_status read_value(const nf_json_value *value) {
    return nf_span_shape_read(value, &shape);
}

/* clang-format off */
const nf_format nf_format_pubannotation = {
    .name = "pubannotation", .title = "PubAnnotation's JSON", .endings = {".json"},
    .recognised = "objects with `text` and `denotations`",
    .kept = "text, denotations with their `obj` as the label, all other fields",
    .lost = "nothing; spans of several parts are an error",
    .value_looks_like = looks_like, .read_value = read_value,
};
/* clang-format on */
