#include "recipe/drawn_columns.h"

#include <string.h>

#include "base/rng.h"

enum { STREAM_COLUMNS = 0x434F4C55 };

/* A draw in the making. */
typedef struct columns_maker {
    int32_t *types;     /* [n_types] chosen ones first */
    int32_t *column_of; /* [n_types] -1: none */
    size_t count;
    nf_arena *arena;
} columns_maker;

void nf_drawn_columns_free(nf_drawn_columns *columns) {
    nf_arena_free(&columns->arena);
    *columns = (nf_drawn_columns){0};
}

static void columns_take(columns_maker *m, int32_t type) {
    if (m->column_of[type] >= 0) return;
    m->column_of[type] = (int32_t)m->count;
    m->types[m->count++] = type;
}

/* Types of others' entities, one of a text drawn at a time: each as likely as it is annotated. */
static void columns_take_others(columns_maker *m, const nf_examples *set, size_t n_types,
                                nf_rng *rng) {
    size_t wanted = n_types < NF_MOST_COLUMNS ? n_types : NF_MOST_COLUMNS;
    for (size_t tries = 0; tries < 8 * wanted && m->count < wanted; tries++) {
        const nf_example *text = &set->items[nf_rng_below(rng, (uint32_t)set->count)];
        if (text->n_entities)
            columns_take(m, text->entities[nf_rng_below(rng, (uint32_t)text->n_entities)].type);
    }
    size_t from = nf_rng_below(rng, (uint32_t)n_types);
    for (size_t i = 0; i < n_types && m->count < wanted; i++)
        columns_take(m, (int32_t)((from + i) % n_types));
}

/* What was looked for in a text, of the columns. */
static nerfit_status columns_looked_for(const columns_maker *m, nf_example *text,
                                        nerfit_error *err) {
    if (!text->looked_for) return NERFIT_OK;
    int32_t *list = nf_arena_alloc(m->arena, text->n_looked_for * sizeof *list + 1);
    size_t n = 0;
    if (!list) return nf_no_memory(err, text->n_looked_for * sizeof *list);
    for (size_t i = 0; i < text->n_looked_for; i++)
        if (m->column_of[text->looked_for[i]] >= 0) list[n++] = m->column_of[text->looked_for[i]];
    text->looked_for = list;
    text->n_looked_for = n;
    return NERFIT_OK;
}

/* A text with columns for types. */
static nerfit_status columns_rename(const columns_maker *m, nf_example *text, nerfit_error *err) {
    int32_t *labels = nf_arena_alloc(m->arena, text->length * sizeof *labels + 1);
    nf_entity *entities = nf_arena_alloc(m->arena, text->n_entities * sizeof *entities + 1);
    if (!labels || !entities) return nf_no_memory(err, text->length * sizeof *labels);
    for (size_t i = 0; i < text->length; i++) {
        int32_t label = text->labels[i];
        labels[i] = label <= NF_LABEL_O ? label
                                        : nf_label_id(m->column_of[nf_label_type(label)],
                                                      nf_label_kind(label) == NF_KIND_I);
    }
    for (size_t i = 0; i < text->n_entities; i++) {
        entities[i] = text->entities[i];
        entities[i].type = m->column_of[entities[i].type];
    }
    text->labels = labels;
    text->entities = entities;
    return columns_looked_for(m, text, err);
}

nerfit_status nf_columns_draw(nf_drawn_columns *out, const nf_examples *set, size_t n_types,
                              uint64_t seed, uint64_t step, const nf_example **batch, size_t count,
                              nerfit_error *err) {
    nf_arena *arena = &out->arena;
    nf_arena_free(arena);
    columns_maker m = {.types = nf_arena_alloc(arena, n_types * sizeof *m.types),
                       .column_of = nf_arena_alloc(arena, n_types * sizeof *m.column_of),
                       .arena = arena};
    nf_example *texts = nf_arena_alloc(arena, count * sizeof *texts + 1);
    if (!m.types || !m.column_of || !texts) return nf_no_memory(err, n_types * sizeof *m.types);
    memset(m.column_of, -1, n_types * sizeof *m.column_of);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < batch[i]->n_entities; k++)
            columns_take(&m, batch[i]->entities[k].type);
    for (size_t i = 0; i < count; i++) /* of an entity that a window cut, a label may be left */
        for (size_t k = 0; k < batch[i]->length; k++)
            if (batch[i]->labels[k] > NF_LABEL_O)
                columns_take(&m, nf_label_type(batch[i]->labels[k]));
    nf_rng rng = nf_rng_new(seed, STREAM_COLUMNS + (step << 32));
    columns_take_others(&m, set, n_types, &rng);
    for (size_t i = 0; i < count; i++) {
        texts[i] = *batch[i];
        NF_TRY(columns_rename(&m, &texts[i], err));
        batch[i] = &texts[i];
    }
    out->types = m.types;
    out->count = m.count;
    return NERFIT_OK;
}
