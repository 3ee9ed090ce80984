/* WordPiece: the longest token that a word begins with, then the longest continuation ("##…") that
 * the rest begins with, and so on; a word of which any part is in no token is unknown as a whole.
 *
 * The hashes of all prefixes come from one pass over the word, so that a try costs one look-up. The
 * continuations have a table of their own, without their prefix, so that nothing is ever joined. */
#include <string.h>

#include "base/utf8.h"
#include "text/subword.h"
#include "text/unicode.h"

enum { MAX_HASHES = 512 };

typedef struct wordpiece {
    nf_subword_model base;
    nf_string_table continuations;
    size_t max_characters;
    int32_t unknown; /* -1: not in the vocabulary */
    const char *unknown_token;
} wordpiece;

static nerfit_status push_unknown(const wordpiece *w, const nf_pre_token *token, nf_encoding *out,
                                  nerfit_error *err) {
    if (w->unknown < 0)
        return nf_fail(err, NERFIT_FORMAT,
                       "the text has a word that no token covers, and the vocabulary has no \"%s\"",
                       w->unknown_token);
    nf_encoding_push(out, w->unknown, token->offset, token->offset + token->length, token->index);
    return NERFIT_OK;
}

/* The longest string of the table that bytes[0, length) begins with, or NULL. */
static const nf_string_slot *longest_prefix(const nf_string_table *table, const char *bytes,
                                            size_t length) {
    uint64_t hashes[MAX_HASHES + 1];
    if (length > table->longest) length = table->longest;
    size_t hashed = length < MAX_HASHES ? length : MAX_HASHES;
    hashes[0] = NF_HASH_START;
    for (size_t i = 0; i < hashed; i++)
        hashes[i + 1] = nf_hash_step(hashes[i], (unsigned char)bytes[i]);
    for (size_t n = length; n > 0; n--) {
        uint64_t hash = n <= hashed ? hashes[n] : nf_hash_text(bytes, n);
        const nf_string_slot *slot = nf_string_table_find(table, hash, bytes, n);
        if (slot) return slot;
    }
    return NULL;
}

static nerfit_status wordpiece_tokenize(const nf_subword_model *self, nf_work *work,
                                        const nf_pre_token *token, nf_encoding *out,
                                        nerfit_error *err) {
    (void)work;
    const wordpiece *w = (const wordpiece *)self;
    const char *bytes = token->bytes;
    size_t length = token->length, offset = token->offset;
    if (length > w->max_characters && nf_utf8_count(bytes, length) > w->max_characters)
        return push_unknown(w, token, out, err);
    size_t begin = out->length;
    const nf_string_table *table = &self->vocabulary.table;
    for (size_t at = 0; at < length;) {
        const nf_string_slot *slot = longest_prefix(table, bytes + at, length - at);
        if (!slot) {
            out->length = begin;
            return push_unknown(w, token, out, err);
        }
        nf_encoding_push(out, slot->id, offset + at, offset + at + slot->length, token->index);
        at += slot->length;
        table = &w->continuations;
    }
    return NERFIT_OK;
}

static nerfit_status load_continuations(wordpiece *w, const char *prefix, nf_load *load) {
    const nf_string_table *all = &w->base.vocabulary.table;
    size_t skip = strlen(prefix), count = 0;
    for (int fill = 0; fill < 2; fill++) {
        for (size_t i = 0; i <= all->mask; i++) {
            const nf_string_slot *slot = &all->slots[i];
            if (!slot->text || slot->length <= skip || memcmp(slot->text, prefix, skip) != 0)
                continue;
            if (fill)
                nf_string_table_put(&w->continuations, slot->text + skip, slot->length - skip,
                                    slot->id);
            else
                count++;
        }
        if (!fill && !nf_string_table_init(&w->continuations, count, load->arena))
            return nf_no_memory(load->err, count * sizeof(nf_string_slot));
    }
    return NERFIT_OK;
}

nerfit_status nf_subword_wordpiece_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "model WordPiece";
    NF_TRY(nf_component_new(out, sizeof(wordpiece), load));
    wordpiece *w = *out;
    w->base.tokenize = wordpiece_tokenize;
    load->byte_level = false;
    const char *prefix;
    NF_TRY(nf_field_text(&w->unknown_token, json, "unk_token", NULL, what, load));
    NF_TRY(nf_field_text(&prefix, json, "continuing_subword_prefix", NULL, what, load));
    const json_t *longest = json_object_get(json, "max_input_chars_per_word");
    if (!w->unknown_token || !prefix || !json_is_integer(longest) ||
        json_integer_value(longest) < 0)
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "%s: \"unk_token\", \"continuing_subword_prefix\" and "
                          "\"max_input_chars_per_word\" are needed",
                          what);
    w->max_characters = (size_t)json_integer_value(longest);
    NF_TRY(nf_vocabulary_load(&w->base.vocabulary, NF_TABLE_IDS, what, load));
    w->unknown = nf_vocabulary_id(&w->base.vocabulary, w->unknown_token, strlen(w->unknown_token));
    return load_continuations(w, prefix, load);
}
