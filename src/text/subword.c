/* The table of models. Old files have no "type" in their model: then its fields tell it. */
#include "text/subword.h"

#include <stdlib.h>

nerfit_status nf_vocabulary_load(nf_vocabulary *vocabulary, const json_t *json, const char *what,
                                 nf_load *load) {
    const json_t *object = json_object_get(json, "vocab");
    if (!json_is_object(object))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "%s: \"vocab\" must be an object of tokens and ids", what);
    size_t count = json_object_size(object), i = 0, bytes = count * sizeof(char *);
    const char **texts = malloc((count + 1) * sizeof *texts);
    int32_t *ids = malloc((count + 1) * sizeof *ids);
    nerfit_status status = texts && ids ? NERFIT_OK : nf_no_memory(load->err, bytes);
    const char *key;
    json_t *value;
    if (status == NERFIT_OK) json_object_foreach((json_t *)object, key, value) {
            if ((status = nf_field_id(&ids[i], value, what, load)) != NERFIT_OK) break;
            texts[i] = nf_arena_strdup(load->arena, key);
            if (!texts[i++]) {
                status = nf_no_memory(load->err, bytes);
                break;
            }
        }
    if (status == NERFIT_OK)
        status = nf_vocabulary_init(vocabulary, texts, ids, count, load->arena, load->err);
    free(texts);
    free(ids);
    return status;
}

static const nf_component_row models[] = {
    {"WordPiece", nf_subword_wordpiece_load},
    {"BPE", nf_subword_bpe_load},
    {"Unigram", nf_subword_unigram_load},
    {"WordLevel", nf_subword_wordlevel_load},
};

nerfit_status nf_subword_load(nf_subword_model **out, const json_t *json, nf_load *load) {
    *out = NULL;
    if (json_is_object(json) && !json_object_get(json, "type") &&
        json_is_object(json_object_get(json, "vocab"))) {
        if (json_object_get(json, "merges")) return nf_subword_bpe_load((void **)out, json, load);
        if (json_object_get(json, "continuing_subword_prefix"))
            return nf_subword_wordpiece_load((void **)out, json, load);
    }
    if (json_is_object(json) && !json_object_get(json, "type") &&
        json_is_array(json_object_get(json, "vocab")))
        return nf_subword_unigram_load((void **)out, json, load);
    return nf_component_load((void **)out, json, "model", models, NF_COUNT(models), load);
}
