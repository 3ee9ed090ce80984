/* Two steps a document: the entities' token ranges in the whole text, then the cut into pieces. */
#include "train/examples.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/utf8.h"
#include "data/weights.h"
#include "labels/span_tokens.h"
#include "text/word_shapes.h"

enum { REPORTED = 5 }; /* problems of a kind that are told with their place */

typedef struct maker {
    nf_examples *out;
    const nf_label_set *labels;
    const nf_tokenizer *tokenizer;
    const nf_log *log;
    size_t before, after, capacity; /* special tokens; tokens of text an example takes */
    nf_tokenizer_scratch *scratch;
    nf_encoding encoding;
    nf_word_kind words;
    /* of the document */
    const int32_t *looked_for;
    size_t n_looked_for;
    bool weighted; /* whether anything weighs other than 1 */
    float text_weight;
    float *entity_weights;   /* [entities] */
    float *weights;          /* of the text's tokens, special ones left out */
    bool *starts_word;       /* of the text's tokens, special ones left out */
    int32_t *shapes;         /* likewise */
    uint32_t *starts, *ends; /* likewise: nf_subword_ranges */
} maker;

void nf_examples_free(nf_examples *examples) {
    free(examples->items);
    nf_arena_free(&examples->arena);
    *examples = (nf_examples){0};
}

nf_example *nf_examples_add(nf_examples *out) {
    if (!nf_array_reserve(&out->items, &out->capacity, out->count + 1, sizeof *out->items))
        return NULL;
    return &out->items[out->count++];
}

/* The tokens that the span labels; false if there is none. */
static bool token_range(const maker *m, const nf_span *span, int32_t *first, int32_t *last) {
    size_t n = m->encoding.length - m->before - m->after;
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        if (!nf_span_labels_token(span->start, span->end, m->starts[i], m->ends[i])) continue;
        if (!found) *first = (int32_t)(m->before + i);
        *last = (int32_t)(m->before + i + 1);
        found = true;
    }
    return found;
}

static void report(maker *m, size_t *counter, const nf_document *document, const nf_span *span,
                   const char *what) {
    if (++*counter <= REPORTED)
        nf_log_warning(m->log, "%s:%ld: entity \"%s\" at %u..%u %s", document->file, document->line,
                       span->label, span->start, span->end, what);
}

/* The document's entities as token ranges of the whole encoding. Two entities that share a
 * sub-word (an edge inside it) keep it with the first. */
