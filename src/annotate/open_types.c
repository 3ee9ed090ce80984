#include "annotate/open_types.h"

#include <stdlib.h>
#include <string.h>

#include "annotate/answer.h"
#include "annotate/similar.h"
#include "base/array.h"
#include "base/utf8.h"
#include "data/describing.h"
#include "data/descriptions.h"
#include "data/labels.h"

enum { MOST_NAME = 80, MOST_FURTHER = 8, MOST_MERGED_SHOWN = 1000 };

void nf_open_types_free(nf_open_types *t) {
    HASH_CLEAR(hh, t->map);
    free(t->list);
    nf_arena_free(&t->arena);
    *t = (nf_open_types){0};
}

/* ---------------------------------------------------------------- collecting */

/* A text with single blanks between its words, in the arena; NULL: out of memory. */
static const char *tidy(nf_arena *arena, const char *text) {
    char *out = nf_arena_strdup(arena, text), *to = out;
    if (!out) return NULL;
    size_t size = strlen(text);
    bool blank = false;
    for (size_t at = 0; at < size;) {
        uint32_t c = 0;
        size_t step = nf_utf8_decode(text + at, size - at, &c);
        if (step == 0) step = 1;
        if (nf_is_space(c)) {
            blank = to > out;
        } else {
            if (blank) *to++ = ' ';
            blank = false;
            memcpy(to, text + at, step);
            to += step;
        }
        at += step;
    }
    *to = '\0';
    return out;
}

static nf_open_type *types_find(const nf_open_types *t, const nf_folded *key) {
    nf_open_type *found;
    HASH_FIND(hh, t->map, key->points, key->count * sizeof *key->points, found);
    return found;
}

static nerfit_status types_add(nf_open_types *t, const nf_folded *key, const char *name,
                               nf_open_type **out, nerfit_error *err) {
    nf_open_type *type = *out = nf_arena_calloc(&t->arena, 1, sizeof *type);
    size_t size = key->count * sizeof *key->points;
    if (!type || !(type->key = nf_arena_alloc(&t->arena, size)) ||
        !(type->name = tidy(&t->arena, name)) ||
        !nf_array_reserve(&t->list, &t->capacity, t->count + 1, sizeof *t->list))
        return nf_no_memory(err, size);
    memcpy(type->key, key->points, size);
    type->key_size = size;
    type->about = "";
    type->order = t->count;
    HASH_ADD_KEYPTR(hh, t->map, type->key, type->key_size, type);
    if (!type->hh.tbl) return nf_no_memory(err, sizeof *type);
    t->list[t->count++] = type;
    return NERFIT_OK;
}

nerfit_status nf_open_types_see(nf_open_types *t, const char *name, const char *about, bool *taken,
                                nerfit_error *err) {
    nf_arena scratch = {0};
    nf_folded key = {0};
    nerfit_status status = NERFIT_OK;
    *taken = name && nf_utf8_count(name, strlen(name)) <= MOST_NAME;
    if (*taken && !nf_answer_label_key(&key, name, &scratch))
        status = nf_no_memory(err, strlen(name));
    *taken = *taken && key.count > 0;
    if (status == NERFIT_OK && *taken) {
        nf_open_type *type = types_find(t, &key);
        if (!type) status = types_add(t, &key, name, &type, err);
        if (status == NERFIT_OK && !*type->about && about &&
            !(type->about = tidy(&t->arena, about)))
            status = nf_no_memory(err, strlen(about));
        if (status == NERFIT_OK) type->mentions++;
    }
    nf_arena_free(&scratch);
    return status;
}

void nf_open_types_text(nf_str *out, const char *name, const char *about) {
    nf_str_append_text(out, name);
    if (*about) nf_str_appendf(out, ": %s", about);
}

/* ---------------------------------------------------------------- merging */

