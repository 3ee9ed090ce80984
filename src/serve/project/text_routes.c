/* /project/texts: finding, reading and annotating them. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"
#include "serve/project/answers.h"
#include "serve/project/findings.h"
#include "serve/project/routes.h"
#include "serve/project/search.h"
#include "serve/project/suggester.h"
#include "serve/project/work.h"

enum { MOST_LISTED = 500, CUT = 200, MOST_QUERY = 1000 };

/* ---------------------------------------------------------------- which texts */

typedef struct filter {
    bool status[NF_TEXT_STATUSES];
    const nf_label *label;
    bool any_label, draft, notes;
    const json_t *disagreements; /* numbers; NULL: all may pass */
    uint64_t since;              /* a later change has settled it */
    nf_search search;
} filter;

/* "open,skipped"; false: the reply says what is wrong. */
static bool read_statuses(nf_request *r, filter *f) {
    const char *at = nf_request_argument(r, "status"), *end;
    for (int i = 0; i < NF_TEXT_STATUSES; i++) f->status[i] = !at || !*at;
    for (; at && *at; at = *end ? end + 1 : end) {
        end = at + strcspn(at, ",");
        nf_item_status status = nf_item_status_of(at, (size_t)(end - at));
        if (status == NF_TEXT_STATUSES) {
            nf_request_fail(r, NF_FAILURE_VALIDATION,
                            "status: expected some of open,accepted,rejected,skipped");
            return false;
        }
        f->status[status] = true;
    }
    return true;
}

/* "?order=" is the first one (if it is not given) or the second; false: the reply says what is wrong. */
static bool read_order(nf_request *r, const char *first, const char *second, bool *is_second) {
    const char *given = nf_request_argument(r, "order");
    *is_second = given && strcmp(given, second) == 0;
    if (!given || *is_second || strcmp(given, first) == 0) return true;
    nf_request_fail(r, NF_FAILURE_VALIDATION, "order: expected %s or %s", first, second);
    return false;
}

static bool read_filter(nf_request *r, nf_project *p, filter *f) {
    const char *label = nf_request_argument(r, "label");
    const char *search = nf_request_argument(r, "search");
    const char *what = nf_request_argument(r, "filter");
    *f = (filter){.any_label = !label || !*label};
    if (!read_statuses(r, f)) return false;
    if (!f->any_label && !(f->label = nf_project_label(p, label))) {
        nf_request_fail(r, NF_FAILURE_NOT_FOUND, "there is no label \"%.200s\"", label);
        return false;
    }
    if (search && strlen(search) > MOST_QUERY) {
        nf_request_fail(r, NF_FAILURE_VALIDATION, "search: more than %d bytes", MOST_QUERY);
        return false;
    }
    if (search && !nf_search_begin(&f->search, search, strlen(search))) {
        nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
        return false;
    }
    f->draft = what && strcmp(what, "draft") == 0;
    f->notes = what && strcmp(what, "notes") == 0;
    if (what && strcmp(what, "disagreement") == 0) {
        f->disagreements = nf_project_disagreements(p);
        f->since = (uint64_t)json_integer_value(json_object_get(p->disagreements, "revision"));
        if (f->disagreements) return true;
        nf_request_fail(
            r, NF_FAILURE_CONFLICT,
            "there is no model, trained and measured, that annotations could disagree with");
        nf_search_end(&f->search);
        return false;
    }
    if (!what || !*what || f->draft || f->notes) return true;
    nf_request_fail(r, NF_FAILURE_VALIDATION, "filter: expected disagreement, draft or notes");
    nf_search_end(&f->search);
    return false;
}

static bool has_label(const nf_item *text, const nf_label *label) {
    for (size_t i = 0; i < text->marks.count; i++)
        if (text->marks.items[i].label == label) return true;
    return false;
}

static bool is_disputed(const filter *f, const nf_item *text) {
    char id[24];
    nf_print(id, sizeof id, "%zu", text->id);
    return text->revision <= f->since && json_object_get(f->disagreements, id);
}

