/* Encoding, in the order of `tokenizers` (0.23): added tokens are cut out of the text, the rest is
 * normalized, added tokens are cut out of that, the rest is pre-tokenized, each piece goes through
 * the model, offsets are brought back to the original text, special tokens are put around it. */
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/utf8.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer_impl.h"
#include "text/unicode.h"

/* Cuts the added tokens out and normalizes; work->text and work->pieces are the result. */
static bool prepare(const nf_tokenizer *t, nf_work *work, size_t size) {
    work->text = &work->raw;
    work->pieces.count = 0;
    if (!nf_added_tokens_split(&t->added, &t->added.plain, &work->raw, 0, size, &work->pieces))
        return false;
    if (!t->normalizer && t->added.normalized.count == 0) return true;
    nf_text *from = work->text, *to = t->normalizer ? nf_work_other_stage(work) : from;
    nf_work_take_pieces(work);
    for (size_t i = 0; i < work->previous.count; i++) {
        nf_piece piece = work->previous.items[i];
        size_t start = piece.start, end = piece.end;
        if (t->normalizer) {
            start = to->length;
            work->origin = piece.start;
            bool done = piece.token >= 0 ? nf_text_append(to, from, piece.start, piece.end)
                                         : t->normalizer->apply(t->normalizer, work, from,
                                                                piece.start, piece.end, to);
            if (!done) return false;
            end = to->length;
        }
        bool pushed = piece.token >= 0 ? nf_pieces_push(&work->pieces, start, end, piece.token)
                                       : nf_added_tokens_split(&t->added, &t->added.normalized, to,
                                                               start, end, &work->pieces);
        if (!pushed) return false;
    }
    work->text = to;
    return true;
}

/* An added token in the text; its white space is counted for post-processors that trim. */
static bool push_added(const nf_tokenizer *t, nf_work *work, nf_piece piece, int32_t word,
                       nf_encoding *out) {
    if (t->blanks_before) {
        uint32_t before = 0, after = 0, c;
        bool leading = true;
        for (size_t i = piece.start; i < piece.end;) {
            i += nf_utf8_next(work->text->bytes + i, &c);
            bool blank = c == 0x120 || (nf_unicode_flags_of(c) & NF_UNICODE_SPACE);
            leading &= blank;
            before += leading;
            after = blank ? after + 1 : 0;
        }
        if (!nf_array_reserve(&work->stripped, &work->stripped_capacity, work->stripped_count + 1,
                              sizeof *work->stripped))
            return false;
        work->stripped[work->stripped_count++] = (nf_stripped){out->length, before, after};
    }
    nf_encoding_push(out, piece.token, piece.start, piece.end, word);
    return true;
}

static nerfit_status tokenize_pieces(const nf_tokenizer *t, nf_work *work, nf_encoding *out,
                                     nerfit_error *err) {
    for (size_t i = 0; i < work->pieces.count; i++) {
        nf_piece piece = work->pieces.items[i];
        size_t length = piece.end - piece.start;
        if (!nf_encoding_reserve(out, length)) return nf_no_memory(err, length * 17);
        if (piece.token >= 0) {
            if (!push_added(t, work, piece, (int32_t)i, out)) return nf_no_memory(err, 64);
        } else {
            const nf_pre_token token = {work->text->bytes + piece.start, length, piece.start,
                                        (int32_t)i};
            NF_TRY(t->model->tokenize(t->model, work, &token, out, err));
        }
    }
    return NERFIT_OK;
}

/* Whether no byte has its upper bit: such a text is valid, and its bytes are its code points. */
static bool is_ascii(const char *text, size_t size) {
    size_t i = 0;
    uint64_t bits = 0, word;
    for (; i + sizeof word <= size; i += sizeof word) {
        memcpy(&word, text + i, sizeof word);
        bits |= word;
    }
    for (; i < size; i++) bits |= (uint64_t)(unsigned char)text[i];
    return !(bits & UINT64_C(0x8080808080808080));
}

