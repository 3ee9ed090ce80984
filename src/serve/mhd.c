#include "serve/mhd.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "base/error.h"

static const char library_name[] = "libmicrohttpd.so.12"; /* its interface's version since 0.9.38 */

static const struct {
    const char *name;
    size_t at;
} functions[] = {
#define MHD_ROW(name) {"MHD_" #name, offsetof(nf_mhd, name)},
    NF_MHD_FUNCTIONS(MHD_ROW)
#undef MHD_ROW
};

nerfit_status nf_mhd_open(nf_mhd *mhd, nerfit_error *err) {
    void *library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
        return nf_fail(err, NERFIT_UNSUPPORTED,
                       "serving needs GNU libmicrohttpd, which cannot be loaded: %s; install it "
                       "(Debian: libmicrohttpd12)",
                       dlerror());
    for (size_t i = 0; i < NF_COUNT(functions); i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function)
            return nf_fail(err, NERFIT_UNSUPPORTED, "%s has no %s: it is too old", library_name,
                           functions[i].name);
        memcpy((char *)mhd + functions[i].at, &function, sizeof function);
    }
    return NERFIT_OK;
}