static nerfit_status find_entities(maker *m, const nf_document *document, nf_entity *entities,
                                   size_t *count, nerfit_error *err) {
    int32_t taken = 0; /* first token that is free */
    *count = 0;
    for (size_t i = 0; i < document->n_spans; i++) {
        const nf_span *span = &document->spans[i];
        int32_t type = nf_label_set_type(m->labels, span->label), first, last;
        if (type < 0)
            return nf_fail_at(err, NERFIT_FORMAT, document->file, document->line, 0,
                              "label \"%s\" is not in the label set (its description or embedding "
                              "is missing)",
                              span->label);
        if (!token_range(m, span, &first, &last)) {
            report(m, &m->out->n_uncovered, document, span,
                   "has no sub-word (the tokenizer removes its characters): it cannot be learned");
            continue;
        }
        if (m->starts[(size_t)first - m->before] < span->start ||
            m->ends[(size_t)last - 1 - m->before] > span->end)
            report(m, &m->out->n_inner_edges, document, span,
                   "has an edge inside a sub-word: the whole sub-word is labelled");
        if (first < taken) first = taken;
        if (first >= last) {
            report(m, &m->out->n_uncovered, document, span,
                   "shares its only sub-word with the entity before it: it cannot be learned");
            continue;
        }
        m->entity_weights[*count] = (float)nf_weight_of(span->beside);
        m->weighted |= m->entity_weights[*count] != 1.0f;
        entities[(*count)++] =
            (nf_entity){.start = (uint32_t)first, .end = (uint32_t)last, .type = type};
        taken = last;
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- what is known of the text */

static void weigh_tokens(maker *m, const nf_document *document, const nf_entity *entities,
                         size_t count) {
    const nf_beside *beside = document->beside;
    size_t n = m->encoding.length - m->before - m->after;
    m->text_weight = (float)nf_weight_of(beside);
    m->weighted |= m->text_weight != 1.0f;
    for (size_t i = 0; i < n; i++) m->weights[i] = m->text_weight;
    for (size_t k = 0; k < count; k++)
        for (size_t i = entities[k].start; i < entities[k].end; i++)
            m->weights[i - m->before] = m->text_weight * m->entity_weights[k];
    for (size_t k = 0; beside && k < beside->n_unknown; k++)
        for (size_t i = 0; i < n; i++) {
            const nf_range *r = &beside->unknown[k];
            if (!nf_span_labels_token(r->start, r->end, m->starts[i], m->ends[i])) continue;
            m->weights[i] = 0.0f;
            m->weighted = true;
        }
}

static nerfit_status find_looked_for(maker *m, const nf_document *document, nerfit_error *err) {
    const nf_beside *beside = document->beside;
    m->looked_for = NULL;
    m->n_looked_for = 0;
    if (!beside || !beside->labels) return NERFIT_OK;
    int32_t *types = nf_arena_alloc(&m->out->arena, (beside->n_labels + 1) * sizeof *types);
    if (!types) return nf_no_memory(err, beside->n_labels * sizeof *types);
    for (size_t i = 0; i < beside->n_labels; i++) {
        int32_t type = nf_label_set_type(m->labels, beside->labels[i]);
        if (type < 0)
            m->out->n_foreign_labels++;
        else
            types[m->n_looked_for++] = type;
    }
    m->looked_for = types;
    return NERFIT_OK;
}

/* The piece's tokens from `start` of the text on; those of weight 0 lose their labels, entities that
 * have no others go. */
static nerfit_status weigh_piece(const maker *m, nf_example *example, int32_t *labels,
                                 nf_entity *entities, float *entity_weights, size_t start,
                                 nerfit_error *err) {
    size_t text = example->length - m->before - m->after, kept = 0;
    float *weights = nf_arena_alloc(&m->out->arena, example->length * sizeof *weights);
    if (!weights) return nf_no_memory(err, example->length * sizeof *weights);
    for (size_t i = 0; i < example->length; i++) {
        bool special = i < m->before || i >= m->before + text;
        weights[i] = special ? m->text_weight : m->weights[start + i - 2 * m->before];
        if (weights[i] == 0.0f) labels[i] = NF_LABEL_IGNORED;
    }
    for (size_t k = 0; k < example->n_entities; k++) {
        bool known = false;
        for (uint32_t i = entities[k].start; i < entities[k].end; i++) known |= weights[i] > 0.0f;
        if (!known) continue;
        entities[kept] = entities[k];
        entity_weights[kept++] = entity_weights[k];
    }
    example->n_entities = kept;
    example->weights = weights;
    example->text_weight = m->text_weight;
    example->entity_weights = entity_weights;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- pieces */

/* Where the piece that begins at token `start` ends: as late as it fits, but not inside an entity,
 * and best at the start of a word. */
static size_t cut_at(const maker *m, size_t start, size_t end, const nf_entity *entities,
                     size_t count) {
    size_t limit = start + m->capacity;
    if (limit >= end) return end;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t at = limit; at > start; at--) {
            bool inside = false;
            for (size_t i = 0; i < count && !inside; i++)
                inside = entities[i].start < at && at < entities[i].end;
            if (!inside && (m->starts_word[at - m->before] || pass == 1)) return at;
        }
    }
    return limit; /* one entity fills the whole piece */
}

static nerfit_status add_piece(maker *m, size_t start, size_t end, const nf_entity *entities,
                               size_t count, size_t document, nerfit_error *err) {
    const nf_encoding *e = &m->encoding;
    size_t text = end - start, length = m->before + text + m->after;
    int32_t *ids = nf_arena_alloc(&m->out->arena, length * sizeof *ids);
    int32_t *labels = nf_arena_alloc(&m->out->arena, length * sizeof *labels);
    int32_t *shapes = nf_arena_calloc(&m->out->arena, length, sizeof *shapes);
    nf_entity *own = nf_arena_calloc(&m->out->arena, count, sizeof *own);
    int32_t *words = nf_arena_alloc(&m->out->arena, text * sizeof *words + 1);
    float *own_weights = nf_arena_alloc(&m->out->arena, count * sizeof *own_weights + 1);
    nf_example *example = nf_examples_add(m->out);
    if (!ids || !labels || !shapes || !own || !words || !own_weights || !example)
        return nf_no_memory(err, length * sizeof *ids);
    *example = (nf_example){.ids = ids,
                            .labels = labels,
                            .shapes = shapes,
                            .length = length,
                            .entities = own,
                            .words = words,
                            .document = document,
                            .looked_for = m->looked_for,
                            .n_looked_for = m->n_looked_for};
    for (size_t i = start; i < end; i++)
        if (m->starts_word[i - m->before])
            words[example->n_words++] = (int32_t)(m->before + i - start);
    for (size_t i = 0; i < m->before; i++) ids[i] = e->ids[i];
    for (size_t i = 0; i < text; i++) ids[m->before + i] = e->ids[start + i];
    for (size_t i = 0; i < text; i++) shapes[m->before + i] = m->shapes[start + i - m->before];
    for (size_t i = 0; i < m->after; i++)
        ids[m->before + text + i] = e->ids[e->length - m->after + i];
    for (size_t i = 0; i < length; i++) {
        bool special = i < m->before || i >= m->before + text;
        labels[i] = special ? NF_LABEL_IGNORED : NF_LABEL_O;
    }
    for (size_t k = 0; k < count; k++) {
        size_t first = entities[k].start, last = entities[k].end;
        if (last <= start || first >= end) continue;
        m->out->n_split_entities += first < start && last <= end; /* once each, at its last piece */
        if (first < start) first = start;
        if (last > end) last = end;
        own_weights[example->n_entities] = m->entity_weights[k];
        nf_entity *entity = &own[example->n_entities++];
        *entity = (nf_entity){.start = (uint32_t)(m->before + first - start),
                              .end = (uint32_t)(m->before + last - start),
                              .type = entities[k].type};
        for (uint32_t i = entity->start; i < entity->end; i++)
            labels[i] = nf_label_id(entity->type, i > entity->start);
    }
    m->out->n_tokens += length;
    return m->weighted ? weigh_piece(m, example, labels, own, own_weights, start, err) : NERFIT_OK;
}

nf_word_kind nf_examples_words(const nf_corpus *corpus) {
    size_t edges = 0, off = 0;
    for (size_t d = 0; d < corpus->n_documents; d++) {
        const nf_document *document = &corpus->documents[d];
        const char *text = document->text;
        size_t size = document->text_size;
        for (size_t s = 0; s < document->n_spans; s++, edges += 2) {
            const nf_span *span = &document->spans[s];
            off += !nf_word_edge(text, size, nf_utf8_offset(text, size, span->start));
            off += !nf_word_edge(text, size, nf_utf8_offset(text, size, span->end));
        }
    }
    return 100 * off > edges ? NF_WORDS_TOKENIZER : NF_WORDS_BLANKS;
}

static nerfit_status add_document(maker *m, const nf_corpus *corpus, size_t index,
                                  nerfit_error *err) {
    const nf_document *document = &corpus->documents[index];
    nerfit_status status = nf_tokenizer_encode_with(m->tokenizer, m->scratch, document->text,
                                                    document->text_size, true, &m->encoding, err);
    if (status != NERFIT_OK)
        return nf_fail_within(err, status, "%s:%ld", document->file, document->line);
    size_t count = 0, end = m->encoding.length - m->after, start = m->before;
    nf_entity *entities = calloc(document->n_spans + 1, sizeof *entities);
    m->starts_word = malloc(end - start + 1);
    m->shapes = malloc((end - start) * sizeof *m->shapes + 1);
    m->starts = malloc(2 * (end - start) * sizeof *m->starts + 1);
    m->ends = m->starts + (end - start);
    m->weights = malloc((end - start) * sizeof *m->weights + 1);
    m->entity_weights = malloc(document->n_spans * sizeof *m->entity_weights + 1);
    m->weighted = false;
    status = entities && m->starts_word && m->shapes && m->starts && m->weights && m->entity_weights
                 ? NERFIT_OK
                 : nf_no_memory(err, document->n_spans);
    const nf_encoded_text text = {&m->encoding, m->before, m->after, document->text,
                                  document->text_size};
    if (status == NERFIT_OK) status = nf_word_starts(&text, m->words, m->starts_word, err);
    if (status == NERFIT_OK) nf_subword_ranges(&text, m->starts_word, m->starts, m->ends);
    if (status == NERFIT_OK) nf_word_shapes(&text, m->starts_word, m->shapes);
    if (status == NERFIT_OK) status = find_entities(m, document, entities, &count, err);
    if (status == NERFIT_OK) status = find_looked_for(m, document, err);
    if (status == NERFIT_OK) weigh_tokens(m, document, entities, count);
    if (end - start > m->capacity) m->out->n_split_documents++;
    do {
        if (status != NERFIT_OK) break;
        size_t to = cut_at(m, start, end, entities, count);
        status = add_piece(m, start, to, entities, count, index, err);
        start = to;
    } while (start < end);
    free(entities);
    free(m->starts_word);
    free(m->shapes);
    free(m->starts);
    free(m->weights);
    free(m->entity_weights);
    return status;
}

static void tell(const maker *m, size_t max_length) {
    const nf_examples *out = m->out;
    if (out->n_split_documents)
        nf_log_warning(m->log,
                       "%zu text%s longer than %zu tokens and divided into pieces; %zu entit%s had "
                       "to be divided with them",
                       out->n_split_documents, out->n_split_documents == 1 ? " is" : "s are",
                       max_length, out->n_split_entities, out->n_split_entities == 1 ? "y" : "ies");
    if (out->n_foreign_labels)
        nf_log_warning(m->log,
                       "the texts' \"labels\" name %zu times what is none of the labels to learn "
                       "(no entity, description or embedding is of it)",
                       out->n_foreign_labels);
    if (out->n_inner_edges > REPORTED)
        nf_log_warning(m->log, "in all, %zu entities have an edge inside a sub-word",
                       out->n_inner_edges);
    if (out->n_uncovered > REPORTED)
        nf_log_warning(m->log, "in all, %zu entities have no sub-word of their own",
                       out->n_uncovered);
}

nerfit_status nf_examples_make(nf_examples *out, const nf_corpus *corpus,
                               const nf_label_set *labels, const nf_tokenizer *tokenizer,
                               size_t max_length, nf_word_kind words, const nf_log *log,
                               nerfit_error *err) {
    maker m = {.out = out, .labels = labels, .tokenizer = tokenizer, .log = log, .words = words};
    nf_tokenizer_special_counts(tokenizer, &m.before, &m.after);
    if (max_length <= m.before + m.after)
        return nf_fail(err, NERFIT_ARGUMENT,
                       "max_length %zu leaves no room for text (%zu special "
                       "tokens)",
                       max_length, m.before + m.after);
    m.capacity = max_length - m.before - m.after;
    m.scratch = nf_tokenizer_scratch_new();
    nerfit_status status = m.scratch ? NERFIT_OK : nf_no_memory(err, 0);
    for (size_t i = 0; i < corpus->n_documents && status == NERFIT_OK; i++)
        status = add_document(&m, corpus, i, err);
    nf_tokenizer_scratch_free(m.scratch);
    nf_encoding_free(&m.encoding);
    if (status == NERFIT_OK)
        tell(&m, max_length);
    else
        nf_examples_free(out);
    return status;
}
