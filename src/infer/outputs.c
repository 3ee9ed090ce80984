#include "infer/outputs.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/annotations.h"
#include "data/formats/format.h"

static const char *type_name(const nf_output_text *t, const nf_entity *e) {
    return t->rules->tags.types[e->type];
}

/* Goes to code points start .. end-1; *size: their bytes. */
static const char *text_at(nf_utf8_place *at, uint32_t start, uint32_t end, size_t *size) {
    nf_utf8_go_to(at, start);
    size_t from = at->byte;
    nf_utf8_go_to(at, end);
    *size = at->byte - from;
    return at->text + from;
}

static nf_utf8_place text_begin(const nf_output_text *t) {
    return (nf_utf8_place){t->document->text, t->document->text_size, 0, 0};
}

static void append_json_text(nf_str *out, const char *text) {
    nf_str_append_json(out, text, strlen(text));
}

/* ---------------------------------------------------------------- JSON lines */

static nerfit_status write_jsonl(nf_output_text *t, nerfit_error *err) {
    static const char *const own[] = {"text", "entities", NULL};
    (void)err;
    const nf_document *d = t->document;
    nf_str *out = &t->out;
    nf_utf8_place at = text_begin(t);
    nf_str_append_text(out, "{\"text\": ");
    nf_str_append_json(out, d->text, d->text_size);
    nf_str_append_text(out, ", \"entities\": [");
    for (size_t i = 0; i < t->tagged->n_entities; i++) {
        const nf_entity *e = &t->tagged->entities[i];
        size_t size;
        const char *text = text_at(&at, e->start, e->end, &size);
        nf_str_appendf(out, "%s{\"start\": %u, \"end\": %u, \"label\": ", i ? ", " : "", e->start,
                       e->end);
        append_json_text(out, type_name(t, e));
        nf_str_append_text(out, ", \"text\": ");
        nf_str_append_json(out, text, size);
        nf_str_appendf(out, ", \"score\": %.4f}", e->score);
    }
    nf_str_append_char(out, ']');
    nf_json_append_beside(out, d->beside, own);
    nf_str_append_text(out, "}\n");
    return NERFIT_OK;
}

