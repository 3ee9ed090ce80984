/* All buffers grow by doubling and are kept from text to text. */
#include "text/aligned.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/utf8.h"
#include "text/unicode.h"

void nf_text_borrow(nf_text *text, const char *bytes, size_t length) {
    text->bytes = bytes;
    text->length = length;
    text->starts = text->ends = NULL;
    text->cursor_byte = text->cursor_index = 0;
}

void nf_text_clear(nf_text *text) {
    nf_text_borrow(text, text->own_bytes, 0);
}

void nf_text_free(nf_text *text) {
    free(text->own_bytes);
    free(text->own_starts);
    free(text->own_ends);
    memset(text, 0, sizeof *text);
}

bool nf_text_reserve(nf_text *text, size_t more) {
    if (text->capacity - text->length >= more && text->own_bytes) return true;
    size_t capacity = text->capacity < 256 ? 256 : text->capacity;
    while (capacity - text->length < more) capacity *= 2;
    bool borrowed = text->bytes != text->own_bytes;
    /* The capacity is raised only once all three have it. */
    if (!nf_array_resize(&text->own_bytes, capacity, 1) ||
        !nf_array_resize(&text->own_starts, capacity, sizeof *text->own_starts) ||
        !nf_array_resize(&text->own_ends, capacity, sizeof *text->own_ends)) {
        if (!borrowed) text->bytes = text->own_bytes;
        if (text->starts) text->starts = text->own_starts, text->ends = text->own_ends;
        return false;
    }
    text->capacity = capacity;
    if (!borrowed) text->bytes = text->own_bytes;
    if (text->starts) text->starts = text->own_starts, text->ends = text->own_ends;
    return true;
}

bool nf_text_align(nf_text *text) {
    if (text->starts) return true;
    if (text->capacity < text->length || !text->own_bytes) {
        size_t length = text->length;
        text->length = 0;
        bool enough = nf_text_reserve(text, length + 1);
        text->length = length;
        if (!enough) return false;
    }
    uint32_t index = 0;
    for (size_t i = 0; i < text->length; index++) {
        size_t size = nf_utf8_size((unsigned char)text->bytes[i]);
        for (size_t end = i + size; i < end; i++) {
            text->own_starts[i] = index;
            text->own_ends[i] = index + 1;
        }
    }
    text->starts = text->own_starts;
    text->ends = text->own_ends;
    return true;
}

bool nf_text_append(nf_text *to, nf_text *from, size_t start, size_t end) {
    size_t size = end - start;
    if (!to->starts && (from->starts || start != to->length) && !nf_text_align(to)) return false;
    if (!nf_text_reserve(to, size + 1)) return false;
    memcpy(to->own_bytes + to->length, from->bytes + start, size);
    if (to->starts) {
        if (!from->starts && !nf_text_align(from)) return false;
        memcpy(to->own_starts + to->length, from->starts + start, size * sizeof *from->starts);
        memcpy(to->own_ends + to->length, from->ends + start, size * sizeof *from->ends);
    }
    to->length += size;
    return true;
}

uint32_t nf_text_index(nf_text *text, size_t byte) {
    if (byte < text->cursor_byte) text->cursor_byte = text->cursor_index = 0;
    size_t at = text->cursor_byte, index = text->cursor_index;
    /* A byte that is no continuation begins a code point: the count of those up to and with `byte`
     * is one more than the index of the code point that holds it. */
    while (at < byte) {
        at++;
        if (at >= text->length || ((unsigned char)text->bytes[at] & 0xC0) != 0x80) index++;
    }
    text->cursor_byte = at;
    text->cursor_index = index;
    return (uint32_t)index;
}

void nf_text_original(nf_text *text, uint32_t *start, uint32_t *end) {
    if (*start >= text->length) {
        *start = *end = 0;
    } else if (text->starts) {
        size_t last = *end > *start ? *end - 1 : *start;
        *start = text->starts[*start];
        *end = text->ends[last];
    } else {
        size_t last = *end > *start ? *end - 1 : *start;
        *start = nf_text_index(text, *start);
        *end = nf_text_index(text, last) + 1;
    }
}

bool nf_rewrite_begin(nf_rewrite *rewrite, nf_text *from, size_t start, size_t end, size_t skip,
                      nf_text *to) {
    *rewrite = (nf_rewrite){from, to, start, start + skip, end};
    return nf_text_align(from) && nf_text_align(to) && nf_text_reserve(to, end - start + 16);
}

bool nf_rewrite_emit(nf_rewrite *rewrite, uint32_t code_point, long change) {
    nf_text *from = rewrite->from, *to = rewrite->to;
    if (!nf_text_reserve(to, 8)) return false;
    uint32_t first = 0, last = 0;
    if (change > 0 && rewrite->at > rewrite->begin) {
        first = from->starts[rewrite->at - 1];
        last = from->ends[rewrite->at - 1];
    } else if (change > 0 ? rewrite->begin < from->length : rewrite->at < rewrite->end) {
        first = from->starts[rewrite->at];
        /* What is inserted before anything else stands for the empty range at the beginning. */
        last = change > 0 ? first : from->ends[rewrite->at];
    } else if (rewrite->at > 0) {
        first = last = from->ends[rewrite->at - 1];
    }
    size_t size = nf_utf8_encode(code_point, to->own_bytes + to->length);
    for (size_t i = 0; i < size; i++) {
        to->own_starts[to->length + i] = first;
        to->own_ends[to->length + i] = last;
    }
    to->length += size;
    for (long n = change > 0 ? 0 : 1 - change; n > 0 && rewrite->at < rewrite->end; n--)
        rewrite->at += nf_utf8_size((unsigned char)from->bytes[rewrite->at]);
    return true;
}
