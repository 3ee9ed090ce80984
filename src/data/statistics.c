#include "data/statistics.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "base/utf8.h"
#include "data/checking.h"
#include "data/selection.h"
#include "data/words.h"

/* ---------------------------------------------------------------- counting */

/* Entity texts with their labels. */
typedef struct entity_text {
    UT_hash_handle hh;
} entity_text;

typedef struct type_count {
    size_t entities, texts, distinct, words;
    size_t last_text; /* in which it was counted, plus 1 */
} type_count;

typedef struct split_count {
    const nf_corpus *corpus;
    size_t *text_words;   /* [n_documents] */
    size_t *entity_words; /* [n_spans] */
    size_t words, characters, without, repeated, conflicts;
    type_count *types; /* [n_labels] */
    entity_text *entities;
    const uint32_t *same_as; /* [n_documents], numbers over all splits */
    uint32_t first;          /* the number of its first text */
} split_count;

typedef struct counter {
    nf_arena arena;
    split_count *splits; /* [count] */
    size_t count;
    uint32_t *same_as;
    nerfit_error *err;
} counter;

static size_t type_index(const nf_corpus *corpus, const char *label) {
    size_t i = 0;
    while (corpus->labels[i] != label) i++;
    return i;
}

/* Label, a NUL, and the entity's text: the key of an entity_text. */
static nerfit_status entity_key(nf_str *key, const nf_document *d, const nf_span *span,
                                nerfit_error *err) {
    size_t from = nf_utf8_offset(d->text, d->text_size, span->start);
    size_t size = nf_utf8_offset(d->text + from, d->text_size - from, span->end - span->start);
    nf_str_clear(key);
    nf_str_append(key, span->label, strlen(span->label) + 1);
    nf_str_append(key, d->text + from, size);
    return key->failed ? nf_no_memory(err, size) : NERFIT_OK;
}

static nerfit_status count_entity(counter *c, split_count *s, size_t text, const nf_span *span,
                                  size_t words, nf_str *key) {
    type_count *type = &s->types[type_index(s->corpus, span->label)];
    type->entities++;
    type->words += words;
    if (type->last_text != text + 1) type->texts++;
    type->last_text = text + 1;
    NF_TRY(entity_key(key, &s->corpus->documents[text], span, c->err));
    entity_text *known;
    HASH_FIND(hh, s->entities, key->data, key->length, known);
    if (known) return NERFIT_OK;
    known = nf_arena_calloc(&c->arena, 1, sizeof *known);
    const char *copy = nf_arena_copy(&c->arena, key->data, key->length);
    if (!known || !copy) return nf_no_memory(c->err, key->length);
    HASH_ADD_KEYPTR(hh, s->entities, copy, key->length, known);
    type->distinct++;
    return known->hh.tbl ? NERFIT_OK : nf_no_memory(c->err, key->length);
}

static nerfit_status count_text(counter *c, split_count *s, size_t text, size_t *n_entities,
                                nf_str *key) {
    const nf_document *d = &s->corpus->documents[text];
    nf_word *words;
    size_t n_words, w = 0;
    NF_TRY(nf_words_split(&words, &n_words, d, c->err));
    s->text_words[text] = n_words;
    s->words += n_words;
    s->characters += d->length;
    s->without += d->n_spans == 0;
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < d->n_spans && status == NERFIT_OK; i++) {
        size_t inside = 0;
        while (w < n_words && words[w].end <= d->spans[i].start) w++;
        for (; w < n_words && words[w].start < d->spans[i].end; w++) inside++;
        s->entity_words[(*n_entities)++] = inside;
        status = count_entity(c, s, text, &d->spans[i], inside, key);
    }
    free(words);
    return status;
}

/* same_as of one split alone: what is there before in it. */
static nerfit_status count_repeated(counter *c, split_count *s) {
    const nf_corpus *corpus = s->corpus;
    uint32_t *same = nf_arena_calloc(&c->arena, corpus->n_documents + 1, sizeof *same);
    if (!same) return nf_no_memory(c->err, corpus->n_documents);
    NF_TRY(nf_texts_same_as(&corpus, 1, same, c->err));
    for (uint32_t i = 0; i < corpus->n_documents; i++) {
        if (same[i] == i) continue;
        s->repeated++;
        s->conflicts += !nf_same_entities(&corpus->documents[i], &corpus->documents[same[i]]);
    }
    return NERFIT_OK;
}

static nerfit_status count_split(counter *c, split_count *s) {
    const nf_corpus *corpus = s->corpus;
    s->text_words = nf_arena_calloc(&c->arena, corpus->n_documents + 1, sizeof *s->text_words);
    s->entity_words = nf_arena_calloc(&c->arena, corpus->n_spans + 1, sizeof *s->entity_words);
    s->types = nf_arena_calloc(&c->arena, corpus->n_labels + 1, sizeof *s->types);
    if (!s->text_words || !s->entity_words || !s->types) return nf_no_memory(c->err, 0);
    nf_str key = {0};
    nerfit_status status = NERFIT_OK;
    size_t n_entities = 0;
    for (size_t i = 0; i < corpus->n_documents && status == NERFIT_OK; i++)
        status = count_text(c, s, i, &n_entities, &key);
    nf_str_free(&key);
    return status == NERFIT_OK ? count_repeated(c, s) : status;
}

