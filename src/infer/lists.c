#include "infer/lists.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/utf8.h"
#include "data/document.h"
#include "data/fold.h"
#include "infer/lists_impl.h"
#include "labels/places.h"

void nf_lists_scratch_free(nf_lists_scratch *s) {
    nf_arena_free(&s->arena);
    nf_regex_scratch_free(&s->regex);
    free(s->found);
    *s = (nf_lists_scratch){0};
}

/* ---------------------------------------------------------------- finding */

static nerfit_status lists_put(nf_lists_scratch *s, const nf_list_use *use, uint32_t start,
                               uint32_t end, nerfit_error *err) {
    if (!nf_array_reserve(&s->found, &s->capacity, s->count + 1, sizeof *s->found))
        return nf_no_memory(err, s->count * sizeof *s->found);
    s->found[s->count++] = (nf_listed){start, end, use->label, use->forbids, use->order};
    return NERFIT_OK;
}

/* Terms that begin with the word at point `at` of the folded text. */
static nerfit_status lists_find_terms_at(const nf_lists *lists, nf_lists_scratch *s,
                                         const nf_folded *text, const uint8_t *edges, size_t at,
                                         nerfit_error *err) {
    for (size_t n = 1; n <= lists->longest && at + n <= text->count; n++) {
        uint32_t end = text->to[at + n - 1];
        if (!(edges[end] & NF_EDGE_END) || !nf_folded_is_place(text, at, at + n)) continue;
        nf_list_term *term;
        HASH_FIND(hh, lists->terms, text->points + at, n * sizeof *text->points, term);
        for (const nf_list_use *use = term ? term->uses : NULL; use; use = use->next)
            NF_TRY(lists_put(s, use, text->from[at], end, err));
    }
    return NERFIT_OK;
}

static nerfit_status lists_find_terms(const nf_lists *lists, nf_lists_scratch *s, const char *text,
                                      size_t size, nerfit_error *err) {
    nf_folded folded;
    uint8_t *edges;
    if (!lists->longest) return NERFIT_OK;
    NF_TRY(nf_fold(&folded, &s->arena, text, size, err));
    NF_TRY(nf_word_edges(&edges, &s->arena, text, size, err));
    for (size_t at = 0; at < folded.count; at++)
        if (edges[folded.from[at]] & NF_EDGE_START && (at == 0 || folded.points[at] != ' '))
            NF_TRY(lists_find_terms_at(lists, s, &folded, edges, at, err));
    return NERFIT_OK;
}

static nerfit_status lists_find_pattern(const nf_lists *lists, const nf_list_pattern *p,
                                        nf_lists_scratch *s, const char *text, size_t size,
                                        nerfit_error *err) {
    nf_regex_search search = {
        .regex = p->regex, .scratch = &s->regex, .text = text, .length = size};
    nf_regex_result result;
    size_t start, end;
    size_t byte = 0;
    uint32_t place = 0;
    while ((result = nf_regex_next(&search, &start, &end)) == NF_REGEX_FOUND) {
        const char *at = text + start;
        size_t length = end - start;
        nf_text_trim(&at, &length);
        if (length == 0) continue;
        place += (uint32_t)nf_utf8_count(text + byte, (size_t)(at - text) - byte);
        byte = (size_t)(at - text);
        NF_TRY(lists_put(s, &p->use, place, place + (uint32_t)nf_utf8_count(at, length), err));
    }
    if (result == NF_REGEX_NO_MEMORY) return nf_no_memory(err, 0);
    if (result == NF_REGEX_TOO_HARD)
        return nf_fail_at(err, NERFIT_ARGUMENT, lists->name, p->line, 0,
                          "the expression /%.80s/ takes more than ten million steps back in a "
                          "text; make it simpler",
                          p->text);
    return NERFIT_OK;
}

