#include "text/word_starts.h"

#include "base/script.h"
#include "text/unicode.h"

/* Walks along the text with the tokens, whose starts rise but for few exceptions. */
typedef struct place {
    const char *text;
    size_t size, byte;
    uint32_t index;
} place;

static void go_to(place *p, uint32_t index) {
    if (index < p->index) p->byte = p->index = 0;
    for (; p->index < index && p->byte < p->size; p->index++)
        p->byte += nf_utf8_size((unsigned char)p->text[p->byte]);
}

/* Marks, and the vowels of Thai and Lao that are letters, yet belong to what they follow. */
static bool belongs_to_previous(uint32_t c) {
    return (nf_unicode_flags_of(c) & NF_UNICODE_COMBINING) || c == 0x0E33 || c == 0x0EB3 ||
           c == 0x200D || c == 0xFF9E || c == 0xFF9F;
}

static bool is_mark(uint32_t c) {
    return nf_unicode_flags_of(c) & NF_UNICODE_COMBINING;
}

/* Whether a word begins between two neighbours of the text, the second of which is at `index`;
 * `begins` is what the tokenizer says. */
static bool divides(place *p, uint32_t index, bool begins) {
    uint32_t before, now;
    go_to(p, index - 1);
    if (p->byte >= p->size) return begins;
    size_t next = p->byte + nf_utf8_next(p->text + p->byte, &before);
    if (next >= p->size) return begins;
    nf_utf8_next(p->text + next, &now);
    if (nf_unicode_flags_of(before) & NF_UNICODE_SPACE) return begins;
    if (belongs_to_previous(now)) return false;
    if (nf_is_spaceless(before) || nf_is_spaceless(now)) return true;
    /* Byte-level patterns end a word at every mark, as in Hindi. */
    bool letter = nf_unicode_flags_of(now) & NF_UNICODE_LETTER;
    return begins && !(is_mark(before) && letter);
}

void nf_word_starts(const nf_encoding *e, size_t first, size_t count, const char *text, size_t size,
                    bool *starts) {
    place p = {text, size, 0, 0};
    for (size_t i = 0; i < count; i++) {
        size_t at = first + i;
        starts[i] = i == 0 || e->words[at] != e->words[at - 1];
        if (i == 0 || e->starts[at] >= e->ends[at] || e->starts[at - 1] >= e->ends[at - 1])
            continue;
        if (e->starts[at] < e->ends[at - 1])
            starts[i] = false; /* of one character */
        else if (e->starts[at] == e->ends[at - 1])
            starts[i] = divides(&p, e->starts[at], starts[i]);
    }
}
