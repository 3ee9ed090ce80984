/* Arena: memory that is freed all at once. Objects that live as long as their model, run, file or
 * step are taken from an arena and never freed one by one. Blocks grow geometrically, so that n
 * small allocations cost O(log n) calls of malloc. */
#ifndef NF_BASE_ARENA_H
#define NF_BASE_ARENA_H

#include <stddef.h>

typedef struct nf_arena_block nf_arena_block;

/* Zero-initialise ({0}); nf_arena_free returns it to that state. */
typedef struct nf_arena {
    nf_arena_block *head;
} nf_arena;

/* 64-byte aligned for sizes of 64 and more, 16-byte aligned below; contents undefined.
 * NULL when out of memory. A size of 0 gives a valid pointer. */
void *nf_arena_alloc(nf_arena *arena, size_t size);
/* count * size bytes, zeroed; NULL also when the product overflows. */
void *nf_arena_calloc(nf_arena *arena, size_t count, size_t size);
/* NUL-terminated copy of `length` bytes. */
char *nf_arena_copy(nf_arena *arena, const char *text, size_t length);
char *nf_arena_strdup(nf_arena *arena, const char *text);
void nf_arena_free(nf_arena *arena);
/* Bytes handed out; for reports. */
size_t nf_arena_used(const nf_arena *arena);

#endif
