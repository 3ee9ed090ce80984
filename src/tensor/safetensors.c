/* Reading: the header is parsed once into a table of tensors that point into the mapping; a hash
 * finds them by name. A sharded checkpoint is several mappings with one table.
 *
 * Checks follow the Rust crate (safetensors 0.4): the header fits the file, is at most 100 MB and
 * begins with '{'; offsets lie in the data, leave no hole and do not overlap, and agree with dtype
 * and shape; metadata maps texts to texts. Beyond it, a name given twice is an error. */
#include "tensor/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "tensor/torch_file.h"

typedef struct entry {
    nf_stored stored;
    size_t shard;
    UT_hash_handle hh;
} entry;

struct nf_safetensors {
    nf_arena arena;
    const char *path;
    nf_file *files;
    const char **paths; /* of the files */
    size_t n_files;
    entry **order;
    size_t count, capacity;
    entry *by_name;
    json_t *metadata;
    const char *note;
};

/* ---------------------------------------------------------------- one file */

static nerfit_status bad_tensor(nerfit_error *err, const char *path, const char *name,
                                const char *what) {
    return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "tensor \"%s\": %s", name, what);
}

/* "shape": the dimensions and their product. */
static nerfit_status read_shape(nf_stored *out, const json_t *shape, const char *path,
                                nerfit_error *err) {
    size_t n_dims = json_array_size(shape);
    if (n_dims > NF_STORED_MAX_DIMS)
        return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "tensor \"%s\": has %zu dimensions; at most %d are supported", out->name,
                          n_dims, NF_STORED_MAX_DIMS);
    out->n_dims = (int)n_dims;
    out->count = 1;
    for (int i = 0; i < out->n_dims; i++) {
        const json_t *dim = json_array_get(shape, (size_t)i);
        out->dims[i] = json_integer_value(dim);
        if (!json_is_integer(dim) || out->dims[i] < 0)
            return bad_tensor(err, path, out->name, "a dimension is not a whole number");
        if (__builtin_mul_overflow(out->count, (size_t)out->dims[i], &out->count))
            return bad_tensor(err, path, out->name, "its shape is too large");
    }
    return NERFIT_OK;
}

/* "data_offsets": [start, end) in the `data_size` bytes at `data`, as many as the shape needs. */
static nerfit_status read_offsets(nf_stored *out, const json_t *offsets, const char *path,
                                  const char *data, size_t data_size, nerfit_error *err) {
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    json_int_t start = json_integer_value(first), end = json_integer_value(last);
    if (!json_is_integer(first) || !json_is_integer(last) || start < 0 || end < start)
        return bad_tensor(err, path, out->name, "its data_offsets are not an ordered pair");
    if ((uint64_t)end > data_size)
        return nf_fail_at(
            err, NERFIT_FORMAT, path, 0, 0,
            "tensor \"%s\": its data ends at byte %lld, the file has %zu bytes of data "
            "(cut off?)",
            out->name, (long long)end, data_size);
    size_t needed;
    if (__builtin_mul_overflow(out->count, nf_stored_type_size(out->type), &needed))
        return bad_tensor(err, path, out->name, "its shape is too large");
    out->size = (size_t)(end - start);
    out->data = data + start;
    if (needed != out->size)
        return nf_fail_at(
            err, NERFIT_FORMAT, path, 0, 0,
            "tensor \"%s\": its data_offsets span %zu bytes, its %s and shape need %zu", out->name,
            out->size, nf_stored_type_name(out->type), needed);
    return NERFIT_OK;
}

/* One header entry, {"dtype": ..., "shape": [...], "data_offsets": [start, end]}. */
static nerfit_status read_entry(nf_stored *out, const char *name, const json_t *json,
                                const char *path, const char *data, size_t data_size,
                                nerfit_error *err) {
    const char *dtype = json_string_value(json_object_get(json, "dtype"));
    const json_t *shape = json_object_get(json, "shape");
    const json_t *offsets = json_object_get(json, "data_offsets");
    if (!dtype || !json_is_array(shape) || json_array_size(offsets) != 2)
        return bad_tensor(err, path, name,
                          "expected \"dtype\", \"shape\" and two \"data_offsets\"");
    *out = (nf_stored){.name = name};
    if (!nf_stored_type_find(dtype, &out->type))
        return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "tensor \"%s\": dtype %s is not supported", name, dtype);
    NF_TRY(read_shape(out, shape, path, err));
    return read_offsets(out, offsets, path, data, data_size, err);
}

