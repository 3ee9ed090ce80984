#include "data/synonyms.h"

#include <stdio.h>
#include <string.h>

#include <yaml.h>

#include "base/file.h"
#include "base/str.h"
#include "base/yaml.h"
#include "data/document.h"

static const char ENDING[] = ".synonyms.yaml";

typedef struct synonyms_reader {
    nf_label_texts *texts; /* [count] of the labels */
    nf_arena *arena;
    const char *const *labels;
    size_t count;
    yaml_document_t *document;
    const char *path;
    nerfit_error *err;
} synonyms_reader;

bool nf_synonyms_is(const char *path) {
    return nf_path_has_ending(path, ENDING);
}

const char *nf_synonyms_path(nf_arena *arena, const char *path) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    size_t stem = dot && (!slash || dot > slash) ? (size_t)(dot - path) : strlen(path);
    char *beside = nf_arena_alloc(arena, stem + sizeof ENDING);
    if (beside) snprintf(beside, stem + sizeof ENDING, "%.*s%s", (int)stem, path, ENDING);
    return beside;
}

static nerfit_status synonyms_bad(const synonyms_reader *in, const yaml_node_t *node,
                                  const char *what) {
    return nf_fail_at(in->err, NERFIT_FORMAT, in->path, (long)node->start_mark.line + 1,
                      (long)node->start_mark.column + 1, "%s", what);
}

/* A text without white space at its edges, in the arena. */
static nerfit_status synonyms_text(const synonyms_reader *in, const yaml_node_t *node,
                                   const char **text) {
    if (node->type != YAML_SCALAR_NODE) return synonyms_bad(in, node, "expected a text");
    const char *words = (const char *)node->data.scalar.value;
    size_t size = node->data.scalar.length;
    nf_text_trim(&words, &size);
    if (size == 0 || memchr(words, '\0', size))
        return synonyms_bad(in, node, "expected a text that is not empty and has no NUL");
    *text = nf_arena_copy(in->arena, words, size);
    return *text ? NERFIT_OK : nf_no_memory(in->err, size);
}

static nerfit_status synonyms_list(const synonyms_reader *in, const yaml_node_t *node,
                                   const char ***texts, size_t *count) {
    if (*count) return synonyms_bad(in, node, "is there twice");
    if (node->type != YAML_SEQUENCE_NODE) return synonyms_bad(in, node, "expected a list of texts");
    const yaml_node_item_t *first = node->data.sequence.items.start;
    size_t n = (size_t)(node->data.sequence.items.top - first);
    *texts = nf_arena_calloc(in->arena, n + 1, sizeof **texts);
    if (!*texts) return nf_no_memory(in->err, n);
    for (; *count < n; ++*count)
        NF_TRY(synonyms_text(in, yaml_document_get_node(in->document, first[*count]),
                             *texts + *count));
    return NERFIT_OK;
}

/* {synonyms: [...], descriptions: [...]} */
static nerfit_status synonyms_label(const synonyms_reader *in, const yaml_node_t *node,
                                    nf_label_texts *out) {
    static const char expected[] =
        "expected a mapping of synonyms or descriptions to lists of texts";
    if (node->type != YAML_MAPPING_NODE) return synonyms_bad(in, node, expected);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(in->document, pair->key);
        const yaml_node_t *list = yaml_document_get_node(in->document, pair->value);
        const char *name =
            key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : "";
        if (strcmp(name, "synonyms") == 0)
            NF_TRY(synonyms_list(in, list, &out->names, &out->n_names));
        else if (strcmp(name, "descriptions") == 0)
            NF_TRY(synonyms_list(in, list, &out->descriptions, &out->n_descriptions));
        else
            return synonyms_bad(in, key, expected);
    }
    return NERFIT_OK;
}

static nerfit_status synonyms_read_root(const synonyms_reader *in, const yaml_node_t *root) {
    static const yaml_node_t nowhere = {.type = YAML_NO_NODE};
    if (!root || root->type != YAML_MAPPING_NODE)
        return synonyms_bad(in, root ? root : &nowhere,
                            "expected a mapping of labels to synonyms and descriptions");
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(in->document, pair->key);
        const char *label;
        NF_TRY(synonyms_text(in, key, &label));
        size_t i = nf_list_index(in->labels, in->count, label);
        if (i == in->count)
            return synonyms_bad(in, key, "has no description of this label beside it");
        nf_label_texts *texts = &in->texts[i];
        if (texts->names || texts->descriptions) return synonyms_bad(in, key, "is there twice");
        NF_TRY(synonyms_label(in, yaml_document_get_node(in->document, pair->value), texts));
    }
    return NERFIT_OK;
}

static nerfit_status synonyms_parse(synonyms_reader *in, const nf_file *file) {
    yaml_document_t document;
    NF_TRY(nf_yaml_load(&document, file->data, file->size, in->path, in->err));
    in->document = &document;
    nerfit_status status = synonyms_read_root(in, yaml_document_get_root_node(&document));
    yaml_document_delete(&document);
    return status;
}

static nerfit_status synonyms_read_file(synonyms_reader *in) {
    nf_file file;
    NF_TRY(nf_file_open(&file, in->path, in->err));
    nerfit_status status = synonyms_parse(in, &file);
    nf_file_close(&file);
    return status;
}

nerfit_status nf_synonyms_read(nf_label_texts *texts, nf_arena *arena, const char *const *labels,
                               size_t count, const char *path, nerfit_error *err) {
    synonyms_reader in = {
        .texts = texts, .arena = arena, .labels = labels, .count = count, .path = path, .err = err};
    return synonyms_read_file(&in);
}
