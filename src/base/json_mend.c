/* One walk over the text, past strings; each number and word is looked at where it begins. */
#include "base/json_mend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/number.h"
#include "base/str.h"

typedef enum mend_kind { MEND_NOTHING, MEND_REAL, MEND_NAN, MEND_INFINITY, MEND_MINUS } mend_kind;

/* The end of a string that begins at `at`, behind its closing quote. */
static size_t mend_string_end(const char *text, size_t length, size_t at) {
    for (at++; at < length && text[at] != '"'; at++)
        if (text[at] == '\\') at++;
    return at < length ? at + 1 : length;
}

static bool mend_word(const char *text, size_t length, size_t at, const char *word, size_t *end) {
    size_t size = strlen(word);
    if (length - at < size || memcmp(text + at, word, size) != 0) return false;
    if (at + size < length && nf_ascii_is_alphanumeric(text[at + size])) return false;
    *end = at + size;
    return true;
}

/* Whether a number that stands in a text is beyond double. */
static bool mend_overflows(const char *number, size_t size) {
    nf_str text = {0};
    bool over = nf_str_append(&text, number, size) && isinf(nf_number_read(text.data, NULL));
    nf_str_free(&text);
    return over;
}

/* Whether `size` characters of an integer with its sign are more than 64 bits hold. */
static bool mend_is_wide(const char *integer, size_t size) {
    char digits[32] = "";
    bool minus = integer[0] == '-';
    uint64_t value;
    if (size - minus >= sizeof digits) return true;
    memcpy(digits, integer + minus, size - minus);
    return !nf_whole_parse(digits, (uint64_t)INT64_MAX + minus, &value);
}

static mend_kind mend_number(const char *text, size_t length, size_t at, size_t *end) {
    size_t begin = at;
    at += text[at] == '-';
    while (at < length && nf_ascii_is_digit(text[at])) at++;
    size_t integer_end = at;
    if (at < length && text[at] == '.')
        for (at++; at < length && nf_ascii_is_digit(text[at]);) at++;
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < length && (text[at] == '+' || text[at] == '-')) at++;
        while (at < length && nf_ascii_is_digit(text[at])) at++;
    }
    *end = at;
    if (integer_end - begin < 19 && at == integer_end) return MEND_NOTHING; /* 64 bits hold it */
    if (mend_overflows(text + begin, at - begin))
        return text[begin] == '-' ? MEND_MINUS : MEND_INFINITY;
    bool wide = at == integer_end && mend_is_wide(text + begin, at - begin);
    return wide ? MEND_REAL : MEND_NOTHING;
}

static mend_kind mend_at(const char *text, size_t length, size_t at, size_t *end) {
    if (mend_word(text, length, at, "NaN", end)) return MEND_NAN;
    if (mend_word(text, length, at, "Infinity", end)) return MEND_INFINITY;
    if (mend_word(text, length, at, "-Infinity", end)) return MEND_MINUS;
    if (text[at] == '-' || nf_ascii_is_digit(text[at])) return mend_number(text, length, at, end);
    *end = at + 1;
    return MEND_NOTHING;
}

static bool mend_add(nf_json_mended *out, size_t old_end, size_t new_end) {
    if ((out->n_edits & (out->n_edits - 1)) == 0) {
        size_t room = out->n_edits ? 2 * out->n_edits : 1;
        nf_json_edit *grown = realloc(out->edits, room * sizeof *grown);
        if (!grown) return false;
        out->edits = grown;
    }
    out->edits[out->n_edits++] = (nf_json_edit){old_end, new_end};
    return true;
}

bool nf_json_mend(nf_json_mended *out, const char *text, size_t length, bool as_text) {
    static const char *const texts[] = {
        [MEND_NAN] = "\"NaN\"", [MEND_INFINITY] = "\"Infinity\"", [MEND_MINUS] = "\"-Infinity\""};
    *out = (nf_json_mended){0};
    nf_str mended = {0};
    size_t copied = 0, end;
    bool fine = true;
    for (size_t at = 0; at < length && fine; at = end) {
        if (text[at] == '"') {
            end = mend_string_end(text, length, at);
            continue;
        }
        mend_kind kind = mend_at(text, length, at, &end);
        if (kind == MEND_NOTHING) continue;
        nf_str_append(&mended, text + copied, (kind == MEND_REAL ? end : at) - copied);
        const char *instead = kind == MEND_REAL ? "e0" : as_text ? texts[kind] : "null";
        nf_str_append(&mended, instead, strlen(instead));
        copied = end;
        fine = mend_add(out, end, mended.length);
    }
    nf_str_append(&mended, text + copied, length - copied);
    nf_str_append(&mended, "", 1);
    fine = fine && !mended.failed;
    if (!fine || out->n_edits == 0) {
        nf_str_free(&mended);
        if (!fine) nf_json_mended_free(out);
        return fine;
    }
    out->text = mended.data;
    out->length = mended.length - 1;
    return true;
}

size_t nf_json_mended_place(const nf_json_mended *mended, size_t at) {
    const nf_json_edit *last = NULL;
    for (size_t i = 0; i < mended->n_edits && mended->edits[i].new_end <= at; i++)
        last = &mended->edits[i];
    return last ? at - last->new_end + last->old_end : at;
}

void nf_json_mended_free(nf_json_mended *mended) {
    free(mended->text);
    free(mended->edits);
    *mended = (nf_json_mended){0};
}
