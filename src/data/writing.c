#include "data/writing.h"

#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "data/conll.h"
#include "data/reading.h"

/* ---------------------------------------------------------------- reading back */

/* Spans of a text without its white space, counted in what is left. */
typedef struct bare {
    nf_str text;
    uint32_t *edges; /* [2 n_spans] start and end of every span */
} bare;

static nerfit_status make_bare(bare *out, nf_arena *arena, const nf_document *d,
                               nerfit_error *err) {
    uint32_t *left = nf_arena_calloc(arena, (size_t)d->length + 1, sizeof *left);
    out->edges = nf_arena_calloc(arena, 2 * d->n_spans + 1, sizeof *out->edges);
    if (!left || !out->edges) return nf_no_memory(err, d->length);
    uint32_t n = 0, c = 0;
    for (size_t at = 0, i = 0, size; at < d->text_size; at += size, i++) {
        size = nf_utf8_decode(d->text + at, d->text_size - at, &c);
        left[i] = n;
        if (nf_is_space(c)) continue;
        nf_str_append(&out->text, d->text + at, size);
        n++;
    }
    left[d->length] = n;
    for (size_t i = 0; i < d->n_spans; i++) {
        out->edges[2 * i] = left[d->spans[i].start];
        out->edges[2 * i + 1] = left[d->spans[i].end];
    }
    return out->text.failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}

static nerfit_status same_but_spaces(const nf_document *a, const nf_document *b, bool *same,
                                     nerfit_error *err) {
    nf_arena arena = {0};
    bare x = {.edges = NULL}, y = {.edges = NULL};
    nerfit_status status = make_bare(&x, &arena, a, err);
    if (status == NERFIT_OK) status = make_bare(&y, &arena, b, err);
    if (status == NERFIT_OK)
        *same = strcmp(nf_str_text(&x.text), nf_str_text(&y.text)) == 0 &&
                memcmp(x.edges, y.edges, 2 * a->n_spans * sizeof *x.edges) == 0;
    nf_str_free(&x.text);
    nf_str_free(&y.text);
    nf_arena_free(&arena);
    return status;
}

static bool same_spans(const nf_document *a, const nf_document *b, bool places) {
    if (a->n_spans != b->n_spans) return false;
    for (size_t i = 0; i < a->n_spans; i++) {
        const nf_span *x = &a->spans[i], *y = &b->spans[i];
        if (strcmp(x->label, y->label) != 0) return false;
        if (places && (x->start != y->start || x->end != y->end)) return false;
    }
    return true;
}

static nerfit_status cannot_hold(const nf_document *d, nf_format format, const char *what,
                                 nerfit_error *err) {
    return nf_fail_at(err, NERFIT_UNSUPPORTED, d->file, d->line, 0,
                      "%s, which %s cannot hold; use jsonl", what, nf_format_name(format));
}

static nerfit_status compare(const nf_document *d, const nf_document *back, nf_format format,
                             nf_writing_losses *losses, nerfit_error *err) {
    bool words = format == NF_FORMAT_CONLL || format == NF_FORMAT_SEQ;
    bool text = d->text_size == back->text_size && memcmp(d->text, back->text, d->text_size) == 0;
    if (format == NF_FORMAT_TEXT && text) {
        losses->n_entities += d->n_spans;
        return NERFIT_OK;
    }
    if (text && same_spans(d, back, true)) return NERFIT_OK;
    bool same = false;
    if (words && same_spans(d, back, false)) NF_TRY(same_but_spaces(d, back, &same, err));
    if (!same)
        return cannot_hold(d, format,
                           text ? "has entities that are others when read again"
                                : "has a text that is another when read again",
                           err);
    losses->n_spacing++;
    return NERFIT_OK;
}

