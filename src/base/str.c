#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"

/* false, with a note of how much was asked for. */
static bool str_fails(nf_str *s, size_t size) {
    s->failed = true;
    nf_no_room(size);
    return false;
}

bool nf_str_reserve(nf_str *s, size_t length) {
    if (s->failed) return false;
    if (length < s->capacity) return true;
    size_t capacity = s->capacity ? s->capacity : 64;
    while (capacity <= length) {
        if (capacity > SIZE_MAX / 2) return str_fails(s, length);
        capacity *= 2;
    }
    char *data = realloc(s->data, capacity);
    if (!data) return str_fails(s, capacity);
    s->data = data;
    s->capacity = capacity;
    return true;
}

bool nf_str_append(nf_str *s, const char *bytes, size_t length) {
    if (length > SIZE_MAX - s->length - 1) return str_fails(s, length);
    if (!nf_str_reserve(s, s->length + length)) return false;
    if (length) memcpy(s->data + s->length, bytes, length);
    s->length += length;
    s->data[s->length] = '\0';
    return true;
}

bool nf_str_append_text(nf_str *s, const char *text) {
    return nf_str_append(s, text, strlen(text));
}

bool nf_str_append_char(nf_str *s, char c) {
    return nf_str_append(s, &c, 1);
}

bool nf_str_append_html(nf_str *s, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        const char *entity = text[i] == '<'   ? "&lt;"
                             : text[i] == '>' ? "&gt;"
                             : text[i] == '&' ? "&amp;"
                             : text[i] == '"' ? "&quot;"
                                              : NULL;
        if (!(entity ? nf_str_append_text(s, entity) : nf_str_append_char(s, text[i])))
            return false;
    }
    return true;
}

/* What stands for a byte that cannot stand for itself; `hex` is room for the rest of them. */
static const char *json_escape(unsigned char c, char hex[8]) {
    static const char digits[] = "0123456789ABCDEF";
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    }
    memcpy(hex, "\\u00", 4);
    hex[4] = digits[c >> 4];
    hex[5] = digits[c & 15];
    hex[6] = '\0';
    return hex;
}

bool nf_str_append_json(nf_str *s, const char *text, size_t length) {
    size_t plain = 0; /* where the bytes that stand for themselves begin */
    char hex[8];
    nf_str_append_char(s, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        nf_str_append(s, text + plain, i - plain);
        nf_str_append_text(s, json_escape(c, hex));
        plain = i + 1;
    }
    nf_str_append(s, text + plain, length - plain);
    return nf_str_append_char(s, '"');
}

bool nf_str_appendf(nf_str *s, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int need = nf_print_list(NULL, 0, format, args);
    va_end(args);
    bool ok = need >= 0 && nf_str_reserve(s, s->length + (size_t)need);
    if (ok) {
        nf_print_list(s->data + s->length, (size_t)need + 1, format, again);
        s->length += (size_t)need;
    } else {
        s->failed = true;
    }
    va_end(again);
    return ok;
}

void nf_str_clear(nf_str *s) {
    s->length = 0;
    s->failed = false;
    if (s->data) s->data[0] = '\0';
}

void nf_str_free(nf_str *s) {
    free(s->data);
    *s = (nf_str){0};
}

const char *nf_str_text(const nf_str *s) {
    return s->data ? s->data : "";
}

bool nf_text_ends_with(const char *text, size_t size, const char *ending) {
    size_t length = strlen(ending);
    return size >= length && memcmp(text + size - length, ending, length) == 0;
}

size_t nf_list_index(const char *const *list, size_t count, const char *text) {
    size_t i = 0;
    while (i < count && strcmp(list[i], text) != 0) i++;
    return i;
}

size_t nf_str_distance(const char *a, const char *b) {
    size_t la = strlen(a), lb = strlen(b), rows[3][64];
    if (la > 63) la = 63;
    if (lb > 63) lb = 63;
    for (size_t j = 0; j <= lb; j++) rows[0][j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *top = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            bool exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (exchanged && top[j - 2] + 1 < best) best = top[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[la % 3][lb];
}

void nf_nearest_see(nf_nearest *nearest, const char *wanted, const char *name) {
    size_t length = strlen(wanted), limit = length < 3 ? 1 : (length + 2) / 3;
    size_t distance = nf_str_distance(wanted, name);
    if (distance > limit || distance >= length) return;
    if (nearest->name && distance >= nearest->distance) return;
    *nearest = (nf_nearest){name, distance};
}
