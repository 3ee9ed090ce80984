/* Lines are put together from chunks; what a document is made of, a line or the lines up to an
 * empty one, is handed to the reader of its format. */
#include "data/document_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/brackets.h"
#include "data/conll.h"
#include "data/json_annotations.h"

enum { CHUNK = 1 << 16 };

typedef struct mode mode;

struct nf_document_stream {
    nf_document_source source;
    char *name;
    const mode *mode;
    char *chunk; /* [CHUNK] */
    size_t at, filled;
    bool ended;
    long line;   /* number of the line that was read last */
    nf_str text; /* that line; for conll all lines of the text, each with its line break */
    bool has_layout;
    nf_conll_layout layout;
};

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
            continue;
        }
        const char *start = s->chunk + s->at;
        const char *newline = memchr(start, '\n', s->filled - s->at);
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

/* ---------------------------------------------------------------- a line is a document */

static nerfit_status add_text(nf_reading *reading, const char *text, size_t size, long line) {
    nf_given_document given = {.text = text, .text_size = size, .line = line};
    return nf_reading_add(reading, &given);
}

static nerfit_status add_json(nf_reading *reading, const char *text, size_t size, long line) {
    if (nf_line_blank(text, size)) return add_text(reading, "", 0, line);
    return nf_json_object_read(reading, text, size, line, 1);
}

/* ---------------------------------------------------------------- a document of lines */

static bool is_break(const char *line, size_t size) {
    static const nf_conll_layout any = {.word = 1};
    nf_conll_row row;
    return nf_conll_line_read(&any, line, size, &row) == NF_CONLL_BREAK;
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

static nerfit_status add_sentence(nf_document_stream *s, nf_reading *reading, long first) {
    static const nf_annotation_options defaults = {0};
    const char *text = nf_str_text(&s->text);
    if (!s->has_layout) {
        double score;
        s->layout = nf_conll_layout_find(text, s->text.length, &defaults, 0, &score);
    }
    nf_lines lines = {text, text + s->text.length, first - 1};
    nf_conll rows = {0};
    nerfit_status status = nf_conll_rows_read(reading, &s->layout, &lines, &rows);
    s->has_layout |= rows.n_rows > 0;
    if (status == NERFIT_OK && rows.n_rows)
        status = nf_conll_sentence_add(reading, rows.rows, rows.n_rows, NF_TAGGING_AUTO);
    nf_conll_free(&rows);
    return status;
}

/* ---------------------------------------------------------------- the table */

struct mode {
    nf_format format;
    /* A line is a document; NULL: see above. */
    nerfit_status (*add)(nf_reading *reading, const char *text, size_t size, long line);
};
static const mode modes[] = {
    {NF_FORMAT_TEXT, add_text},
    {NF_FORMAT_JSONL, add_json},
    {NF_FORMAT_BRACKETS, nf_brackets_line_read},
    {NF_FORMAT_CONLL, NULL},
};

nerfit_status nf_document_stream_open(nf_document_stream **out, const nf_document_source *source,
                                      nerfit_error *err) {
    const mode *found = NULL;
    *out = NULL;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (modes[i].format == source->format) found = &modes[i];
    if (!found)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "format %s is not read as a stream; one of text, jsonl, conll, brackets is",
                       nf_format_name(source->format));
    nf_document_stream *s = calloc(1, sizeof *s);
    if (!s) return nf_no_memory(err, sizeof *s);
    s->source = *source;
    s->mode = found;
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
    free(stream->chunk);
    free(stream->name);
    free(stream);
}

nerfit_status nf_document_stream_next(nf_document_stream *s, nf_corpus *corpus, bool *more,
                                      nerfit_error *err) {
    nf_reading reading = nf_reading_begin(corpus, NULL, s->name, err);
    reading.texts_only = !s->source.with_spans;
    size_t before = corpus->n_documents;
    do {
        *more = false;
        nf_str_clear(&s->text);
        if (s->mode->add) {
            NF_TRY(read_line(s, more, err));
            if (!*more) return NERFIT_OK;
            NF_TRY(finish_line(s, 0, err));
            return s->mode->add(&reading, nf_str_text(&s->text), s->text.length, s->line);
        }
        long first;
        NF_TRY(gather(s, &first, more, err));
        if (*more) NF_TRY(add_sentence(s, &reading, first));
    } while (*more && corpus->n_documents == before); /* breaks in a row, comments */
    return NERFIT_OK;
}
