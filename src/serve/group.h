/* The texts of one request, which are answered together: each is a job of the queue, and the last
 * that is done makes the reply. */
#ifndef NF_SERVE_GROUP_H
#define NF_SERVE_GROUP_H

#include "serve/calls.h"

typedef struct nf_group nf_group;
struct nf_group {
    nf_request *request;
    nf_asked asked;
    json_t *source; /* has the texts */
    nf_job *jobs;   /* [count] */
    nf_str *outs;   /* [count] what each text came to, as JSON */
    size_t count, capacity;
    /* Appends a result to outs[job->index]; on any worker. */
    void (*format)(nf_group *group, const nf_job *job, const nf_job_result *result, nf_str *out);
    /* Fills the reply, when all went well. */
    void (*finish)(nf_group *group);
    void *user;                  /* theirs */
    void (*release)(void *user); /* of it; may be NULL */
    /* the group's own */
    pthread_mutex_t mutex;
    size_t left;
    nf_failure failure;
    char message[1024];
    double queue, compute; /* sums */
    size_t tokens, characters;
};

/* `most`: texts at most. Takes over `asked` and `source`. NULL: out of memory, and the reply says
 * so. */
nf_group *nf_group_new(nf_request *request, nf_asked asked, json_t *source, size_t most);
/* Adds a text [size] that `source` has, for the queue to tag. */
void nf_group_add(nf_group *group, const char *text, size_t size);
/* Puts the texts into the queue; the reply comes by nf_request_done. */
void nf_group_start(nf_group *group);
/* For `finish`: adds all outs to the reply, with ", " between them. */
void nf_group_join(nf_group *group);
/* Instead of starting it: an error is the reply already. */
void nf_group_free(nf_group *group);

#endif
