/* The summary for people: a table for a terminal, and a page. */
#include <string.h>

#include "annotate/summary.h"
#include "report/report_page_parts.h"

static void text_label(nf_str *out, const char *label, const json_t *row, int width) {
    enum { SHOWN = 3 };
    size_t i;
    json_t *mention;
    nf_str_appendf(
        out, "  %-*s %8lld %8lld %8lld   ", width, label, (long long)nf_page_count(row, "entities"),
        (long long)nf_page_count(row, "texts"), (long long)nf_page_count(row, "disputed"));
    json_array_foreach(json_object_get(row, "mentions"), i, mention) {
        if (i >= SHOWN) break;
        nf_str_appendf(out, "%s%.40s (%lld)", i ? ", " : "",
                       json_string_value(json_array_get(mention, 0)),
                       (long long)json_integer_value(json_array_get(mention, 1)));
    }
    nf_str_append_char(out, '\n');
}

static void text_labels(nf_str *out, const json_t *labels) {
    enum { SHOWN = 60 };
    const char *label;
    json_t *row;
    size_t n = 0;
    int width = 8;
    json_object_foreach((json_t *)labels, label, row) if ((int)strlen(label) > width) width =
        (int)strlen(label);
    if (width > 40) width = 40;
    nf_str_appendf(out, "  %-*s %8s %8s %8s   %s\n", width, "label", "entities", "texts",
                   "disputed", "most frequent");
    json_object_foreach((json_t *)labels, label, row) if (n++ < SHOWN)
        text_label(out, label, row, width);
    if (n > SHOWN) nf_str_appendf(out, "  ... and %zu labels more\n", n - SHOWN);
}

/* Which types of the model's own became what. */
static void text_open(nf_str *out, const json_t *open) {
    enum { SHOWN = 10 };
    size_t i;
    json_t *row;
    const json_t *merged = json_object_get(open, "merged");
    if (!open) return;
    nf_str_appendf(out,
                   "%lld types were named, which are %lld labels (those joined whose cosine is "
                   "%.2f or more)\n",
                   (long long)nf_page_count(open, "types"),
                   (long long)nf_page_count(open, "labels"), nf_page_number(open, "threshold"));
    json_array_foreach(merged, i, row) {
        if (i >= SHOWN) break;
        nf_str_appendf(
            out, "  %s (%lld) joined %s, %.2f\n", json_string_value(json_object_get(row, "type")),
            (long long)nf_page_count(row, "mentions"),
            json_string_value(json_object_get(row, "label")), nf_page_number(row, "cosine"));
    }
    if (json_array_size(merged) > SHOWN)
        nf_str_appendf(out, "  ... and %zu more\n", json_array_size(merged) - SHOWN);
}

/* Counts of an object that are not 0, by their names. */
static void text_counts(nf_str *out, const char *title, const json_t *counts) {
    const char *name;
    json_t *value;
    bool any = false;
    json_object_foreach((json_t *)counts, name, value) {
        if (!json_integer_value(value)) continue;
        nf_str_appendf(out, "%s%lld %s", any ? ", " : title, (long long)json_integer_value(value),
                       name);
        any = true;
    }
    if (any) nf_str_append_char(out, '\n');
}

static void text_failures(nf_str *out, const json_t *failures) {
    enum { SHOWN = 5 };
    size_t i;
    json_t *failure;
    json_array_foreach(failures, i, failure) {
        if (i >= SHOWN) break;
        nf_str_appendf(out, "  %s:%lld: %.200s\n",
                       json_string_value(json_object_get(failure, "file")),
                       (long long)nf_page_count(failure, "line"),
                       json_string_value(json_object_get(failure, "why")));
    }
}

static void text_llm(nf_str *out, const json_t *llm) {
    if (!llm) return;
    nf_str_appendf(
        out, "%s: %lld answers (%lld from the cache), %lld tokens in, %lld out",
        json_string_value(json_object_get(llm, "model")), (long long)nf_page_count(llm, "answers"),
        (long long)nf_page_count(llm, "cached"), (long long)nf_page_count(llm, "tokens_in"),
        (long long)nf_page_count(llm, "tokens_out"));
    if (json_object_get(llm, "cost"))
        nf_str_appendf(out, ", %.4f in money", nf_page_number(llm, "cost"));
    nf_str_append_char(out, '\n');
    text_counts(out, "answers found in the texts: ", json_object_get(llm, "aligned"));
    text_counts(out, "answers left out: ", json_object_get(llm, "dropped"));
}

static void text_audit_row(nf_str *out, const char *label, const json_t *row, int width) {
    nf_str_appendf(out, "  %-*s %9.1f %9.1f %9.1f %9lld\n", width, label,
                   100 * nf_page_number(row, "precision"), 100 * nf_page_number(row, "recall"),
                   100 * nf_page_number(row, "f1"), (long long)nf_page_count(row, "support"));
}

