/* The few-shot protocol's result: mean and standard deviation over the seeds, as JSON, as a table
 * for terminals, as Markdown, and as a page with a plot. */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"
#include "report/plot.h"
#include "experiment/fewshot.h"

/* ---------------------------------------------------------------- mean and deviation */

static const char *text_of(const json_t *json, const char *name) {
    return json_string_value(json_object_get(json, name));
}

static double number_of(const json_t *json, const char *name) {
    return json_number_value(json_object_get(json, name));
}

static bool is_of(const json_t *run, json_int_t k, const char *recipe) {
    return json_integer_value(json_object_get(run, "k")) == k &&
           strcmp(text_of(run, "recipe"), recipe) == 0;
}

/* The sample's standard deviation (n - 1); null for a single run. */
static json_t *mean_and_sd(const json_t *runs, json_int_t k, const char *recipe,
                           const char *field) {
    double sum = 0, squares = 0;
    size_t n = 0, i;
    const json_t *run;
    json_array_foreach(runs, i, run) if (is_of(run, k, recipe)) sum += number_of(run, field), n++;
    double mean = n ? sum / (double)n : 0;
    json_array_foreach(runs, i, run) if (is_of(run, k, recipe)) squares +=
        pow(number_of(run, field) - mean, 2);
    return json_pack("{s:f, s:o}", "mean", mean, "sd",
                     n > 1 ? json_real(sqrt(squares / (double)(n - 1))) : json_null());
}

static int add_cell(json_t *table, const json_t *runs, json_int_t k, const char *recipe) {
    static const char *const fields[] = {"texts", "precision", "recall", "f1", "seconds"};
    json_t *cell = json_pack("{s:I, s:s}", "k", k, "recipe", recipe);
    int failed = json_array_append_new(table, cell);
    for (size_t i = 0; i < sizeof fields / sizeof *fields && !failed; i++)
        failed |= json_object_set_new(cell, fields[i], mean_and_sd(runs, k, recipe, fields[i]));
    return failed;
}

nerfit_status nf_fewshot_tabulate(json_t *result, nerfit_error *err) {
    json_t *table = json_array();
    const json_t *runs = json_object_get(result, "runs"), *k, *recipe;
    size_t i, j;
    int failed = json_object_set_new(result, "table", table);
    json_array_foreach(json_object_get(result, "k"), i, k)
        json_array_foreach(json_object_get(result, "recipes"), j, recipe) if (!failed) failed |=
        add_cell(table, runs, json_integer_value(k), json_string_value(recipe));
    return failed ? nf_no_memory(err, 0) : NERFIT_OK;
}

/* ---------------------------------------------------------------- tables */

/* "41.7 ± 1.2", in percent (scale 100) or as it is (1). */
static void cell_text(char *out, size_t size, const json_t *cell, const char *field, double scale) {
    const json_t *value = json_object_get(cell, field), *sd = json_object_get(value, "sd");
    double mean = scale * number_of(value, "mean");
    if (json_is_real(sd))
        nf_print(out, size, "%.1f \xC2\xB1 %.1f", mean, scale * json_real_value(sd));
    else
        nf_print(out, size, "%.1f", mean);
}

static const json_t *cell_at(const json_t *result, size_t k, size_t recipe) {
    size_t n_recipes = json_array_size(json_object_get(result, "recipes"));
    return json_array_get(json_object_get(result, "table"), k * n_recipes + recipe);
}

/* How a table is written: what stands before, between and after its cells. */
typedef struct style {
    const char *row, *cell, *cell_end, *row_end;
    bool aligned, html;
} style;

static const style terminal = {"", "", "", "\n", true, false};
static const style markdown = {"|", " ", " |", "\n", false, false};
static const style page = {"<tr>", "<td>", "</td>", "</tr>\n", false, true};

static int width_of(const char *text) {
    return (int)nf_utf8_count(text, strlen(text));
}

static void put(nf_str *out, const style *s, const char *text, int width) {
    nf_str_append_text(out, s->cell);
    if (s->aligned) nf_str_appendf(out, "%*s", width - width_of(text), "");
    if (s->html)
        nf_str_append_html(out, text, strlen(text));
    else
        nf_str_append_text(out, text);
    nf_str_append_text(out, s->cell_end);
}

static int column_width(const json_t *recipe) {
    int width = width_of(json_string_value(recipe)) + 2;
    return width < 13 ? 13 : width;
}

