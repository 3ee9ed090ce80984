#include "data/selection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/hash.h"
#include "base/number.h"
#include "base/rng.h"
#include "data/annotations.h"

/* What the random numbers of a seed are used for. */
enum { STREAM_SAMPLE = 101, STREAM_SPLIT = 102 };

/* ---------------------------------------------------------------- amounts */

nerfit_status nf_amount_parse(nf_amount *amount, const char *text, const char *what,
                              nerfit_error *err) {
    char *end = NULL;
    if (strcmp(text, "rest") == 0) {
        *amount = (nf_amount){NF_AMOUNT_REST, 0};
        return NERFIT_OK;
    }
    double value = nf_ascii_is_digit(text[0]) || text[0] == '.' ? nf_number_read(text, &end) : -1;
    bool percent = end && strcmp(end, "%") == 0, fraction = !percent && strchr(text, '.');
    bool whole = end && (*end == '\0' || percent) && strcspn(text, "xXeE") == strlen(text);
    if (whole && percent) value /= 100;
    *amount = (nf_amount){percent || fraction ? NF_AMOUNT_SHARE : NF_AMOUNT_COUNT, value};
    if (whole && value <= (amount->kind == NF_AMOUNT_SHARE ? 1.0 : 4e9)) return NERFIT_OK;
    return nf_fail(err, NERFIT_ARGUMENT,
                   "%s: \"%s\" is not a number of texts (120), a share (0.8, 80%%) or rest", what,
                   text);
}

/* ---------------------------------------------------------------- mentions by type */

/* The type of every span, as an index into corpus->labels, document after document. */
typedef struct mentions {
    nf_arena arena;
    size_t *first;  /* [n_documents + 1] */
    uint32_t *type; /* [n_spans] */
} mentions;

typedef struct numbered_label {
    const char *label;
    uint32_t index;
} numbered_label;

static int by_pointer(const void *a, const void *b) {
    uintptr_t x = (uintptr_t)((const numbered_label *)a)->label;
    uintptr_t y = (uintptr_t)((const numbered_label *)b)->label;
    return (x > y) - (x < y);
}

static nerfit_status find_mentions(mentions *out, const nf_corpus *corpus, nerfit_error *err) {
    numbered_label *labels = nf_arena_calloc(&out->arena, corpus->n_labels + 1, sizeof *labels);
    out->first = nf_arena_calloc(&out->arena, corpus->n_documents + 1, sizeof *out->first);
    out->type = nf_arena_calloc(&out->arena, corpus->n_spans + 1, sizeof *out->type);
    if (!labels || !out->first || !out->type) return nf_no_memory(err, corpus->n_spans);
    for (size_t i = 0; i < corpus->n_labels; i++)
        labels[i] = (numbered_label){corpus->labels[i], (uint32_t)i};
    qsort(labels, corpus->n_labels, sizeof *labels, by_pointer);
    size_t n = 0;
    for (size_t d = 0; d < corpus->n_documents; d++) {
        for (size_t s = 0; s < corpus->documents[d].n_spans; s++) {
            numbered_label key = {corpus->documents[d].spans[s].label, 0};
            const numbered_label *found =
                bsearch(&key, labels, corpus->n_labels, sizeof *labels, by_pointer);
            out->type[n++] = found->index;
        }
        out->first[d + 1] = n;
    }
    return NERFIT_OK;
}

