#include "base/json_cursor.h"

#include <string.h>

#include "base/utf8.h"

enum { MAX_DEPTH = 2048 }; /* jansson's */

static const char no_memory[] = "out of memory";

static bool fail_here(nf_json_cursor *c, const char *problem) {
    if (!c->problem) c->problem = problem;
    return false;
}

char nf_json_peek(nf_json_cursor *c) {
    while (c->at < c->length) {
        char byte = c->text[c->at];
        if (byte != ' ' && byte != '\n' && byte != '\t' && byte != '\r') return byte;
        c->at++;
    }
    return '\0';
}

bool nf_json_open(nf_json_cursor *c, char bracket) {
    if (c->problem) return false;
    if (nf_json_peek(c) != bracket)
        return fail_here(c, bracket == '{' ? "an object expected" : "an array expected");
    if (c->depth + 1 > MAX_DEPTH) return fail_here(c, "maximum parsing depth reached");
    c->at++;
    c->depth++;
    c->fresh = true;
    return true;
}

bool nf_json_more(nf_json_cursor *c, char closing) {
    if (c->problem) return false;
    char byte = nf_json_peek(c);
    bool first = c->fresh;
    c->fresh = false;
    if (byte == closing) {
        c->at++;
        c->depth--;
        return false;
    }
    if (first) return true;
    if (byte != ',')
        return fail_here(c, closing == '}' ? "',' or '}' expected" : "',' or ']' expected");
    c->at++;
    return true;
}

/* ---- strings */

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The four digits of a \u at `at`, or -1. */
static int32_t hex_unit(const nf_json_cursor *c, size_t at) {
    int32_t value = 0;
    if (c->length < 6 || at > c->length - 6 || c->text[at] != '\\' || c->text[at + 1] != 'u')
        return -1;
    for (size_t i = at + 2; i < at + 6; i++) {
        int digit = hex_digit(c->text[i]);
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    return value;
}

static bool append(nf_json_cursor *c, const char *bytes, size_t length) {
    return nf_str_append(&c->decoded, bytes, length) || fail_here(c, no_memory);
}

static bool unicode_escape(nf_json_cursor *c) {
    int32_t unit = hex_unit(c, c->at), low;
    char bytes[4];
    if (unit < 0) return fail_here(c, "invalid escape");
    if (unit == 0) return fail_here(c, "a NUL character (\\u0000) in a string");
    size_t size = 6;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        low = hex_unit(c, c->at + 6);
        if (low < 0xDC00 || low > 0xDFFF) return fail_here(c, "invalid Unicode: half a surrogate");
        unit = 0x10000 + ((unit & 0x3FF) << 10 | (low & 0x3FF));
        size = 12;
    } else if (unit >= 0xDC00 && unit <= 0xDFFF) {
        return fail_here(c, "invalid Unicode: half a surrogate");
    }
    c->at += size;
    return append(c, bytes, nf_utf8_encode((uint32_t)unit, bytes));
}

static bool escape(nf_json_cursor *c) {
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char name = c->at + 1 < c->length ? c->text[c->at + 1] : '\0';
    if (name == 'u') return unicode_escape(c);
    const char *found = name ? strchr(names, name) : NULL;
    if (!found) return fail_here(c, "invalid escape");
    c->at += 2;
    return append(c, &values[found - names], 1);
}

/* To the next byte that ends a string or needs a look: a quote, an escape, a control character. */
static bool plain_run(nf_json_cursor *c) {
    size_t at = c->at;
    const unsigned char *text = (const unsigned char *)c->text;
    while (at < c->length) {
        unsigned char byte = text[at];
        if (byte < 0x20 || byte == '"' || byte == '\\') break;
        if (byte < 0x80) {
            at++;
            continue;
        }
        uint32_t code_point;
        size_t size = nf_utf8_decode(c->text + at, c->length - at, &code_point);
        if (!size) {
            c->at = at;
            return fail_here(c, "invalid UTF-8");
        }
        at += size;
    }
    c->at = at;
    if (at == c->length) return fail_here(c, "premature end of input in a string");
    return text[at] >= 0x20 || fail_here(c, "a control character in a string");
}

bool nf_json_string(nf_json_cursor *c, const char **bytes, size_t *length) {
    if (c->problem) return false;
    if (nf_json_peek(c) != '"') return fail_here(c, "a string expected");
    size_t start = ++c->at;
    if (!plain_run(c)) return false;
    *bytes = c->text + start;
    *length = c->at - start;
    if (c->text[c->at] == '\\') {
        nf_str_clear(&c->decoded);
        if (!append(c, *bytes, *length)) return false;
        while (c->text[c->at] == '\\') {
            if (!escape(c)) return false;
            start = c->at;
            if (!plain_run(c) || !append(c, c->text + start, c->at - start)) return false;
        }
        *bytes = c->decoded.data;
        *length = c->decoded.length;
    }
    c->at++;
    return true;
}

