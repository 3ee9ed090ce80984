#include "net/curl.h"

#include <stddef.h>

#include "base/library.h"

static const nf_symbol functions[] = {
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
    static const nf_library library = {
        .file = "libcurl.so.4", /* its interface's version since 2006 */
        .need = "requests need libcurl",
        .package = "libcurl4",
        .unfit = "it is too old",
    };
    return nf_library_open(&library, functions, NF_COUNT(functions), curl, err);
}
