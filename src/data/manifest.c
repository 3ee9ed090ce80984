/* A folder becomes a sorted list of halves, {set, role, path}, of which neighbours are paired. */
#include "data/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/array.h"
#include "base/file.h"
#include "base/str.h"
#include "base/yaml.h"
#include "data/formats/format.h"
#include "data/synonyms.h"

nerfit_status nf_manifest_add(nf_manifest *manifest, const char *annotations,
                              const char *descriptions, nerfit_error *err) {
    if (manifest->count == manifest->capacity) {
        size_t capacity = manifest->capacity ? 2 * manifest->capacity : 16;
        nf_manifest_entry *grown = nf_arena_calloc(&manifest->arena, capacity, sizeof *grown);
        if (!grown) return nf_no_memory(err, capacity * sizeof *grown);
        if (manifest->count)
            memcpy(grown, manifest->entries, manifest->count * sizeof *manifest->entries);
        manifest->entries = grown;
        manifest->capacity = capacity;
    }
    nf_manifest_entry entry = {nf_arena_strdup(&manifest->arena, annotations),
                               nf_arena_strdup(&manifest->arena, descriptions)};
    if (!entry.annotations || !entry.descriptions) return nf_no_memory(err, strlen(annotations));
    manifest->entries[manifest->count++] = entry;
    return NERFIT_OK;
}

void nf_manifest_free(nf_manifest *manifest) {
    nf_arena_free(&manifest->arena);
    *manifest = (nf_manifest){0};
}

static bool manifest_is_yaml(const char *path) {
    return nf_path_has_ending(path, ".yaml") || nf_path_has_ending(path, ".yml");
}

bool nf_manifest_is(const char *path) {
    if (nf_directory_exists(path)) return !nf_file_exists_in(path, "seq.in");
    return manifest_is_yaml(path);
}

/* ---------------------------------------------------------------- folders */

typedef enum half_role {
    HALF_TEXTS,
    HALF_DESCRIPTIONS,
    HALF_EITHER,
    HALF_SYNONYMS,
    HALF_NONE
} half_role;

typedef struct half {
    const char *set; /* NAME */
    half_role role;
    const char *path;
} half;

typedef struct folder_listing {
    const char *path;
    half *halves;
    size_t count, capacity;
    nf_str others; /* names, for the log */
} folder_listing;

static half_role half_role_of(const char *path, const char *name) {
    if (nf_directory_exists(path))
        return nf_file_exists_in(path, "seq.in") ? HALF_TEXTS : HALF_NONE;
    if (nf_synonyms_is(name)) return HALF_SYNONYMS;
    if (nf_path_has_ending(name, ".answers.jsonl"))
        return HALF_NONE; /* nerfit annotate keeps them */
    if (manifest_is_yaml(name)) return HALF_DESCRIPTIONS;
    if (nf_path_has_ending(name, ".json")) return HALF_EITHER;
    return nf_path_has_ending(name, ".txt") || nf_format_of_ending(name) ? HALF_TEXTS : HALF_NONE;
}

static nerfit_status listing_add(nf_arena *arena, folder_listing *list, const char *name,
                                 nerfit_error *err) {
    const char *path = nf_path_join(arena, list->path, name), *dot = strrchr(name, '.');
    if (!path) return nf_no_memory(err, strlen(name));
    half_role role = half_role_of(path, name);
    if (role == HALF_NONE)
        nf_str_appendf(&list->others, "%s%s", list->others.length ? ", " : "", name);
    if (list->others.failed) return nf_no_memory(err, strlen(name));
    if (role == HALF_SYNONYMS || role == HALF_NONE) return NERFIT_OK;
    if (!nf_array_reserve(&list->halves, &list->capacity, list->count + 1, sizeof *list->halves))
        return nf_no_memory(err, 0);
    bool is_file = dot && !nf_directory_exists(path);
    const char *set = nf_arena_copy(arena, name, is_file ? (size_t)(dot - name) : strlen(name));
    if (!set) return nf_no_memory(err, strlen(name));
    list->halves[list->count++] = (half){set, role, path};
    return NERFIT_OK;
}

static int half_order(const void *a, const void *b) {
    const half *x = a, *y = b;
    int order = strcmp(x->set, y->set);
    return order ? order : (int)x->role - (int)y->role;
}

