#include "predict/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"
#include "data/annotations.h"
#include "data/lines.h"

enum { WINDOW = 256, CHUNK = 1 << 16 };

/* ---------------------------------------------------------------- reading */

typedef struct reader {
    const nf_stream *stream;
    char *buffer; /* [CHUNK] */
    size_t at, filled;
    bool ended;
    long line;
    nf_str text; /* of the line that is read */
    nerfit_error *err;
} reader;

/* The next line into in->text; *more is false at the end. */
static nerfit_status next_line(reader *in, bool *more) {
    nf_str_clear(&in->text);
    bool any = false;
    while (!in->ended) {
        if (in->at == in->filled) {
            ptrdiff_t got = in->stream->read(in->stream->user, in->buffer, CHUNK);
            if (got < 0)
                return nf_fail_at(in->err, NERFIT_IO, in->stream->name, in->line, 0,
                                  "cannot be read");
            in->at = 0;
            in->filled = (size_t)got;
            in->ended = got == 0;
            continue;
        }
        const char *start = in->buffer + in->at;
        const char *newline = memchr(start, '\n', in->filled - in->at);
        size_t size = newline ? (size_t)(newline - start) : in->filled - in->at;
        any = true;
        if (!nf_str_append(&in->text, start, size)) return nf_no_memory(in->err, size);
        in->at += size + (newline != NULL);
        if (newline) break;
    }
    *more = any;
    if (!any) return NERFIT_OK;
    in->line++;
    size_t bad, length = in->text.length;
    if (length && in->text.data[length - 1] == '\r') in->text.data[--in->text.length] = '\0';
    if (in->line == 1 && in->text.length >= 3 && memcmp(in->text.data, "\xEF\xBB\xBF", 3) == 0) {
        memmove(in->text.data, in->text.data + 3, in->text.length - 2);
        in->text.length -= 3;
    }
    if (!nf_utf8_valid(nf_str_text(&in->text), in->text.length, &bad))
        return nf_fail_at(in->err, NERFIT_FORMAT, in->stream->name, in->line, (long)bad + 1,
                          "is not valid UTF-8");
    return NERFIT_OK;
}

static nerfit_status add_text(reader *in, nf_corpus *corpus, const char *text, size_t size) {
    nf_given_document given = {
        .text = text, .text_size = size, .file = in->stream->name, .line = in->line};
    return nf_corpus_add(corpus, &given, NULL, in->err);
}

static nerfit_status read_text(reader *in, nf_corpus *corpus, bool *more) {
    NF_TRY(next_line(in, more));
    return *more ? add_text(in, corpus, nf_str_text(&in->text), in->text.length) : NERFIT_OK;
}

static nerfit_status read_jsonl(reader *in, nf_corpus *corpus, bool *more) {
    NF_TRY(next_line(in, more));
    if (!*more) return NERFIT_OK;
    if (nf_line_blank(nf_str_text(&in->text), in->text.length)) return add_text(in, corpus, "", 0);
    json_t *json;
    NF_TRY(nf_json_parse(&json, in->text.data, in->text.length, in->stream->name, in->line,
                         in->err));
    const json_t *text = json_is_object(json) ? json_object_get(json, "text") : json;
    nerfit_status status =
        json_is_string(text)
            ? add_text(in, corpus, json_string_value(text), json_string_length(text))
            : nf_fail_at(in->err, NERFIT_FORMAT, in->stream->name, in->line, 0,
                         "expected an object with \"text\"");
    json_decref(json);
    return status;
}

