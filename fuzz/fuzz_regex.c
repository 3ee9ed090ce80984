/* Fuzz target: the input up to the first NUL is a pattern of Split, what follows is a text for it.
 * Matches must lie in order, inside of the text and between its characters. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t length, size_t at) {
    if (at > length || (at < length && ((unsigned char)text[at] & 0xC0) == 0x80)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char usual[] = "  H\u00e9llo e\u0301\u0323 \u6771\u4eac don't S\u017f 12\n\n";
    const char *bytes = (const char *)data, *end = memchr(bytes, '\0', size);
    if (size > 400) return 0; /* long patterns and texts only take long */
    size_t length = end ? (size_t)(end - bytes) : size;
    const char *text = end ? end + 1 : usual;
    size_t text_length = end ? size - length - 1 : sizeof usual - 1;
    if (!nf_utf8_valid(bytes, length, NULL) || !nf_utf8_valid(text, text_length, NULL)) return 0;
    char *pattern = strndup(bytes, length);
    nf_arena arena = {0};
    nf_regex_scratch scratch = {0};
    nf_regex *regex;
    nerfit_error err;
    if (pattern &&
        nf_regex_compile(&regex, pattern, &arena, "fuzz", "pattern", &err) == NERFIT_OK) {
        nf_regex_search search = {
            .regex = regex, .scratch = &scratch, .text = text, .length = text_length};
        size_t start, stop, last = 0;
        while (nf_regex_next(&search, &start, &stop) == NF_REGEX_FOUND) {
            if (start < last || stop < start) abort();
            check(text, text_length, start);
            check(text, text_length, stop);
            last = stop;
        }
    }
    nf_regex_scratch_free(&scratch);
    nf_arena_free(&arena);
    free(pattern);
    return 0;
}
