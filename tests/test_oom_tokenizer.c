/* Missing memory while tokenizers are built and texts encoded: see oom.h. */
#include "oom.h"

#include "text/tokenizer_impl.h"

#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
/* A character map that makes "th" of a T. */
#define MAP_OF_T                                                                                   \
    "AAQAAAAAAgAAAAC" ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS      \
        ZEROS ZEROS ZEROS ZEROS ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAVFUD" ZEROS ZEROS ZEROS    \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB0aAA="

static const struct {
    const char *name, *description;
} tokenizers[] = {
    {"patterns before bytes",
     "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFKD\"}, {\"type\": "
     "\"Nmt\"}, {\"type\": \"Lowercase\"}]}, \"pre_tokenizer\": {\"type\": \"Sequence\", "
     "\"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": "
     "\"(?i:'s|'re)|[^\\\\p{L}]?\\\\p{Han}+|(?:ab?|[c-e]){2,3}|\\\\s+(?!\\\\S)|(?<=a|bc)d+?\"}, "
     "\"behavior\": \"MergedWithNext\", \"invert\": false}, {\"type\": \"ByteLevel\", "
     "\"add_prefix_space\": true, \"trim_offsets\": true}, {\"type\": \"Digits\", "
     "\"individual_digits\": true}]}, \"model\": {\"type\": \"WordLevel\", \"unk_token\": \"u\", "
     "\"vocab\": {\"u\": 0, \"the\": 1}}, \"added_tokens\": [{\"id\": 2, \"content\": \"<x>\", "
     "\"single_word\": false, \"lstrip\": true, \"rstrip\": false, \"normalized\": true, "
     "\"special\": false}]}"},
    {"a character map, edits, Unigram with bytes",
     "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", "
     "\"prepend\": \"x \"}, {\"type\": \"Strip\", \"strip_left\": true, \"strip_right\": true}, "
     "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"[0-9]+|q*\"}, \"content\": \"<>\"}, "
     "{\"type\": \"Replace\", \"pattern\": {\"String\": \"ab\"}, \"content\": \"c\"}, "
     "{\"type\": \"Precompiled\", \"precompiled_charsmap\": "
     "\"" MAP_OF_T "\"}]}, \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"_\"}, "
     "\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"byte_fallback\": true, \"vocab\": "
     "[[\"u\", 0], [\"<0xCC>\", -1.5], [\"<0x81>\", -1], [\"th\", -2], [\"_the\", -3]]}}"},
    {"bytes as a normalizer, a literal",
     "{\"normalizer\": {\"type\": \"ByteLevel\"}, \"pre_tokenizer\": {\"type\": \"Sequence\", "
     "\"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"String\": \"th\"}, \"behavior\": "
     "\"Contiguous\", \"invert\": true}, {\"type\": \"UnicodeScripts\"}, {\"type\": "
     "\"Punctuation\"}, {\"type\": \"Whitespace\"}, {\"type\": \"FixedLength\", \"length\": 3}, "
     "{\"type\": \"CharDelimiterSplit\", \"delimiter\": \"q\"}]}, \"model\": {\"type\": "
     "\"WordLevel\", \"unk_token\": \"u\", \"vocab\": {\"u\": 0}}}"},
    {"merges in both spellings, escapes",
     "{\"model\": {\"merges\": [\"#version: 0.2\", \"t h\", [\"th\", \"\\u0065\"], "
     "\"\\u0061 b\"], \"vocab\": {\"\\u0074\": 0, \"h\": 1, \"th\": 2, \"e\": 3, \"the\": 4, "
     "\"a\": 5, \"b\": 6, \"\\u0061b\": 7}, \"type\": \"BPE\"}}"},
};

static const char *description;

static nerfit_status build_and_encode(nerfit_error *error) {
    static const char text[] = "The cat's 12 <x> 東京abcde d\u00e9  \u0301x, two\n the'RE abcd";
    nf_tokenizer *t = calloc(1, sizeof *t);
    nf_encoding e = {0};
    nerfit_status status =
        t ? nf_tokenizer_parse(t, description, strlen(description), "oom.json", error)
          : nf_no_memory(error, 1);
    if (status == NERFIT_OK)
        status = nf_tokenizer_encode(t, text, sizeof text - 1, true, &e, error);
    nf_encoding_free(&e);
    nf_tokenizer_free(t);
    return status;
}

static void check_tokenizers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof tokenizers / sizeof *tokenizers; i++) {
        description = tokenizers[i].description;
        oom_try_all(tokenizers[i].name, build_and_encode, OOM_OUTSIDE_PARSER);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(check_tokenizers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
