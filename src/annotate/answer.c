#include "annotate/answer.h"

#include <stdlib.h>
#include <string.h>

#include "annotate/answer_json.h"
#include "base/array.h"
#include "base/ascii.h"
#include "base/hash.h"
#include "data/lines.h"

/* What is being read. */
typedef struct answer_reader {
    nf_answer *out;
    const nf_answer_labels *labels; /* or NULL */
    nf_arena *arena;
    nf_answer_item *items; /* growing, not in the arena */
    size_t capacity;
    bool bare; /* whether texts without labels will do */
    bool no_memory;
} answer_reader;

static void reader_add(answer_reader *r, const char *text, size_t size, const char *label,
                       size_t label_size, const char *about) {
    nf_answer *out = r->out;
    if (!nf_array_reserve(&r->items, &r->capacity, out->count + 1, sizeof *r->items)) {
        r->no_memory = true;
        return;
    }
    nf_answer_item *item = &r->items[out->count];
    *item = (nf_answer_item){nf_arena_copy(r->arena, text, size), NULL, NULL};
    if (label) item->label = nf_arena_copy(r->arena, label, label_size);
    if (about) item->about = nf_arena_strdup(r->arena, about);
    if (!item->text || (label && !item->label) || (about && !item->about)) r->no_memory = true;
    out->count++;
}

/* ---------------------------------------------------------------- labels */

bool nf_answer_label_key(nf_folded *out, const char *label, nf_arena *arena) {
    if (nf_fold_trimmed(out, arena, label, strlen(label), NULL) != NERFIT_OK) return false;
    size_t kept = 0;
    for (size_t i = 0; i < out->count; i++) {
        uint32_t c = out->points[i];
        if (c == '_' || c == '-' || c == '.' || c == '/' || c == ':') c = ' ';
        if (c == ' ' && (kept == 0 || out->points[kept - 1] == ' ')) continue;
        out->points[kept++] = c;
    }
    while (kept && out->points[kept - 1] == ' ') kept--;
    if (kept > 3 && out->points[kept - 1] == 's') kept--;
    out->count = kept;
    return true;
}

/* What a label may be called: its name as it stands, or a folded one. */
struct nf_answer_name {
    int32_t label;
    UT_hash_handle hh;
};

/* Of equal names the first one counts. */
static nerfit_status labels_add(nf_answer_labels *out, struct nf_answer_name **map,
                                const void *name, size_t size, size_t label, nerfit_error *err) {
    struct nf_answer_name *known;
    HASH_FIND(hh, *map, name, size, known);
    if (known || size == 0) return NERFIT_OK;
    known = nf_arena_calloc(&out->arena, 1, sizeof *known);
    if (!known) return nf_no_memory(err, sizeof *known);
    known->label = (int32_t)label;
    HASH_ADD_KEYPTR(hh, *map, name, size, known);
    return known->hh.tbl ? NERFIT_OK : nf_no_memory(err, sizeof *known);
}

static nerfit_status labels_add_folded(nf_answer_labels *out, const char *name, size_t label,
                                       nerfit_error *err) {
    nf_folded key;
    if (!nf_answer_label_key(&key, name, &out->arena)) return nf_no_memory(err, strlen(name));
    return labels_add(out, &out->folded, key.points, key.count * sizeof *key.points, label, err);
}

nerfit_status nf_answer_labels_make(nf_answer_labels *out, const nf_job_labels *labels,
                                    nerfit_error *err) {
    *out = (nf_answer_labels){0};
    for (size_t i = 0; i < labels->count; i++) {
        const char *name = labels->names[i];
        NF_TRY(labels_add(out, &out->exact, name, strlen(name), i, err));
        NF_TRY(labels_add_folded(out, name, i, err));
    }
    for (size_t i = 0; i < labels->count && labels->further; i++)
        for (size_t k = 0; k < labels->further[i].n_names; k++)
            NF_TRY(labels_add_folded(out, labels->further[i].names[k], i, err));
    return NERFIT_OK;
}

