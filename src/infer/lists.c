#include "infer/lists.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/utf8.h"
#include "data/document.h"
#include "data/fold.h"
#include "infer/lists_impl.h"

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

nerfit_status nf_lists_find(const nf_lists *lists, nf_lists_scratch *s, const char *text,
                            size_t size, nerfit_error *err) {
    nf_arena_free(&s->arena);
    s->count = 0;
    NF_TRY(lists_find_terms(lists, s, text, size, err));
    for (size_t i = 0; i < lists->n_patterns; i++)
        NF_TRY(lists_find_pattern(lists, &lists->patterns[i], s, text, size, err));
    if (s->count) qsort(s->found, s->count, sizeof *s->found, by_place);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- beside a model */

bool nf_lists_forbid(const nf_rules *rules, const nf_lists_scratch *s, const nf_entity *e) {
    for (size_t i = 0; i < s->count && s->found[i].start <= e->start; i++) {
        const nf_listed *f = &s->found[i];
        if (f->forbidden && f->end >= e->end &&
            (f->label == NF_LISTS_EVERY || rules->list_types[f->label] == e->type))
            return true;
    }
    return false;
}

static int longest_first(const void *a, const void *b) {
    const nf_listed *x = a, *y = b;
    uint32_t n = x->end - x->start, m = y->end - y->start;
    if (n != m) return n > m ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static bool overlaps_any(const nf_entity *entities, size_t count, const nf_entity *e, bool nested) {
    for (size_t i = 0; i < count; i++) {
        bool same = entities[i].start == e->start && entities[i].end == e->end;
        if (nested ? same && entities[i].type == e->type : nf_entity_overlap(&entities[i], e) > 0)
            return true;
    }
    return false;
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

nerfit_status nf_lists_apply(const nf_rules *rules, nf_lists_scratch *s, nf_tagged *tagged,
                             nf_arena *arena, nerfit_error *err) {
    if (s->count == 0) return NERFIT_OK;
    bool nested = rules->spans.nested || rules->spans.multi_label;
    size_t count = 0;
    nf_entity *out = nf_arena_alloc(arena, (tagged->n_entities + s->count) * sizeof *out + 1);
    nf_listed *added = nf_arena_alloc(&s->arena, s->count * sizeof *added);
    if (!out || !added) return nf_no_memory(err, s->count * sizeof *out);
    size_t n_added = 0;
    for (size_t i = 0; i < s->count; i++)
        if (!s->found[i].forbidden) added[n_added++] = s->found[i];
    qsort(added, n_added, sizeof *added, longest_first);
    for (size_t i = 0; i < n_added; i++) {
        nf_entity e = {added[i].start, added[i].end, rules->list_types[added[i].label], 1.0};
        if (!nf_lists_forbid(rules, s, &e) && !overlaps_any(out, count, &e, nested))
            out[count++] = e;
    }
    size_t n_listed = count;
    for (size_t i = 0; i < tagged->n_entities; i++) {
        const nf_entity *e = &tagged->entities[i];
        if (!nf_lists_forbid(rules, s, e) && !overlaps_any(out, n_listed, e, nested))
            out[count++] = *e;
    }
    qsort(out, count, sizeof *out, entities_by_place);
    tagged->entities = out;
    tagged->n_entities = count;
    return NERFIT_OK;
}