static bool passes(const filter *f, const nf_item *text) {
    return !text->deleted && f->status[text->status] &&
           (f->any_label || has_label(text, f->label)) &&
           (!f->draft || (text->status == NF_TEXT_OPEN && text->marks.count)) &&
           (!f->notes || *text->notes) && (!f->disagreements || is_disputed(f, text)) &&
           nf_search_matches(&f->search, text->text, text->size);
}

static int by_change(const void *left, const void *right) {
    const nf_item *a = *(nf_item *const *)left, *b = *(nf_item *const *)right;
    return a->revision < b->revision ? 1 : a->revision > b->revision ? -1 : 0;
}

/* ---------------------------------------------------------------- lists */

/* A member of the list's page; false: out of memory. */
static bool list_texts(json_t *list, nf_item *const *texts, size_t count, nf_unit unit, bool cut,
                       bool entities) {
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(list, nf_item_answer(texts[i], unit, cut ? CUT : 0, entities)) !=
            0)
            return false;
    return true;
}

static bool is_argument(const nf_request *r, const char *name, const char *value) {
    const char *given = nf_request_argument(r, name);
    return given && strcmp(given, value) == 0;
}

void nf_route_texts(nf_request *r) {
    nf_project *p = nf_request_project(r);
    uint64_t offset, limit;
    nf_unit unit;
    filter f;
    bool changed_first;
    if (!p || !nf_request_unit(r, &unit) || !read_order(r, "file", "changed", &changed_first) ||
        !nf_request_number(r, "offset", 0, SIZE_MAX, &offset) ||
        !nf_request_number(r, "limit", 50, MOST_LISTED, &limit) || !read_filter(r, p, &f))
        return;
    nf_item **found = calloc(p->n_texts + 1, sizeof *found);
    size_t n = 0;
    for (size_t i = 0; i < p->n_texts && found; i++)
        if (passes(&f, p->texts[i])) found[n++] = p->texts[i];
    if (found && changed_first && n > 1) qsort(found, n, sizeof(nf_item *), by_change);
    if (offset > n) offset = n;
    if (limit > n - offset) limit = n - offset;
    json_t *list = found ? json_array() : NULL, *answer = NULL;
    if (list && list_texts(list, found + offset, limit, unit, is_argument(r, "text", "short"),
                           is_argument(r, "entities", "true")))
        answer = json_pack("{s:I, s:I, s:I, s:O}", "total", (json_int_t)n, "offset",
                           (json_int_t)offset, "revision", (json_int_t)p->revision, "texts", list);
    json_decref(list);
    nf_request_reply_json(r, answer);
    free(found);
    nf_search_end(&f.search);
}

/* ---------------------------------------------------------------- one text */

/* The next text that is there, in one direction; null if there is none. */
static json_t *neighbour(const nf_project *p, const nf_item *text, int step) {
    for (size_t id = text->id + (size_t)step; id && id <= p->n_texts; id += (size_t)step)
        if (nf_project_text(p, id)) return json_sprintf("%zu", id);
    return json_null();
}

/* `more` (may be NULL): members beside the text's. */
static void reply_text(nf_request *r, const nf_project *p, const nf_item *text, nf_unit unit,
                       json_t *more) {
    json_t *answer = nf_item_answer(text, unit, 0, true);
    if (answer) {
        json_object_set_new(answer, "previous", neighbour(p, text, -1));
        json_object_set_new(answer, "next", neighbour(p, text, 1));
        json_object_update(answer, more);
    }
    nf_request_reply_json(r, answer);
}

/* What of the path stands behind "/project/texts/". */
static const char *rest_of(const nf_request *r) {
    return r->path + strlen(r->route->path);
}

static bool is_event_of(const json_t *event, const nf_item *text) {
    return json_integer_value(json_object_get(event, "id")) == (json_int_t)text->id;
}

typedef struct history {
    const nf_item *text;
    json_t *events;
} history;