bool nf_json_key(nf_json_cursor *c, const char **bytes, size_t *length) {
    if (c->problem) return false;
    if (nf_json_peek(c) != '"') return fail_here(c, "a key (a string) expected");
    if (!nf_json_string(c, bytes, length)) return false;
    if (nf_json_peek(c) != ':') return fail_here(c, "':' expected");
    c->at++;
    return true;
}

/* ---- the other values */

static size_t skip_digits(nf_json_cursor *c) {
    size_t start = c->at;
    while (c->at < c->length && c->text[c->at] >= '0' && c->text[c->at] <= '9') c->at++;
    return c->at - start;
}

static bool next_is(const nf_json_cursor *c, char a, char b) {
    return c->at < c->length && (c->text[c->at] == a || c->text[c->at] == b);
}

bool nf_json_number(nf_json_cursor *c, const char **spelling, size_t *length, bool *integer) {
    static const char invalid[] = "invalid number";
    if (c->problem) return false;
    nf_json_peek(c);
    size_t start = c->at;
    if (next_is(c, '-', '-')) c->at++;
    bool zero = next_is(c, '0', '0');
    size_t digits = skip_digits(c);
    if (digits == 0 || (zero && digits > 1)) return fail_here(c, invalid);
    *integer = true;
    if (next_is(c, '.', '.')) {
        *integer = false;
        c->at++;
        if (!skip_digits(c)) return fail_here(c, invalid);
    }
    if (next_is(c, 'e', 'E')) {
        *integer = false;
        c->at++;
        if (next_is(c, '+', '-')) c->at++;
        if (!skip_digits(c)) return fail_here(c, invalid);
    }
    *spelling = c->text + start;
    *length = c->at - start;
    return true;
}

static bool skip_word(nf_json_cursor *c) {
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t size = strlen(words[i]);
        if (c->length - c->at < size || memcmp(c->text + c->at, words[i], size) != 0) continue;
        c->at += size;
        return true;
    }
    return fail_here(c, "a value expected");
}

static bool skip_members(nf_json_cursor *c, char bracket) {
    char closing = bracket == '{' ? '}' : ']';
    const char *bytes;
    size_t length;
    nf_json_open(c, bracket);
    while (nf_json_more(c, closing)) {
        if (bracket == '{' && !nf_json_key(c, &bytes, &length)) return false;
        if (!nf_json_skip(c)) return false;
    }
    return !c->problem;
}

bool nf_json_skip(nf_json_cursor *c) {
    if (c->problem) return false;
    const char *bytes;
    size_t length;
    bool integer;
    char byte = nf_json_peek(c);
    if (byte == '{' || byte == '[') return skip_members(c, byte);
    if (c->depth + 1 > MAX_DEPTH) return fail_here(c, "maximum parsing depth reached");
    if (byte == '"') return nf_json_string(c, &bytes, &length);
    if (byte == '-' || (byte >= '0' && byte <= '9'))
        return nf_json_number(c, &bytes, &length, &integer);
    return skip_word(c);
}

bool nf_json_end(nf_json_cursor *c) {
    if (c->problem) return false;
    nf_json_peek(c);
    return c->at == c->length || fail_here(c, "end of file expected");
}

/* ---- errors */

void nf_json_cursor_free(nf_json_cursor *c) {
    nf_str_free(&c->decoded);
}

nerfit_status nf_json_cursor_fail(const nf_json_cursor *c, const char *file, nerfit_error *err) {
    if (c->problem == no_memory) return nf_no_memory(err, c->decoded.length);
    long line, column;
    bool counts = c->at < c->length && c->text[c->at] != '\n'; /* it ends the line it stands in */
    nf_json_place(c->text, c->at + counts, &line, &column);
    return nf_fail_at(err, NERFIT_FORMAT, file ? file : "JSON", line, column,
                      "is not valid JSON: %s", c->problem);
}

void nf_json_place(const char *text, size_t at, long *line, long *column) {
    *line = 1;
    *column = 0;
    for (size_t i = 0; i < at; i++) {
        if (text[i] == '\n') {
            ++*line;
            *column = 0;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) {
            ++*column;
        }
    }
}
