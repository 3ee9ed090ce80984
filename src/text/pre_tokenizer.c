/* The table of pre-tokenizers, the one that chains others, and those that only look at the class of
 * each code point. */
#include "text/pre_tokenizer.h"

#include "text/unicode.h"

static bool split_piece(nf_work *work, nf_piece piece, const uint8_t ascii[128],
                        uint16_t separators, uint16_t isolated) {
    const char *bytes = work->text->bytes;
    size_t start = piece.start;
    for (size_t i = piece.start; i < piece.end;) {
        unsigned char byte = (unsigned char)bytes[i];
        size_t size = 1;
        uint16_t class;
        if (byte < 0x80) {
            class = ascii[byte];
        } else {
            uint32_t c;
            size = nf_utf8_next(bytes + i, &c);
            uint16_t flags = nf_unicode_flags_of(c);
            class = flags & separators ? 1 : flags & isolated ? 2 : 0;
        }
        if (class) {
            if (!nf_pieces_push(&work->pieces, start, i, -1)) return false;
            if (class == 2 && !nf_pieces_push(&work->pieces, i, i + size, -1)) return false;
            start = i + size;
        }
        i += size;
    }
    return nf_pieces_push(&work->pieces, start, piece.end, -1);
}

bool nf_split_by_class(nf_work *work, uint16_t separators, uint16_t isolated) {
    uint8_t ascii[128];
    for (uint32_t c = 0; c < 128; c++) {
        uint16_t flags = nf_unicode_flags_of(c);
        ascii[c] = flags & separators ? 1 : flags & isolated ? 2 : 0;
    }
    nf_work_take_pieces(work);
    for (size_t i = 0; i < work->previous.count; i++) {
        nf_piece piece = work->previous.items[i];
        if (piece.token >= 0) {
            if (!nf_pieces_push(&work->pieces, piece.start, piece.end, piece.token)) return false;
        } else if (!split_piece(work, piece, ascii, separators, isolated)) {
            return false;
        }
    }
    return true;
}

/* BertPreTokenizer: white space separates, each punctuation mark is a piece. */
static bool bert_split(const nf_pre_tokenizer *self, nf_work *work) {
    (void)self;
    return nf_split_by_class(work, NF_UNICODE_SPACE, NF_UNICODE_PUNCTUATION);
}

static bool whitespace_split(const nf_pre_tokenizer *self, nf_work *work) {
    (void)self;
    return nf_split_by_class(work, NF_UNICODE_SPACE, 0);
}

static nerfit_status bert_load(void **out, const json_t *json, nf_load *load) {
    (void)json;
    NF_TRY(nf_component_new(out, sizeof(nf_pre_tokenizer), load));
    ((nf_pre_tokenizer *)*out)->split = bert_split;
    return NERFIT_OK;
}

static nerfit_status whitespace_split_load(void **out, const json_t *json, nf_load *load) {
    (void)json;
    NF_TRY(nf_component_new(out, sizeof(nf_pre_tokenizer), load));
    ((nf_pre_tokenizer *)*out)->split = whitespace_split;
    return NERFIT_OK;
}

typedef struct sequence {
    nf_pre_tokenizer base;
    nf_pre_tokenizer **steps;
    size_t count;
} sequence;

static bool sequence_split(const nf_pre_tokenizer *self, nf_work *work);

void nf_pre_tokenizer_write_alphabet(nf_pre_tokenizer *p) {
    if (!p->byte_level) return;
    p->byte_level = false;
    if (p->split != sequence_split) {
        nf_pre_tokenizer_byte_level_write_alphabet(p);
        return;
    }
    const sequence *s = (const sequence *)p;
    nf_pre_tokenizer_write_alphabet(s->steps[s->count - 1]);
}

static bool sequence_split(const nf_pre_tokenizer *self, nf_work *work) {
    const sequence *s = (const sequence *)self;
    for (size_t i = 0; i < s->count; i++)
        if (!s->steps[i]->split(s->steps[i], work)) return false;
    return true;
}

static nerfit_status sequence_load(void **out, const json_t *json, nf_load *load) {
    NF_TRY(nf_component_new(out, sizeof(sequence), load));
    sequence *s = *out;
    s->base.split = sequence_split;
    const json_t *items = json_object_get(json, "pretokenizers"), *item;
    if (!json_is_array(items))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "pre-tokenizer Sequence: \"pretokenizers\" must be an array");
    s->steps = nf_arena_calloc(load->arena, json_array_size(items) + 1, sizeof *s->steps);
    if (!s->steps) return nf_no_memory(load->err, json_array_size(items) * sizeof *s->steps);
    size_t i;
    json_array_foreach(items, i, item) {
        nf_pre_tokenizer *step;
        NF_TRY(nf_pre_tokenizer_load(&step, item, load));
        if (!step) continue;
        if (s->count > 0) nf_pre_tokenizer_write_alphabet(s->steps[s->count - 1]);
        s->steps[s->count++] = step;
        s->base.byte_level = step->byte_level;
    }
    return NERFIT_OK;
}

static const nf_component_row pre_tokenizers[] = {
    {"BertPreTokenizer", bert_load},
    {"ByteLevel", nf_pre_tokenizer_byte_level_load},
    {"Metaspace", nf_pre_tokenizer_metaspace_load},
    {"CharDelimiterSplit", nf_pre_tokenizer_delimiter_load},
    {"Digits", nf_pre_tokenizer_digits_load},
    {"FixedLength", nf_pre_tokenizer_fixed_length_load},
    {"Punctuation", nf_pre_tokenizer_punctuation_load},
    {"Split", nf_pre_tokenizer_split_load},
    {"UnicodeScripts", nf_pre_tokenizer_scripts_load},
    {"Whitespace", nf_pre_tokenizer_whitespace_load},
    {"WhitespaceSplit", whitespace_split_load},
    {"Sequence", sequence_load},
};

nerfit_status nf_pre_tokenizer_load(nf_pre_tokenizer **out, const json_t *json, nf_load *load) {
    *out = NULL;
    if (!json || json_is_null(json)) return NERFIT_OK;
    return nf_component_load((void **)out, json, "pre-tokenizer", pre_tokenizers,
                             NF_COUNT(pre_tokenizers), load);
}
