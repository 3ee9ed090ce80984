/* The pre-tokenizers that split at matches of a pattern, a character or a class of characters:
 * Split, CharDelimiterSplit, Punctuation, Digits, Whitespace. */
#include <string.h>

#include "text/pre_tokenizer.h"
#include "text/regex.h"
#include "text/split.h"
#include "text/unicode.h"
#include "text/unicode_class.h"

/* ---- Split */

typedef struct split {
    nf_pre_tokenizer base;
    nf_split_behavior behavior;
    bool invert;
    nf_regex *regex;  /* NULL: a literal */
    const char *text; /* the literal */
    size_t size;
} split;

static bool split_by_regex(const nf_pre_tokenizer *self, nf_work *work, size_t start, size_t end) {
    const split *s = (const split *)self;
    const char *text = work->text->bytes + start;
    nf_splitter out = {.pieces = &work->pieces, .behavior = s->behavior, .invert = s->invert};
    nf_regex_search search = {
        .regex = s->regex, .scratch = &work->regex, .text = text, .length = end - start};
    size_t done = 0, from, to;
    nf_regex_result result;
    while ((result = nf_regex_next(&search, &from, &to)) == NF_REGEX_FOUND) {
        if (done != from && !nf_splitter_give(&out, start + done, start + from, false))
            return false;
        if (!nf_splitter_give(&out, start + from, start + to, true)) return false;
        done = to;
    }
    if (result == NF_REGEX_TOO_HARD)
        work->problem = "a pattern of the tokenizer takes too many steps on this text";
    if (result != NF_REGEX_END) return false;
    if (done != end - start && !nf_splitter_give(&out, start + done, end, false)) return false;
    return nf_splitter_finish(&out);
}

static bool split_by_text(const nf_pre_tokenizer *self, nf_work *work, size_t start, size_t end) {
    const split *s = (const split *)self;
    const char *bytes = work->text->bytes;
    nf_splitter out = {.pieces = &work->pieces, .behavior = s->behavior, .invert = s->invert};
    for (const char *found; (found = memmem(bytes + start, end - start, s->text, s->size));) {
        size_t from = (size_t)(found - bytes);
        if (start != from && !nf_splitter_give(&out, start, from, false)) return false;
        start = from + s->size;
        if (!nf_splitter_give(&out, from, start, true)) return false;
    }
    if (start != end && !nf_splitter_give(&out, start, end, false)) return false;
    return nf_splitter_finish(&out);
}

static bool split_split(const nf_pre_tokenizer *self, nf_work *work) {
    return nf_split_pieces(work, self,
                           ((const split *)self)->regex ? split_by_regex : split_by_text);
}

static nerfit_status keep_text(split *s, const json_t *text, const char *what, nf_load *load) {
    s->size = json_string_length(text);
    if (!json_is_string(text) || strlen(json_string_value(text)) != s->size)
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "%s: the pattern must be a string without NUL", what);
    s->text = nf_arena_strdup(load->arena, json_string_value(text));
    return s->text ? NERFIT_OK : nf_no_memory(load->err, s->size);
}

nerfit_status nf_pre_tokenizer_split_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "pre-tokenizer Split";
    NF_TRY(nf_component_new(out, sizeof(split), load));
    split *s = *out;
    s->base.split = split_split;
    const json_t *pattern = json_object_get(json, "pattern");
    const json_t *literal = json_object_get(pattern, "String");
    const json_t *regex = json_object_get(pattern, "Regex");
    if (json_object_size(pattern) != 1 || (!literal && !regex))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "%s: \"pattern\" must be {\"String\": ...} or {\"Regex\": ...}", what);
    NF_TRY(nf_split_behavior_load(&s->behavior, json, NF_REQUIRED, what, load));
    NF_TRY(nf_field_bool(&s->invert, json, "invert", NF_REQUIRED, what, load));
    NF_TRY(keep_text(s, literal ? literal : regex, what, load));
    /* The empty literal matches between all characters, as the empty pattern does. */
    if (literal && s->size > 0) return NERFIT_OK;
    return nf_regex_compile(&s->regex, s->text, load->arena, load->file, what, load->err);
}

