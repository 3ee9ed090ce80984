#include "text/vocabulary.h"

#include <string.h>

bool nf_string_table_init(nf_string_table *table, size_t count, nf_arena *arena) {
    size_t slots = 16;
    while (slots < count * 2) slots *= 2;
    *table =
        (nf_string_table){nf_arena_calloc(arena, slots, sizeof(nf_string_slot)), slots - 1, 0, 0};
    return table->slots != NULL;
}

/* The multiplication by the FNV prime mixes upwards: the upper half tells more than the lower. */
static size_t first_slot(const nf_string_table *table, uint64_t hash) {
    return (size_t)(hash ^ hash >> 32) & table->mask;
}

const nf_string_slot *nf_string_table_find(const nf_string_table *table, uint64_t hash,
                                           const char *text, size_t length) {
    uint32_t upper = (uint32_t)(hash >> 32);
    for (size_t i = first_slot(table, hash);; i = (i + 1) & table->mask) {
        const nf_string_slot *slot = &table->slots[i];
        if (!slot->text) return NULL;
        if (slot->hash == upper && slot->length == length && memcmp(slot->text, text, length) == 0)
            return slot;
    }
}

int32_t nf_string_table_get(const nf_string_table *table, const char *text, size_t length) {
    const nf_string_slot *slot =
        nf_string_table_find(table, nf_hash_text(text, length), text, length);
    return slot ? slot->id : -1;
}

void nf_string_table_put(nf_string_table *table, const char *text, size_t length, int32_t id) {
    uint64_t hash = nf_hash_text(text, length);
    nf_string_slot *slot = (nf_string_slot *)nf_string_table_find(table, hash, text, length);
    if (slot) {
        slot->id = id;
        return;
    }
    size_t i = first_slot(table, hash);
    while (table->slots[i].text) i = (i + 1) & table->mask;
    table->slots[i] = (nf_string_slot){(uint32_t)(hash >> 32), (uint32_t)length, text, id};
    table->count++;
    if (length > table->longest) table->longest = length;
}
