#include "tensor/cpu/memory.h"

#include <stdint.h>
#include <stdlib.h>

#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, BLOCK = 16 << 20 };

void *nf_cpu_memory(size_t bytes) {
    if (bytes > SIZE_MAX - 2 * (size_t)HUGE_PAGE) return NULL;
    if (bytes < HUGE_PAGE) return aligned_alloc(64, (bytes + 127) & ~(size_t)63);
    size_t rounded = (bytes + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
    void *memory = aligned_alloc(HUGE_PAGE, rounded);
#ifdef MADV_HUGEPAGE
    if (memory) madvise(memory, rounded, MADV_HUGEPAGE); /* advice: no matter if it is not taken */
#endif
    return memory;
}

struct nf_pool_block {
    atomic_size_t users; /* arrays, and the pool itself while it takes from here */
    size_t size, used;
    char *memory;
};

static void leave(nf_pool_block *block) {
    if (!block || atomic_fetch_sub(&block->users, 1) != 1) return;
    free(block->memory);
    free(block);
}

nf_pooled nf_pool_take(nf_pool *pool, size_t bytes) {
    nf_pool_block *block = pool->current;
    if (bytes > SIZE_MAX / 2) return (nf_pooled){0};
    bytes = (bytes + 63) & ~(size_t)63;
    if (!block || block->size - block->used < bytes) {
        size_t size = bytes > BLOCK ? bytes : BLOCK;
        block = malloc(sizeof *block);
        if (!block) return (nf_pooled){0};
        *block = (nf_pool_block){.size = size, .memory = nf_cpu_memory(size)};
        if (!block->memory) {
            free(block);
            return (nf_pooled){0};
        }
        atomic_init(&block->users, 1);
        leave(pool->current);
        pool->current = block;
    }
    nf_pooled array = {block->memory + block->used, block};
    block->used += bytes;
    atomic_fetch_add(&block->users, 1);
    return array;
}

void nf_pool_give_back(nf_pooled *array) {
    leave(array->block);
    *array = (nf_pooled){0};
}

void nf_pool_free(nf_pool *pool) {
    leave(pool->current);
    pool->current = NULL;
}