static nerfit_status write_tokens(nf_output_text *t, nerfit_error *err) {
    (void)err;
    nf_str *out = &t->out;
    nf_utf8_place at = text_begin(t);
    nf_str_append_text(out, "{\"tokens\": [");
    for (size_t i = 0; i < t->tagged->n_tokens; i++) {
        const nf_tagged_token *token = &t->tagged->tokens[i];
        size_t size;
        const char *text = text_at(&at, token->start, token->end, &size);
        nf_str_appendf(out, "%s{\"text\": ", i ? ", " : "");
        nf_str_append_json(out, text, size);
        nf_str_appendf(out, ", \"start\": %u, \"end\": %u, \"label\": ", token->start, token->end);
        append_json_text(out, t->labels[token->label]);
        nf_str_appendf(out, ", \"score\": %.4f}", (double)token->score);
    }
    nf_str_append_text(out, "]}\n");
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- formats of annotated data */

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

/* The formats take the entities as spans. Words that are given stay as they are: each has one label,
 * that of the first entity in it. */
static nerfit_status write_document(nf_output_text *t, const nf_format *format, bool rows,
                                    nerfit_error *err) {
    const nf_document *d = t->document;
    size_t count = 0, word = 0;
    nf_span *spans = calloc(t->tagged->n_entities + 1, sizeof *spans);
    if (!spans) return nf_no_memory(err, t->tagged->n_entities);
    for (size_t i = 0; i < t->tagged->n_entities; i++) {
        const nf_entity *e = &t->tagged->entities[i];
        spans[count] = (nf_span){.start = e->start, .end = e->end, .label = type_name(t, e)};
        if (!rows || widen_to_words(&spans[count], d, word, &word))
            count++;
        else if (t->n_without_row++ == 0)
            t->without_row = *e;
    }
    nf_document with = *d;
    with.spans = spans;
    with.n_spans = count;
    nerfit_status status = nf_annotations_write(&t->out, &with, format, err);
    free(spans);
    return status;
}

static nerfit_status write_conll(nf_output_text *t, nerfit_error *err) {
    return write_document(t, &nf_format_conll, t->document->n_words > 0, err);
}

static nerfit_status write_brackets(nf_output_text *t, nerfit_error *err) {
    return write_document(t, &nf_format_brackets, false, err);
}

/* ---------------------------------------------------------------- HTML */

static nerfit_status write_html(nf_output_text *t, nerfit_error *err) {
    (void)err;
    nf_str *out = &t->out;
    nf_utf8_place at = text_begin(t);
    uint32_t last = 0;
    size_t size;
    nf_str_append_text(out, "<p>");
    for (size_t i = 0; i < t->tagged->n_entities; i++) {
        const nf_entity *e = &t->tagged->entities[i];
        const char *text = text_at(&at, last, e->start, &size), *name = type_name(t, e);
        nf_str_append_html(out, text, size);
        nf_str_appendf(out, "<mark title=\"%.3f\">", e->score);
        text = text_at(&at, e->start, e->end, &size);
        nf_str_append_html(out, text, size);
        nf_str_append_text(out, "<small>");
        nf_str_append_html(out, name, strlen(name));
        nf_str_append_text(out, "</small></mark>");
        last = e->end;
    }
    const char *rest = text_at(&at, last, UINT32_MAX, &size);
    nf_str_append_html(out, rest, size);
    nf_str_append_text(out, "</p>\n");
    return NERFIT_OK;
}

static const char HTML_HEAD[] =
    "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>nerfit</title>\n<style>"
    "body{font:16px/1.6 sans-serif;max-width:50em;margin:2em auto}"
    "mark{background:#fe9;border-radius:.3em;padding:.1em .3em}"
    "small{margin-left:.4em;color:#850;font-size:70%}</style></head><body>\n";

/* The text with [TYPE], or a pseudonym, in the place of every entity, a line a text. */
static nerfit_status write_redacted(nf_output_text *t, nerfit_error *err) {
    nf_str *out = &t->out;
    nf_utf8_place at = text_begin(t);
    uint32_t last = 0;
    size_t size;
    for (size_t i = 0; i <= t->tagged->n_entities; i++) {
        bool rest = i == t->tagged->n_entities;
        const nf_entity *e = rest ? NULL : &t->tagged->entities[i];
        if (e && e->start < last) { /* it begins in one that is taken out already */
            if (e->end > last) text_at(&at, last, e->end, &size), last = e->end;
            continue;
        }
        const char *text = text_at(&at, last, e ? e->start : UINT32_MAX, &size);
        if (memchr(text, '\n', size) || memchr(text, '\r', size))
            return nf_fail(err, NERFIT_FORMAT,
                           "a text holds a line break; redacted output is a line a text");
        nf_str_append(out, text, size);
        if (!e) break;
        text = text_at(&at, e->start, e->end, &size);
        const char *name =
            t->pseudonyms ? nf_pseudonyms_get(t->pseudonyms, type_name(t, e), text, size) : NULL;
        if (t->pseudonyms && !name) return nf_no_memory(err, size);
        if (name)
            nf_str_append_text(out, name);
        else
            nf_str_appendf(out, "[%s]", type_name(t, e));
        last = e->end;
    }
    nf_str_append_char(out, '\n');
    return NERFIT_OK;
}

static const nf_output outputs[] = {
    {"jsonl", "", "", false, write_jsonl},
    {"conll", "", "", false, write_conll},
    {"brackets", "", "", false, write_brackets},
    {"tokens", "", "", true, write_tokens},
    {"redacted", "", "", false, write_redacted},
    {"html", HTML_HEAD, "</body></html>\n", false, write_html},
};

const nf_output *nf_output_find(const char *name) {
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
        if (strcmp(name, outputs[i].name) == 0) return &outputs[i];
    return NULL;
}
