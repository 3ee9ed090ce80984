/* SentencePiece model files (.model): the pieces with their scores and the settings that a
 * tokenizer is made from. The file is one protobuf message, ModelProto of
 * sentencepiece_model.proto; what is not needed here is read past. */
#ifndef NF_TEXT_SENTENCEPIECE_H
#define NF_TEXT_SENTENCEPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

typedef enum nf_sp_type {
    NF_SP_NORMAL = 1,
    NF_SP_UNKNOWN,
    NF_SP_CONTROL,
    NF_SP_USER_DEFINED,
    NF_SP_UNUSED,
    NF_SP_BYTE
} nf_sp_type;

typedef struct nf_sp_piece {
    const char *text; /* NUL-terminated UTF-8 */
    float score;
    nf_sp_type type;
} nf_sp_piece;

enum { NF_SP_UNIGRAM = 1, NF_SP_BPE = 2 };

typedef struct nf_sp_model {
    nf_sp_piece *pieces;
    size_t count;
    int model_type; /* NF_SP_UNIGRAM or NF_SP_BPE */
    bool byte_fallback;
    int32_t unk_id, bos_id, eos_id; /* -1: none */
    const char *unk_piece, *bos_piece, *eos_piece;
    const unsigned char *charsmap; /* precompiled_charsmap */
    size_t charsmap_size;
    bool add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
} nf_sp_model;

/* Everything is copied into the arena. */
nerfit_status nf_sp_model_parse(nf_sp_model *model, const char *bytes, size_t size,
                                const char *file, nf_arena *arena, nerfit_error *err);
nerfit_status nf_sp_model_load(nf_sp_model *model, const char *path, nf_arena *arena,
                               nerfit_error *err);

#endif
