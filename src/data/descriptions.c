#include "data/descriptions.h"

#include <string.h>

#include <yaml.h>

#include "base/file.h"

static nerfit_status bad(nerfit_error *err, const char *path, const yaml_node_t *node,
                         const char *label, const char *what) {
    return nf_fail_at(err, NERFIT_FORMAT, path, (long)node->start_mark.line + 1,
                      (long)node->start_mark.column + 1, "label \"%s\": %s", label, what);
}

static nerfit_status add(nf_descriptions *out, const char *path, const yaml_node_t *key,
                         const yaml_node_t *value, nerfit_error *err) {
    if (key->type != YAML_SCALAR_NODE)
        return nf_fail_at(err, NERFIT_FORMAT, path, (long)key->start_mark.line + 1, 0,
                          "expected a label");
    const char *label = (const char *)key->data.scalar.value;
    if (value->type != YAML_SCALAR_NODE)
        return bad(err, path, value, label, "expected a description (text)");
    const char *text = (const char *)value->data.scalar.value;
    if (!*label) return bad(err, path, key, label, "the label is empty");
    if (!*text) return bad(err, path, value, label, "the description is empty");
    for (size_t i = 0; i < out->count; i++)
        if (strcmp(out->labels[i], label) == 0) return bad(err, path, key, label, "is there twice");
    out->labels[out->count] = nf_arena_strdup(&out->arena, label);
    out->texts[out->count] = nf_arena_strdup(&out->arena, text);
    if (!out->labels[out->count] || !out->texts[out->count]) return nf_no_memory(err, 0);
    out->count++;
    return NERFIT_OK;
}

static nerfit_status read_document(nf_descriptions *out, yaml_document_t *document,
                                   const char *path, nerfit_error *err) {
    const yaml_node_t *root = yaml_document_get_root_node(document);
    if (!root || root->type != YAML_MAPPING_NODE)
        return nf_fail_at(err, NERFIT_FORMAT, path, 1, 0,
                          "expected a mapping of labels to descriptions");
    const yaml_node_pair_t *start = root->data.mapping.pairs.start,
                           *top = root->data.mapping.pairs.top;
    size_t count = (size_t)(top - start);
    out->labels = nf_arena_calloc(&out->arena, count + 1, sizeof *out->labels);
    out->texts = nf_arena_calloc(&out->arena, count + 1, sizeof *out->texts);
    if (!out->labels || !out->texts) return nf_no_memory(err, count);
    for (const yaml_node_pair_t *pair = start; pair < top; pair++)
        NF_TRY(add(out, path, yaml_document_get_node(document, pair->key),
                   yaml_document_get_node(document, pair->value), err));
    return NERFIT_OK;
}

nerfit_status nf_descriptions_read(nf_descriptions *out, const char *path, nerfit_error *err) {
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    yaml_parser_t parser;
    yaml_document_t document;
    nerfit_status status = NERFIT_OK;
    if (!yaml_parser_initialize(&parser)) {
        nf_file_close(&file);
        return nf_no_memory(err, 0);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)file.data, file.size);
    if (!yaml_parser_load(&parser, &document)) {
        status = nf_fail_at(err, NERFIT_FORMAT, path, (long)parser.problem_mark.line + 1,
                            (long)parser.problem_mark.column + 1, "is not valid JSON or YAML: %s",
                            parser.problem ? parser.problem : "cannot be read");
    } else {
        status = read_document(out, &document, path, err);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    nf_file_close(&file);
    if (status != NERFIT_OK) nf_descriptions_free(out);
    return status;
}

void nf_descriptions_free(nf_descriptions *descriptions) {
    nf_arena_free(&descriptions->arena);
    *descriptions = (nf_descriptions){0};
}
