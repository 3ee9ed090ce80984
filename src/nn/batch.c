#include "nn/batch.h"

#include <stdlib.h>

/* RoBERTa: tokens that are the padding id stand on its position and do not count. */
static void set_positions(const nf_encoder *encoder, const nf_tokens *text, int32_t *positions) {
    int32_t position = encoder->first_position;
    for (size_t i = 0; i < text->length; i++) {
        bool padding =
            encoder->position_of_padding >= 0 && text->ids[i] == encoder->position_of_padding;
        positions[i] = padding ? encoder->position_of_padding : position++;
    }
}

static nerfit_status check(const nf_encoder *encoder, const nf_tokens *text, nerfit_error *err) {
    /* positions inside attention have no end */
    if (encoder->embedding.positions && text->length > encoder->max_positions)
        return nf_fail(err, NERFIT_ARGUMENT, "a text has %zu tokens; the model takes at most %zu",
                       text->length, encoder->max_positions);
    if (encoder->embedding.shapes && !text->shapes)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "the model has a table of word shapes (word_shape), which only tagging and "
                       "training can use");
    for (size_t i = 0; i < text->length; i++)
        if (text->ids[i] < 0 || (size_t)text->ids[i] >= encoder->vocabulary)
            return nf_fail(err, NERFIT_FORMAT,
                           "token id %d lies outside the model's vocabulary of %zu: the tokenizer "
                           "does not belong to this model",
                           text->ids[i], encoder->vocabulary);
    return NERFIT_OK;
}

nerfit_status nf_batch_load(nf_pass *pass, const nf_encoder *encoder, const nf_tokens *texts,
                            size_t count, nerfit_error *err) {
    size_t n = 0, longest = 0;
    for (size_t s = 0; s < count; s++) {
        NF_TRY(check(encoder, &texts[s], err));
        n += texts[s].length;
        if (texts[s].length > longest) longest = texts[s].length;
    }
    if (n > INT32_MAX) return nf_fail(err, NERFIT_ARGUMENT, "a batch has more than 2^31 tokens");
    bool shaped = encoder->embedding.shapes != NULL;
    int32_t *host = malloc((4 * n + count + 1) * sizeof *host);
    if (!host) return nf_no_memory(err, (4 * n + count + 1) * sizeof *host);
    int32_t *ids = host, *positions = ids + n, *types = positions + n, *shapes = types + n,
            *cu = shapes + n;
    cu[0] = 0;
    for (size_t s = 0; s < count; s++) {
        size_t at = (size_t)cu[s];
        for (size_t i = 0; i < texts[s].length; i++) ids[at + i] = texts[s].ids[i];
        for (size_t i = 0; i < texts[s].length; i++) types[at + i] = 0;
        for (size_t i = 0; i < texts[s].length && shaped; i++) shapes[at + i] = texts[s].shapes[i];
        set_positions(encoder, &texts[s], positions + at);
        cu[s + 1] = (int32_t)(at + texts[s].length);
    }
    pass->ids = nf_workspace_ints(pass->ws, ids, n);
    pass->positions = nf_workspace_ints(pass->ws, positions, n);
    pass->types = nf_workspace_ints(pass->ws, types, n);
    pass->shapes = shaped ? nf_workspace_ints(pass->ws, shapes, n) : NULL;
    pass->sequences = (nf_sequences){.cu_seqlens = nf_workspace_ints(pass->ws, cu, count + 1),
                                     .n_sequences = (int32_t)count,
                                     .n_tokens = (int32_t)n,
                                     .longest = (int32_t)longest};
    free(host);
    return nf_workspace_check(pass->ws, err);
}