static nerfit_status read_metadata(nf_safetensors *set, json_t *metadata, const char *path,
                                   nerfit_error *err) {
    const char *key;
    json_t *value;
    bool texts = json_is_object(metadata);
    json_object_foreach(metadata, key, value) texts = texts && json_is_string(value);
    if (!texts)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "\"__metadata__\" should map texts to texts");
    if (!set->metadata) set->metadata = json_incref(metadata);
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
    if (!added->hh.tbl) return nf_no_memory(err, sizeof(UT_hash_table));
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
        const nf_stored *stored = &sorted[i]->stored;
        if ((const char *)stored->data < at)
            return bad_tensor(err, path, stored->name, "its data overlaps with another tensor's");
        if ((const char *)stored->data > at)
            return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                              "tensor \"%s\": %zu bytes before its data belong to no tensor",
                              stored->name, (size_t)((const char *)stored->data - at));
        at += stored->size;
    }
    if (at != data + data_size)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "%zu bytes at its end belong to no tensor",
                          (size_t)(data + data_size - at));
    return NERFIT_OK;
}

/* Finds the header's JSON: its size in 8 bytes, then the text. */
static nerfit_status find_header(const nf_file *file, const char *path, size_t *header_size,
                                 nerfit_error *err) {
    uint64_t size;
    if (file->size < sizeof size)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "is not a safetensors file: it has only %zu bytes", file->size);
    memcpy(&size, file->data, sizeof size);
    if (size > NF_SAFETENSORS_MAX_HEADER)
        return nf_fail_at(
            err, NERFIT_FORMAT, path, 0, 0,
            "is not a safetensors file: its header would take %llu bytes (at most %d)",
            (unsigned long long)size, NF_SAFETENSORS_MAX_HEADER);
    if (size > file->size - sizeof size)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "is cut off or no safetensors file: its header should take %zu bytes, "
                          "%zu are left",
                          (size_t)size, file->size - sizeof size);
    if (size == 0 || file->data[sizeof size] != '{')
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "is not a safetensors file: its header does not begin with '{'");
    *header_size = (size_t)size;
    return NERFIT_OK;
}

/* Adds all tensors of one file. */
static nerfit_status read_header(nf_safetensors *set, size_t shard, const char *path,
                                 nerfit_error *err) {
    const nf_file *file = &set->files[shard];
    size_t header_size = 0;
    NF_TRY(find_header(file, path, &header_size, err));
    json_t *header, *value;
    const char *text = file->data + sizeof(uint64_t), *data = text + header_size, *name;
    size_t data_size = file->size - sizeof(uint64_t) - header_size, first = set->count;
    NF_TRY(nf_json_parse(&header, text, header_size, path, 1, err));
    nerfit_status status = NERFIT_OK;
    json_object_foreach(header, name, value) {
        nf_stored stored;
        if (strcmp(name, "__metadata__") == 0) {
            status = read_metadata(set, value, path, err);
        } else {
            status = read_entry(&stored, name, value, path, data, data_size, err);
            if (status == NERFIT_OK) status = add_entry(set, &stored, shard, path, err);
        }
        if (status != NERFIT_OK) break;
    }
    json_decref(header);
    NF_TRY(status);
    size_t count = set->count - first;
    if (count == 0) return check_cover(NULL, 0, path, data, data_size, err);
    qsort(set->order + first, count, sizeof *set->order, by_address);
    return check_cover(set->order + first, count, path, data, data_size, err);
}

typedef struct torch_shard {
    nf_safetensors *set;
    size_t shard;
    const char *path;
} torch_shard;

