/* Post-processors: special tokens around the text, and offsets that leave white space out.
 * TemplateProcessing, BertProcessing and RobertaProcessing are the same thing here: ids to put
 * before and after a single text. Templates for pairs of texts are read past. */
#include "text/component.h"

#include <string.h>

#include "text/tokenizer_impl.h"

typedef struct surround {
    nf_post_processor base;
    int32_t *ids;  /* `before` of them, then `after` */
    bool separate; /* later steps see the text without them (a template does not join its parts) */
    bool add_prefix_space;
} surround;

static void insert(nf_encoding *e, size_t at, const int32_t *ids, size_t count) {
    size_t tail = e->length - at;
    memmove(e->ids + at + count, e->ids + at, tail * sizeof *e->ids);
    memmove(e->starts + at + count, e->starts + at, tail * sizeof *e->starts);
    memmove(e->ends + at + count, e->ends + at, tail * sizeof *e->ends);
    memmove(e->words + at + count, e->words + at, tail * sizeof *e->words);
    memmove(e->special + at + count, e->special + at, tail * sizeof *e->special);
    for (size_t i = at; i < at + count; i++) {
        e->ids[i] = ids[i - at];
        e->starts[i] = e->ends[i] = 0;
        e->words[i] = -1;
        e->special[i] = 1;
    }
    e->length += count;
}

/* What `process_offsets` of `tokenizers` (0.23) does: a token's offsets leave out the white space
 * that its text begins and ends with. */
static void trim_offsets(const nf_tokenizer *tokenizer, const nf_work *work, bool add_prefix_space,
                         nf_encoding *e) {
    size_t next = 0; /* of work->stripped */
    for (size_t i = 0; i < e->length; i++) {
        uint32_t before, after;
        while (next < work->stripped_count && work->stripped[next].token + work->before < i) next++;
        if (next < work->stripped_count && work->stripped[next].token + work->before == i) {
            before = work->stripped[next].before;
            after = work->stripped[next].after;
        } else if (!nf_tokenizer_blanks(tokenizer, e->ids[i], &before, &after)) {
            continue;
        }
        if (before > 0) {
            /* One blank in front of the text may be the one that the pre-tokenizer has put there.
             */
            bool first = i == work->first || e->starts[i] == 0;
            if (first && add_prefix_space && before == 1) before = 0;
            uint32_t start = e->starts[i] + before;
            e->starts[i] = start < e->ends[i] ? start : e->ends[i];
        }
        if (after > 0 && e->ends[i] >= after) {
            uint32_t end = e->ends[i] - after;
            e->ends[i] = end > e->starts[i] ? end : e->starts[i];
        }
    }
}

static bool surround_process(const nf_post_processor *self, const nf_tokenizer *tokenizer,
                             nf_work *work, bool add_special_tokens, nf_encoding *encoding) {
    const surround *s = (const surround *)self;
    if (self->trims) trim_offsets(tokenizer, work, s->add_prefix_space, encoding);
    if (!add_special_tokens || self->before + self->after == 0) return true;
    if (!nf_encoding_reserve(encoding, self->before + self->after)) return false;
    insert(encoding, 0, s->ids, self->before);
    insert(encoding, encoding->length, s->ids + self->before, self->after);
    work->before += self->before;
    work->first = s->separate ? work->before : 0;
    return true;
}

/* ["[SEP]", 102] */
static nerfit_status token_field(int32_t *out, const json_t *json, const char *key,
                                 const char *what, nf_load *load) {
    const json_t *pair = json_object_get(json, key);
    if (!json_is_array(pair) || json_array_size(pair) != 2 ||
        !json_is_string(json_array_get(pair, 0)))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "%s: \"%s\" must be a token and its id", what, key);
    return nf_field_id(out, json_array_get(pair, 1), what, load);
}

static nerfit_status bert_or_roberta(surround *s, const json_t *json, const char *what,
                                     nf_load *load) {
    s->base.process = surround_process;
    s->base.before = s->base.after = 1;
    s->ids = nf_arena_calloc(load->arena, 2, sizeof *s->ids);
    if (!s->ids) return nf_no_memory(load->err, 2 * sizeof *s->ids);
    NF_TRY(token_field(&s->ids[0], json, "cls", what, load));
    return token_field(&s->ids[1], json, "sep", what, load);
}

static nerfit_status bert_load(void **out, const json_t *json, nf_load *load) {
    NF_TRY(nf_component_new(out, sizeof(surround), load));
    return bert_or_roberta(*out, json, "post-processor BertProcessing", load);
}

static nerfit_status roberta_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "post-processor RobertaProcessing";
    NF_TRY(nf_component_new(out, sizeof(surround), load));
    surround *s = *out;
    NF_TRY(nf_field_bool(&s->base.trims, json, "trim_offsets", NF_REQUIRED, what, load));
    NF_TRY(nf_field_bool(&s->add_prefix_space, json, "add_prefix_space", NF_REQUIRED, what, load));
    return bert_or_roberta(s, json, what, load);
}

/* ByteLevel as a post-processor adds nothing; it trims. */
static nerfit_status byte_level_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "post-processor ByteLevel";
    NF_TRY(nf_component_new(out, sizeof(surround), load));
    surround *s = *out;
    s->base.process = surround_process;
    NF_TRY(nf_field_bool(&s->base.trims, json, "trim_offsets", NF_REQUIRED, what, load));
    return nf_field_bool(&s->add_prefix_space, json, "add_prefix_space", NF_REQUIRED, what, load);
}

