/* HTTP: libmicrohttpd's thread. */
#ifndef NF_SERVE_HTTP_H
#define NF_SERVE_HTTP_H

#include "serve/request.h"

/* Listens and answers from here on. `fd`: a listening socket, which it takes. */
nerfit_status nf_http_start(nf_server *server, int fd, nerfit_error *err);
/* No new connections. */
void nf_http_quiesce(nf_server *server);
void nf_http_stop(nf_server *server);

#endif
