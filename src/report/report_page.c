#include "report/report_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/entity_look.h"
#include "base/json.h"
#include "base/number.h"
#include "report/plot.h"
#include "report/report_page_parts.h"

static const char HEAD[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>nerfit: ";
static const char STYLE[] =
    "</title>\n<style>\n"
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1c2024;--muted:#60646c;--line:#d9dce0;"
    "--card:#f6f7f9;--p:#0072b2;--r:#d98200;--f:#009e73}\n"
    "@media (prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e6e8ea;--muted:#9ba1a8;"
    "--line:#33383e;--card:#1d2125;--p:#56b4e9;--r:#e6a93c;--f:#2fbf92}}\n"
    "*{box-sizing:border-box}body{background:var(--bg);color:var(--fg);margin:0 auto;"
    "max-width:72rem;padding:2rem 1.25rem 5rem;font:15px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.2rem;margin:2.75rem 0 .75rem}"
    "p{margin:.25rem 0 .75rem}.muted{color:var(--muted)}code{font-size:.92em}\n"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.4rem,1fr));gap:.75rem;"
    "margin:1.5rem 0}.card{background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:.7rem .9rem}.card b{display:block;font-size:1.5rem;line-height:1.25;"
    "font-variant-numeric:tabular-nums}.card span{color:var(--muted);font-size:.85rem}\n"
    ".plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(27rem,100%),1fr));"
    "gap:1rem}.plots>*{background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:.75rem}svg{display:block;width:100%;height:auto;fill:var(--fg)}"
    "svg [stroke=\"#ddd\"]{stroke:var(--line)}svg [stroke=\"#444\"]{stroke:var(--muted)}"
    "svg [stroke=\"#0072b2\"]{stroke:var(--p)}svg [fill=\"#0072b2\"]{fill:var(--p)}"
    "svg [stroke=\"#d55e00\"]{stroke:var(--r)}svg [fill=\"#d55e00\"]{fill:var(--r)}"
    "svg [stroke=\"#009e73\"]{stroke:var(--f)}svg [fill=\"#009e73\"]{fill:var(--f)}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--line)}"
    "th{font-weight:600;color:var(--muted);font-size:.85rem}"
    "th:first-child,td:first-child{text-align:left}.wide{overflow-x:auto}\n"
    ".types{width:100%}.types .b{width:45%;min-width:9rem}.bar{display:block;height:5px;"
    "margin:2px 0;border-radius:3px;min-width:1px}.bp{background:var(--p)}.br{background:var(--r)}"
    ".bf{background:var(--f)}.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;"
    "margin:0 .3em 0 .9em}\n"
    ".confusion td{text-align:center;min-width:2rem;padding:.2rem .35rem;"
    "border:1px solid var(--line)}.confusion th{border:0;white-space:nowrap}"
    ".confusion td:first-child{text-align:center}.confusion thead th{vertical-align:bottom}"
    ".confusion thead span{writing-mode:vertical-rl;transform:rotate(180deg)}"
    ".confusion tbody th{text-align:right;position:sticky;left:0;background:var(--bg)}\n"
    ".options td:nth-child(2),.options td:nth-child(3){text-align:left;word-break:break-word}"
    "details{margin:.75rem 0}summary{cursor:pointer;color:var(--muted)}\n"
    ".mistakes>input{position:absolute;opacity:0}.mistakes>label{display:inline-block;"
    "border:1px solid var(--line);border-radius:1rem;padding:.15rem .8rem;margin:0 .3rem .4rem 0;"
    "cursor:pointer;font-size:.9rem}.mistakes>input:checked+label{background:var(--fg);"
    "color:var(--bg)}.mistakes>input:focus-visible+label{outline:2px solid var(--p)}"
    "article{border:1px solid var(--line);border-radius:8px;margin:.6rem 0;padding:.6rem .9rem;"
    "background:var(--card);overflow-wrap:anywhere}article header{font-size:.83rem;"
    "color:var(--muted);margin-bottom:.2rem}article header b{color:var(--fg);font-weight:600;"
    "margin-left:.6rem}article div{display:grid;grid-template-columns:5.5rem 1fr}"
    "article div>span:first-child{color:var(--muted);font-size:.83rem;padding-top:.15rem}\n"
    "article .entities{line-height:2.2}\n";

