/* Two readers share a tokenizer.json: this one goes once through the text, reads the tables where
 * they stand and remembers their spans; jansson gets the text without them. Of what this one finds
 * outside of the tables only their places count: whatever is wrong there is jansson's to say. */
#include <string.h>

#include "base/json_cursor.h"
#include "text/serde_number.h"
#include "text/token_tables.h"

enum { SPANS = 2 };

typedef struct reader {
    nf_json_cursor cursor;
    nf_token_tables *tables;
    nf_json_span spans[SPANS]; /* between the brackets of the tables */
    size_t n_spans;
    const char *file;
    nerfit_error *err;
} reader;

/* ---- tokens */

/* Whether a spelling is an id; a minus is for zero alone. */
static bool parse_id(int32_t *id, const char *spelling, size_t length) {
    bool negative = *spelling == '-';
    int32_t value = 0;
    for (size_t i = negative; i < length; i++) {
        value = value * 10 + (spelling[i] - '0');
        if (value > NF_VOCABULARY_MAX_ID) return false;
    }
    *id = value;
    return !negative || value == 0;
}

static void broken_here(nf_token_tables *t, size_t at) {
    if (t->broken) return;
    t->broken = true;
    t->broken_at = at;
}

/* Past a number, whose spelling it gives; past any other value, with false. */
static bool take_number(nf_json_cursor *c, const char **spelling, size_t *length, bool *integer) {
    char byte = nf_json_peek(c);
    if (byte == '-' || (byte >= '0' && byte <= '9'))
        return nf_json_number(c, spelling, length, integer);
    nf_json_skip(c);
    return false;
}

/* The rest of a member whose key has been read. The key may lie in the cursor's memory, but a
 * number does not touch that. */
static nerfit_status read_id(reader *r, const char *key, size_t length) {
    nf_json_cursor *c = &r->cursor;
    const char *spelling;
    size_t size;
    bool integer;
    int32_t id;
    nf_json_peek(c);
    size_t at = c->at;
    if (!take_number(c, &spelling, &size, &integer) || !integer || !parse_id(&id, spelling, size)) {
        broken_here(r->tables, at);
        return NERFIT_OK;
    }
    return r->tables->broken ? NERFIT_OK
                             : nf_token_tables_add(r->tables, key, length, id, 0, r->err);
}

static nerfit_status read_ids(reader *r) {
    const char *key;
    size_t length;
    nf_json_open(&r->cursor, '{');
    while (nf_json_more(&r->cursor, '}'))
        if (nf_json_key(&r->cursor, &key, &length)) NF_TRY(read_id(r, key, length));
    return NERFIT_OK;
}

/* One ["token", score]. What is no such pair breaks the table, but is read on: an error of syntax
 * counts more. */
static nerfit_status read_score(reader *r, int32_t id) {
    nf_json_cursor *c = &r->cursor;
    nf_token_tables *t = r->tables;
    const char *text, *spelling;
    size_t length, size, parts = 0, at, begin;
    bool integer, fits = true;
    double score = 0;
    nf_token_row *row = NULL;
    if (nf_json_peek(c) != '[') {
        broken_here(t, c->at);
        nf_json_skip(c);
        return NERFIT_OK;
    }
    begin = c->at;
    nf_json_open(c, '[');
    for (; nf_json_more(c, ']'); parts++) {
        char byte = nf_json_peek(c);
        at = c->at;
        if (parts == 0 && byte == '"') {
            if (!nf_json_string(c, &text, &length)) break;
            NF_TRY(nf_token_tables_add(t, text, length, id, 0, r->err));
            row = &t->rows[t->count - 1];
        } else if (parts != 1 || !take_number(c, &spelling, &size, &integer) ||
                   !nf_serde_number(&score, spelling, size)) {
            if (parts != 1) nf_json_skip(c);
            broken_here(t, at);
            fits = false;
        }
    }
    if (fits && parts != 2) broken_here(t, begin);
    if (row && t->broken) t->count--;
    if (row) row->score = score;
    return NERFIT_OK;
}

static nerfit_status read_scores(reader *r) {
    nf_json_open(&r->cursor, '[');
    for (int32_t id = 0; nf_json_more(&r->cursor, ']'); id++) {
        if (id > NF_VOCABULARY_MAX_ID) {
            broken_here(r->tables, r->cursor.at);
            id = 0;
        }
        NF_TRY(read_score(r, id));
    }
    return NERFIT_OK;
}