static nerfit_status see_event(void *user, const json_t *event, long number, nerfit_error *err) {
    history *h = user;
    (void)number;
    if (!is_event_of(event, h->text)) return NERFIT_OK;
    json_t *copy = json_copy((json_t *)(uintptr_t)event);
    if (!copy || json_object_del(copy, "id") != 0 || json_array_append_new(h->events, copy) != 0)
        return nf_no_memory(err, 0);
    return NERFIT_OK;
}

static void reply_history(nf_request *r, const nf_project *p, const nf_item *text) {
    history h = {text, json_array()};
    nerfit_error error;
    nerfit_status status = h.events ? nf_lines_load(p->events_file.path, see_event, &h, &error)
                                    : nf_no_memory(&error, 0);
    if (status != NERFIT_OK)
        nf_request_fail_as(r, &error);
    else
        nf_request_reply_json(r, json_pack("{s:O}", "events", h.events));
    json_decref(h.events);
}

void nf_route_text(nf_request *r) {
    nf_project *p = nf_request_project(r);
    nf_unit unit;
    if (!p || !nf_request_unit(r, &unit)) return;
    const char *rest = rest_of(r), *slash = strchr(rest, '/');
    char *id = slash ? strndup(rest, (size_t)(slash - rest)) : strdup(rest);
    if (slash && strcmp(slash, "/history") != 0) {
        nf_request_fail(r, NF_FAILURE_NOT_FOUND, "a text has no %.40s", slash);
    } else {
        const nf_item *text = nf_request_item(r, p, id ? id : "");
        if (text && slash)
            reply_history(r, p, text);
        else if (text)
            reply_text(r, p, text, unit, NULL);
    }
    free(id);
}

/* ---------------------------------------------------------------- changes */

static void reply_conflict(nf_request *r, const nf_item *text, nf_unit unit) {
    nf_request_fail_with(r, NF_FAILURE_CONFLICT,
                         json_pack("{s:o}", "current", nf_item_answer(text, unit, 0, true)),
                         "the text has been changed meanwhile");
}

/* Whether `revision` is the text's; else the reply says so. */
static bool is_current(nf_request *r, const nf_item *text, const json_t *revision, nf_unit unit) {
    if (!json_is_integer(revision)) {
        nf_request_fail(r, NF_FAILURE_VALIDATION,
                        "\"revision\" is missing: that of the text as it was seen");
        return false;
    }
    if ((uint64_t)json_integer_value(revision) == text->revision) return true;
    reply_conflict(r, text, unit);
    return false;
}

/* What the body says, upon what the text is; d->marks.items is freed by the caller. */
static bool read_decision(nf_request *r, const nf_project *p, nf_item *text, const json_t *body,
                          nf_unit unit, nf_decision *d) {
    const char *status, *notes;
    nerfit_error error;
    const json_t *entities = json_object_get(body, "entities");
    if (!nf_request_member(r, body, "status", &status) ||
        !nf_request_member(r, body, "notes", &notes) || !nf_request_member(r, body, "by", &d->by))
        return false;
    d->text = text;
    d->notes = notes ? notes : text->notes;
    d->status = status ? nf_item_status_of(status, strlen(status)) : text->status;
    if (d->status == NF_TEXT_STATUSES) {
        nf_request_fail(r, NF_FAILURE_VALIDATION,
                        "\"status\" is none of open, accepted, rejected, skipped");
        return false;
    }
    if (entities) {
        if (nf_marks_read(&d->marks, p, text, entities, unit, &error) == NERFIT_OK) return true;
        nf_request_fail_as(r, &error);
        return false;
    }
    d->marks = (nf_marks){calloc(text->marks.count + 1, sizeof *d->marks.items), 0};
    if (!d->marks.items) {
        nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
        return false;
    }
    for (; d->marks.count < text->marks.count; d->marks.count++)
        d->marks.items[d->marks.count] = text->marks.items[d->marks.count];
    return true;
}

