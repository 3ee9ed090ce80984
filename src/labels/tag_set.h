/* What a model's labels mean: a prefix and a type each, read once, so that everything behind works
 * with numbers.
 *
 *   O                    outside of entities
 *   B-x, I-x             the first and the other words of an entity of type x
 *   E-x, L-x, S-x, U-x,  BIOES, BILOU and BMEWO: only where the model has B-x or I-x, too; else the
 *   M-x, W-x             dash is a part of the name ("E-mail")
 *   B, I, E ...          such letters alone, if the model has no other labels but O, and has B or I:
 *                        the type is "_" (else "L" and "M", say, are types)
 *   anything else        the whole label is the type: "LABEL_0", "ORG", "B_LOC". An entity is a run
 *                        of words with this label.
 *
 * B-x, I-x and the last row are what transformers' token-classification pipeline makes of them
 * (5.23: TokenClassificationPipeline.get_tag and group_entities); it knows no other prefixes. */
#ifndef NF_LABELS_TAG_SET_H
#define NF_LABELS_TAG_SET_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "labels/entity.h"

typedef enum nf_tag_prefix {
    NF_TAG_O,
    NF_TAG_B,
    NF_TAG_I,
    NF_TAG_E,    /* last word; L */
    NF_TAG_S,    /* only word; U, W */
    NF_TAG_NONE, /* a type without a prefix */
} nf_tag_prefix;

typedef struct nf_tag {
    nf_tag_prefix prefix;
    int32_t type; /* of the set's types; -1 of O */
} nf_tag;

enum { NF_TAG_LEFT_OUT = -1 }; /* in place of a label: O, whatever the model says */

/* Zero-initialise. */
typedef struct nf_tag_set {
    nf_arena arena;
    nf_tag *tags; /* [n_labels] */
    size_t n_labels;
    const char **types; /* [n_types] in order of first appearance */
    size_t n_types;
    const char *(*names)[2]; /* [n_labels] as nf_tag_set_name gives them: first, and inside */
} nf_tag_set;

/* The labels [n] are borrowed. */
nerfit_status nf_tag_set_make(nf_tag_set *set, const char *const *labels, size_t n,
                              nerfit_error *err);
void nf_tag_set_free(nf_tag_set *set);
/* The index of a type, or -1. */
int32_t nf_tag_set_type(const nf_tag_set *set, const char *type);
/* A word's label as "B-x", "I-x", "E-x", "S-x" or "O": what scorers read. `before` is the label of
 * the word before it (NF_TAG_LEFT_OUT at the start): a label without a prefix is B- where it
 * begins. */
const char *nf_tag_set_name(const nf_tag_set *set, int32_t label, int32_t before);

/* Entities of a sequence of labels, by conlleval's rules, which are those of seqeval's default mode
 * and, for B- and I-, transformers': one begins at B- and S-, and at any other label after O, after
 * the end of one (E-, S-), or after another type. spans: room for n, in words, without scores.
 * Returns how many. */
size_t nf_tag_set_spans(const nf_tag_set *set, const int32_t *labels, size_t n, nf_entity *spans);

#endif
