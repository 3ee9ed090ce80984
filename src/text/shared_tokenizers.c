/* The table is one of a tokenizer's holders; those that nobody else holds go when the next one is
 * loaded. */
#include "text/shared_tokenizers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "text/tokenizer_impl.h"

typedef struct shared_tokenizer {
    char digest[NF_DIGEST_HEX]; /* of the folder's files */
    nf_tokenizer *tokenizer;
    struct shared_tokenizer *next;
} shared_tokenizer;

struct nf_shared_tokenizers {
    pthread_mutex_t mutex;
    shared_tokenizer *list;
};

nerfit_status nf_shared_tokenizers_new(nf_shared_tokenizers **out, nerfit_error *err) {
    *out = calloc(1, sizeof **out);
    if (!*out) return nf_no_memory(err, sizeof **out);
    pthread_mutex_init(&(*out)->mutex, NULL);
    return NERFIT_OK;
}

void nf_shared_tokenizers_free(nf_shared_tokenizers *shared) {
    if (!shared) return;
    for (shared_tokenizer *one = shared->list, *next; one; one = next) {
        next = one->next;
        nf_tokenizer_free(one->tokenizer);
        free(one);
    }
    pthread_mutex_destroy(&shared->mutex);
    free(shared);
}

static nerfit_status digest_of_files(char hex[NF_DIGEST_HEX], const char *folder,
                                     nerfit_error *err) {
    nf_digest digest = nf_digest_sha256();
    nf_arena arena = {0};
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < NF_TOKENIZER_FILES && status == NERFIT_OK; i++) {
        const char *name = nf_tokenizer_files[i], *path = nf_path_join(&arena, folder, name);
        nf_file file;
        if (!path) status = nf_no_memory(err, 0);
        if (!path || !nf_file_exists(path)) continue;
        status = nf_file_open(&file, path, err);
        if (status != NERFIT_OK) break;
        nf_digest_add(&digest, name, strlen(name) + 1);
        nf_digest_add(&digest, &file.size, sizeof file.size);
        nf_digest_add(&digest, file.data, file.size);
        nf_file_close(&file);
    }
    nf_digest_end(&digest, hex);
    nf_arena_free(&arena);
    return status;
}

/* The mutex is held. Nobody can take hold of one that the table alone holds but under it. */
static void drop_idle(nf_shared_tokenizers *shared) {
    for (shared_tokenizer **at = &shared->list, *one; (one = *at) != NULL;) {
        if (!nf_tokenizer_held_once(one->tokenizer)) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        nf_tokenizer_free(one->tokenizer);
        free(one);
    }
}

nerfit_status nf_shared_tokenizers_load(nf_shared_tokenizers *shared, nf_tokenizer **out,
                                        const char *folder, nerfit_error *err) {
    *out = NULL;
    shared_tokenizer *made = calloc(1, sizeof *made), *one;
    if (!made) return nf_no_memory(err, sizeof *made);
    nerfit_status status = digest_of_files(made->digest, folder, err);
    pthread_mutex_lock(&shared->mutex);
    for (one = shared->list; one && strcmp(one->digest, made->digest) != 0;) one = one->next;
    if (status == NERFIT_OK && one)
        *out = nf_tokenizer_hold(one->tokenizer);
    else if (status == NERFIT_OK)
        status = nf_tokenizer_load(&made->tokenizer, folder, err);
    drop_idle(shared);
    if (status == NERFIT_OK && !one) {
        *out = nf_tokenizer_hold(made->tokenizer);
        made->next = shared->list;
        shared->list = made;
        made = NULL;
    }
    pthread_mutex_unlock(&shared->mutex);
    free(made);
    return status;
}