/* ---------------------------------------------------------------- as JSON */

static int by_size(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static json_t *lengths(size_t *values, size_t count) {
    if (count == 0) return json_null();
    qsort(values, count, sizeof *values, by_size);
    double sum = 0, middle = (double)(values[(count - 1) / 2] + values[count / 2]) / 2;
    for (size_t i = 0; i < count; i++) sum += (double)values[i];
    return json_pack("{s:I, s:f, s:f, s:I}", "least", (json_int_t)values[0], "median", middle,
                     "mean", sum / (double)count, "most", (json_int_t)values[count - 1]);
}

static json_t *types_json(const split_count *s) {
    json_t *out = json_object();
    for (size_t i = 0; i < s->corpus->n_labels; i++) {
        const type_count *t = &s->types[i];
        double mean = t->entities ? (double)t->words / (double)t->entities : 0;
        json_t *row =
            json_pack("{s:I, s:I, s:I, s:f}", "entities", (json_int_t)t->entities, "texts",
                      (json_int_t)t->texts, "distinct", (json_int_t)t->distinct, "words", mean);
        if (json_object_set_new(out, s->corpus->labels[i], row) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *split_json(split_count *s) {
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:o}", "texts",
                     (json_int_t)s->corpus->n_documents, "texts_without_entities",
                     (json_int_t)s->without, "words", (json_int_t)s->words, "characters",
                     (json_int_t)s->characters, "words_per_text",
                     lengths(s->text_words, s->corpus->n_documents), "words_per_entity",
                     lengths(s->entity_words, s->corpus->n_spans), "entities",
                     (json_int_t)s->corpus->n_spans, "repeated", (json_int_t)s->repeated,
                     "conflicts", (json_int_t)s->conflicts, "types", types_json(s));
}

/* How many of a split's texts another one holds. */
static nerfit_status shared_texts(counter *c, const split_count *of, const split_count *in,
                                  size_t *n) {
    size_t all = 0;
    for (size_t i = 0; i < c->count; i++) all += c->splits[i].corpus->n_documents;
    bool *there = calloc(all + 1, 1);
    if (!there) return nf_no_memory(c->err, all);
    for (size_t i = 0; i < in->corpus->n_documents; i++) there[in->same_as[i]] = true;
    *n = 0;
    for (size_t i = 0; i < of->corpus->n_documents; i++) *n += there[of->same_as[i]];
    free(there);
    return NERFIT_OK;
}

static nerfit_status seen_entities(counter *c, const split_count *of, const split_count *in,
                                   size_t *n) {
    nf_str key = {0};
    nerfit_status status = NERFIT_OK;
    *n = 0;
    for (size_t i = 0; i < of->corpus->n_documents; i++) {
        const nf_document *d = &of->corpus->documents[i];
        for (size_t k = 0; k < d->n_spans && status == NERFIT_OK; k++) {
            entity_text *known = NULL;
            status = entity_key(&key, d, &d->spans[k], c->err);
            if (status == NERFIT_OK) HASH_FIND(hh, in->entities, key.data, key.length, known);
            *n += known != NULL;
        }
    }
    nf_str_free(&key);
    return status;
}

static json_t *unseen_types(const nf_corpus *of, const nf_corpus *in) {
    json_t *out = json_array();
    for (size_t i = 0; i < of->n_labels; i++) {
        bool unseen = nf_list_index(in->labels, in->n_labels, of->labels[i]) == in->n_labels;
        if (unseen && json_array_append_new(out, json_string(of->labels[i])) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static nerfit_status add_overlap(counter *c, json_t *list, const char *const *names, size_t of,
                                 size_t in) {
    const split_count *a = &c->splits[of], *b = &c->splits[in];
    size_t texts = 0, entities = 0;
    NF_TRY(shared_texts(c, a, b, &texts));
    NF_TRY(seen_entities(c, a, b, &entities));
    double share = a->corpus->n_spans ? (double)entities / (double)a->corpus->n_spans : 0;
    json_t *row = json_pack("{s:s, s:s, s:I, s:f, s:o}", "of", names[of], "in", names[in], "texts",
                            (json_int_t)texts, "entities", share, "unseen_types",
                            unseen_types(a->corpus, b->corpus));
    return json_array_append_new(list, row) == 0 ? NERFIT_OK : nf_no_memory(c->err, 0);
}

static nerfit_status make(counter *c, json_t *out, const char *const *names) {
    json_t *splits = json_object(), *overlaps = json_array();
    int failed = json_object_set_new(out, "splits", splits);
    failed |= json_object_set_new(out, "overlaps", overlaps);
    if (failed) return nf_no_memory(c->err, 0);
    for (size_t i = 0; i < c->count; i++) NF_TRY(count_split(c, &c->splits[i]));
    for (size_t i = 0; i < c->count; i++) {
        if (json_object_get(splits, names[i]))
            return nf_fail(c->err, NERFIT_ARGUMENT, "\"%s\" is given twice", names[i]);
        if (json_object_set_new(splits, names[i], split_json(&c->splits[i])) != 0)
            return nf_no_memory(c->err, 0);
    }
    for (size_t of = 0; of < c->count; of++)
        for (size_t in = 0; in < c->count; in++)
            if (of != in) NF_TRY(add_overlap(c, overlaps, names, of, in));
    return NERFIT_OK;
}

nerfit_status nf_statistics_make(json_t **out, const nf_corpus *const *corpora,
                                 const char *const *names, size_t count, nerfit_error *err) {
    counter c = {.count = count, .err = err};
    size_t all = 0;
    for (size_t i = 0; i < count; i++) all += corpora[i]->n_documents;
    c.splits = nf_arena_calloc(&c.arena, count + 1, sizeof *c.splits);
    c.same_as = nf_arena_calloc(&c.arena, all + 1, sizeof *c.same_as);
    *out = json_object();
    bool room = c.splits && c.same_as && *out;
    nerfit_status status = room ? nf_texts_same_as(corpora, count, c.same_as, err)
                                : nf_no_memory(err, all * sizeof *c.same_as);
    for (size_t i = 0, first = 0; i < count && room; first += corpora[i++]->n_documents)
        c.splits[i] = (split_count){.corpus = corpora[i], .same_as = c.same_as + first};
    if (status == NERFIT_OK) status = make(&c, *out, names);
    for (size_t i = 0; i < count && room; i++) HASH_CLEAR(hh, c.splits[i].entities);
    nf_arena_free(&c.arena);
    if (status == NERFIT_OK) return NERFIT_OK;
    json_decref(*out);
    *out = NULL;
    return status;
}

/* ---------------------------------------------------------------- as text */

static double number(const json_t *json, const char *key) {
    return json_number_value(json_object_get(json, key));
}

static void lengths_text(nf_str *out, const char *what, const json_t *l) {
    if (json_is_object(l))
        nf_str_appendf(out, "  %-20s %.0f to %.0f, mean %.1f, median %g\n", what,
                       number(l, "least"), number(l, "most"), number(l, "mean"),
                       number(l, "median"));
}

static void split_text(nf_str *out, const char *name, json_t *s) {
    nf_str_appendf(out, "%s\n  %-20s %.0f (%.0f without an entity)\n  %-20s %.0f\n  %-20s %.0f\n",
                   name, "texts", number(s, "texts"), number(s, "texts_without_entities"), "words",
                   number(s, "words"), "characters", number(s, "characters"));
    lengths_text(out, "words a text", json_object_get(s, "words_per_text"));
    nf_str_appendf(out, "  %-20s %.0f\n", "entities", number(s, "entities"));
    lengths_text(out, "words an entity", json_object_get(s, "words_per_entity"));
    nf_str_appendf(out, "  %-20s %.0f (%.0f with other entities)\n", "repeated texts",
                   number(s, "repeated"), number(s, "conflicts"));
    json_t *types = json_object_get(s, "types"), *row;
    const char *label;
    int width = 4;
    json_object_foreach(types, label, row) {
        int length = (int)nf_utf8_count(label, strlen(label));
        if (length > width) width = length;
    }
    nf_str_appendf(out, "\n  %-*s %9s %9s %9s %9s\n", width, "type", "entities", "texts",
                   "distinct", "words");
    json_object_foreach(types, label, row) {
        int shown = (int)nf_utf8_count(label, strlen(label)); /* printf's width counts bytes */
        nf_str_appendf(out, "  %s%*s %9.0f %9.0f %9.0f %9.1f\n", label, width - shown, "",
                       number(row, "entities"), number(row, "texts"), number(row, "distinct"),
                       number(row, "words"));
    }
    nf_str_append_char(out, '\n');
}

static void overlap_text(nf_str *out, const json_t *o) {
    const json_t *unseen = json_object_get(o, "unseen_types"), *label;
    nf_str_appendf(out, "%s in %s: %.0f texts; %.1f %% of its entities",
                   json_string_value(json_object_get(o, "of")),
                   json_string_value(json_object_get(o, "in")), number(o, "texts"),
                   100 * number(o, "entities"));
    size_t i;
    json_array_foreach(unseen, i, label) nf_str_appendf(
        out, "%s%s", i ? ", " : "; types that are not there: ", json_string_value(label));
    nf_str_append_char(out, '\n');
}

void nf_statistics_text(const json_t *statistics, nf_str *out) {
    const char *name;
    json_t *split;
    const json_t *overlap;
    size_t i;
    json_object_foreach(json_object_get(statistics, "splits"), name, split)
        split_text(out, name, split);
    json_array_foreach(json_object_get(statistics, "overlaps"), i, overlap)
        overlap_text(out, overlap);
}