/* The key of a member that an earlier one has, too: found anew, for no row keeps its place. */
static nerfit_status fail_twice(reader *r, size_t begin, size_t row) {
    nf_json_cursor c = {.text = r->cursor.text, .length = r->cursor.length, .at = begin};
    const char *key = "";
    size_t length = 0;
    nf_json_open(&c, '{');
    for (size_t i = 0; i < row && nf_json_more(&c, '}'); i++)
        if (nf_json_key(&c, &key, &length)) nf_json_skip(&c);
    nf_json_more(&c, '}');
    nf_json_string(&c, &key, &length);
    long line, column;
    nf_json_place(c.text, c.at, &line, &column);
    nerfit_status status =
        c.decoded.failed
            ? nf_no_memory(r->err, length)
            : nf_fail_at(r->err, NERFIT_FORMAT, r->file ? r->file : "JSON", line, column,
                         "is not valid JSON: duplicate object key near '\"%.*s\"'",
                         (int)(length < 100 ? length : 100), key);
    nf_json_cursor_free(&c);
    return status;
}

/* The index, which is also what tells whether a token comes twice. */
static nerfit_status index_ids(reader *r, size_t begin) {
    nf_token_tables *t = r->tables;
    NF_TRY(nf_token_tables_index(t, r->err));
    if (t->index.count == t->count) return NERFIT_OK;
    nf_string_table seen;
    if (!nf_string_table_init(&seen, t->count, t->arena))
        return nf_no_memory(r->err, t->count * sizeof(nf_string_slot));
    for (size_t i = 0; i < t->count; i++) {
        if (nf_string_table_get(&seen, t->rows[i].text, t->rows[i].length) >= 0)
            return fail_twice(r, begin, i);
        nf_string_table_put(&seen, t->rows[i].text, t->rows[i].length, 0);
    }
    return NERFIT_OK;
}

/* ---- merges */

static const char *kept(reader *r, const char *text, size_t length) {
    return text == r->cursor.decoded.data ? nf_arena_copy(r->tables->arena, text, length) : text;
}

static bool is_comment(const char *text, size_t length) {
    return length >= 8 && memcmp(text, "#version", 8) == 0;
}

/* "a b". merges.txt begins with a comment, and some files have kept it. */
static nerfit_status read_merge_text(reader *r, bool *fits) {
    const char *text;
    size_t length;
    nf_merge_row merge;
    if (!nf_json_string(&r->cursor, &text, &length) || is_comment(text, length)) return NERFIT_OK;
    if (!(text = kept(r, text, length))) return nf_no_memory(r->err, length);
    *fits = nf_merge_split(&merge, text, length);
    return *fits ? nf_token_tables_add_merge(r->tables, merge, r->err) : NERFIT_OK;
}

/* ["a", "b"] */
static nerfit_status read_merge_pair(reader *r, bool *fits) {
    nf_json_cursor *c = &r->cursor;
    const char *parts[2] = {"", ""};
    size_t lengths[2] = {0, 0}, n = 0;
    nf_json_open(c, '[');
    for (; nf_json_more(c, ']'); n++) {
        if (n >= 2 || nf_json_peek(c) != '"') {
            *fits = false;
            nf_json_skip(c);
        } else if (nf_json_string(c, &parts[n], &lengths[n]) &&
                   !(parts[n] = kept(r, parts[n], lengths[n]))) {
            return nf_no_memory(r->err, lengths[n]);
        }
    }
    *fits = *fits && n == 2;
    if (!*fits || c->problem) return NERFIT_OK;
    return nf_token_tables_add_merge(
        r->tables, (nf_merge_row){parts[0], parts[1], (uint32_t)lengths[0], (uint32_t)lengths[1]},
        r->err);
}

static nerfit_status read_merge(reader *r, size_t number) {
    nf_token_tables *t = r->tables;
    char byte = nf_json_peek(&r->cursor);
    size_t at = r->cursor.at;
    bool fits = !t->broken_merge;
    if (fits && byte == '"') {
        NF_TRY(read_merge_text(r, &fits));
    } else if (fits && byte == '[') {
        NF_TRY(read_merge_pair(r, &fits));
    } else {
        fits = false;
        nf_json_skip(&r->cursor);
    }
    if (fits || t->broken_merge) return NERFIT_OK;
    t->broken_merge = number;
    t->broken_merge_at = at;
    return NERFIT_OK;
}

static nerfit_status read_merges(reader *r) {
    r->tables->has_merges = true;
    nf_json_open(&r->cursor, '[');
    for (size_t number = 1; nf_json_more(&r->cursor, ']'); number++) NF_TRY(read_merge(r, number));
    return NERFIT_OK;
}

