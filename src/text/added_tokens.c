/* The rules are those of `AddedVocabulary` in `tokenizers` (0.23): leftmost longest matches that do
 * not overlap; a match refused by single_word is passed over as a whole. */
#include "text/added_tokens.h"

#include <string.h>

#include "text/unicode.h"

const nf_added_token *nf_added_tokens_find(const nf_added_tokens *tokens, const char *content) {
    for (size_t i = 0; i < tokens->count; i++)
        if (strcmp(tokens->items[i].content, content) == 0) return &tokens->items[i];
    return NULL;
}

/* The id that the next unknown token gets: behind the vocabulary and all added tokens. */
static int32_t next_id(const nf_added_tokens *tokens, const nf_vocabulary *vocabulary) {
    int32_t size = (int32_t)vocabulary->count, next = size;
    for (size_t i = 0; i < tokens->count; i++)
        if (tokens->items[i].id >= next) next = tokens->items[i].id + 1;
    return next;
}

nerfit_status nf_added_tokens_add(nf_added_tokens *tokens, nf_added_token token,
                                  const nf_vocabulary *vocabulary, nf_load *load) {
    if (!*token.content) return NERFIT_OK;
    nf_added_token *same = (nf_added_token *)nf_added_tokens_find(tokens, token.content);
    if (same) {
        token.id = same->id;
        token.content = same->content;
        *same = token;
        return NERFIT_OK;
    }
    token.id = nf_vocabulary_id(vocabulary, token.content, strlen(token.content));
    if (token.id < 0) token.id = next_id(tokens, vocabulary);
    if (token.id > NF_VOCABULARY_MAX_ID)
        return nf_fail_at(load->err, NERFIT_UNSUPPORTED, load->file, 0, 0,
                          "more added tokens than there are ids");
    token.content = nf_arena_strdup(load->arena, token.content);
    if (!token.content) return nf_no_memory(load->err, 64);
    if (tokens->count == tokens->capacity) {
        size_t capacity = tokens->capacity ? tokens->capacity * 2 : 16;
        nf_added_token *items = nf_arena_calloc(load->arena, capacity, sizeof *items);
        if (!items) return nf_no_memory(load->err, capacity * sizeof *items);
        if (tokens->count) memcpy(items, tokens->items, tokens->count * sizeof *items);
        tokens->items = items;
        tokens->capacity = capacity;
    }
    tokens->items[tokens->count++] = token;
    return NERFIT_OK;
}

nerfit_status nf_added_tokens_load(nf_added_tokens *tokens, const json_t *json,
                                   const nf_vocabulary *vocabulary, nf_load *load) {
    if (!json || json_is_null(json)) return NERFIT_OK;
    if (!json_is_array(json))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "\"added_tokens\" must be an array");
    size_t i;
    const json_t *item;
    json_array_foreach(json, i, item) {
        static const char what[] = "added token";
        nf_added_token token = {0};
        token.content = json_string_value(json_object_get(item, "content"));
        if (!token.content)
            return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                              "added token %zu has no \"content\"", i + 1);
        NF_TRY(nf_field_bool(&token.single_word, item, "single_word", NF_REQUIRED, what, load));
        NF_TRY(nf_field_bool(&token.lstrip, item, "lstrip", NF_REQUIRED, what, load));
        NF_TRY(nf_field_bool(&token.rstrip, item, "rstrip", NF_REQUIRED, what, load));
        NF_TRY(nf_field_bool(&token.normalized, item, "normalized", NF_REQUIRED, what, load));
        NF_TRY(nf_field_bool(&token.special, item, "special", NF_REQUIRED, what, load));
        NF_TRY(nf_added_tokens_add(tokens, token, vocabulary, load));
    }
    return NERFIT_OK;
}

/* ---- tries */

static uint32_t new_node(nf_token_trie *trie, unsigned char byte, nf_arena *arena) {
    if (trie->count == trie->capacity) {
        size_t capacity = trie->capacity ? trie->capacity * 2 : 64;
        struct nf_trie_node *nodes = nf_arena_calloc(arena, capacity, sizeof *nodes);
        if (!nodes) return 0;
        if (trie->count) memcpy(nodes, trie->nodes, trie->count * sizeof *nodes);
        trie->nodes = nodes;
        trie->capacity = capacity;
    }
    if (trie->count == 0) trie->nodes[trie->count++].token = -1; /* the root's place */
    trie->nodes[trie->count] = (struct nf_trie_node){0, 0, -1, byte};
    return (uint32_t)trie->count++;
}

