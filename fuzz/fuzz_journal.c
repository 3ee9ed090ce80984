/* Fuzz target: a project's two files. The input up to the first byte 0x1e is texts.jsonl, what follows is
 * annotations.jsonl. What is opened must hold together, and be the same when it is opened again, also behind a change:
 * what a killed process left half written is gone for good, and nothing else is. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"
#include "serve/project/project.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MARK = 0x1e };

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) abort();                                                                 \
    } while (0)

static void mute(void *user, nerfit_log_level level, const char *message) {
    (void)user, (void)level, (void)message;
}

static char folder[64];

static void remove_folder(void) {
    nf_directory_remove(folder, NULL);
}

static void make_folder(void) {
    strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/nerfit-XXXXXX" : "/tmp/nerfit-XXXXXX");
    REQUIRE(mkdtemp(folder));
    REQUIRE(atexit(remove_folder) == 0);
}

static void write_file(const char *name, const uint8_t *data, size_t size) {
    REQUIRE(nf_lines_save((const char *)data, size, folder, name, NULL) == NERFIT_OK);
}

static bool has_label(const nf_project *p, const nf_label *label) {
    return label->place < p->n_labels && p->labels[label->place] == label;
}

static void check_text(const nf_project *p, const nf_item *text, size_t id) {
    REQUIRE(text->id == id && text->status < NF_TEXT_STATUSES && text->notes && text->file);
    REQUIRE(text->revision && text->revision <= p->revision);
    REQUIRE(text->size == strlen(text->text) && nf_utf8_valid(text->text, text->size, NULL));
    REQUIRE(text->length == nf_utf8_count(text->text, text->size));
    if (text->deleted) REQUIRE(text->marks.count == 0);
    for (size_t i = 0; i < text->marks.count; i++) {
        const nf_mark *m = &text->marks.items[i];
        REQUIRE(m->start < m->end && m->end <= text->length && has_label(p, m->label));
        REQUIRE(i == 0 || m[-1].start <= m->start);
    }
    /* files that no service wrote may have two of the same words, and one of them deleted */
    const nf_item *same = nf_project_same_text(p, text->text, text->size);
    REQUIRE(!same || (!same->deleted && strcmp(same->text, text->text) == 0));
}

/* All that a project is, as text. */
static char *state_of(const nf_project *p) {
    json_t *state = json_array();
    for (size_t i = 0; i < p->n_labels; i++) {
        const nf_label *l = p->labels[i];
        REQUIRE(l->place == i && nf_project_label(p, l->name) == l);
        json_array_append_new(
            state, json_pack("[s, s, s?, s?]", l->name, l->description, l->color, l->shortcut));
    }
    for (size_t i = 0; i < p->n_texts; i++) {
        const nf_item *t = p->texts[i];
        check_text(p, t, i + 1);
        json_array_append_new(state, json_pack("[b, i, I, s, s, o]", t->deleted, t->status,
                                               (json_int_t)t->revision, t->text, t->notes,
                                               nf_marks_json(&t->marks)));
    }
    json_array_append_new(
        state, json_pack("[s, b, I, O]", p->name, p->nested, (json_int_t)p->revision, p->renames));
    char *text = nf_json_text(state, 0);
    json_decref(state);
    REQUIRE(text);
    return text;
}

/* NULL: it was refused. */
static char *open_once(bool change, size_t *n_notices) {
    static const nf_log silent = {mute, NULL};
    nf_project *p;
    nerfit_error error;
    char *state = NULL;
    if (nf_project_open(&p, folder, &silent, &error) == NERFIT_OK) {
        *n_notices = json_array_size(p->notices);
        if (change)
            REQUIRE(nf_project_set_label(p, "a new one", "d", NULL, NULL, NULL) == NERFIT_OK);
        state = state_of(p);
    } else {
        REQUIRE(error.text[0]);
    }
    nf_project_close(p);
    return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!folder[0]) make_folder();
    const uint8_t *mark = memchr(data, MARK, size);
    size_t texts = mark ? (size_t)(mark - data) : size, n_notices;
    write_file("texts.jsonl", data, texts);
    write_file("annotations.jsonl", mark ? mark + 1 : data, mark ? size - texts - 1 : 0);
    char *first = open_once(false, &n_notices);
    for (int i = 0; i < 2 && first; i++) { /* as it is; and behind a change */
        char *changed = i ? open_once(true, &n_notices) : NULL,
             *again = open_once(false, &n_notices);
        REQUIRE(again && n_notices == 0 && strcmp(again, changed ? changed : first) == 0);
        free(changed);
        free(again);
    }
    free(first);
    return 0;
}
