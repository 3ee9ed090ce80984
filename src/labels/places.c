#include "labels/places.h"

#include <string.h>

#include "base/hash.h"

typedef struct place_key {
    uint32_t start, end;
    int32_t type;
} place_key;

struct nf_place {
    place_key key;
    UT_hash_handle hh;
};

nerfit_status nf_places_make(nf_places *out, size_t n_units, bool may_overlap, nf_arena *arena,
                             nerfit_error *err) {
    *out = (nf_places){.arena = arena};
    if (may_overlap) return NERFIT_OK;
    out->units = nf_arena_calloc(arena, n_units + 1, sizeof *out->units);
    return out->units ? NERFIT_OK : nf_no_memory(err, n_units);
}

void nf_places_free(nf_places *places) {
    HASH_CLEAR(hh, places->same);
    *places = (nf_places){0};
}

bool nf_places_has(const nf_places *places, const nf_entity *e) {
    if (places->units) return memchr(places->units + e->start, 1, e->end - e->start);
    const place_key key = {e->start, e->end, e->type};
    struct nf_place *found;
    HASH_FIND(hh, places->same, &key, sizeof key, found);
    return found != NULL;
}

nerfit_status nf_places_take(nf_places *places, const nf_entity *e, nerfit_error *err) {
    if (places->units) {
        memset(places->units + e->start, 1, e->end - e->start);
        return NERFIT_OK;
    }
    if (nf_places_has(places, e)) return NERFIT_OK;
    struct nf_place *place = nf_arena_calloc(places->arena, 1, sizeof *place);
    if (!place) return nf_no_memory(err, sizeof *place);
    place->key = (place_key){e->start, e->end, e->type};
    HASH_ADD(hh, places->same, key, sizeof place->key, place);
    return place->hh.tbl ? NERFIT_OK : nf_no_memory(err, sizeof *place);
}

void nf_places_leave(nf_places *places, const nf_entity *e) {
    memset(places->units + e->start, 0, e->end - e->start);
}
