/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel Random
 * Numbers: As Easy as 1, 2, 3", SC 2011). A number is a pure function of (key, counter), so that
 * dropout masks, shuffles and initial weights are the same whatever the thread or the order in
 * which they are asked for, and a resumed run needs no generator state. */
#ifndef NF_BASE_RNG_H
#define NF_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

static inline void nf_philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0,
                             uint32_t k1, uint32_t out[4]) {
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* A sequential view of one stream (purpose) of a seed: for shuffles and initial weights. */
typedef struct nf_rng {
    uint64_t seed;
    uint64_t stream;
    uint64_t counter;
    uint32_t buffer[4];
    int left;
} nf_rng;

nf_rng nf_rng_new(uint64_t seed, uint64_t stream);
uint32_t nf_rng_u32(nf_rng *rng);
/* Uniform in [0, 1), 53 bits. */
double nf_rng_uniform(nf_rng *rng);
/* Standard normal (Box-Muller). */
double nf_rng_normal(nf_rng *rng);
/* Uniform in [0, bound) without bias; bound > 0. */
uint32_t nf_rng_below(nf_rng *rng, uint32_t bound);
/* Fisher-Yates. */
void nf_rng_shuffle(nf_rng *rng, uint32_t *items, size_t count);

#endif
