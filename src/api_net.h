/* Models by name, and descriptions by a language model, for what nerfit.h promises: here src/net
 * meets the rest. */
#ifndef NF_API_NET_H
#define NF_API_NET_H

#include "data/descriptions.h"
#include "data/document.h"
#include "net/hub.h"
#include "recipe/train.h"

/* Who is told of transfers. */
typedef struct nf_net {
    nerfit_transfer_function transfer; /* may be NULL */
    void *user;
    nf_log log;
} nf_net;

/* The folder of a model by reference (a folder or a name), in `arena`. *base (may be NULL): the
 * folder of the base model of an adapter that names it; else NULL. */
nerfit_status nf_net_folder(const nf_net *net, nf_arena *arena, const char *reference,
                            nf_hub_kind kind, const char **folder, const char **base,
                            nerfit_error *err);

/* Asks for a description of every label of the corpora [count; some NULL] that `out` has not, and
 * adds it. With `file`, what it has is read first, and it is written after every answer.
 * `described` (may be NULL) is told of every label, or stops. */
typedef struct nf_net_describing {
    const char *llm;
    uint64_t seed;
    const char *file; /* or NULL */
    bool (*described)(void *user, const char *label, const char *description, size_t done,
                      size_t count);
    void *user;
} nf_net_describing;
nerfit_status nf_net_describe(const nf_net *net, const nf_net_describing *how,
                              const nf_corpus *const *corpora, size_t count, nf_descriptions *out,
                              nerfit_error *err);

/* Both for a run; `net` must outlive it. */
nf_train_services nf_net_services(const nf_net *net);

#endif
