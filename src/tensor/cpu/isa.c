/* Picks the kernels of the best instruction set that this CPU has. */
#include "tensor/cpu/kernels.h"

#include <stdbool.h>

#if defined(__x86_64__)
extern const nf_kernels nf_kernels_base, nf_kernels_avx2, nf_kernels_avx512;

/* The levels x86-64-v3 and -v4, by the features that tell them apart: clang 14 knows no levels. */
static bool has_v3(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static bool has_v4(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

const nf_kernels *nf_kernels_best(void) {
    __builtin_cpu_init();
    if (!has_v3()) return &nf_kernels_base;
    return has_v4() ? &nf_kernels_avx512 : &nf_kernels_avx2;
}
#else
extern const nf_kernels nf_kernels_base;
const nf_kernels *nf_kernels_best(void) {
    return &nf_kernels_base;
}
#endif