nerfit_status nf_pre_tokenizer_delimiter_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "pre-tokenizer CharDelimiterSplit";
    NF_TRY(nf_component_new(out, sizeof(split), load));
    split *s = *out;
    s->base.split = split_split;
    s->behavior = NF_SPLIT_REMOVED;
    NF_TRY(keep_text(s, json_object_get(json, "delimiter"), what, load));
    if (s->size == 0 || s->size != nf_utf8_size((unsigned char)s->text[0]))
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                          "%s: \"delimiter\" must be one character", what);
    return NERFIT_OK;
}

/* ---- classes: every character of the class is a match of its own */

typedef struct by_class {
    nf_pre_tokenizer base;
    nf_split_behavior behavior;
    bool (*has)(uint32_t c);
} by_class;

static bool is_punctuation(uint32_t c) {
    return nf_unicode_flags_of(c) & NF_UNICODE_PUNCTUATION;
}

static bool is_numeric(uint32_t c) {
    return nf_class_flags_of(c) & NF_CLASS_NUMERIC;
}

static bool piece_by_class(const nf_pre_tokenizer *self, nf_work *work, size_t start, size_t end) {
    const by_class *b = (const by_class *)self;
    const char *bytes = work->text->bytes;
    nf_splitter out = {.pieces = &work->pieces, .behavior = b->behavior, .invert = false};
    size_t done = start;
    for (size_t at = start, size; at < end; at += size) {
        uint32_t c;
        size = nf_utf8_next(bytes + at, &c);
        if (!b->has(c)) continue;
        if (done < at && !nf_splitter_give(&out, done, at, false)) return false;
        if (!nf_splitter_give(&out, at, at + size, true)) return false;
        done = at + size;
    }
    if (done < end && !nf_splitter_give(&out, done, end, false)) return false;
    return nf_splitter_finish(&out);
}

static bool split_by_class(const nf_pre_tokenizer *self, nf_work *work) {
    return nf_split_pieces(work, self, piece_by_class);
}

static nerfit_status by_class_new(void **out, bool (*has)(uint32_t c), nf_load *load) {
    NF_TRY(nf_component_new(out, sizeof(by_class), load));
    by_class *b = *out;
    b->base.split = split_by_class;
    b->has = has;
    return NERFIT_OK;
}

nerfit_status nf_pre_tokenizer_punctuation_load(void **out, const json_t *json, nf_load *load) {
    NF_TRY(by_class_new(out, is_punctuation, load));
    return nf_split_behavior_load(&((by_class *)*out)->behavior, json, NF_SPLIT_ISOLATED,
                                  "pre-tokenizer Punctuation", load);
}

nerfit_status nf_pre_tokenizer_digits_load(void **out, const json_t *json, nf_load *load) {
    bool individual;
    NF_TRY(by_class_new(out, is_numeric, load));
    NF_TRY(nf_field_bool(&individual, json, "individual_digits", NF_REQUIRED,
                         "pre-tokenizer Digits", load));
    ((by_class *)*out)->behavior = individual ? NF_SPLIT_ISOLATED : NF_SPLIT_CONTIGUOUS;
    return NERFIT_OK;
}

/* ---- Whitespace: \w+|[^\w\s]+ */

static unsigned kind_at(const char *bytes, size_t at, size_t *size) {
    uint32_t c;
    *size = nf_utf8_next(bytes + at, &c);
    return nf_unicode_flags_of(c) & (NF_UNICODE_WORD | NF_UNICODE_SPACE);
}

static bool whitespace_piece(const nf_pre_tokenizer *self, nf_work *work, size_t start,
                             size_t end) {
    (void)self;
    const char *bytes = work->text->bytes;
    for (size_t at = start, size; at < end; start = at) {
        unsigned kind = kind_at(bytes, at, &size);
        for (at += size; at < end && kind_at(bytes, at, &size) == kind;) at += size;
        if (!(kind & NF_UNICODE_SPACE) && !nf_pieces_push(&work->pieces, start, at, -1))
            return false;
    }
    return true;
}

static bool whitespace_split(const nf_pre_tokenizer *self, nf_work *work) {
    return nf_split_pieces(work, self, whitespace_piece);
}

nerfit_status nf_pre_tokenizer_whitespace_load(void **out, const json_t *json, nf_load *load) {
    (void)json;
    NF_TRY(nf_component_new(out, sizeof(nf_pre_tokenizer), load));
    ((nf_pre_tokenizer *)*out)->split = whitespace_split;
    return NERFIT_OK;
}