static void table(const json_t *result, nf_str *out, const style *s, const char *field,
                  double scale) {
    const json_t *recipes = json_object_get(result, "recipes"), *k, *recipe;
    size_t i, j;
    char text[64];
    nf_str_append_text(out, s->row);
    put(out, s, "k", 5);
    put(out, s, "texts", 8);
    json_array_foreach(recipes, j, recipe)
        put(out, s, json_string_value(recipe), column_width(recipe));
    nf_str_append_text(out, s->row_end);
    if (s == &markdown) {
        for (j = 0; j < json_array_size(recipes) + 2; j++)
            nf_str_append_text(out, j ? "---|" : "|---|");
        nf_str_append_char(out, '\n');
    }
    json_array_foreach(json_object_get(result, "k"), i, k) {
        nf_str_append_text(out, s->row);
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(k));
        put(out, s, text, 5);
        nf_print(text, sizeof text, "%.0f",
                 number_of(json_object_get(cell_at(result, i, 0), "texts"), "mean"));
        put(out, s, text, 8);
        json_array_foreach(recipes, j, recipe) {
            cell_text(text, sizeof text, cell_at(result, i, j), field, scale);
            put(out, s, text, column_width(recipe));
        }
        nf_str_append_text(out, s->row_end);
    }
}

static const char about_f1[] = "F1 of entities (%), on words";

/* What the numbers are. */
static void headline(const json_t *result, nf_str *out) {
    size_t n = json_array_size(json_object_get(result, "seeds"));
    nf_str_appendf(out, "%s; ", about_f1);
    if (n > 1)
        nf_str_appendf(out, "mean and standard deviation of %zu seeds", n);
    else
        nf_str_append_text(out, "one seed");
}

void nf_fewshot_text(const json_t *result, nf_str *out) {
    headline(result, out);
    nf_str_append_text(out, ":\n\n");
    table(result, out, &terminal, "f1", 100);
    nf_str_append_text(out, "\nSeconds of training:\n\n");
    table(result, out, &terminal, "seconds", 1);
}

void nf_fewshot_markdown(const json_t *result, nf_str *out) {
    headline(result, out);
    nf_str_append_text(out, ":\n\n");
    table(result, out, &markdown, "f1", 100);
    nf_str_append_text(out, "\nSeconds of training:\n\n");
    table(result, out, &markdown, "seconds", 1);
}

/* ---------------------------------------------------------------- the page */

static void plot(const json_t *result, nf_str *out) {
    static const nf_plot_point nothing = {0};
    const json_t *recipes = json_object_get(result, "recipes");
    const json_t *ks = json_object_get(result, "k");
    size_t n_recipes = json_array_size(recipes), n_k = json_array_size(ks);
    nf_plot_series series[NF_FEWSHOT_MOST];
    nf_arena arena = {0};
    for (size_t r = 0; r < n_recipes; r++) {
        nf_plot_point *points = nf_arena_calloc(&arena, n_k + 1, sizeof *points);
        for (size_t i = 0; i < n_k && points; i++) {
            const json_t *f1 = json_object_get(cell_at(result, i, r), "f1");
            points[i] = (nf_plot_point){(double)json_integer_value(json_array_get(ks, i)),
                                        100 * number_of(f1, "mean"), 100 * number_of(f1, "sd")};
        }
        out->failed |= !points;
        series[r] = (nf_plot_series){json_string_value(json_array_get(recipes, r)),
                                     points ? points : &nothing, points ? n_k : 0};
    }
    nf_plot all = {about_f1, "mentions of every type (k)", "F1 (%)", series, n_recipes, true};
    nf_plot_svg(out, &all);
    nf_arena_free(&arena);
}

void nf_fewshot_html(const json_t *result, nf_str *out) {
    static const char *const fields[][2] = {{"f1", "F1 (%)"},
                                            {"precision", "Precision (%)"},
                                            {"recall", "Recall (%)"},
                                            {"seconds", "Seconds of training"}};
    nf_str_append_text(out, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\">"
                            "<title>nerfit fewshot</title>\n<style>body{font:15px sans-serif;"
                            "max-width:60em;margin:2em auto}td{padding:.2em .8em;text-align:right}"
                            "tr:first-child{font-weight:bold}</style></head><body>\n<h1>Few-shot "
                            "runs</h1>\n<p>");
    headline(result, out);
    nf_str_append_text(out, "</p>\n");
    plot(result, out);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        nf_str_appendf(out, "<h2>%s</h2>\n<table>\n", fields[i][1]);
        table(result, out, &page, fields[i][0], i == 3 ? 1 : 100);
        nf_str_append_text(out, "</table>\n");
    }
    nf_str_append_text(out, "</body></html>\n");
}
