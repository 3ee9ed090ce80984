#include "model/gliner_decode.h"

#include <math.h>
#include <stdlib.h>

#include "base/array.h"

void nf_span_list_free(nf_span_list *list) {
    free(list->items);
    *list = (nf_span_list){0};
}

static nerfit_status span_list_push(nf_span_list *list, nf_entity span, nerfit_error *err) {
    if (!nf_array_reserve(&list->items, &list->capacity, list->count + 1, sizeof *list->items))
        return nf_no_memory(err, 0);
    list->items[list->count++] = span;
    return NERFIT_OK;
}

nerfit_status nf_span_list_append(nf_span_list *list, const nf_span_list *more, nerfit_error *err) {
    for (size_t i = 0; i < more->count; i++) NF_TRY(span_list_push(list, more->items[i], err));
    return NERFIT_OK;
}

/* In single precision, as torch has it: what is 1 there ties here, too. */
static float probability_of(float logit) {
    return 1.0f / (1.0f + expf(-logit));
}

/* Logits [n_labels] of one span of a window, if it is the window's own. */
static nerfit_status add_span(nf_span_list *list, const nf_gliner_window *window, size_t first,
                              size_t last, const float *logits, const double *thresholds,
                              nerfit_error *err) {
    size_t offset = window->windows[window->index].start;
    bool known = false;
    for (size_t c = 0; c < window->n_labels; c++) {
        float p = probability_of(logits[c]);
        if (!(p > (float)thresholds[c])) continue;
        if (!known && !nf_word_window_owns(window->windows, window->n_windows, window->index,
                                           offset + first, offset + last))
            return NERFIT_OK;
        known = true;
        NF_TRY(span_list_push(list,
                              (nf_entity){(uint32_t)(offset + first), (uint32_t)(offset + last) + 1,
                                          (int32_t)c, (double)p},
                              err));
    }
    return NERFIT_OK;
}

nerfit_status nf_gliner_add_spans(nf_span_list *list, const nf_gliner *gliner,
                                  const nf_gliner_window *window, const double *thresholds,
                                  nerfit_error *err) {
    const nf_gliner_logits *logits = window->logits;
    size_t c = window->n_labels, k = gliner->config.max_width;
    if (gliner->token) {
        for (size_t i = 0; i < logits->n_spans; i++)
            NF_TRY(add_span(list, window, (size_t)logits->spans[i].start,
                            (size_t)logits->spans[i].end, logits->span_values + i * c, thresholds,
                            err));
        return NERFIT_OK;
    }
    const nf_word_window *own = &window->windows[window->index];
    size_t n = own->end - own->start;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n && j < i + k; j++)
            NF_TRY(add_span(list, window, i, j, logits->values + (i * k + j - i) * c, thresholds,
                            err));
    return NERFIT_OK;
}

nerfit_status nf_gliner_add_word_spans(nf_span_list *list, const float *logits, size_t n_words,
                                       size_t n_labels, const double *thresholds,
                                       nerfit_error *err) {
    for (size_t i = 0; i < n_words; i++)
        for (size_t c = 0; c < n_labels; c++) {
            float start = probability_of(logits[(i * n_labels + c) * 3]);
            float limit = (float)thresholds[c], least = start;
            if (!(start > limit)) continue;
            for (size_t j = i; j < n_words; j++) {
                const float *word = logits + (j * n_labels + c) * 3;
                float end = probability_of(word[1]), inside = probability_of(word[2]);
                if ((double)inside < thresholds[c]) break;
                least = inside < least ? inside : least;
                if (!(end > limit)) continue;
                NF_TRY(span_list_push(list,
                                      (nf_entity){(uint32_t)i, (uint32_t)j + 1, (int32_t)c,
                                                  (double)(end < least ? end : least)},
                                      err));
            }
        }
    return NERFIT_OK;
}
