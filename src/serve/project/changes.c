/* Changes of a project: the event is written, then it happens. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "serve/project/project.h"

nerfit_status nf_labels_save(const nf_project *p, const char *folder, nerfit_error *err) {
    json_t *labels = json_object();
    nf_str path = {0};
    nf_str_appendf(&path, "%s/labels.json", folder);
    bool made = labels && !path.failed;
    for (size_t i = 0; i < p->n_labels && made; i++) {
        const nf_label *l = p->labels[i];
        made = json_object_set_new(labels, l->name,
                                   json_string(*l->description ? l->description : l->name)) == 0;
    }
    nerfit_status status = !made         ? nf_no_memory(err, 0)
                           : p->n_labels ? nf_json_save(labels, path.data, err)
                                         : nf_file_remove(path.data, err);
    nf_str_free(&path);
    json_decref(labels);
    return status;
}

/* The file that models read the labels from follows the log: what it lacks comes with the next change. */
static void tell_labels(const nf_project *p) {
    nerfit_error error;
    if (nf_labels_save(p, p->folder, &error) != NERFIT_OK)
        nf_log_warning(&p->log, "%s", error.text);
}

/* Writes events and makes them true; their references are taken, also on failure. */
static nerfit_status commit(nf_project *p, json_t **events, size_t count, nerfit_error *err) {
    nf_str lines = {0};
    uint64_t before = p->revision;
    double seconds = nf_clock_date();
    nerfit_status status = NERFIT_OK;
    if (p->stale)
        status = nf_fail(err, NERFIT_NO_MEMORY,
                         "memory ran out in the middle of a change; start the service again");
    for (size_t i = 0; i < count && status == NERFIT_OK; i++) {
        json_t *revision = json_integer((json_int_t)(p->revision + i + 1));
        if (!events[i] || json_object_set_new(events[i], "revision", revision) != 0 ||
            json_object_set_new(events[i], "time", json_real(seconds)) != 0)
            status = nf_no_memory(err, 0);
        else
            nf_lines_append(&lines, events[i]);
    }
    if (status == NERFIT_OK) status = nf_journal_append(&p->events_file, &lines, err);
    for (size_t i = 0; i < count && status == NERFIT_OK; i++)
        if ((status = nf_project_replay(p, events[i], 0, err)) != NERFIT_OK) p->stale = true;
    if (status == NERFIT_OK && p->labels_revision > before) tell_labels(p);
    if (status == NERFIT_OK) p->changed = nf_clock_now();
    for (size_t i = 0; i < count; i++) json_decref(events[i]);
    nf_str_free(&lines);
    return status;
}

static nerfit_status commit_one(nf_project *p, json_t *event, nerfit_error *err) {
    return commit(p, &event, 1, err);
}

/* ---------------------------------------------------------------- texts */

static bool is_as_before(const nf_decision *d) {
    return d->text->status == d->status && strcmp(d->text->notes, d->notes) == 0 &&
           nf_marks_same(&d->text->marks, &d->marks);
}

nerfit_status nf_project_decide(nf_project *p, nf_decision *decisions, size_t count,
                                nerfit_error *err) {
    json_t **events = calloc(count + 1, sizeof *events);
    size_t n = 0;
    if (!events) return nf_no_memory(err, count * sizeof *events);
    for (size_t i = 0; i < count; i++) {
        const nf_decision *d = &decisions[i];
        if (is_as_before(d)) continue;
        json_t *event = json_pack("{s:I, s:s, s:o*, s:s}", "id", (json_int_t)d->text->id, "status",
                                  nf_item_status_names[d->status], "entities",
                                  nf_marks_json(&d->marks), "notes", d->notes);
        if (event && d->by) json_object_set_new(event, "by", json_string(d->by));
        events[n++] = event;
    }
    nerfit_status status = commit(p, events, n, err);
    free(events);
    return status;
}

nerfit_status nf_project_delete_text(nf_project *p, nf_item *text, nerfit_error *err) {
    return commit_one(p, json_pack("{s:I}", "deleted_text", (json_int_t)text->id), err);
}

/* ---------------------------------------------------------------- labels */

/* What the library takes for a label: it is asked. */
static nerfit_status check_name(const char *name, nerfit_error *err) {
    enum { MOST_BYTES = 200 };
    nerfit_corpus *corpus;
    const nerfit_span span = {0, 1, name};
    if (strlen(name) > MOST_BYTES)
        return nf_fail(err, NERFIT_ARGUMENT, "the label's name has more than %d bytes", MOST_BYTES);
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            return nf_fail(err, NERFIT_ARGUMENT, "the label's name has a control character");
    if (!*name || *name == ' ' || name[strlen(name) - 1] == ' ')
        return nf_fail(err, NERFIT_ARGUMENT,
                       "the label's name is empty, or begins or ends with "
                       "white space");
    NF_TRY(nerfit_corpus_new(&corpus, NULL, NULL, err));
    nerfit_status status = nerfit_corpus_add(corpus, "x", 1, &span, 1, NULL, 0, err);
    nerfit_corpus_free(corpus);
    return status;
}

static bool is_color(const char *color) {
    return strlen(color) == 7 && *color == '#' && strspn(color + 1, "0123456789abcdefABCDEF") == 6;
}

