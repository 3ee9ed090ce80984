/* The analysis as text and as JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "eval/analysis.h"

static int width_of(const char *text) {
    return (int)nf_utf8_count(text, strlen(text));
}

/* ---------------------------------------------------------------- scores */

void nf_analysis_scores_text(nf_analysis *a, nf_str *out) {
    nf_reliability r;
    nf_threshold_score rows[NF_THRESHOLDS];
    if (!a->n_scored) return;
    nf_reliability_measure(&r, a->scored, a->n_scored);
    nf_threshold_table(rows, a->scored, a->n_scored, a->n_gold);
    nf_threshold_score best = nf_threshold_best(a->scored, a->n_scored, a->n_gold);
    nf_str_appendf(
        out,
        "Scores of %zu entities: mean %.3f, %.3f of them are right; expected calibration "
        "error %.4f\n(%zu bins of equal mass).\n\n",
        r.count, r.score, r.precision, r.error, r.n_bins);
    nf_str_append_text(out, "threshold  entities  precision    recall        F1\n");
    for (size_t i = 0; i < NF_THRESHOLDS; i++) {
        nf_str_appendf(out, "%9.2f %9zu ", rows[i].threshold, rows[i].predicted);
        if (rows[i].predicted)
            nf_str_appendf(out, "%10.4f", rows[i].precision);
        else
            nf_str_appendf(out, "%10s", "-"); /* of nothing */
        nf_str_appendf(out, " %9.4f %9.4f\n", rows[i].recall, rows[i].f1);
    }
    nf_str_appendf(out, "\nThe best F1 on these texts, %.4f, is at threshold %.4f.\n", best.f1,
                   best.threshold);
}

/* ---------------------------------------------------------------- confusion */

enum { MOST_COLUMNS = 12 };

/* Mistakes in which a type has a part. */
static size_t mistakes_of(const nf_confusion *c, size_t type) {
    size_t sum = 0;
    for (size_t other = 0; other <= c->n_types; other++)
        if (other != type) sum += nf_confusion_at(c, type, other) + nf_confusion_at(c, other, type);
    return sum;
}

/* Leaves the types with the most mistakes, in their order; returns how many. */
static size_t choose_types(const nf_confusion *c, size_t *order) {
    size_t n = c->n_types;
    while (n > MOST_COLUMNS) {
        size_t least = 0;
        for (size_t i = 1; i < n; i++)
            if (mistakes_of(c, order[i]) <= mistakes_of(c, order[least])) least = i;
        memmove(order + least, order + least + 1, (n-- - least - 1) * sizeof *order);
    }
    return n;
}

/* The types of the entities that were added, by name; NULL: out of memory. */
static size_t *sorted_types(const nf_analysis *a) {
    size_t *order = nf_malloc((a->types.count + 1) * sizeof *order), n = 0;
    if (!order) return NULL;
    nf_type_names_sort(&a->types, order);
    for (size_t i = 0; i < a->types.count; i++)
        if (order[i] < a->confusion.n_types) order[n++] = order[i];
    order[n] = n; /* none */
    return order;
}

static const char *type_name(const nf_analysis *a, size_t type) {
    return type == a->confusion.n_types ? "(none)" : a->types.names[type];
}

static void confusion_row(const nf_analysis *a, const size_t *columns, size_t n, size_t row,
                          int name_width, int cell_width, nf_str *out) {
    const nf_confusion *c = &a->confusion;
    size_t type = columns[row];
    const char *name = type_name(a, type);
    nf_str_appendf(out, "%2zu %s%*s", row + 1, name, name_width - width_of(name), "");
    for (size_t i = 0; i < n; i++) {
        size_t count = nf_confusion_at(c, type, columns[i]);
        if (type == c->n_types && columns[i] == type)
            break; /* nothing cannot be taken for nothing */
        if (count)
            nf_str_appendf(out, " %*zu", cell_width, count);
        else
            nf_str_appendf(out, " %*s", cell_width, ".");
    }
    nf_str_append_char(out, '\n');
}