void nf_page_head(nf_str *out, const char *title) {
    nf_str_append_text(out, HEAD);
    nf_str_append_text(out, title);
    nf_str_append_text(out, STYLE);
    nf_str_append_text(out, nf_entity_look_css());
    nf_str_append_text(out, "</style></head><body>\n");
}

void nf_page_text(nf_str *out, const json_t *value) {
    if (json_is_string(value))
        nf_str_append_html(out, json_string_value(value), json_string_length(value));
}

double nf_page_number(const json_t *object, const char *name) {
    return json_number_value(json_object_get(object, name));
}

json_int_t nf_page_count(const json_t *object, const char *name) {
    return json_integer_value(json_object_get(object, name));
}

/* ---------------------------------------------------------------- head and cards */

void nf_page_card(nf_str *out, const char *label, const char *format, double value) {
    nf_str_append_text(out, "<div class=\"card\"><b>");
    char text[64];
    nf_print(text, sizeof text, format, value);
    nf_str_append_text(out, text);
    nf_str_appendf(out, "</b><span>%s</span></div>\n", label);
}

/* What evaluations while training count. */
static const char *unit_of(const json_t *run) {
    const char *recipe =
        json_string_value(json_object_get(json_object_get(run, "options"), "recipe"));
    return recipe && strcmp(recipe, "original") == 0 ? "sub-words" : "words";
}

static void cards(nf_str *out, const json_t *run) {
    const json_t *report = json_object_get(run, "report"),
                 *micro = json_object_get(report, "micro");
    const json_t *calibration = json_object_get(report, "calibration");
    const json_t *train = json_object_get(json_object_get(run, "data"), "train");
    nf_str_append_text(out, "<div class=\"cards\">\n");
    if (micro) {
        char label[32];
        snprintf(label, sizeof label, "F1 of %s (%%)", unit_of(run));
        nf_page_card(out, label, "%.1f", 100 * nf_page_number(micro, "f1"));
        nf_page_card(out, "precision (%)", "%.1f", 100 * nf_page_number(micro, "precision"));
        nf_page_card(out, "recall (%)", "%.1f", 100 * nf_page_number(micro, "recall"));
    }
    if (calibration)
        nf_page_card(out, "calibration error (%)", "%.1f",
                     100 * nf_page_number(calibration, "error"));
    nf_page_card(out, "training texts", "%.0f", nf_page_number(train, "texts"));
    nf_page_card(out, "training entities", "%.0f", nf_page_number(train, "entities"));
    nf_page_card(out, "entity types", "%.0f", nf_page_number(run, "types"));
    nf_str_append_text(out, "</div>\n");
}

static void head(nf_str *out, const json_t *run) {
    const json_t *options = json_object_get(run, "options");
    nf_page_head(out, "training report");
    nf_str_append_text(out, "<h1>Training report</h1>\n<p class=\"muted\">The model is in <code>");
    nf_page_text(out, json_object_get(run, "model"));
    nf_str_append_text(out, "</code>, trained from <code>");
    nf_page_text(out, json_object_get(options, "model_name"));
    nf_str_append_text(out, "</code> by the recipe <code>");
    nf_page_text(out, json_object_get(options, "recipe"));
    nf_str_appendf(out, "</code> (nerfit %s).", NERFIT_VERSION);
    if (json_is_string(json_object_get(run, "report_of"))) {
        nf_str_append_text(out, " Scores are of the ");
        nf_page_text(out, json_object_get(run, "report_of"));
        nf_str_append_text(out, " texts.");
    }
    nf_str_append_text(out, "</p>\n");
    cards(out, run);
}

/* ---------------------------------------------------------------- curves */

/* A line of a plot: which entries of the log have it. */
typedef struct curve {
    const char *name, *key;
} curve;

