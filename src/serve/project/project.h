/* A project: texts, labels and annotations, in a folder.
 *
 *     DIR/texts.jsonl        {"revision": 1, "id": 1, "text": "...", "file": "a.jsonl", "line": 3,
 *                             "beside": {...}}
 *     DIR/annotations.jsonl  {"revision": 2, "time": ..., "id": 1, "status": "accepted",
 *                             "entities": [[0, 4, "person"]], "notes": "..."}
 *     DIR/labels.json        made of the latter: label -> description
 *     DIR/runs/0001/         trainings
 *
 * annotations.jsonl is a log of events (events.c has all their kinds), from which the present state is
 * made when the project is opened. Each event has a number, the revision; a text's revision is that of
 * the last event that changed it, and whoever changes it says which one was seen: two people cannot
 * write over each other's work unawares. What changes something checks all it can and gets its memory,
 * then writes the event, then makes the change: a failure leaves everything as it was.
 *
 * All of it is used by one thread at a time: the one of routes that may touch a disk (aside.h). */
#ifndef NF_SERVE_PROJECT_PROJECT_H
#define NF_SERVE_PROJECT_PROJECT_H

#include <stdint.h>

#include "base/hash.h"
#include "base/log.h"
#include "serve/project/journal.h"

typedef struct nf_label {
    char *name, *description, *color, *shortcut; /* the last two may be NULL */
    size_t place;                                /* among the project's labels */
} nf_label;

/* An entity of a text. */
typedef struct nf_mark {
    uint32_t start, end; /* code points */
    const nf_label *label;
} nf_mark;

typedef enum nf_item_status {
    NF_TEXT_OPEN,     /* nobody has decided; may have entities that were imported or are a draft */
    NF_TEXT_ACCEPTED, /* its entities are right */
    NF_TEXT_REJECTED, /* of no use */
    NF_TEXT_SKIPPED,  /* later */
    NF_TEXT_STATUSES
} nf_item_status;
extern const char *const nf_item_status_names[NF_TEXT_STATUSES];
/* A status's name [size] as its number; NF_TEXT_STATUSES: there is none. */
nf_item_status nf_item_status_of(const char *name, size_t size);

typedef struct nf_marks {
    nf_mark *items; /* [count] by start, end, label's name */
    size_t count;
} nf_marks;

typedef struct nf_item {
    size_t id; /* from 1 */
    char *text;
    size_t size, length; /* bytes, code points */
    char *file;          /* it was imported from; "" if none */
    long line;
    json_t *beside; /* other fields that it came with, an object; or NULL */
    uint64_t revision;
    double changed; /* seconds since 1970; 0: never */
    nf_item_status status;
    nf_marks marks;
    char *notes;
    bool deleted;
    UT_hash_handle hh; /* by text */
} nf_item;

typedef struct nf_project {
    char *folder, *name;
    char *encoder; /* whose labels are found by their descriptions, and that is trained; or NULL */
    bool nested;
    int lock;
    nf_journal texts_file, events_file;
    nf_item **texts; /* [n_texts], text by id - 1 */
    size_t n_texts, texts_capacity;
    nf_item *by_text;  /* hash map, of texts that are not deleted */
    nf_label **labels; /* [n_labels] in the order to show */
    size_t n_labels, labels_capacity;
    uint64_t revision, at; /* of the last event; of the one that happens */
    double changed;        /* nf_clock_now of the last change since it was opened */
    uint64_t labels_revision, settings_revision; /* of their last events */
    bool stale;                     /* an event was written that there was no memory to make true */
    json_t *renames;                /* [[revision, from, to], ...] */
    json_t *notices;                /* of opening it: texts */
    json_t *disagreements;          /* findings.c */
    struct nf_trainer *trainer;     /* trainer.h */
    struct nf_suggester *suggester; /* suggester.h */
    nf_log log;
} nf_project;

/* Opens the folder, or makes it. *out also receives a project that failed, to be closed. */
nerfit_status nf_project_open(nf_project **out, const char *folder, const nf_log *log,
                              nerfit_error *err);
void nf_project_close(nf_project *project);

/* NULL: there is none. */
nf_item *nf_project_text(const nf_project *project, size_t id);
nf_item *nf_project_same_text(const nf_project *project, const char *text, size_t size);
nf_label *nf_project_label(const nf_project *project, const char *name);
/* What a label that had this name at a revision is now; NULL: it is gone. */
nf_label *nf_project_label_since(const nf_project *project, const char *name, uint64_t revision);
/* One whose entities are learned from. */
bool nf_item_is_accepted(const nf_item *text);
size_t nf_project_count_accepted(const nf_project *project);
/* NULL is fine. */
void nf_item_free(nf_item *text);
void nf_label_free(nf_label *label);