static bool trie_add(nf_token_trie *trie, const char *text, size_t length, int32_t token,
                     nf_arena *arena) {
    uint32_t node = trie->roots[(unsigned char)text[0]];
    if (!node) {
        node = new_node(trie, (unsigned char)text[0], arena);
        if (!node) return false;
        trie->roots[(unsigned char)text[0]] = node;
    }
    for (size_t i = 1; i < length; i++) {
        uint32_t child = trie->nodes[node].child;
        while (child && trie->nodes[child].byte != (unsigned char)text[i])
            child = trie->nodes[child].sibling;
        if (!child) {
            child = new_node(trie, (unsigned char)text[i], arena);
            if (!child) return false;
            trie->nodes[child].sibling = trie->nodes[node].child;
            trie->nodes[node].child = child;
        }
        node = child;
    }
    trie->nodes[node].token = token;
    return true;
}

/* The end of the longest token that begins at `at`, or 0. */
static size_t trie_match(const nf_token_trie *trie, const char *bytes, size_t at, size_t end,
                         int32_t *token) {
    uint32_t node = trie->roots[(unsigned char)bytes[at]];
    size_t found = 0;
    for (size_t i = at + 1; node; i++) {
        if (trie->nodes[node].token >= 0) {
            *token = trie->nodes[node].token;
            found = i;
        }
        if (i == end) break;
        node = trie->nodes[node].child;
        while (node && trie->nodes[node].byte != (unsigned char)bytes[i])
            node = trie->nodes[node].sibling;
    }
    return found;
}

nerfit_status nf_added_tokens_finish(nf_added_tokens *tokens, const nf_normalizer *normalizer,
                                     nf_load *load) {
    nerfit_status status = NERFIT_OK;
    nf_work work = {0};
    nf_text normal = {0};
    for (size_t i = 0; i < tokens->count && status == NERFIT_OK; i++) {
        const nf_added_token *token = &tokens->items[i];
        const char *text = token->content;
        size_t length = strlen(text);
        bool ok = true;
        if (token->normalized && normalizer) {
            nf_text_borrow(&work.raw, text, length);
            nf_text_clear(&normal);
            ok = normalizer->apply(normalizer, &work, &work.raw, 0, length, &normal);
            text = normal.bytes;
            length = normal.length;
        }
        /* What the normalizer leaves nothing of cannot be found. */
        if (ok && length > 0)
            ok = trie_add(token->normalized ? &tokens->normalized : &tokens->plain, text, length,
                          (int32_t)i, load->arena);
        if (!ok)
            status = work.problem
                         ? nf_fail_at(load->err, NERFIT_UNSUPPORTED, load->file, 0, 0,
                                      "added token \"%.100s\": %s", token->content, work.problem)
                         : nf_no_memory(load->err, length);
    }
    nf_text_free(&normal);
    nf_text_free(&work.raw);
    nf_regex_scratch_free(&work.regex);
    for (size_t i = 0; i < NF_COUNT(work.stages); i++) nf_text_free(&work.stages[i]);
    return status;
}

/* ---- matching */

static uint16_t flags_before(const char *bytes, size_t at) {
    size_t start = at - 1;
    while (((unsigned char)bytes[start] & 0xC0) == 0x80) start--;
    uint32_t c;
    nf_utf8_next(bytes + start, &c);
    return nf_unicode_flags_of(c);
}

static uint16_t flags_at(const char *bytes, size_t at) {
    uint32_t c;
    nf_utf8_next(bytes + at, &c);
    return nf_unicode_flags_of(c);
}

bool nf_added_tokens_split(const nf_added_tokens *tokens, const nf_token_trie *trie, nf_text *text,
                           size_t start, size_t end, nf_pieces *pieces) {
    const char *bytes = text->bytes;
    size_t done = start; /* all before it has been pushed */
    if (trie->count)
        for (size_t at = start; at < end;) {
            int32_t index = -1;
            size_t stop = 0;
            while (at < end && !trie->roots[(unsigned char)bytes[at]]) at++;
            if (at < end) stop = trie_match(trie, bytes, at, end, &index);
            if (!stop) {
                at++;
                continue;
            }
            const nf_added_token *token = &tokens->items[index];
            size_t from = at;
            at = stop; /* where the search goes on, whatever becomes of this match */
            if (token->single_word &&
                ((from > start && (flags_before(bytes, from) & NF_UNICODE_WORD)) ||
                 (stop < end && (flags_at(bytes, stop) & NF_UNICODE_WORD))))
                continue;
            if (token->lstrip) {
                while (from > start && (flags_before(bytes, from) & NF_UNICODE_SPACE)) {
                    from--;
                    while (((unsigned char)bytes[from] & 0xC0) == 0x80) from--;
                }
                if (from < done) from = done;
            }
            if (token->rstrip)
                while (stop < end && (flags_at(bytes, stop) & NF_UNICODE_SPACE))
                    stop += nf_utf8_size((unsigned char)bytes[stop]);
            if (done < from && !nf_pieces_push(pieces, done, from, -1)) return false;
            if (!nf_pieces_push(pieces, from, stop, token->id)) return false;
            done = stop;
        }
    return nf_pieces_push(pieces, done, end, -1);
}
