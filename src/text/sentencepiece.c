/* A protobuf message is a row of fields, each a number and a value of one of four forms. Messages
 * within messages are fields of bytes. Fields may come in any order, and of one that comes twice
 * the last counts. */
#include "text/sentencepiece.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

/* What is left of a message. */
typedef struct reader {
    const unsigned char *at, *end, *file_start;
    const char *file;
    nf_arena *arena;
    nerfit_error *err;
} reader;

typedef struct field {
    uint64_t number;
    unsigned form;
    uint64_t value;             /* VARINT, FIXED64, FIXED32 */
    const unsigned char *bytes; /* BYTES: [value] */
} field;

static nerfit_status broken(const reader *r, const char *why) {
    return nf_fail_at(r->err, NERFIT_FORMAT, r->file, 0, 0,
                      "not a SentencePiece model: %s (byte %zu)", why,
                      (size_t)(r->at - r->file_start) + 1);
}

static nerfit_status read_varint(reader *r, uint64_t *value) {
    *value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->at == r->end) return broken(r, "it ends inside a number");
        unsigned char byte = *r->at++;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return NERFIT_OK;
    }
    return broken(r, "a number has more than 64 bits");
}

static nerfit_status read_field(reader *r, field *f) {
    uint64_t tag;
    NF_TRY(read_varint(r, &tag));
    f->number = tag >> 3;
    f->form = tag & 7;
    f->bytes = NULL;
    if (f->number == 0) return broken(r, "a field has the number 0");
    if (f->form == VARINT) return read_varint(r, &f->value);
    size_t size = f->form == FIXED64 ? 8 : 4;
    if (f->form == BYTES) {
        NF_TRY(read_varint(r, &f->value));
        if (f->value > (uint64_t)(r->end - r->at)) return broken(r, "a field is cut off");
        f->bytes = r->at;
        r->at += f->value;
        return NERFIT_OK;
    }
    if (f->form != FIXED64 && f->form != FIXED32) return broken(r, "a field has an unknown form");
    if ((size_t)(r->end - r->at) < size) return broken(r, "a field is cut off");
    f->value = 0;
    for (size_t i = 0; i < size; i++) f->value |= (uint64_t)r->at[i] << (8 * i);
    r->at += size;
    return NERFIT_OK;
}

/* A reader of the message that a field holds. */
static reader inside(const reader *outer, const field *f) {
    reader r = *outer;
    r.at = f->bytes;
    r.end = f->bytes + f->value;
    return r;
}

static nerfit_status need_form(const reader *r, const field *f, unsigned form, const char *what) {
    if (f->form == form) return NERFIT_OK;
    return nf_fail_at(r->err, NERFIT_FORMAT, r->file, 0, 0,
                      "not a SentencePiece model: %s has form %u, expected %u", what, f->form,
                      form);
}

static nerfit_status take_text(const reader *r, const field *f, const char **out,
                               const char *what) {
    NF_TRY(need_form(r, f, BYTES, what));
    if (!nf_utf8_valid((const char *)f->bytes, f->value, NULL) || memchr(f->bytes, '\0', f->value))
        return nf_fail_at(r->err, NERFIT_FORMAT, r->file, 0, 0, "%s is not text in UTF-8", what);
    *out = nf_arena_copy(r->arena, (const char *)f->bytes, f->value);
    return *out ? NERFIT_OK : nf_no_memory(r->err, f->value);
}

static nerfit_status take_flag(const reader *r, const field *f, bool *out, const char *what) {
    NF_TRY(need_form(r, f, VARINT, what));
    *out = f->value != 0;
    return NERFIT_OK;
}

static nerfit_status take_int(const reader *r, const field *f, int32_t *out, const char *what) {
    NF_TRY(need_form(r, f, VARINT, what));
    *out = (int32_t)f->value; /* negative ones are written with 64 bits */
    return NERFIT_OK;
}

/* ---- the messages */

static nerfit_status read_piece(reader r, nf_sp_piece *piece, size_t number) {
    *piece = (nf_sp_piece){NULL, 0, NF_SP_NORMAL};
    char what[48];
    snprintf(what, sizeof what, "piece %zu", number);
    while (r.at < r.end) {
        field f;
        NF_TRY(read_field(&r, &f));
        if (f.number == 1) {
            NF_TRY(take_text(&r, &f, &piece->text, what));
        } else if (f.number == 2) {
            NF_TRY(need_form(&r, &f, FIXED32, what));
            uint32_t bits = (uint32_t)f.value;
            memcpy(&piece->score, &bits, sizeof bits);
        } else if (f.number == 3) {
            NF_TRY(need_form(&r, &f, VARINT, what));
            if (f.value < NF_SP_NORMAL || f.value > NF_SP_BYTE)
                return nf_fail_at(r.err, NERFIT_FORMAT, r.file, 0, 0,
                                  "%s has the type %llu; known are 1 to 6", what,
                                  (unsigned long long)f.value);
            piece->type = (nf_sp_type)f.value;
        }
    }
    if (!piece->text || !*piece->text)
        return nf_fail_at(r.err, NERFIT_FORMAT, r.file, 0, 0, "%s has no text", what);
    if (!isfinite(piece->score))
        return nf_fail_at(r.err, NERFIT_FORMAT, r.file, 0, 0,
                          "%s (\"%.60s\") has a score that is not a number", what, piece->text);
    return NERFIT_OK;
}

