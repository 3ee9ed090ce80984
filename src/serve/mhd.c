#include "serve/mhd.h"

#include <stddef.h>

#include "base/library.h"

static const nf_symbol functions[] = {
#define MHD_ROW(name) {"MHD_" #name, offsetof(nf_mhd, name)},
    NF_MHD_FUNCTIONS(MHD_ROW)
#undef MHD_ROW
};

nerfit_status nf_mhd_open(nf_mhd *mhd, nerfit_error *err) {
    static const nf_library library = {
        .file = "libmicrohttpd.so.12", /* its interface's version since 0.9.38 */
        .need = "serving needs GNU libmicrohttpd",
        .package = "libmicrohttpd12",
        .unfit = "it is too old",
    };
    return nf_library_open(&library, functions, NF_COUNT(functions), mhd, err);
}