/* ---- files */

/* Reads a table, whose problems are told here and now, and keeps its span. */
static nerfit_status take_table(reader *r, nerfit_status (*read)(reader *r)) {
    size_t begin = r->cursor.at;
    NF_TRY(read(r));
    if (r->cursor.problem) return nf_json_cursor_fail(&r->cursor, r->file, r->err);
    if (read == read_ids) NF_TRY(index_ids(r, begin));
    if (read == read_scores) NF_TRY(nf_token_tables_index(r->tables, r->err));
    if (r->n_spans < SPANS) r->spans[r->n_spans++] = (nf_json_span){begin + 1, r->cursor.at - 1};
    return NERFIT_OK;
}

static nerfit_status take_vocabulary(reader *r) {
    bool ids = nf_json_peek(&r->cursor) == '{';
    r->tables->form = ids ? NF_TABLE_IDS : NF_TABLE_SCORES;
    r->tables->vocabulary_at = r->cursor.at;
    return take_table(r, ids ? read_ids : read_scores);
}

static bool equals(const char *key, size_t length, const char *name) {
    return length == strlen(name) && memcmp(key, name, length) == 0;
}

/* Of a name that comes twice the first counts: jansson refuses the second. */
static nerfit_status read_model(reader *r) {
    nf_json_cursor *c = &r->cursor;
    nf_token_tables *t = r->tables;
    const char *key;
    size_t length;
    nf_json_open(c, '{');
    while (nf_json_more(c, '}')) {
        if (!nf_json_key(c, &key, &length)) break;
        bool vocabulary = equals(key, length, "vocab"), merges = equals(key, length, "merges");
        char byte = nf_json_peek(c);
        if (vocabulary && t->form == NF_TABLE_NONE && (byte == '{' || byte == '['))
            NF_TRY(take_vocabulary(r));
        else if (merges && !t->has_merges && byte == '[')
            NF_TRY(take_table(r, read_merges));
        else
            nf_json_skip(c);
    }
    return NERFIT_OK;
}

static nerfit_status read_tables(reader *r) {
    nf_json_cursor *c = &r->cursor;
    const char *key;
    size_t length;
    nf_json_open(c, '{');
    while (nf_json_more(c, '}')) {
        if (!nf_json_key(c, &key, &length)) break;
        if (equals(key, length, "model") && nf_json_peek(c) == '{')
            NF_TRY(read_model(r));
        else
            nf_json_skip(c);
    }
    return NERFIT_OK;
}

nerfit_status nf_token_tables_read(nf_token_tables *t, json_t **description, const char *text,
                                   size_t length, const char *file, nerfit_error *err) {
    reader r = {.cursor = {.text = text, .length = length}, .tables = t, .file = file, .err = err};
    *description = NULL;
    t->file = file ? file : "JSON";
    t->text = text;
    nerfit_status status = read_tables(&r);
    if (status == NERFIT_OK)
        status = nf_json_parse_without(description, text, length, r.spans, r.n_spans, file, err);
    /* only if this reader refuses what jansson takes, or finds no memory where jansson does */
    if (status == NERFIT_OK && r.cursor.problem && json_is_object(*description)) {
        json_decref(*description);
        *description = NULL;
        status = nf_json_cursor_fail(&r.cursor, file, err);
    }
    nf_json_cursor_free(&r.cursor);
    return status;
}

nerfit_status nf_token_tables_read_ids(nf_token_tables *t, const char *text, size_t length,
                                       const char *file, nerfit_error *err) {
    reader r = {.cursor = {.text = text, .length = length}, .tables = t, .file = file, .err = err};
    nf_json_cursor *c = &r.cursor;
    t->form = NF_TABLE_IDS;
    bool object = nf_json_peek(c) == '{';
    size_t at = c->at;
    nerfit_status status = NERFIT_OK;
    if (object)
        status = take_table(&r, read_ids);
    else
        nf_json_skip(c);
    nf_json_end(c);
    long line, column;
    if (status == NERFIT_OK && c->problem) status = nf_json_cursor_fail(c, file, err);
    if (status == NERFIT_OK && (!object || t->broken)) {
        nf_json_place(text, (object ? t->broken_at : at) + 1, &line, &column);
        status = object ? nf_fail_at(err, NERFIT_FORMAT, file, line, column,
                                     "an id must be an integer from 0 to %d", NF_VOCABULARY_MAX_ID)
                        : nf_fail_at(err, NERFIT_FORMAT, file, line, column,
                                     "it must be an object of tokens and ids");
    }
    nf_json_cursor_free(c);
    return status;
}
