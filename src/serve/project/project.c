#include "serve/project/project.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"

const char *const nf_item_status_names[NF_TEXT_STATUSES] = {"open", "accepted", "rejected",
                                                            "skipped"};

nf_item_status nf_item_status_of(const char *name, size_t size) {
    for (int i = 0; i < NF_TEXT_STATUSES; i++)
        if (strlen(nf_item_status_names[i]) == size &&
            memcmp(nf_item_status_names[i], name, size) == 0)
            return (nf_item_status)i;
    return NF_TEXT_STATUSES;
}

bool nf_item_is_accepted(const nf_item *text) {
    return !text->deleted && text->status == NF_TEXT_ACCEPTED;
}

size_t nf_project_count_accepted(const nf_project *p) {
    size_t count = 0;
    for (size_t i = 0; i < p->n_texts; i++) count += nf_item_is_accepted(p->texts[i]);
    return count;
}

nf_item *nf_project_text(const nf_project *p, size_t id) {
    nf_item *text = id && id <= p->n_texts ? p->texts[id - 1] : NULL;
    return text && !text->deleted ? text : NULL;
}

nf_item *nf_project_same_text(const nf_project *p, const char *text, size_t size) {
    nf_item *found;
    HASH_FIND(hh, p->by_text, text, size, found);
    return found;
}

nf_label *nf_project_label(const nf_project *p, const char *name) {
    for (size_t i = 0; i < p->n_labels; i++)
        if (strcmp(p->labels[i]->name, name) == 0) return p->labels[i];
    return NULL;
}

nf_label *nf_project_label_since(const nf_project *p, const char *name, uint64_t revision) {
    size_t i;
    const json_t *rename;
    json_array_foreach(p->renames, i, rename) {
        const char *from = json_string_value(json_array_get(rename, 1));
        if ((uint64_t)json_integer_value(json_array_get(rename, 0)) > revision &&
            strcmp(from, name) == 0)
            name = json_string_value(json_array_get(rename, 2));
    }
    return nf_project_label(p, name);
}

/* ---------------------------------------------------------------- opening */

/* The folder's own name, to call the project by until somebody calls it otherwise. */
static char *name_of(const char *folder) {
    const char *end = folder + strlen(folder);
    while (end > folder + 1 && end[-1] == '/') end--;
    const char *begin = end;
    while (begin > folder && begin[-1] != '/') begin--;
    return strndup(begin, (size_t)(end - begin));
}

static nerfit_status tell_torn(nf_project *p, const char *file, size_t torn, nerfit_error *err) {
    if (!torn) return NERFIT_OK;
    json_t *notice = json_sprintf("%s: the last line was incomplete (%zu bytes, of a process that "
                                  "was killed while it wrote), and has been dropped",
                                  file, torn);
    if (!notice || json_array_append_new(p->notices, notice) != 0) return nf_no_memory(err, 0);
    nf_log_warning(&p->log, "%s", json_string_value(notice));
    return NERFIT_OK;
}

static nerfit_status open_folder(nf_project *p, const char *folder, nerfit_error *err) {
    bool held;
    NF_TRY(nf_directory_make(folder, err));
    if (!(p->folder = realpath(folder, NULL)))
        return nf_fail_at(err, NERFIT_IO, folder, 0, 0, "cannot be opened: %s", strerror(errno));
    if (!nf_utf8_valid(p->folder, strlen(p->folder), NULL))
        return nf_fail_at(err, NERFIT_ARGUMENT, p->folder, 0, 0,
                          "the path is not valid UTF-8, as answers in JSON have it");
    if (!(p->name = name_of(p->folder)) || !(p->notices = json_array()) ||
        !(p->renames = json_array()))
        return nf_no_memory(err, 0);
    NF_TRY(nf_directory_lock(p->folder, &p->lock, &held, err));
    if (!held)
        return nf_fail_at(err, NERFIT_IO, p->folder, 0, 0,
                          "another service works in this project; end that one first");
    return nf_directory_remove_unfinished(p->folder, err);
}

nerfit_status nf_project_open(nf_project **out, const char *folder, const nf_log *log,
                              nerfit_error *err) {
    nf_project *p = *out = calloc(1, sizeof *p);
    size_t torn_texts, torn_events;
    if (!p) return nf_no_memory(err, sizeof *p);
    p->lock = p->texts_file.fd = p->events_file.fd = -1;
    p->log = *log;
    NF_TRY(open_folder(p, folder, err));
    NF_TRY(nf_journal_open(&p->texts_file, p->folder, "texts.jsonl", nf_project_replay_text, p,
                           &torn_texts, err));
    NF_TRY(nf_journal_open(&p->events_file, p->folder, "annotations.jsonl", nf_project_replay, p,
                           &torn_events, err));
    NF_TRY(tell_torn(p, "texts.jsonl", torn_texts, err));
    NF_TRY(tell_torn(p, "annotations.jsonl", torn_events, err));
    nf_log_info(log, "%s: %zu texts, %zu labels", p->folder, p->n_texts, p->n_labels);
    return nf_labels_save(p, p->folder, err);
}

void nf_item_free(nf_item *text) {
    if (!text) return;
    free(text->text);
    free(text->file);
    free(text->marks.items);
    free(text->notes);
    json_decref(text->beside);
    free(text);
}

void nf_label_free(nf_label *label) {
    if (!label) return;
    free(label->name);
    free(label->description);
    free(label->color);
    free(label->shortcut);
    free(label);
}

void nf_project_close(nf_project *p) {
    if (!p) return;
    HASH_CLEAR(hh, p->by_text);
    for (size_t i = 0; i < p->n_texts; i++) nf_item_free(p->texts[i]);
    for (size_t i = 0; i < p->n_labels; i++) nf_label_free(p->labels[i]);
    free(p->texts);
    free(p->labels);
    nf_journal_close(&p->texts_file);
    nf_journal_close(&p->events_file);
    nf_directory_unlock(p->lock);
    json_decref(p->notices);
    json_decref(p->disagreements);
    json_decref(p->renames);
    free(p->folder);
    free(p->name);
    free(p->encoder);
    free(p);
}
