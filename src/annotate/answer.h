/* What a language model answers, read as it comes: JSON in the form that was asked for, and what models
 * make of it: fences, prose and thinking around it, single quotes, Python's literals and tuples,
 * trailing commas, line breaks in strings, lists of pairs, a mapping of labels, a line for each label,
 * an answer that was cut off. Nothing of it is run, or used as a path.
 *
 * An answer that cannot be read is no answer: it never means "no entities". */
#ifndef NF_ANNOTATE_ANSWER_H
#define NF_ANNOTATE_ANSWER_H

#include "annotate/opinion.h"
#include "data/fold.h"

typedef struct nf_answer_item {
    const char *text;  /* as it was answered */
    const char *label; /* the same; NULL: none was given (a list of texts) */
    const char *about; /* a description of the label (open annotation); NULL */
} nf_answer_item;

typedef struct nf_answer {
    nf_answer_item *items; /* in the arena */
    size_t count;
    bool truncated; /* the end is missing, or what was complete was taken */
} nf_answer;

/* Labels by what answers may call them; immutable, so that threads share it. */
typedef struct nf_answer_labels {
    struct nf_answer_name *exact, *folded; /* maps */
    nf_arena arena;
} nf_answer_labels;
/* `labels` must live as long. What was made before an error is freed, too. */
nerfit_status nf_answer_labels_make(nf_answer_labels *out, const nf_job_labels *labels,
                                    nerfit_error *err);
void nf_answer_labels_free(nf_answer_labels *labels);

/* Reads an answer. False: it cannot be read, or memory is missing (*no_memory). `labels` (may be NULL)
 * are those asked for: only with them "label: text; text" can be told from prose. bare: a list of texts
 * without labels will do, as one label was asked for. */
bool nf_answer_read(nf_answer *out, const char *text, const nf_answer_labels *labels, bool bare,
                    nf_arena *arena, bool *no_memory);

/* A label's letters and digits, folded: "_", "-" and the like are blanks, a last "s" goes. False: out of
 * memory. */
bool nf_answer_label_key(nf_folded *out, const char *label, nf_arena *arena);
/* The label that an answer means: the same but for case, blanks, "_" and a plural, or one of its other
 * names; -1: none. */
int32_t nf_answer_label(const nf_answer_labels *labels, const char *label, nf_arena *arena);

#endif
