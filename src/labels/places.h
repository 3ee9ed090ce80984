/* Which places of a text are taken, where entities are chosen one by one: each unit of those that were, so
 * that nothing may overlap; or only the very same place of the same type, where entities may. */
#ifndef NF_LABELS_PLACES_H
#define NF_LABELS_PLACES_H

#include "base/arena.h"
#include "base/error.h"
#include "labels/entity.h"

typedef struct nf_places {
    uint8_t *units; /* [n_units] 1: taken; NULL: the same places alone count */
    struct nf_place *same;
    nf_arena *arena;
} nf_places;

/* Of entities that end at n_units at most, in the arena. */
nerfit_status nf_places_make(nf_places *out, size_t n_units, bool may_overlap, nf_arena *arena,
                             nerfit_error *err);
void nf_places_free(nf_places *places);
bool nf_places_has(const nf_places *places, const nf_entity *entity);
nerfit_status nf_places_take(nf_places *places, const nf_entity *entity, nerfit_error *err);
/* Gives all units of an entity back. Not where only the same places count. */
void nf_places_leave(nf_places *places, const nf_entity *entity);

#endif