void nf_route_text_set(nf_request *r) {
    nf_project *p = nf_request_project(r);
    nf_unit unit;
    nerfit_error error;
    nf_decision d = {0};
    if (!p || !nf_request_unit(r, &unit)) return;
    nf_item *text = nf_request_item(r, p, rest_of(r));
    json_t *body = text ? nf_request_object(r) : NULL;
    if (body && is_current(r, text, json_object_get(body, "revision"), unit) &&
        read_decision(r, p, text, body, unit, &d)) {
        if (nf_project_decide(p, &d, 1, &error) != NERFIT_OK)
            nf_request_fail_change(r, &error);
        else
            reply_text(r, p, text, unit, NULL);
    }
    free(d.marks.items);
    json_decref(body);
}

void nf_route_text_delete(nf_request *r) {
    nf_project *p = nf_request_project(r);
    nf_unit unit;
    uint64_t revision;
    nerfit_error error;
    if (!p || !nf_request_unit(r, &unit)) return;
    nf_item *text = nf_request_item(r, p, rest_of(r));
    if (!text || !nf_request_number(r, "revision", 0, INT64_MAX, &revision)) return;
    json_t *given = nf_request_argument(r, "revision") ? json_integer((json_int_t)revision) : NULL;
    if (is_current(r, text, given, unit)) {
        if (nf_project_delete_text(p, text, &error) != NERFIT_OK)
            nf_request_fail_change(r, &error);
        else
            nf_request_reply_json(
                r, json_pack("{s:b, s:I}", "deleted", 1, "revision", (json_int_t)p->revision));
    }
    json_decref(given);
}

/* ---------------------------------------------------------------- what comes next */

/* The best of the ranking that passes; *why: of the suggestion. NULL: none does. */
static const nf_item *suggested(const nf_project *p, const filter *f, uint64_t after,
                                json_t **why) {
    json_t *ranking = nf_suggester_ranking(p->suggester), *one;
    const nf_item *found = NULL;
    size_t i;
    json_array_foreach(ranking, i, one) {
        const nf_item *text =
            nf_project_text(p, (size_t)json_integer_value(json_array_get(one, 0)));
        if (!text || !passes(f, text) || text->id == after) continue;
        found = text;
        *why = json_incref(json_array_get(one, 1));
        break;
    }
    json_decref(ranking);
    return found;
}

static const nf_item *next_in_order(const nf_project *p, const filter *f, uint64_t after) {
    if (after > p->n_texts) after = 0;
    for (size_t i = 0; i < p->n_texts; i++) {
        const nf_item *text = p->texts[(after + i) % p->n_texts];
        if (passes(f, text) && text->id != after) return text;
    }
    return NULL;
}

void nf_route_next(nf_request *r) {
    nf_project *p = nf_request_project(r);
    nf_unit unit;
    uint64_t after;
    filter f;
    bool by_suggestion;
    if (!p || !nf_request_unit(r, &unit) || !read_order(r, "file", "suggest", &by_suggestion) ||
        !nf_request_number(r, "after", 0, SIZE_MAX, &after) || !read_filter(r, p, &f))
        return;
    if (!nf_request_argument(r, "status")) {
        memset(f.status, 0, sizeof f.status);
        f.status[NF_TEXT_OPEN] = true;
    }
    json_t *more = json_object(), *why = NULL;
    const nf_item *found = NULL;
    if (by_suggestion) {
        nf_project_suggest(p, r->server, false,
                           NULL); /* what fails there is told in GET /project */
        found = suggested(p, &f, after, &why);
    }
    json_object_set_new(more, "order", json_string(found ? "suggest" : "file"));
    if (why) json_object_set_new(more, "why", why);
    if (!found) found = next_in_order(p, &f, after);
    if (found)
        reply_text(r, p, found, unit, more);
    else
        nf_request_reply_json(r, json_pack("{s:n}", "id"));
    json_decref(more);
    nf_search_end(&f.search);
}
