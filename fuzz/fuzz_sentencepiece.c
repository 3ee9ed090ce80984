/* Fuzz target: the first byte chooses a class, the rest is its SentencePiece .model file; a
 * tokenizer is made from it and used. Start from tests/golden/sentencepiece (*.model behind a
 * byte). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "text/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *file, *config;
} classes[] = {
    {"sentencepiece.bpe.model", "{\"tokenizer_class\": \"XLMRobertaTokenizer\"}"},
    {"sentencepiece.bpe.model", "{\"tokenizer_class\": \"CamembertTokenizer\"}"},
    {"spm.model", "{\"tokenizer_class\": \"DebertaV2Tokenizer\", \"split_by_punct\": true}"},
    {"spiece.model", "{\"tokenizer_class\": \"AlbertTokenizer\"}"},
    {"spiece.model", "{\"tokenizer_class\": \"T5Tokenizer\", \"extra_ids\": 3}"},
    {"tokenizer.model", "{\"tokenizer_class\": \"LlamaTokenizer\"}"},
    {"tokenizer.model", "{\"tokenizer_class\": \"TokenizersBackend\", \"add_bos_token\": true}"},
};

static void write_file(const char *folder, const char *name, const void *bytes, size_t size) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) abort();
}

static void remove_file(const char *folder, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char text[] = "  H\u00e9llo e\u0301\u0323 \u6771 \ufb01\u2122\u0301 don't <mask> "
                               "[MASK] ``12''\1\r\n  <extra_id_1> \u2581a ";
    if (size == 0) return 0;
    size_t class = data[0] % (sizeof classes / sizeof *classes);
    char folder[] = "/tmp/nerfit-fuzz-XXXXXX";
    if (!mkdtemp(folder)) abort();
    write_file(folder, classes[class].file, data + 1, size - 1);
    write_file(folder, "tokenizer_config.json", classes[class].config,
               strlen(classes[class].config));
    nerfit_error err;
    nf_tokenizer *tokenizer = NULL;
    nf_encoding e = {0};
    if (nf_tokenizer_load(&tokenizer, folder, &err) == NERFIT_OK &&
        nf_tokenizer_encode(tokenizer, text, sizeof text - 1, true, &e, &err) == NERFIT_OK)
        for (size_t i = 0; i < e.length; i++)
            if (e.ends[i] > nf_utf8_count(text, sizeof text - 1) || e.starts[i] > e.ends[i])
                abort();
    nf_encoding_free(&e);
    nf_tokenizer_free(tokenizer);
    remove_file(folder, classes[class].file);
    remove_file(folder, "tokenizer_config.json");
    rmdir(folder);
    return 0;
}
