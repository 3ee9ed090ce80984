/* Hash maps: uthash, made to report a failed allocation where it would end the program. After a
 * HASH_ADD..., `element->hh.tbl` is NULL if there was no memory, and the element is not in the
 * map. Include this, never <uthash.h>. */
#ifndef NF_BASE_HASH_H
#define NF_BASE_HASH_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#endif