/* Words up to an empty line; documents without words are passed over. */
static nerfit_status read_conll(reader *in, nf_corpus *corpus, bool *more) {
    nf_str text = {0};
    nf_word *words = NULL;
    size_t count = 0, capacity = 0;
    long first = 0;
    uint32_t at = 0;
    nerfit_status status = NERFIT_OK;
    while (status == NERFIT_OK) {
        status = next_line(in, more);
        if (status != NERFIT_OK || !*more) break;
        const char *line = nf_str_text(&in->text);
        if (nf_line_blank(line, in->text.length)) {
            if (count) break;
            continue;
        }
        if (strncmp(line, "-DOCSTART-", 10) == 0 ||
            (line[0] == '#' && line[1] == ' ' && !strchr(line, '\t')))
            continue;
        size_t size = strcspn(line, "\t ");
        if (count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            nf_word *grown = realloc(words, capacity * sizeof *grown);
            if (!grown) {
                status = nf_no_memory(in->err, capacity * sizeof *grown);
                break;
            }
            words = grown;
        }
        if (count) nf_str_append_char(&text, ' '), at++;
        else first = in->line;
        nf_str_append(&text, line, size);
        uint32_t length = (uint32_t)nf_utf8_count(line, size);
        words[count++] = (nf_word){at, at + length};
        at += length;
    }
    if (status == NERFIT_OK && text.failed) status = nf_no_memory(in->err, 0);
    if (status == NERFIT_OK && count) {
        nf_given_document given = {.text = nf_str_text(&text),
                                   .text_size = text.length,
                                   .words = words,
                                   .n_words = count,
                                   .file = in->stream->name,
                                   .line = first};
        status = nf_corpus_add(corpus, &given, NULL, in->err);
        *more = true;
    }
    nf_str_free(&text);
    free(words);
    return status;
}

/* ---------------------------------------------------------------- writing */

static void append_json_text(nf_str *out, const char *text, size_t size) {
    json_t *json = json_stringn(text, size);
    char *quoted = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
    if (quoted) nf_str_append_text(out, quoted);
    else out->failed = true;
    free(quoted);
    json_decref(json);
}

static nerfit_status write_jsonl(nf_str *out, const nf_model *model, nf_document *d,
                                 const nf_tagged *tagged, nerfit_error *err) {
    (void)model;
    (void)err;
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
    nf_str_append_text(out, "]}\n");
    return NERFIT_OK;
}

static nerfit_status write_tokens(nf_str *out, const nf_model *model, nf_document *d,
                                  const nf_tagged *tagged, nerfit_error *err) {
    (void)err;
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

/* The formats of annotated data take the entities as spans. */
static nerfit_status write_document(nf_str *out, nf_document *d, const nf_tagged *tagged,
                                    nf_format format, nerfit_error *err) {
    nf_span *spans = calloc(tagged->n_entities + 1, sizeof *spans);
    if (!spans) return nf_no_memory(err, tagged->n_entities);
    for (size_t i = 0; i < tagged->n_entities; i++)
        spans[i] = (nf_span){tagged->entities[i].start, tagged->entities[i].end,
                             tagged->entities[i].label};
    nf_document with = *d;
    with.spans = spans;
    with.n_spans = tagged->n_entities;
    nerfit_status status = nf_annotations_write(out, &with, format, err);
    free(spans);
    return status;
}

static nerfit_status write_conll(nf_str *out, const nf_model *model, nf_document *d,
                                 const nf_tagged *tagged, nerfit_error *err) {
    (void)model;
    return write_document(out, d, tagged, NF_FORMAT_CONLL, err);
}

static nerfit_status write_brackets(nf_str *out, const nf_model *model, nf_document *d,
                                    const nf_tagged *tagged, nerfit_error *err) {
    (void)model;
    return write_document(out, d, tagged, NF_FORMAT_BRACKETS, err);
}

static void append_html(nf_str *out, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        const char *entity = text[i] == '<'   ? "&lt;"
                             : text[i] == '>' ? "&gt;"
                             : text[i] == '&' ? "&amp;"
                             : text[i] == '"' ? "&quot;"
                                              : NULL;
        if (entity) nf_str_append_text(out, entity);
        else nf_str_append_char(out, text[i]);
    }
}