nerfit_status nf_tokenizer_encode_with(const nf_tokenizer *t, nf_tokenizer_scratch *scratch,
                                       const char *text, size_t size, bool add_special_tokens,
                                       nf_encoding *out, nerfit_error *err) {
    nf_work *work = &scratch->work;
    out->length = 0;
    if (size > UINT32_MAX / 32)
        return nf_fail(err, NERFIT_UNSUPPORTED, "a text of %zu bytes is too long to be encoded",
                       size);
    size_t bad;
    bool ascii = is_ascii(text, size);
    if (!ascii && !nf_utf8_valid(text, size, &bad))
        return nf_fail(err, NERFIT_FORMAT, "the text is not valid UTF-8 (byte %zu)", bad + 1);
    nf_text_borrow(&work->raw, text, size);
    work->problem = NULL;
    work->stripped_count = work->before = work->first = 0;
    if (!prepare(t, work, size) ||
        (t->pre_tokenizer && !t->pre_tokenizer->split(t->pre_tokenizer, work)))
        return work->problem ? nf_fail(err, NERFIT_UNSUPPORTED, "%s", work->problem)
                             : nf_no_memory(err, size);
    NF_TRY(tokenize_pieces(t, work, out, err));
    if (!ascii || work->text->starts)
        for (size_t i = 0; i < out->length; i++)
            nf_text_original(work->text, &out->starts[i], &out->ends[i]);
    if (t->post_processor &&
        !t->post_processor->process(t->post_processor, t, work, add_special_tokens, out))
        return nf_no_memory(err, out->length);
    return NERFIT_OK;
}

nerfit_status nf_tokenizer_encode(const nf_tokenizer *tokenizer, const char *text, size_t size,
                                  bool add_special_tokens, nf_encoding *out, nerfit_error *err) {
    nf_tokenizer_scratch *scratch = nf_tokenizer_scratch_new();
    if (!scratch) return nf_no_memory(err, sizeof *scratch);
    nerfit_status status =
        nf_tokenizer_encode_with(tokenizer, scratch, text, size, add_special_tokens, out, err);
    nf_tokenizer_scratch_free(scratch);
    return status;
}

const char *nf_tokenizer_token(const nf_tokenizer *t, int32_t id) {
    return id >= 0 && (size_t)id < t->size ? t->texts[id] : NULL;
}

int32_t nf_tokenizer_id(const nf_tokenizer *t, const char *token) {
    const nf_added_token *added = nf_added_tokens_find(&t->added, token);
    return added ? added->id : nf_vocabulary_id(&t->model->vocabulary, token, strlen(token));
}

size_t nf_tokenizer_vocabulary_size(const nf_tokenizer *t) {
    return t->size;
}

void nf_tokenizer_special_counts(const nf_tokenizer *t, size_t *before, size_t *after) {
    *before = t->post_processor ? t->post_processor->before : 0;
    *after = t->post_processor ? t->post_processor->after : 0;
}

int32_t nf_tokenizer_pad_id(const nf_tokenizer *t) {
    return t->pad;
}

bool nf_tokenizer_blanks(const nf_tokenizer *t, int32_t id, uint32_t *before, uint32_t *after) {
    if ((size_t)id >= t->size) return false;
    *before = t->blanks_before[id];
    *after = t->blanks_after[id];
    return *before || *after;
}

/* ---- building */

static void count_blanks(const char *text, uint16_t *before, uint16_t *after) {
    bool leading = true;
    uint32_t c;
    for (size_t i = 0; text[i];) {
        i += nf_utf8_next(text + i, &c);
        bool blank = c == 0x120 || (nf_unicode_flags_of(c) & NF_UNICODE_SPACE);
        leading &= blank;
        *before = (uint16_t)(*before + (leading && *before < UINT16_MAX));
        *after = (uint16_t)(blank ? *after + (*after < UINT16_MAX) : 0);
    }
}

