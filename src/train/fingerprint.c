#include "train/fingerprint.h"

#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/annotations.h"
#include "data/writing.h"

uint64_t nf_fingerprint_bytes(uint64_t fingerprint, const void *data, size_t size) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) fingerprint = (fingerprint ^ bytes[i]) * 0x100000001B3u;
    return fingerprint;
}

/* With its end, so that "a", "bc" is not "ab", "c". */
static uint64_t add_text(uint64_t fingerprint, const char *text) {
    return nf_fingerprint_bytes(fingerprint, text, strlen(text) + 1);
}

nerfit_status nf_fingerprint_corpus(uint64_t *fingerprint, const nf_corpus *corpus, nerfit_error *err) {
    nf_str line = {0};
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < corpus->n_documents && status == NERFIT_OK; i++) {
        nf_str_clear(&line);
        status = nf_annotations_write(&line, &corpus->documents[i], NF_FORMAT_JSONL, err);
        *fingerprint = nf_fingerprint_bytes(*fingerprint, nf_str_text(&line), line.length);
    }
    nf_str_free(&line);
    return status;
}

nerfit_status nf_fingerprint_descriptions(uint64_t *fingerprint, const nf_train_data *data,
                                          const char *ent2emb, nerfit_error *err) {
    const nf_embeddings *e = data->embeddings;
    const nf_descriptions *d = data->descriptions;
    for (size_t i = 0; e && i < e->count; i++) *fingerprint = add_text(*fingerprint, e->types[i]);
    if (e)
        *fingerprint = nf_fingerprint_bytes(*fingerprint, e->vectors,
                                            e->count * e->size * sizeof *e->vectors);
    for (size_t i = 0; d && i < d->count; i++) {
        *fingerprint = add_text(*fingerprint, d->labels[i]);
        *fingerprint = add_text(*fingerprint, d->texts[i]);
    }
    if (e || d || !ent2emb) return NERFIT_OK;
    nf_file file;
    NF_TRY(nf_file_open(&file, ent2emb, err));
    *fingerprint = nf_fingerprint_bytes(*fingerprint, file.data, file.size);
    nf_file_close(&file);
    return NERFIT_OK;
}
