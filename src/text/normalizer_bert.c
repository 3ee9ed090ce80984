/* BertNormalizer: drop control characters and make all white space a blank (clean_text), put blanks
 * around Chinese characters, strip accents, lower-case. `tokenizers` (0.23) does one after the
 * other over the whole text; here each code point goes through all four at once, which gives the
 * same unless marks that are kept change their order: such a text takes the steps one by one. */
#include <string.h>

#include "base/utf8.h"
#include "text/normalizer.h"
#include "text/unicode.h"

/* In `ascii`: the byte is dropped, or is not ASCII. */
enum { NOT_PLAIN = 0x80 };

typedef struct bert_normalizer {
    nf_normalizer base;
    bool clean_text, handle_chinese_chars, strip_accents, lowercase;
    uint16_t changing; /* flags of the code points that do not pass as they are */
    unsigned char ascii[256];
} bert_normalizer;

static bool map_spaces(nf_text *from, nf_text *to) {
    nf_rewrite rewrite;
    if (!nf_rewrite_begin(&rewrite, from, 0, from->length, 0, to)) return false;
    for (size_t i = 0; i < from->length;) {
        uint32_t c;
        i += nf_utf8_next(from->bytes + i, &c);
        if (nf_unicode_flags_of(c) & NF_UNICODE_SPACE) c = ' ';
        if (!nf_rewrite_emit(&rewrite, c, 0)) return false;
    }
    return true;
}

static bool space_chinese(nf_text *from, nf_text *to) {
    nf_rewrite rewrite;
    if (!nf_rewrite_begin(&rewrite, from, 0, from->length, 0, to)) return false;
    for (size_t i = 0; i < from->length;) {
        uint32_t c;
        i += nf_utf8_next(from->bytes + i, &c);
        bool chinese = nf_unicode_flags_of(c) & NF_UNICODE_CHINESE;
        if (chinese && !nf_rewrite_emit(&rewrite, ' ', 0)) return false;
        if (!nf_rewrite_emit(&rewrite, c, chinese)) return false;
        if (chinese && !nf_rewrite_emit(&rewrite, ' ', 1)) return false;
    }
    return true;
}

/* The steps one by one, as `tokenizers` has them. */
static bool apply_in_steps(const bert_normalizer *n, nf_text *from, size_t start, size_t end,
                           nf_text *to) {
    nf_text buffers[2] = {{0}, {0}}, *now = &buffers[0], *next = &buffers[1], *swap;
    nf_text_clear(now);
    bool ok = nf_text_align(now) && nf_text_append(now, from, start, end);
#define STEP(expression)                                                                           \
    do {                                                                                           \
        nf_text_clear(next);                                                                       \
        ok = ok && nf_text_align(next) && (expression);                                            \
        swap = now, now = next, next = swap;                                                       \
    } while (0)
    if (n->clean_text) {
        STEP(nf_normalize_drop(now, 0, now->length, NF_UNICODE_CONTROL, next));
        STEP(map_spaces(now, next));
    }
    if (n->handle_chinese_chars) STEP(space_chinese(now, next));
    if (n->strip_accents) {
        STEP(nf_normalize_decompose(now, 0, now->length, false, next));
        STEP(nf_normalize_drop(now, 0, now->length, NF_UNICODE_NONSPACING, next));
    }
    if (n->lowercase) STEP(nf_normalize_lowercase(now, 0, now->length, next));
#undef STEP
    ok = ok && nf_text_align(to) && nf_text_append(to, now, 0, now->length);
    nf_text_free(&buffers[0]);
    nf_text_free(&buffers[1]);
    return ok;
}

/* Writes one code point that stands for the original ones first .. last. */
static void put(nf_text *to, uint32_t c, uint32_t first, uint32_t last) {
    size_t size = nf_utf8_encode(c, to->own_bytes + to->length);
    for (size_t i = 0; i < size; i++) {
        to->own_starts[to->length + i] = first;
        to->own_ends[to->length + i] = last;
    }
    to->length += size;
}

/* Writes what becomes of a code point (to->starts is set, there is room). False if only the steps
 * one by one can tell. */
static bool put_normalized(const bert_normalizer *n, uint32_t c, uint16_t flags, nf_text *to,
                           uint32_t first, uint32_t last) {
    if (n->clean_text) {
        if (flags & NF_UNICODE_CONTROL) return true;
        if (flags & NF_UNICODE_SPACE) {
            put(to, ' ', first, last);
            return true;
        }
    }
    uint32_t parts[NF_UNICODE_MAX_DECOMPOSITION] = {c}, lower[2];
    size_t count = 1;
    if (n->strip_accents && (flags & NF_UNICODE_HAS_NFD))
        count = nf_unicode_decompose(c, false, parts);
    bool chinese = n->handle_chinese_chars && (flags & NF_UNICODE_CHINESE);
    if (chinese) put(to, ' ', first, last);
    for (size_t i = 0; i < count; i++) {
        uint16_t f = nf_unicode_flags_of(parts[i]);
        if (n->strip_accents) {
            if (f & NF_UNICODE_NONSPACING) continue;
            if (f & NF_UNICODE_HAS_CLASS) return false;
        }
        lower[0] = parts[i];
        size_t lowered = 1;
        if (n->lowercase && (f & NF_UNICODE_HAS_LOWER))
            lowered = nf_unicode_to_lower(parts[i], lower);
        for (size_t k = 0; k < lowered; k++) put(to, lower[k], first, last);
    }
    if (chinese) put(to, ' ', first, last);
    return true;
}