void nf_answer_labels_free(nf_answer_labels *labels) {
    HASH_CLEAR(hh, labels->exact);
    HASH_CLEAR(hh, labels->folded);
    nf_arena_free(&labels->arena);
    *labels = (nf_answer_labels){0};
}

int32_t nf_answer_label(const nf_answer_labels *labels, const char *label, nf_arena *arena) {
    nf_folded key;
    struct nf_answer_name *found;
    HASH_FIND_STR(labels->exact, label, found);
    if (found) return found->label;
    if (!nf_answer_label_key(&key, label, arena)) return -1;
    HASH_FIND(hh, labels->folded, key.points, key.count * sizeof *key.points, found);
    return found ? found->label : -1;
}

/* ---------------------------------------------------------------- JSON */

static const char *first_text(const json_t *object, const char *const *keys) {
    for (size_t i = 0; keys[i]; i++) {
        const json_t *value = json_object_get(object, keys[i]);
        if (json_is_string(value)) return json_string_value(value);
        if (json_is_array(value) && json_is_string(json_array_get(value, 0)))
            return json_string_value(json_array_get(value, 0));
    }
    return NULL;
}

/* {"text": ..., "label": ...} by any of their usual names. */
static bool read_entity(answer_reader *r, const json_t *object) {
    static const char *const texts[] = {"text",  "entity", "span",   "mention", "name",
                                        "value", "word",   "phrase", NULL};
    static const char *const labels[] = {"label", "type", "entity_type",  "category",
                                         "class", "tag",  "entity_group", "labels",
                                         "types", NULL};
    static const char *const about[] = {"description", "definition", NULL};
    const char *text = first_text(object, texts), *label = first_text(object, labels);
    if (!text) return false;
    reader_add(r, text, strlen(text), label, label ? strlen(label) : 0, first_text(object, about));
    return true;
}

/* ["text", "label"] */
static bool read_pair(answer_reader *r, const json_t *list) {
    const char *text = json_string_value(json_array_get(list, 0));
    const char *label = json_string_value(json_array_get(list, 1));
    if (!text || !label || json_array_size(list) > 3) return false;
    const char *about = json_string_value(json_array_get(list, 2));
    reader_add(r, text, strlen(text), label, strlen(label), about);
    return true;
}

/* A list of entities, pairs, or texts alone. What is none of them makes it no such list. */
static bool read_list(answer_reader *r, const json_t *list) {
    size_t i, before = r->out->count;
    json_t *item;
    json_array_foreach(list, i, item) {
        bool ok = json_is_null(item);
        if (json_is_object(item)) ok = read_entity(r, item) || json_object_size(item) == 0;
        if (json_is_array(item)) ok = read_pair(r, item) || json_array_size(item) == 0;
        if (json_is_string(item) && r->bare) {
            const char *text = json_string_value(item);
            reader_add(r, text, strlen(text), NULL, 0, NULL);
            ok = true;
        }
        if (!ok) return r->out->count = before, false;
    }
    return true;
}

/* {"person": ["Ada", ...], "place": []}: every key must be a label that was asked for. */
static bool read_mapping(answer_reader *r, const json_t *object) {
    size_t i, before = r->out->count;
    const char *key;
    json_t *value, *item;
    if (!r->labels || json_object_size(object) == 0) return false;
    json_object_foreach((json_t *)object, key, value) {
        bool ok = nf_answer_label(r->labels, key, r->arena) >= 0 &&
                  (json_is_array(value) || json_is_null(value) || json_is_string(value));
        if (ok && json_is_string(value))
            reader_add(r, json_string_value(value), json_string_length(value), key, strlen(key),
                       NULL);
        json_array_foreach(value, i, item) {
            const char *text = json_is_object(item)
                                   ? json_string_value(json_object_get(item, "text"))
                                   : json_string_value(item);
            ok = ok && text;
            if (ok) reader_add(r, text, strlen(text), key, strlen(key), NULL);
        }
        if (!ok) return r->out->count = before, false;
    }
    return true;
}