static void plot_history(nf_str *out, const json_t *history, int stage, const char *title,
                         const char *y_label, const curve *curves, size_t n_curves, double scale) {
    enum { MOST = 4 };
    nf_plot_series series[MOST];
    nf_arena arena = {0};
    size_t n_series = 0, i;
    json_t *entry;
    for (size_t c = 0; c < n_curves && c < MOST; c++) {
        nf_plot_point *points =
            nf_arena_calloc(&arena, json_array_size(history) + 1, sizeof *points);
        size_t n = 0;
        out->failed |= !points;
        json_array_foreach(history, i, entry) {
            const json_t *value = json_object_get(entry, curves[c].key);
            if (points && json_is_number(value) && nf_page_count(entry, "stage") == stage)
                points[n++] = (nf_plot_point){nf_page_number(entry, "step"),
                                              scale * json_number_value(value), 0};
        }
        if (n) series[n_series++] = (nf_plot_series){curves[c].name, points, n};
    }
    if (n_series) {
        nf_plot plot = {title, "step", y_label, series, n_series, false};
        nf_str_append_text(out, "<div>");
        nf_plot_svg(out, &plot);
        nf_str_append_text(out, "</div>\n");
    }
    nf_arena_free(&arena);
}

static void curves(nf_str *out, const json_t *run) {
    static const curve losses[] = {{"training", "loss"}, {"validation", "eval_loss"}};
    static const curve scores[] = {{"precision", "eval_overall_precision"},
                                   {"recall", "eval_overall_recall"},
                                   {"F1", "eval_overall_f1"}}; /* in the colours of the bars */
    const json_t *history = json_object_get(run, "history");
    if (!json_array_size(history)) return;
    nf_str_append_text(out, "<h2>Training</h2>\n<div class=\"plots\">\n");
    plot_history(out, history, 1, "Loss, stage 1", "loss", losses, 2, 1);
    plot_history(out, history, 2, "Loss, stage 2", "loss", losses, 2, 1);
    plot_history(out, history, 2, "Validation scores", "%", scores, 3, 100);
    nf_str_append_text(out, "</div>\n");
}

/* ---------------------------------------------------------------- types */

typedef struct type_row {
    const char *label;
    const json_t *score;
} type_row;

static int by_support(const void *a, const void *b) {
    const type_row *x = a, *y = b;
    json_int_t n = nf_page_count(x->score, "support"), m = nf_page_count(y->score, "support");
    if (n != m) return n > m ? -1 : 1;
    return strcmp(x->label, y->label);
}

static void bar(nf_str *out, const char *kind, double share) {
    nf_str_appendf(out, "<span class=\"bar %s\" style=\"width:%.1f%%\"></span>", kind, 100 * share);
}

static void type_cells(nf_str *out, const char *label, const json_t *score) {
    static const char *const names[] = {"precision", "recall", "f1"}, *const bars[] = {"bp", "br",
                                                                                       "bf"};
    nf_str_append_text(out, "<tr><td>");
    nf_str_append_html(out, label, strlen(label));
    nf_str_append_text(out, "</td><td class=\"b\">");
    for (int i = 0; i < 3; i++) bar(out, bars[i], nf_page_number(score, names[i]));
    nf_str_append_text(out, "</td>");
    for (int i = 0; i < 3; i++)
        nf_str_appendf(out, "<td>%.1f</td>", 100 * nf_page_number(score, names[i]));
    nf_str_appendf(out, "<td>%lld</td></tr>\n", (long long)nf_page_count(score, "support"));
}

static void types(nf_str *out, const json_t *report, const char *unit) {
    json_t *all = json_object_get(report, "types"), *score;
    size_t n = json_object_size(all), i = 0;
    const char *label;
    type_row *rows = malloc((n + 1) * sizeof *rows);
    out->failed |= !rows;
    if (!rows) return;
    json_object_foreach(all, label, score) rows[i++] = (type_row){label, score};
    qsort(rows, n, sizeof *rows, by_support);
    nf_str_append_text(
        out,
        "<h2>Entity types</h2>\n<p class=\"muted\">Type and boundaries right (seqeval's default "
        "mode), in labels of ");
    nf_str_appendf(out, "%s, as nerfit train printed them and <code>nerfit eval%s</code> does.",
                   unit, strcmp(unit, "words") == 0 ? " --words" : "");
    nf_str_append_text(out,
                       "<span class=\"key bp\"></span>precision"
                       "<span class=\"key br\"></span>recall<span class=\"key bf\"></span>F1</p>\n"
                       "<div class=\"wide\"><table class=\"types\"><tr><th>type</th><th></th>"
                       "<th>precision</th><th>recall</th><th>F1</th><th>entities</th></tr>\n");
    for (i = 0; i < n; i++) type_cells(out, rows[i].label, rows[i].score);
    type_cells(out, "all (micro average)", json_object_get(report, "micro"));
    nf_str_append_text(out, "</table></div>\n");
    free(rows);
}

