/* The corpus as a container; what is checked on the way in stands in span_checks.c. */
#include "data/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/utf8.h"

struct nf_label_entry {
    const char *label;
    UT_hash_handle hh;
};

void nf_corpus_free(nf_corpus *corpus) {
    HASH_CLEAR(hh, corpus->label_index);
    free(corpus->documents);
    free(corpus->labels);
    nf_arena_free(&corpus->arena);
    *corpus = (nf_corpus){0};
}

const char *nf_corpus_label(nf_corpus *corpus, const char *label, size_t size) {
    nf_label_entry *entry;
    HASH_FIND(hh, corpus->label_index, label, size, entry);
    if (entry) return entry->label;
    if (!nf_array_reserve(&corpus->labels, &corpus->labels_capacity, corpus->n_labels + 1,
                          sizeof *corpus->labels))
        return NULL;
    entry = nf_arena_calloc(&corpus->arena, 1, sizeof *entry);
    const char *copy = nf_arena_copy(&corpus->arena, label, size);
    if (!entry || !copy) return NULL;
    entry->label = copy;
    HASH_ADD_KEYPTR(hh, corpus->label_index, copy, size, entry);
    if (!entry->hh.tbl) return NULL;
    return corpus->labels[corpus->n_labels++] = copy;
}

nerfit_status nf_given_list_add(nf_given_list *list, const nf_given_span *span, long line,
                                nerfit_error *err) {
    size_t room = list->capacity; /* of both */
    if (!nf_array_reserve(&list->lines, &room, list->count + 1, sizeof *list->lines) ||
        !nf_array_reserve(&list->items, &list->capacity, list->count + 1, sizeof *list->items))
        return nf_no_memory(err, 0);
    list->items[list->count] = *span;
    list->lines[list->count++] = line;
    return NERFIT_OK;
}

void nf_given_list_free(nf_given_list *list) {
    free(list->items);
    free(list->lines);
    *list = (nf_given_list){0};
}

static bool copy_lists(nf_corpus *corpus, nf_beside *b) {
    nf_arena *arena = &corpus->arena;
    if (!b->n_unknown && !b->labels) return true;
    nf_range *unknown = nf_arena_calloc(arena, b->n_unknown + 1, sizeof *unknown);
    const char **labels = nf_arena_calloc(arena, b->n_labels + 1, sizeof *labels);
    if (!unknown || !labels) return false;
    if (b->n_unknown) memcpy(unknown, b->unknown, b->n_unknown * sizeof *unknown);
    for (size_t i = 0; i < b->n_labels; i++)
        if (!(labels[i] = nf_arena_strdup(arena, b->labels[i]))) return false;
    b->unknown = b->n_unknown ? unknown : NULL;
    b->labels = b->labels ? labels : NULL;
    return true;
}

const nf_beside *nf_corpus_beside(nf_corpus *corpus, const nf_beside *beside) {
    nf_beside *copy = beside ? nf_arena_alloc(&corpus->arena, sizeof *copy) : NULL;
    if (!copy) return NULL;
    *copy = *beside;
    if (beside->fields) copy->fields = nf_arena_strdup(&corpus->arena, beside->fields);
    if (beside->source) copy->source = nf_arena_strdup(&corpus->arena, beside->source);
    bool whole = !copy->fields == !beside->fields && !copy->source == !beside->source;
    return whole && copy_lists(corpus, copy) ? copy : NULL;
}

bool nf_document_overlaps(const nf_document *d) {
    uint32_t end = 0;
    for (size_t i = 0; i < d->n_spans; i++) {
        if (d->spans[i].start < end) return true;
        if (d->spans[i].end > end) end = d->spans[i].end;
    }
    return false;
}

/* What Python's str.isspace calls white space: the separators and these controls. */
void nf_text_trim(const char **text, size_t *size) {
    uint32_t c;
    for (size_t step; *size && (step = nf_utf8_decode(*text, *size, &c)) && nf_is_space(c);)
        *text += step, *size -= step;
    while (*size) {
        size_t step = 1;
        while (step < *size && ((unsigned char)(*text)[*size - step] & 0xC0) == 0x80) step++;
        if (!nf_utf8_decode(*text + *size - step, step, &c) || !nf_is_space(c)) return;
        *size -= step;
    }
}