static nerfit_status write_html(nf_str *out, const nf_model *model, nf_document *d,
                                const nf_tagged *tagged, nerfit_error *err) {
    (void)model;
    (void)err;
    size_t at = 0;
    nf_str_append_text(out, "<p>");
    for (size_t i = 0; i < tagged->n_entities; i++) {
        const nf_entity *e = &tagged->entities[i];
        append_html(out, d->text + at, e->byte_start - at);
        nf_str_appendf(out, "<mark title=\"%.3f\">", e->score);
        append_html(out, d->text + e->byte_start, e->byte_end - e->byte_start);
        nf_str_append_text(out, "<small>");
        append_html(out, e->label, strlen(e->label));
        nf_str_append_text(out, "</small></mark>");
        at = e->byte_end;
    }
    append_html(out, d->text + at, d->text_size - at);
    nf_str_append_text(out, "</p>\n");
    return NERFIT_OK;
}

static const char HTML_HEAD[] =
    "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>nerfit</title>\n<style>"
    "body{font:16px/1.6 sans-serif;max-width:50em;margin:2em auto}"
    "mark{background:#fe9;border-radius:.3em;padding:.1em .3em}"
    "small{margin-left:.4em;color:#850;font-size:70%}</style></head><body>\n";

static const struct {
    const char *name;
    nerfit_status (*read)(reader *in, nf_corpus *corpus, bool *more);
} inputs[] = {{"text", read_text}, {"jsonl", read_jsonl}, {"conll", read_conll}};

static const struct {
    const char *name, *head, *tail;
    nerfit_status (*write)(nf_str *out, const nf_model *model, nf_document *d,
                           const nf_tagged *tagged, nerfit_error *err);
} outputs[] = {{"jsonl", "", "", write_jsonl},
               {"conll", "", "", write_conll},
               {"brackets", "", "", write_brackets},
               {"tokens", "", "", write_tokens},
               {"html", HTML_HEAD, "</body></html>\n", write_html}};

bool nf_stream_input_find(const char *name, nf_stream_input *out) {
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        if (strcmp(name, inputs[i].name) == 0) return *out = (nf_stream_input)i, true;
    return false;
}

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
static nerfit_status tag_window(nf_tagger *tagger, const nf_model *model, reader *in, nf_str *out,
                                bool *more, size_t *n_texts) {
    nf_corpus corpus = {0};
    nf_text texts[WINDOW];
    nf_tagged results[WINDOW];
    nerfit_status status = NERFIT_OK;
    while (status == NERFIT_OK && *more && corpus.n_documents < WINDOW)
        status = inputs[in->stream->input].read(in, &corpus, more);
    for (size_t i = 0; i < corpus.n_documents; i++)
        texts[i] = (nf_text){corpus.documents[i].text, corpus.documents[i].text_size};
    if (status == NERFIT_OK && corpus.n_documents)
        status = nf_tagger_tag(tagger, texts, corpus.n_documents, results, in->err);
    nf_str_clear(out);
    for (size_t i = 0; i < corpus.n_documents && status == NERFIT_OK; i++)
        status = outputs[in->stream->output].write(out, model, &corpus.documents[i], &results[i],
                                                   in->err);
    if (status == NERFIT_OK && out->failed) status = nf_no_memory(in->err, 0);
    if (status == NERFIT_OK) status = emit(in->stream, nf_str_text(out), out->length, in->err);
    *n_texts += corpus.n_documents;
    nf_corpus_free(&corpus);
    return status;
}

nerfit_status nf_stream_tag(nf_tagger *tagger, const nf_stream *stream, size_t *n_texts,
                            nerfit_error *err) {
    reader in = {.stream = stream, .buffer = malloc(CHUNK), .err = err};
    if (!in.buffer) return nf_no_memory(err, CHUNK);
    nf_str out = {0};
    bool more = true;
    size_t count = 0;
    const char *head = outputs[stream->output].head, *tail = outputs[stream->output].tail;
    nerfit_status status = emit(stream, head, strlen(head), err);
    while (status == NERFIT_OK && more)
        status = tag_window(tagger, nf_tagger_model(tagger), &in, &out, &more, &count);
    if (status == NERFIT_OK) status = emit(stream, tail, strlen(tail), err);
    if (n_texts) *n_texts = count;
    nf_str_free(&out);
    nf_str_free(&in.text);
    free(in.buffer);
    return status;
}
