#include "infer/entities.h"

#include <math.h>
#include <stdlib.h>

#include "base/utf8.h"

void nf_entity_finder_free(nf_entity_finder *f) {
    nf_decoder_free(f->decoder);
    free(f->labels);
    free(f->scores);
    free(f->spans);
    free(f->logits);
    *f = (nf_entity_finder){0};
}

double *nf_entity_finder_logits(nf_entity_finder *f, size_t n) {
    if (n <= f->n_logits && f->logits) return f->logits;
    free(f->logits);
    f->logits = malloc(2 * n * sizeof *f->logits + 1);
    f->n_logits = f->logits ? 2 * n : 0;
    return f->logits;
}

static nerfit_status finder_reserve(nf_entity_finder *f, size_t words, nerfit_error *err) {
    if (!f->decoder) NF_TRY(nf_decoder_new(&f->decoder, err));
    if (words <= f->capacity) return NERFIT_OK;
    size_t capacity = 2 * words;
    free(f->labels);
    free(f->scores);
    free(f->spans);
    f->labels = malloc(capacity * sizeof *f->labels);
    f->scores = malloc(capacity * sizeof *f->scores);
    f->spans = malloc(capacity * sizeof *f->spans);
    f->capacity = f->labels && f->scores && f->spans ? capacity : 0;
    return f->capacity ? NERFIT_OK : nf_no_memory(err, capacity * sizeof *f->spans);
}

/* ---------------------------------------------------------------- the decoder over words */

/* Gives a word's label to its tokens: I- to all but the first; blanks behind an entity are not in
 * it. */
static void label_word(const nf_rules *rules, nf_tagged *tagged, size_t w, const int32_t *path,
                       float score) {
    size_t first = tagged->words[w], end = tagged->words[w + 1], inside = end;
    nf_tagged_token *tokens = tagged->tokens;
    int32_t rest = nf_label_kind(path[w]) == NF_KIND_B ? path[w] + 1 : path[w];
    if (rules->ids[rest] < 0) rest = path[w];
    bool goes_on = w + 1 < tagged->n_words && nf_label_kind(path[w + 1]) == NF_KIND_I;
    while (!goes_on && rules->ids[0] >= 0 && inside > first + 1 &&
           tokens[inside - 1].text_start >= tokens[inside - 1].text_end)
        inside--;
    for (size_t i = first; i < end; i++) {
        tokens[i].label = rules->ids[i == first ? path[w] : i < inside ? rest : NF_LABEL_O];
        tokens[i].score = score;
    }
}

static double entropy_of(double p) {
    return p > 0 ? -p * log(p) : 0;
}

/* Of the words' labels under the decoder: total token entropy (Settles and Craven 2008). */
static double decoded_entropy(const nf_entity_finder *f, size_t n, size_t types) {
    double sum = 0;
    for (size_t w = 0; w < n; w++)
        for (size_t label = 0; label < 2 * types + 1; label++)
            sum += entropy_of(nf_decoder_marginal(f->decoder, w, (int32_t)label));
    return sum;
}

/* Labels all tokens by the best path over the words. */
static nerfit_status decode_words(nf_entity_finder *f, const nf_rules *rules, nf_tagged *tagged,
                                  const double *logits, bool token_scores, nerfit_error *err) {
    size_t n = tagged->n_words, types = rules->tags.n_types;
    int32_t *path = f->labels;
    const nf_decoder_input in = {&rules->transitions, logits, n, types};
    bool sums = token_scores || f->entropy;
    NF_TRY(nf_decoder_labels(f->decoder, &in, rules->least, sums, path, err));
    if (f->entropy) tagged->entropy = decoded_entropy(f, n, types);
    for (size_t w = 0; w < n; w++)
        label_word(rules, tagged, w, path,
                   token_scores ? (float)nf_decoder_marginal(f->decoder, w, path[w]) : 0.0F);
    return NERFIT_OK;
}

/* The entities of the best path. */
static size_t path_spans(const nf_entity_finder *f, size_t n, nf_entity *spans) {
    size_t count = nf_bio_entities(f->labels, n, spans);
    for (size_t i = 0; i < count; i++)
        spans[i].score =
            nf_decoder_span(f->decoder, (size_t)spans[i].type, spans[i].start, spans[i].end);
    return count;
}

