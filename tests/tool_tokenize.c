/* Encodes texts for tools/tokenizers_compare.py and bench/tokenizer_speed.py, which hold the result
 * against the Python package `tokenizers`.
 *
 *     tool_tokenize MODEL                    reads texts, writes encodings, both in binary: text:
 *         u32 size, bytes; encoding: u32 count, then for each token i32 id, u32 start, u32 end, i32
 *         word (-1 for special tokens); all of the machine's byte order
 *     tool_tokenize MODEL bench N THREADS    reads all texts, encodes them N times, prints the
 *         seconds that each round took: the processor's for one thread, the clock's for several
 *     tool_tokenize MODEL json               reads lines of text, prints a JSON object for each
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

typedef struct text {
    char *text;
    uint32_t size;
} text;

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Every thread has a scratch of its own, as the taggers' have, and takes the next texts when it is
 * free. */
static int encode_all(const nf_tokenizer *tokenizer, const text *texts, size_t count, int threads,
                      nerfit_error *err) {
    int failed = 0;
#pragma omp parallel num_threads(threads)
    {
        nf_tokenizer_scratch *scratch = nf_tokenizer_scratch_new();
        nf_encoding e = {0};
        nerfit_error own = {0};
#pragma omp for schedule(dynamic, 64)
        for (size_t i = 0; i < count; i++)
            if (nf_tokenizer_encode_with(tokenizer, scratch, texts[i].text, texts[i].size, true, &e,
                                         &own) != NERFIT_OK) {
#pragma omp critical
                failed = 1, *err = own;
            }
        nf_encoding_free(&e);
        nf_tokenizer_scratch_free(scratch);
    }
    return failed;
}

static int bench(const nf_tokenizer *tokenizer, int rounds, int threads, nerfit_error *err) {
    size_t count = 0, capacity = 0;
    text *texts = NULL;
    uint32_t size;
    int status = 0;
    for (char *read; (read = read_text(&size)); count++) {
        if (count == capacity)
            texts = realloc(texts, (capacity = capacity * 2 + 64) * sizeof *texts);
        texts[count] = (text){read, size};
    }
    clockid_t clock = threads > 1 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
    for (int round = 0; round < rounds && !status; round++) {
        double began = seconds(clock);
        if (encode_all(tokenizer, texts, count, threads, err)) status = fail(err);
        printf("%.6f\n", seconds(clock) - began);
    }
    for (size_t i = 0; i < count; i++) free(texts[i].text);
    free(texts);
    return status;
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
    int status = argc == 2         ? write_encodings(tokenizer, scratch, &encoding, &err)
                 : *argv[2] == 'b' ? bench(tokenizer, argc > 3 ? atoi(argv[3]) : 5,
                                           argc > 4 ? atoi(argv[4]) : 1, &err)
                                   : print_json(tokenizer, scratch, &encoding, &err);
    nf_encoding_free(&encoding);
    nf_tokenizer_scratch_free(scratch);
    nf_tokenizer_free(tokenizer);
    return status;
}
