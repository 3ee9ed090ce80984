/* Events: how they are written, and what they do, which is the same when they happen and when the
 * project is opened again. Kinds, by the member that an object has beside "revision" and "time":
 *
 *     "id", "status", "entities", "notes", "by"?   what has been decided about a text
 *     "deleted_text"                                a text's number
 *     "label": {name, description, color, shortcut} a label is new, or changed
 *     "labels": [names]                             some are new
 *     "order": [names]                              the order in which they are shown
 *     "renamed": [from, to]                         if there is one of that name: merged
 *     "deleted_label"                               its name
 *     "project": {name?, nested?, encoder?}         settings */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "base/utf8.h"
#include "serve/project/project.h"

static nerfit_status wrong(nerfit_error *err, const char *what) {
    return nf_fail(err, NERFIT_FORMAT, "%s is missing or wrong", what);
}

/* *place becomes a copy; NULL and "" of an optional text: none. */
static nerfit_status replace(char **place, const char *text, nerfit_error *err) {
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy) return nf_no_memory(err, strlen(text));
    free(*place);
    *place = copy;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- what events do */

static nerfit_status read_marks(const nf_project *p, const nf_item *text, const json_t *list,
                                nf_marks *marks, nerfit_error *err) {
    size_t i;
    const json_t *item;
    if (!json_is_array(list)) return wrong(err, "\"entities\"");
    *marks = (nf_marks){calloc(json_array_size(list) + 1, sizeof *marks->items), 0};
    if (!marks->items) return nf_no_memory(err, json_array_size(list));
    json_array_foreach(list, i, item) {
        nf_given_mark m = nf_given_mark_of(item);
        const nf_label *label = m.label ? nf_project_label(p, m.label) : NULL;
        if (!label || m.start < 0 || m.end <= m.start || (size_t)m.end > text->length)
            return wrong(err, "an entity of the text, or its label,");
        marks->items[marks->count++] = (nf_mark){(uint32_t)m.start, (uint32_t)m.end, label};
    }
    nf_marks_sort(marks);
    return NERFIT_OK;
}

static nerfit_status decide(nf_project *p, const json_t *event, nerfit_error *err) {
    nf_item *text = nf_project_text(p, (size_t)json_integer_value(json_object_get(event, "id")));
    const json_t *name = json_object_get(event, "status");
    nf_item_status status = nf_item_status_of(json_is_string(name) ? json_string_value(name) : "",
                                              json_string_length(name));
    const char *notes = json_string_value(json_object_get(event, "notes"));
    nf_marks marks = {0};
    if (!text) return wrong(err, "the text \"id\"");
    if (status == NF_TEXT_STATUSES) return wrong(err, "\"status\"");
    nerfit_status read = read_marks(p, text, json_object_get(event, "entities"), &marks, err);
    if (read == NERFIT_OK) read = replace(&text->notes, notes ? notes : "", err);
    if (read != NERFIT_OK) {
        free(marks.items);
        return read;
    }
    free(text->marks.items);
    text->marks = marks;
    text->status = status;
    text->revision = p->at;
    text->changed = json_number_value(json_object_get(event, "time"));
    return NERFIT_OK;
}

static nerfit_status delete_text(nf_project *p, const json_t *id, nerfit_error *err) {
    nf_item *text = nf_project_text(p, (size_t)json_integer_value(id));
    if (!text) return wrong(err, "\"deleted_text\"");
    /* when the project is opened another one of the same words may have come already */
    if (nf_project_same_text(p, text->text, text->size) == text) HASH_DELETE(hh, p->by_text, text);
    text->deleted = true;
    text->marks.count = 0;
    text->revision = p->at;
    return NERFIT_OK;
}

static nerfit_status new_label(nf_project *p, const char *name, nf_label **out, nerfit_error *err) {
    nf_label *label = calloc(1, sizeof *label);
    bool room =
        nf_array_reserve(&p->labels, &p->labels_capacity, p->n_labels + 1, sizeof(nf_label *));
    if (!label || !room || !(label->name = strdup(name)) || !(label->description = strdup(""))) {
        nf_label_free(label);
        return nf_no_memory(err, 0);
    }
    label->place = p->n_labels;
    *out = p->labels[p->n_labels++] = label;
    return NERFIT_OK;
}

static nerfit_status set_label(nf_project *p, const json_t *given, nerfit_error *err) {
    const char *name = json_string_value(json_object_get(given, "name"));
    const char *description = json_string_value(json_object_get(given, "description"));
    nf_label *label = name ? nf_project_label(p, name) : NULL;
    if (!name || !description) return wrong(err, "\"label\"");
    if (!label) NF_TRY(new_label(p, name, &label, err));
    NF_TRY(replace(&label->description, description, err));
    NF_TRY(replace(&label->color, json_string_value(json_object_get(given, "color")), err));
    return replace(&label->shortcut, json_string_value(json_object_get(given, "shortcut")), err);
}

