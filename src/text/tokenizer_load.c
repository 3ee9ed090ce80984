/* Loading from a folder or a file, and saving. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "text/tokenizer_folder.h"
#include "text/tokenizer_impl.h"

/* The padding token: of the configuration, of tokenizer.json, or one with a usual name. */
static int32_t find_pad(const nf_tokenizer *t, const char *named, const json_t *description) {
    const json_t *padding = json_object_get(description, "padding");
    const char *candidates[] = {named, json_string_value(json_object_get(padding, "pad_token")),
                                "[PAD]", "<pad>"};
    for (size_t i = 0; i < NF_COUNT(candidates); i++) {
        if (!candidates[i]) continue;
        int32_t id = nf_tokenizer_id(t, candidates[i]);
        if (id >= 0) return id;
    }
    return -1;
}

/* The text of a tokenizer.json has to stay until the tokenizer is built. */
static nerfit_status read_file(nf_file *file, nf_token_tables *tables, json_t **description,
                               const char *path, nerfit_error *err) {
    NF_TRY(nf_file_open(file, path, err));
    return nf_token_tables_read(tables, description, file->data, file->size, path, err);
}

static nerfit_status load_folder(nf_tokenizer *t, const char *path, nerfit_error *err) {
    nf_tokenizer_folder folder;
    nf_token_tables tables = {.arena = &t->arena};
    nf_file file = {0};
    json_t *description = NULL;
    const char *json = nf_path_join(&t->arena, path, "tokenizer.json");
    if (!json) return nf_no_memory(err, strlen(path));
    nerfit_status status = nf_tokenizer_folder_open(&folder, path, &t->arena, err);
    t->folder = path;
    if (status == NERFIT_OK && nf_file_exists(json)) {
        t->file = json;
        status = read_file(&file, &tables, &description, json, err);
        if (status == NERFIT_OK) status = nf_tokenizer_folder_override(&folder, description, err);
        if (status == NERFIT_OK)
            status = nf_tokenizer_folder_tokens(&folder, description, NULL, err);
    } else if (status == NERFIT_OK) {
        status = nf_tokenizer_folder_describe(&folder, &tables, &description, err);
    }
    if (status == NERFIT_OK)
        status =
            nf_tokenizer_build(t, description, &tables, folder.extra, t->file ? json : path, err);
    if (status == NERFIT_OK) t->pad = find_pad(t, folder.named[NF_PAD], description);
    json_decref(description);
    nf_token_tables_free(&tables);
    nf_file_close(&file);
    nf_tokenizer_folder_close(&folder);
    return status;
}

nerfit_status nf_tokenizer_parse(nf_tokenizer *t, const char *text, size_t length, const char *file,
                                 nerfit_error *err) {
    nf_token_tables tables = {.arena = &t->arena};
    json_t *description;
    nerfit_status status = nf_token_tables_read(&tables, &description, text, length, file, err);
    if (status == NERFIT_OK) status = nf_tokenizer_build(t, description, &tables, NULL, file, err);
    if (status == NERFIT_OK) t->pad = find_pad(t, NULL, description);
    json_decref(description);
    nf_token_tables_free(&tables);
    return status;
}

static nerfit_status load_file(nf_tokenizer *t, const char *path, nerfit_error *err) {
    nf_file file;
    t->file = path;
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status status = nf_tokenizer_parse(t, file.data, file.size, path, err);
    nf_file_close(&file);
    return status;
}

nerfit_status nf_tokenizer_load(nf_tokenizer **out, const char *path, nerfit_error *err) {
    *out = NULL;
    nf_tokenizer *t = calloc(1, sizeof *t);
    if (!t) return nf_no_memory(err, sizeof *t);
    t->pad = -1;
    const char *kept = nf_arena_strdup(&t->arena, path);
    nerfit_status status = !kept                       ? nf_no_memory(err, strlen(path))
                           : nf_directory_exists(path) ? load_folder(t, kept, err)
                                                       : load_file(t, kept, err);
    if (status != NERFIT_OK)
        nf_tokenizer_free(t);
    else
        *out = t;
    return status;
}

static nerfit_status copy_file(const char *from, const char *to, nerfit_error *err) {
    nf_file file;
    NF_TRY(nf_file_open(&file, from, err));
    nerfit_status status = nf_file_write(to, file.data, file.size, err);
    nf_file_close(&file);
    return status;
}

const char *const nf_tokenizer_files[NF_TOKENIZER_FILES] = {
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spm.model",
    "spiece.model",
    "tokenizer.model",
    "tokenizer_config.json",
    "added_tokens.json",
    "special_tokens_map.json",
};

nerfit_status nf_tokenizer_save(const nf_tokenizer *t, const char *folder, nerfit_error *err) {
    NF_TRY(nf_directory_make(folder, err));
    nf_arena arena = {0};
    nerfit_status status = NERFIT_OK;
    if (!t->folder) {
        const char *to = nf_path_join(&arena, folder, "tokenizer.json");
        status = to ? copy_file(t->file, to, err) : nf_no_memory(err, strlen(folder));
    } else {
        for (size_t i = 0; i < NF_TOKENIZER_FILES && status == NERFIT_OK; i++) {
            const char *from = nf_path_join(&arena, t->folder, nf_tokenizer_files[i]);
            const char *to = nf_path_join(&arena, folder, nf_tokenizer_files[i]);
            if (!from || !to)
                status = nf_no_memory(err, strlen(folder));
            else if (nf_file_exists(from))
                status = copy_file(from, to, err);
        }
    }
    nf_arena_free(&arena);
    return status;
}