static int most_mentioned_first(const void *a, const void *b) {
    const nf_open_type *x = *(const nf_open_type *const *)a, *y = *(const nf_open_type *const *)b;
    if (x->mentions != y->mentions) return x->mentions > y->mentions ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Labels that grow, with the vectors that stand for them. */
typedef struct open_merge {
    nf_open_types *types;
    const char **names, **descriptions;
    nf_label_texts *further;
    const float **vectors; /* NULL each without vectors */
    size_t count, size;
    double threshold;
    nerfit_error *err;
} open_merge;

/* What else a label is called or described, if it is not that already and there is room. */
static void add_text(const char **texts, size_t *count, const char *own, const char *text) {
    bool known = !*text || strcmp(text, own) == 0 || *count == MOST_FURTHER;
    for (size_t i = 0; i < *count && !known; i++) known = strcmp(text, texts[i]) == 0;
    if (!known) texts[(*count)++] = text;
}

static bool merge_further(open_merge *m, int32_t label, const char *name, const char *about) {
    nf_label_texts *f = &m->further[label];
    nf_arena *arena = &m->types->arena;
    if (!f->names) {
        f->names = nf_arena_calloc(arena, MOST_FURTHER, sizeof *f->names);
        f->descriptions = nf_arena_calloc(arena, MOST_FURTHER, sizeof *f->descriptions);
        if (!f->names || !f->descriptions) return false;
    }
    add_text(f->names, &f->n_names, m->names[label], name);
    add_text(f->descriptions, &f->n_descriptions, m->descriptions[label], about);
    return true;
}

/* Types that are called as a known label is, or as one of its other names. */
static nerfit_status merge_known_name(open_merge *m, int32_t label, const char *name) {
    nf_arena scratch = {0};
    nf_folded key;
    nf_open_type *type = NULL;
    bool made = nf_answer_label_key(&key, name, &scratch);
    if (made && key.count) type = types_find(m->types, &key);
    if (type && type->label < 0) type->label = label;
    nf_arena_free(&scratch);
    return made ? NERFIT_OK : nf_no_memory(m->err, strlen(name));
}

static nerfit_status merge_known(open_merge *m, const nf_job_labels *known, const float *vectors) {
    for (size_t i = 0; i < known->count; i++) {
        m->names[i] = known->names[i];
        m->descriptions[i] = known->descriptions[i];
        m->vectors[i] = vectors ? vectors + i * m->size : NULL;
        NF_TRY(merge_known_name(m, (int32_t)i, known->names[i]));
        const nf_label_texts none = {0}, *further = known->further ? &known->further[i] : &none;
        bool made = true;
        for (size_t k = 0; k < further->n_names; k++) {
            NF_TRY(merge_known_name(m, (int32_t)i, further->names[k]));
            made = made && merge_further(m, (int32_t)i, further->names[k], "");
        }
        for (size_t k = 0; k < further->n_descriptions; k++)
            made = made && merge_further(m, (int32_t)i, "", further->descriptions[k]);
        if (!made) return nf_no_memory(m->err, MOST_FURTHER);
    }
    m->count = m->types->n_known = known->count;
    return NERFIT_OK;
}

/* The nearest label; one of its own if none is near. */
static void merge_type(open_merge *m, nf_open_type *type, const float *vector) {
    type->cosine = 1;
    if (type->label >= 0) return; /* by its name */
    size_t best = m->count;
    double nearest = m->threshold;
    for (size_t i = 0; i < m->count && vector; i++) {
        double c = m->vectors[i] ? nf_unit_cosine(vector, m->vectors[i], m->size) : -1;
        if (c >= nearest && (best == m->count || c > nearest)) nearest = c, best = i;
    }
    type->label = (int32_t)best;
    if (best < m->count) {
        type->cosine = nearest;
        return;
    }
    m->names[m->count] = type->name;
    m->descriptions[m->count] = type->about;
    m->vectors[m->count++] = vector;
}

nerfit_status nf_open_types_merge(nf_open_types *t, const nf_job_labels *known,
                                  const float *vectors, size_t size, double threshold,
                                  nerfit_error *err) {
    size_t most = known->count + t->count;
    open_merge m = {.types = t,
                    .names = nf_arena_calloc(&t->arena, most + 1, sizeof *m.names),
                    .descriptions = nf_arena_calloc(&t->arena, most + 1, sizeof *m.descriptions),
                    .further = nf_arena_calloc(&t->arena, most + 1, sizeof *m.further),
                    .vectors = nf_arena_calloc(&t->arena, most + 1, sizeof *m.vectors),
                    .size = size,
                    .threshold = threshold,
                    .err = err};
    if (!m.names || !m.descriptions || !m.further || !m.vectors)
        return nf_no_memory(err, most * sizeof *m.names);
    for (size_t i = 0; i < t->count; i++) t->list[i]->label = -1;
    NF_TRY(merge_known(&m, known, vectors));
    if (t->count) qsort(t->list, t->count, sizeof *t->list, most_mentioned_first);
    const float *own = vectors ? vectors + known->count * size : NULL;
    for (size_t i = 0; i < t->count; i++)
        merge_type(&m, t->list[i], own ? own + t->list[i]->order * size : NULL);
    for (size_t i = 0; i < t->count; i++)
        if (!merge_further(&m, t->list[i]->label, t->list[i]->name, t->list[i]->about))
            return nf_no_memory(err, MOST_FURTHER);
    t->labels = (nf_job_labels){m.names, m.descriptions, m.further, m.count};
    return NERFIT_OK;
}

int32_t nf_open_types_label(const nf_open_types *t, const char *name, nf_arena *arena) {
    nf_folded key;
    if (!name || !nf_answer_label_key(&key, name, arena) || key.count == 0) return -1;
    const nf_open_type *type = types_find(t, &key);
    return type ? type->label : -1;
}

/* ---------------------------------------------------------------- what it came to */

json_t *nf_open_types_json(const nf_open_types *t, double threshold) {
    json_t *merged = json_array();
    for (size_t i = 0; i < t->count && json_array_size(merged) < MOST_MERGED_SHOWN; i++) {
        const nf_open_type *type = t->list[i];
        const char *label = t->labels.names[type->label];
        if (strcmp(label, type->name) == 0) continue;
        json_array_append_new(merged, json_pack("{s:s, s:s, s:f, s:I}", "type", type->name, "label",
                                                label, "cosine", type->cosine, "mentions",
                                                (json_int_t)type->mentions));
    }
    return json_pack("{s:I, s:I, s:I, s:f, s:o}", "types", (json_int_t)t->count, "labels",
                     (json_int_t)t->labels.count, "known", (json_int_t)t->n_known, "threshold",
                     threshold, "merged", merged);
}

void nf_open_types_descriptions(const nf_open_types *t, nf_str *out) {
    nf_arena arena = {0};
    size_t n = t->labels.count;
    const char **texts = nf_arena_calloc(&arena, n + 1, sizeof *texts);
    for (size_t i = 0; i < n && texts; i++) {
        texts[i] = t->labels.descriptions[i];
        if (!*texts[i]) texts[i] = nf_label_phrase(&arena, t->labels.names[i]);
        if (!texts[i]) out->failed = true;
    }
    const nf_descriptions all = {
        .labels = (const char **)t->labels.names, .texts = texts, .count = n};
    if (!texts) out->failed = true;
    if (!out->failed) nf_descriptions_format(out, &all, false);
    nf_arena_free(&arena);
}

static void append_texts(nf_str *out, const char *key, const char *const *texts, size_t n) {
    if (n == 0) return;
    nf_str_appendf(out, "  %s:\n", key);
    for (size_t i = 0; i < n; i++) {
        nf_str_append_text(out, "  - ");
        nf_str_append_json(out, texts[i], strlen(texts[i]));
        nf_str_append_char(out, '\n');
    }
}

/* Texts in quotes, as JSON has them, which YAML reads alike. */
void nf_open_types_synonyms(const nf_open_types *t, nf_str *out) {
    for (size_t i = 0; i < t->labels.count; i++) {
        const nf_label_texts *f = &t->labels.further[i];
        if (f->n_names + f->n_descriptions == 0) continue;
        nf_str_append_json(out, t->labels.names[i], strlen(t->labels.names[i]));
        nf_str_append_text(out, ":\n");
        append_texts(out, "synonyms", f->names, f->n_names);
        append_texts(out, "descriptions", f->descriptions, f->n_descriptions);
    }
}
