#include "serve/project/answers.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/entity_look.h"
#include "base/error.h"
#include "base/number.h"
#include "base/utf8.h"
#include "serve/project/tar.h"
#include "serve/server.h"

/* ---------------------------------------------------------------- what was asked */

nf_project *nf_request_project(nf_request *r) {
    if (!r->server->project)
        nf_request_fail(r, NF_FAILURE_NOT_FOUND,
                        "no project is served; nerfit serve --project FOLDER");
    return r->server->project;
}

json_t *nf_request_object(nf_request *r) {
    json_t *body = nf_request_json(r);
    if (!body || json_is_object(body)) return body;
    json_decref(body);
    nf_request_fail(r, NF_FAILURE_VALIDATION, "the body is no JSON object");
    return NULL;
}

bool nf_request_unit(nf_request *r, nf_unit *unit) {
    const char *name = nf_request_argument(r, "offsets");
    *unit = NF_UNIT_UTF16;
    if (!name || strcmp(name, "utf16") == 0) return true;
    *unit = NF_UNIT_CODE_POINT;
    if (strcmp(name, "codepoint") == 0) return true;
    nf_request_fail(r, NF_FAILURE_VALIDATION, "offsets: expected utf16 or codepoint");
    return false;
}

bool nf_request_number(nf_request *r, const char *name, uint64_t missing, uint64_t most,
                       uint64_t *out) {
    const char *text = nf_request_argument(r, name);
    *out = missing;
    if (!text || nf_whole_parse(text, most, out)) return true;
    nf_request_fail(r, NF_FAILURE_VALIDATION, "%s: expected a whole number up to %llu", name,
                    (unsigned long long)most);
    return false;
}

bool nf_request_member(nf_request *r, const json_t *object, const char *name, const char **out) {
    const json_t *value = json_object_get(object, name);
    *out = json_string_value(value);
    if (!value || *out || json_is_null(value)) return true;
    nf_request_fail(r, NF_FAILURE_VALIDATION, "\"%s\" is no text", name);
    return false;
}

bool nf_request_flag(nf_request *r, const json_t *object, const char *name, bool *out) {
    nerfit_error error;
    if (nf_asked_flag(out, object, name, &error)) return true;
    nf_request_fail_as(r, &error);
    return false;
}

nf_item *nf_request_item(nf_request *r, const nf_project *p, const char *id) {
    uint64_t number = 0;
    nf_item *text = nf_whole_parse(id, SIZE_MAX, &number) ? nf_project_text(p, number) : NULL;
    if (!text) nf_request_fail(r, NF_FAILURE_NOT_FOUND, "there is no text \"%.40s\"", id);
    return text;
}

/* ---------------------------------------------------------------- entities */

/* A byte of the text as an offset; bytes must rise to be quick. */
static size_t offset_at(nf_unit_place *at, const nf_utf8_place *place) {
    return nf_unit_offset(at, place->byte, place->index);
}

