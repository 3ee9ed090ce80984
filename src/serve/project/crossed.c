/* What a training is worth when there are few texts: each part of them is tagged by a model that was trained with
 * the others, so that all are measured, and the model in use has learned from all. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "serve/project/trainer.h"
#include "serve/project/trainer_impl.h"

/* ---------------------------------------------------------------- reports added up */

static json_t *member_of(json_t *object, const char *name) {
    json_t *member = json_object_get(object, name);
    if (member) return member;
    json_object_set_new(object, name, json_object());
    return json_object_get(object, name);
}

/* Counts of entities; precision, recall and F1 of what they are now. */
static void add_counts(json_t *sum, const json_t *counts) {
    static const char *const names[] = {"correct", "predicted", "support"};
    double n[3];
    for (size_t i = 0; i < 3; i++) {
        json_int_t now = json_integer_value(json_object_get(sum, names[i])) +
                         json_integer_value(json_object_get(counts, names[i]));
        json_object_set_new(sum, names[i], json_integer(now));
        n[i] = (double)now;
    }
    json_object_set_new(sum, "precision", json_real(n[1] > 0 ? n[0] / n[1] : 0.0));
    json_object_set_new(sum, "recall", json_real(n[2] > 0 ? n[0] / n[2] : 0.0));
    json_object_set_new(sum, "f1", json_real(n[1] + n[2] > 0 ? 2 * n[0] / (n[1] + n[2]) : 0.0));
}

static const char *type_of(const json_t *types, size_t i) {
    return i < json_array_size(types) ? json_string_value(json_array_get(types, i)) : "";
}

/* The table by names, "" for none: {"person": {"place": 2, "": 1}}. */
static void add_confusion(json_t *sum, const json_t *confusion) {
    const json_t *types = json_object_get(confusion, "types"), *row, *cell;
    size_t i, k;
    json_array_foreach(json_object_get(confusion, "table"), i, row) {
        json_array_foreach(row, k, cell) {
            json_t *counts = member_of(sum, type_of(types, i));
            const char *name = type_of(types, k);
            json_int_t before = json_integer_value(json_object_get(counts, name));
            json_object_set_new(counts, name, json_integer(before + json_integer_value(cell)));
        }
    }
}

/* As a report has it. */
static json_t *table_of(json_t *sum) {
    json_t *types = json_array(), *table = json_array(), *row;
    const char *name;
    void *next;
    json_object_foreach_safe(sum, next, name, row) if (*name)
        json_array_append_new(types, json_string(name));
    for (size_t i = 0; i <= json_array_size(types); i++) {
        const json_t *counts = json_object_get(sum, type_of(types, i));
        json_array_append_new(table, row = json_array());
        for (size_t k = 0; k <= json_array_size(types); k++)
            json_array_append_new(
                row, json_integer(json_integer_value(json_object_get(counts, type_of(types, k)))));
    }
    return json_pack("{s:o, s:o}", "types", types, "table", table);
}

/* A part's mistakes; its first text is that of line `first` + 1. */
static void add_mistakes(json_t *list, const json_t *report, size_t first) {
    size_t i;
    json_t *mistake;
    json_array_foreach(json_object_get(json_object_get(report, "errors"), "list"), i, mistake) {
        json_int_t line = json_integer_value(json_object_get(mistake, "line"));
        json_object_set_new(mistake, "line", json_integer(line + (json_int_t)first));
        json_array_append(list, mistake);
    }
}

/* ---------------------------------------------------------------- the parts */

typedef struct crossing {
    nf_trainer *trainer;
    const json_t *run;
    nf_file all;
    nf_str predictions;
    json_t *micro, *types, *confusion, *mistakes; /* added up */
} crossing;

/* Behind so many lines. */
static const char *skip_lines(const char *at, const char *end, size_t count) {
    while (count && (at = memchr(at, '\n', (size_t)(end - at)))) count--, at++;
    return at ? at : end;
}

/* DIR/runs/NAME/part: the texts from .. to are held out, and learned from are the others. */
static nerfit_status divide(const crossing *c, const char *folder, size_t from, size_t to,
                            nerfit_error *err) {
    const char *all = c->all.data, *end = all + c->all.size;
    const char *begin = skip_lines(all, end, from), *behind = skip_lines(begin, end, to - from);
    nf_str others = {0};
    nf_str_append(&others, all, (size_t)(begin - all));
    nf_str_append(&others, behind, (size_t)(end - behind));
    nerfit_status status =
        others.failed ? nf_no_memory(err, c->all.size) : nf_directory_make(folder, err);
    if (status == NERFIT_OK)
        status = nf_lines_save(nf_str_text(&others), others.length, folder, "train.jsonl", err);
    if (status == NERFIT_OK)
        status = nf_lines_save(begin, (size_t)(behind - begin), folder, "held_out.jsonl", err);
    nf_str_free(&others);
    return status;
}

/* The model's scores were made probabilities by those of models such as the part's, which gets the same. */
static nerfit_status calibrate(const crossing *c, nerfit_error *err) {
    static const char name[] = "calibration";
    nf_str from = nf_trainer_path(c->trainer, c->run, "model/best/nerfit.json");
    nf_str to = nf_trainer_path(c->trainer, c->run, "part/model/best/nerfit.json");
    json_t *model = NULL, *part = NULL;
    nerfit_status status = from.failed || to.failed ? nf_no_memory(err, 0) : NERFIT_OK;
    if (status == NERFIT_OK && nf_file_exists(from.data))
        status = nf_json_load(&model, from.data, err);
    json_t *calibration = json_object_get(model, name);
    if (status == NERFIT_OK && calibration && nf_file_exists(to.data))
        status = nf_json_load(&part, to.data, err);
    else if (status == NERFIT_OK && calibration)
        part = json_pack("{s:O*}", "format", json_object_get(model, "format"));
    if (status == NERFIT_OK && calibration)
        status = json_object_set(part, name, calibration) == 0 ? nf_json_save(part, to.data, err)
                                                               : nf_no_memory(err, 0);
    json_decref(model);
    json_decref(part);
    nf_str_free(&from);
    nf_str_free(&to);
    return status;
}

