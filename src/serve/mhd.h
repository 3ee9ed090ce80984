/* GNU libmicrohttpd, which is opened when the service starts: it needs ten libraries more (gnutls and
 * what that takes), which would cost every other command its start. */
#ifndef NF_SERVE_MHD_H
#define NF_SERVE_MHD_H

#include <microhttpd.h>

#include "nerfit.h"

#define NF_MHD_FUNCTIONS(X)                                                                        \
    X(start_daemon)                                                                                \
    X(stop_daemon)                                                                                 \
    X(quiesce_daemon)                                                                              \
    X(get_connection_info)                                                                         \
    X(lookup_connection_value)                                                                     \
    X(suspend_connection)                                                                          \
    X(resume_connection)                                                                           \
    X(create_response_from_buffer)                                                                 \
    X(create_response_from_callback)                                                               \
    X(create_response_from_fd64)                                                                   \
    X(add_response_header)                                                                         \
    X(queue_response)                                                                              \
    X(destroy_response)

typedef struct nf_mhd {
#define NF_MHD_MEMBER(name) __typeof__(MHD_##name) *name;
    NF_MHD_FUNCTIONS(NF_MHD_MEMBER)
#undef NF_MHD_MEMBER
} nf_mhd;

nerfit_status nf_mhd_open(nf_mhd *mhd, nerfit_error *err);

#endif
