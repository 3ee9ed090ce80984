/* nerfit.json: how a token-classification folder of ours is decoded. transformers ignores the file;
 * without it the folder is read as any other (each sub-word takes its most probable label).
 *
 *   {
 *     "format": 1,             of this file; a greater number is refused
 *     "decoder": "crf",        the CRF over words of labels/decoder.h
 *     "transitions": {
 *       "columns": ["O", "B of the same type", "B of another type", "I of the same type"],
 *       "from O": [x, 0, x, 0], "from B": [x, x, x, x], "from I": [x, x, x, x]
 *     },
 *     "first": {"O": x, "B": x},
 *     "words": "blanks",       or "tokenizer": see text/word_starts.h
 *     "least_probability": 0.5 less probable entities are left out; may be missing (0)
 *   }
 *
 * What turns scores into probabilities of being right stands under "calibration"
 * (infer/calibration.h). Earlier versions wrote "temperature": 1 beside the decoder; any other
 * one is refused.
 *
 * Members that this version does not know are kept out of the way: they are neither read nor
 * refused. */
#ifndef NF_HEADS_DECODING_H
#define NF_HEADS_DECODING_H

#include <stdbool.h>

#include "base/error.h"
#include "labels/bio.h"
#include "text/word_starts.h"

typedef struct nf_decoding {
    bool present;
    nf_transitions transitions;
    double least;
    nf_word_kind words;
} nf_decoding;

/* A folder without the file gives present = false. */
nerfit_status nf_decoding_load(nf_decoding *out, const char *folder, nerfit_error *err);
/* Writes the file; without a decoding, removes one that is there. */
nerfit_status nf_decoding_save(const nf_decoding *decoding, const char *folder, nerfit_error *err);

#endif