/* Id to text, of vocabulary and added tokens, and the blanks for trimming. */
static nerfit_status index_tokens(nf_tokenizer *t, nerfit_error *err) {
    const nf_vocabulary *v = &t->model->vocabulary;
    t->size = v->size;
    for (size_t i = 0; i < t->added.count; i++)
        if ((size_t)t->added.items[i].id >= t->size) t->size = (size_t)t->added.items[i].id + 1;
    t->texts = nf_arena_calloc(&t->arena, t->size + 1, sizeof *t->texts);
    if (!t->texts) return nf_no_memory(err, t->size * sizeof *t->texts);
    if (v->size) memcpy(t->texts, v->texts, v->size * sizeof *t->texts);
    for (size_t i = 0; i < t->added.count; i++)
        t->texts[t->added.items[i].id] = t->added.items[i].content;
    if (!t->post_processor || !t->post_processor->trims) return NERFIT_OK;
    t->blanks_before = nf_arena_calloc(&t->arena, t->size + 1, sizeof *t->blanks_before);
    t->blanks_after = nf_arena_calloc(&t->arena, t->size + 1, sizeof *t->blanks_after);
    if (!t->blanks_before || !t->blanks_after) return nf_no_memory(err, t->size * 4);
    for (size_t i = 0; i < t->size; i++)
        if (t->texts[i]) count_blanks(t->texts[i], &t->blanks_before[i], &t->blanks_after[i]);
    return NERFIT_OK;
}

nerfit_status nf_tokenizer_build(nf_tokenizer *t, const json_t *description,
                                 const nf_token_tables *tables, const json_t *extra,
                                 const char *file, nerfit_error *err) {
    nf_load load = {&t->arena, tables, file, false, err};
    if (!json_is_object(description))
        return nf_fail_at(err, NERFIT_FORMAT, file, 0, 0, "a tokenizer must be an object");
    const char *version = json_string_value(json_object_get(description, "version"));
    if (version && strcmp(version, "1.0") != 0)
        return nf_fail_at(err, NERFIT_UNSUPPORTED, file, 0, 0,
                          "unknown version \"%.20s\" of tokenizer.json; known is 1.0", version);
    if (!json_object_get(description, "model"))
        return nf_fail_at(err, NERFIT_FORMAT, file, 0, 0, "the tokenizer has no \"model\"");
    NF_TRY(nf_normalizer_load(&t->normalizer, json_object_get(description, "normalizer"), &load));
    NF_TRY(nf_pre_tokenizer_load(&t->pre_tokenizer, json_object_get(description, "pre_tokenizer"),
                                 &load));
    load.byte_level = t->pre_tokenizer && t->pre_tokenizer->byte_level;
    NF_TRY(nf_subword_load(&t->model, json_object_get(description, "model"), &load));
    if (t->pre_tokenizer && !load.byte_level) nf_pre_tokenizer_write_alphabet(t->pre_tokenizer);
    NF_TRY(nf_post_processor_load(&t->post_processor,
                                  json_object_get(description, "post_processor"), &load));
    const nf_vocabulary *v = &t->model->vocabulary;
    NF_TRY(nf_added_tokens_load(&t->added, json_object_get(description, "added_tokens"), v, &load));
    NF_TRY(nf_added_tokens_load(&t->added, extra, v, &load));
    NF_TRY(nf_added_tokens_finish(&t->added, t->normalizer, &load));
    return index_tokens(t, err);
}

nerfit_status nf_tokenizer_add_special(nf_tokenizer *t, const char *const *tokens, size_t count,
                                       nerfit_error *err) {
    nf_load load = {&t->arena, NULL, t->file ? t->file : t->folder, false, err};
    for (size_t i = 0; i < count; i++)
        NF_TRY(nf_added_tokens_add(&t->added,
                                   (nf_added_token){.content = tokens[i], .special = true},
                                   &t->model->vocabulary, &load));
    NF_TRY(nf_added_tokens_finish(&t->added, t->normalizer, &load));
    return index_tokens(t, err);
}

nf_tokenizer *nf_tokenizer_hold(nf_tokenizer *tokenizer) {
    atomic_fetch_add(&tokenizer->holders, 1);
    return tokenizer;
}

bool nf_tokenizer_held_once(const nf_tokenizer *tokenizer) {
    return atomic_load(&tokenizer->holders) == 0;
}

void nf_tokenizer_free(nf_tokenizer *tokenizer) {
    if (!tokenizer || atomic_fetch_sub(&tokenizer->holders, 1) > 0) return;
    nf_arena_free(&tokenizer->arena);
    free(tokenizer);
}
