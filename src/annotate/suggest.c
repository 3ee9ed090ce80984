#include "annotate/suggest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "annotate/similar.h"
#include "base/hash.h"
#include "data/fold.h"

static const double TOO_LIKE = 0.97;

/* Letters and digits of a text. */
typedef struct suggest_key {
    uint32_t *points;
    size_t count;
    UT_hash_handle hh;
} suggest_key;

typedef struct suggester {
    const nf_suggest_job *job;
    nf_arena arena;
    suggest_key *keys;    /* of known and chosen texts */
    suggest_key *own;     /* [texts] */
    double *uncertainty;  /* [texts] as ranks */
    double *disagreement; /* [texts] as ranks */
    double *near;         /* [texts] greatest cosine with a known or chosen text */
    double *mentions;     /* [labels] of known and chosen texts */
    double *best;         /* [labels] scratch */
    bool *out;            /* [texts] chosen, or too like */
    double most_rarity;
} suggester;

/* ---------------------------------------------------------------- what is there already */

static nerfit_status key_of(suggester *s, const nf_document *d, suggest_key *out,
                            nerfit_error *err) {
    nf_folded f;
    NF_TRY(nf_fold(&f, &s->arena, d->text, d->text_size, err));
    size_t kept = 0;
    for (size_t i = 0; i < f.count; i++) {
        uint32_t c = f.points[i];
        bool mark = c < 128 && !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'));
        if (!mark) f.points[kept++] = c;
    }
    *out = (suggest_key){.points = f.points, .count = kept};
    return NERFIT_OK;
}

static bool key_is_known(const suggester *s, const suggest_key *key) {
    suggest_key *known;
    HASH_FIND(hh, s->keys, key->points, key->count * sizeof *key->points, known);
    return known != NULL;
}

static nerfit_status key_add(suggester *s, suggest_key *key, nerfit_error *err) {
    if (key_is_known(s, key)) return NERFIT_OK;
    HASH_ADD_KEYPTR(hh, s->keys, key->points, key->count * sizeof *key->points, key);
    return key->hh.tbl ? NERFIT_OK : nf_no_memory(err, sizeof *key);
}

/* A text that is known or chosen now brings its neighbours nearer. */
static void suggest_approach(suggester *s, const float *vector) {
    const nf_suggest_job *job = s->job;
    for (size_t i = 0; i < job->texts->n_documents && job->vectors; i++) {
        double c = nf_unit_cosine(vector, job->vectors + i * job->size, job->size);
        if (c > s->near[i]) s->near[i] = c;
        if (c > TOO_LIKE) s->out[i] = true;
    }
}

/* ---------------------------------------------------------------- ranks */

typedef struct ranked {
    double value;
    size_t index;
} ranked;

