/* The labels of a call: the prompt, and their vectors where the text's encoder does not read them. Of a
 * bi-encoder a label's vector depends on nothing but its text: each is computed once a model, however
 * many calls name it. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "model/gliner_prompt.h"

/* ---------------------------------------------------------------- vectors that are kept */

/* At 512 numbers a label that is 128 MB; the cache then begins anew. */
enum { MOST_KEPT = 65536 };

typedef struct kept_label {
    UT_hash_handle hh; /* by text */
    float *vector;     /* [D], behind it */
    char *text;
} kept_label;

struct nf_gliner_label_cache {
    pthread_mutex_t mutex;
    kept_label *labels;
};

nerfit_status nf_gliner_label_cache_new(nf_gliner_label_cache **out, nerfit_error *err) {
    *out = calloc(1, sizeof **out);
    if (!*out) return nf_no_memory(err, sizeof **out);
    pthread_mutex_init(&(*out)->mutex, NULL);
    return NERFIT_OK;
}

static void cache_clear(nf_gliner_label_cache *cache) {
    kept_label *label, *next;
    HASH_ITER(hh, cache->labels, label, next) {
        HASH_DEL(cache->labels, label);
        free(label);
    }
}

void nf_gliner_label_cache_free(nf_gliner_label_cache *cache) {
    if (!cache) return;
    cache_clear(cache);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

/* Fills the vectors [count, d] that are kept; missing [*n_missing] gets the numbers of the others. */
static void cache_read(nf_gliner_label_cache *cache, const nf_gliner_labels *labels, size_t d,
                       size_t *missing, size_t *n_missing) {
    *n_missing = 0;
    pthread_mutex_lock(&cache->mutex);
    for (size_t i = 0; i < labels->count; i++) {
        kept_label *known;
        HASH_FIND_STR(cache->labels, labels->prompts[i], known);
        if (known)
            memcpy(labels->vectors + i * d, known->vector, d * sizeof *known->vector);
        else
            missing[(*n_missing)++] = i;
    }
    pthread_mutex_unlock(&cache->mutex);
}

/* What finds no memory is not kept. */
static void cache_add(nf_gliner_label_cache *cache, const char *text, const float *vector,
                      size_t d) {
    kept_label *label = NULL;
    pthread_mutex_lock(&cache->mutex);
    HASH_FIND_STR(cache->labels, text, label);
    if (!label) {
        if (HASH_COUNT(cache->labels) >= MOST_KEPT) cache_clear(cache);
        size_t size = strlen(text) + 1, bytes = d * sizeof *vector;
        label = malloc(sizeof *label + bytes + size);
        if (label) {
            label->vector = (float *)(label + 1);
            label->text = (char *)(label->vector + d);
            memcpy(label->vector, vector, bytes);
            memcpy(label->text, text, size);
            HASH_ADD_KEYPTR(hh, cache->labels, label->text, size - 1, label);
            if (!label->hh.tbl) free(label);
        }
    }
    pthread_mutex_unlock(&cache->mutex);
}

/* ---------------------------------------------------------------- vectors */

enum { LABELS_AT_ONCE = 64 };

/* The labels with the numbers `which` [n], n <= LABELS_AT_ONCE. */
static nerfit_status encode_some(nf_gliner_labels *labels, const nf_model *model, nf_pass *pass,
                                 const size_t *which, size_t n, float *vectors, nerfit_error *err) {
    const char *texts[LABELS_AT_ONCE];
    size_t d = model->gliner->config.size;
    for (size_t i = 0; i < n; i++) texts[i] = labels->prompts[which[i]];
    nf_workspace_reset(pass->ws);
    NF_TRY(nf_gliner_encode_labels(model, pass, texts, n, vectors, err));
    for (size_t i = 0; i < n; i++) {
        memcpy(labels->vectors + which[i] * d, vectors + i * d, d * sizeof *vectors);
        cache_add(model->gliner->label_cache, texts[i], vectors + i * d, d);
    }
    return NERFIT_OK;
}

static nerfit_status encode_labels(nf_gliner_labels *labels, const nf_model *model, nf_backend *be,
                                   nerfit_error *err) {
    size_t d = model->gliner->config.size, n = 0;
    size_t *missing = malloc(labels->count * sizeof *missing + 1);
    if (!missing) return nf_no_memory(err, labels->count * sizeof *missing);
    cache_read(model->gliner->label_cache, labels, d, missing, &n);
    float *vectors = n ? malloc(LABELS_AT_ONCE * d * sizeof *vectors) : NULL;
    nf_pass pass = {.be = be};
    nerfit_status status = NERFIT_OK;
    if (n)
        status = vectors ? nf_workspace_new(&pass.ws, be, err)
                         : nf_no_memory(err, LABELS_AT_ONCE * d * sizeof *vectors);
    for (size_t i = 0; i < n && status == NERFIT_OK; i += LABELS_AT_ONCE)
        status = encode_some(labels, model, &pass, missing + i,
                             n - i < LABELS_AT_ONCE ? n - i : LABELS_AT_ONCE, vectors, err);
    nf_workspace_free(pass.ws);
    free(missing);
    free(vectors);
    return status;
}

/* The rows of the stored vectors that the labels have. */
static nerfit_status find_precomputed(nf_gliner_labels *labels, const nf_model *model,
                                      nf_backend *be, nerfit_error *err) {
    const nf_gliner *g = model->gliner;
    size_t d = g->config.size, known = g->precomputed->rows;
    for (size_t i = 0; i < labels->count; i++) {
        size_t k = nf_list_index(g->precomputed_labels, known, labels->prompts[i]);
        if (k == known)
            return nf_fail_at(err, NERFIT_ARGUMENT, model->folder, 0, 0,
                              "has the vectors of its %zu labels alone, and \"%s\" is none of them",
                              known, labels->prompts[i]);
        be->to_f32(be, labels->vectors + i * d, nf_at(be, g->precomputed->values, k * d), d);
    }
    return NERFIT_OK;
}

nerfit_status nf_gliner_labels_missing(const nf_model *model, nerfit_error *err) {
    return nf_fail_at(err, NERFIT_ARGUMENT, model->folder, 0, 0,
                      "is a GLiNER model, which finds labels that are named; name some (labels, "
                      "--labels \"person, place\", or \"labels\" of a text in jsonl)");
}

nerfit_status nf_gliner_labels_prepare(nf_gliner_labels *labels, const nf_model *model,
                                       nf_backend *be, nerfit_error *err) {
    const nf_gliner *g = model->gliner;
    if (labels->room) return NERFIT_OK;
    if (labels->count == 0) return nf_gliner_labels_missing(model, err);
    NF_TRY(nf_gliner_prompt_make(&labels->prompt, model, labels->prompts, labels->count, err));
    if (g->config.labels_encoder || g->precomputed) {
        labels->vectors = malloc(labels->count * g->config.size * sizeof *labels->vectors);
        if (!labels->vectors) return nf_no_memory(err, labels->count * g->config.size);
        NF_TRY(g->precomputed ? find_precomputed(labels, model, be, err)
                              : encode_labels(labels, model, be, err));
    }
    return nf_gliner_prompt_room(&labels->prompt, model, &labels->room, err);
}

void nf_gliner_labels_free(nf_gliner_labels *labels) {
    if (!labels) return;
    nf_gliner_prompt_free(&labels->prompt);
    free(labels->vectors);
    labels->vectors = NULL;
    labels->room = 0;
}
