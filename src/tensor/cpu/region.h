/* What libgomp orders, said so that ThreadSanitizer sees it, which libgomp is not built for: what came before a
 * parallel region is seen in it, and what was done in it is seen behind. In other builds it is nothing.
 *
 *     nf_region region;
 *     nf_region_begin(&region);
 *     #pragma omp parallel for
 *     for (...) {
 *         nf_region_enter(&region);
 *         ...
 *         nf_region_leave(&region);
 *     }
 *     nf_region_end(&region); */
#ifndef NF_TENSOR_CPU_REGION_H
#define NF_TENSOR_CPU_REGION_H

#include <stdatomic.h>

typedef struct nf_region {
    atomic_int begun, left;
} nf_region;

#if defined(__SANITIZE_THREAD__)
static inline void nf_region_begin(nf_region *region) {
    atomic_init(&region->begun, 0);
    atomic_init(&region->left, 0);
    atomic_store_explicit(&region->begun, 1, memory_order_release);
}

static inline void nf_region_enter(nf_region *region) {
    (void)atomic_load_explicit(&region->begun, memory_order_acquire);
}

static inline void nf_region_leave(nf_region *region) {
    atomic_fetch_add_explicit(&region->left, 1, memory_order_release);
}

static inline void nf_region_end(nf_region *region) {
    (void)atomic_load_explicit(&region->left, memory_order_acquire);
}
#else
static inline void nf_region_begin(nf_region *region) {
    (void)region;
}

static inline void nf_region_enter(nf_region *region) {
    (void)region;
}

static inline void nf_region_leave(nf_region *region) {
    (void)region;
}

static inline void nf_region_end(nf_region *region) {
    (void)region;
}
#endif

#endif
