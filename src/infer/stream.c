#include "infer/stream.h"

#include <stdlib.h>
#include <string.h>

#include "data/document_stream.h"
#include "data/json_value.h"
#include "infer/label_rules.h"
#include "infer/tagger_impl.h"

/* Texts that are sorted by length and tagged together. */
enum { TEXTS_A_PORTION = 1024 };

/* A portion of the stream. */
typedef struct stream_portion {
    nf_corpus corpus;
    nf_text texts[TEXTS_A_PORTION];
    nf_output_text outputs[TEXTS_A_PORTION];
} stream_portion;

typedef struct stream_job {
    const nf_stream *stream;
    const nf_tagging_call *call;
    nf_document_stream *in;
    nf_str out;                         /* a portion's texts */
    stream_portion *spare[NF_PORTIONS]; /* that are not in use */
    size_t n_spare;
    size_t n_texts, n_without_row;
    nf_label_rules labelled; /* of texts that bring labels of their own, for models that take any */
} stream_job;

static nerfit_status stream_emit(const nf_stream *stream, const char *data, size_t size,
                                 nerfit_error *err) {
    if (size && !stream->write(stream->user, data, size))
        return nf_fail(err, NERFIT_IO, "the output cannot be written");
    return NERFIT_OK;
}

static void stream_release(void *user, nf_portion *portion) {
    stream_job *job = user;
    stream_portion *own = portion->user;
    nf_corpus_free(&own->corpus);
    job->spare[job->n_spare++] = own;
}

/* Labels that the text brings: "labels": ["person", "place"] beside it. */
static nerfit_status stream_text_rules(stream_job *job, const nf_document *d, const nf_rules **out,
                                       nerfit_error *err) {
    *out = NULL;
    const nf_beside *beside = nf_rules_read_labels(job->call->rules) ? d->beside : NULL;
    if (!beside) return NERFIT_OK;
    if ((beside->labels && beside->n_labels == 0) || nf_fields_have(beside->fields, "labels"))
        return nf_fail_at(err, NERFIT_FORMAT, d->file, d->line, 0,
                          "\"labels\" is no list of labels, expected [\"person\", \"place\"]");
    if (!beside->labels) return NERFIT_OK;
    nerfit_status status =
        nf_label_rules_find(&job->labelled, beside->labels, beside->n_labels, out, err);
    return status == NERFIT_OK ? status : nf_fail_within(err, status, "%s:%ld", d->file, d->line);
}

static nerfit_status stream_next(void *user, nf_portion *portion, bool *more, nerfit_error *err) {
    stream_job *job = user;
    stream_portion *own = job->n_spare ? job->spare[--job->n_spare] : calloc(1, sizeof *own);
    if (!own) return nf_no_memory(err, sizeof *own);
    portion->user = own;
    nerfit_status status = NERFIT_OK;
    while (status == NERFIT_OK && *more && own->corpus.n_documents < TEXTS_A_PORTION)
        status = nf_document_stream_next(job->in, &own->corpus, more, err);
    portion->texts = own->texts;
    portion->count = own->corpus.n_documents;
    for (size_t i = 0; i < portion->count; i++) {
        const nf_document *d = &own->corpus.documents[i];
        own->texts[i] = (nf_text){.text = d->text, .size = d->text_size};
        if (status == NERFIT_OK) status = stream_text_rules(job, d, &own->texts[i].rules, err);
    }
    if (status != NERFIT_OK) {
        stream_release(job, portion);
        portion->texts = NULL;
    }
    return status;
}

static nerfit_status stream_write(const stream_job *job, nf_output_text *text, nerfit_error *err) {
    NF_TRY(job->stream->output->write(text, err));
    return text->out.failed ? nf_no_memory(err, 0) : NERFIT_OK;
}

/* On any thread. */
static nerfit_status stream_tagged(void *user, const nf_portion *portion, size_t index,
                                   nerfit_error *err) {
    const stream_job *job = user;
    stream_portion *own = portion->user;
    nf_output_text *text = &own->outputs[index];
    nf_str out = text->out;
    const nf_rules *rules = nf_text_rules(&portion->texts[index], job->call);
    nf_str_clear(&out);
    *text = (nf_output_text){.document = &own->corpus.documents[index],
                             .tagged = &portion->results[index],
                             .rules = rules,
                             .labels = rules->labels,
                             .pseudonyms = job->stream->pseudonyms,
                             .out = out};
    /* pseudonyms are given in the texts' order: stream_done writes such texts */
    return text->pseudonyms ? NERFIT_OK : stream_write(job, text, err);
}

