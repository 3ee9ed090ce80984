/* The table of normalizers, and the one that chains others. */
#include "text/normalizer.h"

#include "text/component.h"

typedef struct sequence {
    nf_normalizer base;
    nf_normalizer **steps;
    size_t count, capacity;
} sequence;

static bool sequence_apply(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                           size_t end, nf_text *to) {
    const sequence *s = (const sequence *)self;
    if (s->count == 0) return nf_text_append(to, from, start, end);
    for (size_t i = 0; i < s->count; i++) {
        bool last = i + 1 == s->count;
        nf_text *next = last ? to : from == &work->stages[2] ? &work->stages[3] : &work->stages[2];
        if (!last) {
            nf_text_clear(next);
            /* A direct text counts from the beginning of the original; a later part does not. */
            if (start > 0 && !nf_text_align(next)) return false;
        }
        if (!s->steps[i]->apply(s->steps[i], work, from, start, end, next)) return false;
        from = next;
        start = 0;
        end = next->length;
    }
    return true;
}

static nerfit_status push_step(sequence *s, nf_normalizer *step, nf_load *load) {
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? s->capacity * 2 : 4;
        nf_normalizer **steps = nf_arena_calloc(load->arena, capacity, sizeof(nf_normalizer *));
        if (!steps) return nf_no_memory(load->err, capacity * sizeof *steps);
        for (size_t i = 0; i < s->count; i++) steps[i] = s->steps[i];
        s->steps = steps;
        s->capacity = capacity;
    }
    s->steps[s->count++] = step;
    return NERFIT_OK;
}

static nerfit_status sequence_load(void **out, const json_t *json, nf_load *load) {
    NF_TRY(nf_component_new(out, sizeof(sequence), load));
    sequence *s = *out;
    s->base.apply = sequence_apply;
    const json_t *items = json_object_get(json, "normalizers"), *item;
    if (!json_is_array(items))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "normalizer Sequence: \"normalizers\" must be an array");
    size_t i;
    json_array_foreach(items, i, item) {
        nf_normalizer *step;
        NF_TRY(nf_normalizer_load(&step, item, load));
        if (!step) continue;
        /* Nested sequences are flattened, so that two buffers are enough. */
        const sequence *inner = (const sequence *)step;
        if (step->apply != sequence_apply)
            NF_TRY(push_step(s, step, load));
        else
            for (size_t k = 0; k < inner->count; k++) NF_TRY(push_step(s, inner->steps[k], load));
    }
    return NERFIT_OK;
}

static const nf_component_row normalizers[] = {
    {"BertNormalizer", nf_normalizer_bert_load},
    {"ByteLevel", nf_normalizer_byte_level_load},
    {"Nmt", nf_normalizer_nmt_load},
    {"NFC", nf_normalizer_nfc_load},
    {"NFD", nf_normalizer_nfd_load},
    {"NFKC", nf_normalizer_nfkc_load},
    {"NFKD", nf_normalizer_nfkd_load},
    {"Lowercase", nf_normalizer_lowercase_load},
    {"StripAccents", nf_normalizer_strip_accents_load},
    {"Precompiled", nf_normalizer_precompiled_load},
    {"Strip", nf_normalizer_strip_load},
    {"Prepend", nf_normalizer_prepend_load},
    {"Replace", nf_normalizer_replace_load},
    {"Sequence", sequence_load},
};

nerfit_status nf_normalizer_load(nf_normalizer **out, const json_t *json, nf_load *load) {
    *out = NULL;
    if (!json || json_is_null(json)) return NERFIT_OK;
    return nf_component_load((void **)out, json, "normalizer", normalizers, NF_COUNT(normalizers),
                             load);
}