static bool read_value(answer_reader *r, const json_t *json) {
    static const char *const lists[] = {"entities", "Entities", "ents",   "spans", "results",
                                        "result",   "answer",   "output", "items", "annotations"};
    if (json_is_array(json)) return read_list(r, json);
    if (!json_is_object(json)) return false;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const json_t *value = json_object_get(json, lists[i]);
        /* a label may be called so, too: then it is a mapping of labels */
        if (json_is_array(value) && read_list(r, value)) return true;
        if (json_is_object(value) && read_value(r, value)) return true;
    }
    return read_mapping(r, json) || read_entity(r, json);
}

/* The first value that is an answer, and those that follow it at once (JSON lines). An empty one may be
 * prose ("if there is none: []"): one with entities behind it counts. */
static bool read_json(answer_reader *r, const char *text, size_t size) {
    nf_loose_json in = {.text = text, .size = size};
    bool found = false;
    while (in.at < size && !r->no_memory) {
        char c = text[in.at];
        if (c != '{' && c != '[') {
            if (r->out->count && !nf_ascii_is_space(c) && c != ',') break;
            in.at++;
            continue;
        }
        size_t from = in.at;
        in.truncated = false;
        json_t *json = nf_loose_json_read(&in);
        r->no_memory |= in.no_memory;
        bool read = json && read_value(r, json);
        json_decref(json);
        if (!read) in.at = from + 1; /* a bracket in prose */
        if (read) r->out->truncated |= in.truncated;
        if (r->out->count && !read) break;
        found |= read;
    }
    return found;
}

/* ---------------------------------------------------------------- around it */

static bool begins(const char *at, const char *end, const char *with) {
    size_t size = strlen(with);
    return (size_t)(end - at) >= size && nf_ascii_same_n(at, with, size);
}

/* What a reasoning model thinks aloud goes; thinking that never ends is all of it. */
static void skip_thinking(const char **text, size_t *size) {
    static const char *const names[] = {"think", "thinking", "thought", "reasoning"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char open[16], close[16];
        memcpy(open, "<", 2);
        memcpy(close, "</", 3);
        strcat(strcat(open, names[i]), ">");
        strcat(strcat(close, names[i]), ">");
        const char *end = *text + *size, *last = NULL;
        bool opened = false;
        for (const char *at = *text; at < end; at++) {
            if (begins(at, end, close)) last = at + strlen(close), opened = false;
            if (begins(at, end, open)) opened = true;
        }
        if (opened) *size = 0;
        if (!opened && last) *size -= (size_t)(last - *text), *text = last;
    }
}

/* The inside of the last fence that has a bracket in it, if there is one. */
static void skip_fence(const char **text, size_t *size) {
    const char *end = *text + *size, *open = NULL;
    const char *best = NULL;
    size_t best_size = 0;
    for (const char *at = *text; at <= end; at++) {
        bool mark = at < end && begins(at, end, "```");
        if (!mark && at < end) continue;
        if (open &&
            (memchr(open, '{', (size_t)(at - open)) || memchr(open, '[', (size_t)(at - open))))
            best = open, best_size = (size_t)(at - open);
        open = mark && !open ? at + 3 : NULL;
        at += mark ? 2 : 0;
    }
    if (best) *text = best, *size = best_size;
}

/* "==NONE==", "No entities.": an answer without brackets that says so. */
static bool says_none(const char *text, size_t size) {
    static const char *const words[] = {"none", "no entities", "no entities found",
                                        "n/a",  "empty",       "there are no entities",
                                        "null"};
    while (size && strchr(" \n\r\t=*`\"'(.", text[0])) text++, size--;
    while (size && strchr(" \n\r\t=*`\"').!", text[size - 1])) size--;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == size && nf_ascii_same_n(text, words[i], size)) return true;
    return false;
}

