#include "infer/outputs.h"

#include <stdlib.h>
#include <string.h>

#include "base/entity_look.h"
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
    const nf_document *d = t->document;
    const nf_tag_set *tags = &t->rules->tags;
    size_t n = t->tagged->n_entities, size;
    nf_utf8_place at = text_begin(t);
    nf_entity_mark *marks = calloc(n + 1, sizeof *marks);
    uint8_t *hues = calloc(tags->n_types + 1, sizeof *hues);
    nerfit_status status = marks && hues ? NERFIT_OK : nf_no_memory(err, n);
    if (status == NERFIT_OK && n) status = nf_entity_hues(tags->types, tags->n_types, hues, err);
    for (size_t i = 0; i < n && status == NERFIT_OK; i++) {
        const nf_entity *e = &t->tagged->entities[i];
        size_t start = (size_t)(text_at(&at, e->start, e->end, &size) - d->text);
        marks[i] =
            (nf_entity_mark){start, start + size, type_name(t, e), e->score, false, hues[e->type]};
    }
    if (status == NERFIT_OK) {
        nf_str_append_text(&t->out, "<p class=\"entities\" dir=\"auto\">");
        nf_entity_html(&t->out, d->text, 0, d->text_size, marks, n);
        nf_str_append_text(&t->out, "</p>\n");
    }
    free(hues);
    free(marks);
    return status;
}

/* What stands before the texts; the style sheet is the look of entities. */
static void html_head(nf_str *out) {
    nf_str_append_text(
        out, "<!DOCTYPE html>\n<html lang=\"und\"><head><meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
             "<title>nerfit</title>\n<style>\n:root { color-scheme: light dark; }\n"
             "body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; "
             "padding: 0 1rem; }\n"
             "@media (prefers-color-scheme: dark) { body { background: #14171a; color: #e6e8ea; } "
             "}\n");
    nf_str_append_text(out, nf_entity_look_css());
    nf_str_append_text(out, "</style></head><body>\n");
}

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
    {"jsonl", NULL, "", false, write_jsonl},
    {"conll", NULL, "", false, write_conll},
    {"brackets", NULL, "", false, write_brackets},
    {"tokens", NULL, "", true, write_tokens},
    {"redacted", NULL, "", false, write_redacted},
    {"html", html_head, "</body></html>\n", false, write_html},
};

const nf_output *nf_output_find(const char *name) {
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
        if (strcmp(name, outputs[i].name) == 0) return &outputs[i];
    return NULL;
}