static nerfit_status add_torch_entry(void *user, const nf_stored *stored, nerfit_error *err) {
    const torch_shard *in = user;
    return add_entry(in->set, stored, in->shard, in->path, err);
}

/* Adds all tensors of a file of either kind. */
static nerfit_status read_file(nf_safetensors *set, size_t shard, const char *path,
                               nerfit_error *err) {
    if (!nf_torch_file_is(&set->files[shard])) {
        if (!nf_path_has_ending(path, ".bin")) return read_header(set, shard, path, err);
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "is no file of torch.save");
    }
    torch_shard in = {set, shard, path};
    nf_torch_reader reader = {
        .arena = &set->arena, .path = path, .tensor = add_torch_entry, .user = &in};
    NF_TRY(nf_torch_file_read(&reader, &set->files[shard], err));
    if (reader.note) set->note = reader.note;
    return NERFIT_OK;
}

/* Room for one more file. */
static nerfit_status grow(nf_safetensors *set, nerfit_error *err) {
    nf_file *grown = realloc(set->files, (set->n_files + 1) * sizeof *grown);
    if (!grown) return nf_no_memory(err, sizeof *grown);
    set->files = grown;
    const char **paths = realloc(set->paths, (set->n_files + 1) * sizeof *paths);
    if (!paths) return nf_no_memory(err, sizeof *paths);
    set->paths = paths;
    set->paths[set->n_files] = set->path;
    return NERFIT_OK;
}

static nerfit_status open_file(nf_safetensors *set, const char *path, nerfit_error *err) {
    NF_TRY(grow(set, err));
    nf_file *file = &set->files[set->n_files];
    const char *copy = nf_arena_strdup(&set->arena, path);
    if (!copy) return nf_no_memory(err, strlen(path));
    NF_TRY(nf_file_map(file, path, err));
    set->paths[set->n_files++] = copy;
    nerfit_status status = read_file(set, set->n_files - 1, path, err);
    NF_TRY(nf_file_check(file, path, err)); /* goes before what was read in place of lost pages */
    return status;
}

/* ---------------------------------------------------------------- index of shards */

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The distinct file names in the map, sorted; NULL-terminated, in the arena. */
static nerfit_status list_shards(nf_safetensors *set, json_t *map, const char *path,
                                 const char ***out, nerfit_error *err) {
    const char **names = nf_arena_calloc(&set->arena, json_object_size(map) + 1, sizeof *names);
    if (!names) return nf_no_memory(err, json_object_size(map) * sizeof *names);
    const char *tensor;
    json_t *value;
    size_t count = 0, kept = 0;
    json_object_foreach(map, tensor, value) {
        const char *name = json_string_value(value);
        if (!name || !name[0] || strchr(name, '/'))
            return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                              "\"weight_map\": \"%s\" should have the name of a file", tensor);
        names[count++] = name;
    }
    qsort(names, count, sizeof *names, by_text);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(names[i], names[kept - 1]) != 0) names[kept++] = names[i];
    names[kept] = NULL;
    *out = names;
    return NERFIT_OK;
}

static nerfit_status open_shards(nf_safetensors *set, json_t *map, const char *path,
                                 nerfit_error *err) {
    const char *folder = nf_path_parent(&set->arena, path), **shards = NULL, *tensor;
    if (!folder) return nf_no_memory(err, strlen(path));
    NF_TRY(list_shards(set, map, path, &shards, err));
    for (size_t i = 0; shards[i]; i++) {
        const char *shard = nf_path_join(&set->arena, folder, shards[i]);
        if (!shard) return nf_no_memory(err, strlen(path));
        NF_TRY(open_file(set, shard, err));
    }
    json_t *value;
    json_object_foreach(map, tensor, value) {
        const entry *found;
        HASH_FIND_STR(set->by_name, tensor, found);
        if (!found || strcmp(shards[found->shard], json_string_value(value)) != 0)
            return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                              "\"weight_map\": tensor \"%s\" is not in %s", tensor,
                              json_string_value(value));
    }
    return NERFIT_OK;
}

