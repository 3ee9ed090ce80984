#include "annotate/align.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "labels/places.h"

enum { MOST_PLACES = 64 /* of one answer that are looked at */ };

/* A place where an answer may stand. */
typedef struct align_place {
    uint32_t start, end; /* code points */
    nf_annotate_count how;
    uint32_t answer;
} align_place;

/* Answers of the same words, but for case and the like. */
typedef struct align_words {
    nf_folded folded;
    size_t answer; /* the first one */
    int32_t label; /* of those that are placed; -1: none is */
    bool several;  /* they have different labels */
    UT_hash_handle hh;
} align_words;

typedef struct aligner {
    const nf_align_text *text;
    nf_aligned *answers;
    size_t n;
    nf_arena *arena;
    align_place *places; /* by answer, then by start */
    size_t n_places, capacity;
    size_t *first;       /* [n + 1] of each answer */
    align_words **words; /* [n] of each answer */
    align_words *map;
    nerfit_error *err;
} aligner;

nerfit_status nf_align_text_make(nf_align_text *out, const char *text, size_t size, nf_arena *arena,
                                 nerfit_error *err) {
    *out = (nf_align_text){.text = text, .size = size};
    NF_TRY(nf_fold(&out->folded, arena, text, size, err));
    NF_TRY(nf_word_edges(&out->edges, arena, text, size, err));
    out->bytes = nf_arena_calloc(arena, nf_utf8_count(text, size) + 1, sizeof *out->bytes);
    if (!out->bytes) return nf_no_memory(err, size * sizeof *out->bytes);
    for (nf_utf8_place at = {.text = text, .size = size}; at.byte < size;) {
        nf_utf8_go_to(&at, at.index + 1);
        out->bytes[at.index] = (uint32_t)at.byte;
    }
    out->starts = nf_arena_calloc(arena, out->folded.count + 1, sizeof *out->starts);
    out->ends = nf_arena_calloc(arena, out->folded.count + 1, sizeof *out->ends);
    if (!out->starts || !out->ends) return nf_no_memory(err, out->folded.count);
    const nf_folded *f = &out->folded;
    size_t n_ends = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (f->points[i] == ' ') continue;
        bool first = i == 0 || f->from[i - 1] != f->from[i];
        bool last = i + 1 == f->count || f->from[i + 1] != f->from[i];
        if (first && out->edges[f->from[i]] & NF_EDGE_START)
            out->starts[out->n_words++] = (uint32_t)i;
        if (last && out->edges[f->to[i]] & NF_EDGE_END) out->ends[n_ends++] = (uint32_t)i + 1;
    }
    if (n_ends < out->n_words) out->n_words = n_ends;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- steps 1 to 3 */

static nerfit_status align_put(aligner *a, size_t answer, uint32_t start, uint32_t end,
                               nf_annotate_count how) {
    if (a->n_places - a->first[answer] >= MOST_PLACES) return NERFIT_OK;
    if (!nf_array_reserve(&a->places, &a->capacity, a->n_places + 1, sizeof *a->places))
        return nf_no_memory(a->err, a->n_places * sizeof *a->places);
    a->places[a->n_places++] = (align_place){start, end, how, (uint32_t)answer};
    return NERFIT_OK;
}

/* Whether the answer's bytes are just those of a place. */
static bool align_is_exact(const nf_align_text *t, uint32_t start, uint32_t end,
                           const char *answer) {
    size_t from = t->bytes[start], size = t->bytes[end] - from;
    return strlen(answer) == size && memcmp(t->text + from, answer, size) == 0;
}

