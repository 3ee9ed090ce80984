#include "base/entity_look.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/ascii.h"
#include "base/embed.h"
#include "base/error.h"
#include "base/fnv.h"
#include "base/number.h"

NF_EMBED(entity_look_css, "src/base/entity_look.css");

const char *nf_entity_look_css(void) {
    return entity_look_css_data;
}

/* ---------------------------------------------------------------- colours */

/* displaCy's labels in the order of the style sheet, and usual other names for three of them. */
static const struct {
    const char *label;
    uint8_t hue;
} known[] = {
    {"ORG", 0},          {"PRODUCT", 1},   {"GPE", 2},      {"LOC", 3},    {"PERSON", 4},
    {"NORP", 5},         {"FAC", 6},       {"EVENT", 7},    {"LAW", 8},    {"LANGUAGE", 8},
    {"WORK_OF_ART", 9},  {"DATE", 10},     {"TIME", 10},    {"MONEY", 11}, {"QUANTITY", 11},
    {"ORDINAL", 11},     {"CARDINAL", 11}, {"PERCENT", 11}, {"PER", 4},    {"LOCATION", 3},
    {"ORGANIZATION", 0},
};

static unsigned preferred_hue(const char *label) {
    for (size_t i = 0; i < NF_COUNT(known); i++)
        if (nf_ascii_same(known[i].label, label)) return known[i].hue;
    return (unsigned)(nf_hash_text(label, strlen(label)) >> 20) % NF_ENTITY_HUES;
}

static int by_name(const void *a, const void *b) {
    return strcmp(**(const char *const *const *)a, **(const char *const *const *)b);
}

nerfit_status nf_entity_hues(const char *const *labels, size_t n, uint8_t *hues,
                             nerfit_error *err) {
    enum { STRIDE = 5 }; /* to a colour that is not alike */
    size_t used[NF_ENTITY_HUES] = {0};
    const char *const **sorted = malloc((n + 1) * sizeof *sorted);
    if (!sorted) return nf_no_memory(err, n);
    for (size_t i = 0; i < n; i++) sorted[i] = &labels[i];
    qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 0; i < n; i++) {
        unsigned hue = preferred_hue(*sorted[i]);
        while (used[hue] > i / NF_ENTITY_HUES) hue = (hue + STRIDE) % NF_ENTITY_HUES;
        used[hue]++;
        hues[sorted[i] - labels] = (uint8_t)hue;
    }
    free(sorted);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- text */

static int by_place(const void *a, const void *b) {
    const nf_entity_mark *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end > y->end ? -1 : 1;
    return strcmp(x->label, y->label);
}

static void open_mark(nf_str *out, const nf_entity_mark *m) {
    char score[32];
    nf_str_appendf(out, "<mark class=\"entity hue%d\"", m->hue);
    if (m->score >= 0) {
        nf_print(score, sizeof score, "%.3f", m->score);
        nf_str_appendf(out, " title=\"%s\"", score);
    }
    nf_str_append_char(out, '>');
}

static void close_mark(nf_str *out, const nf_entity_mark *m, bool last_piece) {
    char score[32];
    if (last_piece) {
        nf_str_append_text(out, "<small>");
        nf_str_append_html(out, m->label, strlen(m->label));
        if (m->show_score && m->score >= 0) {
            nf_print(score, sizeof score, " %.2f", m->score);
            nf_str_append_text(out, score);
        }
        nf_str_append_text(out, "</small>");
    }
    nf_str_append_text(out, "</mark>");
}

/* Ends the marks of the stack that end at `at`. Those above one of them are closed and opened again
 * if they go on. Returns how many are open. */
static size_t close_marks(nf_str *out, const nf_entity_mark **open, size_t n_open, size_t at) {
    size_t first = 0, left;
    while (first < n_open && open[first]->end > at) first++;
    for (size_t i = n_open; i > first; i--) close_mark(out, open[i - 1], open[i - 1]->end <= at);
    left = first;
    for (size_t i = first; i < n_open; i++)
        if (open[i]->end > at) open_mark(out, open[left++] = open[i]);
    return left;
}

void nf_entity_html(nf_str *out, const char *text, size_t start, size_t end, nf_entity_mark *marks,
                    size_t n) {
    const nf_entity_mark **open = malloc((n + 1) * sizeof *open);
    size_t n_open = 0, next = 0, at = start;
    out->failed |= !open;
    if (!open) return;
    qsort(marks, n, sizeof *marks, by_place);
    while (n_open || next < n) {
        size_t stop = next < n ? marks[next].start : SIZE_MAX;
        bool opens = true;
        for (size_t i = 0; i < n_open; i++)
            if (open[i]->end <= stop) stop = open[i]->end, opens = false;
        nf_str_append_html(out, text + at, stop - at);
        at = stop;
        if (opens)
            open_mark(out, open[n_open++] = &marks[next++]);
        else
            n_open = close_marks(out, open, n_open, at);
    }
    nf_str_append_html(out, text + at, end - at);
    free(open);
}