static int by_place(const void *a, const void *b) {
    const nf_listed *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end > y->end ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int by_label(const void *a, const void *b) {
    const nf_listed *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return x->start < y->start ? -1 : x->start > y->start;
}

static nerfit_status lists_index_forbidden(nf_lists_scratch *s, nerfit_error *err) {
    s->forbidden = nf_arena_alloc(&s->arena, s->count * sizeof *s->forbidden + 1);
    if (!s->forbidden) return nf_no_memory(err, s->count * sizeof *s->forbidden);
    for (size_t i = 0; i < s->count; i++)
        if (s->found[i].forbidden) s->forbidden[s->n_forbidden++] = s->found[i];
    if (s->n_forbidden) qsort(s->forbidden, s->n_forbidden, sizeof *s->forbidden, by_label);
    for (size_t i = 1; i < s->n_forbidden; i++) {
        nf_listed *f = &s->forbidden[i], *before = f - 1;
        if (f->label == before->label && f->end < before->end) f->end = before->end;
    }
    return NERFIT_OK;
}

nerfit_status nf_lists_find(const nf_lists *lists, nf_lists_scratch *s, const char *text,
                            size_t size, nerfit_error *err) {
    nf_arena_free(&s->arena);
    s->count = s->n_forbidden = 0;
    NF_TRY(lists_find_terms(lists, s, text, size, err));
    for (size_t i = 0; i < lists->n_patterns; i++)
        NF_TRY(lists_find_pattern(lists, &lists->patterns[i], s, text, size, err));
    if (s->count) qsort(s->found, s->count, sizeof *s->found, by_place);
    return lists_index_forbidden(s, err);
}

/* ---------------------------------------------------------------- beside a model */

/* The first of forbidden matches from .. that has another label, or begins behind `start`. */
static size_t lists_behind(const nf_lists_scratch *s, size_t from, int32_t label, uint32_t start) {
    size_t low = from, high = s->n_forbidden;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const nf_listed *f = &s->forbidden[middle];
        if (f->label > label || (f->label == label && f->start > start))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool nf_lists_forbid(const nf_rules *rules, const nf_lists_scratch *s, const nf_entity *e) {
    for (size_t from = 0; from < s->n_forbidden;) {
        int32_t label = s->forbidden[from].label;
        bool concerns = label == NF_LISTS_EVERY || rules->list_types[label] == e->type;
        size_t behind = concerns ? lists_behind(s, from, label, e->start) : from;
        if (behind > from && s->forbidden[behind - 1].end >= e->end) return true;
        from = lists_behind(s, from, label, UINT32_MAX);
    }
    return false;
}

static int longest_first(const void *a, const void *b) {
    const nf_listed *x = a, *y = b;
    uint32_t n = x->end - x->start, m = y->end - y->start;
    if (n != m) return n > m ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int entities_by_place(const void *a, const void *b) {
    const nf_entity *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return x->type < y->type ? -1 : x->type > y->type;
}

nerfit_status nf_lists_amend(const nf_rules *rules, nf_lists_scratch *s, const nf_text *text,
                             nf_tagged *tagged, nf_arena *arena, nerfit_error *err) {
    NF_TRY(nf_lists_find(rules->lists, s, text->text, text->size, err));
    return nf_lists_apply(rules, s, tagged, arena, err);
}

/* What lists add: the longest first, unless one is in the way that was added before. */
static nerfit_status lists_add(const nf_rules *rules, nf_lists_scratch *s, nf_places *places,
                               nf_entity *out, size_t *count, nerfit_error *err) {
    nf_listed *added = nf_arena_alloc(&s->arena, s->count * sizeof *added);
    size_t n = 0;
    if (!added) return nf_no_memory(err, s->count * sizeof *added);
    for (size_t i = 0; i < s->count; i++)
        if (!s->found[i].forbidden) added[n++] = s->found[i];
    if (n) qsort(added, n, sizeof *added, longest_first);
    for (size_t i = 0; i < n; i++) {
        nf_entity e = {added[i].start, added[i].end, rules->list_types[added[i].label], 1.0};
        if (nf_lists_forbid(rules, s, &e) || nf_places_has(places, &e)) continue;
        NF_TRY(nf_places_take(places, &e, err));
        out[(*count)++] = e;
    }
    return NERFIT_OK;
}

nerfit_status nf_lists_apply(const nf_rules *rules, nf_lists_scratch *s, nf_tagged *tagged,
                             nf_arena *arena, nerfit_error *err) {
    if (s->count == 0) return NERFIT_OK;
    bool may_overlap = rules->spans.nested || rules->spans.multi_label;
    size_t count = 0, length = 0;
    nf_places places;
    nf_entity *out = nf_arena_alloc(arena, (tagged->n_entities + s->count) * sizeof *out + 1);
    if (!out) return nf_no_memory(err, s->count * sizeof *out);
    for (size_t i = 0; i < s->count; i++)
        if (s->found[i].end > length) length = s->found[i].end;
    for (size_t i = 0; i < tagged->n_entities; i++)
        if (tagged->entities[i].end > length) length = tagged->entities[i].end;
    NF_TRY(nf_places_make(&places, length, may_overlap, &s->arena, err));
    nerfit_status status = lists_add(rules, s, &places, out, &count, err);
    for (size_t i = 0; i < tagged->n_entities; i++) {
        const nf_entity *e = &tagged->entities[i];
        if (!nf_lists_forbid(rules, s, e) && !nf_places_has(&places, e)) out[count++] = *e;
    }
    nf_places_free(&places);
    if (count) qsort(out, count, sizeof *out, entities_by_place);
    tagged->entities = out;
    tagged->n_entities = count;
    return status;
}
