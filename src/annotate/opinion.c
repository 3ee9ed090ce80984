#include "annotate/opinion.h"

#include <string.h>

static const char *const count_texts[NF_COUNTS] = {
    [NF_COUNT_EXACT] = "as they stand",
    [NF_COUNT_FOLDED] = "but for case, blanks, quotes or Unicode form",
    [NF_COUNT_TRIMMED] = "without article or punctuation",
    [NF_COUNT_FUZZY] = "nearly",
    [NF_COUNT_REPEATED] = "further occurrences",
    [NF_COUNT_ABSENT] = "not in the text",
    [NF_COUNT_INSIDE] = "inside a word",
    [NF_COUNT_AGAIN] = "more often than they occur",
    [NF_COUNT_EMPTY] = "empty",
    [NF_COUNT_LABEL] = "of a label that was not asked for",
    [NF_COUNT_TYPE] = "of a type without a name, or with one of more than 80 characters",
    [NF_COUNT_OVERLAP] = "overlapping a longer one",
};

const char *nf_annotate_count_text(nf_annotate_count count) {
    return count < NF_COUNTS ? count_texts[count] : "";
}

int32_t nf_job_label(const nf_job_labels *labels, const char *name) {
    for (size_t i = 0; i < labels->count; i++)
        if (strcmp(labels->names[i], name) == 0) return (int32_t)i;
    return -1;
}
