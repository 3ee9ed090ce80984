/* Lines are put together from chunks; what a document is made of, a line or the lines up to an
 * empty one, is handed to the reader of its format. */
#include "data/document_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/selection.h"
#include "data/formats/conll.h"

enum { CHUNK = 1 << 16 };

struct nf_document_stream {
    nf_document_source source;
    nf_annotation_options options; /* of the columns */
    char *name;
    const nf_format *format;
    char *chunk; /* [CHUNK] */
    size_t at, filled;
    bool begun, ended;
    char line_end; /* "\r" if the first chunk has no "\n" */
    long line;     /* number of the line that was read last */
    nf_str text;   /* that line; for conll all lines of the text, each with its line break */
    bool has_columns;
    nf_columns columns;
    nf_corpus whole; /* of a format that is read as a whole */
    size_t given;    /* its documents that were handed out */
};

/* What the first bytes say of all: UTF-16, and how lines end. */
static nerfit_status look_at_start(nf_document_stream *s, nerfit_error *err) {
    s->begun = true;
    if (s->filled >= 2 &&
        (memcmp(s->chunk, "\xFF\xFE", 2) == 0 || memcmp(s->chunk, "\xFE\xFF", 2) == 0))
        return nf_fail_at(err, NERFIT_FORMAT, s->name, 1, 0,
                          "is not UTF-8 (it begins like UTF-16); convert it: iconv -f UTF-16 -t "
                          "UTF-8 FILE");
    bool returns = memchr(s->chunk, '\r', s->filled) && !memchr(s->chunk, '\n', s->filled);
    if (returns && s->chunk[s->filled - 1] != '\r') s->line_end = '\r';
    if (returns && s->filled > 1 && memchr(s->chunk, '\r', s->filled - 1)) s->line_end = '\r';
    return NERFIT_OK;
}

/* Appends the next line to stream->text, without its end; *more is false at the end. */
static nerfit_status read_line(nf_document_stream *s, bool *more, nerfit_error *err) {
    *more = false;
    while (!s->ended) {
        if (s->at == s->filled) {
            errno = 0; /* a reader of the caller's may have no reason to give */
            ptrdiff_t got = s->source.read(s->source.user, s->chunk, CHUNK);
            if (got < 0)
                return nf_fail_at(err, NERFIT_IO, s->name, s->line, 0, "cannot be read%s%s",
                                  errno ? ": " : "", errno ? strerror(errno) : "");
            s->at = 0;
            s->filled = (size_t)got;
            s->ended = got == 0;
            if (!s->begun && got > 0) NF_TRY(look_at_start(s, err));
            continue;
        }
        const char *start = s->chunk + s->at;
        const char *newline = memchr(start, s->line_end, s->filled - s->at);
        size_t size = newline ? (size_t)(newline - start) : s->filled - s->at;
        *more = true;
        if (!nf_str_append(&s->text, start, size)) return nf_no_memory(err, size);
        s->at += size + (newline != NULL);
        if (newline) break;
    }
    s->line += *more;
    return NERFIT_OK;
}

/* The line that begins at byte `start` of stream->text, made ready: checked, and without carriage
 * return and byte order mark. */
static nerfit_status finish_line(nf_document_stream *s, size_t start, nerfit_error *err) {
    nf_str *text = &s->text;
    if (s->line == 1 && text->length >= 3 && memcmp(text->data, "\xEF\xBB\xBF", 3) == 0) {
        memmove(text->data, text->data + 3, text->length - 2);
        text->length -= 3;
    }
    if (text->length > start && text->data[text->length - 1] == '\r')
        text->data[--text->length] = '\0';
    size_t bad;
    const char *line = nf_str_text(text) + start;
    if (nf_utf8_valid(line, text->length - start, &bad)) return NERFIT_OK;
    return nf_fail_at(err, NERFIT_FORMAT, s->name, s->line, nf_line_column(line, bad),
                      "is not valid UTF-8");
}

/* ---------------------------------------------------------------- a document of lines */

static bool is_break(const char *line, size_t size) {
    return nf_line_blank(line, size) || nf_conll_is_docstart(line, size);
}

/* The lines up to the next break into stream->text. A bad line is remembered, so that the stream
 * goes on behind the whole text. */
static nerfit_status gather(nf_document_stream *s, long *first, bool *more, nerfit_error *err) {
    nerfit_status status = NERFIT_OK;
    *first = s->line + 1;
    for (;;) {
        size_t start = s->text.length;
        bool another;
        nerfit_error later;
        NF_TRY(read_line(s, &another, err));
        if (!another) break;
        *more = true;
        nerfit_status finished = finish_line(s, start, status == NERFIT_OK ? err : &later);
        if (status == NERFIT_OK) status = finished;
        if (finished == NERFIT_OK && is_break(s->text.data + start, s->text.length - start)) break;
        if (!nf_str_append_char(&s->text, '\n')) return nf_no_memory(err, s->text.length);
    }
    return status;
}

