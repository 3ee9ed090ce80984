#include "serve/project/search.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "base/utf8.h"

bool nf_search_begin(nf_search *s, const char *words, size_t size) {
    uint32_t c;
    *s = (nf_search){malloc(size * sizeof *s->points + 1), 0};
    for (size_t at = 0, step; at < size && s->points; at += step) {
        if (!(step = nf_utf8_decode(words + at, size - at, &c))) break;
        s->points[s->count++] = utf8proc_tolower((utf8proc_int32_t)c);
    }
    return s->points != NULL;
}

void nf_search_end(nf_search *s) {
    free(s->points);
    *s = (nf_search){0};
}

/* Whether they begin at the text's first byte. */
static bool matches_at(const nf_search *s, const char *text, size_t size) {
    size_t i = 0;
    uint32_t c;
    for (size_t at = 0, step; i < s->count && at < size; at += step, i++) {
        step = nf_utf8_decode(text + at, size - at, &c);
        if (!step || utf8proc_tolower((utf8proc_int32_t)c) != s->points[i]) return false;
    }
    return i == s->count;
}

bool nf_search_matches(const nf_search *s, const char *text, size_t size) {
    if (!s->count) return true;
    for (size_t at = 0; at < size; at += nf_utf8_size((unsigned char)text[at]))
        if (matches_at(s, text + at, size - at)) return true;
    return false;
}