static nerfit_status random_order(uint32_t **order, nf_arena *arena, size_t count, uint64_t seed,
                                  uint64_t stream, nf_rng *rng, nerfit_error *err) {
    *order = nf_arena_calloc(arena, count + 1, sizeof **order);
    if (!*order) return nf_no_memory(err, count * sizeof **order);
    for (size_t i = 0; i < count; i++) (*order)[i] = (uint32_t)i;
    *rng = nf_rng_new(seed, stream);
    nf_rng_shuffle(rng, *order, count);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- k-shot samples */

typedef struct sampler {
    const nf_corpus *corpus;
    mentions m;
    size_t k, *counts; /* [n_labels] mentions in the sample */
    uint32_t *order;
    bool *taken;             /* [n_documents] */
    size_t n_taken, missing; /* texts; texts without an entity that are not there */
} sampler;

/* Takes the document if it brings a type that has fewer than k, and (with a cap) leaves all its
 * types at 2k or less. */
static void consider(sampler *s, uint32_t d, bool capped) {
    bool wanted = false, past = false;
    size_t from = s->m.first[d], to = s->m.first[d + 1];
    for (size_t i = from; i < to; i++) wanted |= s->counts[s->m.type[i]] < s->k;
    for (size_t i = from; i < to; i++) s->counts[s->m.type[i]]++;
    for (size_t i = from; i < to; i++) past |= s->counts[s->m.type[i]] > 2 * s->k;
    if (wanted && !(capped && past)) {
        s->taken[d] = true;
        s->n_taken++;
        return;
    }
    for (size_t i = from; i < to; i++) s->counts[s->m.type[i]]--;
}

static void take_negatives(sampler *s, const nf_amount *amount) {
    size_t wanted = (size_t)amount->value;
    if (amount->kind == NF_AMOUNT_SHARE) { /* of the whole: n / (positives + n) */
        double share = amount->value < 1 ? amount->value / (1 - amount->value) : INFINITY;
        double n = round(share * (double)s->n_taken);
        wanted = n < (double)s->corpus->n_documents ? (size_t)n : s->corpus->n_documents;
    }
    if (amount->kind == NF_AMOUNT_REST) wanted = s->corpus->n_documents;
    for (size_t i = 0; i < s->corpus->n_documents && wanted > 0; i++) {
        uint32_t d = s->order[i];
        if (s->corpus->documents[d].n_spans) continue;
        s->taken[d] = true;
        wanted--;
    }
    if (amount->kind != NF_AMOUNT_REST) s->missing = wanted;
}

static nerfit_status sample(sampler *s, const nf_sample_options *options, nerfit_error *err) {
    const nf_corpus *corpus = s->corpus;
    nf_rng rng;
    NF_TRY(find_mentions(&s->m, corpus, err));
    NF_TRY(random_order(&s->order, &s->m.arena, corpus->n_documents, options->seed, STREAM_SAMPLE,
                        &rng, err));
    s->counts = nf_arena_calloc(&s->m.arena, corpus->n_labels + 1, sizeof *s->counts);
    s->taken = nf_arena_calloc(&s->m.arena, corpus->n_documents + 1, sizeof *s->taken);
    if (!s->counts || !s->taken) return nf_no_memory(err, corpus->n_documents);
    for (int capped = 1; capped >= 0; capped--)
        for (size_t i = 0; i < corpus->n_documents; i++)
            if (!s->taken[s->order[i]]) consider(s, s->order[i], capped);
    take_negatives(s, &options->negatives);
    return NERFIT_OK;
}

nerfit_status nf_sample(const nf_corpus *corpus, const nf_sample_options *options, uint32_t *chosen,
                        size_t *count, nf_shortage *shortage, nerfit_error *err) {
    if (options->k == 0)
        return nf_fail(err, NERFIT_ARGUMENT, "k: 0 is not a number of mentions from 1 on");
    sampler s = {.corpus = corpus, .k = options->k};
    nerfit_status status = sample(&s, options, err);
    *count = 0;
    if (shortage) *shortage = (nf_shortage){.negatives = s.missing};
    for (size_t i = 0; i < corpus->n_documents && status == NERFIT_OK; i++)
        if (s.taken[i]) chosen[(*count)++] = (uint32_t)i;
    for (size_t i = 0; i < corpus->n_labels && status == NERFIT_OK && shortage; i++)
        shortage->types += s.counts[i] < s.k;
    nf_arena_free(&s.m.arena);
    return status;
}

/* ---------------------------------------------------------------- splits */

/* Texts that are equal, as one. */
typedef struct splitter {
    const nf_corpus *corpus;
    mentions m;
    size_t n_parts;      /* and one more, for the texts that no part asked for */
    uint32_t *same_as;   /* [n_documents] */
    uint32_t *unit_size; /* [n_documents] texts equal to it; 0 if it is not the first */
    uint32_t *order, *part_of;
    double *room;     /* [n_parts + 1] texts that may still come */
    double *wish;     /* [n_parts + 1, n_labels] texts with the type that may still come */
    size_t *unplaced; /* [n_labels] texts with the type that have no part yet */
    uint32_t *seen;   /* [n_labels] the document at which the type was seen last, plus 1 */
    nf_rng rng;
} splitter;

/* Shares are rounded at their sums, so that they add up. */
static nerfit_status make_room(splitter *s, const nf_amount *sizes, nerfit_error *err) {
    double all = (double)s->corpus->n_documents, sum = 0, shares = 0, texts, at = 0;
    size_t n_rest = 0;
    for (size_t j = 0; j < s->n_parts; j++) {
        n_rest += sizes[j].kind == NF_AMOUNT_REST;
        sum += sizes[j].kind == NF_AMOUNT_SHARE ? sizes[j].value * all : sizes[j].value;
        shares += sizes[j].kind == NF_AMOUNT_SHARE ? sizes[j].value : 0;
    }
    if (n_rest > 1)
        return nf_fail(err, NERFIT_ARGUMENT, "sizes: \"rest\" is there %zu times", n_rest);
    if (shares > 1 + 1e-6)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "sizes: the shares add up to %.4g %%; expected at most 100 %%",
                       100 * shares);
    if (sum > all + 1e-6 * all)
        return nf_fail(err, NERFIT_ARGUMENT, "sizes: %.0f texts are wanted of %.0f", sum, all);
    for (size_t j = 0; j < s->n_parts; j++) {
        texts = sizes[j].kind == NF_AMOUNT_SHARE ? sizes[j].value * all : sizes[j].value;
        if (sizes[j].kind == NF_AMOUNT_REST) texts = all - sum;
        s->room[j] = round(at + texts) - round(at);
        at += texts;
    }
    s->room[s->n_parts] = all - round(at);
    return NERFIT_OK;
}

