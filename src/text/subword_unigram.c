/* Unigram: each token has a score (the logarithm of its probability), and of all ways to cut a word
 * into tokens the one with the largest sum is taken (Kudo 2018; Viterbi from left to right). A
 * character that no token covers alone may be passed at a score of 10 below the lowest; neighbours
 * of that kind become one unknown token. Sums, ties and the rest are those of `Unigram::
 * encode_optimized` in `tokenizers` (0.23): scores are doubles, the first of equal paths stays.
 *
 * The tokens that begin at a place come from one walk through a trie (score_trie.h). Words of usual
 * length are kept in a small cache of the thread's scratch (word_cache.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/score_trie.h"
#include "text/subword.h"
#include "text/unicode.h"
#include "text/unigram.h"
#include "text/word_cache.h"

enum { CACHE_SLOTS = 8192 };
#define UNREACHED UINT32_MAX

typedef struct unigram {
    nf_subword_model base;
    nf_score_trie trie;
    double unknown_score;
    int32_t unknown; /* -1: none */
    bool byte_fallback;
    int32_t byte_ids[256]; /* "<0x00>" …; -1 */
} unigram;

/* The best path to a place in the word. */
typedef struct place {
    double score;
    uint32_t start; /* of its last token */
    int32_t id;     /* of its last token */
} place;

typedef struct span {
    uint32_t start, end;
    int32_t id;
} span;

struct nf_unigram_scratch {
    place *places;
    span *spans;
    size_t capacity; /* of both */
    nf_word_cache cache;
};

void nf_unigram_scratch_free(nf_unigram_scratch *scratch) {
    if (!scratch) return;
    free(scratch->places);
    free(scratch->spans);
    free(scratch->cache.slots);
    free(scratch);
}

static bool reserve(nf_unigram_scratch *s, size_t count) {
    if (s->capacity >= count) return true;
    place *places = realloc(s->places, count * 2 * sizeof *places);
    if (places) s->places = places;
    span *spans = realloc(s->spans, count * 2 * sizeof *spans);
    if (spans) s->spans = spans;
    if (!places || !spans) return false;
    s->capacity = count * 2;
    return true;
}

/* ---- the best path */

static nerfit_status no_unknown(nerfit_error *err) {
    return nf_fail(
        err, NERFIT_FORMAT,
        "the text has a character that no token covers, and the model has no \"unk_id\"");
}

static nerfit_status find_path(const unigram *u, const char *bytes, size_t length, place *places,
                               nerfit_error *err) {
    const nf_score_unit *units = u->trie.units;
    for (size_t i = 1; i <= length; i++) places[i].start = UNREACHED;
    places[0].score = 0;
    for (size_t at = 0, size; at < length; at += size) {
        double here = places[at].score;
        size = nf_utf8_size((unsigned char)bytes[at]);
        bool covered = false;
        uint32_t node = 0;
        for (size_t i = at; i < length;) {
            uint32_t child = units[node].base + (unsigned char)bytes[i];
            if (units[child].parent != node) break;
            node = child;
            i++;
            double score = units[node].score;
            if (isnan(score)) continue;
            score += here;
            place *to = &places[i];
            if (to->start == UNREACHED || score > to->score)
                *to = (place){score, (uint32_t)at, u->trie.ids[node]};
            covered |= i == at + size;
        }
        if (covered) continue;
        place *to = &places[at + size];
        double score = u->unknown_score + here;
        if (to->start != UNREACHED && score <= to->score) continue;
        if (u->unknown < 0) return no_unknown(err);
        *to = (place){score, (uint32_t)at, u->unknown};
    }
    return NERFIT_OK;
}

/* The tokens of the best path from last to first, neighbours that are unknown in one. */
static size_t collect(const unigram *u, const place *places, size_t length, span *spans) {
    size_t count = 0;
    for (size_t end = length; end > 0; end = places[end].start) {
        const place *p = &places[end];
        if (count > 0 && u->unknown >= 0 && p->id == u->unknown && spans[count - 1].id == p->id)
            spans[count - 1].start = p->start;
        else
            spans[count++] = (span){p->start, (uint32_t)end, p->id};
    }
    return count;
}

/* An unknown part of a word: a token after all (if what was joined is one), its bytes, or unknown.
 * Returns whether it became one token. */
