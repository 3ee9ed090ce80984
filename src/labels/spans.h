/* From a sequence of labels to spans, by seqeval's rules (version 1.2.2): its default mode, which
 * is conlleval's (an entity begins at B-, or at any other label after O or another type), and its
 * strict mode, where a span counts only if it is legal in its scheme.
 *
 * A label is a prefix (its first character), a dash and a type. seqeval's reading of other labels
 * is kept: "B" has the type "_"; "PER" is prefix P and type "ER" in both modes (strict mode knows
 * no P); "B-foo-bar" has the type "foo-bar"; strict mode cuts dashes off both ends of a type. */
#ifndef NF_LABELS_SPANS_H
#define NF_LABELS_SPANS_H

#include <stddef.h>

#include "base/error.h"
#include "labels/entity.h"

/* NF_SCHEME_NONE is seqeval's default mode (conlleval's rules); the others its strict mode. */
typedef enum nf_scheme {
    NF_SCHEME_NONE,
    NF_SCHEME_IOB1,
    NF_SCHEME_IOB2,
    NF_SCHEME_IOE1,
    NF_SCHEME_IOE2,
    NF_SCHEME_BIOES, /* seqeval's IOBES */
    NF_SCHEME_BILOU,
} nf_scheme;

/* The type that a label names: bytes of it, or "_". In strict mode a label may go on with dashes after
 * these bytes. */
typedef struct nf_type_name {
    const char *text;
    size_t size;
} nf_type_name;
nf_type_name nf_label_type_name(const char *label, nf_scheme scheme);

/* Entities in positions of the sequence, without scores; an entity's type is the index of a label in
 * `labels` that names it (nf_label_type_name). spans must have room for `length` entries; *count receives
 * how many there are. Their ends rise. An empty label, and in strict mode a label that the scheme does
 * not know, is NERFIT_FORMAT. */
nerfit_status nf_spans_from_labels(const char *const *labels, size_t length, nf_scheme scheme,
                                   nf_entity *spans, size_t *count, nerfit_error *err);

/* seqeval's default mode reads all sequences as one, with an "O" after each. Where a label has no
 * known prefix, an entity can so begin at a place left over from an earlier sequence. Scores that
 * are to be equal need the same: zero-initialise ({0}), then pass the sequences in order; spans
 * are counted from the first sequence's start. Strict mode reads each sequence alone. */
typedef struct nf_span_scan {
    size_t position; /* of the next sequence's start */
    size_t start;    /* of the latest entity */
} nf_span_scan;

nerfit_status nf_spans_scan(nf_span_scan *scan, const char *const *labels, size_t length,
                            nf_scheme scheme, nf_entity *spans, size_t *count, nerfit_error *err);

#endif
