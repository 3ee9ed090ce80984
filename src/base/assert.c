#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void nf_assert_failed(const char *file, int line, const char *claim, long long a, long long b) {
    fprintf(stderr, "%s:%d: nerfit takes for granted that %s (%lld, %lld); please report this\n",
            file, line, claim, a, b);
    abort();
}
