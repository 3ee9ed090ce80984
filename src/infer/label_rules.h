/* Rules for texts that bring labels of their own: each list of labels is made ready once, however many
 * texts bring it. */
#ifndef NF_INFER_LABEL_RULES_H
#define NF_INFER_LABEL_RULES_H

#include "infer/rules.h"

/* Zero-initialise but for the first three. */
typedef struct nf_label_rules {
    const nf_model *model;
    nf_backend *be;       /* of the calling thread */
    const nf_rules *base; /* of the call: its thresholds and the rest */
    nf_arena arena;
    struct nf_label_rules_entry {
        const char *const *names; /* [count] */
        size_t count;
        nf_rules *rules;
    } * entries;
    size_t n_entries, capacity;
} nf_label_rules;

/* The rules for a list of labels; names may go afterwards. Without labels: the call's. An error if the
 * model has labels of its own. */
nerfit_status nf_label_rules_find(nf_label_rules *rules, const char *const *names, size_t count,
                                  const nf_rules **out, nerfit_error *err);
void nf_label_rules_free(nf_label_rules *rules);

#endif