static int by_value(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Equal values have the same rank, the mean of theirs. */
static nerfit_status to_ranks(suggester *s, double *values, size_t n, nerfit_error *err) {
    ranked *list = nf_arena_calloc(&s->arena, n + 1, sizeof *list);
    if (!list) return nf_no_memory(err, n * sizeof *list);
    for (size_t i = 0; i < n; i++) list[i] = (ranked){values[i], i};
    if (n) qsort(list, n, sizeof *list, by_value);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && list[end].value == list[i].value; end++) {
        }
        double rank = n > 1 ? 0.5 * (double)(i + end - 1) / (double)(n - 1) : 1;
        for (size_t k = i; k < end; k++) values[list[k].index] = rank;
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- choosing */

static double suggest_rarity(suggester *s, size_t text) {
    const nf_suggest_text *seen = &s->job->seen[text];
    double sum = 0;
    for (size_t i = 0; i < seen->n_entities; i++) s->best[seen->entities[i].type] = 0;
    for (size_t i = 0; i < seen->n_entities; i++) {
        double *best = &s->best[seen->entities[i].type], score = seen->entities[i].score;
        if (score <= *best) continue;
        sum += (score - *best) / (1 + s->mentions[seen->entities[i].type]);
        *best = score;
    }
    return sum;
}

static nf_suggestion suggest_weigh(suggester *s, size_t text) {
    double rarity = s->most_rarity > 0 ? suggest_rarity(s, text) / s->most_rarity : 0;
    double gain = s->uncertainty[text] + rarity;
    if (s->job->seen[text].disagreement >= 0) gain += s->disagreement[text];
    if (s->job->vectors) gain *= 1 - (s->near[text] > 0 ? s->near[text] : 0);
    return (nf_suggestion){(uint32_t)text, gain, s->uncertainty[text], rarity};
}

static nerfit_status suggest_take(suggester *s, size_t text, nerfit_error *err) {
    const nf_suggest_text *seen = &s->job->seen[text];
    s->out[text] = true;
    for (size_t i = 0; i < seen->n_entities; i++)
        s->mentions[seen->entities[i].type] += seen->entities[i].score;
    if (s->job->vectors) suggest_approach(s, s->job->vectors + text * s->job->size);
    return key_add(s, &s->own[text], err);
}

static nerfit_status suggest_begin(suggester *s, nerfit_error *err) {
    const nf_suggest_job *job = s->job;
    size_t n = job->texts->n_documents, n_known = job->known ? job->known->n_documents : 0;
    s->own = nf_arena_calloc(&s->arena, n + n_known + 1, sizeof *s->own);
    s->uncertainty = nf_arena_calloc(&s->arena, 3 * n + 1, sizeof *s->uncertainty);
    s->mentions = nf_arena_calloc(&s->arena, 2 * job->n_labels + 1, sizeof *s->mentions);
    s->out = nf_arena_calloc(&s->arena, n + 1, sizeof *s->out);
    if (!s->own || !s->uncertainty || !s->mentions || !s->out)
        return nf_no_memory(err, n * sizeof *s->own);
    s->disagreement = s->uncertainty + n;
    s->near = s->uncertainty + 2 * n;
    s->best = s->mentions + job->n_labels;
    for (size_t l = 0; l < job->n_labels; l++)
        s->mentions[l] = job->known_mentions ? (double)job->known_mentions[l] : 0;
    for (size_t i = 0; i < n; i++) {
        const nf_suggest_text *t = &job->seen[i];
        s->uncertainty[i] = t->n_words ? t->entropy / sqrt((double)t->n_words) : 0;
        s->disagreement[i] = t->disagreement;
        s->out[i] = t->n_words == 0; /* nothing to annotate */
        NF_TRY(key_of(s, &job->texts->documents[i], &s->own[i], err));
    }
    NF_TRY(to_ranks(s, s->uncertainty, n, err));
    NF_TRY(to_ranks(s, s->disagreement, n, err));
    for (size_t i = 0; i < n_known; i++) {
        NF_TRY(key_of(s, &job->known->documents[i], &s->own[n + i], err));
        NF_TRY(key_add(s, &s->own[n + i], err));
        if (job->known_vectors) suggest_approach(s, job->known_vectors + i * job->size);
    }
    for (size_t i = 0; i < n; i++) {
        double rarity = suggest_rarity(s, i);
        if (rarity > s->most_rarity) s->most_rarity = rarity;
    }
    return NERFIT_OK;
}

static nerfit_status suggest_all(suggester *s, nf_suggestion *out, size_t *count,
                                 nerfit_error *err) {
    const nf_suggest_job *job = s->job;
    size_t n = job->texts->n_documents, words = 0;
    NF_TRY(suggest_begin(s, err));
    while (!job->most_texts || *count < job->most_texts) {
        nf_suggestion best = {.gain = -1};
        for (size_t i = 0; i < n; i++) {
            bool fits = !job->most_words || words + job->seen[i].n_words <= job->most_words;
            if (s->out[i] || !fits) continue;
            if (key_is_known(s, &s->own[i])) {
                s->out[i] = true;
                continue;
            }
            nf_suggestion at = suggest_weigh(s, i);
            if (at.gain > best.gain) best = at;
        }
        if (best.gain < 0) break;
        words += job->seen[best.text].n_words;
        out[(*count)++] = best;
        NF_TRY(suggest_take(s, best.text, err));
    }
    return NERFIT_OK;
}

nerfit_status nf_suggest(const nf_suggest_job *job, nf_suggestion *out, size_t *count,
                         nerfit_error *err) {
    suggester s = {.job = job};
    *count = 0;
    nerfit_status status = suggest_all(&s, out, count, err);
    HASH_CLEAR(hh, s.keys);
    nf_arena_free(&s.arena);
    return status;
}
