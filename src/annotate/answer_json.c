#include "annotate/answer_json.h"

#include <string.h>

#include "base/ascii.h"
#include "base/str.h"
#include "base/utf8.h"

enum { MOST_DEPTH = 32 };

static json_t *loose_value(nf_loose_json *in);

static void skip_space(nf_loose_json *in) {
    while (in->at < in->size && nf_ascii_is_space(in->text[in->at])) in->at++;
}

static bool ended(nf_loose_json *in) {
    skip_space(in);
    if (in->at < in->size) return false;
    in->truncated = true;
    return true;
}

static bool here(const nf_loose_json *in, const char *text) {
    size_t size = strlen(text);
    return in->size - in->at >= size && memcmp(in->text + in->at, text, size) == 0;
}

/* ---------------------------------------------------------------- strings */

static const struct {
    const char *open, *close;
} loose_quotes[] = {{"\"", "\""}, {"'", "'"}, {"`", "`"}, {"\xE2\x80\x9C", "\xE2\x80\x9D"}};

static const char *quote_here(const nf_loose_json *in) {
    for (size_t i = 0; i < sizeof loose_quotes / sizeof *loose_quotes; i++)
        if (here(in, loose_quotes[i].open)) return loose_quotes[i].close;
    return NULL;
}

static bool hex4(const nf_loose_json *in, size_t at, uint32_t *out) {
    *out = 0;
    if (in->size - at < 4) return false;
    for (size_t i = 0; i < 4; i++) {
        char c = nf_ascii_lower(in->text[at + i]);
        if (nf_ascii_is_digit(c))
            *out = *out << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *out = *out << 4 | (uint32_t)(c - 'a' + 10);
        else
            return false;
    }
    return true;
}

static void append_point(nf_str *out, uint32_t c) {
    char bytes[4];
    if (c == 0 || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) c = 0xFFFD;
    nf_str_append(out, bytes, nf_utf8_encode(c, bytes));
}

/* \uXXXX, with its second half if it has one; `at` stands behind the backslash. */
static void read_escape(nf_loose_json *in, nf_str *out) {
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    char c = in->text[in->at++];
    const char *known = c ? strchr(from, c) : NULL;
    uint32_t high, low;
    if (c == 'u' && hex4(in, in->at, &high)) {
        in->at += 4;
        if (high >= 0xD800 && high < 0xDC00 && here(in, "\\u") && hex4(in, in->at + 2, &low) &&
            low >= 0xDC00 && low < 0xE000) {
            in->at += 6;
            high = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        }
        append_point(out, high);
    } else if (known) {
        nf_str_append_char(out, to[known - from]);
    } else {
        nf_str_append_char(out, c);
    }
}

/* Whether a quote ends its string: behind it stands what may follow one. An apostrophe in 'O'Neil' does
 * not. */
static bool closes(const nf_loose_json *in, size_t behind) {
    while (behind < in->size && nf_ascii_is_space(in->text[behind])) behind++;
    return behind == in->size || strchr(",:]})", in->text[behind]);
}

static json_t *loose_string(nf_loose_json *in) {
    const char *close = quote_here(in);
    nf_str out = {0};
    bool closed = false;
    in->at += strlen(close); /* opening marks are as long as closing ones */
    nf_str_append_text(&out, "");
    while (in->at < in->size && !closed) {
        if (in->text[in->at] == '\\' && in->at + 1 < in->size) {
            in->at++;
            read_escape(in, &out);
        } else if (here(in, close) && closes(in, in->at + strlen(close))) {
            in->at += strlen(close);
            closed = true;
        } else {
            nf_str_append_char(&out, in->text[in->at++]);
        }
    }
    in->truncated |= !closed;
    in->no_memory |= out.failed;
    json_t *value = closed && !out.failed && nf_utf8_valid(out.data, out.length, NULL) &&
                            !memchr(out.data, '\0', out.length)
                        ? json_stringn(out.data, out.length)
                        : NULL;
    in->no_memory |= closed && !out.failed && !value && nf_utf8_valid(out.data, out.length, NULL) &&
                     !memchr(out.data, '\0', out.length);
    nf_str_free(&out);
    return value;
}