static void semeval(nf_str *out, const json_t *report) {
    static const char *const fields[] = {"correct", "incorrect", "partial", "missed", "spurious"};
    static const char *const scores[] = {"precision", "recall", "f1"};
    json_t *all = json_object_get(json_object_get(report, "semeval"), "overall"), *score;
    const char *measure;
    if (!all) return;
    nf_str_append_text(
        out, "<h2>What counts as found</h2>\n<p class=\"muted\">SemEval-2013's measures. "
             "strict: type and boundaries; exact: boundaries, whatever the type; partial: "
             "an overlap counts half; type: an overlap of the right type. They count entities by "
             "their characters, as nerfit predict gives them, not labels: strict is another "
             "number than the F1 above where an edge lies inside a word.</p>\n"
             "<div class=\"wide\"><table><tr><th></th><th>correct</th><th>incorrect</th>"
             "<th>partial</th><th>missed</th><th>spurious</th><th>precision</th>"
             "<th>recall</th><th>F1</th></tr>\n");
    json_object_foreach(all, measure, score) {
        nf_str_appendf(out, "<tr><td>%s</td>", measure);
        for (int i = 0; i < 5; i++)
            nf_str_appendf(out, "<td>%lld</td>", (long long)nf_page_count(score, fields[i]));
        for (int i = 0; i < 3; i++)
            nf_str_appendf(out, "<td>%.1f</td>", 100 * nf_page_number(score, scores[i]));
        nf_str_append_text(out, "</tr>\n");
    }
    nf_str_append_text(out, "</table></div>\n");
}

/* ---------------------------------------------------------------- scores */

static void plot_reliability(nf_str *out, const json_t *calibration) {
    enum { MOST = 32 };
    static const nf_plot_point even[] = {{0, 0, 0}, {100, 100, 0}};
    const json_t *bins = json_object_get(calibration, "bins");
    nf_plot_point points[MOST];
    size_t n = json_array_size(bins) < MOST ? json_array_size(bins) : MOST;
    for (size_t i = 0; i < n; i++)
        points[i] = (nf_plot_point){100 * nf_page_number(json_array_get(bins, i), "score"),
                                    100 * nf_page_number(json_array_get(bins, i), "precision"), 0};
    const nf_plot_series series[] = {{"found entities, in bins of the same number", points, n},
                                     {"a score is what it says", even, 2}};
    nf_plot plot = {"How often a score is right", "score (%)", "right (%)", series, 2, false};
    nf_plot_svg(out, &plot);
}

static void plot_thresholds(nf_str *out, const json_t *table) {
    enum { MOST = 32 };
    static const char *const names[] = {"precision", "recall", "F1"};
    static const char *const keys[] = {"precision", "recall", "f1"};
    nf_plot_point points[3][MOST];
    nf_plot_series series[3];
    size_t n = json_array_size(table) < MOST ? json_array_size(table) : MOST;
    for (int s = 0; s < 3; s++) {
        for (size_t i = 0; i < n; i++) {
            const json_t *row = json_array_get(table, i);
            bool any = nf_page_count(row, "predicted") > 0; /* else there is nothing to divide by */
            points[s][i] = (nf_plot_point){100 * nf_page_number(row, "threshold"),
                                           any ? 100 * nf_page_number(row, keys[s]) : NAN, 0};
        }
        series[s] = (nf_plot_series){names[s], points[s], n};
    }
    nf_plot plot = {"Entities under a threshold left out", "threshold (%)", "%", series, 3, false};
    nf_plot_svg(out, &plot);
}

