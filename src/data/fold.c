#include "data/fold.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/utf8.h"
#include "data/words.h"

/* Characters that are written for one another, beyond what compatibility forms tell. */
static uint32_t fold_mark(uint32_t c) {
    switch (c) {
    case 0x60:   /* grave accent */
    case 0xB4:   /* acute accent */
    case 0x2BC:  /* modifier letter apostrophe */
    case 0x2018: /* single quotation marks, and the prime */
    case 0x2019:
    case 0x201A:
    case 0x201B:
    case 0x2032:
    case 0x2039:
    case 0x203A:
        return '\'';
    case 0xAB: /* double ones */
    case 0xBB:
    case 0x201C:
    case 0x201D:
    case 0x201E:
    case 0x201F:
    case 0x2033:
    case 0x301D:
    case 0x301E:
        return '"';
    case 0x2212: /* minus */
        return '-';
    default:
        return c >= 0x2010 && c <= 0x2015 ? '-' : c; /* hyphens and dashes */
    }
}

enum { MOST_PARTS = 64 }; /* the longest folding, of U+FDFA, has 18 */

/* What one character becomes; returns how many. */
static size_t fold_character(uint32_t c, uint32_t out[MOST_PARTS]) {
    if (nf_is_space(c)) return out[0] = ' ', 1;
    uint32_t mark = fold_mark(c);
    if (mark != c) return out[0] = mark, 1;
    utf8proc_int32_t parts[MOST_PARTS];
    utf8proc_ssize_t n = utf8proc_decompose_char(
        (utf8proc_int32_t)c, parts, MOST_PARTS,
        UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE, NULL);
    if (n < 0 || n > MOST_PARTS) return out[0] = c, 1;
    for (utf8proc_ssize_t i = 0; i < n; i++) out[i] = fold_mark((uint32_t)parts[i]);
    return (size_t)n;
}

/* Marks after a letter in their canonical order (UAX 15): a stable sort of each run. */
static void order_marks(nf_folded *f) {
    for (size_t i = 1; i < f->count; i++) {
        int class = utf8proc_get_property((utf8proc_int32_t)f->points[i])->combining_class;
        uint32_t point = f->points[i], from = f->from[i], to = f->to[i];
        size_t k = i;
        for (; class && k > 0; k--) {
            int before = utf8proc_get_property((utf8proc_int32_t)f->points[k - 1])->combining_class;
            if (before <= class) break;
            f->points[k] = f->points[k - 1];
            f->from[k] = f->from[k - 1];
            f->to[k] = f->to[k - 1];
        }
        f->points[k] = point;
        f->from[k] = from;
        f->to[k] = to;
    }
}

static nerfit_status fold_reserve(nf_folded *out, nf_arena *arena, size_t count,
                                  nerfit_error *err) {
    out->points = nf_arena_calloc(arena, count + 1, sizeof *out->points);
    out->from = nf_arena_calloc(arena, count + 1, sizeof *out->from);
    out->to = nf_arena_calloc(arena, count + 1, sizeof *out->to);
    return out->points && out->from && out->to ? NERFIT_OK
                                               : nf_no_memory(err, count * sizeof *out->points);
}

/* Calls for every folded character of the text; returns how many there are. With `out` they are
 * written there. */
static size_t fold_all(nf_folded *out, const char *text, size_t size) {
    size_t count = 0, at = 0;
    bool blank = false;
    for (uint32_t place = 0; at < size; place++) {
        uint32_t c, parts[MOST_PARTS];
        size_t step = nf_utf8_decode(text + at, size - at, &c);
        if (step == 0) break;
        at += step;
        size_t n = fold_character(c, parts);
        for (size_t i = 0; i < n; i++) {
            bool again = parts[i] == ' ' && blank;
            blank = parts[i] == ' ';
            if (again && out) out->to[count - 1] = place + 1;
            if (again) continue;
            if (out) {
                out->points[count] = parts[i];
                out->from[count] = place;
                out->to[count] = place + 1;
            }
            count++;
        }
    }
    return count;
}

nerfit_status nf_fold(nf_folded *out, nf_arena *arena, const char *text, size_t size,
                      nerfit_error *err) {
    *out = (nf_folded){0};
    size_t count = fold_all(NULL, text, size);
    NF_TRY(fold_reserve(out, arena, count, err));
    out->count = fold_all(out, text, size);
    order_marks(out);
    return NERFIT_OK;
}

nerfit_status nf_fold_trimmed(nf_folded *out, nf_arena *arena, const char *text, size_t size,
                              nerfit_error *err) {
    NF_TRY(nf_fold(out, arena, text, size, err));
    size_t skip = out->count && out->points[0] == ' ';
    out->points += skip;
    out->from += skip;
    out->to += skip;
    out->count -= skip;
    if (out->count && out->points[out->count - 1] == ' ') out->count--;
    return NERFIT_OK;
}

bool nf_folded_is_place(const nf_folded *f, size_t start, size_t end) {
    return start < end && end <= f->count && (start == 0 || f->from[start - 1] != f->from[start]) &&
           (end == f->count || f->from[end - 1] != f->from[end]);
}

size_t nf_folded_find(const nf_folded *in, const nf_folded *what, size_t begin) {
    size_t n = what->count;
    for (size_t at = begin; n && n <= in->count && at <= in->count - n; at++)
        if (in->points[at] == what->points[0] &&
            memcmp(in->points + at, what->points, n * sizeof *what->points) == 0)
            return at;
    return SIZE_MAX;
}

nerfit_status nf_word_edges(uint8_t **edges, nf_arena *arena, const char *text, size_t size,
                            nerfit_error *err) {
    nf_word *words;
    size_t n_words, length = nf_utf8_count(text, size);
    *edges = nf_arena_calloc(arena, length + 1, sizeof **edges);
    if (!*edges) return nf_no_memory(err, length);
    NF_TRY(nf_words_of_text(&words, &n_words, text, size, err));
    for (size_t i = 0; i < n_words; i++) {
        (*edges)[words[i].start] |= NF_EDGE_START;
        (*edges)[words[i].end] |= NF_EDGE_END;
    }
    free(words);
    return NERFIT_OK;
}
