/* Reading: the header is parsed once into a table of tensors that point into the mapping; a hash
 * finds them by name. A sharded checkpoint is several mappings with one table.
 *
 * Checks follow the Rust crate (safetensors 0.4): the header fits the file and is at most 100 MB,
 * offsets lie in the data, leave no hole and do not overlap, and agree with dtype and shape. */
#include "tensor/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"

enum { MAX_HEADER = 100000000 };

static const struct {
    const char *name;
    nf_stored_type type;
    size_t size;
} types[] = {
    {"F64", NF_STORED_F64, 8}, {"F32", NF_STORED_F32, 4}, {"F16", NF_STORED_F16, 2},
    {"BF16", NF_STORED_BF16, 2}, {"I64", NF_STORED_I64, 8}, {"I32", NF_STORED_I32, 4},
    {"I16", NF_STORED_I16, 2}, {"I8", NF_STORED_I8, 1}, {"U8", NF_STORED_U8, 1},
    {"BOOL", NF_STORED_BOOL, 1},
};
enum { N_TYPES = sizeof types / sizeof *types };

static size_t type_size(nf_stored_type type) {
    for (size_t i = 0; i < N_TYPES; i++)
        if (types[i].type == type) return types[i].size;
    return 0;
}

typedef struct entry {
    nf_stored stored;
    size_t shard;
    UT_hash_handle hh;
} entry;

struct nf_safetensors {
    nf_arena arena;
    char *path;
    nf_file *files;
    size_t n_files;
    entry **order;
    size_t count, capacity;
    entry *by_name;
    json_t *metadata;
};

/* ---------------------------------------------------------------- one file */

static nerfit_status bad_tensor(nerfit_error *err, const char *path, const char *name,
                                const char *what) {
    return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "tensor \"%s\": %s", name, what);
}

/* Reads shape and offsets of one header entry; `data_size` bytes of data follow the header. */
static nerfit_status read_entry(nf_stored *out, const char *name, const json_t *json,
                                const char *path, const char *data, size_t data_size,
                                nerfit_error *err) {
    const char *dtype = json_string_value(json_object_get(json, "dtype"));
    const json_t *shape = json_object_get(json, "shape");
    const json_t *offsets = json_object_get(json, "data_offsets");
    if (!dtype || !json_is_array(shape) || json_array_size(offsets) != 2)
        return bad_tensor(err, path, name, "expected \"dtype\", \"shape\" and two \"data_offsets\"");
    size_t known = 0;
    while (known < N_TYPES && strcmp(types[known].name, dtype) != 0) known++;
    if (known == N_TYPES)
        return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "tensor \"%s\": dtype %s is not supported", name, dtype);
    *out = (nf_stored){.name = name, .type = types[known].type, .count = 1};
    if (json_array_size(shape) > 8) return bad_tensor(err, path, name, "more than 8 dimensions");
    out->n_dims = (int)json_array_size(shape);
    for (int i = 0; i < out->n_dims; i++) {
        const json_t *dim = json_array_get(shape, (size_t)i);
        out->dims[i] = json_integer_value(dim);
        if (!json_is_integer(dim) || out->dims[i] < 0)
            return bad_tensor(err, path, name, "a dimension is not a whole number");
        if (__builtin_mul_overflow(out->count, (size_t)out->dims[i], &out->count))
            return bad_tensor(err, path, name, "the shape is too large");
    }
    json_int_t start = json_integer_value(json_array_get(offsets, 0));
    json_int_t end = json_integer_value(json_array_get(offsets, 1));
    if (!json_is_integer(json_array_get(offsets, 0)) ||
        !json_is_integer(json_array_get(offsets, 1)) || start < 0 || end < start ||
        (uint64_t)end > data_size)
        return bad_tensor(err, path, name, "data_offsets lie outside the file");
    out->size = (size_t)(end - start);
    size_t expected;
    if (__builtin_mul_overflow(out->count, types[known].size, &expected) ||
        expected != out->size)
        return bad_tensor(err, path, name, "data_offsets do not agree with dtype and shape");
    out->data = data + start;
    return NERFIT_OK;
}