static nerfit_status read_trainer(reader r, nf_sp_model *m) {
    while (r.at < r.end) {
        field f;
        NF_TRY(read_field(&r, &f));
        switch (f.number) {
        case 3:
            NF_TRY(take_int(&r, &f, &m->model_type, "model_type"));
            break;
        case 35:
            NF_TRY(take_flag(&r, &f, &m->byte_fallback, "byte_fallback"));
            break;
        case 40:
            NF_TRY(take_int(&r, &f, &m->unk_id, "unk_id"));
            break;
        case 41:
            NF_TRY(take_int(&r, &f, &m->bos_id, "bos_id"));
            break;
        case 42:
            NF_TRY(take_int(&r, &f, &m->eos_id, "eos_id"));
            break;
        case 45:
            NF_TRY(take_text(&r, &f, &m->unk_piece, "unk_piece"));
            break;
        case 46:
            NF_TRY(take_text(&r, &f, &m->bos_piece, "bos_piece"));
            break;
        case 47:
            NF_TRY(take_text(&r, &f, &m->eos_piece, "eos_piece"));
            break;
        default:
            break;
        }
    }
    return NERFIT_OK;
}

static nerfit_status read_normalizer(reader r, nf_sp_model *m) {
    while (r.at < r.end) {
        field f;
        NF_TRY(read_field(&r, &f));
        switch (f.number) {
        case 2:
            NF_TRY(need_form(&r, &f, BYTES, "precompiled_charsmap"));
            m->charsmap_size = f.value;
            m->charsmap = (const unsigned char *)nf_arena_copy(r.arena, (const char *)f.bytes,
                                                               m->charsmap_size);
            if (!m->charsmap) return nf_no_memory(r.err, m->charsmap_size);
            break;
        case 3:
            NF_TRY(take_flag(&r, &f, &m->add_dummy_prefix, "add_dummy_prefix"));
            break;
        case 4:
            NF_TRY(take_flag(&r, &f, &m->remove_extra_whitespaces, "remove_extra_whitespaces"));
            break;
        case 5:
            NF_TRY(take_flag(&r, &f, &m->escape_whitespaces, "escape_whitespaces"));
            break;
        default:
            break;
        }
    }
    return NERFIT_OK;
}

static nerfit_status count_pieces(reader r, size_t *count) {
    *count = 0;
    while (r.at < r.end) {
        field f;
        NF_TRY(read_field(&r, &f));
        if (f.number <= 3) NF_TRY(need_form(&r, &f, BYTES, "a message"));
        *count += f.number == 1;
    }
    return NERFIT_OK;
}

nerfit_status nf_sp_model_parse(nf_sp_model *m, const char *bytes, size_t size, const char *file,
                                nf_arena *arena, nerfit_error *err) {
    const unsigned char *start = (const unsigned char *)bytes;
    reader r = {start, start + size, start, file, arena, err};
    *m = (nf_sp_model){.model_type = NF_SP_UNIGRAM,
                       .bos_id = 1,
                       .eos_id = 2,
                       .unk_piece = "<unk>",
                       .bos_piece = "<s>",
                       .eos_piece = "</s>",
                       .add_dummy_prefix = true,
                       .remove_extra_whitespaces = true,
                       .escape_whitespaces = true};
    size_t count;
    NF_TRY(count_pieces(r, &count));
    if (count == 0)
        return nf_fail_at(err, NERFIT_FORMAT, file, 0, 0,
                          "not a SentencePiece model: it has no pieces");
    m->pieces = nf_arena_calloc(arena, count, sizeof *m->pieces);
    if (!m->pieces) return nf_no_memory(err, count * sizeof *m->pieces);
    while (r.at < r.end) {
        field f;
        NF_TRY(read_field(&r, &f));
        if (f.number == 1) {
            NF_TRY(read_piece(inside(&r, &f), &m->pieces[m->count], m->count));
            m->count++;
        } else if (f.number == 2) {
            NF_TRY(read_trainer(inside(&r, &f), m));
        } else if (f.number == 3) {
            NF_TRY(read_normalizer(inside(&r, &f), m));
        }
    }
    if (m->model_type != NF_SP_UNIGRAM && m->model_type != NF_SP_BPE)
        return nf_fail_at(err, NERFIT_UNSUPPORTED, file, 0, 0,
                          "a SentencePiece model of type %d; known are 1 (unigram) and 2 (bpe)",
                          m->model_type);
    if (m->unk_id < 0 || (size_t)m->unk_id >= count)
        return nf_fail_at(err, NERFIT_FORMAT, file, 0, 0,
                          "unk_id is %d, but the model has %zu pieces", m->unk_id, count);
    return NERFIT_OK;
}

nerfit_status nf_sp_model_load(nf_sp_model *model, const char *path, nf_arena *arena,
                               nerfit_error *err) {
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status status = nf_sp_model_parse(model, file.data, file.size, path, arena, err);
    nf_file_close(&file);
    return status;
}