void nf_audit_text(const json_t *audit, nf_str *out) {
    const char *label;
    json_t *row;
    int width = 16;
    const json_t *all = json_object_get(audit, "micro");
    json_object_foreach(json_object_get(audit, "labels"), label,
                        row) if ((int)strlen(label) > width) width = (int)strlen(label);
    if (width > 40) width = 40;
    nf_str_appendf(out, "Audit: the annotator on %lld texts whose entities are known\n",
                   (long long)nf_page_count(audit, "texts"));
    nf_str_appendf(out, "  %-*s %9s %9s %9s %9s\n", width, "label", "precision", "recall", "F1",
                   "entities");
    json_object_foreach(json_object_get(audit, "labels"), label, row)
        text_audit_row(out, label, row, width);
    text_audit_row(out, "all", all, width);
    if (nf_page_count(all, "support") + nf_page_count(all, "predicted") == 0)
        nf_str_append_text(out,
                           "  there is no entity in them, and none was found: it says nothing\n");
    else
        nf_str_appendf(out, "  F1 is %.1f to %.1f with 95 %% confidence (bootstrap over texts)\n",
                       100 * nf_page_number(all, "least"), 100 * nf_page_number(all, "most"));
    if (nf_page_count(audit, "failed"))
        nf_str_appendf(out, "  %lld more texts got no answer\n",
                       (long long)nf_page_count(audit, "failed"));
}

/* An audit before texts are annotated was told then. */
void nf_summary_text(const json_t *s, nf_str *out) {
    if (json_object_get(s, "audit") && nf_page_count(s, "texts") == 0) {
        nf_audit_text(json_object_get(s, "audit"), out);
        text_llm(out, json_object_get(s, "llm"));
        return;
    }
    nf_str_appendf(out, "%lld of %lld texts annotated, %lld entities\n",
                   (long long)nf_page_count(s, "annotated"), (long long)nf_page_count(s, "texts"),
                   (long long)nf_page_count(s, "entities"));
    text_labels(out, json_object_get(s, "labels"));
    if (nf_page_count(s, "disputed"))
        nf_str_appendf(out, "%lld entities in %lld texts are disputed: marked, and not written\n",
                       (long long)nf_page_count(s, "disputed"),
                       (long long)nf_page_count(s, "disputed_texts"));
    if (json_object_get(s, "agreement"))
        nf_str_appendf(out, "the annotators agree on %.1f %% of what any of them found\n",
                       100 * nf_page_number(s, "agreement"));
    text_llm(out, json_object_get(s, "llm"));
    text_open(out, json_object_get(s, "open"));
    if (nf_page_count(s, "failed"))
        nf_str_appendf(out, "%lld texts are left out:\n", (long long)nf_page_count(s, "failed"));
    text_failures(out, json_object_get(s, "failures"));
}

/* ---------------------------------------------------------------- the page */

static void page_cell(nf_str *out, const json_t *row, const char *name) {
    nf_str_appendf(out, "<td>%lld</td>", (long long)nf_page_count(row, name));
}

static void page_labels(nf_str *out, const json_t *labels) {
    const char *label;
    json_t *row, *mention;
    size_t i;
    nf_str_append_text(out, "<h2>Labels</h2><div class=\"wide\"><table class=\"options\"><tr><th>"
                            "label</th><th>entities, texts, disputed</th><th>mentions</th></tr>\n");
    json_object_foreach((json_t *)labels, label, row) {
        nf_str_append_text(out, "<tr><td>");
        nf_str_append_html(out, label, strlen(label));
        nf_str_appendf(
            out, "</td><td>%lld, %lld, %lld</td><td>", (long long)nf_page_count(row, "entities"),
            (long long)nf_page_count(row, "texts"), (long long)nf_page_count(row, "disputed"));
        json_array_foreach(json_object_get(row, "mentions"), i, mention) {
            nf_str_append_text(out, i ? ", " : "");
            nf_page_text(out, json_array_get(mention, 0));
            nf_str_appendf(out, " (%lld)",
                           (long long)json_integer_value(json_array_get(mention, 1)));
        }
        nf_str_append_text(out, "</td></tr>\n");
    }
    nf_str_append_text(out, "</table></div>\n");
}

static void page_audit(nf_str *out, const json_t *audit) {
    const char *label;
    json_t *row;
    if (!audit) return;
    const json_t *all = json_object_get(audit, "micro");
    nf_str_appendf(out,
                   "<h2>Audit</h2><p>On %lld texts whose entities are known, F1 is %.1f "
                   "(%.1f to %.1f with 95&nbsp;%% confidence).</p><table><tr><th>label</th>"
                   "<th>precision</th><th>recall</th><th>F1</th><th>entities</th></tr>\n",
                   (long long)nf_page_count(audit, "texts"), 100 * nf_page_number(all, "f1"),
                   100 * nf_page_number(all, "least"), 100 * nf_page_number(all, "most"));
    json_object_foreach(json_object_get(audit, "labels"), label, row) {
        nf_str_append_text(out, "<tr><td>");
        nf_str_append_html(out, label, strlen(label));
        nf_str_appendf(out, "</td><td>%.1f</td><td>%.1f</td><td>%.1f</td>",
                       100 * nf_page_number(row, "precision"), 100 * nf_page_number(row, "recall"),
                       100 * nf_page_number(row, "f1"));
        page_cell(out, row, "support");
        nf_str_append_text(out, "</tr>\n");
    }
    nf_str_append_text(out, "</table>\n");
}

