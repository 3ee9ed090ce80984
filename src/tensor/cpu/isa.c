/* Picks the kernels of the best instruction set that this CPU has. */
#include "tensor/cpu/kernels.h"

#if defined(__x86_64__)
extern const nf_kernels nf_kernels_base, nf_kernels_avx2, nf_kernels_avx512;

const nf_kernels *nf_kernels_best(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) return &nf_kernels_avx512;
    if (__builtin_cpu_supports("x86-64-v3")) return &nf_kernels_avx2;
    return &nf_kernels_base;
}
#else
extern const nf_kernels nf_kernels_base;
const nf_kernels *nf_kernels_best(void) { return &nf_kernels_base; }
#endif