static nerfit_status collect(crossing *c, const char *folder, size_t first, nerfit_error *err) {
    nf_str report_path = {0}, found_path = {0};
    json_t *page = NULL;
    nf_file found;
    nf_str_appendf(&report_path, "%s/model/report.json", folder);
    nf_str_appendf(&found_path, "%s/predictions.jsonl", folder);
    nerfit_status status = report_path.failed || found_path.failed
                               ? nf_no_memory(err, 0)
                               : nf_json_load(&page, report_path.data, err);
    if (status == NERFIT_OK) status = nf_file_open(&found, found_path.data, err);
    if (status == NERFIT_OK) {
        nf_str_append(&c->predictions, found.data, found.size);
        nf_file_close(&found);
        const json_t *report = json_object_get(page, "report");
        const char *label;
        json_t *counts;
        add_counts(c->micro, json_object_get(report, "micro"));
        json_object_foreach(json_object_get(report, "types"), label, counts)
            add_counts(member_of(c->types, label), counts);
        add_confusion(c->confusion, json_object_get(report, "confusion"));
        add_mistakes(c->mistakes, report, first);
    }
    json_decref(page);
    nf_str_free(&report_path);
    nf_str_free(&found_path);
    return status;
}

static bool begin_part(nf_trainer *t) {
    pthread_mutex_lock(&t->mutex);
    bool wanted = !t->stopping;
    t->part++;
    t->step = 0;
    pthread_mutex_unlock(&t->mutex);
    return wanted;
}

/* Becomes the trainer's message; the exit status. */
static int fail(nf_trainer *t, const nerfit_error *error) {
    pthread_mutex_lock(&t->mutex);
    nf_trainer_tell(t, error->text, strlen(error->text));
    pthread_mutex_unlock(&t->mutex);
    return 1;
}

/* An exit status; with 1 for its own errors, which become the trainer's message. */
static int run_part(crossing *c, size_t from, size_t to) {
    nf_trainer *t = c->trainer;
    nf_str folder = nf_trainer_path(t, c->run, "part");
    nerfit_error error;
    int ended = begin_part(t) ? 0 : -SIGINT;
    nerfit_status status = NERFIT_OK;
    if (!ended)
        status = folder.failed ? nf_no_memory(&error, 0) : divide(c, folder.data, from, to, &error);
    if (!ended && status == NERFIT_OK)
        ended = nf_trainer_run_child(t, c->run, t->crossed, "part/scores.json", "a");
    if (!ended && status == NERFIT_OK) status = calibrate(c, &error);
    if (!ended && status == NERFIT_OK)
        ended = nf_trainer_find_entities(t, c->run, "part/model/best", "part/held_out.jsonl",
                                         "part/predictions.jsonl");
    if (!ended && status == NERFIT_OK) status = collect(c, folder.data, from, &error);
    if (!folder.failed) nf_directory_remove(folder.data, NULL);
    nf_str_free(&folder);
    return status == NERFIT_OK ? ended : fail(t, &error);
}

/* ---------------------------------------------------------------- all of them */

static nerfit_status save(const crossing *c, nerfit_error *err) {
    nf_str folder = nf_trainer_path(c->trainer, c->run, "");
    nf_str path = nf_trainer_path(c->trainer, c->run, "report.json");
    json_t *page =
        json_pack("{s:{s:O, s:O, s:o, s:{s:O}}}", "report", "types", c->types, "micro", c->micro,
                  "confusion", table_of(c->confusion), "errors", "list", c->mistakes);
    nerfit_status status = folder.failed || path.failed || c->predictions.failed || !page
                               ? nf_no_memory(err, 0)
                               : nf_lines_save(nf_str_text(&c->predictions), c->predictions.length,
                                               folder.data, "predictions.jsonl", err);
    if (status == NERFIT_OK) status = nf_json_save(page, path.data, err);
    json_decref(page);
    nf_str_free(&folder);
    nf_str_free(&path);
    return status;
}

int nf_trainer_cross_validate(nf_trainer *t, const json_t *run) {
    crossing c = {.trainer = t,
                  .run = run,
                  .micro = json_object(),
                  .types = json_object(),
                  .confusion = json_object(),
                  .mistakes = json_array()};
    nf_str path = nf_trainer_path(t, run, "all.jsonl");
    const json_t *parts = json_object_get(run, "parts"), *size;
    nerfit_error error;
    size_t i, from = 0;
    int ended = 0;
    nerfit_status status =
        path.failed ? nf_no_memory(&error, 0) : nf_file_open(&c.all, path.data, &error);
    if (status == NERFIT_OK) {
        json_array_foreach(parts, i, size) {
            size_t to = from + (size_t)json_integer_value(size);
            if (!ended) ended = run_part(&c, from, to);
            from = to;
        }
        nf_file_close(&c.all);
        if (!ended) status = save(&c, &error);
    }
    if (status != NERFIT_OK) ended = fail(t, &error);
    nf_str_free(&path);
    nf_str_free(&c.predictions);
    json_decref(c.micro);
    json_decref(c.types);
    json_decref(c.confusion);
    json_decref(c.mistakes);
    return ended;
}