static void confusion_text(const nf_analysis *a, nf_str *out) {
    const nf_confusion *c = &a->confusion;
    size_t *columns = sorted_types(a), most = 0;
    if (!columns) {
        out->failed = true;
        return;
    }
    size_t n = choose_types(c, columns);
    columns[n++] = c->n_types;
    int name_width = 0, cell_width = 2;
    for (size_t i = 0; i < n; i++) {
        int width = width_of(type_name(a, columns[i]));
        if (width > name_width) name_width = width;
        for (size_t k = 0; k < n; k++)
            if (nf_confusion_at(c, columns[i], columns[k]) > most)
                most = nf_confusion_at(c, columns[i], columns[k]);
    }
    for (; most >= 100; most /= 10) cell_width++;
    nf_str_append_text(out, "Which types were taken for which (rows: annotated, columns: found)");
    if (n <= c->n_types)
        nf_str_appendf(out, ",\nof %zu types the %d with the most mistakes", c->n_types,
                       MOST_COLUMNS);
    nf_str_appendf(out, ":\n\n%*s", name_width + 3, "");
    for (size_t i = 0; i < n; i++) nf_str_appendf(out, " %*zu", cell_width, i + 1);
    nf_str_append_char(out, '\n');
    for (size_t i = 0; i < n; i++) confusion_row(a, columns, n, i, name_width, cell_width, out);
    free(columns);
}

/* ---------------------------------------------------------------- all as text */

static void semeval_text(const nf_semeval *s, nf_str *out) {
    nf_str_append_text(out,
                       "SemEval'13   correct incorrect   partial    missed  spurious precision "
                       "   recall        F1\n");
    for (nf_semeval_measure m = 0; m < NF_SEMEVAL_MEASURES; m++) {
        const nf_semeval_score *x = &s->overall[m];
        nf_str_appendf(out, "%-10s %9zu %9zu %9zu %9zu %9zu %9.4f %9.4f %9.4f\n",
                       nf_semeval_name(m), x->correct, x->incorrect, x->partial, x->missed,
                       x->spurious, x->precision, x->recall, x->f1);
    }
}

void nf_analysis_text(const nf_analysis *a, nf_str *out) {
    nf_str_appendf(out, "Mistakes in %zu of %zu texts:", a->n_wrong_texts, a->n_texts);
    for (nf_match_kind kind = 0; kind < NF_CORRECT; kind++)
        nf_str_appendf(out, "%s %zu %s", kind ? "," : "", a->counts[kind], nf_match_name(kind));
    nf_str_appendf(out, "; %zu correct.\n\n", a->counts[NF_CORRECT]);
    confusion_text(a, out);
    nf_str_append_char(out, '\n');
    semeval_text(&a->semeval, out);
}

/* ---------------------------------------------------------------- JSON */

