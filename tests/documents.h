/* Documents as short text, for tables of cases: "text{0-4 label, 7-9 other}", one after another
 * with " | " between them. */
#ifndef NF_TEST_DOCUMENTS_H
#define NF_TEST_DOCUMENTS_H

#include "test.h"

#include "base/str.h"
#include "data/document.h"

static inline void show_document(nf_str *out, const nf_document *d) {
    nf_str_append(out, d->text, d->text_size);
    nf_str_append_text(out, "{");
    for (size_t i = 0; i < d->n_spans; i++)
        nf_str_appendf(out, "%s%u-%u %s", i ? ", " : "", d->spans[i].start, d->spans[i].end,
                       d->spans[i].label);
    nf_str_append_text(out, "}");
}

static inline void show_corpus(nf_str *out, const nf_corpus *corpus) {
    for (size_t i = 0; i < corpus->n_documents; i++) {
        if (i) nf_str_append_text(out, " | ");
        show_document(out, &corpus->documents[i]);
    }
}

/* Compares and tells both; returns whether they are equal. */
static inline bool same_text(const char *name, const char *got, const char *expected) {
    if (strcmp(got, expected) == 0) return true;
    print_error("%s:\n  got      %s\n  expected %s\n", name, got, expected);
    return false;
}

#endif