json_t *nf_marks_answer(const nf_item *text, const nf_marks *marks, nf_unit unit) {
    nf_utf8_place place = {.text = text->text, .size = text->size};
    nf_unit_place at = {.unit = unit, .text = text->text};
    json_t *list = json_array();
    for (size_t i = 0; i < marks->count && list; i++) {
        const nf_mark *m = &marks->items[i];
        nf_utf8_go_to(&place, m->start);
        size_t from = place.byte, start = offset_at(&at, &place);
        nf_utf8_go_to(&place, m->end);
        size_t end = offset_at(&at, &place);
        json_t *one =
            json_pack("{s:I, s:I, s:s, s:s%}", "start", (json_int_t)start, "end", (json_int_t)end,
                      "label", m->label->name, "text", text->text + from, place.byte - from);
        if (one && json_array_append_new(list, one) == 0) continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

/* The code point at an offset; false: outside of the text, or inside of a pair. */
static bool code_point_at(const nf_item *text, nf_unit unit, json_int_t offset, uint32_t *out) {
    size_t byte = 0, units = 0;
    uint32_t n = 0;
    if (offset < 0) return false;
    while (byte < text->size && units < (size_t)offset) {
        size_t size = nf_utf8_size((unsigned char)text->text[byte]);
        units += unit == NF_UNIT_UTF16 && size == 4 ? 2 : 1;
        byte += size;
        n++;
    }
    *out = n;
    return units == (size_t)offset;
}

static nerfit_status read_mark(nf_mark *mark, const nf_project *p, const nf_item *text,
                               const json_t *given, nf_unit unit, size_t i, nerfit_error *err) {
    nf_given_mark m = nf_given_mark_of(given);
    if (!m.has_place || !m.label)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "\"entities\": item %zu has not \"start\" and \"end\", whole numbers, and "
                       "\"label\", a text",
                       i + 1);
    if (!(mark->label = nf_project_label(p, m.label)))
        return nf_fail(err, NERFIT_ARGUMENT, "\"entities\": there is no label \"%.200s\"", m.label);
    if (code_point_at(text, unit, m.start, &mark->start) &&
        code_point_at(text, unit, m.end, &mark->end))
        return NERFIT_OK;
    return nf_fail(err, NERFIT_ARGUMENT,
                   "\"entities\": item %zu lies outside of the text, or divides a character",
                   i + 1);
}

nerfit_status nf_marks_read(nf_marks *marks, const nf_project *p, const nf_item *text,
                            const json_t *list, nf_unit unit, nerfit_error *err) {
    size_t i;
    const json_t *item;
    *marks = (nf_marks){0};
    if (!json_is_array(list)) return nf_fail(err, NERFIT_ARGUMENT, "\"entities\" is no list");
    if (!(marks->items = calloc(json_array_size(list) + 1, sizeof *marks->items)))
        return nf_no_memory(err, json_array_size(list));
    json_array_foreach(list, i, item)
        NF_TRY(read_mark(&marks->items[marks->count++], p, text, item, unit, i, err));
    return nf_marks_check(marks, text, p->nested, err);
}

/* ---------------------------------------------------------------- texts, labels */

json_t *nf_item_answer(const nf_item *text, nf_unit unit, size_t cut, bool with_entities) {
    size_t size = cut ? nf_utf8_offset(text->text, text->size, cut) : text->size;
    char id[24];
    nf_print(id, sizeof id, "%zu", text->id);
    json_t *answer =
        json_pack("{s:s, s:s%, s:b, s:s, s:I, s:s, s:s, s:I, s:I, s:o}", "id", id, "text",
                  text->text, size, "cut",
                  size<text->size, "status", nf_item_status_names[text->status], "revision",
                       (json_int_t)text->revision, "notes", text->notes, "file", text->file, "line",
                       (json_int_t)text->line, "n_entities", (json_int_t)text->marks.count,
                       "changed", text->changed> 0
                      ? json_real(text->changed)
                      : json_null());
    if (answer && text->beside) json_object_set(answer, "beside", text->beside);
    if (answer && with_entities)
        json_object_set_new(answer, "entities", nf_marks_answer(text, &text->marks, unit));
    return answer;
}

static json_t *text_or_null(const char *text) {
    return text ? json_string(text) : json_null();
}

/* The labels' colours [n_labels], as in all pages; NULL: out of memory. */
static uint8_t *hues_of(const nf_project *p) {
    const char **names = calloc(p->n_labels + 1, sizeof *names);
    uint8_t *hues = calloc(p->n_labels + 1, sizeof *hues);
    for (size_t i = 0; i < p->n_labels && names; i++) names[i] = p->labels[i]->name;
    bool made = names && hues && nf_entity_hues(names, p->n_labels, hues, NULL) == NERFIT_OK;
    free(names);
    if (made) return hues;
    free(hues);
    return NULL;
}

json_t *nf_labels_answer(const nf_project *p) {
    uint8_t *hues = hues_of(p);
    nf_label_use *uses = nf_project_label_uses(p);
    json_t *list = hues && uses ? json_array() : NULL;
    for (size_t i = 0; i < p->n_labels && list; i++) {
        const nf_label *l = p->labels[i];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:o, s:o, s:i, s:I, s:I}", "name", l->name, "description",
                            l->description, "color", text_or_null(l->color), "shortcut",
                            text_or_null(l->shortcut), "hue", hues[i], "entities",
                            (json_int_t)uses[i].entities, "texts", (json_int_t)uses[i].texts));
    }
    free(hues);
    free(uses);
    return list;
}

void nf_request_reply_labels(nf_request *r, const nf_project *p, json_t *more) {
    json_t *answer =
        json_pack("{s:I, s:o}", "revision", (json_int_t)p->revision, "labels", nf_labels_answer(p));
    if (answer && more) json_object_update(answer, more);
    json_decref(more);
    nf_request_reply_json(r, answer);
}

void nf_request_fail_change(nf_request *r, const nerfit_error *error) {
    if (error->code == NERFIT_IO || error->code == NERFIT_FORMAT)
        nf_request_fail(r, NF_FAILURE_INTERNAL, "nothing was saved: %s", error->text);
    else
        nf_request_fail_as(r, error);
}

void nf_project_file_name(char *out, size_t size, const nf_project *p, const char *ending) {
    size_t n = 0;
    for (const char *at = p->name; *at && n + 1 < size; at++)
        out[n++] = nf_ascii_is_alphanumeric(*at) || *at == '-' || *at == '_' ? *at : '_';
    out[n] = '\0';
    nf_print(out + n, size - n, "%s", ending);
}

void nf_request_reply_folder(nf_request *r, const nf_project *p, const char *folder,
                             const char *name) {
    int fd;
    uint64_t size;
    nerfit_error error;
    if (nf_tar_folder(folder, name, p->folder, &fd, &size, &error) != NERFIT_OK) {
        nf_request_fail_as(r, &error);
        return;
    }
    r->reply.file = fd;
    r->reply.file_size = size;
    r->reply.content_type = "application/x-tar";
    nf_request_set_header(r, "Content-Disposition", "attachment; filename=\"%s.tar\"", name);
}