static nerfit_status add_labels(nf_project *p, const json_t *names, nerfit_error *err) {
    size_t i;
    const json_t *name;
    nf_label *label;
    json_array_foreach(names, i, name) {
        if (!json_is_string(name)) return wrong(err, "\"labels\"");
        if (!nf_project_label(p, json_string_value(name)))
            NF_TRY(new_label(p, json_string_value(name), &label, err));
    }
    return NERFIT_OK;
}

static void number_labels(nf_project *p) {
    for (size_t i = 0; i < p->n_labels; i++) p->labels[i]->place = i;
}

static nerfit_status order_labels(nf_project *p, const json_t *names, nerfit_error *err) {
    if (json_array_size(names) != p->n_labels) return wrong(err, "\"order\"");
    for (size_t i = 0; i < p->n_labels; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        size_t k = i;
        while (name && k < p->n_labels && strcmp(p->labels[k]->name, name) != 0) k++;
        if (!name || k == p->n_labels) return wrong(err, "\"order\"");
        nf_label *label = p->labels[k];
        memmove(&p->labels[i + 1], &p->labels[i], (k - i) * sizeof *p->labels);
        p->labels[i] = label;
    }
    number_labels(p);
    return NERFIT_OK;
}

/* `to`: what takes its place; NULL: nothing. */
static void drop_label(nf_project *p, nf_label *label, const nf_label *to) {
    for (size_t i = 0; i < p->n_texts; i++) {
        nf_item *text = p->texts[i];
        for (size_t k = 0; k < text->marks.count; k++)
            if (text->marks.items[k].label == label) {
                nf_marks_relabel(&text->marks, label, to);
                text->revision = p->at;
                break;
            }
    }
    size_t at = label->place;
    p->n_labels--;
    memmove(&p->labels[at], &p->labels[at + 1], (p->n_labels - at) * sizeof *p->labels);
    number_labels(p);
    nf_label_free(label);
}

static nerfit_status rename_label(nf_project *p, const json_t *names, nerfit_error *err) {
    const char *from = json_string_value(json_array_get(names, 0));
    const char *to = json_string_value(json_array_get(names, 1));
    nf_label *label = from ? nf_project_label(p, from) : NULL;
    nf_label *into = to ? nf_project_label(p, to) : NULL;
    if (!label || !to || label == into) return wrong(err, "\"renamed\"");
    if (json_array_append_new(p->renames, json_pack("[I, s, s]", (json_int_t)p->at, from, to)) != 0)
        return nf_no_memory(err, 0);
    if (into) {
        drop_label(p, label, into);
        return NERFIT_OK;
    }
    NF_TRY(replace(&label->name, to, err));
    for (size_t i = 0; i < p->n_texts; i++) {
        nf_item *text = p->texts[i];
        for (size_t k = 0; k < text->marks.count; k++)
            if (text->marks.items[k].label == label) text->revision = p->at;
        if (text->revision == p->at) nf_marks_sort(&text->marks);
    }
    return NERFIT_OK;
}

static nerfit_status delete_label(nf_project *p, const json_t *name, nerfit_error *err) {
    nf_label *label = json_is_string(name) ? nf_project_label(p, json_string_value(name)) : NULL;
    if (!label) return wrong(err, "\"deleted_label\"");
    drop_label(p, label, NULL);
    return NERFIT_OK;
}

static nerfit_status set_project(nf_project *p, const json_t *given, nerfit_error *err) {
    const char *name = json_string_value(json_object_get(given, "name"));
    const char *encoder = json_string_value(json_object_get(given, "encoder"));
    const json_t *nested = json_object_get(given, "nested");
    if (nested) p->nested = json_is_true(nested);
    if (name) NF_TRY(replace(&p->name, name, err));
    return encoder ? replace(&p->encoder, encoder, err) : NERFIT_OK;
}

static const struct {
    const char *member;
    nerfit_status (*apply)(nf_project *p, const json_t *value, nerfit_error *err);
    bool labels; /* it changes these, or else the settings */
} kinds[] = {
    {"deleted_text", delete_text, false}, {"label", set_label, true},
    {"labels", add_labels, true},         {"order", order_labels, true},
    {"renamed", rename_label, true},      {"deleted_label", delete_label, true},
    {"project", set_project, false},
};

nerfit_status nf_project_replay(void *project, const json_t *event, long number,
                                nerfit_error *err) {
    nf_project *p = project;
    (void)number;
    json_int_t revision = json_integer_value(json_object_get(event, "revision"));
    if (revision <= 0) return wrong(err, "\"revision\"");
    p->at = (uint64_t)revision;
    if (p->at > p->revision) p->revision = p->at; /* texts that came later are there already */
    if (json_object_get(event, "id")) return decide(p, event, err);
    for (size_t i = 0; i < NF_COUNT(kinds); i++) {
        const json_t *value = json_object_get(event, kinds[i].member);
        if (!value) continue;
        *(kinds[i].labels ? &p->labels_revision : &p->settings_revision) = p->at;
        return kinds[i].apply(p, value, err);
    }
    return nf_fail(err, NERFIT_FORMAT, "an event of an unknown kind; a later nerfit wrote it?");
}

