#include "recipe/fingerprint.h"

#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "data/formats/format.h"
#include "data/synonyms.h"
#include "data/weights.h"

uint64_t nf_fingerprint_bytes(uint64_t fingerprint, const void *data, size_t size) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) fingerprint = nf_hash_step(fingerprint, bytes[i]);
    return fingerprint;
}

/* With its end, so that "a", "bc" is not "ab", "c". */
static uint64_t add_text(uint64_t fingerprint, const char *text) {
    return nf_fingerprint_bytes(fingerprint, text, strlen(text) + 1);
}

static uint64_t add_weight(uint64_t fingerprint, const nf_beside *beside) {
    double weight = nf_weight_of(beside);
    return weight == 1.0 ? fingerprint : nf_fingerprint_bytes(fingerprint, &weight, sizeof weight);
}

/* What the losses count beside text and entities; nothing where all is known and weighs 1, as
 * earlier versions had it. */
static uint64_t add_knowledge(uint64_t fingerprint, const nf_document *d) {
    const nf_beside *b = d->beside;
    fingerprint = add_weight(fingerprint, b);
    for (size_t i = 0; i < d->n_spans; i++)
        if (nf_weight_of(d->spans[i].beside) != 1.0)
            fingerprint =
                add_weight(nf_fingerprint_bytes(fingerprint, &i, sizeof i), d->spans[i].beside);
    if (b && b->n_unknown)
        fingerprint =
            nf_fingerprint_bytes(fingerprint, b->unknown, b->n_unknown * sizeof *b->unknown);
    for (size_t i = 0; b && b->labels && i < b->n_labels; i++)
        fingerprint = add_text(fingerprint, b->labels[i]);
    return fingerprint;
}

nerfit_status nf_fingerprint_corpus(uint64_t *fingerprint, const nf_corpus *corpus,
                                    nerfit_error *err) {
    nf_str line = {0};
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < corpus->n_documents && status == NERFIT_OK; i++) {
        nf_str_clear(&line);
        status = nf_jsonl_bare(&line, &corpus->documents[i], err);
        *fingerprint = nf_fingerprint_bytes(*fingerprint, nf_str_text(&line), line.length);
        *fingerprint = add_knowledge(*fingerprint, &corpus->documents[i]);
    }
    nf_str_free(&line);
    return status;
}

static uint64_t add_texts(uint64_t fingerprint, const char *const *texts, size_t count) {
    fingerprint = nf_fingerprint_bytes(fingerprint, &count, sizeof count);
    for (size_t i = 0; i < count; i++) fingerprint = add_text(fingerprint, texts[i]);
    return fingerprint;
}

static uint64_t add_further(uint64_t fingerprint, const nf_label_texts *texts) {
    fingerprint = add_texts(fingerprint, texts->names, texts->n_names);
    return add_texts(fingerprint, texts->descriptions, texts->n_descriptions);
}

static nerfit_status add_bytes_of(uint64_t *fingerprint, const char *path, nerfit_error *err) {
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    *fingerprint = nf_fingerprint_bytes(*fingerprint, file.data, file.size);
    nf_file_close(&file);
    return NERFIT_OK;
}

/* A file of descriptions, and what belongs to it. */
static nerfit_status add_description_files(uint64_t *fingerprint, const char *path,
                                           nerfit_error *err) {
    nf_arena arena = {0};
    const char *beside = nf_synonyms_path(&arena, path);
    nerfit_status status = add_bytes_of(fingerprint, path, err);
    if (status == NERFIT_OK && !beside) status = nf_no_memory(err, strlen(path));
    if (status == NERFIT_OK && nf_file_exists(beside))
        status = add_bytes_of(fingerprint, beside, err);
    nf_arena_free(&arena);
    return status;
}

