#include "serve/models.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"

/* Before anything is known of a tokenizer: English sub-words have four or five bytes. */
static const double FIRST_TOKENS_A_BYTE = 0.22;

/* ---------------------------------------------------------------- which files are there */

static const char *const identity_files[NF_IDENTITY_FILES] = {
    "config.json", "model.safetensors",  "adapter_model.safetensors",    "tokenizer.json",
    "nerfit.json", "gliner_config.json", "model.safetensors.index.json", "pytorch_model.bin"};

/* False: a name on the hub, or a folder that is not there at this moment. */
static bool identity_read(nf_identity *identity, const char *folder) {
    bool any = false;
    *identity = (nf_identity){0};
    for (size_t i = 0; i < NF_IDENTITY_FILES; i++) {
        nf_str path = {0};
        struct stat info;
        nf_str_appendf(&path, "%s/%s", folder, identity_files[i]);
        if (!path.failed && stat(path.data, &info) == 0) {
            identity->files[i].inode = info.st_ino;
            identity->files[i].size = info.st_size;
            identity->files[i].changed = info.st_mtim;
            any = true;
        }
        nf_str_free(&path);
    }
    return any;
}

static bool identity_same(const nf_identity *a, const nf_identity *b) {
    for (size_t i = 0; i < NF_IDENTITY_FILES; i++)
        if (a->files[i].inode != b->files[i].inode || a->files[i].size != b->files[i].size ||
            a->files[i].changed.tv_sec != b->files[i].changed.tv_sec ||
            a->files[i].changed.tv_nsec != b->files[i].changed.tv_nsec)
            return false;
    return true;
}

/* ---------------------------------------------------------------- generations */

static void generation_free(nf_generation *g) {
    for (size_t i = 0; i < g->n_spare; i++) nerfit_session_free(g->spare[i]);
    free(g->spare);
    nerfit_model_free(g->model);
    nerfit_encoder_free(g->encoder);
    pthread_mutex_destroy(&g->mutex);
    free(g);
}

void nf_generation_release(nf_generation *g) {
    if (g && atomic_fetch_sub(&g->refs, 1) == 1) generation_free(g);
}

static nerfit_status generation_load(nf_generation **out, const nf_served *served, int number,
                                     nerfit_error *err) {
    nf_generation *g = calloc(1, sizeof *g);
    if (!g) return nf_no_memory(err, sizeof *g);
    pthread_mutex_init(&g->mutex, NULL);
    atomic_init(&g->refs, 1);
    g->number = number;
    g->loaded = (double)time(NULL);
    nerfit_status status =
        served->kind == NF_SERVED_TAGGER
            ? nerfit_model_load(&g->model, served->folder, &served->machine, err)
            : nerfit_encoder_load(&g->encoder, served->folder, &served->machine, err);
    /* what cannot tag is found here, not by the first request */
    nerfit_session *session = NULL;
    if (status == NERFIT_OK && g->model) status = nf_generation_session(g, &session, err);
    if (session) nf_generation_give_back(g, session);
    if (status == NERFIT_OK)
        *out = g;
    else
        generation_free(g);
    return status;
}

nf_generation *nf_served_acquire(nf_served *served) {
    pthread_mutex_lock(&served->mutex);
    nf_generation *g = served->now;
    atomic_fetch_add(&g->refs, 1);
    pthread_mutex_unlock(&served->mutex);
    return g;
}

nerfit_status nf_generation_session(nf_generation *g, nerfit_session **session, nerfit_error *err) {
    *session = NULL;
    pthread_mutex_lock(&g->mutex);
    if (g->n_spare) *session = g->spare[--g->n_spare];
    pthread_mutex_unlock(&g->mutex);
    return *session ? NERFIT_OK : nerfit_session_new(session, g->model, err);
}

void nf_generation_give_back(nf_generation *g, nerfit_session *session) {
    pthread_mutex_lock(&g->mutex);
    bool room = nf_array_reserve(&g->spare, &g->capacity, g->n_spare + 1, sizeof *g->spare);
    if (room) g->spare[g->n_spare++] = session;
    pthread_mutex_unlock(&g->mutex);
    if (!room) nerfit_session_free(session);
}

/* ---------------------------------------------------------------- the list of them */

static nerfit_status served_begin(nf_served *s, nerfit_error *err) {
    pthread_mutex_init(&s->mutex, NULL);
    pthread_mutex_init(&s->tokenizer_mutex, NULL);
    atomic_init(&s->tokens_a_byte, FIRST_TOKENS_A_BYTE);
    identity_read(&s->identity, s->folder);
    return generation_load(&s->now, s, 1, err);
}