/* The ids of one special token of a template. */
static nerfit_status template_token(const json_t **ids, const json_t *json, const json_t *piece,
                                    nf_load *load) {
    const char *name = json_string_value(json_object_get(piece, "id"));
    if (!name)
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "post-processor TemplateProcessing: a SpecialToken has no \"id\"");
    const json_t *tokens = json_object_get(json, "special_tokens");
    *ids = json_object_get(json_object_get(tokens, name), "ids");
    if (!json_is_array(*ids))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "post-processor TemplateProcessing: \"special_tokens\" has no ids for "
                          "\"%.100s\"",
                          name);
    return NERFIT_OK;
}

static nerfit_status template_load(void **out, const json_t *json, nf_load *load) {
    NF_TRY(nf_component_new(out, sizeof(surround), load));
    surround *s = *out;
    s->base.process = surround_process;
    s->separate = true;
    const json_t *single = json_object_get(json, "single"), *piece, *ids, *id;
    if (!json_is_array(single))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "post-processor TemplateProcessing: \"single\" must be an array");
    size_t i, k, total = 0, texts = 0;
    json_array_foreach(single, i, piece) {
        const json_t *sequence = json_object_get(piece, "Sequence");
        const json_t *special = json_object_get(piece, "SpecialToken");
        if (sequence) {
            const char *name = json_string_value(json_object_get(sequence, "id"));
            if (!name || strcmp(name, "A") != 0 || texts++ > 0)
                return nf_fail_at(load->err, NERFIT_UNSUPPORTED, load->file, 0, 0,
                                  "post-processor TemplateProcessing: \"single\" must have the "
                                  "Sequence A once and no other");
        } else if (special) {
            NF_TRY(template_token(&ids, json, special, load));
            total += json_array_size(ids);
        } else {
            return nf_fail_at(
                load->err, NERFIT_FORMAT, load->file, 0, 0,
                "post-processor TemplateProcessing: each part of \"single\" must be a "
                "Sequence or a SpecialToken");
        }
    }
    if (texts == 0)
        return nf_fail_at(load->err, NERFIT_UNSUPPORTED, load->file, 0, 0,
                          "post-processor TemplateProcessing: \"single\" must have the Sequence A "
                          "once and no other");
    s->ids = nf_arena_calloc(load->arena, total + 1, sizeof *s->ids);
    if (!s->ids) return nf_no_memory(load->err, total * sizeof *s->ids);
    size_t *count = &s->base.before, filled = 0;
    json_array_foreach(single, i, piece) {
        const json_t *special = json_object_get(piece, "SpecialToken");
        if (!special || json_object_get(piece, "Sequence")) {
            count = &s->base.after;
            continue;
        }
        NF_TRY(template_token(&ids, json, special, load));
        json_array_foreach(ids, k, id) {
            NF_TRY(nf_field_id(&s->ids[filled++], id, "post-processor TemplateProcessing", load));
            (*count)++;
        }
    }
    return NERFIT_OK;
}

typedef struct sequence {
    nf_post_processor base;
    nf_post_processor **steps;
    size_t count;
} sequence;

static bool sequence_process(const nf_post_processor *self, const nf_tokenizer *tokenizer,
                             nf_work *work, bool add_special_tokens, nf_encoding *encoding) {
    const sequence *s = (const sequence *)self;
    for (size_t i = 0; i < s->count; i++)
        if (!s->steps[i]->process(s->steps[i], tokenizer, work, add_special_tokens, encoding))
            return false;
    return true;
}

static nerfit_status sequence_load(void **out, const json_t *json, nf_load *load) {
    NF_TRY(nf_component_new(out, sizeof(sequence), load));
    sequence *s = *out;
    s->base.process = sequence_process;
    const json_t *items = json_object_get(json, "processors"), *item;
    if (!json_is_array(items))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "post-processor Sequence: \"processors\" must be an array");
    s->steps = nf_arena_calloc(load->arena, json_array_size(items) + 1, sizeof *s->steps);
    if (!s->steps) return nf_no_memory(load->err, json_array_size(items) * sizeof *s->steps);
    size_t i, adding = 0;
    json_array_foreach(items, i, item) {
        nf_post_processor *step;
        NF_TRY(nf_post_processor_load(&step, item, load));
        if (!step) continue;
        adding += step->before + step->after > 0;
        if (adding > 1)
            return nf_fail_at(load->err, NERFIT_UNSUPPORTED, load->file, 0, 0,
                              "post-processor Sequence: only one step may add special tokens");
        s->steps[s->count++] = step;
        s->base.trims |= step->trims;
        s->base.before += step->before;
        s->base.after += step->after;
    }
    return NERFIT_OK;
}

static const nf_component_row post_processors[] = {
    {"TemplateProcessing", template_load}, {"BertProcessing", bert_load},
    {"RobertaProcessing", roberta_load},   {"ByteLevel", byte_level_load},
    {"Sequence", sequence_load},
};

nerfit_status nf_post_processor_load(nf_post_processor **out, const json_t *json, nf_load *load) {
    *out = NULL;
    if (!json || json_is_null(json)) return NERFIT_OK;
    return nf_component_load((void **)out, json, "post-processor", post_processors,
                             NF_COUNT(post_processors), load);
}