/* ---------------------------------------------------------------- lines */

/* "label: text; text" where the label is known. */
static bool read_label_line(answer_reader *r, const char *line, size_t size) {
    const char *colon = memchr(line, ':', size);
    while (size && strchr("-* \t", line[0]) && line < colon) line++, size--;
    if (!colon || !r->labels) return false;
    char *name = nf_arena_copy(r->arena, line, (size_t)(colon - line));
    if (!name) return r->no_memory = true, false;
    for (char *at = name; *at; at++)
        if (*at == '*' || *at == '`') *at = ' ';
    const char *trimmed = name;
    size_t name_size = strlen(name);
    nf_text_trim(&trimmed, &name_size);
    if (nf_answer_label(r->labels, name, r->arena) < 0) return false;
    const char *at = colon + 1, *end = line + size;
    while (at < end) {
        size_t n = strcspn(at, ";");
        if (n > (size_t)(end - at)) n = (size_t)(end - at);
        const char *text = at;
        size_t length = n;
        nf_text_trim(&text, &length);
        if (length && !says_none(text, length))
            reader_add(r, text, length, trimmed, name_size, NULL);
        at += n + 1;
    }
    return true;
}

/* "text <> label", and behind a second mark its description (NuNER's form). */
static bool read_marked_line(answer_reader *r, const char *line, size_t size) {
    const char *parts[3], *end = line + size;
    size_t sizes[3], n = 0;
    for (const char *at = line; n < 3; n++) {
        const char *mark = at;
        while (mark < end && !begins(mark, end, "<>")) mark++;
        parts[n] = at;
        sizes[n] = (size_t)(mark - at);
        nf_text_trim(&parts[n], &sizes[n]);
        if (mark == end) {
            n++;
            break;
        }
        at = mark + 2;
    }
    if (n < 2 || !sizes[0] || !sizes[1]) return false;
    while (sizes[0] > 1 && strchr("-* ", parts[0][0])) parts[0]++, sizes[0]--;
    char *about = n > 2 ? nf_arena_copy(r->arena, parts[2], sizes[2]) : NULL;
    reader_add(r, parts[0], sizes[0], parts[1], sizes[1], about);
    return true;
}

static bool read_lines(answer_reader *r, const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    bool any = false;
    while (nf_lines_next(&lines, &line, &length)) {
        if (nf_line_blank(line, length)) continue;
        bool read = read_label_line(r, line, length) || read_marked_line(r, line, length);
        any |= read;
        if (!read && any) break; /* prose behind the answer */
    }
    return any;
}

static void drop_items(answer_reader *r) {
    r->out->count = 0;
    r->out->truncated = false;
}

bool nf_answer_read(nf_answer *out, const char *text, const nf_answer_labels *labels, bool bare,
                    nf_arena *arena, bool *no_memory) {
    *out = (nf_answer){0};
    answer_reader r = {.out = out, .labels = labels, .arena = arena};
    size_t size = strlen(text), inner_size;
    skip_thinking(&text, &size);
    const char *inner = text;
    inner_size = size;
    skip_fence(&inner, &inner_size);
    /* words in brackets may be prose: what has labels is looked for first */
    bool read = inner_size > 0 && read_json(&r, inner, inner_size);
    if (!read) drop_items(&r);
    r.bare = bare;
    if (!read && bare && inner_size > 0) read = read_json(&r, inner, inner_size);
    if (!read) drop_items(&r);
    if (!read && size) read = read_lines(&r, text, size);
    if (!read) drop_items(&r);
    if (!read && size) read = says_none(text, size);
    if (out->count && !r.no_memory) {
        out->items = nf_arena_alloc(arena, out->count * sizeof *out->items);
        if (out->items) memcpy(out->items, r.items, out->count * sizeof *out->items);
        r.no_memory |= !out->items;
    }
    free(r.items);
    *no_memory = r.no_memory;
    return read && !r.no_memory;
}
