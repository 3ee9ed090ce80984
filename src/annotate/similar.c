#include "annotate/similar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "data/fold.h"
#include "data/words.h"

/* A word of the examples. */
typedef struct similar_word {
    uint32_t *points;
    uint32_t index;
    size_t n_texts, last; /* examples that have it; the last one counted, plus 1 */
    UT_hash_handle hh;
} similar_word;

typedef struct similar_weight {
    uint32_t word;
    float weight;
} similar_weight;

/* A text's words with their weights, by word, of unit length. */
typedef struct similar_bag {
    similar_weight *items;
    size_t count;
} similar_bag;

typedef struct similar_words {
    nf_arena arena;
    similar_word *map;
    uint32_t count;
    size_t n_examples;
} similar_words;

/* ---------------------------------------------------------------- words */

/* Calls `see` for every word of a text, folded. */
static nerfit_status each_word(similar_words *w, const nf_document *d,
                               nerfit_status (*see)(similar_words *, uint32_t *, size_t, void *,
                                                    nerfit_error *),
                               void *user, nerfit_error *err) {
    nf_folded f;
    uint8_t *edges;
    nf_arena *arena = &w->arena;
    NF_TRY(nf_fold(&f, arena, d->text, d->text_size, err));
    NF_TRY(nf_word_edges(&edges, arena, d->text, d->text_size, err));
    for (size_t i = 0; i < f.count;) {
        size_t end = i + 1;
        if (f.points[i] == ' ') {
            i++;
            continue;
        }
        while (end < f.count && f.points[end] != ' ' && !(edges[f.from[end]] & NF_EDGE_START))
            end++;
        NF_TRY(see(w, f.points + i, end - i, user, err));
        i = end;
    }
    return NERFIT_OK;
}

static nerfit_status see_example(similar_words *w, uint32_t *points, size_t n, void *user,
                                 nerfit_error *err) {
    size_t example = *(size_t *)user;
    similar_word *word;
    HASH_FIND(hh, w->map, points, n * sizeof *points, word);
    if (!word) {
        word = nf_arena_calloc(&w->arena, 1, sizeof *word);
        if (!word) return nf_no_memory(err, sizeof *word);
        word->index = w->count++;
        HASH_ADD_KEYPTR(hh, w->map, points, n * sizeof *points, word);
        if (!word->hh.tbl) return nf_no_memory(err, sizeof *word);
    }
    if (word->last != example + 1) word->n_texts++, word->last = example + 1;
    return NERFIT_OK;
}

typedef struct bag_fill {
    similar_bag *bag;
    size_t capacity;
} bag_fill;

static nerfit_status see_word(similar_words *w, uint32_t *points, size_t n, void *user,
                              nerfit_error *err) {
    bag_fill *fill = user;
    similar_word *word;
    (void)err;
    HASH_FIND(hh, w->map, points, n * sizeof *points, word);
    if (!word || fill->bag->count == fill->capacity) return NERFIT_OK;
    float idf = logf((float)(w->n_examples + 1) / (float)word->n_texts);
    fill->bag->items[fill->bag->count++] = (similar_weight){word->index, idf};
    return NERFIT_OK;
}

static int by_word(const void *a, const void *b) {
    const similar_weight *x = a, *y = b;
    return x->word < y->word ? -1 : x->word > y->word;
}

static nerfit_status make_bag(similar_words *w, const nf_document *d, similar_bag *out,
                              nerfit_error *err) {
    bag_fill fill = {out, d->length};
    out->items = nf_arena_calloc(&w->arena, (size_t)d->length + 1, sizeof *out->items);
    if (!out->items) return nf_no_memory(err, d->length);
    NF_TRY(each_word(w, d, see_word, &fill, err));
    if (out->count) qsort(out->items, out->count, sizeof *out->items, by_word);
    size_t kept = 0;
    double norm = 0;
    for (size_t i = 0; i < out->count; i++) {
        if (kept && out->items[kept - 1].word == out->items[i].word)
            out->items[kept - 1].weight += out->items[i].weight;
        else
            out->items[kept++] = out->items[i];
    }
    out->count = kept;
    for (size_t i = 0; i < kept; i++) norm += (double)out->items[i].weight * out->items[i].weight;
    for (size_t i = 0; i < kept && norm > 0; i++) out->items[i].weight /= (float)sqrt(norm);
    return NERFIT_OK;
}

