#include "data/writing.h"

#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "data/formats/format.h"

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

static nerfit_status cannot_hold(const nf_document *d, const nf_format *format, const char *what,
                                 nerfit_error *err) {
    return nf_fail_at(err, NERFIT_UNSUPPORTED, d->file, d->line, 0,
                      "%s, which %s cannot hold; use jsonl", what, format->name);
}

/* Whether the document has something beside that the format does not hold. */
static bool loses_fields(const nf_document *d, const nf_format *format) {
    bool any = d->beside && !(format->holds & NF_HOLDS_FIELDS);
    for (size_t i = 0; d->beside && format->own && format->own[i]; i++)
        any |= nf_fields_have(d->beside->fields, format->own[i]) ||
               (d->beside->labels && strcmp(format->own[i], "labels") == 0);
    for (size_t i = 0; i < d->n_spans && !(format->holds & NF_HOLDS_ENTITY_FIELDS); i++)
        any |= d->spans[i].beside != NULL;
    return any;
}

static nerfit_status compare(const nf_document *d, const nf_document *back, const nf_format *format,
                             nf_writing_losses *losses, nerfit_error *err) {
    bool text = d->text_size == back->text_size && memcmp(d->text, back->text, d->text_size) == 0;
    bool same = text && same_spans(d, back, true);
    losses->n_fields += loses_fields(d, format);
    if (!(format->holds & NF_HOLDS_ENTITIES) && text) {
        losses->n_entities += d->n_spans;
        return NERFIT_OK;
    }
    if (same) return NERFIT_OK;
    if (!(format->holds & NF_HOLDS_SPACES) && same_spans(d, back, false))
        NF_TRY(same_but_spaces(d, back, &same, err));
    if (!same)
        return cannot_hold(d, format,
                           text ? "has entities that are others when read again"
                                : "has a text that is another when read again",
                           err);
    losses->n_spacing++;
    return NERFIT_OK;
}

/* Reads what was written: one part with what stands before and after it, or a folder's parts. */
static nerfit_status read_again(nf_corpus *corpus, const nf_format *format, const nf_parts *parts,
                                nerfit_error *err) {
    nf_annotation_options options = {.format = format, .overlap = NF_OVERLAP_KEEP_ALL};
    if (format == &nf_format_conll) options.word_column.number = 1, options.label_column.number = 2;
    nf_reading reading = nf_reading_begin(corpus, &options, "what was written", err);
    if (format->folder) return nf_reading_end(&reading, format->read_parts(&reading, parts));
    const nf_str *text = &parts->items[0].text;
    return nf_annotations_parse_with(corpus, nf_str_text(text), text->length, "what was written",
                                     &options, err);
}