static json_t *semeval_scores(const nf_semeval_score *scores) {
    json_t *out = json_object();
    for (nf_semeval_measure m = 0; m < NF_SEMEVAL_MEASURES && out; m++) {
        const nf_semeval_score *s = &scores[m];
        json_t *one = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "correct",
                                (json_int_t)s->correct, "incorrect", (json_int_t)s->incorrect,
                                "partial", (json_int_t)s->partial, "missed", (json_int_t)s->missed,
                                "spurious", (json_int_t)s->spurious, "possible",
                                (json_int_t)s->possible, "actual", (json_int_t)s->actual,
                                "precision", s->precision, "recall", s->recall, "f1", s->f1);
        if (json_object_set_new(out, nf_semeval_name(m), one) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *semeval_json(const nf_analysis *a) {
    const nf_semeval *s = &a->semeval;
    size_t *order = sorted_types(a);
    json_t *types = json_object();
    int failed = !types || !order;
    for (size_t i = 0; i < s->n_types && !failed; i++)
        failed = json_object_set_new(types, a->types.names[order[i]],
                                     semeval_scores(s->types[order[i]].scores));
    free(order);
    json_t *overall = failed ? NULL : semeval_scores(s->overall);
    if (overall) return json_pack("{s:o, s:o}", "overall", overall, "types", types);
    json_decref(types);
    return NULL;
}

static json_t *confusion_json(const nf_analysis *a) {
    const nf_confusion *c = &a->confusion;
    size_t n = c->n_types, *order = sorted_types(a);
    json_t *labels = json_array(), *table = json_array();
    int failed = !order || !labels || !table;
    for (size_t i = 0; i <= n && !failed; i++) {
        json_t *row = json_array();
        if (i < n) failed |= json_array_append_new(labels, json_string(a->types.names[order[i]]));
        failed |= json_array_append_new(table, row);
        for (size_t k = 0; k <= n && !failed; k++)
            failed |= json_array_append_new(
                row, json_integer((json_int_t)nf_confusion_at(c, order[i], order[k])));
    }
    free(order);
    if (!failed) return json_pack("{s:o, s:o}", "types", labels, "table", table);
    json_decref(labels);
    json_decref(table);
    return NULL;
}

/* {"start", "end", "label", "text", "score"}, or null. */
static json_t *entity_json(const nf_analysis *a, const nf_shown_entity *shown, const char *text) {
    const nf_entity *e = &shown->entity;
    if (e->type < 0) return json_null();
    json_t *out = json_pack("{s:I, s:I, s:s, s:s%}", "start", (json_int_t)e->start, "end",
                            (json_int_t)e->end, "label", a->types.names[e->type], "text",
                            text + shown->byte_start, shown->byte_end - shown->byte_start);
    if (out && e->score >= 0 && json_object_set_new(out, "score", json_real(e->score)) != 0) {
        json_decref(out);
        return NULL;
    }
    return out;
}

static json_t *mistakes_json(const nf_analysis *a) {
    json_t *list = json_array();
    for (size_t i = 0; i < a->n_mistakes && list; i++) {
        const nf_mistake *m = &a->mistakes[i];
        json_t *gold = entity_json(a, &m->gold, m->text),
               *found = entity_json(a, &m->predicted, m->text);
        json_t *one = json_pack("{s:s, s:s?, s:I, s:s%, s:o, s:o}", "kind", nf_match_name(m->kind),
                                "file", m->file, "line", (json_int_t)m->line, "text", m->text,
                                m->text_size, "gold", gold, "predicted", found);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *errors_json(const nf_analysis *a) {
    json_t *list = mistakes_json(a);
    json_t *out = list ? json_pack("{s:I, s:I}", "texts", (json_int_t)a->n_texts, "wrong_texts",
                                   (json_int_t)a->n_wrong_texts)
                       : NULL;
    int failed = !out;
    for (nf_match_kind kind = 0; kind < NF_MATCH_KINDS && !failed; kind++) {
        char name[32];
        snprintf(name, sizeof name, "%s", nf_match_name(kind));
        for (char *at = name; (at = strchr(at, ' '));) *at = '_';
        failed |= json_object_set_new(out, name, json_integer((json_int_t)a->counts[kind]));
    }
    if (!failed && json_object_set(out, "list", list) == 0) {
        json_decref(list);
        return out;
    }
    json_decref(list);
    json_decref(out);
    return NULL;
}

static json_t *calibration_json(const nf_reliability *r) {
    json_t *bins = json_array();
    int failed = !bins;
    for (size_t i = 0; i < r->n_bins && !failed; i++) {
        const nf_reliability_bin *b = &r->bins[i];
        failed |=
            json_array_append_new(bins, json_pack("{s:f, s:f, s:I, s:f, s:f}", "least", b->least,
                                                  "most", b->most, "count", (json_int_t)b->count,
                                                  "score", b->score, "precision", b->precision));
    }
    if (!failed)
        return json_pack("{s:f, s:f, s:f, s:f, s:I, s:o}", "error", r->error, "score", r->score,
                         "precision", r->precision, "brier", r->brier, "entities",
                         (json_int_t)r->count, "bins", bins);
    json_decref(bins);
    return NULL;
}

static json_t *threshold_json(const nf_threshold_score *s) {
    return json_pack("{s:f, s:I, s:I, s:f, s:f, s:f}", "threshold", s->threshold, "predicted",
                     (json_int_t)s->predicted, "correct", (json_int_t)s->correct, "precision",
                     s->precision, "recall", s->recall, "f1", s->f1);
}

static int add_scores(nf_analysis *a, json_t *report) {
    nf_reliability r;
    nf_threshold_score rows[NF_THRESHOLDS];
    nf_reliability_measure(&r, a->scored, a->n_scored);
    nf_threshold_table(rows, a->scored, a->n_scored, a->n_gold);
    nf_threshold_score best = nf_threshold_best(a->scored, a->n_scored, a->n_gold);
    json_t *table = json_array();
    int failed = json_object_set_new(report, "calibration", calibration_json(&r));
    failed |= json_object_set_new(report, "thresholds", table);
    for (size_t i = 0; i < NF_THRESHOLDS && !failed; i++)
        failed |= json_array_append_new(table, threshold_json(&rows[i]));
    return failed || json_object_set_new(report, "best_threshold", threshold_json(&best));
}

nerfit_status nf_analysis_json(nf_analysis *a, json_t *report, nerfit_error *err) {
    int failed = json_object_set_new(report, "semeval", semeval_json(a));
    failed |= json_object_set_new(report, "confusion", confusion_json(a));
    failed |= json_object_set_new(report, "errors", errors_json(a));
    if (a->n_scored) failed |= add_scores(a, report);
    return failed ? nf_no_memory(err, 0) : NERFIT_OK;
}