/* Whether the document's span i is the first of its type there. */
static bool first_of_type(splitter *s, size_t d, size_t i) {
    uint32_t *seen = &s->seen[s->m.type[i]];
    if (*seen == d + 1) return false;
    *seen = (uint32_t)d + 1;
    return true;
}

/* The part that wants a text with the type most; without a type, the one with the most room. Ties
 * by chance. */
static size_t best_part(splitter *s, uint32_t unit, const uint32_t *type) {
    size_t best = SIZE_MAX, n_labels = s->corpus->n_labels;
    uint32_t ties = 1;
    bool fits = false; /* whether a part has room for all of the unit */
    for (size_t j = 0; j <= s->n_parts; j++) fits |= s->room[j] >= s->unit_size[unit];
    for (size_t j = 0; j <= s->n_parts; j++) {
        if (s->room[j] < (fits ? s->unit_size[unit] : 1)) continue;
        if (best == SIZE_MAX) {
            best = j;
            continue;
        }
        double more = type ? s->wish[j * n_labels + *type] - s->wish[best * n_labels + *type] : 0;
        if (fabs(more) < 1e-9) more = s->room[j] - s->room[best];
        if (fabs(more) < 1e-9)
            more = nf_rng_below(&s->rng, ++ties) == 0 ? 1 : -1;
        else
            ties = 1;
        if (more > 0) best = j;
    }
    return best;
}

static void place(splitter *s, uint32_t unit, const uint32_t *type) {
    size_t part = best_part(s, unit, type), n_labels = s->corpus->n_labels;
    s->part_of[unit] = (uint32_t)part;
    s->room[part] -= s->unit_size[unit];
    memset(s->seen, 0, n_labels * sizeof *s->seen);
    for (size_t i = s->m.first[unit]; i < s->m.first[unit + 1]; i++)
        if (first_of_type(s, unit, i)) {
            s->wish[part * n_labels + s->m.type[i]] -= 1;
            s->unplaced[s->m.type[i]]--;
        }
}

static bool has_type(const splitter *s, uint32_t d, uint32_t type) {
    for (size_t i = s->m.first[d]; i < s->m.first[d + 1]; i++)
        if (s->m.type[i] == type) return true;
    return false;
}

enum { NO_PART = UINT32_MAX };

static void place_all(splitter *s) {
    const nf_corpus *corpus = s->corpus;
    for (;;) {
        uint32_t rarest = UINT32_MAX;
        for (uint32_t l = 0; l < corpus->n_labels; l++)
            if (s->unplaced[l] && (rarest == UINT32_MAX || s->unplaced[l] < s->unplaced[rarest]))
                rarest = l;
        for (size_t i = 0; i < corpus->n_documents; i++) {
            uint32_t d = s->order[i];
            if (!s->unit_size[d] || s->part_of[d] != NO_PART) continue;
            if (rarest == UINT32_MAX)
                place(s, d, NULL);
            else if (has_type(s, d, rarest))
                place(s, d, &rarest);
        }
        if (rarest == UINT32_MAX) break;
    }
    for (size_t d = 0; d < corpus->n_documents; d++) s->part_of[d] = s->part_of[s->same_as[d]];
}

