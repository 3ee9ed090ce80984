#include "annotate/align.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/utf8.h"

enum { MOST_PLACES = 64 /* of one answer that are looked at */ };

/* A place where an answer may stand. */
typedef struct align_place {
    uint32_t start, end; /* code points */
    nf_annotate_count how;
    uint32_t answer;
} align_place;

typedef struct aligner {
    const nf_align_text *text;
    nf_aligned *answers;
    size_t n;
    nf_arena *arena;
    align_place *places; /* by answer, then by start */
    size_t n_places, capacity;
    size_t *first; /* [n + 1] of each answer */
    nerfit_error *err;
} aligner;

nerfit_status nf_align_text_make(nf_align_text *out, const char *text, size_t size, nf_arena *arena,
                                 nerfit_error *err) {
    *out = (nf_align_text){.text = text, .size = size};
    NF_TRY(nf_fold(&out->folded, arena, text, size, err));
    NF_TRY(nf_word_edges(&out->edges, arena, text, size, err));
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
    size_t from = nf_utf8_offset(t->text, t->size, start);
    size_t to = nf_utf8_offset(t->text, t->size, end), size = strlen(answer);
    return to - from == size && memcmp(t->text + from, answer, size) == 0;
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

/* Places of one answer, by the first step that finds some; else why it is dropped. */
static nerfit_status align_answer(aligner *a, size_t index) {
    nf_aligned *answer = &a->answers[index];
    nf_folded what;
    bool inside = false;
    a->first[index] = a->n_places;
    answer->how = NF_COUNT_EMPTY;
    NF_TRY(nf_fold_trimmed(&what, a->arena, answer->text, strlen(answer->text), a->err));
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

/* Whether an answer of the same label has this place. */
static bool align_is_used(const aligner *a, const size_t *taken, size_t place) {
    const align_place *p = &a->places[place];
    for (size_t i = 0; i < a->n; i++) {
        if (taken[i] == SIZE_MAX || a->answers[i].label != a->answers[p->answer].label) continue;
        const align_place *q = &a->places[taken[i]];
        if (q->start == p->start && q->end == p->end) return true;
    }
    return false;
}

static nerfit_status align_choose(aligner *a) {
    size_t *taken = nf_arena_calloc(a->arena, a->n + 1, sizeof *taken);
    if (!taken) return nf_no_memory(a->err, a->n * sizeof *taken);
    for (size_t i = 0; i < a->n; i++) taken[i] = SIZE_MAX;
    if (a->n_places <= 4000) NF_TRY(align_chain(a, taken));
    for (size_t i = 0; i < a->n; i++) {
        size_t end = i + 1 < a->n ? a->first[i + 1] : a->n_places;
        for (size_t p = a->first[i]; p < end && taken[i] == SIZE_MAX; p++)
            if (!align_is_used(a, taken, p)) taken[i] = p;
        if (taken[i] == SIZE_MAX) {
            if (end > a->first[i]) a->answers[i].how = NF_COUNT_AGAIN;
            continue;
        }
        const align_place *place = &a->places[taken[i]];
        a->answers[i].how = place->how;
        a->answers[i].start = place->start;
        a->answers[i].end = place->end;
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- overlaps, more places */

static bool is_placed(const nf_aligned *a) {
    return a->how <= NF_COUNT_REPEATED;
}

static bool overlaps(const nf_aligned *a, const nf_aligned *b) {
    return is_placed(a) && is_placed(b) && a->start < b->end && b->start < a->end;
}

/* Of two that overlap the longer stays, of equal ones the first. */
static void align_drop_overlaps(nf_aligned *answers, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i && is_placed(&answers[i]); k++) {
            if (!overlaps(&answers[i], &answers[k])) continue;
            bool longer = answers[i].end - answers[i].start > answers[k].end - answers[k].start;
            answers[longer ? k : i].how = NF_COUNT_OVERLAP;
        }
}

/* Whether an equal answer of another label leaves open which one a place has. */
static bool align_is_ambiguous(const aligner *a, const nf_folded *words, size_t answer) {
    nf_folded other;
    for (size_t i = 0; i < a->n; i++) {
        const nf_aligned *o = &a->answers[i];
        if (o->label == a->answers[answer].label || !is_placed(o)) continue;
        if (nf_fold_trimmed(&other, a->arena, o->text, strlen(o->text), NULL) != NERFIT_OK)
            return true;
        if (other.count == words->count &&
            memcmp(other.points, words->points, other.count * sizeof *other.points) == 0)
            return true;
    }
    return false;
}

static bool free_place(const aligner *a, const nf_aligned *more, size_t n_more,
                       const nf_aligned *at) {
    for (size_t i = 0; i < a->n; i++)
        if (overlaps(&a->answers[i], at)) return false;
    for (size_t i = 0; i < n_more; i++)
        if (overlaps(&more[i], at)) return false;
    return true;
}

static nerfit_status align_repeat(aligner *a, nf_aligned **out, size_t *n_out) {
    nf_aligned *more = NULL;
    size_t n = 0, capacity = 0;
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < a->n && status == NERFIT_OK; i++) {
        size_t end = i + 1 < a->n ? a->first[i + 1] : a->n_places;
        nf_folded words;
        if (!is_placed(&a->answers[i]) || a->answers[i].how == NF_COUNT_FUZZY) continue;
        status = nf_fold_trimmed(&words, a->arena, a->answers[i].text, strlen(a->answers[i].text),
                                 a->err);
        if (status != NERFIT_OK || align_is_ambiguous(a, &words, i)) continue;
        for (size_t p = a->first[i]; p < end && status == NERFIT_OK; p++) {
            nf_aligned at = {a->answers[i].text, a->answers[i].label, NF_COUNT_REPEATED,
                             a->places[p].start, a->places[p].end};
            if (!free_place(a, more, n, &at)) continue;
            if (!nf_array_reserve(&more, &capacity, n + 1, sizeof *more))
                status = nf_no_memory(a->err, n * sizeof *more);
            else
                more[n++] = at;
        }
    }
    *out = nf_arena_alloc(a->arena, n * sizeof **out + 1);
    if (status == NERFIT_OK && !*out) status = nf_no_memory(a->err, n * sizeof **out);
    if (status == NERFIT_OK && n) memcpy(*out, more, n * sizeof **out);
    *n_out = n;
    free(more);
    return status;
}

nerfit_status nf_align(const nf_align_text *text, nf_aligned *answers, size_t n,
                       const nf_align_options *options, nf_aligned **more, size_t *n_more,
                       nf_arena *arena, nerfit_error *err) {
    aligner a = {.text = text, .answers = answers, .n = n, .arena = arena, .err = err};
    *more = NULL;
    *n_more = 0;
    a.first = nf_arena_calloc(arena, n + 1, sizeof *a.first);
    if (!a.first) return nf_no_memory(err, n * sizeof *a.first);
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < n && status == NERFIT_OK; i++) status = align_answer(&a, i);
    if (status == NERFIT_OK) status = align_choose(&a);
    if (status == NERFIT_OK && !options->nested) align_drop_overlaps(answers, n);
    if (status == NERFIT_OK && options->all_occurrences) status = align_repeat(&a, more, n_more);
    free(a.places);
    return status;
}
