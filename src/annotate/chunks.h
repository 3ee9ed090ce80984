/* A long text in parts for a language model: at most so many code points each, cut behind a sentence
 * where there is one, else behind a line, a word, or where it must be. */
#ifndef NF_ANNOTATE_CHUNKS_H
#define NF_ANNOTATE_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

typedef struct nf_chunk {
    size_t byte, size; /* of the text */
    uint32_t start;    /* code points before it */
} nf_chunk;

/* The part that begins at `from`; its size is 0 at the end. */
nf_chunk nf_chunk_next(const char *text, size_t size, nf_chunk before, size_t most);

#endif
