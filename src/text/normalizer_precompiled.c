/* Precompiled: SentencePiece's character map, a double array over UTF-8 whose values are places in
 * a list of NUL-terminated replacements. What is looked up, and what becomes of the offsets, is as
 * in `tokenizers` (0.23), with its oddities, because models were trained with them:
 * - a grapheme cluster of fewer than six bytes is replaced as a whole by what the map has for the
 *   shortest beginning of it; any other is taken character by character;
 * - what is removed before anything has been kept is not counted, so that the offsets of the rest
 * of the text are those of characters further to the left. */
#include <string.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "text/grapheme.h"
#include "text/normalizer.h"
#include "text/unicode.h"

enum { WHOLE_BYTES = 6, BASIC_PLANE = 0x10000 };
#define NO_VALUE UINT32_MAX

typedef struct precompiled {
    nf_normalizer base;
    const uint32_t *units;
    size_t unit_count;
    const char *replacements; /* NUL-terminated strings */
    size_t replacements_size;
    uint8_t changes[BASIC_PLANE / 8]; /* bit per code point: it is in the map by itself */
} precompiled;

/* ---- the double array (Darts) */

static uint32_t unit_offset(uint32_t unit) {
    return (unit >> 10) << ((unit & (1u << 9)) >> 6);
}

/* The replacement for the shortest beginning of text[0, length) that has one, or NULL. */
static const char *find(const precompiled *p, const char *text, size_t length) {
    uint32_t node = unit_offset(p->units[0]);
    for (size_t i = 0; i < length && text[i]; i++) {
        node ^= (unsigned char)text[i];
        if (node >= p->unit_count) return NULL;
        uint32_t unit = p->units[node];
        if ((unit & (1u << 31 | 0xFF)) != (unsigned char)text[i]) return NULL;
        node ^= unit_offset(unit);
        if (unit >> 8 & 1) {
            if (node >= p->unit_count || !(p->units[node] >> 31)) return NULL;
            return p->replacements + (p->units[node] & 0x7FFFFFFF);
        }
    }
    return NULL;
}

/* The replacement of one character of `size` bytes, or NULL. */
static const char *find_one(const precompiled *p, const char *text, size_t size) {
    uint32_t c;
    nf_utf8_next(text, &c);
    if (c < BASIC_PLANE && !(p->changes[c >> 3] >> (c & 7) & 1)) return NULL;
    return find(p, text, size);
}

/* ---- rewriting */

typedef struct output {
    nf_rewrite rewrite;
    bool begun;
    long last_change; /* of the last character written */
    size_t last_size; /* 0: none was */
} output;

static bool emit(output *out, uint32_t c, long change) {
    size_t length = out->rewrite.to->length;
    if (!nf_rewrite_emit(&out->rewrite, c, change)) return false;
    out->last_change = change;
    out->last_size = out->rewrite.to->length - length;
    return true;
}

/* Characters start .. end of the old text stay. */
static bool keep(output *out, size_t start, size_t end) {
    nf_rewrite *r = &out->rewrite;
    nf_text *from = r->from, *to = r->to;
    if (start == end) return true;
    if (r->at != start) {
        for (size_t i = start; i < end;) {
            uint32_t c;
            i += nf_utf8_next(from->bytes + i, &c);
            if (!emit(out, c, 0)) return false;
        }
        return true;
    }
    if (!nf_text_append(to, from, start, end)) return false;
    r->at = end;
    out->last_change = 0;
    out->last_size = 1;
    while (((unsigned char)to->bytes[to->length - out->last_size] & 0xC0) == 0x80) out->last_size++;
    return true;
}

/* `count` old characters vanish. They are counted with the last one written: if that was an
 * insertion, it becomes the replacement of the first of them. */
static void drop(output *out, size_t count) {
    nf_rewrite *r = &out->rewrite;
    nf_text *from = r->from, *to = r->to;
    if (out->last_size == 0) return;
    if (out->last_change > 0 && count > 0) {
        for (size_t i = to->length - out->last_size; i < to->length && r->at < r->end; i++) {
            to->own_starts[i] = from->starts[r->at];
            to->own_ends[i] = from->ends[r->at];
        }
        out->last_change = 0;
    }
    for (; count > 0 && r->at < r->end; count--)
        r->at += nf_utf8_size((unsigned char)from->bytes[r->at]);
}

static bool replace(output *out, const char *old, size_t old_size, const char *new) {
    size_t had = old_size == 1 ? 1 : nf_utf8_count(old, old_size), written = 0;
    for (; *new; written++) {
        uint32_t c;
        new += nf_utf8_next(new, &c);
        if (!emit(out, c, written >= had)) return false;
    }
    if (written < had) drop(out, had - written);
    return true;
}