static bool bert_apply(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                       size_t end, nf_text *to) {
    (void)work;
    const bert_normalizer *n = (const bert_normalizer *)self;
    enum { ROOM = 4 * (NF_UNICODE_MAX_DECOMPOSITION + 2) * 2 };
    const unsigned char *bytes = (const unsigned char *)from->bytes;
    size_t begin = to->length;
    if (!to->starts && (from->starts || start != begin) && !nf_text_align(to)) return false;
    if (!nf_text_reserve(to, end - start + ROOM)) return false;
    uint32_t index = from->starts ? 0 : nf_text_index(from, start);
    for (size_t i = start; i < end;) {
        unsigned char plain;
        size_t run = i;
        char *out = to->own_bytes + to->length;
        if (!to->starts) {
            while (i < end && (plain = n->ascii[bytes[i]]) < NOT_PLAIN) *out++ = (char)plain, i++;
            to->length += i - run;
            index += (uint32_t)(i - run);
        } else if (!from->starts) {
            uint32_t *starts = to->own_starts + to->length, *ends = to->own_ends + to->length;
            for (; i < end && (plain = n->ascii[bytes[i]]) < NOT_PLAIN; i++) {
                *out++ = (char)plain;
                *starts++ = index++;
                *ends++ = index;
            }
            to->length += i - run;
        } else {
            uint32_t *starts = to->own_starts + to->length, *ends = to->own_ends + to->length;
            for (; i < end && (plain = n->ascii[bytes[i]]) < NOT_PLAIN; i++) {
                *out++ = (char)plain;
                *starts++ = from->starts[i];
                *ends++ = from->ends[i];
            }
            to->length += i - run;
        }
        if (i == end) break;

        uint32_t c;
        size_t size = nf_utf8_next(from->bytes + i, &c);
        uint16_t flags = nf_unicode_flags_of(c);
        if (!nf_text_reserve(to, end - i + ROOM)) return false;
        if (!to->starts && !(flags & n->changing)) {
            memcpy(to->own_bytes + to->length, bytes + i, size);
            to->length += size;
        } else {
            if (!nf_text_align(to)) return false;
            uint32_t first = from->starts ? from->starts[i] : index;
            uint32_t last = from->starts ? from->ends[i] : index + 1;
            if (!put_normalized(n, c, flags, to, first, last)) {
                to->length = begin;
                return apply_in_steps(n, from, start, end, to);
            }
        }
        i += size;
        index++;
    }
    return true;
}

nerfit_status nf_normalizer_bert_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "normalizer BertNormalizer";
    NF_TRY(nf_component_new(out, sizeof(bert_normalizer), load));
    bert_normalizer *n = *out;
    n->base.apply = bert_apply;
    NF_TRY(nf_field_bool(&n->clean_text, json, "clean_text", NF_REQUIRED, what, load));
    NF_TRY(nf_field_bool(&n->handle_chinese_chars, json, "handle_chinese_chars", NF_REQUIRED, what,
                         load));
    NF_TRY(nf_field_bool(&n->lowercase, json, "lowercase", NF_REQUIRED, what, load));
    /* null: accents go where case goes, as in the original BERT. */
    n->strip_accents = n->lowercase;
    const json_t *strip = json_object_get(json, "strip_accents");
    if (strip && !json_is_null(strip))
        NF_TRY(nf_field_bool(&n->strip_accents, json, "strip_accents", NF_REQUIRED, what, load));

    if (n->clean_text) n->changing |= NF_UNICODE_CONTROL | NF_UNICODE_SPACE;
    if (n->handle_chinese_chars) n->changing |= NF_UNICODE_CHINESE;
    if (n->strip_accents)
        n->changing |= NF_UNICODE_HAS_NFD | NF_UNICODE_NONSPACING | NF_UNICODE_HAS_CLASS;
    if (n->lowercase) n->changing |= NF_UNICODE_HAS_LOWER;
    memset(n->ascii, NOT_PLAIN, sizeof n->ascii);
    for (uint32_t c = 0; c < 0x80; c++) {
        uint16_t flags = nf_unicode_flags_of(c);
        uint32_t lower[2] = {c};
        if (n->lowercase) nf_unicode_to_lower(c, lower);
        if (n->clean_text && (flags & NF_UNICODE_SPACE) && !(flags & NF_UNICODE_CONTROL))
            lower[0] = ' ';
        if (!n->clean_text || !(flags & NF_UNICODE_CONTROL)) n->ascii[c] = (unsigned char)lower[0];
    }
    return NERFIT_OK;
}