static bool push_unknown(const unigram *u, const nf_pre_token *token, span s, nf_encoding *out) {
    const char *text = token->bytes + s.start;
    size_t start = token->offset + s.start, end = token->offset + s.end;
    size_t length = s.end - s.start;
    int32_t id = nf_vocabulary_id(&u->base.vocabulary, text, length);
    bool covered = id < 0 && u->byte_fallback;
    for (size_t i = 0; covered && i < length; i++)
        covered = u->byte_ids[(unsigned char)text[i]] >= 0;
    if (!covered) {
        nf_encoding_push(out, id < 0 ? u->unknown : id, start, end, token->index);
        return true;
    }
    for (size_t i = 0; i < length; i++)
        nf_encoding_push(out, u->byte_ids[(unsigned char)text[i]], start, end, token->index);
    return false;
}

/* ---- words */

static nerfit_status unigram_tokenize(const nf_subword_model *self, nf_work *work,
                                      const nf_pre_token *token, nf_encoding *out,
                                      nerfit_error *err) {
    const unigram *u = (const unigram *)self;
    const char *bytes = token->bytes;
    size_t length = token->length;
    if (!work->unigram && !(work->unigram = calloc(1, sizeof *work->unigram)))
        return nf_no_memory(err, sizeof *work->unigram);
    nf_unigram_scratch *scratch = work->unigram;
    uint64_t hash = length <= NF_CACHED_BYTES ? nf_hash_text(bytes, length) : 0;
    nf_cached_word *cached = nf_word_cache_slot(&scratch->cache, CACHE_SLOTS, u, hash, length);
    if (nf_word_cache_push(cached, hash, token, out)) return NERFIT_OK;
    if (!reserve(scratch, length + 1)) return nf_no_memory(err, length * sizeof(place));
    NF_TRY(find_path(u, bytes, length, scratch->places, err));
    size_t count = collect(u, scratch->places, length, scratch->spans), from = out->length;
    bool plain = true; /* each token begins where the one before ends */
    while (count-- > 0) {
        span s = scratch->spans[count];
        if (u->unknown >= 0 && s.id == u->unknown)
            plain &= push_unknown(u, token, s, out);
        else
            nf_encoding_push(out, s.id, token->offset + s.start, token->offset + s.end,
                             token->index);
    }
    if (plain) nf_word_cache_keep(cached, hash, token, out, from);
    return NERFIT_OK;
}

/* ---- loading */

static nerfit_status load_vocabulary(unigram *u, const char *what, nf_load *load) {
    const nf_token_tables *tables = load->tables;
    NF_TRY(nf_vocabulary_load(&u->base.vocabulary, NF_TABLE_SCORES, what, load));
    nf_score_key *keys = malloc((tables->count + 1) * sizeof *keys);
    if (!keys) return nf_no_memory(load->err, tables->count * sizeof *keys);
    double lowest = INFINITY;
    for (size_t i = 0; i < tables->count; i++) {
        const nf_token_row *row = &tables->rows[i];
        keys[i] = (nf_score_key){row->text, row->length, row->id, row->score};
        if (row->score < lowest) lowest = row->score;
    }
    u->unknown_score = lowest - 10;
    bool built = nf_score_trie_build(&u->trie, keys, tables->count, load->arena);
    free(keys);
    return built ? NERFIT_OK : nf_no_memory(load->err, tables->count * sizeof *keys);
}

nerfit_status nf_subword_unigram_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "model Unigram";
    NF_TRY(nf_component_new(out, sizeof(unigram), load));
    unigram *u = *out;
    u->base.tokenize = unigram_tokenize;
    load->byte_level = false; /* it takes the alphabet, not the bytes */
    NF_TRY(nf_field_bool(&u->byte_fallback, json, "byte_fallback", false, what, load));
    NF_TRY(load_vocabulary(u, what, load));
    const json_t *unknown = json_object_get(json, "unk_id");
    u->unknown = -1;
    if (unknown && !json_is_null(unknown)) {
        NF_TRY(nf_field_id(&u->unknown, unknown, what, load));
        if ((size_t)u->unknown >= u->base.vocabulary.size)
            return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                              "%s: \"unk_id\" is %d, but the vocabulary has %zu tokens", what,
                              u->unknown, u->base.vocabulary.size);
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", byte);
        u->byte_ids[byte] = nf_vocabulary_id(&u->base.vocabulary, text, 6);
    }
    return NERFIT_OK;
}
