/* The report page's confusion table, and the mistakes in their texts: for each text one line with
 * what is annotated and one with what was found. Which kinds are shown is chosen by radio buttons
 * and CSS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/entity_look.h"
#include "base/error.h"
#include "base/utf8.h"
#include "report/report_page_parts.h"

/* ---------------------------------------------------------------- confusion */

static void name_cell(nf_str *out, const json_t *types, size_t index) {
    if (index < json_array_size(types))
        nf_page_text(out, json_array_get(types, index));
    else
        nf_str_append_text(out, "(none)");
}

static json_int_t cell(const json_t *table, size_t row, size_t column) {
    return json_integer_value(json_array_get(json_array_get(table, row), column));
}

/* Of a row or a column: those without any are left out. */
static json_int_t sum_of(const json_t *table, size_t index, bool column) {
    json_int_t sum = 0;
    for (size_t i = 0; i < json_array_size(table); i++)
        sum += column ? cell(table, i, index) : cell(table, index, i);
    return sum;
}

static void confusion_row(nf_str *out, const json_t *types, const json_t *table, size_t index) {
    size_t n = json_array_size(table), i;
    json_int_t sum = sum_of(table, index, false);
    if (!sum) return;
    nf_str_append_text(out, "<tr><th>");
    name_cell(out, types, index);
    nf_str_append_text(out, "</th>");
    for (i = 0; i < n; i++) {
        json_int_t count = cell(table, index, i);
        if (!sum_of(table, i, true)) continue;
        if (!count) {
            nf_str_append_text(out, "<td></td>");
            continue;
        }
        double share = (double)count / (double)sum;
        nf_str_appendf(out, "<td style=\"background:rgba(%s,%.2f)\">%lld</td>",
                       i == index ? "0,158,115" : "213,94,0", 0.12 + 0.6 * share, (long long)count);
    }
    nf_str_append_text(out, "</tr>\n");
}

void nf_page_confusion(nf_str *out, const json_t *report) {
    const json_t *confusion = json_object_get(report, "confusion");
    const json_t *types = json_object_get(confusion, "types");
    const json_t *table = json_object_get(confusion, "table");
    size_t n = json_array_size(table);
    if (n < 2) return;
    nf_str_append_text(out, "<h2>Which types were taken for which</h2>\n<p class=\"muted\">Rows: "
                            "annotated; columns: found. On the diagonal the type is right, the "
                            "boundaries may be wrong; the last column holds what was missed, the "
                            "last row what is spurious.</p>\n<div class=\"wide\">"
                            "<table class=\"confusion\"><thead><tr><th></th>");
    for (size_t i = 0; i < n; i++) {
        if (!sum_of(table, i, true)) continue;
        nf_str_append_text(out, "<th><span>");
        name_cell(out, types, i);
        nf_str_append_text(out, "</span></th>");
    }
    nf_str_append_text(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < n; i++) confusion_row(out, types, table, i);
    nf_str_append_text(out, "</tbody></table></div>\n");
}

/* ---------------------------------------------------------------- mistakes */

enum { MOST_TEXTS = 500, SHORT_TEXT = 600, CONTEXT = 200 };

static const char *const kinds[] = {"missed", "spurious", "wrong boundary", "wrong type",
                                    "wrong type and boundary"};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static const char *text_of(const json_t *mistake) {
    return json_string_value(json_object_get(mistake, "text"));
}

static bool same_text(const json_t *a, const json_t *b) {
    return nf_page_count(a, "line") == nf_page_count(b, "line") &&
           json_equal(json_object_get(a, "file"), json_object_get(b, "file")) &&
           strcmp(text_of(a), text_of(b)) == 0;
}

static size_t byte_at(const char *text, const json_t *entity, const char *name) {
    return nf_utf8_offset(text, strlen(text), (size_t)nf_page_count(entity, name));
}

/* What is shown of a long text: what lies around its mistakes. */
static void excerpt_of(const json_t *list, size_t first, size_t end, size_t *from, size_t *to) {
    const char *text = text_of(json_array_get(list, first));
    size_t size = strlen(text), low = size, high = 0;
    *from = 0;
    *to = size;
    if (size <= SHORT_TEXT) return;
    for (size_t i = first; i < end; i++)
        for (int side = 0; side < 2; side++) {
            const json_t *entity =
                json_object_get(json_array_get(list, i), side ? "gold" : "predicted");
            if (!json_is_object(entity)) continue;
            size_t start = byte_at(text, entity, "start"), stop = byte_at(text, entity, "end");
            if (start < low) low = start;
            if (stop > high) high = stop;
        }
    if (low > CONTEXT) *from = low - CONTEXT;
    if (size - high > CONTEXT) *to = high + CONTEXT;
    while (*from > 0 && ((unsigned char)text[*from] & 0xC0) == 0x80) --*from;
    while (*to < size && ((unsigned char)text[*to] & 0xC0) == 0x80) ++*to;
}

static void set_hue(json_t *hues, const char *label, int hue, nf_str *out) {
    out->failed |= json_object_set_new(hues, label, json_integer(hue)) != 0;
}

/* An object with each label's colour, of all that the report names. */
static json_t *hues_of(const json_t *report, const json_t *list, nf_str *out) {
    static const char *const sides[] = {"gold", "predicted"};
    json_t *hues = json_object(), *one, *key;
    size_t i, n = 0;
    json_array_foreach(json_object_get(json_object_get(report, "confusion"), "types"), i, key)
        set_hue(hues, json_string_value(key), 0, out);
    json_array_foreach(list, i, one) for (int side = 0; side < 2; side++) {
        const json_t *label = json_object_get(json_object_get(one, sides[side]), "label");
        if (label) set_hue(hues, json_string_value(label), 0, out);
    }
    const char *name, **names = calloc(json_object_size(hues) + 1, sizeof *names);
    uint8_t *values = calloc(json_object_size(hues) + 1, 1);
    if (names) json_object_foreach(hues, name, one) names[n++] = name;
    if (names && values && nf_entity_hues(names, n, values, NULL) == NERFIT_OK)
        for (i = 0; i < n; i++) set_hue(hues, names[i], values[i], out);
    else
        out->failed = true;
    free(names);
    free(values);
    return hues;
}

