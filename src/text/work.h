/* What one thread needs while it encodes one text after another: the stages of the text, its
 * pieces, and room for the models. This is the nf_tokenizer_scratch of tokenizer.h. */
#ifndef NF_TEXT_WORK_H
#define NF_TEXT_WORK_H

#include "text/aligned.h"
#include "text/regex.h"
#include "text/tokenizer.h"

/* A pre-token: bytes of the current text; `token` is the added token that it is, or -1. */
typedef struct nf_piece {
    uint32_t start, end;
    int32_t token;
} nf_piece;

/* A pre-token on its way through the model. */
typedef struct nf_pre_token {
    const char *bytes;
    size_t length;
    size_t offset; /* where it stands in the current text */
    int32_t index; /* of it among the text's */
} nf_pre_token;

typedef struct nf_pieces {
    nf_piece *items;
    size_t count, capacity;
} nf_pieces;

/* An added token that stands in the text: how many spaces it took along (see trim_offsets). */
typedef struct nf_stripped {
    size_t token; /* index in the encoding */
    uint32_t before, after;
} nf_stripped;

typedef struct nf_bpe_scratch nf_bpe_scratch;
typedef struct nf_unigram_scratch nf_unigram_scratch;

typedef struct nf_work {
    nf_text raw;        /* a view of the text that is encoded */
    nf_text stages[4];  /* buffers: 0 and 1 hold results, 2 and 3 belong to sequences of steps */
    nf_text *text;      /* the current stage: raw or one of the buffers */
    size_t origin;      /* the byte of raw at which the part begins that is being normalized */
    nf_pieces pieces;   /* of the current stage */
    nf_pieces previous; /* the pieces that a pre-tokenizer is splitting */
    nf_stripped *stripped;
    size_t stripped_count, stripped_capacity;
    size_t before; /* special tokens that post-processors have put in front so far */
    size_t first; /* where the part of the encoding begins that a post-processor takes as a whole */
    nf_bpe_scratch *bpe;
    nf_unigram_scratch *unigram;
    nf_regex_scratch regex;
    const char *problem; /* what a part that returned false says went wrong; NULL: memory ran out */
} nf_work;

struct nf_tokenizer_scratch {
    nf_work work;
};

/* False when out of memory. Empty pieces are not kept, as in `tokenizers`. */
bool nf_pieces_push(nf_pieces *pieces, size_t start, size_t end, int32_t token);
/* Moves the pieces to `previous` and empties them: what a pre-tokenizer does first. */
void nf_work_take_pieces(nf_work *work);
/* The result buffer that is not the current stage, emptied. */
nf_text *nf_work_other_stage(nf_work *work);
bool nf_encoding_reserve(nf_encoding *encoding, size_t more);

static inline void nf_encoding_push(nf_encoding *out, int32_t id, size_t start, size_t end,
                                    int32_t word) {
    out->ids[out->length] = id;
    out->starts[out->length] = (uint32_t)start;
    out->ends[out->length] = (uint32_t)end;
    out->words[out->length] = word;
    out->special[out->length] = 0;
    out->length++;
}

#endif
