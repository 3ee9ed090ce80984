/* Mapped files that lose their pages. Who reads a mapping behind its file's end (the file was made
 * shorter: `cp new M/` over a model that is in use), or where a disk fails, gets SIGBUS from the kernel.
 * A lock does not help, since those who write need not ask for it, and a copy would cost the memory of
 * all weights, which the system may otherwise drop and read again. So mappings are guarded: a handler
 * puts zeros in the place of what is gone and marks the mapping, and whoever computed with it asks
 * afterwards (nf_file_check). Files that are parsed once are read into memory instead (nf_file_open).
 *
 * The handler is the process's: it is set with every guarded mapping, if it is not there. Faults at other
 * addresses go to the handler that was there before, or end the process as they would have. A program
 * that sets a handler of its own later and does not pass faults on has the kernel's behaviour until
 * the next file is mapped. */
#ifndef NF_BASE_MAPPING_H
#define NF_BASE_MAPPING_H

#include <stdbool.h>
#include <stddef.h>

/* Guards [size] bytes from a page's beginning on; false if there is no room for another mapping or no
 * handler can be set. From any thread. */
bool nf_mapping_guard(const void *start, size_t size);
/* Before a guarded mapping goes. */
void nf_mapping_release(const void *start);
/* Whether pages were lost since it was guarded. */
bool nf_mapping_lost(const void *start);

#endif