/* The text with one side's entities marked. */
static void marked(nf_str *out, const json_t *list, size_t first, size_t end, const json_t *hues,
                   bool gold) {
    const char *text = text_of(json_array_get(list, first));
    size_t from, to, n = 0;
    nf_entity_mark *marks = calloc(end - first, sizeof *marks);
    out->failed |= !marks;
    excerpt_of(list, first, end, &from, &to);
    nf_str_appendf(out, "<div><span>%s</span><span class=\"entities\" dir=\"auto\">%s",
                   gold ? "annotated" : "found", from ? "\xE2\x80\xA6" : "");
    for (size_t i = first; i < end && marks; i++) {
        const json_t *entity =
            json_object_get(json_array_get(list, i), gold ? "gold" : "predicted");
        if (!json_is_object(entity)) continue;
        const char *label = json_string_value(json_object_get(entity, "label"));
        const json_t *score = json_object_get(entity, "score");
        nf_entity_mark m = {byte_at(text, entity, "start"),
                            byte_at(text, entity, "end"),
                            label,
                            score ? json_number_value(score) : -1,
                            true,
                            (uint8_t)json_integer_value(json_object_get(hues, label))};
        if (m.start >= from && m.start < m.end && m.end <= to) marks[n++] = m;
    }
    if (marks) nf_entity_html(out, text, from, to, marks, n);
    nf_str_appendf(out, "%s</span></div>\n", text[to] ? "\xE2\x80\xA6" : "");
    free(marks);
}

static size_t kind_of(const json_t *mistake) {
    const char *kind = json_string_value(json_object_get(mistake, "kind"));
    size_t i = 0;
    while (i + 1 < N_KINDS && strcmp(kinds[i], kind) != 0) i++;
    return i;
}

static void article(nf_str *out, const json_t *list, size_t first, size_t end, const json_t *hues) {
    const json_t *one = json_array_get(list, first), *file = json_object_get(one, "file");
    nf_str_append_text(out, "<article class=\"");
    for (size_t k = 0; k < N_KINDS; k++)
        for (size_t i = first; i < end; i++)
            if (kind_of(json_array_get(list, i)) == k) {
                nf_str_appendf(out, "k%zu ", k);
                break;
            }
    nf_str_append_text(out, "\"><header>");
    nf_page_text(out, file);
    if (nf_page_count(one, "line"))
        nf_str_appendf(out, "%s%lld", json_is_string(file) ? ":" : "text ",
                       (long long)nf_page_count(one, "line"));
    for (size_t i = first; i < end; i++)
        nf_str_appendf(out, "<b>%s</b>", kinds[kind_of(json_array_get(list, i))]);
    nf_str_append_text(out, "</header>\n");
    marked(out, list, first, end, hues, true);
    marked(out, list, first, end, hues, false);
    nf_str_append_text(out, "</article>\n");
}

/* A button for all, and one for each kind; the rules that they switch. */
static void buttons(nf_str *out, const json_t *errors, size_t n) {
    nf_str_append_text(out, "<style>");
    for (size_t k = 0; k < N_KINDS; k++)
        nf_str_appendf(out, "#show%zu:checked~article:not(.k%zu){display:none}", k, k);
    nf_str_appendf(out,
                   "</style>\n<input type=\"radio\" name=\"show\" id=\"all\" checked>"
                   "<label for=\"all\">all %zu</label>\n",
                   n);
    for (size_t k = 0; k < N_KINDS; k++) {
        char key[32];
        snprintf(key, sizeof key, "%s", kinds[k]);
        for (char *at = key; (at = strchr(at, ' '));) *at = '_';
        nf_str_appendf(out,
                       "<input type=\"radio\" name=\"show\" id=\"show%zu\">"
                       "<label for=\"show%zu\">%s %lld</label>\n",
                       k, k, kinds[k], (long long)nf_page_count(errors, key));
    }
}

void nf_page_mistakes(nf_str *out, const json_t *report, const char *report_of) {
    const json_t *errors = json_object_get(report, "errors"),
                 *list = json_object_get(errors, "list");
    size_t n = json_array_size(list), texts = 0, end = 0;
    if (!json_is_object(errors)) return;
    nf_str_appendf(out,
                   "<h2>Mistakes</h2>\n<p class=\"muted\">%lld of %lld %s texts have one. An "
                   "entity is right if its place and its type are.</p>\n",
                   (long long)nf_page_count(errors, "wrong_texts"),
                   (long long)nf_page_count(errors, "texts"), report_of ? report_of : "");
    if (!n) return;
    nf_str_append_text(out, "<div class=\"mistakes\">\n");
    buttons(out, errors, n);
    json_t *hues = hues_of(report, list, out);
    for (size_t first = 0; first < n && texts < MOST_TEXTS; first = end, texts++) {
        for (end = first + 1;
             end < n && same_text(json_array_get(list, first), json_array_get(list, end));)
            end++;
        article(out, list, first, end, hues);
    }
    json_decref(hues);
    if (end < n)
        nf_str_appendf(out, "<p class=\"muted\">%zu more mistakes are in report.json.</p>\n",
                       n - end);
    nf_str_append_text(out, "</div>\n");
}
