/* Byte-pair encoding: a word begins as single characters, and the pair of neighbours that has the
 * lowest rank among the merges is joined, the leftmost first, until no pair is in the list.
 *
 * After the pre-tokenizer ByteLevel the characters are the bytes themselves, and the strings of the
 * vocabulary are turned into bytes at loading. Most words are then one token: they are found by one
 * look-up, once it is known that the merges do lead to that token (`joined` remembers it; it is
 * filled while texts are encoded, each entry always with the same value). Other words of usual
 * length are kept in a small cache of the thread's scratch (word_cache.h). */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/bpe.h"
#include "text/byte_level.h"
#include "text/subword.h"
#include "text/unicode.h"
#include "text/word_cache.h"

enum {
    CACHE_SLOTS = 4096,
    SCAN_SYMBOLS = 48 /* up to here a scan finds the next pair faster than a heap */
};
#define NO_RANK UINT32_MAX

typedef struct merge {
    uint64_t pair; /* left id, right id; UINT64_MAX: free */
    uint32_t rank;
    int32_t id;
} merge;

enum { UNKNOWN_YET, JOINED, NOT_JOINED };

typedef struct bpe {
    nf_subword_model base;
    merge *merges;
    size_t merge_mask;
    bool byte_level, fuse_unknown, byte_fallback, ignore_merges;
    const char *prefix, *suffix;   /* "" if there is none */
    const char *unknown_token;     /* NULL if there is none */
    int32_t unknown;               /* -1: not in the vocabulary */
    int32_t byte_ids[256];         /* byte level: the token of each byte, or -1 */
    int32_t fallback_ids[256];     /* "<0x00>" …; -1 */
    nf_string_table whole;         /* what a whole word looks like -> id */
    _Atomic unsigned char *joined; /* [slots of whole] */
} bpe;

typedef struct symbol {
    int32_t id;
    uint32_t length;         /* bytes; 0 once it is part of the one before */
    uint32_t rank;           /* of the pair that it makes with the next */
    int32_t merged;          /* the id which that pair would get */
    uint32_t previous, next; /* for the heap; UINT32_MAX at the ends */
} symbol;

struct nf_bpe_scratch {
    symbol *symbols;
    size_t symbol_capacity;
    uint64_t *heap;
    size_t heap_capacity;
    nf_word_cache cache;
};

void nf_bpe_scratch_free(nf_bpe_scratch *scratch) {
    if (!scratch) return;
    free(scratch->symbols);
    free(scratch->heap);
    free(scratch->cache.slots);
    free(scratch);
}

/* ---- merges */

static size_t merge_slot(const bpe *b, uint64_t pair) {
    return (size_t)(pair * UINT64_C(0x9E3779B97F4A7C15) >> 32) & b->merge_mask;
}

static void find_merge(const bpe *b, symbol *left, int32_t right) {
    uint64_t pair = (uint64_t)(uint32_t)left->id << 32 | (uint32_t)right;
    for (size_t i = merge_slot(b, pair);; i = (i + 1) & b->merge_mask) {
        const merge *m = &b->merges[i];
        if (m->pair == pair) {
            left->rank = m->rank;
            left->merged = m->id;
            return;
        }
        if (m->pair == UINT64_MAX) {
            left->rank = NO_RANK;
            return;
        }
    }
}

/* Joins pairs in place and returns how many symbols are left. */
static size_t merge_by_scan(const bpe *b, symbol *s, size_t count) {
    for (size_t i = 0; i + 1 < count; i++) find_merge(b, &s[i], s[i + 1].id);
    if (count > 0) s[count - 1].rank = NO_RANK;
    for (;;) {
        size_t best = 0;
        for (size_t i = 1; i < count; i++)
            if (s[i].rank < s[best].rank) best = i;
        if (count < 2 || s[best].rank == NO_RANK) return count;
        s[best].id = s[best].merged;
        s[best].length += s[best + 1].length;
        memmove(s + best + 1, s + best + 2, (count - best - 2) * sizeof *s);
        count--;
        if (best + 1 < count)
            find_merge(b, &s[best], s[best + 1].id);
        else
            s[best].rank = NO_RANK;
        if (best > 0) find_merge(b, &s[best - 1], s[best].id);
    }
}