static nerfit_status add_entry(nf_safetensors *set, const nf_stored *stored, size_t shard,
                               const char *path, nerfit_error *err) {
    entry *known, *added;
    HASH_FIND_STR(set->by_name, stored->name, known);
    if (known) return bad_tensor(err, path, stored->name, "is there twice");
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 64;
        entry **grown = realloc(set->order, capacity * sizeof *grown);
        if (!grown) return nf_no_memory(err, capacity * sizeof *grown);
        set->order = grown;
        set->capacity = capacity;
    }
    added = nf_arena_calloc(&set->arena, 1, sizeof *added);
    if (!added) return nf_no_memory(err, sizeof *added);
    added->stored = *stored;
    added->stored.name = nf_arena_strdup(&set->arena, stored->name);
    added->shard = shard;
    if (!added->stored.name) return nf_no_memory(err, 0);
    HASH_ADD_KEYPTR(hh, set->by_name, added->stored.name, strlen(added->stored.name), added);
    set->order[set->count++] = added;
    return NERFIT_OK;
}

static int by_address(const void *a, const void *b) {
    const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
    if (x->shard != y->shard) return x->shard < y->shard ? -1 : 1;
    if (x->stored.data != y->stored.data)
        return (uintptr_t)x->stored.data < (uintptr_t)y->stored.data ? -1 : 1;
    if (x->stored.size != y->stored.size) return x->stored.size < y->stored.size ? -1 : 1;
    return strcmp(x->stored.name, y->stored.name);
}

/* The tensors of a shard, sorted by address, must cover its data without holes or overlaps. */
static nerfit_status check_cover(entry *const *sorted, size_t count, const char *path,
                                 const char *data, size_t data_size, nerfit_error *err) {
    const char *at = data;
    for (size_t i = 0; i < count; i++) {
        if ((const char *)sorted[i]->stored.data != at)
            return bad_tensor(err, path, sorted[i]->stored.name,
                              "its data overlaps with another's or leaves a hole before it");
        at += sorted[i]->stored.size;
    }
    if (at != data + data_size)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "has %zu bytes of data, its header describes %zu (cut off or damaged?)",
                          data_size, (size_t)(at - data));
    return NERFIT_OK;
}

static nerfit_status read_header(nf_safetensors *set, size_t shard, const char *path,
                                 nerfit_error *err) {
    const nf_file *file = &set->files[shard];
    uint64_t header_size = 0;
    if (file->size < 8)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "is not a safetensors file: it has only %zu bytes", file->size);
    for (int i = 0; i < 8; i++)
        header_size |= (uint64_t)(unsigned char)file->data[i] << (8 * i);
    if (header_size > MAX_HEADER || header_size > file->size - 8)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "is not a whole safetensors file: its header should take %llu bytes, the "
                          "file has %zu",
                          (unsigned long long)header_size, file->size);
    json_t *header;
    nerfit_status status = nf_json_parse(&header, file->data + 8, (size_t)header_size, path, 1, err);
    NF_TRY(status);
    const char *data = file->data + 8 + header_size, *name;
    size_t data_size = file->size - 8 - (size_t)header_size, first = set->count;
    json_t *value;
    if (!json_is_object(header))
        status = nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "the header is not a JSON object");
    json_object_foreach(header, name, value) {
        if (status != NERFIT_OK) break;
        if (strcmp(name, "__metadata__") == 0) {
            if (!set->metadata) set->metadata = json_incref(value);
            continue;
        }
        nf_stored stored;
        status = read_entry(&stored, name, value, path, data, data_size, err);
        if (status == NERFIT_OK) status = add_entry(set, &stored, shard, path, err);
    }
    json_decref(header);
    NF_TRY(status);
    if (set->count > first)
        qsort(set->order + first, set->count - first, sizeof *set->order, by_address);
    return check_cover(set->order + first, set->count - first, path, data, data_size, err);
}

static nerfit_status open_file(nf_safetensors *set, const char *path, nerfit_error *err) {
    nf_file *grown = realloc(set->files, (set->n_files + 1) * sizeof *grown);
    if (!grown) return nf_no_memory(err, sizeof *grown);
    set->files = grown;
    NF_TRY(nf_file_open(&set->files[set->n_files], path, err));
    set->n_files++;
    return read_header(set, set->n_files - 1, path, err);
}

/* ---------------------------------------------------------------- index of shards */

static nerfit_status open_index(nf_safetensors *set, const char *path, nerfit_error *err) {
    json_t *index;
    NF_TRY(nf_json_load(&index, path, err));
    json_t *map = json_object_get(index, "weight_map"), *value;
    const char *name, *folder = nf_path_parent(&set->arena, path);
    nerfit_status status = folder ? NERFIT_OK : nf_no_memory(err, 0);
    if (!json_is_object(map))
        status = nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "has no \"weight_map\"");
    json_t *opened = json_object();
    json_object_foreach(map, name, value) {
        const char *shard = json_string_value(value);
        if (status != NERFIT_OK) break;
        if (!shard || strchr(shard, '/'))
            status = nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                                "\"weight_map\" of \"%s\" should be a file name", name);
        else if (!json_object_get(opened, shard)) {
            const char *shard_path = nf_path_join(&set->arena, folder, shard);
            if (!shard_path || json_object_set_new(opened, shard, json_true()))
                status = nf_no_memory(err, 0);
            else status = open_file(set, shard_path, err);
        }
    }
    json_object_foreach(map, name, value) {
        if (status == NERFIT_OK && !nf_safetensors_find(set, name))
            status = nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                                "names tensor \"%s\" in %s, where it is not", name,
                                json_string_value(value));
    }
    json_decref(opened);
    json_decref(index);
    return status;
}

