/* Libraries that are opened when they are needed: their packages need not be installed for all else. */
#ifndef NF_BASE_LIBRARY_H
#define NF_BASE_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct nf_library {
    const char *file;    /* with the version of its interface: "libcurl.so.4" */
    const char *need;    /* for the message: "requests need libcurl" */
    const char *package; /* Debian's */
    const char *unfit;   /* what a library without a symbol is: "it is too old" */
    bool global;         /* its own components look for its symbols among the program's */
} nf_library;

/* A symbol, and the offset of the pointer to it in the caller's struct. */
typedef struct nf_symbol {
    const char *name;
    size_t at;
} nf_symbol;

/* Opens the library, which stays open, and fills the pointers of `calls`. NERFIT_UNSUPPORTED, with what to install,
 * if it is not there or lacks a symbol. */
nerfit_status nf_library_open(const nf_library *library, const nf_symbol *symbols, size_t count,
                              void *calls, nerfit_error *err);

#endif
