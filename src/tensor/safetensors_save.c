/* Writing: the header is made in memory, the data streamed behind it. Layout and header are those
 * of the Python package (safetensors 0.8), byte for byte: tensors by type, the widest first, then
 * by name, so that each lies aligned to its type; metadata before them; spaces up to a multiple of
 * 8 bytes. */
#include "tensor/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"

/* The crate's order of types; of two types with the same width the later one comes first. */
static int rank(nf_stored_type type) {
    static const int ranks[] = {
        [NF_STORED_BOOL] = 0, [NF_STORED_U8] = 1,   [NF_STORED_I8] = 2,  [NF_STORED_I16] = 3,
        [NF_STORED_F16] = 4,  [NF_STORED_BF16] = 5, [NF_STORED_I32] = 6, [NF_STORED_F32] = 7,
        [NF_STORED_F64] = 8,  [NF_STORED_I64] = 9,
    };
    return ranks[type];
}

static int by_rank_then_name(const void *a, const void *b) {
    const nf_to_store *x = *(const nf_to_store *const *)a, *y = *(const nf_to_store *const *)b;
    if (x->type != y->type) return rank(y->type) - rank(x->type);
    return strcmp(x->name, y->name);
}

static nerfit_status bad_tensor(nerfit_error *err, const char *path, const nf_to_store *tensor,
                                const char *what) {
    return nf_fail_at(err, NERFIT_ARGUMENT, path, 0, 0, "tensor \"%s\" %s", tensor->name, what);
}

static nerfit_status stored_size(const nf_to_store *tensor, const char *path, size_t *size,
                                 nerfit_error *err) {
    if (tensor->n_dims < 0 || tensor->n_dims > NF_STORED_MAX_DIMS)
        return bad_tensor(err, path, tensor, "has too many dimensions to be saved (at most 8)");
    *size = nf_stored_type_size(tensor->type);
    for (int i = 0; i < tensor->n_dims; i++)
        if (tensor->dims[i] < 0 || __builtin_mul_overflow(*size, (size_t)tensor->dims[i], size) ||
            *size > INT64_MAX)
            return bad_tensor(err, path, tensor, "has a shape that cannot be saved");
    return NERFIT_OK;
}

/* {name: value, ...} with checks for what JSON cannot hold. */
static nerfit_status make_metadata(json_t **out, const char *path, const char *const *metadata,
                                   nerfit_error *err) {
    *out = json_object();
    nerfit_status status = *out ? NERFIT_OK : nf_no_memory(err, 0);
    for (size_t i = 0; status == NERFIT_OK && metadata[i]; i += 2) {
        const char *key = metadata[i], *value = metadata[i + 1];
        if (!value || !nf_utf8_valid(key, strlen(key), NULL) ||
            !nf_utf8_valid(value, strlen(value), NULL))
            status = nf_fail_at(err, NERFIT_ARGUMENT, path, 0, 0,
                                "metadata \"%s\" has no value or is not UTF-8", key);
        else if (json_object_set_new(*out, key, json_string(value)))
            status = nf_no_memory(err, strlen(value));
    }
    return status;
}

static nerfit_status add_tensor(json_t *header, const char *path, const nf_to_store *tensor,
                                size_t *at, nerfit_error *err) {
    size_t size;
    NF_TRY(stored_size(tensor, path, &size, err));
    if (!nf_utf8_valid(tensor->name, strlen(tensor->name), NULL))
        return bad_tensor(err, path, tensor, "has a name that is not UTF-8");
    if (strcmp(tensor->name, "__metadata__") == 0)
        return bad_tensor(err, path, tensor, "cannot be saved: the format reserves its name");
    if (json_object_get(header, tensor->name))
        return bad_tensor(err, path, tensor, "is there twice");
    if (size > (size_t)INT64_MAX - *at)
        return bad_tensor(err, path, tensor, "makes the file too large");
    json_t *shape = json_array();
    int failed = !shape;
    for (int d = 0; d < tensor->n_dims; d++)
        failed |= json_array_append_new(shape, json_integer((json_int_t)tensor->dims[d]));
    json_t *entry =
        json_pack("{s:s, s:O, s:[I,I]}", "dtype", nf_stored_type_name(tensor->type), "shape", shape,
                  "data_offsets", (json_int_t)*at, (json_int_t)(*at + size));
    json_decref(shape);
    if (failed) json_decref(entry);
    if (failed || json_object_set_new(header, tensor->name, entry)) return nf_no_memory(err, 0);
    *at += size;
    return NERFIT_OK;
}

