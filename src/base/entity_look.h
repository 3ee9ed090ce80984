/* How entities look in HTML, wherever one is made: tagged texts (infer/outputs.c), reports
 * (report/), and the page of a project (serve/static), which takes the same style sheet.
 *
 * The look is displaCy's (spaCy 3's visualizer): a coloured box with the label behind the text, in
 * the 12 colours that its labels have, those labels in their own. A colour is a class, "hue0" to
 * "hue11"; a <mark class="entity hueN"> has the text and then the label in a <small>. */
#ifndef NF_BASE_ENTITY_LOOK_H
#define NF_BASE_ENTITY_LOOK_H

#include <stdint.h>

#include "base/str.h"

enum { NF_ENTITY_HUES = 12 };

/* The style sheet, NUL-terminated: light and dark, without an address of anything. */
const char *nf_entity_look_css(void);

/* Gives each of n labels its colour, hues [n]. A label prefers displaCy's colour for its name
 * (capitals or not), else one by the name's hash, and takes the next that is free: a function of the
 * set of labels, whatever their order. Beyond 12 labels colours are shared evenly. */
nerfit_status nf_entity_hues(const char *const *labels, size_t n, uint8_t *hues, nerfit_error *err);

typedef struct nf_entity_mark {
    size_t start, end; /* bytes of the text, end exclusive, start < end */
    const char *label;
    double score;    /* of what was found; negative: none */
    bool show_score; /* beside the label, not only where the pointer is */
    uint8_t hue;
} nf_entity_mark;

/* Appends the bytes start .. end-1 of a text, escaped, with the marks [n] that lie inside them; the
 * marks are sorted. They may nest; one that crosses another is drawn in two pieces. */
void nf_entity_html(nf_str *out, const char *text, size_t start, size_t end, nf_entity_mark *marks,
                    size_t n);

#endif