/* The columns are those of the first text that has rows. */
static nerfit_status add_sentence(nf_document_stream *s, nf_reading *reading, long first) {
    const char *text = nf_str_text(&s->text);
    if (!s->has_columns)
        NF_TRY(nf_columns_find(&s->columns, reading, text, s->text.length, reading->options, 0,
                               false, NULL));
    nf_lines lines = {text, text + s->text.length, first - 1};
    nf_conll rows = {0};
    nerfit_status status = nf_conll_rows_read(reading, &s->columns, &lines, &rows);
    if (rows.n_rows) s->has_columns = true, s->columns.header = false;
    if (status == NERFIT_OK) status = nf_conll_add_to(&rows, reading);
    nf_conll_free(&rows);
    return status;
}

/* ---------------------------------------------------------------- a whole */

/* Reads to the end of the stream and hands out one document after another. */
static nerfit_status next_of_whole(nf_document_stream *s, nf_corpus *corpus, bool *more,
                                   nerfit_error *err) {
    if (!s->ended) {
        nf_str all = {0};
        ptrdiff_t got = 0;
        while (!all.failed && (got = s->source.read(s->source.user, s->chunk, CHUNK)) > 0)
            nf_str_append(&all, s->chunk, (size_t)got);
        s->ended = true;
        nerfit_status status = got < 0 ? nf_fail_at(err, NERFIT_IO, s->name, 0, 0, "cannot be read")
                               : all.failed ? nf_no_memory(err, all.length)
                                            : NERFIT_OK;
        nf_annotation_options options = s->options;
        options.format = s->format;
        if (status == NERFIT_OK)
            status = nf_texts_parse(&s->whole, nf_str_text(&all), all.length, s->name, &options,
                                    s->source.with_spans, err);
        nf_str_free(&all);
        NF_TRY(status);
    }
    *more = s->given < s->whole.n_documents;
    if (!*more) return NERFIT_OK;
    uint32_t chosen = (uint32_t)s->given++;
    return nf_corpus_take(corpus, &s->whole, &chosen, 1, err);
}

/* ---------------------------------------------------------------- a stream */

nerfit_status nf_document_stream_open(nf_document_stream **out, const nf_document_source *source,
                                      nerfit_error *err) {
    *out = NULL;
    if (source->format && (!nf_format_is_read(source->format) || source->format->folder))
        return nf_fail(err, NERFIT_ARGUMENT, "format %s is not read as a stream",
                       nf_format_name(source->format));
    nf_document_stream *s = calloc(1, sizeof *s);
    if (!s) return nf_no_memory(err, sizeof *s);
    s->source = *source;
    if (source->options) s->options = *source->options;
    s->format = source->format;
    s->line_end = '\n';
    s->chunk = malloc(CHUNK);
    s->name = strdup(source->name ? source->name : "text");
    if (!s->chunk || !s->name) {
        nf_document_stream_close(s);
        return nf_no_memory(err, CHUNK);
    }
    *out = s;
    return NERFIT_OK;
}

void nf_document_stream_close(nf_document_stream *stream) {
    if (!stream) return;
    nf_str_free(&stream->text);
    nf_corpus_free(&stream->whole);
    free(stream->chunk);
    free(stream->name);
    free(stream);
}

nerfit_status nf_document_stream_next(nf_document_stream *s, nf_corpus *corpus, bool *more,
                                      nerfit_error *err) {
    *more = false;
    bool lines = s->format && s->format->read_line;
    if (!lines && s->format != &nf_format_conll) return next_of_whole(s, corpus, more, err);
    nf_reading reading = nf_reading_begin(corpus, &s->options, s->name, err);
    reading.texts_only = !s->source.with_spans;
    size_t before = corpus->n_documents;
    do {
        *more = false;
        nf_str_clear(&s->text);
        if (lines) {
            NF_TRY(read_line(s, more, err));
            if (!*more) return NERFIT_OK;
            NF_TRY(finish_line(s, 0, err));
            return s->format->read_line(&reading, nf_str_text(&s->text), s->text.length, s->line);
        }
        long first;
        NF_TRY(gather(s, &first, more, err));
        if (*more) NF_TRY(add_sentence(s, &reading, first));
    } while (*more && corpus->n_documents == before); /* breaks in a row, comments */
    return NERFIT_OK;
}