/* The parts that one document became. */
static nerfit_status read_back(const nf_document *d, const nf_format *format, const nf_parts *parts,
                               nf_writing_losses *losses, nerfit_error *err) {
    nf_corpus corpus = {0};
    nerfit_error problem;
    nerfit_status status = read_again(&corpus, format, parts, &problem);
    if (status == NERFIT_NO_MEMORY)
        nf_no_memory(err, d->text_size);
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

static nerfit_status append_parts(nf_parts *out, const nf_parts *parts, nerfit_error *err) {
    for (size_t i = 0; i < parts->count; i++) {
        nf_part *part = nf_parts_get(out, parts->items[i].name);
        const nf_str *text = &parts->items[i].text;
        if (!part || !nf_str_append(&part->text, nf_str_text(text), text->length))
            return nf_no_memory(err, text->length);
    }
    return NERFIT_OK;
}

static nerfit_status append_text(nf_parts *out, const char *text, nerfit_error *err) {
    nf_part *part = nf_parts_get(out, "");
    return part && nf_str_append_text(&part->text, text) ? NERFIT_OK : nf_no_memory(err, 0);
}

static nerfit_status write_one(nf_parts *out, const nf_document *d, size_t number,
                               const nf_format *format, nf_writing_losses *losses,
                               nerfit_error *err) {
    nf_parts parts = {.number = number, .before = out};
    nerfit_status status = format->write(&parts, d, err);
    if (status == NERFIT_OK) status = read_back(d, format, &parts, losses, err);
    if (status == NERFIT_OK) status = append_parts(out, &parts, err);
    nf_parts_free(&parts);
    return status;
}

static nerfit_status write_each(nf_parts *out, const nf_corpus *corpus, const nf_format *format,
                                nf_writing_losses *losses, nerfit_error *err) {
    bool empty = corpus->n_documents == 0 && format->empty;
    if (!format->folder) NF_TRY(append_text(out, empty ? format->empty : format->head, err));
    for (size_t i = 0; i < corpus->n_documents; i++) {
        if (i && !format->folder) NF_TRY(append_text(out, format->between, err));
        NF_TRY(write_one(out, &corpus->documents[i], i + 1, format, losses, err));
    }
    return format->folder || empty ? NERFIT_OK : append_text(out, format->tail, err);
}

static nerfit_status write_whole(nf_parts *out, const nf_corpus *corpus, const nf_format *format,
                                 nf_writing_losses *losses, nerfit_error *err) {
    nf_corpus back = {0};
    NF_TRY(format->write_all(out, corpus, err));
    nerfit_status status = read_again(&back, format, out, err);
    if (status == NERFIT_OK && back.n_documents != corpus->n_documents)
        status =
            nf_fail(err, NERFIT_UNSUPPORTED, "%zu texts are %zu when read again from %s; use jsonl",
                    corpus->n_documents, back.n_documents, format->name);
    for (size_t i = 0; i < corpus->n_documents && status == NERFIT_OK; i++)
        status = compare(&corpus->documents[i], &back.documents[i], format, losses, err);
    nf_corpus_free(&back);
    return status;
}

/* What no writer can say of a format that does not hold it. */
static nerfit_status check_overlaps(const nf_corpus *corpus, const nf_format *format,
                                    nerfit_error *err) {
    if (format->holds & NF_HOLDS_OVERLAPS || !(format->holds & NF_HOLDS_ENTITIES)) return NERFIT_OK;
    for (size_t i = 0; i < corpus->n_documents; i++)
        if (nf_document_overlaps(&corpus->documents[i]))
            return nf_fail_at(err, NERFIT_UNSUPPORTED, corpus->documents[i].file,
                              corpus->documents[i].line, 0,
                              "has entities that overlap, which %s cannot hold; say which are kept "
                              "(overlap longest, or first), or use jsonl",
                              format->name);
    return NERFIT_OK;
}

nerfit_status nf_corpus_format(nf_parts *out, const nf_corpus *corpus, const nf_format *format,
                               nf_writing_losses *losses, nerfit_error *err) {
    *losses = (nf_writing_losses){0};
    if (!format || !nf_format_is_written(format))
        return nf_fail(err, NERFIT_ARGUMENT, "format %s cannot be written", nf_format_name(format));
    NF_TRY(check_overlaps(corpus, format, err));
    return format->write ? write_each(out, corpus, format, losses, err)
                         : write_whole(out, corpus, format, losses, err);
}

void nf_writing_losses_log(const nf_writing_losses *losses, const nf_format *format,
                           const nf_log *log) {
    if (losses->n_spacing)
        nf_log_warning(log,
                       "%zu texts are written with single spaces between their words: %s holds "
                       "words, not the white space between them",
                       losses->n_spacing, format->name);
    if (losses->n_entities)
        nf_log_warning(log, "%zu entities are left out: plain text holds none", losses->n_entities);
    if (losses->n_fields)
        nf_log_warning(log,
                       "%zu texts or their entities have further fields (id, meta, score, ...), "
                       "which are left out: %s does not hold them",
                       losses->n_fields, format->name);
}

static nerfit_status save(const char *path, const nf_format *format, const nf_parts *parts,
                          nerfit_error *err) {
    if (!format->folder) {
        const nf_str *text = &parts->items[0].text;
        return nf_file_write(path, nf_str_text(text), text->length, err);
    }
    nf_arena arena = {0};
    nerfit_status status = nf_directory_make(path, err);
    for (size_t i = 0; i < parts->count && status == NERFIT_OK; i++) {
        const nf_part *part = &parts->items[i];
        const char *file = nf_path_join(&arena, path, part->name);
        status = file ? nf_file_write(file, nf_str_text(&part->text), part->text.length, err)
                      : nf_no_memory(err, 0);
    }
    nf_arena_free(&arena);
    return status;
}

nerfit_status nf_corpus_write(const nf_corpus *corpus, const char *path, const nf_format *format,
                              const nf_log *log, nerfit_error *err) {
    if (!path[0]) return nf_fail(err, NERFIT_ARGUMENT, "output: the path is empty");
    if (!format) format = nf_format_of_output(path);
    if (!format)
        return nf_fail_at(err, NERFIT_ARGUMENT, path, 0, 0,
                          "has an ending that tells no format; give the format");
    nf_parts parts = {0};
    nf_writing_losses losses;
    nerfit_status status = nf_corpus_format(&parts, corpus, format, &losses, err);
    if (status == NERFIT_OK) status = save(path, format, &parts, err);
    if (status == NERFIT_OK) nf_writing_losses_log(&losses, format, log);
    nf_parts_free(&parts);
    return status;
}
