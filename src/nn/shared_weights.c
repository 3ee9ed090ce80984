/* One lock for all: what is under it happens while models are loaded, not while they work. */
#include "nn/shared_weights.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct prepared {
    nf_weight_plan plan;
    nf_weight *weight;
    struct prepared *next;
} prepared;

/* A tensor that was asked for. */
typedef struct shared_tensor {
    const nf_stored *stored;
    const nf_values *values;
    void *converted; /* memory of `values`; NULL: they lie in the mapping */
    prepared *forms;
    struct shared_tensor *next;
} shared_tensor;

struct nf_shared_file {
    nf_shared_weights *shared;
    nf_safetensors *tensors;
    shared_tensor *list;
    size_t users;
    nf_shared_file *next;
};

struct nf_shared_weights {
    pthread_mutex_t mutex;
    nf_backend *be;
    nf_shared_file *files;
    size_t users;
};

nerfit_status nf_shared_weights_new(nf_shared_weights **out, nf_backend *be, nerfit_error *err) {
    *out = NULL;
    nf_shared_weights *shared = calloc(1, sizeof *shared);
    if (!shared) return nf_no_memory(err, sizeof *shared);
    shared->users = 1;
    pthread_mutex_init(&shared->mutex, NULL);
    nerfit_status status = be->fork(be, &shared->be, err);
    if (status == NERFIT_OK)
        *out = shared;
    else
        nf_shared_weights_drop(shared);
    return status;
}

nf_shared_weights *nf_shared_weights_hold(nf_shared_weights *shared) {
    pthread_mutex_lock(&shared->mutex);
    shared->users++;
    pthread_mutex_unlock(&shared->mutex);
    return shared;
}

void nf_shared_weights_drop(nf_shared_weights *shared) {
    if (!shared) return;
    pthread_mutex_lock(&shared->mutex);
    bool last = --shared->users == 0;
    pthread_mutex_unlock(&shared->mutex);
    if (!last) return;
    if (shared->be) shared->be->free(shared->be);
    pthread_mutex_destroy(&shared->mutex);
    free(shared);
}

nerfit_status nf_shared_weights_backend(nf_shared_weights *shared, nf_backend **out,
                                        nerfit_error *err) {
    pthread_mutex_lock(&shared->mutex);
    nerfit_status status = shared->be->fork(shared->be, out, err);
    pthread_mutex_unlock(&shared->mutex);
    return status;
}

/* ---------------------------------------------------------------- files */

static void free_tensor(nf_backend *be, shared_tensor *t) {
    for (prepared *p = t->forms, *next; p; p = next) {
        next = p->next;
        be->weight_free(be, p->weight);
        free(p);
    }
    if (t->converted) be->memory_free(be, t->converted);
    free(t);
}

/* The mutex is held; the file is in no list. */
static void free_file(nf_backend *be, nf_shared_file *file) {
    for (shared_tensor *t = file->list, *next; t; t = next) {
        next = t->next;
        free_tensor(be, t);
    }
    nf_safetensors_close(file->tensors);
    free(file);
}

static nf_shared_file *find_file(const nf_shared_weights *shared, const nf_safetensors *tensors) {
    for (nf_shared_file *f = shared->files; f; f = f->next)
        if (nf_safetensors_same(f->tensors, tensors)) return f;
    return NULL;
}

nerfit_status nf_shared_weights_open(nf_shared_weights *shared, nf_shared_file **out,
                                     const char *path, nerfit_error *err) {
    nf_safetensors *tensors;
    *out = NULL;
    NF_TRY(nf_safetensors_open(&tensors, path, err));
    nf_shared_file *made = calloc(1, sizeof *made);
    if (!made) {
        nf_safetensors_close(tensors);
        return nf_no_memory(err, sizeof *made);
    }
    pthread_mutex_lock(&shared->mutex);
    nf_shared_file *file = find_file(shared, tensors);
    if (!file) {
        file = made;
        made = NULL;
        *file = (nf_shared_file){.shared = shared, .tensors = tensors, .next = shared->files};
        shared->files = file;
        tensors = NULL;
    }
    file->users++;
    shared->users++;
    pthread_mutex_unlock(&shared->mutex);
    nf_safetensors_close(tensors);
    free(made);
    *out = file;
    return NERFIT_OK;
}

