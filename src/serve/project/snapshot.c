#include "serve/project/snapshot.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/file.h"

/* Up to so many texts are measured by cross-validation, beyond with this part of them. */
enum { MOST_CROSSED = 100, SHARE = 5 };

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

static int by_rank(const void *left, const void *right) {
    uint32_t a = rank_of(*(nf_item *const *)left), b = rank_of(*(nf_item *const *)right);
    return a < b ? -1 : a > b;
}

/* The accepted texts by their ranks. Few are divided into parts, for a cross-validation; of many the first fifth, of
 * the same texts at all times, is held out. */
typedef struct division {
    nf_item **texts;
    size_t count, entities;
    size_t parts[NF_FOLDS], n_parts; /* sizes; n_parts 0: no cross-validation */
    size_t held_out;
    nf_str all;           /* lines */
    size_t held_out_size; /* of the first ones, in bytes */
} division;

static size_t count_entities(const division *d, size_t from, size_t to) {
    size_t count = 0;
    for (size_t i = from; i < to; i++) count += d->texts[i]->marks.count;
    return count;
}

/* Whether there is something to learn beside each part. */
static bool cut_parts(division *d) {
    if (d->count < NF_LEAST_MEASURED || d->count > MOST_CROSSED) return false;
    for (size_t i = 0, from = 0; i < NF_FOLDS; i++) {
        size_t to = d->count * (i + 1) / NF_FOLDS;
        d->parts[i] = to - from;
        if (count_entities(d, from, to) == d->entities) return false;
        from = to;
    }
    return true;
}

static size_t count_held_out(const division *d) {
    size_t count = 0;
    if (d->count < NF_LEAST_MEASURED) return 0;
    while (count < d->count && rank_of(d->texts[count]) < UINT32_MAX / SHARE) count++;
    return count ? count : 1;
}

static bool divide(division *d, const nf_project *p) {
    if (!(d->texts = calloc(p->n_texts + 1, sizeof *d->texts))) return false;
    for (size_t i = 0; i < p->n_texts; i++)
        if (nf_item_is_accepted(p->texts[i])) d->texts[d->count++] = p->texts[i];
    if (d->count) qsort(d->texts, d->count, sizeof *d->texts, by_rank);
    d->entities = count_entities(d, 0, d->count);
    d->n_parts = cut_parts(d) ? NF_FOLDS : 0;
    d->held_out = d->n_parts ? 0 : count_held_out(d);
    for (size_t i = 0; i < d->count; i++) {
        nf_item_line(&d->all, d->texts[i], true);
        if (i + 1 == d->held_out) d->held_out_size = d->all.length;
    }
    return !d->all.failed;
}

static nerfit_status save(const division *d, const nf_project *p, const char *folder,
                          nerfit_error *err) {
    const char *all = nf_str_text(&d->all);
    size_t held_out = d->held_out_size;
    NF_TRY(nf_directory_make(folder, err));
    NF_TRY(nf_lines_save(all, d->all.length, folder, "all.jsonl", err));
    NF_TRY(nf_lines_save(all + held_out, d->all.length - held_out, folder, "train.jsonl", err));
    if (held_out) NF_TRY(nf_lines_save(all, held_out, folder, "held_out.jsonl", err));
    return nf_labels_save(p, folder, err);
}

static json_t *numbers_of(const division *d, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer((json_int_t)d->texts[i]->id));
    return list;
}

static nerfit_status record(const division *d, const nf_project *p, json_t *run,
                            nerfit_error *err) {
    json_t *parts = json_array();
    for (size_t i = 0; i < d->n_parts; i++)
        json_array_append_new(parts, json_integer((json_int_t)d->parts[i]));
    json_t *members = json_pack("{s:o, s:o, s:o, s:I, s:I, s:I}", "texts", numbers_of(d, d->count),
                                "held_out", numbers_of(d, d->n_parts ? d->count : d->held_out),
                                "parts", parts, "annotations", (json_int_t)d->count, "entities",
                                (json_int_t)d->entities, "revision", (json_int_t)p->revision);
    bool made = members && json_object_update(run, members) == 0;
    json_decref(members);
    return made ? NERFIT_OK : nf_no_memory(err, 0);
}

nerfit_status nf_snapshot_write(const nf_project *p, const char *folder, json_t *run,
                                nerfit_error *err) {
    division d = {0};
    nerfit_status status = divide(&d, p) ? NERFIT_OK : nf_no_memory(err, d.all.length);
    if (status == NERFIT_OK && !count_entities(&d, d.held_out, d.count))
        status =
            nf_fail(err, NERFIT_ARGUMENT,
                    "there is nothing to learn from yet: expected accepted texts with "
                    "entities, and found %zu texts with %zu%s",
                    d.count, d.entities,
                    d.entities ? ", all of them in texts that are held out to measure with" : "");
    if (status == NERFIT_OK) status = save(&d, p, folder, err);
    if (status == NERFIT_OK) status = record(&d, p, run, err);
    nf_str_free(&d.all);
    free(d.texts);
    return status;
}
