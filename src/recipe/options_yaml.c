/* Config files: YAML, read by libyaml. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/ascii.h"
#include "base/file.h"
#include "base/yaml.h"
#include "recipe/options_table.h"

typedef struct yaml_reader {
    nf_train_options *options;
    yaml_document_t document;
    const char *path, *folder;
    bool seen[NF_OPTIONS_MOST];
    yaml_node_t *values[NF_OPTIONS_MOST]; /* as they stand in the file */
    yaml_node_t *chosen;                  /* the mapping nf_options_chosen; NULL: none */
    nerfit_error *err;
} yaml_reader;

static long line_of(const yaml_node_t *node) {
    return (long)node->start_mark.line + 1;
}

static nerfit_status bad_yaml(yaml_reader *in, const yaml_node_t *node, const char *what) {
    return nf_fail_at(in->err, NERFIT_FORMAT, in->path, line_of(node),
                      (long)node->start_mark.column + 1, "%s", what);
}

static const char *scalar(const yaml_node_t *node) {
    return (const char *)node->data.scalar.value;
}

static bool is_null(const yaml_node_t *node) {
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*scalar(node) || !strcmp(scalar(node), "null") || !strcmp(scalar(node), "~") ||
            !strcmp(scalar(node), "None"));
}

static nerfit_status read_mapping(yaml_reader *in, yaml_node_t *node, bool nested);

/* {silver: 0.3}: as "silver=0.3". */
static nerfit_status read_weights(yaml_reader *in, const nf_option *o, yaml_node_t *mapping) {
    nf_option_origin from = {in->path, line_of(mapping), in->folder};
    yaml_node_pair_t *pairs = mapping->data.mapping.pairs.start;
    size_t count = 0, most = (size_t)(mapping->data.mapping.pairs.top - pairs);
    nf_arena arena = {0};
    char **values = nf_arena_calloc(&arena, most + 1, sizeof *values);
    nerfit_status status = values ? NERFIT_OK : nf_no_memory(in->err, most * sizeof *values);
    for (; status == NERFIT_OK && count < most; count++) {
        yaml_node_t *key = yaml_document_get_node(&in->document, pairs[count].key),
                    *value = yaml_document_get_node(&in->document, pairs[count].value);
        if (key->type != YAML_SCALAR_NODE || value->type != YAML_SCALAR_NODE) {
            status = bad_yaml(in, key, "expected a name and a number");
            break;
        }
        size_t size = strlen(scalar(key)) + strlen(scalar(value)) + 2;
        values[count] = nf_arena_alloc(&arena, size);
        if (values[count])
            snprintf(values[count], size, "%s=%s", scalar(key), scalar(value));
        else
            status = nf_no_memory(in->err, size);
    }
    if (status == NERFIT_OK) status = nf_option_set(in->options, o, values, count, &from, in->err);
    nf_arena_free(&arena);
    return status;
}

static nerfit_status read_value(yaml_reader *in, const nf_option *o, yaml_node_t *value) {
    nf_option_origin from = {in->path, line_of(value), in->folder};
    if (value->type == YAML_SCALAR_NODE) {
        bool choice =
            o->choices && nf_option_choice(o->choices, scalar(value)) >= 0; /* "None" may be one */
        if (is_null(value) && !choice) return NERFIT_OK;                    /* not given */
        return nf_option_set_text(in->options, o, scalar(value), &from, in->err);
    }
    if (value->type == YAML_MAPPING_NODE && o->type == NF_OPTION_WEIGHTS)
        return read_weights(in, o, value);
    if (value->type != YAML_SEQUENCE_NODE)
        return bad_yaml(in, value, "expected a value or a list, not a mapping");
    size_t count = 0,
           most = (size_t)(value->data.sequence.items.top - value->data.sequence.items.start);
    char **values = calloc(most + 1, sizeof *values);
    nerfit_status status = values ? NERFIT_OK : nf_no_memory(in->err, most * sizeof *values);
    for (; status == NERFIT_OK && count < most; count++) {
        yaml_node_t *element =
            yaml_document_get_node(&in->document, value->data.sequence.items.start[count]);
        values[count] = (char *)(uintptr_t)scalar(element);
        if (element->type != YAML_SCALAR_NODE)
            status = bad_yaml(in, element, "expected a list of plain values");
    }
    if (status == NERFIT_OK) status = nf_option_set(in->options, o, values, count, &from, in->err);
    free(values);
    return status;
}

