/* What the code takes for granted, said in code: in debug builds (make DEBUG=1) and in those with
 * sanitizers, ./run test's and the fuzzers', a claim that does not hold ends the program with its
 * place and both numbers. Elsewhere nothing of it is left. It is for mistakes of this library alone:
 * whatever a file or a caller can bring about is an error. */
#ifndef NF_BASE_ASSERT_H
#define NF_BASE_ASSERT_H

#include <stdbool.h>

#ifdef NF_ASSERTS
#define NF_ASSERTING 1
#else
#define NF_ASSERTING 0
#endif

_Noreturn void nf_assert_failed(const char *file, int line, const char *claim, long long a,
                                long long b);

/* The claim, and two numbers that tell more when it fails. */
#define NF_CLAIM(claim, text, a, b)                                                                \
    do {                                                                                           \
        if (NF_ASSERTING && !(claim))                                                              \
            nf_assert_failed(__FILE__, __LINE__, text, (long long)(a), (long long)(b));            \
    } while (0)

#define nf_assert(claim) NF_CLAIM(claim, #claim, 0, 0)
#define nf_assert_equal(a, b) NF_CLAIM((a) == (b), #a " == " #b, a, b)
/* 0 <= a < b; 0 <= a <= b */
#define nf_assert_below(a, b)                                                                      \
    NF_CLAIM((long long)(a) >= 0 && (long long)(a) < (long long)(b), #a " < " #b, a, b)
#define nf_assert_within(a, b)                                                                     \
    NF_CLAIM((long long)(a) >= 0 && (long long)(a) <= (long long)(b), #a " <= " #b, a, b)

#endif
