#include "data/weights.h"

#include <stdlib.h>
#include <string.h>

#include "data/selection.h"

double nf_weight_of(const nf_beside *beside) {
    return beside && beside->weighted ? beside->weight : 1.0;
}

static double source_weight(const nf_source_weights *sources, const nf_beside *beside) {
    for (size_t i = 0; beside && beside->source && i < sources->count; i++)
        if (strcmp(sources->items[i].source, beside->source) == 0) return sources->items[i].weight;
    return 1.0;
}

static double weight_of_text(const nf_document *d, const nf_source_weights *sources) {
    bool nothing = d->beside && d->beside->labels && d->beside->n_labels == 0;
    return nothing ? 0.0 : nf_weight_of(d->beside) * source_weight(sources, d->beside);
}

/* In the text: times the text's weight it is what its words count. */
static double weight_of_entity(const nf_document *d, const nf_span *span,
                               const nf_source_weights *sources) {
    double weight = nf_weight_of(span->beside), of_text = source_weight(sources, d->beside);
    bool other =
        span->beside && span->beside->source &&
        !(d->beside && d->beside->source && strcmp(span->beside->source, d->beside->source) == 0);
    return other ? weight * source_weight(sources, span->beside) / of_text : weight;
}

bool nf_corpus_is_weighted(const nf_corpus *corpus, const nf_source_weights *sources) {
    for (size_t i = 0; i < corpus->n_documents; i++) {
        const nf_document *d = &corpus->documents[i];
        if (d->beside && (d->beside->n_unknown || d->beside->labels)) return true;
        if (weight_of_text(d, sources) != 1.0) return true;
        for (size_t k = 0; k < d->n_spans; k++)
            if (weight_of_entity(d, &d->spans[k], sources) != 1.0) return true;
    }
    return false;
}

/* ---------------------------------------------------------------- the copy */

typedef struct weighing {
    nf_corpus *out;
    const nf_source_weights *sources;
    size_t left_out, texts, entities, unknown, labelled;
} weighing;

static nf_beside weighed(const nf_beside *beside, double weight) {
    nf_beside out = beside ? *beside : (nf_beside){0};
    out.source = NULL;
    out.weight = weight;
    out.weighted = weight != 1.0;
    return out;
}

static bool is_bare(const nf_beside *b) {
    return !b->fields && !b->source && !b->weighted && !b->n_unknown && !b->labels;
}

/* The document without its entities of weight 0, whose places join `unknown`. */
static nerfit_status weigh_document(weighing *w, const nf_document *d, nerfit_error *err) {
    nf_arena arena = {0};
    nf_beside text = weighed(d->beside, weight_of_text(d, w->sources));
    nf_span *spans = nf_arena_calloc(&arena, d->n_spans + 1, sizeof *spans);
    nf_beside *besides = nf_arena_calloc(&arena, d->n_spans + 1, sizeof *besides);
    nf_range *unknown = nf_arena_calloc(&arena, d->n_spans + text.n_unknown + 1, sizeof *unknown);
    nf_document copy = *d;
    nerfit_status status = spans && besides && unknown ? NERFIT_OK : nf_no_memory(err, d->n_spans);
    copy.spans = spans;
    copy.n_spans = 0;
    if (status == NERFIT_OK && text.n_unknown)
        memcpy(unknown, text.unknown, text.n_unknown * sizeof *unknown);
    for (size_t i = 0; i < d->n_spans && status == NERFIT_OK; i++) {
        const nf_span *span = &d->spans[i];
        double weight = weight_of_entity(d, span, w->sources);
        if (weight == 0.0) {
            unknown[text.n_unknown++] = (nf_range){span->start, span->end};
            continue;
        }
        nf_span *kept = &spans[copy.n_spans];
        besides[copy.n_spans] = weighed(span->beside, weight);
        *kept = *span;
        kept->beside = is_bare(&besides[copy.n_spans]) ? NULL : &besides[copy.n_spans];
        copy.n_spans++;
        w->entities += weight != 1.0;
    }
    text.unknown = unknown;
    copy.beside = is_bare(&text) ? NULL : &text;
    w->texts += text.weighted;
    w->unknown += text.n_unknown;
    w->labelled += text.labels != NULL;
    if (status == NERFIT_OK) status = nf_corpus_copy(w->out, &copy, err);
    nf_arena_free(&arena);
    return status;
}

/* The labels of what is kept, in the corpus's order. */
static nerfit_status copy_labels(const weighing *w, const nf_corpus *corpus, nerfit_error *err) {
    char *used = calloc(corpus->n_labels + 1, 1);
    if (!used) return nf_no_memory(err, corpus->n_labels);
    for (size_t i = 0; i < corpus->n_documents; i++) {
        const nf_document *d = &corpus->documents[i];
        if (weight_of_text(d, w->sources) == 0.0) continue;
        for (size_t s = 0; s < d->n_spans; s++)
            for (size_t k = 0; k < corpus->n_labels; k++) {
                if (corpus->labels[k] != d->spans[s].label) continue;
                used[k] |= weight_of_entity(d, &d->spans[s], w->sources) != 0.0;
                break;
            }
    }
    nerfit_status status = NERFIT_OK;
    for (size_t k = 0; k < corpus->n_labels && status == NERFIT_OK; k++)
        if (used[k] && !nf_corpus_label(w->out, corpus->labels[k], strlen(corpus->labels[k])))
            status = nf_no_memory(err, strlen(corpus->labels[k]));
    free(used);
    return status;
}

static void tell(const weighing *w, const nf_log *log) {
    if (w->texts || w->entities)
        nf_log_info(log, "weights: %zu texts and %zu entities count other than 1", w->texts,
                    w->entities);
    if (w->left_out) nf_log_info(log, "weights: %zu texts count 0 and are left out", w->left_out);
    if (w->unknown)
        nf_log_info(log, "%zu places are unknown: their words are left out of the loss",
                    w->unknown);
    if (w->labelled)
        nf_log_info(log,
                    "%zu texts name the labels that were looked for in them: the others are "
                    "neither right nor wrong there",
                    w->labelled);
}

nerfit_status nf_corpus_weigh(nf_corpus *out, const nf_corpus *corpus,
                              const nf_source_weights *sources, const nf_log *log,
                              nerfit_error *err) {
    weighing w = {.out = out, .sources = sources};
    NF_TRY(copy_labels(&w, corpus, err));
    for (size_t i = 0; i < corpus->n_documents; i++) {
        const nf_document *d = &corpus->documents[i];
        if (weight_of_text(d, sources) == 0.0)
            w.left_out++;
        else
            NF_TRY(weigh_document(&w, d, err));
    }
    tell(&w, log);
    return NERFIT_OK;
}
