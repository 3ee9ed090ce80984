#include "data/document.h"

#include <stdlib.h>

void nf_corpus_free(nf_corpus *corpus) {
    free(corpus->documents);
    free(corpus->labels);
    nf_arena_free(&corpus->arena);
    *corpus = (nf_corpus){0};
}
