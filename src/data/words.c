#include "data/words.h"

#include <stdlib.h>

#include <utf8proc.h>

#include "base/utf8.h"

/* Scripts without spaces, where every character counts as a word. */
static bool stands_alone(uint32_t c) {
    return (c >= 0x3040 && c <= 0x30FF) ||   /* kana */
           (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF); /* Han */
}

static bool is_word_character(uint32_t c) {
    if (c == '_') return true;
    if (stands_alone(c)) return false;
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO) || c == 0x200D;
}

/* Whether a span begins or ends at `at`; `next` runs along. */
static bool at_edge(const nf_document *d, size_t *next, uint32_t at) {
    while (*next < d->n_spans && d->spans[*next].end < at) ++*next;
    for (size_t i = *next; i < d->n_spans && d->spans[i].start <= at; i++)
        if (d->spans[i].start == at || d->spans[i].end == at) return true;
    return false;
}

static void split_text(const nf_document *d, nf_word *words, size_t *count) {
    size_t next = 0, size;
    bool open = false;
    uint32_t at = 0, c;
    for (size_t i = 0; i < d->text_size; i += size, at++) {
        size = nf_utf8_decode(d->text + i, d->text_size - i, &c);
        if (size == 0) break;
        bool edge = at_edge(d, &next, at);
        if (nf_is_space(c)) {
            open = false;
        } else if (is_word_character(c) && open && !edge) {
            words[*count - 1].end = at + 1;
        } else {
            words[(*count)++] = (nf_word){at, at + 1};
            open = is_word_character(c);
        }
    }
}

static void split_words(const nf_document *d, nf_word *words, size_t *count) {
    size_t next = 0;
    for (size_t w = 0; w < d->n_words; w++) {
        uint32_t start = d->words[w].start;
        for (uint32_t at = start + 1; at < d->words[w].end; at++)
            if (at_edge(d, &next, at)) {
                words[(*count)++] = (nf_word){start, at};
                start = at;
            }
        words[(*count)++] = (nf_word){start, d->words[w].end};
    }
}

nerfit_status nf_words_split(nf_word **words, size_t *count, const nf_document *document,
                             nerfit_error *err) {
    *count = 0;
    *words = malloc(((size_t)document->length + 1) * sizeof **words);
    if (!*words) return nf_no_memory(err, document->length);
    if (document->words) split_words(document, *words, count);
    else split_text(document, *words, count);
    return NERFIT_OK;
}
