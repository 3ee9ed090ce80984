/* Options as JSON: training_args.json, and the table as a program sees it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "recipe/options_table.h"

static json_t *value_to_json(const nf_train_options *options, const nf_option *o, size_t index) {
    const char *field = (const char *)options + o->offset;
    switch (o->type) {
    case NF_OPTION_BOOL:
        return json_boolean(((const bool *)(const void *)field)[index]);
    case NF_OPTION_INT:
        return json_integer((json_int_t)((const int64_t *)(const void *)field)[index]);
    case NF_OPTION_REAL:
        return json_real(((const double *)(const void *)field)[index]);
    case NF_OPTION_CHOICE: {
        const char *at = o->choices;
        for (int64_t i = ((const int64_t *)(const void *)field)[index]; i > 0; i--)
            at = strchr(at, '|') + 1;
        return json_stringn(at, strcspn(at, "|"));
    }
    case NF_OPTION_NAMES:
    case NF_OPTION_WEIGHTS:
    case NF_OPTION_PATHS: {
        const nf_names *names = (const nf_names *)(const void *)field;
        if (!names->items && o->type == NF_OPTION_PATHS) return json_null(); /* not given */
        json_t *list = json_array();
        for (size_t i = 0; i < names->count; i++)
            json_array_append_new(list, json_string(names->items[i]));
        return list;
    }
    default: {
        const char *text = ((char *const *)(const void *)field)[index];
        return text ? json_string(text) : json_null();
    }
    }
}

static json_t *values_to_json(const nf_train_options *options, const nf_option *o) {
    json_t *value = value_to_json(options, o, 0);
    return o->pair ? json_pack("[o, o]", value, value_to_json(options, o, 1)) : value;
}

json_t *nf_train_options_to_json(const nf_train_options *options) {
    json_t *out = json_object(), *peft = json_object();
    for (size_t i = 0; i < nf_n_options; i++) {
        const nf_option *o = &nf_options[i];
        json_object_set_new(nf_option_is_nested(o) ? peft : out, o->name,
                            values_to_json(options, o));
    }
    json_object_set_new(out, nf_options_peft, peft);
    return out;
}

/* As it would be read from another folder. */
static json_t *whole_path(const nf_option *o, const json_t *value) {
    const char *path = json_string_value(value);
    char *here = NULL;
    bool word = o->choices && path && nf_option_choice(o->choices, path) >= 0;
    bool is_path = (o->type == NF_OPTION_PATH && !word) || o->type == NF_OPTION_PATHS ||
                   (o->type == NF_OPTION_MODEL && path && nf_directory_exists(path));
    if (!path || !is_path || path[0] == '/' || !(here = getcwd(NULL, 0)))
        return json_incref((json_t *)(uintptr_t)value);
    json_t *whole = json_sprintf("%s/%s", here, strncmp(path, "./", 2) == 0 ? path + 2 : path);
    free(here);
    return whole;
}

static json_t *whole_paths(const nf_option *o, json_t *value) {
    size_t i;
    json_t *element,
        *list = json_is_array(value) && o->type == NF_OPTION_PATHS ? json_array() : NULL;
    json_array_foreach(list ? value : NULL, i, element)
        json_array_append_new(list, whole_path(o, element));
    json_t *out = list ? list : whole_path(o, value);
    json_decref(value);
    return out;
}

json_t *nf_train_options_record(const nf_train_options *used, const nf_train_options *given) {
    json_t *out = nf_train_options_to_json(used), *chosen = json_object();
    bool recipe = used->recipe != NF_RECIPE_ORIGINAL;
    for (size_t i = 0; i < nf_n_options; i++) {
        const nf_option *o = &nf_options[i];
        json_t *place = nf_option_is_nested(o) ? json_object_get(out, nf_options_peft) : out;
        json_object_set_new(place, o->name, whole_paths(o, values_to_json(used, o)));
        json_t *value = json_object_get(place, o->name), *before = values_to_json(given, o);
        bool changed = !json_equal(before, value);
        if (recipe && !nf_train_options_given(given, o->name) &&
            (nf_option_is_chosen(o) || changed))
            json_object_set(chosen, o->name, value);
        json_decref(before);
    }
    json_object_set_new(out, nf_options_chosen, chosen);
    return out;
}

static json_t *choices_to_json(const char *choices) {
    json_t *list = json_array();
    for (const char *at = choices; at;) {
        size_t size = strcspn(at, "|");
        json_array_append_new(list, json_stringn(at, size));
        at = at[size] ? at + size + 1 : NULL;
    }
    return list;
}

json_t *nf_train_options_table(const nf_train_options *defaults) {
    static const char *const types[] = {"bool",   "int",   "real",  "text", "path",
                                        "choice", "names", "paths", "path", "weights"};
    json_t *list = json_array();
    for (size_t i = 0; i < nf_n_options; i++) {
        const nf_option *o = &nf_options[i];
        json_t *row = json_pack("{s:s, s:s, s:b, s:s, s:o, s:s}", "name", o->name, "type",
                                types[o->type], "pair", o->pair, "group", o->group, "default",
                                values_to_json(defaults, o), "help", o->help);
        if (o->type == NF_OPTION_INT || o->type == NF_OPTION_REAL) {
            json_object_set_new(row, "least", json_real(o->least));
            json_object_set_new(row, "most", json_real(o->most));
        }
        if (o->type == NF_OPTION_CHOICE)
            json_object_set_new(row, "choices", choices_to_json(o->choices));
        if (o->no_effect) json_object_set_new(row, "no_effect", json_true());
        if (nf_option_is_nested(o))
            json_object_set_new(row, "within", json_string(nf_options_peft));
        if (nf_option_is_chosen(o)) {
            const char *text = nf_option_of_nerfit(o);
            json_object_set_new(row, "chosen", json_string(text ? text : o->fallback));
        }
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}