static double bag_cosine(const similar_bag *a, const similar_bag *b) {
    double sum = 0;
    for (size_t i = 0, k = 0; i < a->count && k < b->count;) {
        if (a->items[i].word == b->items[k].word)
            sum += (double)a->items[i++].weight * b->items[k++].weight;
        else if (a->items[i].word < b->items[k].word)
            i++;
        else
            k++;
    }
    return sum;
}

/* ---------------------------------------------------------------- choosing */

typedef struct similar_best {
    uint32_t *of; /* [shots] the most like first */
    double *scores;
    size_t count, most;
} similar_best;

static void best_see(similar_best *b, uint32_t example, double score) {
    size_t at = b->count < b->most ? b->count++ : b->most;
    while (at > 0 && b->scores[at - 1] < score) {
        if (at < b->most) b->of[at] = b->of[at - 1], b->scores[at] = b->scores[at - 1];
        at--;
    }
    if (at < b->most) b->of[at] = example, b->scores[at] = score;
}

static bool same_text(const nf_document *a, const nf_document *b) {
    return a->text_size == b->text_size && memcmp(a->text, b->text, a->text_size) == 0;
}

double nf_unit_cosine(const float *a, const float *b, size_t size) {
    double sum = 0;
    for (size_t i = 0; i < size; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static double vector_cosine(const nf_similar *s, size_t text, size_t example) {
    return nf_unit_cosine(s->text_vectors + text * s->size, s->example_vectors + example * s->size,
                          s->size);
}

/* One text's examples; bag and bags NULL: by vectors. */
static void choose_of(const nf_similar *s, size_t text, const similar_bag *bag,
                      const similar_bag *bags, similar_best *best, uint32_t *shown, size_t shots) {
    uint32_t empty = UINT32_MAX;
    double empty_score = -2;
    best->count = 0;
    for (size_t e = 0; e < s->examples->n_documents; e++) {
        const nf_document *d = &s->examples->documents[e];
        if (same_text(d, &s->texts->documents[text])) continue;
        double score = bags ? bag_cosine(bag, &bags[e]) : vector_cosine(s, text, e);
        best_see(best, (uint32_t)e, score);
        if (d->n_spans == 0 && score > empty_score) empty = (uint32_t)e, empty_score = score;
    }
    bool has_empty = false;
    for (size_t i = 0; i < best->count; i++)
        has_empty |= s->examples->documents[best->of[i]].n_spans == 0;
    if (shots > 1 && best->count == shots && !has_empty && empty != UINT32_MAX)
        best->of[shots - 1] = empty;
    for (size_t i = 0; i < shots; i++)
        shown[i] =
            i < best->count ? best->of[best->count - 1 - i] : (uint32_t)s->examples->n_documents;
}

static nerfit_status choose_all(const nf_similar *s, similar_words *w, size_t shots,
                                uint32_t *shown, nerfit_error *err) {
    size_t n = s->examples->n_documents;
    similar_bag *bags = NULL;
    similar_best best = {nf_arena_calloc(&w->arena, shots + 1, sizeof(uint32_t)),
                         nf_arena_calloc(&w->arena, shots + 1, sizeof(double)), 0, shots};
    if (!best.of || !best.scores) return nf_no_memory(err, shots);
    w->n_examples = n;
    if (!s->example_vectors) {
        bags = nf_arena_calloc(&w->arena, n + 1, sizeof *bags);
        if (!bags) return nf_no_memory(err, n * sizeof *bags);
        for (size_t e = 0; e < n; e++)
            NF_TRY(each_word(w, &s->examples->documents[e], see_example, &e, err));
        for (size_t e = 0; e < n; e++)
            NF_TRY(make_bag(w, &s->examples->documents[e], &bags[e], err));
    }
    for (size_t t = 0; t < s->texts->n_documents; t++) {
        similar_bag bag = {0};
        nf_arena kept = w->arena; /* what a text needs goes with it */
        w->arena = (nf_arena){0};
        nerfit_status status = bags ? make_bag(w, &s->texts->documents[t], &bag, err) : NERFIT_OK;
        if (status == NERFIT_OK) choose_of(s, t, &bag, bags, &best, shown + t * shots, shots);
        nf_arena_free(&w->arena);
        w->arena = kept;
        if (status != NERFIT_OK) return status;
    }
    return NERFIT_OK;
}

nerfit_status nf_similar_choose(const nf_similar *s, size_t shots, uint32_t *shown,
                                nerfit_error *err) {
    similar_words words = {0};
    nerfit_status status = choose_all(s, &words, shots, shown, err);
    HASH_CLEAR(hh, words.map);
    nf_arena_free(&words.arena);
    return status;
}
