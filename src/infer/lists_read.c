#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/array.h"
#include "base/file.h"
#include "base/number.h"
#include "base/str.h"
#include "base/utf8.h"
#include "base/yaml.h"
#include "data/document.h"
#include "data/fold.h"
#include "data/lines.h"
#include "infer/lists.h"
#include "infer/lists_impl.h"

typedef struct lists_reader {
    nf_lists *lists;
    const char *folder;
    yaml_document_t *document;
    const nf_log *log;
    nerfit_error *err;
} lists_reader;

/* Where an item stands, and what it is for. */
typedef struct lists_place {
    const char *file;
    long line, column;
    nf_list_use use;
} lists_place;

static nerfit_status lists_bad(const lists_reader *r, const lists_place *at, const char *what) {
    return nf_fail_at(r->err, NERFIT_FORMAT, at->file, at->line, at->column, "%s", what);
}

static lists_place lists_place_of(const lists_reader *r, const yaml_node_t *node, nf_list_use use) {
    return (lists_place){r->lists->name, (long)node->start_mark.line + 1,
                         (long)node->start_mark.column + 1, use};
}

/* ---------------------------------------------------------------- items */

/* A term of one label that another label has, too, or that is forbidden where it is added: one of both
 * never counts. */
static void lists_warn_of_twice(const lists_reader *r, const lists_place *at,
                                const nf_list_term *term, const char *text, size_t size) {
    const char *const *labels = r->lists->labels;
    for (const nf_list_use *use = term->uses; use; use = use->next) {
        bool both_add = !use->forbids && !at->use.forbids && use->label != at->use.label;
        const nf_list_use *adds = use->forbids ? &at->use : use;
        bool meet = use->label == at->use.label || use->label == NF_LISTS_EVERY ||
                    at->use.label == NF_LISTS_EVERY;
        bool undone = use->forbids != at->use.forbids && meet;
        if (both_add)
            nf_log_warning(
                r->log,
                "%s:%ld: the term \"%.*s\" of %s is also one of %s: where entities may not "
                "overlap it is always %s, which stands first",
                at->file, at->line, (int)size, text, labels[at->use.label], labels[use->label],
                labels[use->label]);
        if (undone)
            nf_log_warning(r->log, "%s:%ld: the term \"%.*s\" of %s is both added and forbidden",
                           at->file, at->line, (int)size, text, labels[adds->label]);
        if (both_add || undone) return;
    }
}

static nerfit_status lists_add_term(lists_reader *r, const lists_place *at, const char *text,
                                    size_t size) {
    nf_lists *lists = r->lists;
    nf_folded folded;
    if (!nf_utf8_valid(text, size, NULL)) return lists_bad(r, at, "the term is not valid UTF-8");
    NF_TRY(nf_fold_trimmed(&folded, &lists->arena, text, size, r->err));
    if (folded.count == 0) return lists_bad(r, at, "the term is empty");
    nf_list_use *use = nf_arena_alloc(&lists->arena, sizeof *use);
    nf_list_term *term;
    if (!use) return nf_no_memory(r->err, sizeof *use);
    HASH_FIND(hh, lists->terms, folded.points, folded.count * sizeof *folded.points, term);
    if (!term) {
        term = nf_arena_calloc(&lists->arena, 1, sizeof *term);
        if (!term) return nf_no_memory(r->err, sizeof *term);
        term->points = folded.points;
        term->count = folded.count;
        HASH_ADD_KEYPTR(hh, lists->terms, term->points, term->count * sizeof *term->points, term);
        if (!term->hh.tbl) return nf_no_memory(r->err, sizeof *term);
    }
    lists_warn_of_twice(r, at, term, text, size);
    *use = at->use;
    use->order = lists->n_items++;
    use->next = term->uses;
    term->uses = use;
    if (term->count > lists->longest) lists->longest = term->count;
    return NERFIT_OK;
}

static nerfit_status lists_add_pattern(lists_reader *r, const lists_place *at, const char *text,
                                       size_t size, bool any_case) {
    nf_lists *lists = r->lists;
    nf_str wrapped = {0};
    char place[512];
    if (size == 0) return lists_bad(r, at, "the expression is empty");
    nf_str_append_text(&wrapped, any_case ? "(?i:" : "");
    nf_str_append(&wrapped, text, size);
    nf_str_append_text(&wrapped, any_case ? ")" : "");
    if (!nf_array_reserve(&lists->patterns, &lists->patterns_capacity, lists->n_patterns + 1,
                          sizeof *lists->patterns))
        wrapped.failed = true;
    const char *pattern =
        wrapped.failed ? NULL : nf_arena_strdup(&lists->arena, nf_str_text(&wrapped));
    nf_str_free(&wrapped);
    if (!pattern) return nf_no_memory(r->err, size);
    nf_list_pattern *p = &lists->patterns[lists->n_patterns];
    *p = (nf_list_pattern){.use = at->use, .text = pattern, .line = at->line};
    p->use.order = lists->n_items++;
    nf_print(place, sizeof place, "%s:%ld", at->file, at->line);
    NF_TRY(nf_regex_compile(&p->regex, pattern, &lists->arena, place, "expression", r->err));
    lists->n_patterns++;
    return NERFIT_OK;
}