/* All places of folded words; *inside: some lie inside a word. */
static nerfit_status align_find(aligner *a, size_t answer, const nf_folded *what,
                                nf_annotate_count how, bool *inside) {
    const nf_align_text *t = a->text;
    for (size_t at = 0; (at = nf_folded_find(&t->folded, what, at)) != SIZE_MAX; at++) {
        size_t stop = at + what->count;
        uint32_t start = t->folded.from[at], end = t->folded.to[stop - 1];
        bool whole = nf_folded_is_place(&t->folded, at, stop) && t->edges[start] & NF_EDGE_START &&
                     t->edges[end] & NF_EDGE_END;
        *inside |= !whole;
        if (!whole) continue;
        bool exact =
            how == NF_COUNT_FOLDED && align_is_exact(t, start, end, a->answers[answer].text);
        NF_TRY(align_put(a, answer, start, end, exact ? NF_COUNT_EXACT : how));
    }
    return NERFIT_OK;
}

static bool is_mark(uint32_t c) {
    return c == ' ' || c == '"' || c == '\'' ||
           (c < 128 && c > ' ' && strchr("()[]{}<>.,;:!?*_`-/\\|#", (int)c)) || c == 0x3002 ||
           c == 0x3001 || c == 0xFF0C;
}

static bool begins_with(const nf_folded *f, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0; i < n; i++)
        if (i >= f->count || f->points[i] != (unsigned char)word[i]) return false;
    return f->count > n;
}

/* Takes articles, a possessive and punctuation off; false: nothing is changed, or nothing left. */
static bool align_trim(nf_folded *f) {
    static const char *const articles[] = {
        "the ", "a ",  "an ", "der ", "die ", "das ", "le ", "la ", "les ", "l'",   "el ", "los ",
        "las ", "il ", "lo ", "i ",   "gli ", "o ",   "os ", "as ", "de ",  "het ", "un ", "une "};
    size_t before = f->count;
    for (bool again = true; again;) {
        again = false;
        while (f->count && is_mark(f->points[f->count - 1])) f->count--, again = true;
        while (f->count && is_mark(f->points[0]))
            f->points++, f->from++, f->to++, f->count--, again = true;
        for (size_t i = 0; i < sizeof articles / sizeof *articles && !again; i++)
            if (begins_with(f, articles[i])) {
                size_t n = strlen(articles[i]);
                f->points += n, f->from += n, f->to += n, f->count -= n;
                again = true;
            }
        if (f->count > 2 && f->points[f->count - 1] == 's' && f->points[f->count - 2] == '\'')
            f->count -= 2, again = true;
    }
    return f->count && f->count < before;
}

/* ---------------------------------------------------------------- step 4 */

typedef struct fuzzy_best {
    size_t word, n_words;
    double share;
    bool tied;
} fuzzy_best;

/* Length of the longest common subsequence; row [m + 1]. */
static size_t common_points(const uint32_t *a, size_t n, const uint32_t *b, size_t m,
                            uint32_t *row) {
    memset(row, 0, (m + 1) * sizeof *row);
    for (size_t i = 0; i < n; i++) {
        uint32_t diagonal = 0;
        for (size_t k = 0; k < m; k++) {
            uint32_t up = row[k + 1];
            if (a[i] == b[k])
                row[k + 1] = diagonal + 1;
            else if (row[k] > up)
                row[k + 1] = row[k];
            diagonal = up;
        }
    }
    return row[m];
}

/* Whether a word of at least three characters of the answer is one of the window's. */
static bool shares_word(const nf_folded *answer, const nf_align_text *t, size_t word, size_t n) {
    for (size_t w = word; w < word + n; w++) {
        size_t size = t->ends[w] - t->starts[w];
        for (size_t at = 0; size >= 3 && at + size <= answer->count; at++) {
            bool left = at == 0 || answer->points[at - 1] == ' ';
            bool right = at + size == answer->count || answer->points[at + size] == ' ';
            if (left && right &&
                memcmp(answer->points + at, t->folded.points + t->starts[w],
                       size * sizeof *answer->points) == 0)
                return true;
        }
    }
    return false;
}