/* ---------------------------------------------------------------- labels of sub-words */

/* The sub-word that tells a word's label: its first one, unless this is a lone blank (an empty range)
 * that says O. Models that were trained on such blanks say at them what the word is; others at the
 * first sub-word that has characters. */
static const nf_tagged_token *telling_token(const nf_rules *rules, const nf_tagged *tagged,
                                            size_t w) {
    const nf_tagged_token *tokens = tagged->tokens;
    size_t i = tagged->words[w];
    while (i + 1 < tagged->words[w + 1] && tokens[i].text_start >= tokens[i].text_end &&
           rules->tags.tags[tokens[i].label].prefix == NF_TAG_O)
        i++;
    return &tokens[i];
}

/* Entities of the words' labels; an entity's score is the mean of theirs. */
static size_t label_spans(nf_entity_finder *f, const nf_rules *rules, const nf_tagged *tagged,
                          nf_entity *spans) {
    for (size_t w = 0; w < tagged->n_words; w++) {
        const nf_tagged_token *token = telling_token(rules, tagged, w);
        f->labels[w] = token->label;
        f->scores[w] = (double)token->score;
    }
    size_t count = nf_tag_set_spans(&rules->tags, f->labels, tagged->n_words, spans);
    for (size_t i = 0; i < count; i++) {
        for (size_t w = spans[i].start; w < spans[i].end; w++) spans[i].score += f->scores[w];
        spans[i].score /= (double)(spans[i].end - spans[i].start);
    }
    return count;
}

/* ---------------------------------------------------------------- places in the text */

/* From words to code points of the text. */
static nf_entity place_in_text(nf_utf8_place *at, const nf_tagged *tagged, const nf_entity *span) {
    const nf_tagged_token *tokens = tagged->tokens;
    size_t first = tagged->words[span->start], end = tagged->words[span->end];
    uint32_t last = tokens[first].text_end;
    for (size_t i = first; i < end; i++)
        if (tokens[i].text_end > last) last = tokens[i].text_end;
    uint32_t next = end < tagged->n_tokens ? tokens[end].text_start : UINT32_MAX;
    nf_text_range range = nf_word_range(at, tokens[first].text_start, last, next);
    return (nf_entity){range.start, range.end, span->type, span->score};
}

nerfit_status nf_entities_find(nf_entity_finder *f, const nf_rules *rules, const nf_text *text,
                               nf_tagged *tagged, const double *logits, bool token_scores,
                               nf_arena *arena, nerfit_error *err) {
    NF_TRY(finder_reserve(f, tagged->n_words, err));
    size_t count;
    if (rules->by_words) {
        NF_TRY(decode_words(f, rules, tagged, logits, token_scores, err));
        count = path_spans(f, tagged->n_words, f->spans);
    } else {
        count = label_spans(f, rules, tagged, f->spans);
        tagged->entropy = 0; /* of the best label against all others: no more is known of a word */
        for (size_t w = 0; w < tagged->n_words && f->entropy; w++)
            tagged->entropy += entropy_of(f->scores[w]) + entropy_of(1 - f->scores[w]);
    }
    tagged->n_entities = 0;
    tagged->entities = nf_arena_alloc(arena, count * sizeof *tagged->entities);
    if (!tagged->entities) return nf_no_memory(err, count * sizeof *tagged->entities);
    nf_utf8_place at = {text->text, text->size, 0, 0};
    for (size_t i = 0; i < count; i++) {
        nf_entity e = place_in_text(&at, tagged, &f->spans[i]);
        e.score = nf_calibration_apply(&rules->calibration, e.score);
        if (e.score < nf_rules_threshold(rules, e.type))
            for (size_t k = tagged->words[f->spans[i].start]; k < tagged->words[f->spans[i].end];
                 k++)
                tagged->tokens[k].left_out = true;
        else if (e.start < e.end)
            tagged->entities[tagged->n_entities++] = e;
    }
    return NERFIT_OK;
}
