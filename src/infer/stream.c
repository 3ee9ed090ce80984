#include "infer/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"
#include "data/document_stream.h"
#include "data/formats/format.h"

/* Texts that are sorted by length and tagged together. */
enum { WINDOW = 1024 };

/* ---------------------------------------------------------------- writing */

/* What is written, and of what. */
typedef struct writer {
    const nf_stream *stream;
    const nf_model *model;
    nf_str out;           /* of a window of texts */
    size_t n_without_row; /* entities that share a given word with the one before them */
} writer;

static void append_json_text(nf_str *out, const char *text, size_t size) {
    json_t *json = json_stringn(text, size);
    char *quoted = json ? nf_json_text(json, 0) : NULL;
    if (quoted)
        nf_str_append_text(out, quoted);
    else
        out->failed = true;
    free(quoted);
    json_decref(json);
}

static nerfit_status write_jsonl(writer *w, nf_document *d, const nf_tagged *tagged,
                                 nerfit_error *err) {
    static const char *const own[] = {"text", "entities", NULL};
    nf_str *out = &w->out;
    nf_str_append_text(out, "{\"text\": ");
    append_json_text(out, d->text, d->text_size);
    nf_str_append_text(out, ", \"entities\": [");
    for (size_t i = 0; i < tagged->n_entities; i++) {
        const nf_entity *e = &tagged->entities[i];
        nf_str_appendf(out, "%s{\"start\": %u, \"end\": %u, \"label\": ", i ? ", " : "", e->start,
                       e->end);
        append_json_text(out, e->label, strlen(e->label));
        nf_str_append_text(out, ", \"text\": ");
        append_json_text(out, d->text + e->byte_start, e->byte_end - e->byte_start);
        nf_str_appendf(out, ", \"score\": %.4f}", e->score);
    }
    nf_str_append_char(out, ']');
    NF_TRY(nf_json_append_beside(out, d, d->beside, own, "jsonl", err));
    nf_str_append_text(out, "}\n");
    return NERFIT_OK;
}

static nerfit_status write_tokens(writer *w, nf_document *d, const nf_tagged *tagged,
                                  nerfit_error *err) {
    (void)err;
    nf_str *out = &w->out;
    const nf_model *model = w->model;
    nf_str_append_text(out, "{\"tokens\": [");
    size_t at = 0;
    uint32_t index = 0;
    for (size_t i = 0; i < tagged->n_tokens; i++) {
        const nf_tagged_token *token = &tagged->tokens[i];
        if (token->start < index) at = 0, index = 0;
        at += nf_utf8_offset(d->text + at, d->text_size - at, token->start - index);
        index = token->start;
        size_t size = nf_utf8_offset(d->text + at, d->text_size - at, token->end - token->start);
        nf_str_appendf(out, "%s{\"text\": ", i ? ", " : "");
        append_json_text(out, d->text + at, size);
        nf_str_appendf(out, ", \"start\": %u, \"end\": %u, \"label\": ", token->start, token->end);
        append_json_text(out, model->labels[token->label], strlen(model->labels[token->label]));
        nf_str_appendf(out, ", \"score\": %.4f}", (double)token->score);
    }
    nf_str_append_text(out, "]}\n");
    return NERFIT_OK;
}

/* The given words (CoNLL's rows) that a span shares a character with, from word `first` on: it is
 * widened to them, and *next is the word behind. False if there is none. */
static bool widen_to_words(nf_span *span, const nf_document *d, size_t first, size_t *next) {
    while (first < d->n_words && d->words[first].end <= span->start) first++;
    size_t end = first;
    while (end < d->n_words && d->words[end].start < span->end) end++;
    if (end == first) return false;
    span->start = d->words[first].start;
    span->end = d->words[end - 1].end;
    *next = end;
    return true;
}

/* The formats of annotated data take the entities as spans. Words that are given stay as they are:
 * each has one label, that of the first entity in it. */
static nerfit_status write_document(writer *w, nf_document *d, const nf_tagged *tagged,
                                    const nf_format *format, nerfit_error *err) {
    nf_span *spans = calloc(tagged->n_entities + 1, sizeof *spans);
    if (!spans) return nf_no_memory(err, tagged->n_entities);
    size_t count = 0, word = 0;
    bool rows = format == &nf_format_conll && d->n_words;
    for (size_t i = 0; i < tagged->n_entities; i++) {
        const nf_entity *e = &tagged->entities[i];
        spans[count] = (nf_span){.start = e->start, .end = e->end, .label = e->label};
        if (!rows || widen_to_words(&spans[count], d, word, &word))
            count++;
        else if (w->n_without_row++ == 0)
            nf_log_warning(w->stream->log,
                           "%s:%ld: entity \"%s\" at %u..%u lies in a word that has the label of "
                           "the entity before it: it is left out (jsonl has both)",
                           d->file, d->line, e->label, e->start, e->end);
    }
    nf_document with = *d;
    with.spans = spans;
    with.n_spans = count;
    nerfit_status status = nf_annotations_write(&w->out, &with, format, err);
    free(spans);
    return status;
}

