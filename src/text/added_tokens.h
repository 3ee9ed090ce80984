/* Added tokens: strings that are found in the text before anything else looks at it, special tokens
 * such as [MASK] and whatever a user has added. Those with `normalized` are looked for in the
 * normalized text, the others in the original. */
#ifndef NF_TEXT_ADDED_TOKENS_H
#define NF_TEXT_ADDED_TOKENS_H

#include "text/component.h"

typedef struct nf_added_token {
    const char *content;
    int32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
} nf_added_token;

/* A trie over bytes: children are a linked list; node 0 is the root. */
typedef struct nf_token_trie {
    struct nf_trie_node {
        uint32_t child, sibling; /* 0: none */
        int32_t token;           /* index of the added token that ends here, or -1 */
        unsigned char byte;
    } * nodes;
    size_t count, capacity;
    uint32_t roots[256]; /* the root's children by byte */
} nf_token_trie;

typedef struct nf_added_tokens {
    nf_added_token *items;
    size_t count, capacity;
    nf_token_trie plain, normalized;
} nf_added_tokens;

/* Adds one as `Tokenizer::add_tokens` does: its id is that of the vocabulary or of the same added
 * token, else a new one; of two with one content the last counts. `content` is copied. */
nerfit_status nf_added_tokens_add(nf_added_tokens *tokens, nf_added_token token,
                                  const nf_vocabulary *vocabulary, nf_load *load);
/* Reads the array "added_tokens" of tokenizer.json (NULL and null are empty ones). */
nerfit_status nf_added_tokens_load(nf_added_tokens *tokens, const json_t *json,
                                   const nf_vocabulary *vocabulary, nf_load *load);
/* After the last one: builds the tries. `normalizer` may be NULL. */
nerfit_status nf_added_tokens_finish(nf_added_tokens *tokens, const nf_normalizer *normalizer,
                                     nf_load *load);
/* NULL if there is none. */
const nf_added_token *nf_added_tokens_find(const nf_added_tokens *tokens, const char *content);

/* Splits bytes start .. end of the current text at the tokens of a trie, and pushes the pieces.
 * False when out of memory. */
bool nf_added_tokens_split(const nf_added_tokens *tokens, const nf_token_trie *trie, nf_text *text,
                           size_t start, size_t end, nf_pieces *pieces);

#endif
