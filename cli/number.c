#include "number.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool cli_number(const char *text, double *out) {
    char *end;
    double value = strtod(text, &end);
    if (!*text || *end || !isfinite(value) || strspn(text, "+-.0123456789eE") != strlen(text))
        return false;
    *out = value;
    return true;
}

double cli_number_of(const char *text) {
    return strtod(text, NULL);
}

int cli_whole(const command *self, const char *option, const char *text, uint64_t least,
              uint64_t most, uint64_t *out) {
    if (!text) return -1;
    errno = 0;
    uint64_t value = strtoull(text, NULL, 10);
    bool digits = *text && strspn(text, "0123456789") == strlen(text);
    if (digits && errno == 0 && value >= least && value <= most) {
        *out = value;
        return -1;
    }
    if (most == UINT64_MAX)
        return cli_usage(self, "%s \"%s\" is not a whole number from %" PRIu64 " on", option, text,
                         least);
    return cli_usage(self, "%s \"%s\" is not a whole number from %" PRIu64 " to %" PRIu64, option,
                     text, least, most);
}

int cli_threshold(const command *self, char **rest, const char **label, double *threshold) {
    char *part = *rest, *comma = strchr(part, ','), *equals;
    if (comma) *comma = '\0';
    *rest = comma ? comma + 1 : NULL;
    equals = strrchr(part, '=');
    if (!cli_number(equals ? equals + 1 : part, threshold))
        return cli_usage(self, "--threshold \"%s\" is not a number, or LABEL=NUMBER", part);
    if (equals) *equals = '\0';
    *label = equals ? part : NULL;
    return -1;
}

int cli_threads(const command *self, const char *text, int *out) {
    enum { MOST_THREADS = 4096 };
    uint64_t value = (uint64_t)*out;
    int status = cli_whole(self, "--threads", text, 0, MOST_THREADS, &value);
    *out = (int)value;
    return status;
}