static nerfit_status lists_add_file(lists_reader *r, const lists_place *at, const char *name) {
    nf_file file;
    const char *path = nf_path_join(&r->lists->arena, r->folder, name), *line;
    size_t size;
    if (!path) return nf_no_memory(r->err, strlen(name));
    if (!nf_file_exists(path)) {
        nf_fail_at(r->err, NERFIT_IO, at->file, at->line, at->column, "%s: there is no such file",
                   path);
        return NERFIT_IO;
    }
    NF_TRY(nf_file_open(&file, path, r->err));
    nf_lines lines = nf_lines_of(file.data, file.size);
    nerfit_status status = NERFIT_OK;
    bool any = false;
    while (status == NERFIT_OK && nf_lines_next(&lines, &line, &size)) {
        lists_place of = {path, lines.number, 0, at->use};
        if (nf_line_blank(line, size)) continue;
        status = lists_add_term(r, &of, line, size);
        any = true;
    }
    nf_file_close(&file);
    if (!any) nf_log_warning(r->log, "%s: holds no term", path);
    return status;
}

/* A term, or between slashes an expression. */
static nerfit_status lists_add_text(lists_reader *r, const yaml_node_t *node, nf_list_use use) {
    const char *text = (const char *)node->data.scalar.value;
    size_t size = node->data.scalar.length;
    lists_place at = lists_place_of(r, node, use);
    if (memchr(text, '\0', size)) return lists_bad(r, &at, "holds a NUL character");
    bool any_case = size > 2 && text[0] == '/' && text[size - 2] == '/' && text[size - 1] == 'i';
    if (any_case) return lists_add_pattern(r, &at, text + 1, size - 3, true);
    if (size > 1 && text[0] == '/' && text[size - 1] == '/')
        return lists_add_pattern(r, &at, text + 1, size - 2, false);
    if (size && text[0] == '/')
        return lists_bad(r, &at,
                         "begins with a slash, but does not end with one: expected /an expression/ "
                         "or /an expression/i; a term that begins so is {term: /...}");
    return lists_add_term(r, &at, text, size);
}

/* {term: ...}, {pattern: ...} or {file: ...} */
static nerfit_status lists_add_named(lists_reader *r, const yaml_node_t *node, nf_list_use use) {
    lists_place at = lists_place_of(r, node, use);
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    static const char expected[] = "expected {term: ...}, {pattern: ...} or {file: ...}";
    if (node->data.mapping.pairs.top - pair != 1) return lists_bad(r, &at, expected);
    const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(r->document, pair->value);
    if (key->type != YAML_SCALAR_NODE || value->type != YAML_SCALAR_NODE)
        return lists_bad(r, &at, expected);
    const char *name = (const char *)key->data.scalar.value;
    const char *text = (const char *)value->data.scalar.value;
    size_t size = value->data.scalar.length;
    if (memchr(text, '\0', size)) return lists_bad(r, &at, "holds a NUL character");
    if (strcmp(name, "term") == 0) return lists_add_term(r, &at, text, size);
    if (strcmp(name, "pattern") == 0) return lists_add_pattern(r, &at, text, size, false);
    if (strcmp(name, "file") == 0) return lists_add_file(r, &at, text);
    return lists_bad(r, &at, expected);
}

static nerfit_status lists_add_item(lists_reader *r, const yaml_node_t *node, nf_list_use use) {
    lists_place at = lists_place_of(r, node, use);
    if (node->type == YAML_SCALAR_NODE) return lists_add_text(r, node, use);
    if (node->type == YAML_MAPPING_NODE) return lists_add_named(r, node, use);
    return lists_bad(r, &at, "expected a term, /an expression/ or {file: ...}");
}

/* A list of items, or one. */
static nerfit_status lists_add_items(lists_reader *r, const yaml_node_t *node, nf_list_use use) {
    lists_place at = lists_place_of(r, node, use);
    if (use.label == NF_LISTS_EVERY && !use.forbids)
        return lists_bad(r, &at, "\"*\" stands for every label: it can forbid alone");
    if (node->type != YAML_SEQUENCE_NODE) return lists_add_item(r, node, use);
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++)
        NF_TRY(lists_add_item(r, yaml_document_get_node(r->document, *item), use));
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- labels */

