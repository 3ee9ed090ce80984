#include "data/checking.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "data/consistency.h"
#include "data/selection.h"

bool nf_same_entities(const nf_document *a, const nf_document *b) {
    if (a->n_spans != b->n_spans) return false;
    for (size_t i = 0; i < a->n_spans; i++)
        if (a->spans[i].start != b->spans[i].start || a->spans[i].end != b->spans[i].end ||
            strcmp(a->spans[i].label, b->spans[i].label) != 0)
            return false;
    return true;
}

static nerfit_status check_repeated(const nf_corpus *const *corpora, size_t count, nf_arena *arena,
                                    nf_annotation_report *report, nerfit_error *err) {
    size_t all = 0, n = 0;
    for (size_t i = 0; i < count; i++) all += corpora[i]->n_documents;
    uint32_t *same = nf_arena_calloc(arena, all + 1, sizeof *same);
    const nf_document **documents = nf_arena_calloc(arena, all + 1, sizeof *documents);
    if (!same || !documents) return nf_no_memory(err, all);
    NF_TRY(nf_texts_same_as(corpora, count, same, err));
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < corpora[i]->n_documents; k++)
            documents[n++] = &corpora[i]->documents[k];
    for (size_t i = 0; i < all; i++) {
        const nf_document *d = documents[i], *first = documents[same[i]];
        if (first == d) continue;
        bool equal = nf_same_entities(d, first);
        nf_finding finding = {.kind = equal ? NF_FINDING_REPEATED : NF_FINDING_CONFLICT,
                              .file = d->file,
                              .line = d->line};
        NF_TRY(nf_annotation_report_tell(report, finding, err,
                                         "the text of %s:%ld again, with %s entities", first->file,
                                         first->line, equal ? "the same" : "other"));
    }
    return NERFIT_OK;
}

static nerfit_status check_empty(const nf_corpus *const *corpora, size_t count,
                                 nf_annotation_report *report, nerfit_error *err) {
    for (size_t i = 0; i < count; i++) {
        if (corpora[i]->n_documents == 0 || corpora[i]->n_spans) continue;
        nf_finding finding = {.kind = NF_FINDING_NO_ENTITY, .file = corpora[i]->documents[0].file};
        NF_TRY(nf_annotation_report_tell(report, finding, err,
                                         "none of its %zu texts has an entity; is this the right "
                                         "format?",
                                         corpora[i]->n_documents));
    }
    return NERFIT_OK;
}

static bool is_described(const nf_descriptions *d, const char *label) {
    return nf_list_index(d->labels, d->count, label) < d->count;
}

static bool is_used(const nf_corpus *const *corpora, size_t count, const char *label) {
    for (size_t i = 0; i < count; i++)
        if (nf_list_index(corpora[i]->labels, corpora[i]->n_labels, label) < corpora[i]->n_labels)
            return true;
    return false;
}

/* The first text with the label, for the message. */
static const nf_document *text_with(const nf_corpus *corpus, const char *label) {
    for (size_t i = 0; i < corpus->n_documents; i++)
        for (size_t k = 0; k < corpus->documents[i].n_spans; k++)
            if (strcmp(corpus->documents[i].spans[k].label, label) == 0)
                return &corpus->documents[i];
    return NULL;
}

static nerfit_status check_descriptions(const nf_corpus *const *corpora, size_t count,
                                        const nf_descriptions *descriptions, const char *file,
                                        nf_annotation_report *report, nerfit_error *err) {
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < corpora[i]->n_labels; k++) {
            const char *label = corpora[i]->labels[k];
            const nf_document *d = text_with(corpora[i], label);
            if (!d || is_described(descriptions, label)) continue;
            nf_finding finding = {.kind = NF_FINDING_UNDESCRIBED,
                                  .is_error = true,
                                  .file = d->file,
                                  .line = d->line,
                                  .label = label};
            NF_TRY(nf_annotation_report_tell(report, finding, err,
                                             "label \"%s\" has no description in %s", label, file));
        }
    for (size_t i = 0; i < descriptions->count; i++) {
        if (is_used(corpora, count, descriptions->labels[i])) continue;
        nf_finding finding = {
            .kind = NF_FINDING_UNUSED, .file = file, .label = descriptions->labels[i]};
        NF_TRY(nf_annotation_report_tell(report, finding, err,
                                         "no text has an entity of label \"%s\"",
                                         descriptions->labels[i]));
    }
    return NERFIT_OK;
}

nerfit_status nf_corpora_check(const nf_corpus *const *corpora, size_t count,
                               const nf_descriptions *descriptions, const char *descriptions_file,
                               nf_annotation_report *report, nerfit_error *err) {
    nf_arena arena = {0};
    nerfit_status status = check_repeated(corpora, count, &arena, report, err);
    if (status == NERFIT_OK) status = check_empty(corpora, count, report, err);
    if (status == NERFIT_OK) status = nf_check_near_repeats(corpora, count, report, err);
    if (status == NERFIT_OK) status = nf_check_word_edges(corpora, count, report, err);
    if (status == NERFIT_OK) status = nf_check_labels(corpora, count, report, err);
    if (status == NERFIT_OK) status = nf_check_characters(corpora, count, report, err);
    if (status == NERFIT_OK && descriptions)
        status = check_descriptions(corpora, count, descriptions, descriptions_file, report, err);
    nf_arena_free(&arena);
    return status;
}