/* A word without quotes: a number, true, None, a name. */
static json_t *loose_word(nf_loose_json *in) {
    size_t from = in->at;
    while (in->at < in->size && !strchr(",:]}){[(\"\n", in->text[in->at])) in->at++;
    size_t to = in->at;
    while (to > from && nf_ascii_is_space(in->text[to - 1])) to--;
    if (in->at == in->size) in->truncated = true;
    if (to == from || !nf_utf8_valid(in->text + from, to - from, NULL)) return NULL;
    size_t size = to - from;
    const char *text = in->text + from;
    if ((size == 4 && nf_ascii_same_n(text, "null", 4)) ||
        (size == 4 && nf_ascii_same_n(text, "none", 4)))
        return json_null();
    if (memchr(text, '\0', size)) return NULL;
    json_t *value = json_stringn(text, size);
    in->no_memory |= !value;
    return value;
}

/* ---------------------------------------------------------------- lists and objects */

/* Goes on behind a comma; false at the closing bracket, which is taken, and at the end. */
static bool next_part(nf_loose_json *in, char close) {
    if (ended(in)) return false;
    while (in->at < in->size && (in->text[in->at] == ',' || in->text[in->at] == ';')) {
        in->at++;
        skip_space(in);
    }
    if (ended(in)) return false;
    if (in->text[in->at] != close) return true;
    in->at++;
    return false;
}

static json_t *loose_list(nf_loose_json *in, char close) {
    json_t *list = json_array();
    in->at++;
    while (list && next_part(in, close)) {
        size_t before = in->at;
        json_t *value = loose_value(in);
        /* what is cut off is no item */
        if (value && in->truncated && !json_is_object(value) && !json_is_array(value)) {
            json_decref(value);
            break;
        }
        if (value && json_array_append_new(list, value) != 0) in->no_memory = true;
        if (in->truncated || in->no_memory) break;
        if (in->at == before) in->at++; /* something that is nothing */
    }
    in->no_memory |= !list;
    return list;
}

/* A member's name, and what follows its colon; false: it is none. */
static bool loose_member(nf_loose_json *in, json_t *object) {
    json_t *name = quote_here(in) ? loose_string(in) : loose_word(in);
    if (!name || ended(in) || in->text[in->at] != ':') return json_decref(name), false;
    in->at++;
    json_t *value = ended(in) ? NULL : loose_value(in);
    if (value && in->truncated && !json_is_object(value) && !json_is_array(value))
        json_decref(value), value = NULL;
    bool put = value && json_is_string(name);
    if (put && json_object_set_new(object, json_string_value(name), value) != 0)
        in->no_memory = true;
    else if (!put)
        json_decref(value);
    json_decref(name);
    return put;
}

static json_t *loose_object(nf_loose_json *in) {
    json_t *object = json_object();
    in->at++;
    while (object && next_part(in, '}')) {
        size_t before = in->at;
        bool put = loose_member(in, object);
        if (in->truncated || in->no_memory) break;
        if (!put && in->at == before) in->at++;
    }
    in->no_memory |= !object;
    /* an entity that was cut off says half of what it should */
    if (object && in->truncated && json_object_size(object) < 2) {
        const char *key;
        json_t *value;
        bool holds = false;
        json_object_foreach(object, key, value) holds |= json_is_array(value);
        if (!holds) json_decref(object), object = NULL;
    }
    return object;
}

static json_t *loose_value(nf_loose_json *in) {
    if (ended(in)) return NULL;
    json_t *value = NULL;
    char c = in->text[in->at];
    if (in->depth >= MOST_DEPTH) {
        in->at = in->size;
        return NULL;
    }
    in->depth++;
    if (c == '{')
        value = loose_object(in);
    else if (c == '[')
        value = loose_list(in, ']');
    else if (c == '(')
        value = loose_list(in, ')');
    else
        value = quote_here(in) ? loose_string(in) : loose_word(in);
    in->depth--;
    return value;
}

json_t *nf_loose_json_read(nf_loose_json *in) {
    in->depth = 0;
    return loose_value(in);
}
