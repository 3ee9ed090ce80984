/* PEFT's rules by which names of modules are chosen (check_target_module_exists, get_pattern_key of
 * PEFT 0.21): names are those of the wrapped model, with the architecture's prefix where it has a
 * head: "bert.encoder.layer.0.attention.self.query". */
#ifndef NF_MODEL_ADAPTER_MATCH_H
#define NF_MODEL_ADAPTER_MATCH_H

#include "model/adapter_config.h"
#include "text/regex.h"

/* A configuration's patterns, compiled; zero-initialise, free at the end. */
typedef struct nf_adapter_matcher {
    const nf_adapter_config *config;
    nf_arena arena;
    nf_regex_scratch scratch;
    nf_regex *target, *exclude; /* NULL: names */
    nf_regex **ranks, **alphas;
    nf_regex **layers_pattern; /* "(.*\.)?layer\.\d+\..*" of each */
    bool *target_used;         /* [n_target_modules] whether a name has been chosen by it */
} nf_adapter_matcher;

nerfit_status nf_adapter_matcher_new(nf_adapter_matcher *out, const nf_adapter_config *config,
                                     const char *path, nerfit_error *err);
void nf_adapter_matcher_free(nf_adapter_matcher *matcher);

/* Whether the linear layer of that full name gets an adapter, with its rank and alpha. */
nerfit_status nf_adapter_match(nf_adapter_matcher *matcher, const char *name, bool *adapted,
                               size_t *rank, double *alpha, nerfit_error *err);
/* Whether a parameter's module is one of modules_to_save: the name ends in an entry. */
bool nf_adapter_saves(const nf_adapter_config *config, const char *module);
/* Equal, or ending in "." + wanted. */
bool nf_module_is(const char *name, const char *wanted);

#endif