void nf_shared_file_drop(nf_shared_file *file) {
    if (!file) return;
    nf_shared_weights *shared = file->shared;
    pthread_mutex_lock(&shared->mutex);
    if (--file->users == 0) {
        nf_shared_file **at = &shared->files;
        while (*at != file) at = &(*at)->next;
        *at = file->next;
        free_file(shared->be, file);
    }
    pthread_mutex_unlock(&shared->mutex);
    nf_shared_weights_drop(shared);
}

nf_safetensors *nf_shared_file_tensors(const nf_shared_file *file) {
    return file->tensors;
}

/* ---------------------------------------------------------------- values, prepared weights */

static nerfit_status convert(nf_backend *be, shared_tensor *t, nerfit_error *err) {
    size_t count = t->stored->count;
    float *host = malloc(count * sizeof *host + 1);
    t->converted = be->memory_new(be, count * be->real_size);
    nerfit_status status = NERFIT_OK;
    if (!host || !t->converted) status = nf_no_memory(err, count * be->real_size);
    if (status == NERFIT_OK) status = nf_stored_to_f32(t->stored, host, err);
    if (status == NERFIT_OK) be->from_f32(be, t->converted, host, count);
    t->values = t->converted;
    free(host);
    return status;
}

static nerfit_status add_tensor(nf_shared_file *file, const nf_stored *stored, shared_tensor **out,
                                nerfit_error *err) {
    nf_backend *be = file->shared->be;
    shared_tensor *t = calloc(1, sizeof *t);
    if (!t) return nf_no_memory(err, sizeof *t);
    t->stored = stored;
    bool floats = stored->type == NF_STORED_F32 && (uintptr_t)stored->data % sizeof(float) == 0;
    if (floats) t->values = be->adopt(be, (const float *)stored->data, stored->count);
    nerfit_status status = t->values ? NERFIT_OK : convert(be, t, err);
    if (status != NERFIT_OK) {
        free_tensor(be, t);
        return status;
    }
    t->next = file->list;
    file->list = t;
    *out = t;
    return NERFIT_OK;
}

nerfit_status nf_shared_file_values(nf_shared_file *file, const nf_stored *stored,
                                    const nf_values **out, nerfit_error *err) {
    nerfit_status status = NERFIT_OK;
    pthread_mutex_lock(&file->shared->mutex);
    shared_tensor *t = file->list;
    while (t && t->stored != stored) t = t->next;
    if (!t) status = add_tensor(file, stored, &t, err);
    pthread_mutex_unlock(&file->shared->mutex);
    *out = status == NERFIT_OK ? t->values : NULL;
    return status;
}

static bool same_plan(const nf_weight_plan *a, const nf_weight_plan *b) {
    return a->out == b->out && a->in == b->in && a->uses == b->uses && a->precision == b->precision;
}

static nerfit_status add_form(nf_backend *be, shared_tensor *t, const nf_weight_plan *plan,
                              nf_weight **out, nerfit_error *err) {
    prepared *form = calloc(1, sizeof *form);
    if (!form) return nf_no_memory(err, sizeof *form);
    nerfit_status status = be->weight_new(be, &form->weight, t->values, plan, err);
    if (status != NERFIT_OK) {
        free(form);
        return status;
    }
    form->plan = *plan;
    form->next = t->forms;
    t->forms = form;
    *out = form->weight;
    return NERFIT_OK;
}

nerfit_status nf_shared_file_weight(nf_shared_file *file, const nf_values *values,
                                    const nf_weight_plan *plan, nf_weight **out,
                                    nerfit_error *err) {
    nerfit_status status = NERFIT_OK;
    *out = NULL;
    pthread_mutex_lock(&file->shared->mutex);
    shared_tensor *t = file->list;
    while (t && t->values != values) t = t->next;
    prepared *form = t ? t->forms : NULL;
    while (form && !same_plan(&form->plan, plan)) form = form->next;
    if (form)
        *out = form->weight;
    else if (t)
        status = add_form(file->shared->be, t, plan, out, err);
    pthread_mutex_unlock(&file->shared->mutex);
    return status;
}
