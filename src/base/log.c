#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/number.h"

void nf_log_write(const nf_log *log, nerfit_log_level level, const char *format, ...) {
    if (!log || !log->function) return;
    char text[2048];
    va_list args;
    va_start(args, format);
    nf_print_list(text, sizeof text, format, args);
    va_end(args);
    log->function(log->user, level, text);
}