static void heap_push(uint64_t *heap, size_t *count, uint64_t item) {
    size_t i = (*count)++;
    for (; i > 0 && heap[(i - 1) / 2] > item; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = item;
}

static uint64_t heap_pop(uint64_t *heap, size_t *count) {
    uint64_t top = heap[0], item = heap[--*count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < *count; i = child) {
        if (child + 1 < *count && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= item) break;
        heap[i] = heap[child];
    }
    heap[i] = item;
    return top;
}

/* The same for words of any length: O(n log n). An entry of the heap is a rank and a place; it is
 * stale unless the symbol there still has that rank. */
static size_t merge_by_heap(const bpe *b, symbol *s, size_t count, uint64_t *heap) {
    size_t queued = 0;
    for (size_t i = 0; i < count; i++) {
        s[i].previous = i > 0 ? (uint32_t)i - 1 : UINT32_MAX;
        s[i].next = i + 1 < count ? (uint32_t)i + 1 : UINT32_MAX;
        s[i].rank = NO_RANK;
        if (i + 1 < count) find_merge(b, &s[i], s[i + 1].id);
        if (s[i].rank != NO_RANK) heap_push(heap, &queued, (uint64_t)s[i].rank << 32 | i);
    }
    while (queued > 0) {
        uint64_t top = heap_pop(heap, &queued);
        uint32_t at = (uint32_t)top;
        if (s[at].length == 0 || s[at].rank != top >> 32) continue;
        uint32_t right = s[at].next;
        s[at].id = s[at].merged;
        s[at].length += s[right].length;
        s[right].length = 0;
        s[at].next = s[right].next;
        s[at].rank = NO_RANK;
        if (s[at].next != UINT32_MAX) {
            s[s[at].next].previous = at;
            find_merge(b, &s[at], s[s[at].next].id);
            if (s[at].rank != NO_RANK) heap_push(heap, &queued, (uint64_t)s[at].rank << 32 | at);
        }
        uint32_t left = s[at].previous;
        if (left != UINT32_MAX) {
            find_merge(b, &s[left], s[at].id);
            if (s[left].rank != NO_RANK)
                heap_push(heap, &queued, (uint64_t)s[left].rank << 32 | left);
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (s[i].length > 0) s[kept++] = s[i];
    return kept;
}

/* ---- the symbols that a word begins as */

static bool symbols_reserve(nf_bpe_scratch *scratch, size_t count) {
    if (scratch->symbol_capacity < count) {
        symbol *symbols = realloc(scratch->symbols, count * 2 * sizeof *symbols);
        if (!symbols) return false;
        scratch->symbols = symbols;
        scratch->symbol_capacity = count * 2;
    }
    if (count > SCAN_SYMBOLS && scratch->heap_capacity < count * 3) {
        uint64_t *heap = realloc(scratch->heap, count * 6 * sizeof *heap);
        if (!heap) return false;
        scratch->heap = heap;
        scratch->heap_capacity = count * 6;
    }
    return true;
}

static size_t byte_symbols(const bpe *b, const char *bytes, size_t length, symbol *s) {
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        int32_t id = b->byte_ids[(unsigned char)bytes[i]];
        /* A byte without a token leaves no trace, as in `tokenizers`. */
        if (id >= 0) s[count++] = (symbol){.id = id, .length = 1};
    }
    return count;
}

/* The token of one character in its place, with prefix and suffix; or -1. */
static int32_t character_id(const bpe *b, const char *text, size_t size, bool first, bool last) {
    if (!*b->prefix && !*b->suffix) return nf_vocabulary_id(&b->base.vocabulary, text, size);
    const char *parts[] = {first ? "" : b->prefix, text, last ? b->suffix : ""};
    uint64_t hash = NF_HASH_START;
    char joined[64];
    size_t length = 0;
    for (size_t p = 0; p < 3; p++) {
        size_t n = p == 1 ? size : strlen(parts[p]);
        if (length + n > sizeof joined) return -1;
        memcpy(joined + length, parts[p], n);
        length += n;
    }
    for (size_t i = 0; i < length; i++) hash = nf_hash_step(hash, (unsigned char)joined[i]);
    const nf_string_slot *slot =
        nf_string_table_find(&b->base.vocabulary.table, hash, joined, length);
    return slot ? slot->id : -1;
}

static nerfit_status character_symbols(const bpe *b, const char *bytes, size_t length, symbol *s,
                                       size_t *count, nerfit_error *err) {
    size_t n = 0;
    uint32_t unknown = 0; /* bytes of the unknown symbol that waits */
    for (size_t i = 0; i < length;) {
        char text[4];
        size_t size, step; /* bytes of the character, and of the word that it stands for */
        if (b->byte_level) {
            size = nf_utf8_encode(nf_byte_level_character((unsigned char)bytes[i]), text);
            step = 1;
        } else {
            size = step = nf_utf8_size((unsigned char)bytes[i]);
            memcpy(text, bytes + i, size);
        }
        int32_t id = character_id(b, text, size, i == 0, i + step == length);
        if (id >= 0) {
            if (unknown) s[n++] = (symbol){.id = b->unknown, .length = unknown};
            unknown = 0;
            s[n++] = (symbol){.id = id, .length = (uint32_t)step};
            i += step;
            continue;
        }
        bool covered = b->byte_fallback;
        for (size_t k = 0; covered && k < size; k++)
            covered = b->fallback_ids[(unsigned char)text[k]] >= 0;
        for (size_t k = 0; covered && k < size; k++)
            s[n++] = (symbol){.id = b->fallback_ids[(unsigned char)text[k]], .length = 1};
        i += step;
        if (covered || !b->unknown_token) continue;
        if (b->unknown < 0)
            return nf_fail(err, NERFIT_FORMAT,
                           "the text has a character that no token covers, and the vocabulary has "
                           "no \"%s\"",
                           b->unknown_token);
        if (unknown && !b->fuse_unknown) {
            s[n++] = (symbol){.id = b->unknown, .length = unknown};
            unknown = 0;
        }
        unknown += (uint32_t)step;
    }
    if (unknown) s[n++] = (symbol){.id = b->unknown, .length = unknown};
    *count = n;
    return NERFIT_OK;
}

static nerfit_status merge_word(const bpe *b, nf_bpe_scratch *scratch, const char *bytes,
                                size_t length, size_t *count, nerfit_error *err) {
    if (!symbols_reserve(scratch, length + 1)) return nf_no_memory(err, length * sizeof(symbol));
    symbol *s = scratch->symbols;
    if (b->byte_level && !*b->prefix && !*b->suffix && !b->unknown_token)
        *count = byte_symbols(b, bytes, length, s);
    else
        NF_TRY(character_symbols(b, bytes, length, s, count, err));
    *count = *count <= SCAN_SYMBOLS ? merge_by_scan(b, s, *count)
                                    : merge_by_heap(b, s, *count, scratch->heap);
    return NERFIT_OK;
}

/* ---- words */

static nerfit_status bpe_tokenize(const nf_subword_model *self, nf_work *work,
                                  const nf_pre_token *token, nf_encoding *out, nerfit_error *err) {
    const bpe *b = (const bpe *)self;
    const char *bytes = token->bytes;
    size_t length = token->length, offset = token->offset;
    uint64_t hash = nf_hash_text(bytes, length);
    const nf_string_slot *slot = NULL;
    unsigned char joined = NOT_JOINED;
    if (length <= b->whole.longest) slot = nf_string_table_find(&b->whole, hash, bytes, length);
    if (slot) {
        joined = atomic_load_explicit(&b->joined[slot - b->whole.slots], memory_order_relaxed);
        if (joined == JOINED || b->ignore_merges) {
            nf_encoding_push(out, slot->id, offset, offset + length, token->index);
            return NERFIT_OK;
        }
    }
    if (!work->bpe && !(work->bpe = calloc(1, sizeof *work->bpe)))
        return nf_no_memory(err, sizeof *work->bpe);
    nf_bpe_scratch *scratch = work->bpe;
    nf_cached_word *cached = nf_word_cache_slot(&scratch->cache, CACHE_SLOTS, b, hash, length);
    if (nf_word_cache_push(cached, hash, token, out)) return NERFIT_OK;

    size_t count = 0, end = 0, from = out->length;
    NF_TRY(merge_word(b, scratch, bytes, length, &count, err));
    const symbol *s = scratch->symbols;
    for (size_t i = 0; i < count; i++) {
        nf_encoding_push(out, s[i].id, offset + end, offset + end + s[i].length, token->index);
        end += s[i].length;
    }
    nf_word_cache_keep(cached, hash, token, out, from);
    if (slot && joined == UNKNOWN_YET)
        atomic_store_explicit(&b->joined[slot - b->whole.slots],
                              count == 1 && s[0].id == slot->id && end == length ? JOINED
                                                                                 : NOT_JOINED,
                              memory_order_relaxed);
    return NERFIT_OK;
}

/* ---- loading */

static nerfit_status out_of_vocabulary(const char *token, size_t length, nf_load *load) {
    return nf_fail_at(
        load->err, NERFIT_FORMAT, load->file, 0, 0,
        "model BPE: the merges need the token \"%.*s\", which is not in the vocabulary",
        (int)(length < 100 ? length : 100), token);
}

/* The token that a merge gives: the halves joined, the prefix of the second left out; in `joined`
 * (room for the longest token) unless it is longer than all tokens. */
static nerfit_status merge_result(int32_t *id, const bpe *b, const nf_merge_row *row, char *joined,
                                  nf_load *load) {
    const nf_vocabulary *v = &b->base.vocabulary;
    size_t skip = strlen(b->prefix), cut = row->right_length < skip ? row->right_length : skip;
    size_t left = row->left_length, right = row->right_length - cut;
    if (left + right <= v->table.longest) {
        memcpy(joined, row->left, left);
        memcpy(joined + left, row->right + cut, right);
        if ((*id = nf_vocabulary_id(v, joined, left + right)) >= 0) return NERFIT_OK;
    }
    char both[200];
    snprintf(both, sizeof both, "%.*s%.*s", (int)(left < 90 ? left : 90), row->left,
             (int)(right < 90 ? right : 90), row->right + cut);
    return out_of_vocabulary(both, strlen(both), load);
}

static nerfit_status add_merge(bpe *b, const nf_merge_row *row, uint32_t rank, char *joined,
                               nf_load *load) {
    const nf_vocabulary *v = &b->base.vocabulary;
    int32_t left = nf_vocabulary_id(v, row->left, row->left_length), right, id = -1;
    if (left < 0) return out_of_vocabulary(row->left, row->left_length, load);
    right = nf_vocabulary_id(v, row->right, row->right_length);
    if (right < 0) return out_of_vocabulary(row->right, row->right_length, load);
    NF_TRY(merge_result(&id, b, row, joined, load));
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t at = merge_slot(b, pair);
    while (b->merges[at].pair != pair && b->merges[at].pair != UINT64_MAX)
        at = (at + 1) & b->merge_mask;
    b->merges[at] = (merge){pair, rank, id}; /* of a pair that comes twice, the last counts */
    return NERFIT_OK;
}

static nerfit_status load_merges(bpe *b, nf_load *load) {
    const nf_token_tables *tables = load->tables;
    if (!tables->has_merges)
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "model BPE: \"merges\" must be an array");
    size_t slots = 16;
    while (slots < tables->merge_count * 2) slots *= 2;
    b->merge_mask = slots - 1;
    b->merges = nf_arena_alloc(load->arena, slots * sizeof *b->merges);
    char *joined = malloc(b->base.vocabulary.table.longest + 1);
    nerfit_status status =
        b->merges && joined ? NERFIT_OK : nf_no_memory(load->err, slots * sizeof *b->merges);
    if (status == NERFIT_OK) memset(b->merges, 0xFF, slots * sizeof *b->merges);
    for (size_t i = 0; i < tables->merge_count && status == NERFIT_OK; i++)
        status = add_merge(b, &tables->merges[i], (uint32_t)i, joined, load);
    free(joined);
    if (status == NERFIT_OK && tables->broken_merge)
        return nf_token_tables_fail(tables, load->file, tables->broken_merge_at, load->err,
                                    "model BPE: merge %zu is not a pair of tokens",
                                    tables->broken_merge);
    return status;
}

/* The words that are tokens: as bytes after ByteLevel, else as they are. */
static nerfit_status load_whole(bpe *b, nf_load *load) {
    const nf_vocabulary *v = &b->base.vocabulary;
    if (!b->byte_level)
        b->whole = v->table;
    else if (!nf_string_table_init(&b->whole, v->table.count, load->arena))
        return nf_no_memory(load->err, v->table.count * sizeof(nf_string_slot));
    b->joined = nf_arena_calloc(load->arena, b->whole.mask + 1, 1);
    if (!b->joined) return nf_no_memory(load->err, b->whole.mask);
    if (!b->byte_level) return NERFIT_OK;
    for (size_t i = 0; i <= v->table.mask; i++) {
        const nf_string_slot *slot = &v->table.slots[i];
        if (!slot->text || slot->length == 0) continue;
        char *bytes = nf_arena_alloc(load->arena, slot->length);
        if (!bytes) return nf_no_memory(load->err, slot->length);
        size_t length = nf_byte_level_decode(slot->text, slot->length, bytes);
        if (length != SIZE_MAX) nf_string_table_put(&b->whole, bytes, length, slot->id);
    }
    return NERFIT_OK;
}

static nerfit_status load_bytes(bpe *b, nf_load *load) {
    bool all = true;
    for (int byte = 0; byte < 256; byte++) {
        char text[8];
        size_t size = nf_utf8_encode(nf_byte_level_character((unsigned char)byte), text);
        b->byte_ids[byte] = nf_vocabulary_id(&b->base.vocabulary, text, size);
        all &= b->byte_ids[byte] >= 0;
        snprintf(text, sizeof text, "<0x%02X>", (unsigned)byte);
        b->fallback_ids[byte] = nf_vocabulary_id(&b->base.vocabulary, text, 6);
    }
    bool affixes = *b->prefix || *b->suffix;
    if (b->byte_fallback && (affixes || (b->byte_level && !all)))
        return nf_fail_at(load->err, NERFIT_UNSUPPORTED, load->file, 0, 0,
                          "model BPE: \"byte_fallback\" together with %s",
                          affixes ? "prefixes or suffixes of sub-words"
                                  : "a ByteLevel alphabet that is not complete");
    return NERFIT_OK;
}

nerfit_status nf_subword_bpe_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "model BPE";
    NF_TRY(nf_component_new(out, sizeof(bpe), load));
    bpe *b = *out;
    b->base.tokenize = bpe_tokenize;
    b->byte_level = load->byte_level;
    const json_t *dropout = json_object_get(json, "dropout");
    if (json_is_number(dropout) && json_number_value(dropout) != 0)
        return nf_fail_at(load->err, NERFIT_UNSUPPORTED, load->file, 0, 0,
                          "%s: \"dropout\" would make the tokens random; set it to null", what);
    NF_TRY(nf_field_text(&b->unknown_token, json, "unk_token", NULL, what, load));
    NF_TRY(nf_field_text(&b->prefix, json, "continuing_subword_prefix", "", what, load));
    NF_TRY(nf_field_text(&b->suffix, json, "end_of_word_suffix", "", what, load));
    NF_TRY(nf_field_bool(&b->fuse_unknown, json, "fuse_unk", false, what, load));
    NF_TRY(nf_field_bool(&b->byte_fallback, json, "byte_fallback", false, what, load));
    NF_TRY(nf_field_bool(&b->ignore_merges, json, "ignore_merges", false, what, load));
    if (strlen(b->prefix) + strlen(b->suffix) > 56)
        return nf_fail_at(load->err, NERFIT_UNSUPPORTED, load->file, 0, 0,
                          "%s: prefix and suffix of more than 56 bytes", what);
    NF_TRY(nf_vocabulary_load(&b->base.vocabulary, NF_TABLE_IDS, what, load));
    b->unknown = -1;
    if (b->unknown_token)
        b->unknown =
            nf_vocabulary_id(&b->base.vocabulary, b->unknown_token, strlen(b->unknown_token));
    NF_TRY(load_bytes(b, load));
    NF_TRY(load_merges(b, load));
    return load_whole(b, load);
}
