#include "base/rng.h"

#include <math.h>

nf_rng nf_rng_new(uint64_t seed, uint64_t stream) {
    return (nf_rng){.seed = seed, .stream = stream};
}

uint32_t nf_rng_u32(nf_rng *rng) {
    if (rng->left == 0) {
        nf_philox((uint32_t)rng->counter, (uint32_t)(rng->counter >> 32), (uint32_t)rng->stream,
                  (uint32_t)(rng->stream >> 32), (uint32_t)rng->seed, (uint32_t)(rng->seed >> 32),
                  rng->buffer);
        rng->counter++;
        rng->left = 4;
    }
    return rng->buffer[--rng->left];
}

double nf_rng_uniform(nf_rng *rng) {
    uint64_t high = nf_rng_u32(rng) >> 5, low = nf_rng_u32(rng) >> 6;
    return (double)(high * 67108864u + low) / 9007199254740992.0;
}

double nf_rng_normal(nf_rng *rng) {
    double u = 1.0 - nf_rng_uniform(rng), v = nf_rng_uniform(rng);
    return sqrt(-2.0 * log(u)) * cos(2.0 * 3.14159265358979323846 * v);
}

uint32_t nf_rng_below(nf_rng *rng, uint32_t bound) {
    uint32_t threshold = (uint32_t)((0x100000000ull - bound) % bound);
    for (;;) {
        uint32_t value = nf_rng_u32(rng);
        if (value >= threshold) return value % bound;
    }
}

void nf_rng_shuffle(nf_rng *rng, uint32_t *items, size_t count) {
    for (size_t i = count; i > 1; i--) {
        size_t j = nf_rng_below(rng, (uint32_t)i);
        uint32_t kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}