static void stream_tell_without_row(stream_job *job, const nf_output_text *text) {
    const nf_entity *e = &text->without_row;
    if (text->n_without_row && job->n_without_row == 0)
        nf_log_warning(job->call->log,
                       "%s:%ld: entity \"%s\" at %u..%u lies in a word that has the label of "
                       "the entity before it: it is left out (jsonl has both)",
                       text->document->file, text->document->line, text->rules->tags.types[e->type],
                       e->start, e->end);
    job->n_without_row += text->n_without_row;
}

/* The texts with pseudonyms, which stand in their file before the texts are written. */
static nerfit_status stream_write_in_order(const stream_job *job, const nf_portion *portion,
                                           nerfit_error *err) {
    stream_portion *own = portion->user;
    for (size_t i = 0; i < portion->count; i++) {
        nerfit_status status = stream_write(job, &own->outputs[i], err);
        if (status != NERFIT_OK)
            return nf_fail_within(err, status, "%s:%ld", own->outputs[i].document->file,
                                  own->outputs[i].document->line);
    }
    return nf_pseudonyms_write(job->stream->pseudonyms, err);
}

static nerfit_status stream_done(void *user, const nf_portion *portion, nerfit_error *err) {
    stream_job *job = user;
    const stream_portion *own = portion->user;
    if (job->stream->pseudonyms) NF_TRY(stream_write_in_order(job, portion, err));
    nf_str_clear(&job->out);
    for (size_t i = 0; i < portion->count; i++) {
        nf_str_append(&job->out, nf_str_text(&own->outputs[i].out), own->outputs[i].out.length);
        stream_tell_without_row(job, &own->outputs[i]);
    }
    job->n_texts += portion->count;
    if (job->out.failed) return nf_no_memory(err, 0);
    return stream_emit(job->stream, nf_str_text(&job->out), job->out.length, err);
}

static void stream_locate(const nf_portion *portion, size_t index, nerfit_error *err) {
    const stream_portion *own = portion->user;
    const nf_document *d = &own->corpus.documents[index];
    if (err->line != d->line || strcmp(err->file, d->file) != 0)
        nf_fail_within(err, err->code, "%s:%ld", d->file, d->line);
}

static void stream_job_free(stream_job *job) {
    for (size_t i = 0; i < job->n_spare; i++) {
        for (size_t k = 0; k < TEXTS_A_PORTION; k++) nf_str_free(&job->spare[i]->outputs[k].out);
        free(job->spare[i]);
    }
    nf_label_rules_free(&job->labelled);
    nf_str_free(&job->out);
    nf_document_stream_close(job->in);
}

static nerfit_status emit_head(const nf_stream *stream, nerfit_error *err) {
    nf_str head = {0};
    if (stream->output->head) stream->output->head(&head);
    nerfit_status status = head.failed ? nf_no_memory(err, head.length)
                                       : stream_emit(stream, nf_str_text(&head), head.length, err);
    nf_str_free(&head);
    return status;
}

nerfit_status nf_stream_tag(nf_tagger *tagger, const nf_tagging_call *call, const nf_stream *stream,
                            size_t *n_texts, nerfit_error *err) {
    nf_document_source source = {.read = stream->read,
                                 .user = stream->user,
                                 .name = stream->name,
                                 .format = stream->input->format,
                                 .options = stream->input};
    stream_job state = {
        .stream = stream,
        .call = call,
        .labelled = {.model = tagger->model, .be = tagger->be, .base = call->rules}};
    const nf_tagging_job job = {.call = *call,
                                .token_scores = stream->output->token_scores,
                                .user = &state,
                                .next = stream_next,
                                .tagged = stream_tagged,
                                .done = stream_done,
                                .release = stream_release,
                                .locate = stream_locate};
    NF_TRY(nf_document_stream_open(&state.in, &source, err));
    nerfit_status status = emit_head(stream, err);
    const char *tail = stream->output->tail;
    if (status == NERFIT_OK) status = nf_tagger_run(tagger, &job, err);
    if (status == NERFIT_OK) status = stream_emit(stream, tail, strlen(tail), err);
    if (state.n_without_row > 1)
        nf_log_warning(call->log, "in all, %zu entities were left out so", state.n_without_row);
    if (n_texts) *n_texts = state.n_texts;
    stream_job_free(&state);
    return status;
}
