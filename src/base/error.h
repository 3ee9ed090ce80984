/* Errors: every fallible function returns a nerfit_status and writes the particulars into the
 * caller's nerfit_error (which may be NULL). The message says what was given, what was expected,
 * where, and what to do. */
#ifndef NF_BASE_ERROR_H
#define NF_BASE_ERROR_H

#include "nerfit.h"

/* Fills `err` and returns `code`, so that a function can end with `return nf_fail(...)`. */
nerfit_status nf_fail(nerfit_error *err, nerfit_status code, const char *format, ...)
    NERFIT_PRINTF(3, 4);

/* As nf_fail, for an error in an input: the text becomes `file:line:column: message`
 * (line 0: `file: message`; column 0: `file:line: message`). */
nerfit_status nf_fail_at(nerfit_error *err, nerfit_status code, const char *file, long line,
                         long column, const char *format, ...) NERFIT_PRINTF(6, 7);

/* Puts "prefix: " before a message that is already in `err`; for adding the caller's view. */
nerfit_status nf_fail_within(nerfit_error *err, nerfit_status code, const char *format, ...)
    NERFIT_PRINTF(3, 4);

/* bytes: how many were asked for; 0: as many as what failed last in this thread has noted. */
nerfit_status nf_no_memory(nerfit_error *err, size_t bytes);

/* Notes how many bytes there was no room for, as errno would: for allocators whose callers see no more than
 * that it failed (arenas, strings, arrays, paths). */
void nf_no_room(size_t bytes);
/* malloc and calloc that note it. */
void *nf_malloc(size_t bytes);
void *nf_calloc(size_t count, size_t size);

/* Returns from the calling function if the expression is not NERFIT_OK. */
#define NF_TRY(expression)                                                                         \
    do {                                                                                           \
        nerfit_status nf_try_status_ = (expression);                                               \
        if (nf_try_status_ != NERFIT_OK) return nf_try_status_;                                    \
    } while (0)

/* Elements of an array (not of a pointer). */
#define NF_COUNT(array) (sizeof(array) / sizeof *(array))

#endif