static nerfit_status write_conll(writer *w, nf_document *d, const nf_tagged *tagged,
                                 nerfit_error *err) {
    return write_document(w, d, tagged, &nf_format_conll, err);
}

static nerfit_status write_brackets(writer *w, nf_document *d, const nf_tagged *tagged,
                                    nerfit_error *err) {
    return write_document(w, d, tagged, &nf_format_brackets, err);
}

static nerfit_status write_html(writer *w, nf_document *d, const nf_tagged *tagged,
                                nerfit_error *err) {
    (void)err;
    nf_str *out = &w->out;
    size_t at = 0;
    nf_str_append_text(out, "<p>");
    for (size_t i = 0; i < tagged->n_entities; i++) {
        const nf_entity *e = &tagged->entities[i];
        nf_str_append_html(out, d->text + at, e->byte_start - at);
        nf_str_appendf(out, "<mark title=\"%.3f\">", e->score);
        nf_str_append_html(out, d->text + e->byte_start, e->byte_end - e->byte_start);
        nf_str_append_text(out, "<small>");
        nf_str_append_html(out, e->label, strlen(e->label));
        nf_str_append_text(out, "</small></mark>");
        at = e->byte_end;
    }
    nf_str_append_html(out, d->text + at, d->text_size - at);
    nf_str_append_text(out, "</p>\n");
    return NERFIT_OK;
}

static const char HTML_HEAD[] =
    "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>nerfit</title>\n<style>"
    "body{font:16px/1.6 sans-serif;max-width:50em;margin:2em auto}"
    "mark{background:#fe9;border-radius:.3em;padding:.1em .3em}"
    "small{margin-left:.4em;color:#850;font-size:70%}</style></head><body>\n";

static const struct {
    const char *name, *head, *tail;
    nerfit_status (*write)(writer *w, nf_document *d, const nf_tagged *tagged, nerfit_error *err);
} outputs[] = {{"jsonl", "", "", write_jsonl},
               {"conll", "", "", write_conll},
               {"brackets", "", "", write_brackets},
               {"tokens", "", "", write_tokens},
               {"html", HTML_HEAD, "</body></html>\n", write_html}};

bool nf_stream_output_find(const char *name, nf_stream_output *out) {
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
        if (strcmp(name, outputs[i].name) == 0) return *out = (nf_stream_output)i, true;
    return false;
}

/* ---------------------------------------------------------------- the loop */

static nerfit_status emit(const nf_stream *stream, const char *data, size_t size,
                          nerfit_error *err) {
    if (size && !stream->write(stream->user, data, size))
        return nf_fail(err, NERFIT_IO, "the output cannot be written");
    return NERFIT_OK;
}

/* Reads, tags and writes one window; *more is false when the input has ended. */
static nerfit_status tag_window(nf_tagger *tagger, nf_document_stream *in, writer *w, bool *more,
                                size_t *n_texts, nerfit_error *err) {
    const nf_stream *stream = w->stream;
    nf_corpus corpus = {0};
    nf_text texts[WINDOW];
    nf_tagged results[WINDOW];
    nerfit_status status = NERFIT_OK;
    while (status == NERFIT_OK && *more && corpus.n_documents < WINDOW)
        status = nf_document_stream_next(in, &corpus, more, err);
    for (size_t i = 0; i < corpus.n_documents; i++)
        texts[i] = (nf_text){corpus.documents[i].text, corpus.documents[i].text_size};
    if (status == NERFIT_OK && corpus.n_documents)
        status = nf_tagger_tag(tagger, texts, corpus.n_documents, results, err);
    nf_str_clear(&w->out);
    for (size_t i = 0; i < corpus.n_documents && status == NERFIT_OK; i++)
        status = outputs[stream->output].write(w, &corpus.documents[i], &results[i], err);
    if (status == NERFIT_OK && w->out.failed) status = nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = emit(stream, nf_str_text(&w->out), w->out.length, err);
    *n_texts += corpus.n_documents;
    nf_corpus_free(&corpus);
    return status;
}

nerfit_status nf_stream_tag(nf_tagger *tagger, const nf_stream *stream, size_t *n_texts,
                            nerfit_error *err) {
    nf_document_source source = {.read = stream->read,
                                 .user = stream->user,
                                 .name = stream->name,
                                 .format = stream->input->format,
                                 .options = stream->input};
    nf_document_stream *in;
    NF_TRY(nf_document_stream_open(&in, &source, err));
    writer w = {.stream = stream, .model = nf_tagger_model(tagger)};
    bool more = true;
    size_t count = 0;
    const char *head = outputs[stream->output].head, *tail = outputs[stream->output].tail;
    nerfit_status status = emit(stream, head, strlen(head), err);
    while (status == NERFIT_OK && more) status = tag_window(tagger, in, &w, &more, &count, err);
    if (status == NERFIT_OK) status = emit(stream, tail, strlen(tail), err);
    if (w.n_without_row > 1)
        nf_log_warning(stream->log, "in all, %zu entities were left out so", w.n_without_row);
    if (n_texts) *n_texts = count;
    nf_str_free(&w.out);
    nf_document_stream_close(in);
    return status;
}