nerfit_status nf_fingerprint_descriptions(uint64_t *fingerprint, const nf_train_data *data,
                                          const char *ent2emb, nerfit_error *err) {
    const nf_embeddings *e = data->embeddings;
    const nf_descriptions *d = data->descriptions;
    for (size_t i = 0; e && i < e->count; i++) *fingerprint = add_text(*fingerprint, e->types[i]);
    if (e)
        *fingerprint =
            nf_fingerprint_bytes(*fingerprint, e->vectors, e->count * e->size * sizeof *e->vectors);
    for (size_t i = 0; d && i < d->count; i++) {
        *fingerprint = add_text(*fingerprint, d->labels[i]);
        *fingerprint = add_text(*fingerprint, d->texts[i]);
        if (d->further) *fingerprint = add_further(*fingerprint, &d->further[i]);
    }
    return e || d || !ent2emb ? NERFIT_OK : add_description_files(fingerprint, ent2emb, err);
}

nerfit_status nf_fingerprint_models(uint64_t *fingerprint, const nf_train_options *options,
                                    nerfit_error *err) {
    static const char *const names[] = {"model.safetensors", "adapter_model.safetensors",
                                        "description_head.safetensors", "word_shape.safetensors"};
    enum { N_NAMES = sizeof names / sizeof *names };
    const char *const folders[] = {options->model_name, options->st_model_name,
                                   options->pretrained};
    nf_arena arena = {0};
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < 4 * N_NAMES && status == NERFIT_OK; i++) {
        bool labels = i >= 3 * N_NAMES; /* behind the others, which so count as they always did */
        const char *folder = labels ? options->labels_encoder : folders[i % 3],
                   *name = names[labels ? i - 3 * N_NAMES : i / 3],
                   *path = folder ? nf_path_join(&arena, folder, name) : NULL;
        struct stat info;
        if (folder && !path) status = nf_no_memory(err, strlen(folder));
        if (!path || stat(path, &info) != 0) continue; /* training says what is missing */
        const int64_t facts[] = {(int64_t)i, info.st_size, info.st_mtim.tv_sec,
                                 info.st_mtim.tv_nsec};
        *fingerprint = nf_fingerprint_bytes(*fingerprint, facts, sizeof facts);
    }
    nf_arena_free(&arena);
    return status;
}

/* All of a small file; of a large one 64 pieces, evenly spread: training changes every weight. */
static nerfit_status add_file(uint64_t *fingerprint, const char *path, nerfit_error *err) {
    enum { PIECES = 64, PIECE = 4096 };
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    const uint64_t size = file.size;
    *fingerprint = nf_fingerprint_bytes(*fingerprint, &size, sizeof size);
    if (file.size <= (size_t)PIECES * PIECE) {
        *fingerprint = nf_fingerprint_bytes(*fingerprint, file.data, file.size);
    } else {
        size_t step = (file.size - PIECE) / (PIECES - 1);
        for (size_t i = 0; i < PIECES; i++)
            *fingerprint = nf_fingerprint_bytes(*fingerprint, file.data + i * step, PIECE);
    }
    nf_file_close(&file);
    return NERFIT_OK;
}

nerfit_status nf_fingerprint_weights(uint64_t *fingerprint, const char *folder, nerfit_error *err) {
    static const char *const names[] = {"model.safetensors",
                                        "model.safetensors.index.json",
                                        "pytorch_model.bin",
                                        "pytorch_model.bin.index.json",
                                        "gliner_config.json",
                                        "adapter_model.safetensors",
                                        "description_head.safetensors",
                                        "word_shape.safetensors",
                                        "tokenizer.json",
                                        "vocab.txt",
                                        "vocab.json"};
    bool any = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        nf_arena arena = {0};
        const char *path = nf_path_join(&arena, folder, names[i]);
        nerfit_status status = path ? NERFIT_OK : nf_no_memory(err, strlen(folder));
        if (path && nf_file_exists(path)) {
            any = true;
            *fingerprint = add_text(*fingerprint, names[i]);
            status = add_file(fingerprint, path, err);
        }
        nf_arena_free(&arena);
        NF_TRY(status);
    }
    if (!any) *fingerprint = add_text(*fingerprint, folder);
    return NERFIT_OK;
}
