#include "heads/example.h"

void nf_example_word_labels(const nf_example *example, int32_t *labels) {
    size_t e = 0, of_last = SIZE_MAX;
    for (size_t w = 0; w < example->n_words; w++) {
        uint32_t at = (uint32_t)example->words[w];
        while (e < example->n_entities && example->entities[e].end <= at) e++;
        bool inside = e < example->n_entities && example->entities[e].start <= at;
        labels[w] = inside ? nf_label_id(example->entities[e].type, of_last == e) : NF_LABEL_O;
        of_last = inside ? e : SIZE_MAX;
    }
}

float nf_example_word_weight(const nf_example *example, size_t word) {
    const float *weights = example->weights;
    if (!weights) return 1.0f;
    size_t at = (size_t)example->words[word];
    size_t end = word + 1 < example->n_words ? (size_t)example->words[word + 1] : example->length;
    float weight = weights[at];
    for (; at < end; at++)
        if (weights[at] == 0.0f) weight = 0.0f;
    return weight;
}

bool nf_head_found_labels(nf_head_found *out, nf_arena *arena, const int32_t *gold,
                          const int32_t *predicted, size_t n) {
    nf_entity *there = nf_arena_alloc(arena, n * sizeof *there + 1);
    nf_entity *found = nf_arena_alloc(arena, n * sizeof *found + 1);
    if (!there || !found) return false;
    *out = (nf_head_found){.gold = there, .entities = found, .n_units = n};
    out->n_gold = nf_bio_entities(gold, n, there);
    out->n_entities = nf_bio_entities(predicted, n, found);
    for (size_t i = 0; i < n; i++) out->n_correct += gold[i] == predicted[i];
    return true;
}
