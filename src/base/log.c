#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void nf_log_write(const nf_log *log, nerfit_log_level level, const char *format, ...) {
    if (!log || !log->function) return;
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log->function(log->user, level, text);
}
