#include "data/json_place.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "data/lines.h"

size_t nf_json_space_end(const char *text, size_t size, size_t at) {
    while (at < size &&
           (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
        at++;
    return at;
}

static size_t string_end(const char *text, size_t size, size_t at) {
    for (at++; at < size; at++) {
        if (text[at] == '\\')
            at++;
        else if (text[at] == '"')
            return at + 1;
    }
    return size;
}

size_t nf_json_value_end(const char *text, size_t size, size_t at) {
    size_t depth = 0;
    while (at < size) {
        char c = text[at];
        if (c == '"')
            at = string_end(text, size, at);
        else if (c == '{' || c == '[')
            depth++, at++;
        else if (c == '}' || c == ']') {
            if (depth == 0) return at;
            depth--, at++;
        } else if (depth) {
            at++;
            continue;
        } else { /* a number or a word */
            while (at < size && !strchr(" \t\r\n,:]}[{\"", text[at])) at++;
            return at;
        }
        if (depth == 0) return at;
    }
    return size;
}

size_t nf_json_first_part(const char *text, size_t size, size_t at) {
    if (at >= size || (text[at] != '{' && text[at] != '[')) return SIZE_MAX;
    at = nf_json_space_end(text, size, at + 1);
    return at < size && text[at] != '}' && text[at] != ']' ? at : SIZE_MAX;
}

/* Over the value at `at` and the separator after it. */
static size_t after(const char *text, size_t size, size_t at, char separator) {
    at = nf_json_space_end(text, size, nf_json_value_end(text, size, at));
    return at < size && text[at] == separator ? nf_json_space_end(text, size, at + 1) : SIZE_MAX;
}

size_t nf_json_next_part(const char *text, size_t size, size_t at) {
    return after(text, size, at, ',');
}

size_t nf_json_value_of_key(const char *text, size_t size, size_t at) {
    return after(text, size, at, ':');
}

size_t nf_json_member(const char *text, size_t size, size_t at, const char *key) {
    if (at >= size || text[at] != '{') return SIZE_MAX;
    size_t length = strlen(key);
    for (at = nf_json_first_part(text, size, at); at < size;) {
        bool found = text[at] == '"' && size - at > length + 1 && text[at + length + 1] == '"' &&
                     memcmp(text + at + 1, key, length) == 0;
        at = nf_json_value_of_key(text, size, at);
        if (found || at >= size) return at;
        at = nf_json_next_part(text, size, at);
    }
    return SIZE_MAX;
}

size_t nf_json_item(const char *text, size_t size, size_t at, size_t index) {
    if (at >= size || text[at] != '[') return SIZE_MAX;
    for (at = nf_json_first_part(text, size, at); at < size; at = nf_json_next_part(text, size, at))
        if (index-- == 0) return at;
    return SIZE_MAX;
}

size_t nf_json_items_at(nf_json_items *items, const char *text, size_t size, size_t index) {
    if (!items->place || index < items->index) {
        items->place = nf_json_item(text, size, items->list, 0);
        items->index = 0;
    }
    for (; items->index < index && items->place < size; items->index++)
        items->place = nf_json_next_part(text, size, items->place);
    return items->place < size ? items->place : SIZE_MAX;
}

void nf_json_line_column(const char *text, size_t at, long first_line, long *line, long *column) {
    *line = *column = 0;
    if (at == SIZE_MAX) return;
    *line = first_line;
    size_t start = 0;
    for (size_t i = 0; i < at; i++)
        if (text[i] == '\n') start = i + 1, ++*line;
    *column = nf_line_column(text + start, at - start);
}
