#include "serve/models.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "base/utf8.h"

/* Before anything is known of a tokenizer: English sub-words have four or five bytes. */
static const double FIRST_TOKENS_A_BYTE = 0.22;

/* ---------------------------------------------------------------- which files are there */

static const char *const identity_files[NF_IDENTITY_FILES] = {
    "config.json", "model.safetensors",  "adapter_model.safetensors",    "tokenizer.json",
    "nerfit.json", "gliner_config.json", "model.safetensors.index.json", "pytorch_model.bin",
    NULL /* the labels */};

/* False: a name on the hub, or a folder that is not there at this moment. */
static bool identity_read(nf_identity *identity, const nf_model_place *place, uint64_t n_places) {
    bool any = false;
    *identity = (nf_identity){.place = n_places};
    for (size_t i = 0; i < NF_IDENTITY_FILES; i++) {
        nf_str path = {0};
        struct stat info;
        if (identity_files[i])
            nf_str_appendf(&path, "%s/%s", place->folder, identity_files[i]);
        else if (place->labels)
            nf_str_append_text(&path, place->labels);
        else
            continue;
        if (!path.failed && stat(path.data, &info) == 0) {
            identity->files[i].inode = info.st_ino;
            identity->files[i].size = info.st_size;
            identity->files[i].changed = info.st_mtim;
            any = any || identity_files[i];
        }
        nf_str_free(&path);
    }
    return any;
}

static bool identity_same(const nf_identity *a, const nf_identity *b) {
    if (a->place != b->place) return false;
    for (size_t i = 0; i < NF_IDENTITY_FILES; i++)
        if (a->files[i].inode != b->files[i].inode || a->files[i].size != b->files[i].size ||
            a->files[i].changed.tv_sec != b->files[i].changed.tv_sec ||
            a->files[i].changed.tv_nsec != b->files[i].changed.tv_nsec)
            return false;
    return true;
}

/* ---------------------------------------------------------------- places */

static void place_free(nf_model_place *place) {
    free(place->folder);
    free(place->labels);
    *place = (nf_model_place){0};
}

static bool place_copy(nf_model_place *out, const char *folder, const char *labels) {
    *out = (nf_model_place){strdup(folder), labels ? strdup(labels) : NULL};
    if (out->folder && (out->labels || !labels)) return true;
    place_free(out);
    return false;
}

