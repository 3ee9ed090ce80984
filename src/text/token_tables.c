#include "text/token_tables.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/json_cursor.h"
#include "base/number.h"

void nf_token_tables_free(nf_token_tables *t) {
    free(t->rows);
    free(t->merges);
    t->rows = NULL;
    t->merges = NULL;
    t->count = t->capacity = t->merge_count = t->merge_capacity = 0;
}

nerfit_status nf_token_tables_add(nf_token_tables *t, const char *text, size_t length, int32_t id,
                                  double score, nerfit_error *err) {
    if (id > NF_VOCABULARY_MAX_ID)
        return nf_fail(err, NERFIT_UNSUPPORTED, "a vocabulary of more than %d tokens",
                       NF_VOCABULARY_MAX_ID + 1);
    const char *copy = nf_arena_copy(t->arena, text, length);
    if (!copy || !nf_array_reserve(&t->rows, &t->capacity, t->count + 1, sizeof *t->rows))
        return nf_no_memory(err, t->capacity * sizeof *t->rows);
    t->rows[t->count++] = (nf_token_row){copy, (uint32_t)length, id, score};
    return NERFIT_OK;
}

nerfit_status nf_token_tables_add_merge(nf_token_tables *t, nf_merge_row merge, nerfit_error *err) {
    if (!nf_array_reserve(&t->merges, &t->merge_capacity, t->merge_count + 1, sizeof *t->merges))
        return nf_no_memory(err, t->merge_capacity * sizeof *t->merges);
    t->merges[t->merge_count++] = merge;
    return NERFIT_OK;
}

bool nf_merge_split(nf_merge_row *merge, const char *text, size_t length) {
    const char *blank = memchr(text, ' ', length), *end = text + length;
    if (!blank || memchr(blank + 1, ' ', (size_t)(end - blank - 1))) return false;
    *merge = (nf_merge_row){text, blank + 1, (uint32_t)(blank - text), (uint32_t)(end - blank - 1)};
    return true;
}

nerfit_status nf_token_tables_index(nf_token_tables *t, nerfit_error *err) {
    if (!nf_string_table_init(&t->index, t->count, t->arena))
        return nf_no_memory(err, t->count * sizeof(nf_string_slot));
    for (size_t i = 0; i < t->count; i++)
        nf_string_table_put(&t->index, t->rows[i].text, t->rows[i].length, t->rows[i].id);
    return NERFIT_OK;
}

int32_t nf_token_tables_id(const nf_token_tables *t, const char *token) {
    return t->index.slots ? nf_string_table_get(&t->index, token, strlen(token)) : -1;
}

nerfit_status nf_token_tables_fail(const nf_token_tables *t, const char *file, size_t at,
                                   nerfit_error *err, const char *format, ...) {
    long line = 0, column = 0;
    char message[400];
    va_list args;
    va_start(args, format);
    nf_print_list(message, sizeof message, format, args);
    va_end(args);
    if (t->text && at > 0) nf_json_place(t->text, at + 1, &line, &column);
    return nf_fail_at(err, NERFIT_FORMAT, t->text ? t->file : file, line, column, "%s", message);
}
