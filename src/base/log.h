/* Messages to the program's user go through a callback: the library itself never prints. */
#ifndef NF_BASE_LOG_H
#define NF_BASE_LOG_H

#include "nerfit.h"

/* A NULL sink or function is silence. */
typedef struct nf_log {
    nerfit_log_function function;
    void *user;
} nf_log;

void nf_log_write(const nf_log *log, nerfit_log_level level, const char *format, ...)
    NERFIT_PRINTF(3, 4);

#define nf_log_info(log, ...) nf_log_write(log, NERFIT_LOG_INFO, __VA_ARGS__)
#define nf_log_warning(log, ...) nf_log_write(log, NERFIT_LOG_WARNING, __VA_ARGS__)

#endif