static void fuzzy_try(const nf_align_text *t, const nf_folded *answer, size_t word, size_t n,
                      uint32_t *row, fuzzy_best *best) {
    const uint32_t *window = t->folded.points + t->starts[word];
    size_t size = t->ends[word + n - 1] - t->starts[word];
    if (size > 2 * answer->count || 2 * size < answer->count) return;
    size_t common = common_points(answer->points, answer->count, window, size, row);
    double share = 2.0 * (double)common / (double)(size + answer->count);
    if (4 * common < 3 * answer->count || share < 0.75) return;
    size_t longer = size > answer->count ? size : answer->count;
    if (6 * (longer - common) > longer && !shares_word(answer, t, word, n)) return;
    if (share > best->share)
        *best = (fuzzy_best){word, n, share, false};
    else if (share == best->share)
        best->tied = true;
}

static size_t count_words(const nf_folded *f) {
    size_t n = f->count > 0;
    for (size_t i = 0; i < f->count; i++) n += f->points[i] == ' ';
    return n;
}

/* Long answers and texts would take too long for what they are worth. */
static nerfit_status align_fuzzy(aligner *a, size_t index, const nf_folded *answer) {
    enum { LEAST = 4, MOST = 120, MOST_WORDS = 2000 };
    const nf_align_text *t = a->text;
    if (answer->count < LEAST || answer->count > MOST || t->n_words > MOST_WORDS) return NERFIT_OK;
    uint32_t row[2 * MOST + 1];
    size_t words = count_words(answer), least = words > 2 ? words - 2 : 1;
    fuzzy_best best = {.share = 0};
    for (size_t word = 0; word < t->n_words; word++)
        for (size_t n = least; n <= words + 2 && word + n <= t->n_words; n++)
            fuzzy_try(t, answer, word, n, row, &best);
    if (best.share == 0 || best.tied) return NERFIT_OK;
    return align_put(a, index, t->folded.from[t->starts[best.word]],
                     t->folded.to[t->ends[best.word + best.n_words - 1] - 1], NF_COUNT_FUZZY);
}

static nerfit_status align_fold(aligner *a, size_t index) {
    const char *text = a->answers[index].text;
    nf_folded folded;
    align_words *words;
    NF_TRY(nf_fold_trimmed(&folded, a->arena, text, strlen(text), a->err));
    size_t size = folded.count * sizeof *folded.points;
    HASH_FIND(hh, a->map, folded.points, size, words);
    if (!words) {
        words = nf_arena_calloc(a->arena, 1, sizeof *words);
        if (!words) return nf_no_memory(a->err, sizeof *words);
        *words = (align_words){.folded = folded, .answer = index, .label = -1};
        HASH_ADD_KEYPTR(hh, a->map, words->folded.points, size, words);
        if (!words->hh.tbl) return nf_no_memory(a->err, sizeof *words);
    }
    a->words[index] = words;
    return NERFIT_OK;
}

/* What was found for the same words is looked for but once. */
static nerfit_status align_copy(aligner *a, size_t index, size_t of) {
    a->answers[index].how = a->answers[of].how;
    for (size_t p = a->first[of]; p < a->first[of + 1]; p++) {
        const align_place at = a->places[p];
        bool as_it_stands = at.how == NF_COUNT_EXACT || at.how == NF_COUNT_FOLDED;
        bool exact =
            as_it_stands && align_is_exact(a->text, at.start, at.end, a->answers[index].text);
        NF_TRY(align_put(a, index, at.start, at.end,
                         exact          ? NF_COUNT_EXACT
                         : as_it_stands ? NF_COUNT_FOLDED
                                        : at.how));
    }
    return NERFIT_OK;
}