/* `halves` are all of one set. */
static nerfit_status manifest_add_set(nf_manifest *manifest, const half *halves, size_t count,
                                      nerfit_error *err) {
    const half *of[2] = {NULL, NULL};
    for (size_t i = 0; i < count; i++) {
        const half *h = &halves[i];
        half_role role = h->role;
        if (role == HALF_EITHER)
            role = of[HALF_DESCRIPTIONS] && !of[HALF_TEXTS] ? HALF_TEXTS : HALF_DESCRIPTIONS;
        if (of[role])
            return nf_fail_at(err, NERFIT_ARGUMENT, h->path, 0, 0,
                              "and %s are both %s of the label set \"%s\"; expected one",
                              of[role]->path,
                              role == HALF_TEXTS ? "annotated texts" : "descriptions", h->set);
        of[role] = h;
    }
    if (!of[HALF_DESCRIPTIONS])
        return nf_fail_at(err, NERFIT_ARGUMENT, of[HALF_TEXTS]->path, 0, 0,
                          "has no descriptions beside it; expected %s.yaml, .yml or .json",
                          of[HALF_TEXTS]->set);
    if (!of[HALF_TEXTS])
        return nf_fail_at(err, NERFIT_ARGUMENT, of[HALF_DESCRIPTIONS]->path, 0, 0,
                          "has no annotated texts beside it; expected %s.txt, .jsonl, .conll or "
                          "another format's ending",
                          of[HALF_DESCRIPTIONS]->set);
    return nf_manifest_add(manifest, of[HALF_TEXTS]->path, of[HALF_DESCRIPTIONS]->path, err);
}

static nerfit_status listing_read(nf_arena *arena, folder_listing *list, nerfit_error *err) {
    DIR *folder = opendir(list->path);
    if (!folder)
        return nf_fail_at(err, NERFIT_IO, list->path, 0, 0, "cannot be opened: %s",
                          strerror(errno));
    nerfit_status status = NERFIT_OK;
    for (struct dirent *entry; status == NERFIT_OK && (entry = readdir(folder));)
        if (entry->d_name[0] != '.') status = listing_add(arena, list, entry->d_name, err);
    closedir(folder);
    return status;
}

static nerfit_status manifest_add_sets(nf_manifest *manifest, folder_listing *list,
                                       const nf_log *log, nerfit_error *err) {
    if (list->count == 0)
        return nf_fail_at(err, NERFIT_ARGUMENT, list->path, 0, 0,
                          "holds no label set; expected annotated texts (NAME.txt) with their "
                          "descriptions (NAME.yaml) beside them, or seq.in and seq.out");
    qsort(list->halves, list->count, sizeof *list->halves, half_order);
    for (size_t i = 0, n; i < list->count; i += n) {
        for (n = 1; i + n < list->count; n++)
            if (strcmp(list->halves[i].set, list->halves[i + n].set) != 0) break;
        NF_TRY(manifest_add_set(manifest, list->halves + i, n, err));
    }
    if (list->others.length)
        nf_log_info(log, "%s: not read, being neither annotated texts nor descriptions: %s",
                    list->path, nf_str_text(&list->others));
    return NERFIT_OK;
}

static nerfit_status manifest_read_folder(nf_manifest *manifest, const char *path,
                                          const nf_log *log, nerfit_error *err) {
    nf_arena arena = {0};
    folder_listing list = {.path = path};
    nerfit_status status = listing_read(&arena, &list, err);
    if (status == NERFIT_OK) status = manifest_add_sets(manifest, &list, log, err);
    nf_str_free(&list.others);
    free(list.halves);
    nf_arena_free(&arena);
    return status;
}

/* ---------------------------------------------------------------- YAML */

typedef struct manifest_reader {
    nf_manifest *manifest;
    const char *path, *folder;
    yaml_document_t *document;
    const nf_log *log;
    nerfit_error *err;
} manifest_reader;

static nerfit_status manifest_bad(const manifest_reader *in, const yaml_node_t *node,
                                  const char *what) {
    return nf_fail_at(in->err, NERFIT_FORMAT, in->path, (long)node->start_mark.line + 1,
                      (long)node->start_mark.column + 1, "%s", what);
}

/* The path that a node names, of something that is there. `what` is expected of it. */
static nerfit_status manifest_path(const manifest_reader *in, const yaml_node_t *node,
                                   const char *what, const char **path) {
    const char *name = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
    if (!*name || !strcmp(name, "~") || !strcmp(name, "null"))
        return nf_fail_at(in->err, NERFIT_FORMAT, in->path, (long)node->start_mark.line + 1,
                          (long)node->start_mark.column + 1, "expected the name of %s", what);
    *path = nf_path_join(&in->manifest->arena, in->folder, name);
    if (!*path) return nf_no_memory(in->err, strlen(name));
    if (nf_file_exists(*path) || nf_directory_exists(*path)) return NERFIT_OK;
    return nf_fail_at(in->err, NERFIT_IO, in->path, (long)node->start_mark.line + 1,
                      (long)node->start_mark.column + 1, "%s: there is no such file", *path);
}

