/* The models of a service. Each has a name, and at any moment a generation: the model as it was
 * loaded once, with the sessions over it. When the folder has changed (a training has put a new
 * best/ in its place), a new generation is loaded beside the old one and takes its place for batches
 * that begin from then on; the old one goes with its last batch. */
#ifndef NF_SERVE_MODELS_H
#define NF_SERVE_MODELS_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "serve/serve.h"

/* What a model is asked for. */
typedef enum nf_served_kind { NF_SERVED_TAGGER, NF_SERVED_ENCODER } nf_served_kind;

/* Where a model is. */
typedef struct nf_model_place {
    char *folder;
    char *labels; /* a file of descriptions, of a model without labels of its own; or NULL */
} nf_model_place;

enum { NF_IDENTITY_FILES = 9 };

/* Which files a folder held when it was loaded. */
typedef struct nf_identity {
    uint64_t place; /* the how manieth of the model's places */
    struct {
        ino_t inode;
        off_t size;
        struct timespec changed;
    } files[NF_IDENTITY_FILES];
} nf_identity;

typedef struct nf_generation {
    atomic_int refs;
    int number; /* from 1 */
    nf_model_place place;
    nerfit_model *model;
    nerfit_encoder *encoder;
    pthread_mutex_t mutex;
    nerfit_session **spare; /* [n_spare] that no worker uses */
    size_t n_spare, capacity;
    double loaded; /* seconds since 1970 */
} nf_generation;

typedef struct nf_served {
    nf_served_kind kind;
    const char *name;
    bool of_project;
    nerfit_model_options machine;
    pthread_mutex_t mutex; /* of what follows */
    nf_model_place place;
    uint64_t n_places;
    nf_generation *now; /* NULL: nothing could be loaded yet */
    char *failure;      /* of the last try to load it; or NULL */
    /* the refresher's own */
    nf_identity identity, refused; /* of what is loaded; of what could not be */
    _Atomic double tokens_a_byte;  /* of its tokenizer, as texts so far had it */
    pthread_mutex_t tokenizer_mutex;
    nerfit_tokenizer *tokenizer; /* of /tokenize; loaded when first asked for */
    int tokenizer_generation;
} nf_served;

typedef struct nf_models {
    nf_served *items; /* [count]; taggers first, the project's behind the others */
    size_t count;
    nerfit_weights *weights; /* that several taggers share; NULL: there is one */
    nerfit_log_function log;
    void *log_user;
} nf_models;

nerfit_status nf_models_load(nf_models *models, const nf_serve_options *options, nerfit_error *err);
void nf_models_free(nf_models *models);
/* The model of that name (NULL: the first); NULL if there is none that is loaded. */
nf_served *nf_models_find(const nf_models *models, nf_served_kind kind, const char *name);
/* Takes over what has changed on disk; `all`: also what has not. What cannot be loaded is said once,
 * and the old one stays. */
void nf_models_refresh(nf_models *models, bool all);

/* The name of the project's model, which is not loaded until it has a place. */
#define NF_PROJECT_MODEL "project"
/* NULL: there is none. */
nf_served *nf_models_of_project(const nf_models *models);
/* From now on it is here: refresh loads it. With labels: as soon as that file is there. */
nerfit_status nf_served_move(nf_served *served, const char *folder, const char *labels,
                             nerfit_error *err);

/* The generation at hand; given back by release. NULL: none yet. */
nf_generation *nf_served_acquire(nf_served *served);
void nf_generation_release(nf_generation *generation);
/* A session over it, for one thread at a time. */
nerfit_status nf_generation_session(nf_generation *generation, nerfit_session **session,
                                    nerfit_error *err);
void nf_generation_give_back(nf_generation *generation, nerfit_session *session);
/* nerfit_tokenize with its tokenizer, from any thread. */
nerfit_status nf_served_tokenize(nf_served *served, const char *text, size_t size, char **json,
                                 nerfit_error *err);

/* The entity types of a model, a JSON array; NULL when out of memory. */
json_t *nf_served_types(const nerfit_model *model);

#endif