/* Places of one answer, by the first step that finds some; else why it is dropped. */
static nerfit_status align_answer(aligner *a, size_t index) {
    nf_aligned *answer = &a->answers[index];
    bool inside = false;
    a->first[index] = a->n_places;
    NF_TRY(align_fold(a, index));
    if (a->words[index]->answer != index) return align_copy(a, index, a->words[index]->answer);
    nf_folded what = a->words[index]->folded;
    answer->how = NF_COUNT_EMPTY;
    if (what.count == 0) return NERFIT_OK;
    NF_TRY(align_find(a, index, &what, NF_COUNT_FOLDED, &inside));
    nf_folded trimmed = what;
    if (a->n_places == a->first[index] && align_trim(&trimmed))
        NF_TRY(align_find(a, index, &trimmed, NF_COUNT_TRIMMED, &inside));
    answer->how = inside ? NF_COUNT_INSIDE : NF_COUNT_ABSENT;
    if (a->n_places == a->first[index] && !inside) NF_TRY(align_fuzzy(a, index, &what));
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- which place */

/* The longest chain of places of rising answers that rise in the text; taken [n] receives each answer's
 * place, SIZE_MAX: none. */
static nerfit_status align_chain(aligner *a, size_t *taken) {
    uint32_t *length = nf_arena_calloc(a->arena, a->n_places + 1, sizeof *length);
    size_t *before = nf_arena_calloc(a->arena, a->n_places + 1, sizeof *before);
    size_t last = SIZE_MAX;
    if (!length || !before) return nf_no_memory(a->err, a->n_places * sizeof *before);
    for (size_t i = 0; i < a->n_places; i++) {
        length[i] = 1;
        before[i] = SIZE_MAX;
        for (size_t k = 0; k < a->first[a->places[i].answer]; k++) {
            const align_place *p = &a->places[k], *q = &a->places[i];
            bool rises = p->start < q->start || (p->start == q->start && p->end != q->end);
            if (rises && length[k] + 1 > length[i]) length[i] = length[k] + 1, before[i] = k;
        }
        if (last == SIZE_MAX || length[i] > length[last]) last = i;
    }
    for (; last != SIZE_MAX; last = before[last]) taken[a->places[last].answer] = last;
    return NERFIT_OK;
}

static nf_entity align_entity(const aligner *a, size_t place) {
    const align_place *p = &a->places[place];
    return (nf_entity){p->start, p->end, a->answers[p->answer].label, 0};
}

/* An answer that is in no chain gets its first place that no answer of its label has. */
static nerfit_status align_fill(aligner *a, size_t *taken, nf_places *used) {
    for (size_t i = 0; i < a->n; i++) {
        if (taken[i] == SIZE_MAX) continue;
        const nf_entity e = align_entity(a, taken[i]);
        NF_TRY(nf_places_take(used, &e, a->err));
    }
    for (size_t i = 0; i < a->n; i++)
        for (size_t p = a->first[i]; p < a->first[i + 1] && taken[i] == SIZE_MAX; p++) {
            const nf_entity e = align_entity(a, p);
            if (nf_places_has(used, &e)) continue;
            NF_TRY(nf_places_take(used, &e, a->err));
            taken[i] = p;
        }
    return NERFIT_OK;
}

static nerfit_status align_choose(aligner *a) {
    nf_places used;
    size_t *taken = nf_arena_calloc(a->arena, a->n + 1, sizeof *taken);
    if (!taken) return nf_no_memory(a->err, a->n * sizeof *taken);
    for (size_t i = 0; i < a->n; i++) taken[i] = SIZE_MAX;
    if (a->n_places <= 4000) NF_TRY(align_chain(a, taken));
    NF_TRY(nf_places_make(&used, 0, true, a->arena, a->err));
    nerfit_status status = align_fill(a, taken, &used);
    nf_places_free(&used);
    for (size_t i = 0; i < a->n; i++) {
        nf_aligned *answer = &a->answers[i];
        if (taken[i] != SIZE_MAX) {
            const align_place *place = &a->places[taken[i]];
            answer->how = place->how;
            answer->start = place->start;
            answer->end = place->end;
        } else if (a->first[i + 1] > a->first[i]) {
            answer->how = NF_COUNT_AGAIN;
        }
    }
    return status;
}

/* ---------------------------------------------------------------- overlaps, more places */

static bool is_placed(const nf_aligned *a) {
    return a->how <= NF_COUNT_REPEATED;
}

static nf_entity aligned_entity(const nf_aligned *a) {
    return (nf_entity){a->start, a->end, a->label, 0};
}

static int longest_first(const void *a, const void *b) {
    const nf_aligned *x = *(nf_aligned *const *)a, *y = *(nf_aligned *const *)b;
    uint32_t n = x->end - x->start, m = y->end - y->start;
    if (n != m) return n > m ? -1 : 1;
    return x < y ? -1 : x > y; /* both are of one list */
}

/* Of answers that overlap the longest stays, of equal ones the first. */
static nerfit_status align_drop_overlaps(aligner *a, nf_places *places) {
    size_t n = 0;
    nf_aligned **order = nf_arena_calloc(a->arena, a->n + 1, sizeof *order);
    if (!order) return nf_no_memory(a->err, a->n * sizeof *order);
    for (size_t i = 0; i < a->n; i++)
        if (is_placed(&a->answers[i])) order[n++] = &a->answers[i];
    if (n) qsort(order, n, sizeof *order, longest_first);
    for (size_t i = 0; i < n; i++) {
        const nf_entity e = aligned_entity(order[i]);
        if (nf_places_has(places, &e))
            order[i]->how = NF_COUNT_OVERLAP;
        else
            NF_TRY(nf_places_take(places, &e, a->err));
    }
    return NERFIT_OK;
}

/* Further places of an answer's words, unless another label's answer leaves open which one they have. */
static nerfit_status align_repeat(aligner *a, nf_places *places, nf_aligned **out, size_t *n_out) {
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++) {
        const nf_entity e = aligned_entity(&a->answers[i]);
        align_words *w = a->words[i];
        if (!is_placed(&a->answers[i])) continue;
        NF_TRY(nf_places_take(places, &e, a->err));
        w->several |= w->label >= 0 && w->label != e.type;
        w->label = e.type;
    }
    *out = nf_arena_alloc(a->arena, a->n_places * sizeof **out + 1);
    if (!*out) return nf_no_memory(a->err, a->n_places * sizeof **out);
    for (size_t i = 0; i < a->n; i++) {
        const nf_aligned *answer = &a->answers[i];
        if (!is_placed(answer) || answer->how == NF_COUNT_FUZZY || a->words[i]->several) continue;
        for (size_t p = a->first[i]; p < a->first[i + 1]; p++) {
            const nf_entity e = align_entity(a, p);
            if (nf_places_has(places, &e)) continue;
            NF_TRY(nf_places_take(places, &e, a->err));
            (*out)[n++] = (nf_aligned){answer->text, e.type, NF_COUNT_REPEATED, e.start, e.end};
        }
    }
    *n_out = n;
    return NERFIT_OK;
}

