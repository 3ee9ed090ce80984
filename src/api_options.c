#include "api_options.h"

#include <string.h>

/* The first byte behind what is known here that is not 0; NULL: none. */
static const unsigned char *find_unknown(const unsigned char *given, size_t size, size_t known) {
    for (size_t i = known; i < size; i++)
        if (given[i]) return &given[i];
    return NULL;
}

nerfit_status nf_options_take(void *own, size_t size, const void *given, const char *name,
                              nerfit_error *error) {
    size_t known = sizeof known;
    memset(own, 0, size);
    if (given) memcpy(&known, given, sizeof known);
    if (known < sizeof known)
        return nf_fail(error, NERFIT_ARGUMENT,
                       "%s: its size is %zu; expected sizeof(%s) in its first member", name, known,
                       name);
    if (known > size && find_unknown(given, known, size))
        return nf_fail(error, NERFIT_UNSUPPORTED,
                       "%s: it has %zu bytes and sets an option behind the %zu that this library, "
                       "%s, knows: the program was made with a later nerfit.h",
                       name, known, size, nerfit_version());
    if (given) memcpy(own, given, known < size ? known : size);
    memcpy(own, &size, sizeof size);
    return NERFIT_OK;
}