static nerfit_status manifest_read_pair(const manifest_reader *in, const yaml_node_t *annotations,
                                        const yaml_node_t *descriptions) {
    const char *paths[2];
    NF_TRY(manifest_path(in, annotations, "a file of annotated texts", &paths[0]));
    NF_TRY(manifest_path(in, descriptions, "a file of descriptions", &paths[1]));
    if (nf_manifest_is(paths[0]))
        return manifest_bad(in, annotations,
                            "expected annotated texts, not a folder of label sets or a manifest");
    return nf_manifest_add(in->manifest, paths[0], paths[1], in->err);
}

/* {annotations: ..., descriptions: ...} */
static nerfit_status manifest_read_item(const manifest_reader *in, const yaml_node_t *node) {
    static const char *const keys[] = {"annotations", "descriptions"};
    static const char *const missing[] = {"annotations is missing: the annotated texts",
                                          "descriptions is missing: what the labels mean"};
    const yaml_node_t *values[2] = {NULL, NULL};
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(in->document, pair->key);
        size_t i = 0;
        while (i < 2 && (key->type != YAML_SCALAR_NODE ||
                         strcmp((const char *)key->data.scalar.value, keys[i]) != 0))
            i++;
        if (i == 2) return manifest_bad(in, key, "expected annotations or descriptions");
        if (values[i]) return manifest_bad(in, key, "is there twice");
        values[i] = yaml_document_get_node(in->document, pair->value);
    }
    for (size_t i = 0; i < 2; i++)
        if (!values[i]) return manifest_bad(in, node, missing[i]);
    return manifest_read_pair(in, values[0], values[1]);
}

static nerfit_status manifest_read_element(const manifest_reader *in, const yaml_node_t *node) {
    const yaml_node_item_t *items = node->data.sequence.items.start;
    const char *path;
    if (node->type == YAML_MAPPING_NODE) return manifest_read_item(in, node);
    if (node->type == YAML_SEQUENCE_NODE) {
        if (node->data.sequence.items.top - items != 2)
            return manifest_bad(in, node, "expected two names: [annotations, descriptions]");
        return manifest_read_pair(in, yaml_document_get_node(in->document, items[0]),
                                  yaml_document_get_node(in->document, items[1]));
    }
    NF_TRY(manifest_path(in, node, "a folder of label sets", &path));
    if (!nf_directory_exists(path) || !nf_manifest_is(path))
        return manifest_bad(in, node,
                            "expected a folder of label sets, or {annotations: ..., "
                            "descriptions: ...}");
    return manifest_read_folder(in->manifest, path, in->log, in->err);
}

static nerfit_status manifest_read_root(const manifest_reader *in, const yaml_node_t *root) {
    if (root && root->type == YAML_MAPPING_NODE) {
        for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
             pair < root->data.mapping.pairs.top; pair++)
            NF_TRY(manifest_read_pair(in, yaml_document_get_node(in->document, pair->key),
                                      yaml_document_get_node(in->document, pair->value)));
        return NERFIT_OK;
    }
    if (root && root->type == YAML_SEQUENCE_NODE) {
        for (const yaml_node_item_t *item = root->data.sequence.items.start;
             item < root->data.sequence.items.top; item++)
            NF_TRY(manifest_read_element(in, yaml_document_get_node(in->document, *item)));
        return NERFIT_OK;
    }
    return nf_fail_at(in->err, NERFIT_FORMAT, in->path, 1, 0,
                      "expected a mapping of annotated files to descriptions, or a list of them");
}

static nerfit_status manifest_read_document(manifest_reader *in, const nf_file *file) {
    yaml_document_t document;
    NF_TRY(nf_yaml_load(&document, file->data, file->size, in->path, in->err));
    in->document = &document;
    nerfit_status status = manifest_read_root(in, yaml_document_get_root_node(&document));
    yaml_document_delete(&document);
    return status;
}

static nerfit_status manifest_read_yaml(nf_manifest *manifest, const char *path, const nf_log *log,
                                        nerfit_error *err) {
    nf_file file;
    manifest_reader in = {.manifest = manifest, .path = path, .log = log, .err = err};
    in.folder = nf_path_parent(&manifest->arena, path);
    if (!in.folder) return nf_no_memory(err, strlen(path));
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status status = manifest_read_document(&in, &file);
    nf_file_close(&file);
    return status;
}

nerfit_status nf_manifest_read(nf_manifest *manifest, const char *path, const nf_log *log,
                               nerfit_error *err) {
    size_t before = manifest->count;
    NF_TRY(nf_directory_exists(path) ? manifest_read_folder(manifest, path, log, err)
                                     : manifest_read_yaml(manifest, path, log, err));
    if (manifest->count == before)
        return nf_fail_at(err, NERFIT_ARGUMENT, path, 0, 0, "names no label set");
    return NERFIT_OK;
}