static nerfit_status align_all(aligner *a, const nf_align_options *options, nf_aligned **more,
                               size_t *n_more) {
    nf_places places; /* those taken by any label */
    for (size_t i = 0; i < a->n; i++) NF_TRY(align_answer(a, i));
    a->first[a->n] = a->n_places;
    NF_TRY(align_choose(a));
    size_t length = nf_utf8_count(a->text->text, a->text->size);
    NF_TRY(nf_places_make(&places, length, false, a->arena, a->err));
    if (!options->nested) NF_TRY(align_drop_overlaps(a, &places));
    if (options->all_occurrences) NF_TRY(align_repeat(a, &places, more, n_more));
    return NERFIT_OK;
}

nerfit_status nf_align(const nf_align_text *text, nf_aligned *answers, size_t n,
                       const nf_align_options *options, nf_aligned **more, size_t *n_more,
                       nf_arena *arena, nerfit_error *err) {
    aligner a = {.text = text, .answers = answers, .n = n, .arena = arena, .err = err};
    *more = NULL;
    *n_more = 0;
    a.first = nf_arena_calloc(arena, n + 1, sizeof *a.first);
    a.words = nf_arena_calloc(arena, n + 1, sizeof(align_words *));
    if (!a.first || !a.words) return nf_no_memory(err, n * sizeof *a.first);
    nerfit_status status = align_all(&a, options, more, n_more);
    HASH_CLEAR(hh, a.map);
    free(a.places);
    return status;
}
