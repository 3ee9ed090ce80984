#include "base/array.h"

#include "base/error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 16 };

bool nf_array_resize(void *array, size_t count, size_t size) {
    void *items;
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    memcpy(&items, array, sizeof items); /* a pointer of whatever type */
    void *grown = bytes < SIZE_MAX ? realloc(items, bytes ? bytes : 1) : NULL;
    if (!grown) {
        nf_no_room(bytes);
        return false;
    }
    memcpy(array, &grown, sizeof grown);
    return true;
}

bool nf_array_reserve(void *array, size_t *capacity, size_t count, size_t size) {
    if (count <= *capacity) return true;
    size_t room = *capacity < FIRST / 2 ? FIRST : 2 * *capacity;
    if (room < count) room = count;
    if (!nf_array_resize(array, room, size)) return false;
    *capacity = room;
    return true;
}