/* The pieces that one document became. */
static nerfit_status read_back(const nf_document *d, nf_format format, const char *text,
                               size_t size, const char *labels, size_t labels_size,
                               nf_writing_losses *losses, nerfit_error *err) {
    nf_annotation_options options = {.format = format};
    if (format == NF_FORMAT_CONLL) options.word_column = 1, options.label_column = 2;
    nf_corpus corpus = {0};
    nerfit_error problem;
    nf_reading reading = nf_reading_begin(&corpus, &options, "what was written", &problem);
    nerfit_status status = format == NF_FORMAT_SEQ
                               ? nf_seq_parse(&reading, text, size, labels, labels_size, "seq.out")
                               : nf_annotations_parse_with(&corpus, text, size, "what was written",
                                                           &options, &problem);
    if (status == NERFIT_NO_MEMORY)
        nf_no_memory(err, size);
    else if (status != NERFIT_OK)
        status = cannot_hold(d, format, "has a text that is malformed when read again", err);
    else if (corpus.n_documents == 0)
        status = cannot_hold(d, format, "is an empty text", err);
    else if (corpus.n_documents > 1)
        status = cannot_hold(d, format, "is several texts when read again", err);
    else
        status = compare(d, &corpus.documents[0], format, losses, err);
    nf_corpus_free(&corpus);
    return status;
}

/* ---------------------------------------------------------------- writing */

nerfit_status nf_corpus_format(nf_str *out, nf_str *labels, const nf_corpus *corpus,
                               nf_format format, nf_writing_losses *losses, nerfit_error *err) {
    bool json = format == NF_FORMAT_JSON, seq = format == NF_FORMAT_SEQ;
    *losses = (nf_writing_losses){0};
    if (json) nf_str_append_text(out, "[");
    for (size_t i = 0; i < corpus->n_documents; i++) {
        const nf_document *d = &corpus->documents[i];
        if (json) nf_str_append_text(out, i ? ",\n" : "\n");
        size_t from = out->length, labels_from = seq ? labels->length : 0;
        NF_TRY(seq ? nf_seq_write(out, labels, d, err) : nf_annotations_write(out, d, format, err));
        NF_TRY(read_back(d, format, out->data + from, out->length - from,
                         seq ? labels->data + labels_from : NULL,
                         seq ? labels->length - labels_from : 0, losses, err));
    }
    if (json) nf_str_append_text(out, corpus->n_documents ? "\n]\n" : "]\n");
    return out->failed ? nf_no_memory(err, out->length) : NERFIT_OK;
}

void nf_writing_losses_log(const nf_writing_losses *losses, nf_format format, const nf_log *log) {
    if (losses->n_spacing)
        nf_log_warning(log,
                       "%zu texts are written with single spaces between their words: %s holds "
                       "words, not the white space between them",
                       losses->n_spacing, nf_format_name(format));
    if (losses->n_entities)
        nf_log_warning(log, "%zu entities are left out: plain text holds none", losses->n_entities);
}

static nerfit_status save(const char *path, nf_format format, const nf_str *text,
                          const nf_str *labels, nerfit_error *err) {
    if (format != NF_FORMAT_SEQ) return nf_file_write(path, nf_str_text(text), text->length, err);
    nf_arena arena = {0};
    const char *in = nf_path_join(&arena, path, "seq.in");
    const char *out = nf_path_join(&arena, path, "seq.out");
    nerfit_status status = in && out ? nf_directory_make(path, err) : nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = nf_file_write(in, nf_str_text(text), text->length, err);
    if (status == NERFIT_OK) status = nf_file_write(out, nf_str_text(labels), labels->length, err);
    nf_arena_free(&arena);
    return status;
}

nerfit_status nf_corpus_write(const nf_corpus *corpus, const char *path, nf_format format,
                              const nf_log *log, nerfit_error *err) {
    if (format == NF_FORMAT_AUTO && !nf_format_of_ending(path, &format))
        return nf_fail_at(err, NERFIT_ARGUMENT, path, 0, 0,
                          "has an ending that tells no format; give the format");
    nf_str text = {0}, labels = {0};
    nf_writing_losses losses;
    nerfit_status status = nf_corpus_format(&text, &labels, corpus, format, &losses, err);
    if (status == NERFIT_OK) status = save(path, format, &text, &labels, err);
    if (status == NERFIT_OK) nf_writing_losses_log(&losses, format, log);
    nf_str_free(&text);
    nf_str_free(&labels);
    return status;
}
