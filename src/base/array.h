/* Arrays that grow by doubling, so that n additions cost O(n). `array` is the address of the pointer
 * to the items. */
#ifndef NF_BASE_ARRAY_H
#define NF_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/* Makes *array one of `count` items of `size` bytes; false, with all as it was, when out of memory. */
bool nf_array_resize(void *array, size_t count, size_t size);
/* Room for `count` items where *capacity may be less: that at least doubles. */
bool nf_array_reserve(void *array, size_t *capacity, size_t count, size_t size);

#endif
