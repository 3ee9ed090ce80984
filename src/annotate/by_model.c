#include "annotate/by_model.h"

#include "infer/tag_corpus.h"

typedef struct model_visit {
    const int32_t *label_of; /* [types] of the rules */
    bool *asked;             /* [labels] the same for all texts */
    nf_opinion *opinions;
    size_t done;
    nf_arena *arena;
} model_visit;

static nerfit_status model_visit_text(void *user, const nf_document *document,
                                      const nf_tagged *tagged, nerfit_error *err) {
    model_visit *v = user;
    nf_opinion *out = &v->opinions[v->done++];
    (void)document;
    *out = (nf_opinion){.given = true, .asked = v->asked};
    out->spans = nf_arena_alloc(v->arena, tagged->n_entities * sizeof *out->spans + 1);
    if (!out->spans) return nf_no_memory(err, tagged->n_entities * sizeof *out->spans);
    for (size_t i = 0; i < tagged->n_entities; i++) {
        nf_entity e = tagged->entities[i];
        e.type = v->label_of[e.type];
        if (e.type >= 0) out->spans[out->n_spans++] = e;
    }
    return NERFIT_OK;
}

nerfit_status nf_annotate_by_model(void *self, const nf_corpus *corpus, const nf_job_labels *labels,
                                   nf_opinion *opinions, nf_arena *arena, nerfit_error *err) {
    const nf_model_annotator *annotator = self;
    const nf_tag_set *tags = &annotator->call.rules->tags;
    int32_t *label_of = nf_arena_calloc(arena, tags->n_types + 1, sizeof *label_of);
    bool *asked = nf_arena_calloc(arena, labels->count + 1, sizeof *asked);
    if (!label_of || !asked) return nf_no_memory(err, tags->n_types);
    for (size_t i = 0; i < tags->n_types; i++) {
        label_of[i] = nf_job_label(labels, tags->types[i]);
        if (label_of[i] >= 0) asked[label_of[i]] = true;
    }
    model_visit visit = {label_of, asked, opinions, 0, arena};
    return nf_tag_corpus(annotator->tagger, &annotator->call, corpus, model_visit_text, &visit,
                         err);
}