static bool precompiled_apply(const nf_normalizer *self, nf_work *work, nf_text *from, size_t start,
                              size_t end, nf_text *to) {
    (void)work;
    const precompiled *p = (const precompiled *)self;
    const char *bytes = from->bytes;
    output out = {0};
    size_t kept = start; /* what stands from here up to `i` stays as it is */
    for (size_t i = start, stop; i < end; i = stop) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte < 0x80 && byte != '\r' && (i + 1 == end || (unsigned char)bytes[i + 1] < 0x80)) {
            stop = i + 1;
            if (!(p->changes[byte >> 3] >> (byte & 7) & 1)) continue;
        } else {
            stop = nf_grapheme_end(bytes, i, end);
        }
        /* A whole cluster, or its characters one by one. */
        size_t first = nf_utf8_size(byte), at = i, size = stop - i;
        const char *new = first == size        ? find_one(p, bytes + i, size)
                          : size < WHOLE_BYTES ? find(p, bytes + i, size)
                                               : NULL;
        if (!new &&first == size) continue;
        for (; at < stop; at += size) {
            if (!new) {
                size = nf_utf8_size((unsigned char)bytes[at]);
                new = find_one(p, bytes + at, size);
            }
            if (!new) continue;
            if (!out.begun && !nf_rewrite_begin(&out.rewrite, from, start, end, 0, to))
                return false;
            out.begun = true;
            bytes = from->bytes;
            if (!keep(&out, kept, at) || !replace(&out, bytes + at, size, new)) return false;
            kept = at + size;
            new = NULL;
        }
    }
    return out.begun ? keep(&out, kept, end) : nf_text_append(to, from, start, end);
}

/* ---- loading */

static nerfit_status broken(nf_load *load, const char *why) {
    return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0,
                      "normalizer Precompiled: \"precompiled_charsmap\" %s", why);
}

/* Whether every leaf leads to a place in the replacements where a character begins. */
static bool leaves_are_valid(const precompiled *p) {
    for (size_t i = 0; i < p->unit_count; i++) {
        if (!(p->units[i] >> 31)) continue;
        size_t value = p->units[i] & 0x7FFFFFFF;
        if (value >= p->replacements_size || ((unsigned char)p->replacements[value] & 0xC0) == 0x80)
            return false;
    }
    return true;
}

static nerfit_status read_map(precompiled *p, const unsigned char *map, size_t size,
                              nf_load *load) {
    if (size < 4) return broken(load, "is shorter than its own length");
    size_t trie = map[0] | (size_t)map[1] << 8 | (size_t)map[2] << 16 | (size_t)map[3] << 24;
    if (trie > size - 4 || trie % 4 != 0 || trie == 0)
        return broken(load, "has a double array of a wrong length");
    p->unit_count = trie / 4;
    p->replacements_size = size - 4 - trie;
    uint32_t *units = nf_arena_alloc(load->arena, trie);
    char *replacements =
        nf_arena_copy(load->arena, (const char *)map + 4 + trie, p->replacements_size);
    if (!units || !replacements) return nf_no_memory(load->err, size);
    for (size_t i = 0; i < p->unit_count; i++) {
        const unsigned char *b = map + 4 + i * 4;
        units[i] = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    }
    p->units = units;
    p->replacements = replacements;
    p->replacements_size++; /* the NUL that the copy has behind it */
    if (!nf_utf8_valid(replacements, p->replacements_size - 1, NULL))
        return broken(load, "has replacements that are not UTF-8");
    if (!leaves_are_valid(p)) return broken(load, "has a value that is no replacement");
    for (uint32_t c = 0; c < BASIC_PLANE; c++) {
        char text[4];
        if (c >= 0xD800 && c < 0xE000) continue;
        if (find(p, text, nf_utf8_encode(c, text)))
            p->changes[c >> 3] = (uint8_t)(p->changes[c >> 3] | 1u << (c & 7));
    }
    return NERFIT_OK;
}

nerfit_status nf_normalizer_precompiled_load(void **out, const json_t *json, nf_load *load) {
    NF_TRY(nf_component_new(out, sizeof(precompiled), load));
    precompiled *p = *out;
    p->base.apply = precompiled_apply;
    const json_t *text = json_object_get(json, "precompiled_charsmap");
    if (!json_is_string(text)) return broken(load, "must be a string");
    size_t length = json_string_length(text), size;
    unsigned char *map = nf_arena_alloc(load->arena, length / 4 * 3 + 4);
    if (!map) return nf_no_memory(load->err, length);
    if (!nf_base64_decode(json_string_value(text), length, map, &size))
        return broken(load, "is not base64");
    return read_map(p, map, size, load);
}