static nerfit_status read_pair(yaml_reader *in, yaml_node_t *key, yaml_node_t *value, bool nested) {
    if (key->type != YAML_SCALAR_NODE) return bad_yaml(in, key, "expected the name of an option");
    nf_option_origin from = {in->path, line_of(key), in->folder};
    if (!nested && strcmp(scalar(key), nf_options_peft) == 0) {
        if (value->type == YAML_SCALAR_NODE && is_null(value)) return NERFIT_OK;
        return read_mapping(in, value, true);
    }
    if (!nested && strcmp(scalar(key), nf_options_chosen) == 0) {
        in->chosen = value;
        return NERFIT_OK;
    }
    const nf_option *o = nf_option_find(scalar(key));
    if (!o) return nf_option_unknown(in->err, scalar(key), &from);
    if (in->seen[o - nf_options]) return bad_yaml(in, key, "this option is there twice");
    in->seen[o - nf_options] = true;
    in->values[o - nf_options] = value;
    return read_value(in, o, value);
}

static nerfit_status read_mapping(yaml_reader *in, yaml_node_t *node, bool nested) {
    if (node->type != YAML_MAPPING_NODE)
        return bad_yaml(in, node, "expected a mapping of options to values");
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++)
        NF_TRY(read_pair(in, yaml_document_get_node(&in->document, pair->key),
                         yaml_document_get_node(&in->document, pair->value), nested));
    return NERFIT_OK;
}

static bool is_same(yaml_reader *in, const yaml_node_t *a, const yaml_node_t *b) {
    if (a->type != b->type || a->type == YAML_MAPPING_NODE) return false;
    if (a->type == YAML_SCALAR_NODE) return strcmp(scalar(a), scalar(b)) == 0;
    yaml_node_item_t *i = a->data.sequence.items.start, *j = b->data.sequence.items.start;
    for (; i < a->data.sequence.items.top && j < b->data.sequence.items.top; i++, j++)
        if (!is_same(in, yaml_document_get_node(&in->document, *i),
                     yaml_document_get_node(&in->document, *j)))
            return false;
    return i == a->data.sequence.items.top && j == b->data.sequence.items.top;
}

/* A run's record holds every option. What the recipe chose counts as not given, so that a run that
 * is repeated from it is the same; but for what was edited since. */
static nerfit_status forget_chosen(yaml_reader *in) {
    if (!in->chosen) return NERFIT_OK;
    if (in->chosen->type != YAML_MAPPING_NODE)
        return bad_yaml(in, in->chosen, "expected a mapping of options to values");
    for (yaml_node_pair_t *pair = in->chosen->data.mapping.pairs.start;
         pair < in->chosen->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(&in->document, pair->key);
        const nf_option *o = key->type == YAML_SCALAR_NODE ? nf_option_find(scalar(key)) : NULL;
        if (!o) return bad_yaml(in, key, "expected the name of an option");
        size_t row = (size_t)(o - nf_options);
        if (in->values[row] &&
            is_same(in, in->values[row], yaml_document_get_node(&in->document, pair->value)))
            in->options->given[row / 64] &= ~((uint64_t)1 << row % 64);
    }
    return NERFIT_OK;
}

nerfit_status nf_train_options_load(nf_train_options *options, const char *path,
                                    nerfit_error *err) {
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    yaml_reader in = {.options = options, .path = path, .err = err};
    in.folder = nf_path_parent(&options->arena, path);
    nerfit_status status = in.folder ? nf_yaml_load(&in.document, file.data, file.size, path, err)
                                     : nf_no_memory(err, strlen(path));
    if (status == NERFIT_OK) {
        yaml_node_t *root = yaml_document_get_root_node(&in.document);
        if (!root)
            status = nf_fail_at(err, NERFIT_FORMAT, path, 1, 0, "is empty");
        else
            status = read_mapping(&in, root, false);
        if (status == NERFIT_OK) status = forget_chosen(&in);
        yaml_document_delete(&in.document);
    }
    nf_file_close(&file);
    return status;
}
