/* nerfit.h: annotating by a language model. */
#include "api_annotate.h"

#include <stdlib.h>
#include <string.h>

#include "annotate/similar.h"
#include "api_corpus.h"

nerfit_status nf_annotating_open_llm(nf_annotating *a, nerfit_error *error) {
    const nerfit_annotate_options *o = &a->options;
    if (!o->llm) return NERFIT_OK;
    NF_TRY(nf_llm_open(&a->llm, &a->arena, o->llm, error));
    nf_llm_annotator *l = &a->by_llm;
    NF_TRY(nf_answer_cache_open(&l->cache, o->dry_run ? NULL : o->answers, &a->log, error));
    l->llm = &a->llm;
    l->log = &a->log;
    l->go_on = o->go_on;
    l->user = o->user;
    l->concurrency = o->concurrency ? (int)o->concurrency : 8;
    l->passes = o->passes ? o->passes : 1;
    l->vote = o->pass_votes;
    l->max_chars = o->max_chars ? o->max_chars : 2000;
    l->one_label_at_a_time = o->one_label_at_a_time;
    l->open = o->open;
    l->align = (nf_align_options){!o->as_answered, o->nested};
    l->budget = o->budget;
    l->price_in = o->price_in;
    l->price_out = o->price_out;
    l->seed = o->seed;
    l->examples = o->gold ? &o->gold->corpus : NULL;
    l->shots = o->gold ? o->shots : 0;
    a->annotators[a->n_annotators++] = (nf_annotator){a->llm.name, &a->by_llm, nf_annotate_by_llm};
    bool embeds = l->shots || (l->open && !o->dry_run);
    if (embeds && o->sentence_encoder)
        NF_TRY(nerfit_encoder_load(&a->encoder, o->sentence_encoder, o->model, error));
    return NERFIT_OK;
}

void nf_annotating_close_llm(nf_annotating *a) {
    nf_answer_cache_close(a->by_llm.cache);
    nf_llm_annotator_forget(&a->by_llm);
    json_decref(a->by_llm.dropped);
    nerfit_encoder_free(a->encoder);
}

/* ---------------------------------------------------------------- examples */

static nerfit_status annotating_embed(nf_annotating *a, const nf_corpus *corpus, float **out,
                                      nerfit_error *error) {
    size_t n = corpus->n_documents, size = nerfit_encoder_size(a->encoder);
    const char **texts = nf_arena_calloc(&a->arena, n + 1, sizeof *texts);
    float *vectors = *out = nf_arena_calloc(&a->arena, n * size + 1, sizeof *vectors);
    if (!texts || !vectors) return nf_no_memory(error, n * size * sizeof *vectors);
    for (size_t i = 0; i < n; i++) texts[i] = corpus->documents[i].text;
    return nf_encoder_encode_unit(a->encoder, texts, n, vectors, error);
}

static nerfit_status annotating_choose_examples(nf_annotating *a, const nf_corpus *texts,
                                                nerfit_error *error) {
    nf_llm_annotator *l = &a->by_llm;
    uint32_t *shown = nf_arena_calloc(&a->arena, texts->n_documents * l->shots + 1, sizeof *shown);
    nf_similar similar = {.examples = l->examples, .texts = texts};
    float *examples = NULL, *vectors = NULL;
    if (!shown) return nf_no_memory(error, texts->n_documents * l->shots);
    if (a->encoder) {
        NF_TRY(annotating_embed(a, l->examples, &examples, error));
        NF_TRY(annotating_embed(a, texts, &vectors, error));
        similar.example_vectors = examples;
        similar.text_vectors = vectors;
        similar.size = nerfit_encoder_size(a->encoder);
    }
    NF_TRY(nf_similar_choose(&similar, l->shots, shown, error));
    l->shown = shown;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- before the first request */

static void annotating_tell(nf_annotating *a, const nf_asking_estimate *e, const char *what) {
    const nerfit_annotate_options *o = &a->options;
    nf_str text = {0}, address = {0};
    nf_http_url_shown(&address, a->llm.url);
    nf_str_appendf(&text, "%s: %zu questions for %s at %s", what, e->questions, a->llm.name,
                   nf_str_text(&address));
    if (e->cached) nf_str_appendf(&text, ", %zu of them answered before", e->cached);
    nf_str_appendf(&text, "; about %.0f tokens to send and %.0f to come", e->tokens_in,
                   e->tokens_out);
    if (o->price_in > 0 || o->price_out > 0)
        nf_str_appendf(&text, ", about %.4f in money",
                       1e-6 * (e->tokens_in * o->price_in + e->tokens_out * o->price_out));
    nf_log_info(&a->log, "%s", nf_str_text(&text));
    nf_str_free(&text);
    nf_str_free(&address);
}

nerfit_status nf_annotating_prepare_llm(nf_annotating *a, const nf_corpus *texts, const char *what,
                                        nerfit_error *error) {
    const nf_job_labels labels = nf_annotating_labels(a);
    nf_asking_estimate estimate;
    if (!a->options.llm) return NERFIT_OK;
    if (a->by_llm.shots) NF_TRY(annotating_choose_examples(a, texts, error));
    if (a->options.dry_run) return NERFIT_OK;
    NF_TRY(nf_llm_annotator_estimate(&estimate, &a->by_llm, texts, &labels, error));
    annotating_tell(a, &estimate, what);
    return NERFIT_OK;
}
