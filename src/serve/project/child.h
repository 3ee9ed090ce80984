/* Another nerfit that works for this one: the same program, at low priority, and whatever becomes of it
 * the service goes on. */
#ifndef NF_SERVE_PROJECT_CHILD_H
#define NF_SERVE_PROJECT_CHILD_H

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/types.h>

#include "nerfit.h"

typedef struct nf_child {
    pid_t pid;
    FILE *messages; /* its standard error */
} nf_child;

/* `arguments`: texts, a command and what it gets. `output`: the file that its standard output goes to. */
nerfit_status nf_child_start(nf_child *child, const json_t *arguments, const char *output,
                             nerfit_error *err);
/* A line [size] of its messages, without its end, up to what is no UTF-8. */
typedef void nf_child_line(void *user, const char *line, size_t size);
/* Hands its messages on until there are no more, with the mutex locked, and waits for its end: its exit
 * status, or -N if signal N ended it. *pid becomes 0 before its number may be another's. `log` (may be
 * NULL) receives the messages as they are. */
int nf_child_follow(nf_child *child, pthread_mutex_t *mutex, pid_t *pid, FILE *log,
                    nf_child_line *take, void *user);

#endif
