/* Entities of a text. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "serve/project/project.h"

static int compare(const void *left, const void *right) {
    const nf_mark *a = left, *b = right;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    if (a->end != b->end) return a->end < b->end ? -1 : 1;
    return strcmp(a->label->name, b->label->name);
}

void nf_marks_sort(nf_marks *marks) {
    if (marks->count > 1) qsort(marks->items, marks->count, sizeof *marks->items, compare);
}

bool nf_marks_same(const nf_marks *a, const nf_marks *b) {
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (compare(&a->items[i], &b->items[i]) != 0) return false;
    return true;
}

bool nf_marks_overlap(const nf_marks *marks) {
    uint32_t end = 0;
    for (size_t i = 0; i < marks->count; i++) {
        if (marks->items[i].start < end) return true;
        end = marks->items[i].end;
    }
    return false;
}

/* Whether the code point at a byte is white space. */
static bool space_at(const nf_item *text, size_t byte) {
    uint32_t code_point;
    return nf_utf8_decode(text->text + byte, text->size - byte, &code_point) &&
           nf_is_space(code_point);
}

static nerfit_status check_one(const nf_mark *mark, nf_utf8_place *place, const nf_item *text,
                               nerfit_error *err) {
    if (mark->start >= mark->end || mark->end > text->length)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "an entity from %u to %u: expected a start before its end, in a text of "
                       "%zu characters",
                       mark->start, mark->end, text->length);
    nf_utf8_go_to(place, mark->start);
    bool space = space_at(text, place->byte);
    nf_utf8_go_to(place, mark->end - 1);
    if (!space && !space_at(text, place->byte)) return NERFIT_OK;
    return nf_fail(err, NERFIT_ARGUMENT, "an entity from %u to %u begins or ends with white space",
                   mark->start, mark->end);
}

nerfit_status nf_marks_check(nf_marks *marks, const nf_item *text, bool nested, nerfit_error *err) {
    nf_utf8_place place = {.text = text->text, .size = text->size};
    nf_marks_sort(marks);
    for (size_t i = 0; i < marks->count; i++) {
        const nf_mark *mark = &marks->items[i];
        NF_TRY(check_one(mark, &place, text, err));
        if (i && compare(mark - 1, mark) == 0)
            return nf_fail(err, NERFIT_ARGUMENT, "the entity \"%s\" from %u to %u is there twice",
                           mark->label->name, mark->start, mark->end);
    }
    if (nested || !nf_marks_overlap(marks)) return NERFIT_OK;
    return nf_fail(err, NERFIT_ARGUMENT,
                   "entities overlap, which this project does not allow (\"nested\")");
}

void nf_marks_relabel(nf_marks *marks, const nf_label *from, const nf_label *to) {
    size_t n = 0;
    for (size_t i = 0; i < marks->count; i++) {
        nf_mark mark = marks->items[i];
        if (mark.label == from && !to) continue;
        if (mark.label == from) mark.label = to;
        marks->items[n++] = mark;
    }
    marks->count = n;
    nf_marks_sort(marks);
    n = 0;
    for (size_t i = 0; i < marks->count; i++)
        if (!n || compare(&marks->items[n - 1], &marks->items[i]) != 0)
            marks->items[n++] = marks->items[i];
    marks->count = n;
}

json_t *nf_marks_json(const nf_marks *marks) {
    json_t *list = json_array();
    for (size_t i = 0; i < marks->count && list; i++) {
        const nf_mark *m = &marks->items[i];
        json_t *one =
            json_pack("[I, I, s]", (json_int_t)m->start, (json_int_t)m->end, m->label->name);
        if (one && json_array_append_new(list, one) == 0) continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

nf_given_mark nf_given_mark_of(const json_t *given) {
    bool list = json_is_array(given);
    const json_t *start = list ? json_array_get(given, 0) : json_object_get(given, "start");
    const json_t *end = list ? json_array_get(given, 1) : json_object_get(given, "end");
    const json_t *label = list ? json_array_get(given, 2) : json_object_get(given, "label");
    nf_given_mark m = {json_is_integer(start) && json_is_integer(end), -1, -1,
                       json_string_value(label)};
    if (m.has_place) m.start = json_integer_value(start), m.end = json_integer_value(end);
    return m;
}
