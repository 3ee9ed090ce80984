/* Memory of the cpu backend. Large blocks ask for huge pages: weights and activations of tens of
 * megabytes are read from end to end in every step, and the CPU finds few of them in its table of
 * 4 KB pages. */
#ifndef NF_CPU_MEMORY_H
#define NF_CPU_MEMORY_H

#include <stdatomic.h>
#include <stddef.h>

/* 64-byte aligned; NULL when out of memory; given back by free(). */
void *nf_cpu_memory(size_t bytes);

/* Many arrays in few large blocks; a block is given back with the last of its arrays. One thread at
 * a time may take; any may give back. */
typedef struct nf_pool_block nf_pool_block;
typedef struct nf_pool {
    nf_pool_block *current;
} nf_pool;

typedef struct nf_pooled {
    void *memory; /* NULL when out of memory */
    nf_pool_block *block;
} nf_pooled;

nf_pooled nf_pool_take(nf_pool *pool, size_t bytes);
void nf_pool_give_back(nf_pooled *array);
void nf_pool_free(nf_pool *pool);

#endif