static nerfit_status open_any(nf_safetensors *set, const char *path, nerfit_error *err) {
    if (nf_directory_exists(path)) {
        static const char *const names[] = {"model.safetensors", "model.safetensors.index.json"};
        for (size_t i = 0; i < 2; i++) {
            const char *inner = nf_path_join(&set->arena, path, names[i]);
            if (!inner) return nf_no_memory(err, 0);
            if (!nf_file_exists(inner)) continue;
            set->path = nf_arena_strdup(&set->arena, inner);
            return i == 0 ? open_file(set, inner, err) : open_index(set, inner, err);
        }
        return nf_fail_at(err, NERFIT_IO, path, 0, 0,
                          "holds neither model.safetensors nor model.safetensors.index.json");
    }
    if (nf_path_has_ending(path, ".index.json")) return open_index(set, path, err);
    return open_file(set, path, err);
}

nerfit_status nf_safetensors_open(nf_safetensors **out, const char *path, nerfit_error *err) {
    *out = NULL;
    nf_safetensors *set = calloc(1, sizeof *set);
    if (!set) return nf_no_memory(err, sizeof *set);
    set->path = nf_arena_strdup(&set->arena, path);
    nerfit_status status = set->path ? open_any(set, path, err) : nf_no_memory(err, 0);
    if (status == NERFIT_OK) *out = set;
    else nf_safetensors_close(set);
    return status;
}

void nf_safetensors_close(nf_safetensors *set) {
    if (!set) return;
    HASH_CLEAR(hh, set->by_name);
    for (size_t i = 0; i < set->n_files; i++) nf_file_close(&set->files[i]);
    free(set->files);
    free(set->order);
    json_decref(set->metadata);
    nf_arena_free(&set->arena);
    free(set);
}

size_t nf_safetensors_count(const nf_safetensors *set) { return set->count; }

const nf_stored *nf_safetensors_at(const nf_safetensors *set, size_t index) {
    return &set->order[index]->stored;
}

const nf_stored *nf_safetensors_find(const nf_safetensors *set, const char *name) {
    entry *found;
    HASH_FIND_STR(set->by_name, name, found);
    return found ? &found->stored : NULL;
}

const char *nf_safetensors_metadata(const nf_safetensors *set, const char *key) {
    return json_string_value(json_object_get(set->metadata, key));
}

const char *nf_safetensors_path(const nf_safetensors *set) { return set->path; }

/* ---------------------------------------------------------------- conversions */