static nerfit_status lists_add_label(lists_reader *r, const yaml_node_t *key, nf_list_use *use) {
    nf_lists *lists = r->lists;
    lists_place at = lists_place_of(r, key, *use);
    if (key->type != YAML_SCALAR_NODE || key->data.scalar.length == 0)
        return lists_bad(r, &at, "expected a label (a text)");
    const char *name = (const char *)key->data.scalar.value;
    size_t size = key->data.scalar.length;
    if (strcmp(name, "*") == 0) return use->label = NF_LISTS_EVERY, NERFIT_OK;
    const char *trimmed = name;
    nf_text_trim(&trimmed, &size);
    if (size != key->data.scalar.length || strlen(name) != size)
        return lists_bad(r, &at, "the label has white space at its edge, or a NUL character");
    for (size_t i = 0; i < lists->n_labels; i++)
        if (strcmp(lists->labels[i], name) == 0)
            return lists_bad(r, &at, "the label is there already");
    if (!nf_array_reserve(&lists->labels, &lists->labels_capacity, lists->n_labels + 1,
                          sizeof *lists->labels) ||
        !(lists->labels[lists->n_labels] = nf_arena_strdup(&lists->arena, name)))
        return nf_no_memory(r->err, size);
    use->label = (int32_t)lists->n_labels++;
    return NERFIT_OK;
}

/* Whether a mapping is {add: ..., forbid: ...}, and no single item. */
static bool lists_is_uses(const lists_reader *r, const yaml_node_t *node) {
    if (node->type != YAML_MAPPING_NODE) return false;
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    if (pair == node->data.mapping.pairs.top) return true;
    const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
    const char *name = key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : "";
    return strcmp(name, "term") != 0 && strcmp(name, "pattern") != 0 && strcmp(name, "file") != 0;
}

static nerfit_status lists_add_uses(lists_reader *r, const yaml_node_t *node, nf_list_use use) {
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
        const char *name =
            key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : "";
        lists_place at = lists_place_of(r, key, use);
        use.forbids = strcmp(name, "forbid") == 0;
        if (!use.forbids && strcmp(name, "add") != 0)
            return lists_bad(r, &at, "expected add or forbid");
        NF_TRY(lists_add_items(r, yaml_document_get_node(r->document, pair->value), use));
    }
    return NERFIT_OK;
}

static nerfit_status lists_read_root(lists_reader *r, const yaml_node_t *root) {
    if (!root || root->type != YAML_MAPPING_NODE)
        return nf_fail_at(r->err, NERFIT_FORMAT, r->lists->name,
                          root ? (long)root->start_mark.line + 1 : 1, 0,
                          "expected a mapping of labels to terms and /expressions/, or to "
                          "{add: [...], forbid: [...]}");
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *value = yaml_document_get_node(r->document, pair->value);
        nf_list_use use = {0};
        NF_TRY(lists_add_label(r, yaml_document_get_node(r->document, pair->key), &use));
        NF_TRY(lists_is_uses(r, value) ? lists_add_uses(r, value, use)
                                       : lists_add_items(r, value, use));
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- files */

static nerfit_status lists_read_document(lists_reader *r, const char *text, size_t size) {
    yaml_document_t document;
    NF_TRY(nf_yaml_load(&document, text, size, r->lists->name, r->err));
    r->document = &document;
    nerfit_status status = lists_read_root(r, yaml_document_get_root_node(&document));
    yaml_document_delete(&document);
    return status;
}

static nerfit_status lists_parse_into(nf_lists *lists, const char *text, size_t size,
                                      const char *name, const nf_log *log, nerfit_error *err) {
    lists_reader r = {.lists = lists, .log = log, .err = err};
    lists->name = nf_arena_strdup(&lists->arena, name);
    r.folder = nf_path_parent(&lists->arena, name);
    if (!lists->name || !r.folder) return nf_no_memory(err, strlen(name));
    return lists_read_document(&r, text, size);
}

nerfit_status nf_lists_parse(nf_lists **out, const char *text, size_t size, const char *name,
                             const nf_log *log, nerfit_error *err) {
    *out = NULL;
    nf_lists *lists = calloc(1, sizeof *lists);
    if (!lists) return nf_no_memory(err, sizeof *lists);
    nerfit_status status = lists_parse_into(lists, text, size, name, log, err);
    if (status == NERFIT_OK)
        *out = lists;
    else
        nf_lists_free(lists);
    return status;
}

nerfit_status nf_lists_read(nf_lists **out, const char *path, const nf_log *log,
                            nerfit_error *err) {
    nf_file file;
    *out = NULL;
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status status = nf_lists_parse(out, file.data, file.size, path, log, err);
    nf_file_close(&file);
    return status;
}

void nf_lists_free(nf_lists *lists) {
    if (!lists) return;
    HASH_CLEAR(hh, lists->terms);
    free(lists->patterns);
    free(lists->labels);
    nf_arena_free(&lists->arena);
    free(lists);
}

const char *const *nf_lists_labels(const nf_lists *lists, size_t *count) {
    *count = lists->n_labels;
    return lists->labels;
}
