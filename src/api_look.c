/* nerfit.h: how entities look. */
#include <stdlib.h>
#include <string.h>

#include "nerfit.h"

#include "base/entity_look.h"
#include "base/error.h"
#include "base/str.h"
#include "base/utf8.h"

const char *nerfit_entities_css(void) {
    return nf_entity_look_css();
}

/* The labels of a set and of the entities, each once, names [n_labels + count]; how many. */
static size_t distinct_names(const char *const *labels, size_t n_labels,
                             const nerfit_entity *entities, size_t count, const char **names) {
    size_t n = 0;
    for (size_t i = 0; i < n_labels + count; i++) {
        const char *name = i < n_labels ? labels[i] : entities[i - n_labels].label;
        if (nf_list_index(names, n, name) == n) names[n++] = name;
    }
    return n;
}

/* Entities with their places in bytes, and their colours among names [n], hues [n]. */
static nerfit_status mark_entities(const char *text, size_t size, const nerfit_entity *entities,
                                   size_t count, const char *const *names, const uint8_t *hues,
                                   nf_entity_mark *marks, nerfit_error *err) {
    for (size_t i = 0; i < count; i++) {
        const nerfit_entity *e = &entities[i];
        nf_utf8_place at = {text, size, 0, 0};
        nf_utf8_go_to(&at, e->start);
        size_t k = 0, start = at.byte;
        while (strcmp(names[k], e->label) != 0) k++;
        nf_utf8_go_to(&at, e->end);
        if (e->start >= e->end || at.index < e->end)
            return nf_fail(err, NERFIT_ARGUMENT, "entity %zu (\"%s\", %u..%u) is not in the text",
                           i + 1, e->label, e->start, e->end);
        marks[i] = (nf_entity_mark){
            .start = start, .end = at.byte, .label = e->label, .score = e->score, .hue = hues[k]};
    }
    return NERFIT_OK;
}

nerfit_status nerfit_entities_html(const char *text, size_t size, const nerfit_entity *entities,
                                   size_t count, const char *const *labels, size_t n_labels,
                                   char **html, nerfit_error *error) {
    const char **names = calloc(n_labels + count + 1, sizeof *names);
    uint8_t *hues = calloc(n_labels + count + 1, sizeof *hues);
    nf_entity_mark *marks = calloc(count + 1, sizeof *marks);
    nf_str out = {0};
    *html = NULL;
    nerfit_status status =
        names && hues && marks ? NERFIT_OK : nf_no_memory(error, n_labels + count);
    if (status == NERFIT_OK) {
        size_t n = distinct_names(labels, n_labels, entities, count, names);
        status = nf_entity_hues(names, n, hues, error);
    }
    if (status == NERFIT_OK)
        status = mark_entities(text, size, entities, count, names, hues, marks, error);
    if (status == NERFIT_OK) {
        nf_str_append_text(&out, "<div class=\"entities\" dir=\"auto\">");
        nf_entity_html(&out, text, 0, size, marks, count);
        nf_str_append_text(&out, "</div>");
        if (out.failed) status = nf_no_memory(error, size);
    }
    if (status == NERFIT_OK)
        *html = out.data;
    else
        nf_str_free(&out);
    free(names);
    free(hues);
    free(marks);
    return status;
}
