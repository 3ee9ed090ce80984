/* nerfit: teach a transformer to find your entities in text, from a handful of examples.
 *
 * This is the only public header. The parts:
 *   - status and error record (every fallible function returns a status and fills the error)
 *   - log messages (a callback of yours)
 *
 * Offsets in this interface are code points (what Python's `str` counts), end exclusive. Text is
 * UTF-8. The library never prints, exits or keeps global mutable state. */
#ifndef NERFIT_H
#define NERFIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NERFIT_API __attribute__((visibility("default")))
#define NERFIT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define NERFIT_API
#define NERFIT_PRINTF(fmt, args)
#endif

#define NERFIT_VERSION "0.1.0"

/* ---------------------------------------------------------------- status and errors */

/* Every status with its general meaning; the error record holds the particular one. */
#define NERFIT_STATUS_MAP(X)                                                                       \
    X(OK, "no error")                                                                              \
    X(NO_MEMORY, "out of memory")                                                                  \
    X(IO, "a file could not be read or written")                                                   \
    X(FORMAT, "an input is malformed")                                                             \
    X(ARGUMENT, "an argument or option is wrong")                                                  \
    X(UNSUPPORTED, "something valid that this version does not handle")                            \
    X(CANCELLED, "a callback asked to stop")                                                       \
    X(NUMERIC, "a computation gave no finite result")                                              \
    X(INTERNAL, "a defect in nerfit")

typedef enum nerfit_status {
#define NERFIT_STATUS_ENUM(name, text) NERFIT_##name,
    NERFIT_STATUS_MAP(NERFIT_STATUS_ENUM)
#undef NERFIT_STATUS_ENUM
} nerfit_status;

/* Caller-owned error record. `text` is the whole message, `file:line:column:` included where the
 * error lies in an input; the fields repeat that place for programs (line and column count from 1,
 * 0 = unknown). May be NULL wherever one is taken. */
typedef struct nerfit_error {
    nerfit_status code;
    long line;
    long column;
    char file[256];
    char text[1024];
} nerfit_error;

/* The general meaning of a status; a constant string, never NULL. */
NERFIT_API const char *nerfit_status_text(nerfit_status status);

/* "0.1.0": of the library at run time. */
NERFIT_API const char *nerfit_version(void);

/* ---------------------------------------------------------------- log */

typedef enum nerfit_log_level { NERFIT_LOG_INFO, NERFIT_LOG_WARNING } nerfit_log_level;

/* Receives one message (UTF-8, no newline at its end); called on the thread that does the work. */
typedef void (*nerfit_log_function)(void *user, nerfit_log_level level, const char *message);

#ifdef __cplusplus
}
#endif
#endif