nerfit_status nf_served_move(nf_served *s, const char *folder, const char *labels,
                             nerfit_error *err) {
    nf_model_place place;
    if (!place_copy(&place, folder, labels)) return nf_no_memory(err, 0);
    pthread_mutex_lock(&s->mutex);
    nf_model_place old = s->place;
    s->place = place;
    s->n_places++;
    pthread_mutex_unlock(&s->mutex);
    place_free(&old);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- generations */

static void generation_free(nf_generation *g) {
    for (size_t i = 0; i < g->n_spare; i++) nerfit_session_free(g->spare[i]);
    free(g->spare);
    nerfit_model_free(g->model);
    nerfit_encoder_free(g->encoder);
    place_free(&g->place);
    pthread_mutex_destroy(&g->mutex);
    free(g);
}

void nf_generation_release(nf_generation *g) {
    if (g && atomic_fetch_sub(&g->refs, 1) == 1) generation_free(g);
}

/* `place` is taken over, also on failure. */
static nerfit_status generation_load(nf_generation **out, const nf_served *served,
                                     nf_model_place place, int number, nerfit_error *err) {
    nf_generation *g = calloc(1, sizeof *g);
    nerfit_model_options machine = served->machine;
    if (!g) {
        place_free(&place);
        return nf_no_memory(err, sizeof *g);
    }
    g->place = place;
    machine.labels = place.labels;
    pthread_mutex_init(&g->mutex, NULL);
    atomic_init(&g->refs, 1);
    g->number = number;
    g->loaded = (double)time(NULL);
    nerfit_status status = served->kind == NF_SERVED_TAGGER
                               ? nerfit_model_load(&g->model, place.folder, &machine, err)
                               : nerfit_encoder_load(&g->encoder, place.folder, &machine, err);
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
    if (g) atomic_fetch_add(&g->refs, 1);
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

static void served_begin(nf_served *s) {
    pthread_mutex_init(&s->mutex, NULL);
    pthread_mutex_init(&s->tokenizer_mutex, NULL);
    atomic_init(&s->tokens_a_byte, FIRST_TOKENS_A_BYTE);
}

/* Before anybody else knows of it. */
static nerfit_status served_load(nf_served *s, const char *folder, nerfit_error *err) {
    nf_model_place place;
    NF_TRY(nf_served_move(s, folder, NULL, err));
    if (!place_copy(&place, folder, NULL)) return nf_no_memory(err, 0);
    identity_read(&s->identity, &s->place, s->n_places);
    return generation_load(&s->now, s, place, 1, err);
}

nerfit_status nf_models_load(nf_models *models, const nf_serve_options *options,
                             nerfit_error *err) {
    size_t n_taggers = options->n_models + (options->project != NULL);
    size_t n = n_taggers + (options->encoder != NULL);
    *models = (nf_models){.log = options->log, .log_user = options->log_user};
    if (!(models->items = calloc(n + 1, sizeof *models->items))) return nf_no_memory(err, n);
    /* a tagger's sessions have a thread each: the workers; an encoder has one user at a time */
    nerfit_model_options tagging = options->machine;
    tagging.threads = 1;
    if (options->n_models > 1) NF_TRY(nerfit_weights_new(&models->weights, &tagging, err));
    tagging.weights = models->weights;
    for (size_t i = 0; i < n; i++) {
        nf_served *s = &models->items[i];
        bool given = i < options->n_models, tagger = i < n_taggers;
        s->kind = tagger ? NF_SERVED_TAGGER : NF_SERVED_ENCODER;
        s->name = given ? options->models[i].name : tagger ? NF_PROJECT_MODEL : "encoder";
        s->machine = tagger ? tagging : options->machine;
        s->of_project = tagger && !given;
        if (!given) s->machine.weights = NULL;
        served_begin(s);
        models->count++;
        if (given) NF_TRY(served_load(s, options->models[i].folder, err));
        if (!tagger) NF_TRY(served_load(s, options->encoder, err));
    }
    return NERFIT_OK;
}

void nf_models_free(nf_models *models) {
    for (size_t i = 0; i < models->count; i++) {
        nf_served *s = &models->items[i];
        nf_generation_release(s->now);
        place_free(&s->place);
        free(s->failure);
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
        if (s->kind != kind || (name && strcmp(s->name, name) != 0)) continue;
        nf_generation *g = nf_served_acquire(s);
        nf_generation_release(g);
        if (g) return s;
    }
    return NULL;
}

nf_served *nf_models_of_project(const nf_models *models) {
    for (size_t i = 0; i < models->count; i++)
        if (models->items[i].of_project) return &models->items[i];
    return NULL;
}

/* Whether there is something to load; *found, *place: what. */
static bool has_changed(nf_served *s, bool always, nf_identity *found, nf_model_place *place) {
    pthread_mutex_lock(&s->mutex);
    bool there = s->place.folder && place_copy(place, s->place.folder, s->place.labels);
    uint64_t n_places = s->n_places;
    pthread_mutex_unlock(&s->mutex);
    if (!there) return false;
    bool files = identity_read(found, place, n_places);
    bool moved = found->place != s->identity.place;
    bool same = identity_same(found, &s->identity) || identity_same(found, &s->refused);
    bool described = !place->labels || access(place->labels, F_OK) == 0;
    if (described && (always || ((files || moved) && !same))) return true;
    place_free(place);
    return false;
}

/* The new one takes the old one's place; or `failure` says why not. */
static void take_over(nf_served *s, nf_generation *fresh, const char *failure) {
    char *why = failure ? strdup(failure) : NULL;
    pthread_mutex_lock(&s->mutex);
    nf_generation *old = fresh ? s->now : NULL;
    if (fresh) s->now = fresh;
    free(s->failure);
    s->failure = why;
    pthread_mutex_unlock(&s->mutex);
    nf_generation_release(old);
}

static void served_refresh(nf_served *s, bool always, const nf_log *log) {
    nf_identity found;
    nf_model_place place;
    nf_generation *fresh = NULL;
    nerfit_error error;
    if (!has_changed(s, always, &found, &place)) return;
    int number = s->now ? s->now->number + 1 : 1; /* who else changes it is this thread */
    if (generation_load(&fresh, s, place, number, &error) != NERFIT_OK) {
        nf_utf8_end(error.text); /* answers in JSON have it */
        s->refused = found;
        nf_log_warning(log, "%s: the new model cannot be loaded%s: %s", s->name,
                       s->now ? ", the old one stays" : "", error.text);
        take_over(s, NULL, error.text);
        return;
    }
    nf_log_info(log, "%s: %s has been loaded%s", s->name, fresh->place.folder,
                number > 1 ? " anew" : "");
    s->identity = found;
    take_over(s, fresh, NULL);
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
        status = nerfit_tokenizer_load(&fresh, now->place.folder, err);
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
