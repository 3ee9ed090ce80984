/* Reading of the golden files of training (tests/golden/README.md), for the tests that train. */
#ifndef NF_GOLDEN_FILES_H
#define NF_GOLDEN_FILES_H

#include "test.h"

#include "model/model.h"
#include "tensor/backends.h"
#include "train/examples.h"

static nerfit_error error;

static inline const char *golden(const char *name) {
    static char path[512];
    const char *root = getenv("NERFIT_TEST_GOLDEN");
    snprintf(path, sizeof path, "%s/%s", root ? root : "tests/golden", name);
    return path;
}

static inline nf_safetensors *open_golden(const char *name) {
    nf_safetensors *file;
    assert_ok(nf_safetensors_open(&file, golden(name), &error), &error);
    return file;
}

static inline const int32_t *ints(const nf_safetensors *file, const char *name, size_t *count) {
    const nf_stored *stored = nf_safetensors_find(file, name);
    assert_non_null(stored);
    assert_int_equal(stored->type, NF_STORED_I32);
    if (count) *count = stored->count;
    return stored->data;
}

static inline float *floats(const nf_safetensors *file, const char *name) {
    const nf_stored *stored = nf_safetensors_find(file, name);
    assert_non_null(stored);
    float *values = malloc(stored->count * sizeof *values + 1);
    assert_ok(nf_stored_to_f32(stored, values, &error), &error);
    return values;
}

/* The golden file's texts as examples. */
static inline void load_examples(const nf_safetensors *file, nf_examples *out) {
    size_t texts, entities;
    const int32_t *cu = ints(file, "cu_seqlens", &texts);
    const int32_t *ids = ints(file, "ids", NULL), *labels = ints(file, "labels", NULL);
    const int32_t *sequence = ints(file, "entity_sequence", &entities);
    const int32_t *type = ints(file, "entity_type", NULL);
    const int32_t *start = ints(file, "entity_start", NULL), *end = ints(file, "entity_end", NULL);
    texts--;
    out->count = texts;
    out->items = calloc(texts, sizeof *out->items);
    nf_entity *list = nf_arena_calloc(&out->arena, entities, sizeof *list);
    size_t e = 0;
    for (size_t s = 0; s < texts; s++) {
        nf_example *example = &out->items[s];
        *example = (nf_example){.ids = ids + cu[s],
                                .labels = labels + cu[s],
                                .length = (size_t)(cu[s + 1] - cu[s]),
                                .entities = list + e};
        for (; e < entities && sequence[e] == (int32_t)s; e++) {
            list[e] = (nf_entity){(uint32_t)start[e], (uint32_t)end[e], type[e], 0};
            example->n_entities++;
        }
    }
}

static inline void set_initial(nf_model *model, const nf_safetensors *file) {
    for (size_t i = 0; i < model->net.n_parameters; i++) {
        nf_parameter *p = model->net.parameters[i];
        char name[256];
        snprintf(name, sizeof name, "init.%s", p->name);
        if (p->removed || !nf_safetensors_find(file, name)) continue;
        float *values = floats(file, name);
        assert_ok(nf_parameter_fill(&model->net, p, values, &error), &error);
        free(values);
    }
}

static inline nf_backend *backend(const char *name) {
    nf_backend *be;
    if (strcmp(name, "cpu") == 0)
        assert_ok(nf_backend_cpu(&be, NF_PRECISION_F32, 2, &error), &error);
    else
        assert_ok(nf_backend_ref(&be, strcmp(name, "ref-f64") == 0 ? 8 : 4, &error), &error);
    return be;
}

static const char *const backends[] = {"ref-f32", "ref-f64", "cpu"};
enum { N_BACKENDS = sizeof backends / sizeof *backends };

#endif
