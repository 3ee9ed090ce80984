#include "serve/project/snapshot.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"

/* Below so many accepted texts all are learned from. */
enum { LEAST_TEXTS = 5, PARTS = 5 };

void nf_item_line(nf_str *lines, const nf_item *text, bool with_id) {
    json_t *line = json_pack("{s:s%, s:o*}", "text", text->text, text->size, "entities",
                             nf_marks_json(&text->marks));
    if (line && with_id)
        json_object_set_new(line, "id", json_integer((json_int_t)text->id));
    else if (line && text->beside)
        json_object_update_missing(line, text->beside);
    nf_lines_append(lines, line);
    json_decref(line);
}

/* A number that looks drawn, the same for a text at all times (Knuth, TAOCP 3, 6.4). */
static uint32_t rank_of(const nf_item *text) {
    return (uint32_t)text->id * UINT32_C(2654435761);
}

/* Ranks below this are held out: that of a fifth, but at least one text. */
static uint64_t limit_of(const nf_project *p, size_t count) {
    uint64_t limit = (UINT64_C(1) << 32) / PARTS, least = UINT64_MAX;
    if (count < LEAST_TEXTS) return 0;
    for (size_t i = 0; i < p->n_texts; i++)
        if (nf_item_is_accepted(p->texts[i]) && rank_of(p->texts[i]) < least)
            least = rank_of(p->texts[i]);
    return least < limit ? limit : least + 1;
}

/* What becomes of the texts; all are lists of numbers. */
typedef struct division {
    nf_str all, train, held_out; /* lines */
    json_t *texts, *held;
    size_t entities, to_learn; /* to_learn: entities of those that are not held out */
} division;

static bool divide(division *d, const nf_project *p, uint64_t limit) {
    d->texts = json_array();
    d->held = json_array();
    for (size_t i = 0; i < p->n_texts; i++) {
        const nf_item *text = p->texts[i];
        if (!nf_item_is_accepted(text)) continue;
        bool held = rank_of(text) < limit;
        size_t before = d->all.length;
        nf_item_line(&d->all, text, true);
        nf_str_append(held ? &d->held_out : &d->train, nf_str_text(&d->all) + before,
                      d->all.length - before);
        d->entities += text->marks.count;
        if (!held) d->to_learn += text->marks.count;
        if (json_array_append_new(d->texts, json_integer((json_int_t)text->id)) != 0 ||
            (held && json_array_append_new(d->held, json_integer((json_int_t)text->id)) != 0))
            return false;
    }
    return true;
}

static nerfit_status save(const division *d, const nf_project *p, const char *folder,
                          nerfit_error *err) {
    NF_TRY(nf_directory_make(folder, err));
    NF_TRY(nf_lines_save(&d->all, folder, "all.jsonl", err));
    NF_TRY(nf_lines_save(&d->train, folder, "train.jsonl", err));
    if (d->held_out.length) NF_TRY(nf_lines_save(&d->held_out, folder, "held_out.jsonl", err));
    return nf_labels_save(p, folder, err);
}

nerfit_status nf_snapshot_write(const nf_project *p, const char *folder, json_t *run,
                                nerfit_error *err) {
    division d = {0};
    size_t count = nf_project_count_accepted(p);
    nerfit_status status;
    bool made = divide(&d, p, limit_of(p, count));
    if (made && !d.to_learn)
        status =
            nf_fail(err, NERFIT_ARGUMENT,
                    "there is nothing to learn from yet: expected accepted texts with "
                    "entities, and found %zu texts with %zu%s",
                    count, d.entities,
                    d.entities ? ", all of them in texts that are held out to measure with" : "");
    else if (made)
        status = save(&d, p, folder, err);
    else
        status = nf_no_memory(err, 0);
    if (status == NERFIT_OK &&
        (json_object_set(run, "texts", d.texts) != 0 ||
         json_object_set(run, "held_out", d.held) != 0 ||
         json_object_set_new(run, "annotations", json_integer((json_int_t)count)) != 0 ||
         json_object_set_new(run, "entities", json_integer((json_int_t)d.entities)) != 0 ||
         json_object_set_new(run, "revision", json_integer((json_int_t)p->revision)) != 0))
        status = nf_no_memory(err, 0);
    nf_str_free(&d.all);
    nf_str_free(&d.train);
    nf_str_free(&d.held_out);
    json_decref(d.texts);
    json_decref(d.held);
    return status;
}
