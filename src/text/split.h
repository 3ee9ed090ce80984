/* Splitting a piece of text at the matches of something, as `NormalizedString::split` of
 * `tokenizers` (0.23) does it: matches and what lies between them are given in order, and the
 * behaviour decides what becomes of a match. */
#ifndef NF_TEXT_SPLIT_H
#define NF_TEXT_SPLIT_H

#include "text/component.h"

typedef enum nf_split_behavior {
    NF_SPLIT_REMOVED,
    NF_SPLIT_ISOLATED,
    NF_SPLIT_MERGED_WITH_PREVIOUS,
    NF_SPLIT_MERGED_WITH_NEXT,
    NF_SPLIT_CONTIGUOUS
} nf_split_behavior;

/* Reads json["behavior"]; `fallback` is what a missing one means, NF_REQUIRED if it is needed. */
nerfit_status nf_split_behavior_load(nf_split_behavior *out, const json_t *json, int fallback,
                                     const char *what, nf_load *load);

/* One piece on its way. Zero-initialise, and set the first three. */
typedef struct nf_splitter {
    nf_pieces *pieces;
    nf_split_behavior behavior;
    bool invert;       /* what is given as a match counts as none, and the other way round */
    bool open, last;   /* a piece is open; what was given last was a match */
    size_t start, end; /* of the open piece */
} nf_splitter;

/* The next part, match or not; parts follow each other without gaps. False when out of memory. */
bool nf_splitter_give(nf_splitter *splitter, size_t start, size_t end, bool match);
/* After the last part. */
bool nf_splitter_finish(nf_splitter *splitter);

/* Splits each of the work's pieces that is not an added token: `piece` pushes what becomes of one.
 * False when out of memory, or when the work has a problem (work.h). */
bool nf_split_pieces(nf_work *work, const nf_pre_tokenizer *self,
                     bool (*piece)(const nf_pre_tokenizer *self, nf_work *work, size_t start,
                                   size_t end));

#endif