/* The file's first bytes: the header's size, the header. */
static nerfit_status make_header(nf_str *out, const char *path, const nf_to_store *const *sorted,
                                 size_t count, const char *const *metadata, nerfit_error *err) {
    json_t *header = json_object(), *pairs = NULL;
    nerfit_status status = header ? NERFIT_OK : nf_no_memory(err, 0);
    if (status == NERFIT_OK && metadata) {
        status = make_metadata(&pairs, path, metadata, err);
        if (status == NERFIT_OK && json_object_set(header, "__metadata__", pairs))
            status = nf_no_memory(err, 0);
    }
    size_t at = 0;
    for (size_t i = 0; i < count && status == NERFIT_OK; i++)
        status = add_tensor(header, path, sorted[i], &at, err);
    char *text = status == NERFIT_OK ? nf_json_text(header, JSON_COMPACT) : NULL;
    json_decref(pairs);
    json_decref(header);
    NF_TRY(status);
    if (!text) return nf_no_memory(err, 0);
    uint64_t size = (strlen(text) + 7) & ~(uint64_t)7;
    nf_str_append(out, (const char *)&size, sizeof size);
    nf_str_append_text(out, text);
    free(text);
    while (out->length < sizeof size + size && nf_str_append_char(out, ' ')) continue;
    if (out->failed) return nf_no_memory(err, size);
    if (size > NF_SAFETENSORS_MAX_HEADER)
        return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "cannot be saved: its header would take %llu bytes (at most %d)",
                          (unsigned long long)size, NF_SAFETENSORS_MAX_HEADER);
    return NERFIT_OK;
}

/* The buffer that filled tensors share. */
typedef struct fill_buffer {
    void *memory;
    size_t size;
} fill_buffer;

static nerfit_status write_tensor(nf_file_writer *writer, const nf_to_store *tensor, size_t size,
                                  fill_buffer *buffer, nerfit_error *err) {
    if (tensor->data || !tensor->fill) return nf_file_writer_write(writer, tensor->data, size, err);
    if (size > buffer->size) {
        void *grown = realloc(buffer->memory, size);
        if (!grown) return nf_no_memory(err, size);
        *buffer = (fill_buffer){grown, size};
    }
    tensor->fill(tensor->fill_user, buffer->memory);
    return nf_file_writer_write(writer, buffer->memory, size, err);
}

static nerfit_status write_file(const char *path, const nf_str *header,
                                const nf_to_store *const *sorted, size_t count, nerfit_error *err) {
    nf_file_writer *writer;
    fill_buffer buffer = {0};
    NF_TRY(nf_file_writer_open(&writer, path, err));
    nerfit_status status = nf_file_writer_write(writer, header->data, header->length, err);
    for (size_t i = 0; i < count && status == NERFIT_OK; i++) {
        size_t size;
        status = stored_size(sorted[i], path, &size, err);
        if (status == NERFIT_OK) status = write_tensor(writer, sorted[i], size, &buffer, err);
    }
    free(buffer.memory);
    if (status == NERFIT_OK) return nf_file_writer_commit(writer, err);
    nf_file_writer_abort(writer);
    return status;
}

nerfit_status nf_safetensors_save(const char *path, const nf_to_store *tensors, size_t count,
                                  const char *const *metadata, nerfit_error *err) {
    const nf_to_store **sorted = malloc((count + 1) * sizeof *sorted);
    if (!sorted) return nf_no_memory(err, count * sizeof *sorted);
    for (size_t i = 0; i < count; i++) sorted[i] = &tensors[i];
    qsort(sorted, count, sizeof *sorted, by_rank_then_name);
    nf_str header = {0};
    nerfit_status status = make_header(&header, path, sorted, count, metadata, err);
    if (status == NERFIT_OK) status = write_file(path, &header, sorted, count, err);
    nf_str_free(&header);
    free(sorted);
    return status;
}