static void scores(nf_str *out, const json_t *run) {
    const json_t *report = json_object_get(run, "report"), *fit = json_object_get(run, "fit");
    const json_t *calibration = json_object_get(report, "calibration");
    const json_t *best = json_object_get(report, "best_threshold");
    if (!calibration) return;
    nf_str_append_text(out, "<h2>What the scores are worth</h2>\n<p class=\"muted\">");
    nf_str_appendf(out, "Expected calibration error %.1f %% (mean score %.1f %%, right %.1f %%). ",
                   100 * nf_page_number(calibration, "error"),
                   100 * nf_page_number(calibration, "score"),
                   100 * nf_page_number(calibration, "precision"));
    if (json_is_object(fit)) {
        nf_str_appendf(out,
                       "Calibrated with temperature %.2f and shift %.2f, fitted to %lld entities "
                       "(",
                       nf_page_number(fit, "temperature"), nf_page_number(fit, "shift"),
                       (long long)nf_page_count(fit, "entities"));
        nf_page_text(out, json_object_get(fit, "from"));
        nf_str_appendf(out, "), on which the error was %.1f %% before and is %.1f %% now. ",
                       100 * nf_page_number(fit, "error_before"),
                       100 * nf_page_number(fit, "error_after"));
    } else
        nf_str_append_text(out, "The scores are not calibrated. ");
    nf_str_appendf(out, "The best F1 on these texts, %.1f %%, is at threshold %.2f.</p>\n",
                   100 * nf_page_number(best, "f1"), nf_page_number(best, "threshold"));
    nf_str_append_text(out, "<div class=\"plots\"><div>");
    plot_reliability(out, calibration);
    nf_str_append_text(out, "</div><div>");
    plot_thresholds(out, json_object_get(report, "thresholds"));
    nf_str_append_text(out, "</div></div>\n");
}

/* ---------------------------------------------------------------- options */

/* A pair of equal values is one; lists are divided by commas. */
static void option_value(nf_str *out, const json_t *value) {
    size_t n = json_array_size(value);
    if (n == 2 && json_equal(json_array_get(value, 0), json_array_get(value, 1))) n = 1;
    for (size_t i = 0; i < n; i++) {
        if (i) nf_str_append_text(out, ", ");
        option_value(out, json_array_get(value, i));
    }
    if (json_is_array(value)) return;
    char *text = json_is_string(value) ? NULL : nf_json_text(value, JSON_REAL_PRECISION(6));
    if (json_is_string(value))
        nf_page_text(out, value);
    else if (json_is_null(value))
        nf_str_append_text(out, "\xE2\x80\x93");
    else if (text)
        nf_str_append_html(out, text, strlen(text));
    else
        out->failed = true;
    free(text);
}

/* The rows of options that differ from their defaults, or of those that do not. */
static void option_rows(nf_str *out, const json_t *options, const json_t *defaults, bool chosen) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)options, name, value) {
        const json_t *usual = json_object_get(defaults, name);
        if (json_is_object(value)) {
            option_rows(out, value, usual, chosen);
            continue;
        }
        if (json_equal(value, usual) == chosen) continue;
        nf_str_append_text(out, "<tr><td><code>");
        nf_str_append_html(out, name, strlen(name));
        nf_str_append_text(out, "</code></td><td>");
        option_value(out, value);
        nf_str_append_text(out, "</td>");
        if (chosen) {
            nf_str_append_text(out, "<td class=\"muted\">");
            option_value(out, usual);
            nf_str_append_text(out, "</td>");
        }
        nf_str_append_text(out, "</tr>\n");
    }
}

static void options(nf_str *out, const json_t *run) {
    const json_t *values = json_object_get(run, "options"),
                 *usual = json_object_get(run, "defaults");
    nf_str_append_text(out, "<h2>Options</h2>\n<div class=\"wide\"><table class=\"options\"><tr>"
                            "<th>option</th><th style=\"text-align:left\">value</th>"
                            "<th style=\"text-align:left\">default</th></tr>\n");
    option_rows(out, values, usual, true);
    nf_str_append_text(out, "</table></div>\n<details><summary>Options left at their defaults"
                            "</summary>\n<table class=\"options\">\n");
    option_rows(out, values, usual, false);
    nf_str_append_text(out, "</table></details>\n");
}

void nf_report_page_html(const json_t *run, nf_str *out) {
    const json_t *report = json_object_get(run, "report");
    head(out, run);
    if (json_is_object(report)) {
        types(out, report, unit_of(run));
        semeval(out, report);
        nf_page_confusion(out, report);
    }
    curves(out, run);
    scores(out, run);
    options(out, run);
    if (json_is_object(report))
        nf_page_mistakes(out, report, json_string_value(json_object_get(run, "report_of")));
    nf_str_append_text(out, "</body></html>\n");
}
