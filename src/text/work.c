#include "text/work.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "text/bpe.h"
#include "text/unigram.h"

bool nf_pieces_push(nf_pieces *pieces, size_t start, size_t end, int32_t token) {
    if (start >= end) return true;
    if (pieces->count == pieces->capacity &&
        !nf_array_reserve(&pieces->items, &pieces->capacity, pieces->count + 1,
                          sizeof *pieces->items))
        return false;
    pieces->items[pieces->count++] = (nf_piece){(uint32_t)start, (uint32_t)end, token};
    return true;
}

void nf_work_take_pieces(nf_work *work) {
    nf_pieces taken = work->pieces;
    work->pieces = work->previous;
    work->pieces.count = 0;
    work->previous = taken;
}

nf_text *nf_work_other_stage(nf_work *work) {
    nf_text *other = work->text == &work->stages[0] ? &work->stages[1] : &work->stages[0];
    nf_text_clear(other);
    return other;
}

nf_tokenizer_scratch *nf_tokenizer_scratch_new(void) {
    return calloc(1, sizeof(nf_tokenizer_scratch));
}

void nf_tokenizer_scratch_free(nf_tokenizer_scratch *scratch) {
    if (!scratch) return;
    nf_work *work = &scratch->work;
    for (size_t i = 0; i < sizeof work->stages / sizeof *work->stages; i++)
        nf_text_free(&work->stages[i]);
    nf_text_free(&work->raw);
    free(work->pieces.items);
    free(work->previous.items);
    free(work->stripped);
    nf_bpe_scratch_free(work->bpe);
    nf_unigram_scratch_free(work->unigram);
    nf_regex_scratch_free(&work->regex);
    free(scratch);
}

bool nf_encoding_reserve(nf_encoding *encoding, size_t more) {
    if (encoding->capacity - encoding->length >= more) return true;
    size_t capacity = encoding->capacity < 64 ? 64 : encoding->capacity;
    while (capacity - encoding->length < more) capacity *= 2;
    struct {
        void **array;
        size_t size;
    } arrays[] = {
        {(void **)&encoding->ids, sizeof *encoding->ids},
        {(void **)&encoding->starts, sizeof *encoding->starts},
        {(void **)&encoding->ends, sizeof *encoding->ends},
        {(void **)&encoding->words, sizeof *encoding->words},
        {(void **)&encoding->special, sizeof *encoding->special},
    };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        void *grown = realloc(*arrays[i].array, capacity * arrays[i].size);
        if (!grown) return false;
        *arrays[i].array = grown;
    }
    encoding->capacity = capacity;
    return true;
}

void nf_encoding_free(nf_encoding *encoding) {
    free(encoding->ids);
    free(encoding->starts);
    free(encoding->ends);
    free(encoding->words);
    free(encoding->special);
    memset(encoding, 0, sizeof *encoding);
}
