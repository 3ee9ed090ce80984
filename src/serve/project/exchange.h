/* Files that come into a project, and texts that go out. */
#ifndef NF_SERVE_PROJECT_EXCHANGE_H
#define NF_SERVE_PROJECT_EXCHANGE_H

#include "serve/project/adding.h"

/* Takes the texts of a format in; those with entities become accepted, and have these and no others. *annotated:
 * how many; *warnings: texts, a reference of the caller, which may be NULL on failure. */
nerfit_status nf_project_take(nf_project *project, const char *name, const char *format,
                              const char *data, size_t size, size_t *annotated, json_t **warnings,
                              nerfit_error *err);

#endif