static nerfit_status open_index(nf_safetensors *set, const char *path, nerfit_error *err) {
    json_t *index;
    NF_TRY(nf_json_load(&index, path, err));
    json_t *map = json_object_get(index, "weight_map");
    nerfit_status status = json_is_object(map) ? open_shards(set, map, path, err)
                                               : nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                                                            "has no object \"weight_map\"");
    json_decref(index);
    return status;
}

static nerfit_status open_any(nf_safetensors *set, const char *path, nerfit_error *err) {
    if (nf_directory_exists(path)) {
        static const char *const names[] = {"model.safetensors", "model.safetensors.index.json",
                                            "pytorch_model.bin", "pytorch_model.bin.index.json"};
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            const char *inner = nf_path_join(&set->arena, path, names[i]);
            if (!inner) return nf_no_memory(err, 0);
            if (!nf_file_exists(inner)) continue;
            set->path = inner;
            return i % 2 == 0 ? open_file(set, inner, err) : open_index(set, inner, err);
        }
        return nf_fail_at(err, NERFIT_IO, path, 0, 0,
                          "holds neither model.safetensors nor pytorch_model.bin, nor the index of "
                          "either's parts");
    }
    if (nf_path_has_ending(path, ".index.json")) return open_index(set, path, err);
    return open_file(set, path, err);
}

/* `data`: the contents, or NULL for those of the path. */
static nerfit_status open_set(nf_safetensors **out, const char *path, const nf_file *data,
                              nerfit_error *err) {
    *out = NULL;
    nf_safetensors *set = calloc(1, sizeof *set);
    if (!set) return nf_no_memory(err, sizeof *set);
    set->path = nf_arena_strdup(&set->arena, path);
    nerfit_status status = set->path ? NERFIT_OK : nf_no_memory(err, 0);
    if (status == NERFIT_OK && data) {
        status = grow(set, err);
        if (status == NERFIT_OK) set->files[set->n_files++] = *data;
        if (status == NERFIT_OK) status = read_file(set, 0, path, err);
    } else if (status == NERFIT_OK) {
        status = open_any(set, path, err);
    }
    if (status == NERFIT_OK)
        *out = set;
    else
        nf_safetensors_close(set);
    return status;
}

nerfit_status nf_safetensors_open(nf_safetensors **out, const char *path, nerfit_error *err) {
    return open_set(out, path, NULL, err);
}

nerfit_status nf_safetensors_open_memory(nf_safetensors **out, const void *data, size_t size,
                                         const char *name, nerfit_error *err) {
    const nf_file file = {.data = data, .size = size};
    return open_set(out, name, &file, err);
}

bool nf_safetensors_same(const nf_safetensors *a, const nf_safetensors *b) {
    bool same = a->n_files == b->n_files;
    for (size_t i = 0; same && i < a->n_files; i++) same = nf_file_same(&a->files[i], &b->files[i]);
    return same;
}

void nf_safetensors_forget(const nf_safetensors *set) {
    for (size_t i = 0; i < set->n_files; i++) nf_file_forget(&set->files[i]);
}

nerfit_status nf_safetensors_check(const nf_safetensors *set, nerfit_error *err) {
    for (size_t i = 0; set && i < set->n_files; i++)
        NF_TRY(nf_file_check(&set->files[i], set->paths[i], err));
    return NERFIT_OK;
}

void nf_safetensors_close(nf_safetensors *set) {
    if (!set) return;
    HASH_CLEAR(hh, set->by_name);
    for (size_t i = 0; i < set->n_files; i++) nf_file_close(&set->files[i]);
    free(set->files);
    free(set->paths);
    free(set->order);
    json_decref(set->metadata);
    nf_arena_free(&set->arena);
    free(set);
}

size_t nf_safetensors_count(const nf_safetensors *set) {
    return set->count;
}

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

const char *nf_safetensors_note(const nf_safetensors *set) {
    return set->note;
}

const char *nf_safetensors_path(const nf_safetensors *set) {
    return set->path;
}
