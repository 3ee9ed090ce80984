/* Where a value stands in JSON text. jansson keeps no places in the values it returns; when a value
 * turns out wrong, this finds it again for the message. It reads over values without understanding
 * them: the text has been, or will be, parsed by jansson. All offsets are bytes; SIZE_MAX is "not
 * found" and may be passed on. */
#ifndef NF_DATA_JSON_PLACE_H
#define NF_DATA_JSON_PLACE_H

#include <stddef.h>

/* The first offset from `at` that is no white space (`size` at the end). */
size_t nf_json_space_end(const char *text, size_t size, size_t at);
/* The end of the value that begins at `at`; `size` if it does not end. */
size_t nf_json_value_end(const char *text, size_t size, size_t at);
/* One part of the object or array at `at` after the other: the first one's beginning, and the next
 * one's after the value at `at`. An object's parts begin with their keys. */
size_t nf_json_first_part(const char *text, size_t size, size_t at);
size_t nf_json_next_part(const char *text, size_t size, size_t at);
size_t nf_json_value_of_key(const char *text, size_t size, size_t at);
/* The value of a member of the object at `at`. The key must stand there without escapes. */
size_t nf_json_member(const char *text, size_t size, size_t at, const char *key);
/* The item of the array at `at`. */
size_t nf_json_item(const char *text, size_t size, size_t at, size_t index);

/* The items of the array at `list`, one after the other: from the last one it is a step, from the
 * array's start a walk. The rest is zero before. */
typedef struct nf_json_items {
    size_t list;
    size_t index, place; /* the item that was asked for last, and its byte; 0: none */
    size_t counted; /* by nf_json_value_item: the byte whose place in the file is line and column */
    long line, column;
} nf_json_items;
/* As nf_json_item of `list`. */
size_t nf_json_items_at(nf_json_items *items, const char *text, size_t size, size_t index);

/* Line (from 1, counting on from `first_line`) and column (code points, from 1) of an offset; 0 and
 * 0 if it is SIZE_MAX. */
void nf_json_line_column(const char *text, size_t at, long first_line, long *line, long *column);

#endif
