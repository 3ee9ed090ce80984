/* A line of JSON for every request, without its texts. Lines are written by a thread of their own:
 * whoever reads them slowly loses some, which are counted, and holds up nobody. */
#ifndef NF_SERVE_ACCESS_LOG_H
#define NF_SERVE_ACCESS_LOG_H

#include "serve/metrics.h"

struct nf_request;
typedef struct nf_access_log nf_access_log;

/* path: "-" is standard output; NULL: no log, and *out is NULL. */
nerfit_status nf_access_log_open(nf_access_log **out, const char *path, nf_metrics *metrics,
                                 nerfit_error *err);
/* log may be NULL. */
void nf_access_log_write(nf_access_log *log, const struct nf_request *request, int status);
/* Writes what is left. */
void nf_access_log_close(nf_access_log *log);

#endif
