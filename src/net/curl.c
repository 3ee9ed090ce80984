#include "net/curl.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static const char library_name[] = "libcurl.so.4"; /* its interface's version since 2006 */

static const struct {
    const char *name;
    size_t at;
} functions[] = {
    {"curl_easy_init", offsetof(nf_curl, easy_init)},
    {"curl_easy_setopt", offsetof(nf_curl, easy_setopt)},
    {"curl_easy_perform", offsetof(nf_curl, easy_perform)},
    {"curl_easy_getinfo", offsetof(nf_curl, easy_getinfo)},
    {"curl_easy_strerror", offsetof(nf_curl, easy_strerror)},
    {"curl_easy_reset", offsetof(nf_curl, easy_reset)},
    {"curl_easy_cleanup", offsetof(nf_curl, easy_cleanup)},
    {"curl_slist_append", offsetof(nf_curl, slist_append)},
    {"curl_slist_free_all", offsetof(nf_curl, slist_free_all)},
    {"curl_getdate", offsetof(nf_curl, getdate)},
};

nerfit_status nf_curl_open(nf_curl *curl, nerfit_error *err) {
    void *library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
        return nf_fail(err, NERFIT_UNSUPPORTED,
                       "requests need libcurl, which cannot be loaded: %s; install it (Debian: "
                       "libcurl4)",
                       dlerror());
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function)
            return nf_fail(err, NERFIT_UNSUPPORTED, "%s has no %s: it is too old", library_name,
                           functions[i].name);
        memcpy((char *)curl + functions[i].at, &function, sizeof function);
    }
    return NERFIT_OK;
}
