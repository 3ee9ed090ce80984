#include "base/library.h"

#include <dlfcn.h>
#include <string.h>

nerfit_status nf_library_open(const nf_library *library, const nf_symbol *symbols, size_t count,
                              void *calls, nerfit_error *err) {
    void *opened = dlopen(library->file,
                          RTLD_NOW | (library->global ? RTLD_GLOBAL : RTLD_LOCAL) | RTLD_NODELETE);
    if (!opened)
        return nf_fail(err, NERFIT_UNSUPPORTED,
                       "%s, which cannot be loaded: %s; install it (Debian: %s)", library->need,
                       dlerror(), library->package);
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(opened, symbols[i].name);
        if (!found)
            return nf_fail(err, NERFIT_UNSUPPORTED, "%s has no %s: %s", library->file,
                           symbols[i].name, library->unfit);
        memcpy((char *)calls + symbols[i].at, &found, sizeof found);
    }
    return NERFIT_OK;
}
