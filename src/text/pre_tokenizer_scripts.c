/* UnicodeScripts: a new piece where the script changes (Han, Hiragana and Katakana are one; blanks
 * and what has no script go with anything). FixedLength: pieces of so many characters. */
#include "text/pre_tokenizer.h"
#include "text/split.h"
#include "text/unicode.h"
#include "text/unicode_class.h"

static bool scripts_piece(const nf_pre_tokenizer *self, nf_work *work, size_t start, size_t end) {
    (void)self;
    const char *bytes = work->text->bytes;
    uint8_t last = 0;
    size_t from = end; /* what lies before the first character with a script is lost, as there */
    for (size_t at = start, size; at < end; at += size) {
        uint32_t c;
        size = nf_utf8_next(bytes + at, &c);
        uint8_t group = nf_class_value(nf_class_groups, nf_class_groups_count, c);
        if (group == 0 || group == last) continue;
        last = group;
        if (!nf_pieces_push(&work->pieces, from, at, -1)) return false;
        from = at;
    }
    return nf_pieces_push(&work->pieces, from, end, -1);
}

static bool scripts_split(const nf_pre_tokenizer *self, nf_work *work) {
    return nf_split_pieces(work, self, scripts_piece);
}

nerfit_status nf_pre_tokenizer_scripts_load(void **out, const json_t *json, nf_load *load) {
    (void)json;
    NF_TRY(nf_component_new(out, sizeof(nf_pre_tokenizer), load));
    ((nf_pre_tokenizer *)*out)->split = scripts_split;
    return NERFIT_OK;
}

typedef struct fixed_length {
    nf_pre_tokenizer base;
    size_t length;
} fixed_length;

static bool fixed_length_piece(const nf_pre_tokenizer *self, nf_work *work, size_t start,
                               size_t end) {
    const fixed_length *f = (const fixed_length *)self;
    const char *bytes = work->text->bytes;
    for (size_t at = start; at < end; start = at) {
        for (size_t n = 0; n < f->length && at < end; n++)
            at += nf_utf8_size((unsigned char)bytes[at]);
        if (!nf_pieces_push(&work->pieces, start, at, -1)) return false;
    }
    return true;
}

static bool fixed_length_split(const nf_pre_tokenizer *self, nf_work *work) {
    return nf_split_pieces(work, self, fixed_length_piece);
}

nerfit_status nf_pre_tokenizer_fixed_length_load(void **out, const json_t *json, nf_load *load) {
    NF_TRY(nf_component_new(out, sizeof(fixed_length), load));
    fixed_length *f = *out;
    f->base.split = fixed_length_split;
    const json_t *length = json_object_get(json, "length");
    if (length && (!json_is_integer(length) || json_integer_value(length) <= 0))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "pre-tokenizer FixedLength: \"length\" must be a positive integer");
    f->length = length ? (size_t)json_integer_value(length) : 5;
    return NERFIT_OK;
}
