/* The nodes are placed level by level. A node's children go where the first free unit lets all of
 * them fit, or to the end if a few dozen free units did not: what single children leave over, later
 * single children fill. */
#include "text/score_trie.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

enum { BYTES = 256, TRIES = 48 };
#define FREE UINT32_MAX
#define NONE UINT32_MAX

/* The keys from .. to share their first `depth` bytes, which lead to `node`. */
typedef struct range {
    uint32_t node, from, to, depth;
} range;

typedef struct builder {
    nf_score_unit *units;
    int32_t *ids;
    uint32_t *next, *previous; /* the list of free units, in rising order; unit 0 is its head */
    size_t capacity, used;     /* all units from `used` on are free */
    range *queue;
    size_t queued, queue_capacity;
} builder;

static int compare_keys(const void *x, const void *y) {
    const nf_score_key *a = x, *b = y;
    int order = memcmp(a->text, b->text, a->length < b->length ? a->length : b->length);
    if (order) return order;
    if (a->length != b->length) return a->length < b->length ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static bool grow(builder *b, size_t capacity) {
    if (!nf_array_resize(&b->units, capacity, sizeof *b->units) ||
        !nf_array_resize(&b->ids, capacity, sizeof *b->ids) ||
        !nf_array_resize(&b->next, capacity, sizeof *b->next) ||
        !nf_array_resize(&b->previous, capacity, sizeof *b->previous))
        return false;
    uint32_t last = b->capacity ? b->previous[0] : 0;
    for (size_t i = b->capacity; i < capacity; i++) {
        b->units[i] = (nf_score_unit){0, FREE, NAN};
        b->ids[i] = -1;
        b->previous[i] = last;
        b->next[i] = 0;
        if (i > 0) b->next[last] = (uint32_t)i;
        last = (uint32_t)i;
    }
    b->previous[0] = last;
    b->capacity = capacity;
    return true;
}

static void take(builder *b, uint32_t at, uint32_t parent) {
    b->units[at].parent = parent;
    b->next[b->previous[at]] = b->next[at];
    b->previous[b->next[at]] = b->previous[at];
    if (at >= b->used) b->used = at + 1;
}

/* Where children by these bytes (rising, at least one) fit; NONE when out of memory. */
static uint32_t find_base(builder *b, const unsigned char *bytes, size_t count) {
    size_t tries = TRIES;
    for (uint32_t at = b->next[0]; at && tries > 0; at = b->next[at], tries--) {
        if (at <= bytes[0]) continue; /* bases begin at 1: unit 0 is the root's */
        uint32_t base = at - bytes[0];
        size_t i = 1;
        while (i < count && base + bytes[i] < b->capacity &&
               b->units[base + bytes[i]].parent == FREE)
            i++;
        if (i < count && base + bytes[i] < b->capacity) continue;
        /* The rest lies past the end, where all is free. */
        if (base + BYTES > b->capacity && !grow(b, b->capacity * 2)) return NONE;
        return base;
    }
    if (b->used + BYTES > b->capacity && !grow(b, b->capacity * 2)) return NONE;
    return (uint32_t)b->used;
}

static bool push(builder *b, range r) {
    if (b->queued == b->queue_capacity) {
        size_t capacity = b->queue_capacity * 2 + 1024;
        if (!nf_array_resize(&b->queue, capacity, sizeof *b->queue)) return false;
        b->queue_capacity = capacity;
    }
    b->queue[b->queued++] = r;
    return true;
}

static bool place_children(builder *b, const nf_score_key *keys, range r) {
    unsigned char bytes[BYTES];
    uint32_t from[BYTES + 1];
    size_t count = 0;
    for (uint32_t i = r.from; i < r.to; i++) {
        if (keys[i].length == r.depth) { /* sorted: such keys come first, the largest id last */
            b->units[r.node].score = keys[i].score;
            b->ids[r.node] = keys[i].id;
            continue;
        }
        unsigned char byte = (unsigned char)keys[i].text[r.depth];
        if (count > 0 && bytes[count - 1] == byte) continue;
        bytes[count] = byte;
        from[count++] = i;
    }
    if (count == 0) return true;
    from[count] = r.to;
    uint32_t base = find_base(b, bytes, count);
    if (base == NONE) return false;
    b->units[r.node].base = base;
    for (size_t i = 0; i < count; i++) {
        take(b, base + bytes[i], r.node);
        if (!push(b, (range){base + bytes[i], from[i], from[i + 1], r.depth + 1})) return false;
    }
    return true;
}

bool nf_score_trie_build(nf_score_trie *trie, nf_score_key *keys, size_t count, nf_arena *arena) {
    builder b = {.used = 1};
    qsort(keys, count, sizeof *keys, compare_keys);
    size_t first = 0; /* the empty keys come first */
    while (first < count && keys[first].length == 0) first++;
    bool ok = grow(&b, 4 * BYTES) && push(&b, (range){0, (uint32_t)first, (uint32_t)count, 0});
    for (size_t i = 0; ok && i < b.queued; i++) ok = place_children(&b, keys, b.queue[i]);
    nf_score_unit *units = NULL;
    int32_t *ids = NULL;
    if (ok) {
        size_t size = b.used + BYTES < b.capacity ? b.used + BYTES : b.capacity;
        units = nf_arena_alloc(arena, size * sizeof *units);
        ids = nf_arena_alloc(arena, size * sizeof *ids);
        ok = units && ids;
        if (ok) {
            memcpy(units, b.units, size * sizeof *units);
            memcpy(ids, b.ids, size * sizeof *ids);
        }
    }
    free(b.units);
    free(b.ids);
    free(b.next);
    free(b.previous);
    free(b.queue);
    *trie = (nf_score_trie){units, ids};
    return ok;
}
