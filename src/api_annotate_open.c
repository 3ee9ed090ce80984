/* nerfit.h: annotating with types that a language model names itself. */
#include "api_annotate.h"

#include <stdlib.h>
#include <string.h>

nerfit_status nf_annotating_check_open(const nf_annotating *a, nerfit_error *error) {
    const nerfit_annotate_options *o = &a->options;
    if (!o->open) return NERFIT_OK;
    const char *wrong = !o->llm                  ? "a language model (llm) names the types"
                        : o->n_models            ? "models have labels of their own"
                        : o->gold || o->audit    ? "gold texts have labels of their own"
                        : o->one_label_at_a_time ? "there is no label to ask for at a time"
                                                 : NULL;
    if (wrong) return nf_fail(error, NERFIT_ARGUMENT, "open: %s", wrong);
    if (o->open_threshold < 0 || o->open_threshold > 1)
        return nf_fail(error, NERFIT_ARGUMENT, "open_threshold: %g is not a cosine from 0 to 1",
                       o->open_threshold);
    return NERFIT_OK;
}

static double open_threshold(const nf_annotating *a) {
    return a->options.open_threshold > 0 ? a->options.open_threshold : NF_OPEN_THRESHOLD;
}

/* Unit vectors of the labels' and then of the types' texts. */
static nerfit_status annotating_embed_types(nf_annotating *a, float **out, nerfit_error *error) {
    const nf_open_types *t = &a->types;
    size_t n = a->n_labels + t->count, size = nerfit_encoder_size(a->encoder);
    const char **texts = nf_arena_calloc(&a->arena, n + 1, sizeof *texts);
    float *vectors = *out = nf_arena_calloc(&a->arena, n * size + 1, sizeof *vectors);
    if (!texts || !vectors) return nf_no_memory(error, n * size * sizeof *vectors);
    nf_str text = {0};
    for (size_t i = 0; i < n; i++) {
        const nf_open_type *type = i < a->n_labels ? NULL : t->list[i - a->n_labels];
        nf_str_clear(&text);
        nf_open_types_text(&text, type ? type->name : a->names[i],
                           type ? type->about : a->descriptions[i]);
        if (!text.failed) texts[i] = nf_arena_strdup(&a->arena, nf_str_text(&text));
        if (!texts[i]) text.failed = true;
    }
    nerfit_status status = text.failed ? nf_no_memory(error, 0) : NERFIT_OK;
    nf_str_free(&text);
    return status == NERFIT_OK ? nf_encoder_encode_unit(a->encoder, texts, n, vectors, error)
                               : status;
}

nerfit_status nf_annotating_find_types(nf_annotating *a, const nf_corpus *texts,
                                       nerfit_error *error) {
    const nf_job_labels known = nf_annotating_labels(a);
    float *vectors = NULL;
    NF_TRY(nf_llm_annotator_ask(&a->by_llm, texts, &known, error));
    NF_TRY(nf_llm_annotator_see_types(&a->types, &a->by_llm, error));
    if (a->encoder)
        NF_TRY(annotating_embed_types(a, &vectors, error));
    else
        nf_log_info(&a->log, "no sentence encoder is given: types are one where their names are");
    NF_TRY(nf_open_types_merge(&a->types, &known, vectors,
                               a->encoder ? nerfit_encoder_size(a->encoder) : 0, open_threshold(a),
                               error));
    a->by_llm.types = &a->types;
    a->names = (const char **)a->types.labels.names;
    a->descriptions = (const char **)a->types.labels.descriptions;
    a->further = (nf_label_texts *)a->types.labels.further;
    a->n_labels = a->capacity = a->types.labels.count;
    return NERFIT_OK;
}

nerfit_status nf_annotating_hand_out_types(const nf_annotating *a, json_t *summary,
                                           nerfit_annotate_result *result, nerfit_error *error) {
    nf_str descriptions = {0}, synonyms = {0};
    json_t *json = nf_open_types_json(&a->types, open_threshold(a));
    nf_open_types_descriptions(&a->types, &descriptions);
    nf_str_append_text(&synonyms, "");
    nf_open_types_synonyms(&a->types, &synonyms);
    result->descriptions = descriptions.data;
    result->synonyms = synonyms.data;
    bool failed = descriptions.failed || synonyms.failed || !synonyms.data;
    if (json_object_set_new(summary, "open", json) != 0 || failed) return nf_no_memory(error, 0);
    return NERFIT_OK;
}
