/* A list of blocks, newest first; the newest serves requests until it is full. */
#include "base/arena.h"

#include "base/error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct nf_arena_block {
    nf_arena_block *next;
    size_t size; /* bytes after the header */
    size_t used;
};

enum { HEADER = 64, FIRST_BLOCK = 4096, LARGEST_STEP = 1 << 22 };

/* NULL, with a note of how much was asked for. */
static void *none(size_t size) {
    nf_no_room(size);
    return NULL;
}

static nf_arena_block *block_new(nf_arena *arena, size_t need) {
    size_t size = arena->head ? arena->head->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_STEP) size = LARGEST_STEP;
    if (size < need) size = need;
    if (size > SIZE_MAX - HEADER - 64) return none(size);
    size = (size + 63) & ~(size_t)63;
    nf_arena_block *block = aligned_alloc(64, HEADER + size);
    if (!block) return none(HEADER + size);
    block->next = arena->head;
    block->size = size;
    block->used = 0;
    arena->head = block;
    return block;
}

void *nf_arena_alloc(nf_arena *arena, size_t size) {
    size_t align = size >= 64 ? 64 : 16;
    nf_arena_block *block = arena->head;
    size_t at = block ? (block->used + align - 1) & ~(align - 1) : 0;
    if (!block || at > block->size || block->size - at < size) {
        if (size > SIZE_MAX - 128) return none(size);
        block = block_new(arena, size);
        if (!block) return NULL;
        at = 0;
    }
    block->used = at + size;
    return (char *)block + HEADER + at;
}

void *nf_arena_calloc(nf_arena *arena, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return none(SIZE_MAX);
    void *memory = nf_arena_alloc(arena, bytes);
    if (memory) memset(memory, 0, bytes);
    return memory;
}

char *nf_arena_copy(nf_arena *arena, const char *text, size_t length) {
    char *copy = length < SIZE_MAX ? nf_arena_alloc(arena, length + 1) : NULL;
    if (!copy) return length < SIZE_MAX ? NULL : none(length);
    if (length) memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *nf_arena_strdup(nf_arena *arena, const char *text) {
    return nf_arena_copy(arena, text, strlen(text));
}

void nf_arena_free(nf_arena *arena) {
    for (nf_arena_block *block = arena->head, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    arena->head = NULL;
}

size_t nf_arena_used(const nf_arena *arena) {
    size_t total = 0;
    for (const nf_arena_block *block = arena->head; block; block = block->next)
        total += block->used;
    return total;
}
