#include "text/word_pattern.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/script.h"
#include "text/unicode.h"
#include "text/unicode_class.h"
#include "text/word_starts.h"

bool nf_word_pattern_is_word(uint32_t c) {
    if (c == '_') return true;
    unsigned category = nf_class_flags_of(c) & NF_CLASS_CATEGORY;
    return category <= NF_CATEGORY_LO || (category >= NF_CATEGORY_ND && category <= NF_CATEGORY_NO);
}

static bool pattern_words_push(nf_pattern_words *words, nf_pattern_word word) {
    if (!nf_array_reserve(&words->items, &words->capacity, words->count + 1, sizeof *words->items))
        return false;
    words->items[words->count++] = word;
    return true;
}

/* A place in the text. */
typedef struct word_cursor {
    const char *text;
    size_t size, byte;
    uint32_t at; /* code points */
    bool characters;
} word_cursor;

static bool word_cursor_peek(const word_cursor *cursor, uint32_t *c, size_t *size) {
    if (cursor->byte >= cursor->size) return false;
    *size = nf_utf8_next(cursor->text + cursor->byte, c);
    return true;
}

static void word_cursor_advance(word_cursor *cursor, size_t size) {
    cursor->byte += size;
    cursor->at++;
}

/* A character that is a word by itself. */
static bool word_cursor_stands_alone(const word_cursor *cursor, uint32_t c) {
    return cursor->characters && nf_is_spaceless(c);
}

/* \w*; returns whether there was one. */
static bool word_cursor_skip_run(word_cursor *cursor) {
    uint32_t c, first = cursor->at;
    size_t size;
    while (word_cursor_peek(cursor, &c, &size) && nf_word_pattern_is_word(c) &&
           !word_cursor_stands_alone(cursor, c))
        word_cursor_advance(cursor, size);
    return cursor->at > first;
}

static void word_cursor_skip_character(word_cursor *cursor, size_t size) {
    uint32_t c;
    word_cursor_advance(cursor, size);
    while (word_cursor_peek(cursor, &c, &size) && nf_belongs_to_previous(c))
        word_cursor_advance(cursor, size);
}

/* (?:[-_]\w+)*, where the underscore is part of the run before it already. */
static void word_cursor_skip_joined(word_cursor *cursor) {
    for (;;) {
        word_cursor next = *cursor;
        uint32_t c;
        size_t size;
        if (!word_cursor_peek(&next, &c, &size) || c != '-') return;
        word_cursor_advance(&next, size);
        if (!word_cursor_skip_run(&next)) return;
        *cursor = next;
    }
}

nerfit_status nf_word_pattern_split(nf_pattern_words *words, const char *text, size_t size,
                                    bool characters, nerfit_error *err) {
    size_t bad, length;
    uint32_t c;
    words->count = 0;
    if (size > UINT32_MAX / 32)
        return nf_fail(err, NERFIT_UNSUPPORTED, "a text of %zu bytes is too long to be divided",
                       size);
    if (!nf_utf8_valid(text, size, &bad))
        return nf_fail(err, NERFIT_FORMAT, "the text is not valid UTF-8 (byte %zu)", bad + 1);
    word_cursor cursor = {.text = text, .size = size, .characters = characters};
    while (word_cursor_peek(&cursor, &c, &length)) {
        nf_pattern_word word = {.start = cursor.at, .byte_start = cursor.byte};
        bool joins = nf_word_pattern_is_word(c), space = nf_is_space(c);
        if (word_cursor_stands_alone(&cursor, c)) {
            word_cursor_skip_character(&cursor, length);
        } else if (joins) {
            word_cursor_skip_run(&cursor);
            word_cursor_skip_joined(&cursor);
        } else {
            word_cursor_advance(&cursor, length);
        }
        if (space) continue;
        word.end = cursor.at;
        word.byte_end = cursor.byte;
        if (!pattern_words_push(words, word)) return nf_no_memory(err, size);
    }
    return NERFIT_OK;
}

void nf_pattern_words_free(nf_pattern_words *words) {
    free(words->items);
    *words = (nf_pattern_words){0};
}
