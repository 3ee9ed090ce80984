#include "data/lines.h"

#include <string.h>

#include "base/ascii.h"
#include "base/utf8.h"

nf_lines nf_lines_of(const char *text, size_t size) {
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3, size -= 3;
    return (nf_lines){text, text + size, 0};
}

bool nf_lines_next(nf_lines *lines, const char **line, size_t *size) {
    if (lines->at == lines->end) return false;
    size_t left = (size_t)(lines->end - lines->at);
    const char *newline = memchr(lines->at, '\n', left);
    *line = lines->at;
    *size = newline ? (size_t)(newline - lines->at) : left;
    lines->at = newline ? newline + 1 : lines->end;
    lines->number++;
    if (*size && (*line)[*size - 1] == '\r') --*size;
    return true;
}

bool nf_line_blank(const char *line, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (!strchr(" \t\r\n\v\f", line[i]) || !line[i]) return false;
    return true;
}

size_t nf_digits_read(const char *text, size_t size, int64_t *out) {
    size_t n = 0;
    *out = 0;
    for (; n < size && nf_ascii_is_digit(text[n]); n++) {
        *out = *out * 10 + (text[n] - '0');
        if (*out > INT32_MAX) return 0;
    }
    return n;
}

size_t nf_line_cells(const char *line, size_t size, const char **cells, size_t *sizes,
                     size_t most) {
    size_t n = 0;
    for (size_t at = 0; at <= size && n < most; n++) {
        const char *tab = memchr(line + at, '\t', size - at);
        size_t to = tab ? (size_t)(tab - line) : size;
        cells[n] = line + at;
        sizes[n] = to - at;
        at = to + 1;
    }
    return n;
}

long nf_line_column(const char *line, size_t at) {
    return (long)nf_utf8_count(line, at) + 1;
}
