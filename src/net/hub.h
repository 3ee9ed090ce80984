/* Models by name: a folder, or "owner/name" ("name@revision") from Hugging Face's hub, looked for
 * in the cache first and downloaded if it is not there. A model that the cache has is used without
 * asking the hub whether there is a newer one.
 *
 * Environment, as huggingface_hub reads it: HF_ENDPOINT, HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE,
 * HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT, and those of hub_cache.h. */
#ifndef NF_NET_HUB_H
#define NF_NET_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "net/hub_cache.h"

typedef struct nf_hub_watch {
    /* Is told of a file's bytes, also while nothing comes; false: cancel. May be NULL. */
    bool (*progress)(void *user, const char *model, const char *file, uint64_t done,
                     uint64_t total);
    void *user;
    const nf_log *log; /* may be NULL */
} nf_hub_watch;

/* *folder is in the arena. What is neither a folder nor a possible name comes back as it is:
 * whoever opens it has the better words. */
nerfit_status nf_hub_folder(const char **folder, nf_arena *arena, const char *reference,
                            nf_hub_kind kind, const nf_hub_watch *watch, nerfit_error *err);

#endif