nerfit_status nf_models_load(nf_models *models, const nf_serve_options *options,
                             nerfit_error *err) {
    size_t n = options->n_models + (options->encoder != NULL);
    *models = (nf_models){.log = options->log, .log_user = options->log_user};
    if (!(models->items = calloc(n + 1, sizeof *models->items))) return nf_no_memory(err, n);
    /* a tagger's sessions have a thread each: the workers; an encoder has one user at a time */
    nerfit_model_options tagging = options->machine;
    tagging.threads = 1;
    if (options->n_models > 1) NF_TRY(nerfit_weights_new(&models->weights, &tagging, err));
    tagging.weights = models->weights;
    for (size_t i = 0; i < n; i++) {
        nf_served *s = &models->items[i];
        bool tagger = i < options->n_models;
        s->kind = tagger ? NF_SERVED_TAGGER : NF_SERVED_ENCODER;
        s->name = tagger ? options->models[i].name : "encoder";
        s->folder = tagger ? options->models[i].folder : options->encoder;
        s->machine = tagger ? tagging : options->machine;
        models->count++;
        NF_TRY(served_begin(s, err));
    }
    return NERFIT_OK;
}

void nf_models_free(nf_models *models) {
    for (size_t i = 0; i < models->count; i++) {
        nf_served *s = &models->items[i];
        nf_generation_release(s->now);
        nerfit_tokenizer_free(s->tokenizer);
        pthread_mutex_destroy(&s->mutex);
        pthread_mutex_destroy(&s->tokenizer_mutex);
    }
    free(models->items);
    nerfit_weights_free(models->weights);
    *models = (nf_models){0};
}

nf_served *nf_models_find(const nf_models *models, nf_served_kind kind, const char *name) {
    for (size_t i = 0; i < models->count; i++) {
        nf_served *s = &models->items[i];
        if (s->kind == kind && (!name || strcmp(s->name, name) == 0)) return s;
    }
    return NULL;
}

static void served_refresh(nf_served *s, bool always, const nf_log *log) {
    nf_identity found;
    nf_generation *fresh = NULL;
    nerfit_error error;
    if (!identity_read(&found, s->folder) && !always) return;
    if (!always && (identity_same(&found, &s->identity) || identity_same(&found, &s->refused)))
        return;
    if (generation_load(&fresh, s, s->now->number + 1, &error) != NERFIT_OK) {
        s->refused = found;
        nf_log_warning(log, "%s: the new model cannot be loaded, the old one stays: %s", s->name,
                       error.text);
        return;
    }
    pthread_mutex_lock(&s->mutex);
    nf_generation *old = s->now;
    s->now = fresh;
    pthread_mutex_unlock(&s->mutex);
    s->identity = found;
    nf_generation_release(old);
    nf_log_info(log, "%s: %s has been loaded anew", s->name, s->folder);
}

void nf_models_refresh(nf_models *models, bool all) {
    const nf_log log = {models->log, models->log_user};
    for (size_t i = 0; i < models->count; i++) served_refresh(&models->items[i], all, &log);
}

/* ---------------------------------------------------------------- tokens */

nerfit_status nf_served_tokenize(nf_served *s, const char *text, size_t size, char **json,
                                 nerfit_error *err) {
    nerfit_status status = NERFIT_OK;
    nf_generation *now = nf_served_acquire(s);
    pthread_mutex_lock(&s->tokenizer_mutex);
    if (!s->tokenizer || s->tokenizer_generation != now->number) {
        nerfit_tokenizer *fresh;
        status = nerfit_tokenizer_load(&fresh, s->folder, err);
        if (status == NERFIT_OK) {
            nerfit_tokenizer_free(s->tokenizer);
            s->tokenizer = fresh;
            s->tokenizer_generation = now->number;
        }
    }
    if (status == NERFIT_OK) status = nerfit_tokenize(s->tokenizer, text, size, json, err);
    pthread_mutex_unlock(&s->tokenizer_mutex);
    nf_generation_release(now);
    return status;
}

json_t *nf_served_types(const nerfit_model *model) {
    json_t *types = json_array();
    for (size_t i = 0; i < nerfit_model_label_count(model); i++) {
        const char *label = nerfit_model_label(model, i);
        if (strncmp(label, "B-", 2) == 0) json_array_append_new(types, json_string(label + 2));
    }
    return types;
}
