/* Fuzz target: the input up to the first NUL is a tokenizer.json, what follows is a text for it.
 * What is read of the file beside jansson must be refused as JSON exactly where jansson refuses it.
 * Start from tests/golden/tokenizers (*.json). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "text/tokenizer.h"
#include "text/tokenizer_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whether jansson's view of a file agrees with what became of it. Tables may hold what jansson
 * calls an error and the tokenizer does not (numbers too large for it), or for another reason. */
static void check_syntax(const char *bytes, size_t length, bool built, const nerfit_error *err) {
    json_error_t error;
    json_t *json = json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    enum json_error_code code = json ? json_error_unknown : json_error_code(&error);
    bool may_differ = code == json_error_numeric_overflow || code == json_error_duplicate_key;
    const char *message = err->text + strcspn(err->text, ":");
    message += strspn(message, ":0123456789");
    if (json && !built && strncmp(message, " is not valid JSON", 18) == 0) abort();
    if (!json && built && !may_differ) abort();
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char usual[] = "  H\u00e9llo e\u0301\u0323 \u6771 don't <mask> [MASK] 12\1\n";
    const char *bytes = (const char *)data, *end = memchr(bytes, '\0', size);
    size_t length = end ? (size_t)(end - bytes) : size;
    const char *text = end ? end + 1 : usual;
    size_t text_size = end ? size - length - 1 : sizeof usual - 1;
    nerfit_error err;
    nf_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (!tokenizer) return 0;
    bool built = nf_tokenizer_parse(tokenizer, bytes, length, "fuzz.json", &err) == NERFIT_OK;
    check_syntax(bytes, length, built, &err);
    if (built) {
        nf_encoding e = {0};
        nf_str out = {0};
        size_t characters =
            nf_utf8_valid(text, text_size, NULL) ? nf_utf8_count(text, text_size) : 0;
        if (nf_tokenizer_encode(tokenizer, text, text_size, true, &e, &err) == NERFIT_OK) {
            for (size_t i = 0; i < e.length; i++)
                if (e.ends[i] > characters || e.starts[i] > e.ends[i]) abort();
            nf_encoding_to_json(&e, tokenizer, &out, &err);
        }
        nf_str_free(&out);
        nf_encoding_free(&e);
    }
    nf_tokenizer_free(tokenizer);
    return 0;
}
