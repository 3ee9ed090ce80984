/* A tiny model folder with a tokenizer, made in a temporary folder from tests/golden/bert and a
 * vocabulary of 100 words: for tests that need a whole model but no download. */
#ifndef NF_TINY_MODEL_H
#define NF_TINY_MODEL_H

#include "test.h"

#include <jansson.h>
#include <unistd.h>

#include "base/file.h"

static inline void copy_file(const char *from, const char *to) {
    nf_file file;
    nerfit_error error;
    assert_ok(nf_file_open(&file, from, &error), &error);
    assert_ok(nf_file_write(to, file.data, file.size, &error), &error);
    nf_file_close(&file);
}

/* A field of an object's file becomes `value`, as JSON (NULL: it is taken out). */
static inline void change_json(const char *path, const char *key, const char *value) {
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    if (value)
        json_object_set_new(json, key, json_loads(value, JSON_DECODE_ANY, NULL));
    else
        json_object_del(json, key);
    assert_int_equal(json_dump_file(json, path, 0), 0);
    json_decref(json);
}

static const char *const tiny_words[] = {"wake",   "me",     "up",   "at",   "nine",
                                         "in",     "madrid", "play", "jazz", "now",
                                         "please", "ten",    "call", "rome", "bob"};

/* folder: a fresh one under `parent`; head: with the token-classification head (7 labels). */
static inline void make_tiny_model(const char *folder, bool head) {
    char path[1200], from[1200];
    nerfit_error error;
    assert_ok(nf_directory_make(folder, &error), &error);
    const char *const names[] = {"config.json", "model.safetensors"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(from, sizeof from, "tests/golden/bert/%s%s", head ? "token-classification/" : "",
                 names[i]);
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        copy_file(from, path);
    }
    snprintf(path, sizeof path, "%s/vocab.txt", folder);
    FILE *vocabulary = fopen(path, "w");
    assert_non_null(vocabulary);
    fputs("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", vocabulary);
    size_t words = sizeof tiny_words / sizeof *tiny_words;
    for (size_t i = 0; i < 95; i++)
        if (i < words)
            fprintf(vocabulary, "%s\n", tiny_words[i]);
        else if (i < words + 26)
            fprintf(vocabulary, "%c\n", (char)('a' + i - words));
        else if (i < words + 52)
            fprintf(vocabulary, "##%c\n", (char)('a' + i - words - 26));
        else
            fprintf(vocabulary, "[unused%zu]\n", i);
    fclose(vocabulary);
}

static inline void write_text(const char *path, const char *text) {
    nerfit_error error;
    assert_ok(nf_file_write(path, text, strlen(text), &error), &error);
}

/* A fresh temporary folder; the caller removes it. */
static inline char *temporary_folder(char path[64]) {
    snprintf(path, 64, "/tmp/nerfit-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

#endif