static float half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 0x1Fu, mantissa = h & 0x3FFu;
    uint32_t bits;
    if (exponent == 0x1F) bits = sign | 0x7F800000u | mantissa << 13;
    else if (exponent) bits = sign | (exponent + 112) << 23 | mantissa << 13;
    else if (!mantissa) bits = sign;
    else { /* subnormal: shift the leading one into place */
        exponent = 113;
        while (!(mantissa & 0x400u)) {
            mantissa <<= 1;
            exponent--;
        }
        bits = sign | exponent << 23 | (mantissa & 0x3FFu) << 13;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double element(const nf_stored *tensor, size_t i) {
    const char *at = (const char *)tensor->data + i * type_size(tensor->type);
    double wide;
    float single;
    uint16_t half;
    uint32_t bits;
    switch (tensor->type) {
    case NF_STORED_F64: memcpy(&wide, at, sizeof wide); return wide;
    case NF_STORED_F32: memcpy(&single, at, sizeof single); return (double)single;
    case NF_STORED_F16: memcpy(&half, at, sizeof half); return (double)half_to_float(half);
    default:
        memcpy(&half, at, sizeof half);
        bits = (uint32_t)half << 16;
        memcpy(&single, &bits, sizeof single);
        return (double)single;
    }
}

static nerfit_status check_float(const nf_stored *tensor, nerfit_error *err) {
    if (tensor->type == NF_STORED_F64 || tensor->type == NF_STORED_F32 ||
        tensor->type == NF_STORED_F16 || tensor->type == NF_STORED_BF16)
        return NERFIT_OK;
    return nf_fail(err, NERFIT_FORMAT, "tensor \"%s\" holds whole numbers; expected floats",
                   tensor->name);
}

nerfit_status nf_stored_to_f32(const nf_stored *tensor, float *out, nerfit_error *err) {
    NF_TRY(check_float(tensor, err));
    if (tensor->type == NF_STORED_F32) {
        if (tensor->size) memcpy(out, tensor->data, tensor->size);
        return NERFIT_OK;
    }
    for (size_t i = 0; i < tensor->count; i++) out[i] = (float)element(tensor, i);
    return NERFIT_OK;
}

nerfit_status nf_stored_to_f64(const nf_stored *tensor, double *out, nerfit_error *err) {
    NF_TRY(check_float(tensor, err));
    for (size_t i = 0; i < tensor->count; i++) out[i] = element(tensor, i);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- writing */

static int by_alignment_then_name(const void *a, const void *b) {
    const nf_to_store *x = *(const nf_to_store *const *)a, *y = *(const nf_to_store *const *)b;
    size_t sx = type_size(x->type), sy = type_size(y->type);
    if (sx != sy) return sx > sy ? -1 : 1;
    return strcmp(x->name, y->name);
}

static size_t stored_size(const nf_to_store *tensor) {
    size_t size = type_size(tensor->type);
    for (int i = 0; i < tensor->n_dims; i++) size *= (size_t)tensor->dims[i];
    return size;
}

/* {"__metadata__": {...}, name: {...}, ...}, padded with spaces to a multiple of 8 bytes. */
static nerfit_status make_header(nf_str *out, const nf_to_store *const *sorted, size_t count,
                                 const char *const *metadata, nerfit_error *err) {
    json_t *header = json_object();
    int failed = !header;
    if (metadata && header) {
        json_t *pairs = json_object();
        for (size_t i = 0; metadata[i] && metadata[i + 1]; i += 2)
            failed |= json_object_set_new(pairs, metadata[i], json_string(metadata[i + 1]));
        failed |= json_object_set_new(header, "__metadata__", pairs);
    }
    size_t at = 0;
    for (size_t i = 0; i < count && !failed; i++) {
        const nf_to_store *t = sorted[i];
        const char *dtype = "F32";
        for (size_t k = 0; k < N_TYPES; k++)
            if (types[k].type == t->type) dtype = types[k].name;
        json_t *shape = json_array();
        for (int d = 0; d < t->n_dims; d++)
            failed |= json_array_append_new(shape, json_integer((json_int_t)t->dims[d]));
        size_t end = at + stored_size(t);
        failed |= json_object_set_new(
            header, t->name,
            json_pack("{s:s, s:o, s:[I,I]}", "dtype", dtype, "shape", shape, "data_offsets",
                      (json_int_t)at, (json_int_t)end));
        at = end;
    }
    char *text = failed ? NULL : json_dumps(header, JSON_COMPACT);
    json_decref(header);
    if (!text) return nf_no_memory(err, 0);
    nf_str_append_text(out, text);
    free(text);
    while (out->length % 8) nf_str_append_char(out, ' ');
    return out->failed ? nf_no_memory(err, 0) : NERFIT_OK;
}

nerfit_status nf_safetensors_save(const char *path, const nf_to_store *tensors, size_t count,
                                  const char *const *metadata, nerfit_error *err) {
    const nf_to_store **sorted = malloc((count + 1) * sizeof *sorted);
    if (!sorted) return nf_no_memory(err, count * sizeof *sorted);
    for (size_t i = 0; i < count; i++) sorted[i] = &tensors[i];
    if (count) qsort(sorted, count, sizeof *sorted, by_alignment_then_name);
    nf_str header = {0};
    nf_file_writer *writer = NULL;
    nerfit_status status = make_header(&header, sorted, count, metadata, err);
    if (status == NERFIT_OK) status = nf_file_writer_open(&writer, path, err);
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)header.length >> (8 * i));
    if (status == NERFIT_OK) status = nf_file_writer_write(writer, length, sizeof length, err);
    if (status == NERFIT_OK)
        status = nf_file_writer_write(writer, header.data, header.length, err);
    for (size_t i = 0; i < count && status == NERFIT_OK; i++)
        status = nf_file_writer_write(writer, sorted[i]->data, stored_size(sorted[i]), err);
    if (status == NERFIT_OK) status = nf_file_writer_commit(writer, err);
    else nf_file_writer_abort(writer);
    nf_str_free(&header);
    free(sorted);
    return status;
}
