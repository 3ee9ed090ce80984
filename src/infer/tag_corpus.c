/* A window of documents at a time: enough for batches of similar length. */
#include "infer/tag_corpus.h"

#include <stdlib.h>

enum { DOCUMENTS_A_PORTION = 256 };

typedef struct corpus_job {
    const nf_corpus *corpus;
    size_t read; /* documents */
    nf_tagged_visit visit;
    void *user;
} corpus_job;

static nerfit_status corpus_next(void *user, nf_portion *portion, bool *more, nerfit_error *err) {
    corpus_job *job = user;
    const nf_document *documents = job->corpus->documents + job->read;
    size_t left = job->corpus->n_documents - job->read;
    size_t count = left < DOCUMENTS_A_PORTION ? left : DOCUMENTS_A_PORTION;
    nf_text *texts = malloc((count + 1) * sizeof *texts);
    if (!texts) return nf_no_memory(err, count * sizeof *texts);
    for (size_t i = 0; i < count; i++)
        texts[i] = (nf_text){.text = documents[i].text, .size = documents[i].text_size};
    job->read += count;
    portion->texts = texts;
    portion->count = count;
    portion->user = (void *)(uintptr_t)documents;
    *more = count < left;
    return NERFIT_OK;
}

static void corpus_release(void *user, nf_portion *portion) {
    (void)user;
    free((void *)(uintptr_t)portion->texts);
}

static nerfit_status corpus_done(void *user, const nf_portion *portion, nerfit_error *err) {
    const corpus_job *job = user;
    const nf_document *documents = portion->user;
    for (size_t i = 0; i < portion->count; i++)
        NF_TRY(job->visit(job->user, &documents[i], &portion->results[i], err));
    return NERFIT_OK;
}

static void corpus_locate(const nf_portion *portion, size_t index, nerfit_error *err) {
    const nf_document *d = (const nf_document *)portion->user + index;
    nf_fail_within(err, err->code, "%s:%ld", d->file ? d->file : "text", d->line);
}

nerfit_status nf_tag_corpus(nf_tagger *tagger, const nf_tagging_call *call, const nf_corpus *corpus,
                            nf_tagged_visit visit, void *user, nerfit_error *err) {
    corpus_job state = {.corpus = corpus, .visit = visit, .user = user};
    const nf_tagging_job job = {.call = *call,
                                .user = &state,
                                .next = corpus_next,
                                .done = corpus_done,
                                .release = corpus_release,
                                .locate = corpus_locate};
    return nf_tagger_run(tagger, &job, err);
}
