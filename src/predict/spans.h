/* From a sequence of labels to spans, by seqeval's rules (version 1.2.2): its default mode, which is
 * conlleval's (an entity begins at B-, or at any other label after O or another type), and its strict
 * mode, where a span counts only if it is legal in its scheme. */
#ifndef NF_PREDICT_SPANS_H
#define NF_PREDICT_SPANS_H

#include <stddef.h>

#include "base/error.h"
#include "predict/score.h"

typedef struct nf_label_span {
    size_t start, end; /* positions in the sequence, end exclusive */
    const char *type;  /* points into a label; dashes at its end are not cut off */
} nf_label_span;

/* spans must have room for `length` entries; *count receives how many there are. In strict mode a
 * label that the scheme does not know is an error. */
nerfit_status nf_spans_from_labels(const char *const *labels, size_t length, nf_scheme scheme,
                                   nf_label_span *spans, size_t *count, nerfit_error *err);

#endif