static nerfit_status check_look(const nf_project *p, const char *name, const char *color,
                                const char *shortcut, nerfit_error *err) {
    if (color && *color && !is_color(color))
        return nf_fail(err, NERFIT_ARGUMENT, "\"color\" is not of the form #rrggbb");
    if (!shortcut || !*shortcut) return NERFIT_OK;
    unsigned char c = (unsigned char)*shortcut;
    if (shortcut[1] || c <= ' ' || c >= 127)
        return nf_fail(err, NERFIT_ARGUMENT, "\"shortcut\" is not one letter, digit or sign");
    for (size_t i = 0; i < p->n_labels; i++) {
        const nf_label *other = p->labels[i];
        if (other->shortcut && strcmp(other->shortcut, shortcut) == 0 &&
            strcmp(other->name, name) != 0)
            return nf_fail(err, NERFIT_ARGUMENT, "the shortcut %s is that of \"%s\"", shortcut,
                           other->name);
    }
    return NERFIT_OK;
}

/* `given`, or what was there; "" is nothing. */
static json_t *look(const char *given, const char *before) {
    const char *text = given ? given : before;
    return text && *text ? json_string(text) : json_null();
}

nerfit_status nf_project_set_label(nf_project *p, const char *name, const char *description,
                                   const char *color, const char *shortcut, nerfit_error *err) {
    const nf_label none = {.description = (char *)(uintptr_t) ""};
    const nf_label *before = nf_project_label(p, name);
    if (!before) {
        NF_TRY(check_name(name, err));
        before = &none;
    }
    NF_TRY(check_look(p, name, color, shortcut, err));
    return commit_one(p,
                      json_pack("{s:{s:s, s:s, s:o*, s:o*}}", "label", "name", name, "description",
                                description ? description : before->description, "color",
                                look(color, before->color), "shortcut",
                                look(shortcut, before->shortcut)),
                      err);
}

nerfit_status nf_project_add_labels(nf_project *p, const json_t *names, nerfit_error *err) {
    json_t *list = json_array(), *name;
    nerfit_status status = list ? NERFIT_OK : nf_no_memory(err, 0);
    size_t i;
    json_array_foreach(names, i, name) {
        if (status != NERFIT_OK || nf_project_label(p, json_string_value(name))) continue;
        status = check_name(json_string_value(name), err);
        if (status == NERFIT_OK && json_array_append(list, name) != 0)
            status = nf_no_memory(err, 0);
    }
    if (status == NERFIT_OK && json_array_size(list))
        status = commit_one(p, json_pack("{s:O}", "labels", list), err);
    json_decref(list);
    return status;
}

nerfit_status nf_project_order_labels(nf_project *p, nf_label *const *order, nerfit_error *err) {
    json_t *names = json_array();
    for (size_t i = 0; i < p->n_labels && names; i++)
        if (json_array_append_new(names, json_string(order[i]->name)) != 0) {
            json_decref(names);
            names = NULL;
        }
    return commit_one(p, names ? json_pack("{s:o}", "order", names) : NULL, err);
}

nf_label_effect nf_project_label_effect(const nf_project *p, const nf_label *label,
                                        const nf_label *into) {
    nf_label_effect effect = {0};
    for (size_t i = 0; i < p->n_texts; i++) {
        const nf_marks *marks = &p->texts[i]->marks;
        size_t here = 0;
        for (size_t k = 0; k < marks->count; k++) {
            const nf_mark *mark = &marks->items[k];
            if (mark->label != label) continue;
            here++;
            for (size_t o = 0; o < marks->count && into; o++)
                if (marks->items[o].label == into && marks->items[o].start == mark->start &&
                    marks->items[o].end == mark->end)
                    effect.lost++;
        }
        effect.entities += here;
        effect.texts += here > 0;
    }
    return effect;
}

nf_label_use *nf_project_label_uses(const nf_project *p) {
    nf_label_use *uses = calloc(p->n_labels + 1, sizeof *uses);
    size_t *last = calloc(p->n_labels + 1, sizeof *last); /* text that was counted */
    for (size_t i = 0; i < p->n_texts && uses && last; i++) {
        const nf_item *text = p->texts[i];
        for (size_t k = 0; k < text->marks.count; k++) {
            size_t l = text->marks.items[k].label->place;
            uses[l].entities++;
            uses[l].accepted += text->status == NF_TEXT_ACCEPTED;
            uses[l].texts += last[l] != text->id;
            last[l] = text->id;
        }
    }
    bool made = uses && last;
    free(last);
    if (made) return uses;
    free(uses);
    return NULL;
}

nerfit_status nf_project_rename_label(nf_project *p, nf_label *label, const char *to,
                                      nerfit_error *err) {
    NF_TRY(check_name(to, err));
    return commit_one(p, json_pack("{s:[s, s]}", "renamed", label->name, to), err);
}

nerfit_status nf_project_delete_label(nf_project *p, nf_label *label, nerfit_error *err) {
    return commit_one(p, json_pack("{s:s}", "deleted_label", label->name), err);
}

/* ---------------------------------------------------------------- settings */

nerfit_status nf_project_set(nf_project *p, const char *name, const bool *nested,
                             const char *encoder, nerfit_error *err) {
    if (encoder && !nf_utf8_valid(encoder, strlen(encoder), NULL))
        return nf_fail_at(err, NERFIT_ARGUMENT, encoder, 0, 0, "the path is not valid UTF-8");
    json_t *settings = json_object();
    bool made = settings != NULL;
    if (name) made = made && json_object_set_new(settings, "name", json_string(name)) == 0;
    if (nested) made = made && json_object_set_new(settings, "nested", json_boolean(*nested)) == 0;
    if (encoder) made = made && json_object_set_new(settings, "encoder", json_string(encoder)) == 0;
    json_t *event = made ? json_pack("{s:O}", "project", settings) : NULL;
    json_decref(settings);
    return commit_one(p, event, err);
}