/* ---- events.c: what changes something */

typedef struct nf_new_text {
    const char *text;
    size_t size;
    const char *file;
    long line;
    json_t *beside; /* an object, or NULL; the caller's */
} nf_new_text;
/* Adds texts that are not there yet; ids [count] receives those of all, the ones that are there
 * included. */
nerfit_status nf_project_add(nf_project *project, const nf_new_text *texts, size_t count,
                             size_t *ids, size_t *added, nerfit_error *err);
/* What becomes of a text. */
typedef struct nf_decision {
    nf_item *text;
    nf_item_status status;
    nf_marks marks;         /* as nf_marks_check leaves them; they stay the caller's */
    const char *notes, *by; /* by may be NULL */
} nf_decision;
/* Several texts in one event's place: all or none. Those that stay as they are get no revision. */
nerfit_status nf_project_decide(nf_project *project, nf_decision *decisions, size_t count,
                                nerfit_error *err);
nerfit_status nf_project_delete_text(nf_project *project, nf_item *text, nerfit_error *err);
/* Adds a label, or changes one; NULL: that stays (description of a new one: ""); "": no color, no
 * shortcut. */
nerfit_status nf_project_set_label(nf_project *project, const char *name, const char *description,
                                   const char *color, const char *shortcut, nerfit_error *err);
/* Several labels without descriptions, in one event's place; those that are there stay. `names`: texts. */
nerfit_status nf_project_add_labels(nf_project *project, const json_t *names, nerfit_error *err);
/* `order` [n_labels]: the present labels. */
nerfit_status nf_project_order_labels(nf_project *project, nf_label *const *order,
                                      nerfit_error *err);
/* What a change of a label comes to. */
typedef struct nf_label_effect {
    size_t entities, texts, lost; /* lost: entities that equal others afterwards */
} nf_label_effect;
nf_label_effect nf_project_label_effect(const nf_project *project, const nf_label *label,
                                        const nf_label *into);
/* How often a label is used. */
typedef struct nf_label_use {
    size_t entities, texts, accepted; /* accepted: entities of texts that are */
} nf_label_use;
/* Of all labels [n_labels]; NULL: out of memory. */
nf_label_use *nf_project_label_uses(const nf_project *project);
/* Renames; to the name of another label: makes one of both. */
nerfit_status nf_project_rename_label(nf_project *project, nf_label *label, const char *to,
                                      nerfit_error *err);
/* With its entities. */
nerfit_status nf_project_delete_label(nf_project *project, nf_label *label, nerfit_error *err);
/* Writes labels.json into a folder: {label: description}; a label without one is described by its name. */
nerfit_status nf_labels_save(const nf_project *project, const char *folder, nerfit_error *err);
/* NULL: that stays. */
nerfit_status nf_project_set(nf_project *project, const char *name, const bool *nested,
                             const char *encoder, nerfit_error *err);
/* An event of annotations.jsonl, when the project is opened. */
nerfit_status nf_project_replay(void *project, const json_t *line, long number, nerfit_error *err);
nerfit_status nf_project_replay_text(void *project, const json_t *line, long number,
                                     nerfit_error *err);

/* ---- exchange.c */

/* Texts of a status (NF_TEXT_STATUSES: all) as the library has them; a text's number is its line. */
nerfit_status nf_project_corpus(nerfit_corpus **corpus, const nf_project *project,
                                nf_item_status only, nerfit_error *err);

/* ---- marks.c */

/* Sorts, and says what is wrong with entities of a text: outside of it, white space at the edge, twice,
 * or (unless nested) over each other. */
nerfit_status nf_marks_check(nf_marks *marks, const nf_item *text, bool nested, nerfit_error *err);
bool nf_marks_same(const nf_marks *a, const nf_marks *b);
bool nf_marks_overlap(const nf_marks *marks);
/* Puts one label in the place of another (NULL: takes its entities away); of equal ones one stays. */
void nf_marks_relabel(nf_marks *marks, const nf_label *from, const nf_label *to);
void nf_marks_sort(nf_marks *marks);
/* [[start, end, "label"], ...] */
json_t *nf_marks_json(const nf_marks *marks);
/* An entity as files have it, [start, end, "label"], or {"start", "end", "label"}. */
typedef struct nf_given_mark {
    bool has_place; /* start and end are whole numbers; else both are -1 */
    json_int_t start, end;
    const char *label; /* the value's; NULL: it has none */
} nf_given_mark;
nf_given_mark nf_given_mark_of(const json_t *given);

#endif
