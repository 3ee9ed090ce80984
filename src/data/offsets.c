#include "base/ascii.h"
#include "data/offsets.h"

#include <string.h>

static const struct {
    const char *name, *title;
} units[NF_OFFSET_UNITS] = {
    [NF_OFFSETS_CODE_POINTS] = {"code_points", "characters"},
    [NF_OFFSETS_UTF16] = {"utf16", "UTF-16 units"},
    [NF_OFFSETS_BYTES] = {"bytes", "bytes"},
};

bool nf_offset_unit_find(const char *name, nf_offset_unit *unit) {
    for (int i = 0; i < NF_OFFSET_UNITS; i++)
        if (nf_ascii_same(units[i].name, name)) return *unit = (nf_offset_unit)i, true;
    return false;
}

const char *nf_offset_unit_title(nf_offset_unit unit) {
    return units[unit].title;
}

/* How much of its unit a character takes that is `size` bytes long. */
static int64_t width(nf_offset_unit unit, size_t size) {
    if (unit == NF_OFFSETS_BYTES) return (int64_t)size;
    return unit == NF_OFFSETS_UTF16 && size == 4 ? 2 : 1;
}

bool nf_offset_code_point(const char *text, size_t size, nf_offset_unit unit, int64_t offset,
                          uint32_t *code_point) {
    int64_t at = 0;
    uint32_t index = 0;
    for (size_t byte = 0; at < offset && byte < size; index++) {
        size_t step = nf_utf8_size((unsigned char)text[byte]);
        at += width(unit, step);
        byte += step;
    }
    *code_point = index;
    return at == offset;
}

int64_t nf_offset_of(const char *text, size_t size, nf_offset_unit unit, uint32_t code_point) {
    int64_t at = 0;
    for (size_t byte = 0; code_point && byte < size; code_point--) {
        size_t step = nf_utf8_size((unsigned char)text[byte]);
        at += width(unit, step);
        byte += step;
    }
    return at;
}

/* Over a run of white space; whether there was one. */
static bool pass_space(const char *text, size_t size, size_t *at) {
    uint32_t c;
    size_t begin = *at;
    for (size_t step; *at < size; *at += step) {
        step = nf_utf8_decode(text + *at, size - *at, &c);
        if (!step || !nf_is_space(c)) break;
    }
    return *at > begin;
}

bool nf_same_but_space(const char *a, size_t a_size, const char *b, size_t b_size) {
    size_t i = 0, k = 0;
    pass_space(a, a_size, &i);
    pass_space(b, b_size, &k);
    while (i < a_size && k < b_size) {
        bool x = pass_space(a, a_size, &i), y = pass_space(b, b_size, &k);
        if (x != y && i < a_size && k < b_size) return false;
        if (i == a_size || k == b_size) break;
        if (a[i++] != b[k++]) return false;
    }
    pass_space(a, a_size, &i);
    pass_space(b, b_size, &k);
    return i == a_size && k == b_size;
}

size_t nf_utf8_cut(const char *text, size_t size, size_t most) {
    if (size <= most) return size;
    while (most && ((unsigned char)text[most] & 0xC0) == 0x80) most--;
    return most;
}

static bool fits(const nf_given_document *d, const nf_given_span *span, nf_offset_unit unit) {
    uint32_t start, end;
    if (!nf_offset_code_point(d->text, d->text_size, unit, span->start, &start) ||
        !nf_offset_code_point(d->text, d->text_size, unit, span->end, &end))
        return false;
    size_t from = nf_utf8_offset(d->text, d->text_size, start);
    size_t to = nf_utf8_offset(d->text, d->text_size, end);
    return nf_same_but_space(d->text + from, to - from, span->text, span->text_size);
}

/* Byte of the occurrence that is nearest to byte `near`; `size` if there is none. */
static size_t nearest(const char *text, size_t size, const char *part, size_t part_size,
                      size_t near) {
    size_t best = size, distance = SIZE_MAX;
    if (!part_size) return size;
    for (size_t at = 0; at + part_size <= size;) {
        const char *found = memmem(text + at, size - at, part, part_size);
        if (!found) break;
        size_t byte = (size_t)(found - text), far = byte > near ? byte - near : near - byte;
        if (far < distance) best = byte, distance = far;
        at = byte + 1;
    }
    return best;
}

void nf_contradiction_explain(nf_str *out, const nf_given_document *d, const nf_given_span *span,
                              nf_offset_unit unit) {
    uint32_t start;
    nf_offset_code_point(d->text, d->text_size, unit, span->start, &start);
    size_t near = nf_utf8_offset(d->text, d->text_size, start);
    size_t at = nearest(d->text, d->text_size, span->text, span->text_size, near);
    if (at == d->text_size)
        nf_str_append_text(out, ", which the text does not hold");
    else {
        size_t from = nf_utf8_count(d->text, at);
        nf_str_appendf(out, ", which stands at %zu..%zu", from,
                       from + nf_utf8_count(span->text, span->text_size));
    }
    for (int other = 0; other < NF_OFFSET_UNITS; other++)
        if ((nf_offset_unit)other != unit && fits(d, span, (nf_offset_unit)other))
            nf_str_appendf(out, "; it would fit if its offsets counted %s (offsets %s)",
                           units[other].title, units[other].name);
}
