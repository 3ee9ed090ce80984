#include "model/gliner_prompt.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/str.h"
#include "base/utf8.h"

/* Past so many sub-words models lose quality, even where their positions have no end. */
enum { MOST_TOKENS = 1400 };

/* Ids that are gathered. */
typedef struct id_list {
    int32_t *ids;
    size_t count, capacity;
} id_list;

static bool id_list_append(id_list *list, const int32_t *ids, size_t n) {
    if (!nf_array_reserve(&list->ids, &list->capacity, list->count + n, sizeof *list->ids))
        return false;
    if (n) memcpy(list->ids + list->count, ids, n * sizeof *ids);
    list->count += n;
    return true;
}

static nerfit_status prompt_append(id_list *list, const nf_model *model, const char *word,
                                   nf_encoding *encoding, nerfit_error *err) {
    NF_TRY(nf_tokenizer_encode(model->tokenizer, word, strlen(word), false, encoding, err));
    return id_list_append(list, encoding->ids, encoding->length) ? NERFIT_OK : nf_no_memory(err, 0);
}

static nerfit_status check_label(const nf_gliner *g, const char *const *labels, size_t index,
                                 const nf_encoding *encoding, nerfit_error *err) {
    const char *label = labels[index];
    if (!*label) return nf_fail(err, NERFIT_ARGUMENT, "label %zu is empty", index + 1);
    for (size_t i = 0; encoding && i < encoding->length; i++)
        if (encoding->ids[i] == g->label_token)
            return nf_fail(err, NERFIT_ARGUMENT,
                           "label \"%s\" holds %s, by which the model knows where a label begins",
                           label, g->config.ent_token);
    return NERFIT_OK;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static nerfit_status check_twice(const char *const *labels, size_t n, nerfit_error *err) {
    const char **sorted = malloc(n * sizeof *sorted + 1);
    nerfit_status status = sorted ? NERFIT_OK : nf_no_memory(err, n * sizeof *sorted);
    if (sorted && n) {
        memcpy(sorted, labels, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, by_text);
    }
    for (size_t i = 1; i < n && status == NERFIT_OK; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            status = nf_fail(err, NERFIT_ARGUMENT, "label \"%s\" comes twice", sorted[i]);
    free(sorted);
    return status;
}

static nerfit_status append_labels(nf_gliner_prompt *prompt, id_list *list, const nf_model *model,
                                   const char *const *labels, nf_encoding *encoding,
                                   nerfit_error *err) {
    const nf_gliner *g = model->gliner;
    prompt->places = malloc((prompt->n_labels + 1) * sizeof *prompt->places);
    if (!prompt->places) return nf_no_memory(err, prompt->n_labels);
    for (size_t i = 0; i < prompt->n_labels; i++) {
        prompt->places[i] = (int32_t)list->count + !g->config.embed_ent_token;
        NF_TRY(prompt_append(list, model, g->config.ent_token, encoding, err));
        NF_TRY(prompt_append(list, model, labels[i], encoding, err));
        NF_TRY(check_label(g, labels, i, encoding, err));
    }
    return NERFIT_OK;
}

static nerfit_status fill_prompt(nf_gliner_prompt *prompt, id_list *list, const nf_model *model,
                                 const char *const *labels, nf_encoding *encoding,
                                 nerfit_error *err) {
    const nf_gliner *g = model->gliner;
    size_t before, after;
    nf_tokenizer_special_counts(model->tokenizer, &before, &after);
    NF_TRY(nf_tokenizer_encode(model->tokenizer, "", 0, true, encoding, err));
    if (encoding->length != before + after)
        return nf_fail(err, NERFIT_INTERNAL, "the tokenizer's template gives %zu tokens, not %zu",
                       encoding->length, before + after);
    prompt->n_after = after;
    prompt->after = malloc((after + 1) * sizeof *prompt->after);
    if (!prompt->after || !id_list_append(list, encoding->ids, before)) return nf_no_memory(err, 0);
    NF_TRY(check_twice(labels, prompt->n_labels, err));
    memcpy(prompt->after, encoding->ids + before, after * sizeof *prompt->after);
    if (g->config.labels_encoder) {
        for (size_t i = 0; i < prompt->n_labels; i++) NF_TRY(check_label(g, labels, i, NULL, err));
        return NERFIT_OK;
    }
    if (!g->precomputed) NF_TRY(append_labels(prompt, list, model, labels, encoding, err));
    for (int i = 0; i < (g->config.relations && !g->precomputed ? 2 : 1); i++)
        NF_TRY(prompt_append(list, model, g->config.sep_token, encoding, err));
    return NERFIT_OK;
}

nerfit_status nf_gliner_prompt_make(nf_gliner_prompt *prompt, const nf_model *model,
                                    const char *const *labels, size_t n_labels, nerfit_error *err) {
    nf_encoding encoding = {0};
    id_list list = {0};
    *prompt = (nf_gliner_prompt){.n_labels = n_labels};
    nerfit_status status = fill_prompt(prompt, &list, model, labels, &encoding, err);
    prompt->ids = list.ids;
    prompt->length = list.count;
    nf_encoding_free(&encoding);
    if (status != NERFIT_OK) nf_gliner_prompt_free(prompt);
    return status;
}

void nf_gliner_prompt_free(nf_gliner_prompt *prompt) {
    free(prompt->ids);
    free(prompt->places);
    free(prompt->after);
    *prompt = (nf_gliner_prompt){0};
}

nerfit_status nf_gliner_prompt_room(const nf_gliner_prompt *prompt, const nf_model *model,
                                    size_t *room, nerfit_error *err) {
    const nf_encoder *encoder = &model->encoder;
    size_t most =
        encoder->max_positions; /* relative positions have no end, rotary ones a far one */
    if (!encoder->embedding.positions && (encoder->relative || most > MOST_TOKENS))
        most = MOST_TOKENS;
    size_t taken = prompt->length + prompt->n_after;
    *room = taken < most ? most - taken : 0;
    if (*room < 16)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "%zu labels take %zu of the model's %zu sub-words, which leaves no room for "
                       "text; give fewer at a time",
                       prompt->n_labels, taken, most);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- words */

nerfit_status nf_gliner_words_encode(nf_gliner_words *words, const nf_tokenizer *tokenizer,
                                     nf_tokenizer_scratch *scratch, const char *text, size_t size,
                                     bool characters, nerfit_error *err) {
    NF_TRY(nf_word_pattern_split(&words->words, text, size, characters, err));
    size_t n = words->words.count;
    if (!nf_array_reserve(&words->firsts, &words->firsts_capacity, n + 1, sizeof *words->firsts))
        return nf_no_memory(err, 0);
    words->n_ids = 0;
    words->firsts[0] = 0;
    for (size_t w = 0; w < n; w++) {
        const nf_pattern_word *word = &words->words.items[w];
        nf_encoding *e = &words->encoding;
        NF_TRY(nf_tokenizer_encode_with(tokenizer, scratch, text + word->byte_start,
                                        word->byte_end - word->byte_start, false, e, err));
        if (!nf_array_reserve(&words->ids, &words->ids_capacity, words->n_ids + e->length,
                              sizeof *words->ids))
            return nf_no_memory(err, 0);
        if (e->length) memcpy(words->ids + words->n_ids, e->ids, e->length * sizeof *e->ids);
        words->n_ids += e->length;
        words->firsts[w + 1] = words->n_ids;
    }
    return NERFIT_OK;
}

/* Where a piece of at most `most` sub-words ends that begins at `from`: not inside a character. */
static size_t piece_end(const nf_encoding *e, size_t from, size_t most) {
    size_t end = from + most;
    if (end >= e->length) return e->length;
    while (end > from && e->starts[end] < e->ends[end - 1]) end--;
    return end > from && e->starts[end] > e->starts[from] ? end : e->length;
}

/* Adds the pieces of a word, whose sub-words begin at first_id. */
static void divide_word(nf_gliner_words *words, const nf_encoding *e, const char *text, size_t most,
                        const nf_pattern_word *word, size_t first_id) {
    nf_pattern_words *out = &words->words;
    for (size_t from = 0, end; from < e->length; from = end) {
        end = piece_end(e, from, most);
        nf_pattern_word piece = *word;
        size_t size = word->byte_end - word->byte_start;
        if (from) {
            piece.start = word->start + e->starts[from];
            piece.byte_start =
                word->byte_start + nf_utf8_offset(text + word->byte_start, size, e->starts[from]);
        }
        if (end < e->length) {
            piece.end = word->start + e->starts[end];
            piece.byte_end =
                word->byte_start + nf_utf8_offset(text + word->byte_start, size, e->starts[end]);
        }
        words->firsts[out->count] = first_id + from;
        out->items[out->count++] = piece;
    }
}

/* Copies of the lists, with room for `most` words. */
static nerfit_status words_begin_anew(nf_gliner_words *words, size_t most, nf_pattern_word **items,
                                      size_t **firsts, nerfit_error *err) {
    *items = words->words.items;
    *firsts = words->firsts;
    nf_pattern_word *new_items = malloc(most * sizeof *new_items + 1);
    size_t *new_firsts = malloc((most + 1) * sizeof *new_firsts);
    if (!new_items || !new_firsts) {
        free(new_items);
        free(new_firsts);
        return nf_no_memory(err, most * sizeof *new_items);
    }
    words->words = (nf_pattern_words){.items = new_items, .capacity = most};
    words->firsts = new_firsts;
    words->firsts_capacity = most + 1;
    return NERFIT_OK;
}

nerfit_status nf_gliner_words_divide(nf_gliner_words *words, const nf_tokenizer *tokenizer,
                                     nf_tokenizer_scratch *scratch, const char *text, size_t most,
                                     nerfit_error *err) {
    size_t n = words->words.count, capacity = n, *firsts;
    nf_pattern_word *items;
    nf_encoding *e = &words->encoding;
    for (size_t w = 0; w < n; w++)
        if (words->firsts[w + 1] - words->firsts[w] > most)
            capacity += words->firsts[w + 1] - words->firsts[w];
    if (capacity == n) return NERFIT_OK;
    NF_TRY(words_begin_anew(words, capacity, &items, &firsts, err));
    nerfit_status status = NERFIT_OK;
    for (size_t w = 0; w < n && status == NERFIT_OK; w++) {
        words->firsts[words->words.count] = firsts[w];
        if (firsts[w + 1] - firsts[w] <= most) {
            words->words.items[words->words.count++] = items[w];
            continue;
        }
        status = nf_tokenizer_encode_with(tokenizer, scratch, text + items[w].byte_start,
                                          items[w].byte_end - items[w].byte_start, false, e, err);
        if (status == NERFIT_OK) divide_word(words, e, text, most, &items[w], firsts[w]);
    }
    words->firsts[words->words.count] = firsts[n];
    free(items);
    free(firsts);
    return status;
}

void nf_gliner_words_free(nf_gliner_words *words) {
    nf_pattern_words_free(&words->words);
    nf_encoding_free(&words->encoding);
    free(words->firsts);
    free(words->ids);
    *words = (nf_gliner_words){0};
}

nerfit_status nf_gliner_sequence(nf_gliner_text *out, const nf_gliner_prompt *prompt,
                                 const nf_gliner_words *words, size_t first, size_t end,
                                 size_t room, nf_arena *arena, nerfit_error *err) {
    size_t n = end - first, inner = words->firsts[end] - words->firsts[first];
    int32_t *ids =
        nf_arena_alloc(arena, (prompt->length + inner + prompt->n_after) * sizeof *ids + 1);
    int32_t *starts = nf_arena_alloc(arena, n * sizeof *starts + 1);
    int32_t *ends = nf_arena_alloc(arena, n * sizeof *ends + 1);
    if (!ids || !starts || !ends) return nf_no_memory(err, inner * sizeof *ids);
    size_t at = prompt->length;
    if (at) memcpy(ids, prompt->ids, at * sizeof *ids);
    for (size_t w = 0; w < n; w++) {
        size_t from = words->firsts[first + w], size = words->firsts[first + w + 1] - from;
        if (size > room) size = room;
        if (size) memcpy(ids + at, words->ids + from, size * sizeof *ids);
        starts[w] = (int32_t)at;
        ends[w] = (int32_t)(at += size);
    }
    if (prompt->n_after) memcpy(ids + at, prompt->after, prompt->n_after * sizeof *ids);
    *out = (nf_gliner_text){.ids = ids,
                            .length = at + prompt->n_after,
                            .word_starts = starts,
                            .word_ends = ends,
                            .n_words = n,
                            .label_places = prompt->places,
                            .n_labels = prompt->n_labels};
    return NERFIT_OK;
}
