/* The cache of Hugging Face's hub on disk, shared with Python's huggingface_hub (layout as of 0.2x
 * to 2.x): each side finds what the other downloaded.
 *
 *   CACHE/models--owner--name/
 *     refs/main                  the commit that a branch or tag stood for when it was last asked
 *     snapshots/COMMIT/FILE      symbolic links: ../../blobs/ETAG
 *     blobs/ETAG                 contents; ETAG is the SHA-256, or git's SHA-1 of small files
 *     blobs/ETAG.incomplete      a download that was cut short, to be gone on with
 *     .no_exist/COMMIT/FILE      (empty) the hub said that there is no such file
 *   CACHE/.locks/models--owner--name/ETAG.lock   held (flock) while a blob is fetched
 *
 * Nothing here uses the network. */
#ifndef NF_NET_HUB_CACHE_H
#define NF_NET_HUB_CACHE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

/* What of a model is wanted. */
typedef enum nf_hub_kind {
    NF_HUB_MODEL,    /* configuration, weights, tokenizer; or an adapter */
    NF_HUB_SENTENCE, /* and what modules.json names, if there is one */
    NF_HUB_TOKENIZER /* tokenizer only */
} nf_hub_kind;

/* "owner/name", or a bare "name" as the first models have, with "@revision" or not. */
typedef struct nf_hub_name {
    const char *id;
    const char *revision; /* "main" if not given; may have slashes: "refs/pr/3" */
} nf_hub_name;

/* false: it cannot be a name (or out of memory: then id is NULL in a valid name's place). */
bool nf_hub_name_parse(nf_arena *arena, const char *reference, nf_hub_name *name);

/* Where the cache is: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/
 * hub, ~/.cache/huggingface/hub. NULL when out of memory. */
const char *nf_hub_cache_folder(nf_arena *arena);
/* HF_TOKEN, HUGGING_FACE_HUB_TOKEN, or the file HF_TOKEN_PATH, else HF_HOME/token; NULL: none. */
const char *nf_hub_token(nf_arena *arena);

/* One model's paths. NULL when out of memory. */
typedef struct nf_hub_paths {
    const char *model;    /* CACHE/models--owner--name */
    const char *snapshot; /* NULL: the revision's commit is not known */
    const char *commit;   /* as well */
} nf_hub_paths;
nerfit_status nf_hub_paths_find(nf_hub_paths *paths, nf_arena *arena, const char *cache,
                                const nf_hub_name *name, nerfit_error *err);
/* snapshots/COMMIT becomes known. */
nerfit_status nf_hub_paths_set_commit(nf_hub_paths *paths, nf_arena *arena, const char *commit,
                                      nerfit_error *err);
bool nf_hub_is_commit(const char *text);

/* What a snapshot has of a model. */
typedef struct nf_hub_state {
    bool usable;   /* all that the kind cannot do without */
    bool complete; /* and nothing that the hub should be asked for */
} nf_hub_state;
nf_hub_state nf_hub_state_of(nf_arena *arena, const nf_hub_paths *paths, nf_hub_kind kind);

/* Whether the name may become a file below a snapshot: relative, without "..", plain. */
bool nf_hub_file_name_valid(const char *name);
/* The file's name is one of those that models of this kind are made of (weights apart). */
bool nf_hub_file_wanted(const char *base_name, nf_hub_kind kind);

/* A lock file held by one process. */
nerfit_status nf_hub_lock(int *lock, const char *path, bool (*wait)(void *user), void *user,
                          nerfit_error *err);
void nf_hub_unlock(int lock);
/* snapshot/name -> the blob, a relative link put in place at once; where links are not possible,
 * the blob itself is moved there. */
nerfit_status nf_hub_link(nf_arena *arena, const nf_hub_paths *paths, const char *name,
                          const char *etag, nerfit_error *err);

#endif
