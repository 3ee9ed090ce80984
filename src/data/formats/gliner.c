/* GLiNER's training data: {"tokenized_text": [...], "ner": [[first, last, "label"], ...]}, places of
 * words, the last one included. (gliner 0.2) */
#include <stdlib.h>
#include <string.h>

#include "data/formats/token_json.h"
#include "data/json_place.h"
#include "data/words.h"

static bool looks_like(const json_t *value) {
    return json_is_array(json_object_get(value, "tokenized_text"));
}

/* The text of the words, with a blank between them, and where each stands. */
static nerfit_status join_words(const nf_conll_row *rows, size_t count, nf_str *text,
                                nf_word *words, nerfit_error *err) {
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (i) nf_str_append_char(text, ' '), at++;
        nf_str_append(text, rows[i].word, rows[i].word_size);
        words[i] = (nf_word){at, at + (uint32_t)nf_utf8_count(rows[i].word, rows[i].word_size)};
        at = words[i].end;
    }
    return text->failed ? nf_no_memory(err, count) : NERFIT_OK;
}

static nerfit_status read_span(const nf_json_value *v, nf_json_items *items, size_t index,
                               const json_t *json, const nf_word *words, size_t count,
                               nf_given_span *out, bool *good) {
    const json_t *first = json_array_get(json, 0), *last = json_array_get(json, 1),
                 *label = json_array_get(json, 2);
    *good = false;
    if (!json_is_integer(first) || !json_is_integer(last) || !json_is_string(label))
        return nf_json_value_error(v, nf_json_items_at(items, v->text, v->size, index), index + 1,
                                   "expected [first word, last word, label]");
    json_int_t from = json_integer_value(first), to = json_integer_value(last);
    if (from < 0 || to < from || (uint64_t)to >= count)
        return nf_json_value_error(v, nf_json_items_at(items, v->text, v->size, index), index + 1,
                                   "words %lld..%lld are not in the text of %zu words (the last "
                                   "one counts from 0, and is included)",
                                   (long long)from, (long long)to, count);
    *out = (nf_given_span){.start = words[from].start,
                           .end = words[to].end,
                           .label = json_string_value(label),
                           .label_size = json_string_length(label)};
    *good = true;
    return NERFIT_OK;
}

static const char *foreign_key(const json_t *row) {
    return json_array_size(json_object_get(row, "entities")) ? "entities"
                                                             : nf_json_annotation_key(row, false);
}

static nerfit_status read_row(const nf_json_value *v, nf_arena *arena, nf_str *text) {
    static const char *const taken[] = {"tokenized_text", "ner", NULL};
    const json_t *list = json_object_get(v->json, "tokenized_text"),
                 *ner = json_object_get(v->json, "ner");
    nf_conll_row *rows;
    nf_beside beside = {0};
    if (!json_is_array(list)) return nf_json_value_error(v, 0, 0, "has no \"tokenized_text\"");
    if (ner && !json_is_array(ner))
        return nf_json_value_error(v, nf_json_member(v->text, v->size, 0, "ner"), 0,
                                   "\"ner\" is %s; expected an array", nf_json_type_name(ner));
    const char *foreign = ner || v->reading->texts_only ? NULL : foreign_key(v->json);
    if (foreign)
        return nf_json_value_error(v, nf_json_member(v->text, v->size, 0, foreign), 0,
                                   "has no \"ner\", but \"%s\" holds what looks like annotations; "
                                   "expected \"ner\": [[first word, last word, label], ...]",
                                   foreign);
    NF_TRY(nf_json_words(v, list, "tokenized_text", arena, &rows));
    if (!rows) return NERFIT_OK;
    size_t count = json_array_size(list), n_spans = json_array_size(ner);
    nf_word *words = nf_arena_calloc(arena, count + 1, sizeof *words);
    nf_given_span *spans = nf_arena_calloc(arena, n_spans + 1, sizeof *spans);
    if (!words || !spans) return nf_no_memory(v->reading->err, count * sizeof *words);
    NF_TRY(join_words(rows, count, text, words, v->reading->err));
    nf_json_items items = {.list = nf_json_member(v->text, v->size, 0, "ner")};
    bool good = true, all = true;
    for (size_t i = 0; i < n_spans && !v->reading->texts_only; i++) {
        NF_TRY(read_span(v, &items, i, json_array_get(ner, i), words, count, &spans[i], &good));
        all &= good;
    }
    NF_TRY(nf_json_fields(v, 0, taken, arena, &beside.fields));
    nf_given_document given = {.text = nf_str_text(text),
                               .text_size = text->length,
                               .spans = spans,
                               .n_spans = n_spans,
                               .words = words,
                               .n_words = count,
                               .beside = beside.fields ? &beside : NULL,
                               .line = v->line};
    return all ? nf_reading_add(v->reading, &given) : NERFIT_OK;
}

static nerfit_status read_value(const nf_json_value *value) {
    nf_arena arena = {0};
    nf_str text = {0};
    nerfit_status status = read_row(value, &arena, &text);
    nf_str_free(&text);
    nf_arena_free(&arena);
    return status;
}

/* Entities may overlap: words are divided at all edges, and each entity finds its first and last. */
static const char *const own[] = {"tokenized_text", "ner", NULL};

static nerfit_status write(nf_parts *parts, const nf_document *d, nerfit_error *err) {
    nf_part *part = nf_parts_get(parts, "");
    nf_word *words;
    size_t count;
    if (!part) return nf_no_memory(err, 0);
    NF_TRY(nf_words_split(&words, &count, d, err));
    nf_str *out = &part->text;
    nf_utf8_place place = {.text = d->text, .size = d->text_size};
    nf_str_append_text(out, "{\"tokenized_text\": [");
    for (size_t i = 0; i < count; i++) {
        nf_utf8_go_to(&place, words[i].start);
        size_t from = place.byte;
        nf_utf8_go_to(&place, words[i].end);
        nf_str_append_text(out, i ? ", " : "");
        nf_str_append_json(out, d->text + from, place.byte - from);
    }
    nf_str_append_text(out, "], \"ner\": [");
    for (size_t i = 0; i < d->n_spans; i++) {
        size_t first = 0, last;
        while (first < count && words[first].end <= d->spans[i].start) first++;
        for (last = first; last + 1 < count && words[last + 1].start < d->spans[i].end;) last++;
        nf_str_appendf(out, "%s[%zu, %zu, ", i ? ", " : "", first, last);
        nf_str_append_json(out, d->spans[i].label, strlen(d->spans[i].label));
        nf_str_append_char(out, ']');
    }
    free(words);
    nf_str_append_char(out, ']');
    nf_json_append_beside(out, d->beside, own);
    nf_str_append_char(out, '}');
    return out->failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}

/* clang-format off */
const nf_format nf_format_gliner = {
    .name = "gliner", .title = "GLiNER's JSON", .endings = {".json"},
    .holds = NF_HOLDS_ENTITIES | NF_HOLDS_OVERLAPS | NF_HOLDS_FIELDS,
    .recognised = "objects with `tokenized_text`",
    .kept = "words (as the text, with single blanks between them), entities, which may overlap, "
            "other fields",
    .lost = "the white space of the text; the fields of entities",
    .value_looks_like = looks_like, .read_value = read_value,
    .write = write, .own = own, .head = "[\n", .between = ",\n", .tail = "\n]\n", .empty = "[]\n",
};
/* clang-format on */
