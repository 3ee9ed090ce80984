#include "text/component.h"

#include <string.h>

#include "base/str.h"

nerfit_status nf_component_load(void **out, const json_t *json, const char *kind,
                                const nf_component_row *rows, size_t count, nf_load *load) {
    if (!json_is_object(json))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0, "the %s must be an object",
                          kind);
    const char *type = json_string_value(json_object_get(json, "type"));
    if (!type)
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0, "the %s has no \"type\"",
                          kind);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].type, type) == 0) return rows[i].load(out, json, load);
    nf_str known = {0};
    for (size_t i = 0; i < count; i++) nf_str_appendf(&known, "%s%s", i ? ", " : "", rows[i].type);
    nerfit_status status =
        nf_fail_at(load->err, NERFIT_UNSUPPORTED, load->file, 0, 0,
                   "unknown %s \"%.100s\"; known are %s", kind, type, nf_str_text(&known));
    nf_str_free(&known);
    return status;
}

nerfit_status nf_field_bool(bool *out, const json_t *json, const char *key, int fallback,
                            const char *what, nf_load *load) {
    const json_t *value = json_object_get(json, key);
    if ((!value || json_is_null(value)) && fallback != NF_REQUIRED) {
        *out = fallback;
        return NERFIT_OK;
    }
    if (!json_is_boolean(value))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "%s: \"%s\" must be true or false", what, key);
    *out = json_is_true(value);
    return NERFIT_OK;
}

nerfit_status nf_field_text(const char **out, const json_t *json, const char *key,
                            const char *fallback, const char *what, nf_load *load) {
    const json_t *value = json_object_get(json, key);
    if (!value || json_is_null(value)) {
        *out = fallback;
        return NERFIT_OK;
    }
    if (!json_is_string(value))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0, "%s: \"%s\" must be a string",
                          what, key);
    *out = nf_arena_strdup(load->arena, json_string_value(value));
    return *out ? NERFIT_OK : nf_no_memory(load->err, json_string_length(value));
}

nerfit_status nf_field_id(int32_t *out, const json_t *value, const char *what, nf_load *load) {
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > NF_VOCABULARY_MAX_ID)
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "%s: an id must be an integer from 0 to %d", what, NF_VOCABULARY_MAX_ID);
    *out = (int32_t)json_integer_value(value);
    return NERFIT_OK;
}

nerfit_status nf_component_new(void **out, size_t size, nf_load *load) {
    *out = nf_arena_calloc(load->arena, 1, size);
    return *out ? NERFIT_OK : nf_no_memory(load->err, size);
}
