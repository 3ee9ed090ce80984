/* A text line by line. */
#ifndef NF_DATA_LINES_H
#define NF_DATA_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nf_lines {
    const char *at, *end;
    long number; /* of the line that was returned last, from 1 */
} nf_lines;

/* Passes over a byte order mark. */
nf_lines nf_lines_of(const char *text, size_t size);
/* The next line without its end ("\n" or "\r\n"); false at the end. */
bool nf_lines_next(nf_lines *lines, const char **line, size_t *size);
/* Whether there is nothing but ASCII white space. */
bool nf_line_blank(const char *line, size_t size);
/* The digits that text [size] begins with, as a number of at most 2^31 - 1; returns how many there
 * are, 0 if there are none or the number is larger. */
size_t nf_digits_read(const char *text, size_t size, int64_t *out);
/* The parts of a line between its tabs, in cells [most] with their sizes; returns how many there are,
 * those after the first `most` not counted. */
size_t nf_line_cells(const char *line, size_t size, const char **cells, size_t *sizes, size_t most);
/* Code points before byte `at`, plus 1: the column of an error message. */
long nf_line_column(const char *line, size_t at);

#endif
