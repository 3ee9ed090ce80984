/* Another nerfit that works for this one: the same program, at low priority, and whatever becomes of it
 * the service goes on. */
#ifndef NF_SERVE_PROJECT_CHILD_H
#define NF_SERVE_PROJECT_CHILD_H

#include <stdio.h>
#include <sys/types.h>

#include "nerfit.h"

typedef struct nf_child {
    pid_t pid;
    FILE *messages; /* its standard error */
} nf_child;

/* `arguments` [NULL at the end]: a command and what it gets. `output`: the file that its standard output
 * goes to. */
nerfit_status nf_child_start(nf_child *child, const char *const *arguments, const char *output,
                             nerfit_error *err);
/* Its exit status, or -N if signal N ended it. */
int nf_child_end(nf_child *child);

#endif