static nerfit_status prepare(splitter *s, const nf_amount *sizes, uint64_t seed,
                             nerfit_error *err) {
    const nf_corpus *corpus = s->corpus;
    size_t n = corpus->n_documents, n_labels = corpus->n_labels;
    nf_arena *arena = &s->m.arena;
    NF_TRY(find_mentions(&s->m, corpus, err));
    NF_TRY(random_order(&s->order, arena, n, seed, STREAM_SPLIT, &s->rng, err));
    s->same_as = nf_arena_calloc(arena, n + 1, sizeof *s->same_as);
    s->unit_size = nf_arena_calloc(arena, n + 1, sizeof *s->unit_size);
    s->room = nf_arena_calloc(arena, s->n_parts + 1, sizeof *s->room);
    s->wish = nf_arena_calloc(arena, (s->n_parts + 1) * (n_labels + 1), sizeof *s->wish);
    s->unplaced = nf_arena_calloc(arena, n_labels + 1, sizeof *s->unplaced);
    s->seen = nf_arena_calloc(arena, n_labels + 1, sizeof *s->seen);
    if (!s->same_as || !s->unit_size || !s->room || !s->wish || !s->unplaced || !s->seen)
        return nf_no_memory(err, n);
    NF_TRY(make_room(s, sizes, err));
    NF_TRY(nf_texts_same_as(&corpus, 1, s->same_as, err));
    for (size_t d = 0; d < n; d++) {
        s->part_of[d] = NO_PART;
        if (s->unit_size[s->same_as[d]]++) continue; /* a type counts once for equal texts */
        for (size_t i = s->m.first[d]; i < s->m.first[d + 1]; i++)
            s->unplaced[s->m.type[i]] += first_of_type(s, d, i);
    }
    for (size_t j = 0; j <= s->n_parts; j++)
        for (size_t l = 0; l < n_labels; l++)
            s->wish[j * n_labels + l] = s->room[j] / (double)(n ? n : 1) * (double)s->unplaced[l];
    return NERFIT_OK;
}

nerfit_status nf_split(const nf_corpus *corpus, const nf_amount *sizes, size_t n_parts,
                       uint64_t seed, uint32_t *part_of, nerfit_error *err) {
    splitter s = {.corpus = corpus, .n_parts = n_parts, .part_of = part_of};
    nerfit_status status = prepare(&s, sizes, seed, err);
    if (status == NERFIT_OK) place_all(&s);
    nf_arena_free(&s.m.arena);
    return status;
}

/* ---------------------------------------------------------------- taking and comparing */

nerfit_status nf_corpus_copy(nf_corpus *out, const nf_document *d, nerfit_error *err) {
    nf_arena arena = {0};
    nf_given_span *spans = nf_arena_calloc(&arena, d->n_spans + 1, sizeof *spans);
    nerfit_status status = spans ? NERFIT_OK : nf_no_memory(err, d->n_spans);
    for (size_t i = 0; i < d->n_spans && spans; i++)
        spans[i] = (nf_given_span){.start = d->spans[i].start,
                                   .end = d->spans[i].end,
                                   .label = d->spans[i].label,
                                   .label_size = strlen(d->spans[i].label),
                                   .beside = d->spans[i].beside};
    nf_given_document given = {.text = d->text,
                               .text_size = d->text_size,
                               .spans = spans,
                               .n_spans = d->n_spans,
                               .words = d->words,
                               .n_words = d->n_words,
                               .beside = d->beside,
                               .file = d->file,
                               .line = d->line};
    static const nf_annotation_options kept = {.overlap = NF_OVERLAP_KEEP_ALL};
    if (status == NERFIT_OK) status = nf_corpus_add_with(out, &given, &kept, err);
    nf_arena_free(&arena);
    return status;
}

nerfit_status nf_corpus_take(nf_corpus *out, const nf_corpus *from, const uint32_t *chosen,
                             size_t count, nerfit_error *err) {
    for (size_t i = 0; i < from->n_labels; i++)
        if (!nf_corpus_label(out, from->labels[i], strlen(from->labels[i])))
            return nf_no_memory(err, strlen(from->labels[i]));
    for (size_t i = 0; i < count; i++)
        NF_TRY(nf_corpus_copy(out, &from->documents[chosen[i]], err));
    return NERFIT_OK;
}

typedef struct known_text {
    UT_hash_handle hh;
    uint32_t number;
} known_text;

nerfit_status nf_texts_same_as(const nf_corpus *const *corpora, size_t n_corpora, uint32_t *same_as,
                               nerfit_error *err) {
    nf_arena arena = {0};
    known_text *map = NULL;
    nerfit_status status = NERFIT_OK;
    uint32_t number = 0;
    for (size_t c = 0; c < n_corpora && status == NERFIT_OK; c++)
        for (size_t i = 0; i < corpora[c]->n_documents && status == NERFIT_OK; i++, number++) {
            const nf_document *d = &corpora[c]->documents[i];
            known_text *known;
            HASH_FIND(hh, map, d->text, d->text_size, known);
            same_as[number] = known ? known->number : number;
            if (known) continue;
            known = nf_arena_calloc(&arena, 1, sizeof *known);
            if (known) {
                known->number = number;
                HASH_ADD_KEYPTR(hh, map, d->text, d->text_size, known);
            }
            if (!known || !known->hh.tbl) status = nf_no_memory(err, sizeof *known);
        }
    HASH_CLEAR(hh, map);
    nf_arena_free(&arena);
    return status;
}