/* ---------------------------------------------------------------- texts */

static nf_item *text_new(size_t id, const nf_new_text *given) {
    nf_item *text = calloc(1, sizeof *text);
    if (!text) return NULL;
    text->id = id;
    text->text = strndup(given->text, given->size);
    text->size = given->size;
    text->length = nf_utf8_count(given->text, given->size);
    text->file = strdup(given->file ? given->file : "");
    text->line = given->line;
    text->beside = json_incref(given->beside);
    text->notes = strdup("");
    if (text->text && text->file && text->notes) return text;
    nf_item_free(text);
    return NULL;
}

/* Into the map by content; false: out of memory. */
static bool enter(nf_project *p, nf_item *text) {
    HASH_ADD_KEYPTR(hh, p->by_text, text->text, text->size, text);
    return text->hh.tbl != NULL;
}

nerfit_status nf_project_replay_text(void *project, const json_t *line, long number,
                                     nerfit_error *err) {
    nf_project *p = project;
    (void)number;
    const json_t *given = json_object_get(line, "text");
    json_int_t id = json_integer_value(json_object_get(line, "id"));
    json_int_t revision = json_integer_value(json_object_get(line, "revision"));
    if (!json_is_string(given)) return wrong(err, "\"text\"");
    if (id != (json_int_t)p->n_texts + 1 || revision <= 0)
        return nf_fail(err, NERFIT_FORMAT, "\"id\" is wrong; expected %zu, with a \"revision\"",
                       p->n_texts + 1);
    const nf_new_text text = {json_string_value(given), json_string_length(given),
                              json_string_value(json_object_get(line, "file")),
                              json_integer_value(json_object_get(line, "line")),
                              json_object_get(line, "beside")};
    if (!nf_array_reserve(&p->texts, &p->texts_capacity, p->n_texts + 1, sizeof(nf_item *)))
        return nf_no_memory(err, 0);
    nf_item *fresh = text_new(p->n_texts + 1, &text);
    if (!fresh) return nf_no_memory(err, text.size);
    p->texts[p->n_texts++] = fresh;
    fresh->revision = (uint64_t)revision;
    if (fresh->revision > p->revision) p->revision = fresh->revision;
    /* one that equals a deleted one, which the log tells of later, takes its place then */
    nf_item *same = nf_project_same_text(p, fresh->text, fresh->size);
    if (same) HASH_DELETE(hh, p->by_text, same);
    return enter(p, fresh) ? NERFIT_OK : nf_no_memory(err, 0);
}

static void append_text(nf_str *lines, const nf_item *text) {
    json_t *line = json_pack("{s:I, s:I, s:s%}", "revision", (json_int_t)text->revision, "id",
                             (json_int_t)text->id, "text", text->text, text->size);
    if (line && *text->file) json_object_set_new(line, "file", json_string(text->file));
    if (line && text->line) json_object_set_new(line, "line", json_integer(text->line));
    if (line && text->beside) json_object_set(line, "beside", text->beside);
    nf_lines_append(lines, line);
    json_decref(line);
}

nerfit_status nf_project_add(nf_project *p, const nf_new_text *texts, size_t count, size_t *ids,
                             size_t *added, nerfit_error *err) {
    size_t before = p->n_texts, n = before;
    nf_str lines = {0};
    nerfit_status status = NERFIT_OK;
    if (!nf_array_reserve(&p->texts, &p->texts_capacity, before + count, sizeof(nf_item *)))
        return nf_no_memory(err, count * sizeof(nf_item *));
    for (size_t i = 0; i < count && status == NERFIT_OK; i++) {
        nf_item *text = nf_project_same_text(p, texts[i].text, texts[i].size);
        if (!text) {
            text = text_new(n + 1, &texts[i]);
            if (!text || !enter(p, text)) {
                nf_item_free(text);
                status = nf_no_memory(err, texts[i].size);
                break;
            }
            p->texts[n++] = text;
            text->revision = p->revision + (n - before);
            append_text(&lines, text);
        }
        ids[i] = text->id;
    }
    if (status == NERFIT_OK) status = nf_journal_append(&p->texts_file, &lines, err);
    nf_str_free(&lines);
    if (status == NERFIT_OK) {
        p->revision += n - before;
        p->n_texts = n;
        *added = n - before;
        return NERFIT_OK;
    }
    for (size_t i = before; i < n; i++) {
        HASH_DELETE(hh, p->by_text, p->texts[i]);
        nf_item_free(p->texts[i]);
    }
    return status;
}