static void page_counts(nf_str *out, const char *title, const json_t *counts) {
    const char *name;
    json_t *value;
    nf_str_appendf(out, "<h2>%s</h2><table>", title);
    json_object_foreach((json_t *)counts, name, value) nf_str_appendf(
        out, "<tr><td>%s</td><td>%lld</td></tr>\n", name, (long long)json_integer_value(value));
    nf_str_append_text(out, "</table>\n");
}

/* Rows of texts: where, and what. */
static void page_list(nf_str *out, const char *title, const json_t *list, const char *const *keys) {
    size_t i;
    json_t *row;
    if (!json_array_size(list)) return;
    nf_str_appendf(out, "<details><summary>%s (%zu)</summary><table class=\"options\">", title,
                   json_array_size(list));
    json_array_foreach(list, i, row) {
        nf_str_append_text(out, "<tr><td>");
        nf_page_text(out, json_object_get(row, "file"));
        nf_str_appendf(out, ":%lld</td>", (long long)nf_page_count(row, "line"));
        for (size_t k = 0; keys[k]; k++) {
            nf_str_append_text(out, "<td>");
            nf_page_text(out, json_object_get(row, keys[k]));
            nf_str_append_text(out, "</td>");
        }
        nf_str_append_text(out, "</tr>\n");
    }
    nf_str_append_text(out, "</table></details>\n");
}

/* Types of the model's own that joined a label. */
static void page_open(nf_str *out, const json_t *open) {
    size_t i;
    json_t *row;
    const json_t *merged = json_object_get(open, "merged");
    if (!open) return;
    nf_str_appendf(
        out,
        "<h2>Types that the model named</h2><p>%lld types became %lld labels: a type joins "
        "the label that it is nearest to if the cosine is %.2f or more.</p>\n",
        (long long)nf_page_count(open, "types"), (long long)nf_page_count(open, "labels"),
        nf_page_number(open, "threshold"));
    if (!json_array_size(merged)) return;
    nf_str_appendf(out,
                   "<details><summary>Which ones joined (%zu)</summary><table><tr><th>type</th>"
                   "<th>label</th><th>cosine</th><th>mentions</th></tr>\n",
                   json_array_size(merged));
    json_array_foreach(merged, i, row) {
        nf_str_append_text(out, "<tr><td>");
        nf_page_text(out, json_object_get(row, "type"));
        nf_str_append_text(out, "</td><td>");
        nf_page_text(out, json_object_get(row, "label"));
        nf_str_appendf(out, "</td><td>%.2f</td>", nf_page_number(row, "cosine"));
        page_cell(out, row, "mentions");
        nf_str_append_text(out, "</tr>\n");
    }
    nf_str_append_text(out, "</table></details>\n");
}

void nf_summary_html(const json_t *s, nf_str *out) {
    static const char *const why[] = {"why", NULL}, *const dropped[] = {"answer", "label", "why",
                                                                        NULL};
    const json_t *llm = json_object_get(s, "llm");
    nf_page_head(out, "annotation report");
    nf_str_appendf(out, "<h1>Annotation report</h1>\n<p class=\"muted\">nerfit %s", NERFIT_VERSION);
    if (llm) {
        nf_str_append_text(out, "; asked was <code>");
        nf_page_text(out, json_object_get(llm, "model"));
        nf_str_append_text(out, "</code> at <code>");
        nf_page_text(out, json_object_get(llm, "address"));
        nf_str_append_text(out, "</code>. ");
        nf_page_text(out, json_object_get(llm, "terms"));
    }
    nf_str_append_text(out, "</p>\n<div class=\"cards\">\n");
    nf_page_card(out, "texts annotated", "%.0f", nf_page_number(s, "annotated"));
    nf_page_card(out, "texts left out", "%.0f", nf_page_number(s, "failed"));
    nf_page_card(out, "entities", "%.0f", nf_page_number(s, "entities"));
    nf_page_card(out, "disputed", "%.0f", nf_page_number(s, "disputed"));
    if (json_object_get(s, "agreement"))
        nf_page_card(out, "agreement (%)", "%.1f", 100 * nf_page_number(s, "agreement"));
    nf_str_append_text(out, "</div>\n");
    page_audit(out, json_object_get(s, "audit"));
    page_labels(out, json_object_get(s, "labels"));
    page_open(out, json_object_get(s, "open"));
    if (llm) page_counts(out, "Answers found in the texts", json_object_get(llm, "aligned"));
    if (llm) page_counts(out, "Answers left out", json_object_get(llm, "dropped"));
    page_list(out, "Answers left out, one by one", json_object_get(llm, "dropped_answers"),
              dropped);
    page_list(out, "Texts left out", json_object_get(s, "failures"), why);
    nf_str_append_text(out, "</body></html>\n");
}
