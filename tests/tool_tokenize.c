/* Encodes texts for tools/tokenizers_compare.py and bench/tokenizers.py, which hold the result
 * against the Python package `tokenizers`.
 *
 *     tool_tokenize MODEL             reads texts, writes encodings, both in binary:
 *         text: u32 size, bytes; encoding: u32 count, then for each token i32 id, u32 start, u32
 * end, i32 word (-1 for special tokens); all of the machine's byte order tool_tokenize MODEL bench
 * N     reads all texts, encodes them N times, prints the processor's seconds that each round took
 *     tool_tokenize MODEL json        reads lines of text, prints a JSON object for each
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/tokenizer.h"

static int fail(const nerfit_error *err) {
    fprintf(stderr, "%s\n", err->text);
    return 1;
}

static char *read_text(uint32_t *size) {
    if (fread(size, sizeof *size, 1, stdin) != 1) return NULL;
    char *text = malloc(*size + 1);
    if (text && fread(text, 1, *size, stdin) == *size) return text;
    free(text);
    return NULL;
}

static int write_encodings(const nf_tokenizer *tokenizer, nf_tokenizer_scratch *scratch,
                           nf_encoding *e, nerfit_error *err) {
    uint32_t size;
    for (char *text; (text = read_text(&size)); free(text)) {
        if (nf_tokenizer_encode_with(tokenizer, scratch, text, size, true, e, err) != NERFIT_OK)
            return fail(err);
        uint32_t count = (uint32_t)e->length;
        fwrite(&count, sizeof count, 1, stdout);
        for (size_t i = 0; i < e->length; i++) {
            uint32_t row[4] = {(uint32_t)e->ids[i], e->starts[i], e->ends[i],
                               (uint32_t)e->words[i]};
            if ((e->words[i] < 0) != (e->special[i] == 1)) {
                fprintf(stderr, "words and special disagree\n");
                return 1;
            }
            fwrite(row, sizeof row, 1, stdout);
        }
    }
    return 0;
}

static int bench(const nf_tokenizer *tokenizer, nf_tokenizer_scratch *scratch, nf_encoding *e,
                 int rounds, nerfit_error *err) {
    size_t count = 0, capacity = 0;
    struct {
        char *text;
        uint32_t size;
    } *texts = NULL;
    uint32_t size;
    for (char *text; (text = read_text(&size)); count++) {
        if (count == capacity)
            texts = realloc(texts, (capacity = capacity * 2 + 64) * sizeof *texts);
        texts[count].text = text;
        texts[count].size = size;
    }
    for (int round = 0; round < rounds; round++) {
        struct timespec a, b;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        for (size_t i = 0; i < count; i++)
            if (nf_tokenizer_encode_with(tokenizer, scratch, texts[i].text, texts[i].size, true, e,
                                         err) != NERFIT_OK)
                return fail(err);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        printf("%.6f\n", (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9);
    }
    for (size_t i = 0; i < count; i++) free(texts[i].text);
    free(texts);
    return 0;
}

static int print_json(const nf_tokenizer *tokenizer, nf_tokenizer_scratch *scratch, nf_encoding *e,
                      nerfit_error *err) {
    char *line = NULL;
    size_t capacity = 0;
    nf_str out = {0};
    int status = 0;
    for (ssize_t size; !status && (size = getline(&line, &capacity, stdin)) >= 0;) {
        if (size > 0 && line[size - 1] == '\n') size--;
        nf_str_clear(&out);
        if (nf_tokenizer_encode_with(tokenizer, scratch, line, (size_t)size, true, e, err) !=
                NERFIT_OK ||
            nf_encoding_to_json(e, tokenizer, &out, err) != NERFIT_OK)
            status = fail(err);
        else
            printf("%s\n", nf_str_text(&out));
    }
    nf_str_free(&out);
    free(line);
    return status;
}

int main(int argc, char **argv) {
    nerfit_error err = {0};
    nf_tokenizer *tokenizer;
    if (argc < 2) return 2;
    if (nf_tokenizer_load(&tokenizer, argv[1], &err) != NERFIT_OK) return fail(&err);
    nf_tokenizer_scratch *scratch = nf_tokenizer_scratch_new();
    nf_encoding encoding = {0};
    int status = argc == 2 ? write_encodings(tokenizer, scratch, &encoding, &err)
                 : *argv[2] == 'b'
                     ? bench(tokenizer, scratch, &encoding, argc > 3 ? atoi(argv[3]) : 5, &err)
                     : print_json(tokenizer, scratch, &encoding, &err);
    nf_encoding_free(&encoding);
    nf_tokenizer_scratch_free(scratch);
    nf_tokenizer_free(tokenizer);
    return status;
}
