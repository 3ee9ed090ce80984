#include "tensor/torch_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "tensor/pickle.h"

/* Where the bytes of a storage, or any part of an archive, lie. */
typedef struct part {
    const char *name;
    const char *data;
    size_t size;
    UT_hash_handle hh;
} part;

typedef struct torch_file {
    nf_torch_reader *reader;
    const nf_file *file;
    const char *path;
    nerfit_error *err;
    part *parts;      /* by name: "archive/data/0", or a legacy file's storage keys */
    const char *root; /* "archive/data/"; "" in legacy files */
    bool is_zip;
    size_t copied; /* bytes of tensors that are not contiguous */
} torch_file;

static nerfit_status torch_bad(const torch_file *t, const char *what) {
    return nf_fail_at(t->err, NERFIT_FORMAT, t->path, 0, 0, "is a broken file of torch.save: %s",
                      what);
}

static uint64_t little(const char *at, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = bytes; i-- > 0;) value = value << 8 | (unsigned char)at[i];
    return value;
}

static bool begins(const nf_file *file, const char *bytes, size_t size) {
    return file->size >= size && memcmp(file->data, bytes, size) == 0;
}

/* torch's magic number, pickled by protocol 2 */
static const char LEGACY[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

static bool is_tar(const nf_file *file) {
    return file->size > 512 && memcmp(file->data + 257, "ustar", 5) == 0;
}

bool nf_torch_file_is(const nf_file *file) {
    return begins(file, "PK\x03\x04", 4) || begins(file, "PK\x05\x06", 4) ||
           begins(file, LEGACY, sizeof LEGACY - 1) || begins(file, "\x80\x02", 2) || is_tar(file);
}

static nerfit_status part_add(torch_file *t, const char *name, const char *data, size_t size) {
    part *known, *added;
    HASH_FIND_STR(t->parts, name, known);
    if (known) return torch_bad(t, "it holds a part twice");
    added = nf_arena_calloc(t->reader->arena, 1, sizeof *added);
    if (!added) return nf_no_memory(t->err, sizeof *added);
    *added = (part){.name = name, .data = data, .size = size};
    HASH_ADD_KEYPTR(hh, t->parts, added->name, strlen(added->name), added);
    return added->hh.tbl ? NERFIT_OK : nf_no_memory(t->err, sizeof(UT_hash_table));
}

/* ---------------------------------------------------------------- the archive */

enum { END = 22, END64 = 56, LOCATOR = 20, ENTRY = 46, LOCAL = 30 };

/* Where the central directory stands, and how many entries it has. */
static nerfit_status zip_directory(const torch_file *t, uint64_t *offset, uint64_t *count) {
    const nf_file *file = t->file;
    size_t least = file->size > END + 65535 ? file->size - END - 65535 : 0,
           at = file->size - END + 1;
    do {
        if (file->size < END || at == least)
            return torch_bad(t, "its archive has no end (cut off?)");
        at--;
    } while (memcmp(file->data + at, "PK\x05\x06", 4) != 0);
    *count = little(file->data + at + 10, 2);
    *offset = little(file->data + at + 16, 4);
    if (at < LOCATOR || memcmp(file->data + at - LOCATOR, "PK\x06\x07", 4) != 0) return NERFIT_OK;
    uint64_t end = little(file->data + at - LOCATOR + 8, 8);
    if (file->size < END64 || end > file->size - END64 ||
        memcmp(file->data + end, "PK\x06\x06", 4) != 0)
        return torch_bad(t, "the end of its archive lies outside of it");
    *count = little(file->data + end + 32, 8);
    *offset = little(file->data + end + 48, 8);
    return NERFIT_OK;
}

/* The fields of an entry that its 32 bits are too small for stand in an extra field, in this order. */
static bool zip_wide(const char *extra, size_t size, uint64_t *const *fields) {
    while (size >= 4) {
        size_t length = little(extra + 2, 2);
        if (length > size - 4) return false;
        if (little(extra, 2) == 1) {
            const char *at = extra + 4;
            for (size_t i = 0; i < 3; i++) {
                if (*fields[i] != UINT32_MAX) continue;
                if (length < 8) return false;
                *fields[i] = little(at, 8);
                at += 8;
                length -= 8;
            }
            return true;
        }
        extra += 4 + length;
        size -= 4 + length;
    }
    return true;
}

/* One entry of the directory at `at`; *size: its own length. */
static nerfit_status zip_entry(torch_file *t, size_t at, size_t *size) {
    const nf_file *file = t->file;
    if (file->size < ENTRY || at > file->size - ENTRY ||
        memcmp(file->data + at, "PK\x01\x02", 4) != 0)
        return torch_bad(t, "its archive's directory is cut off");
    const char *entry = file->data + at;
    size_t name_size = little(entry + 28, 2), extra_size = little(entry + 30, 2),
           comment = little(entry + 32, 2);
    uint64_t method = little(entry + 10, 2), flags = little(entry + 8, 2);
    uint64_t packed = little(entry + 20, 4), whole = little(entry + 24, 4),
             offset = little(entry + 42, 4);
    uint64_t *wide[] = {&whole, &packed, &offset};
    *size = ENTRY + name_size + extra_size + comment;
    if (*size > file->size - at || !zip_wide(entry + ENTRY + name_size, extra_size, wide))
        return torch_bad(t, "its archive's directory is cut off");
    if (method != 0 || flags & 1 || packed != whole)
        return nf_fail_at(t->err, NERFIT_UNSUPPORTED, t->path, 0, 0,
                          "is a zip archive whose parts are compressed or encrypted; torch.save "
                          "writes them as they are");
    if (file->size < LOCAL || offset > file->size - LOCAL ||
        memcmp(file->data + offset, "PK\x03\x04", 4) != 0)
        return torch_bad(t, "a part of its archive lies outside of it");
    uint64_t begin =
        offset + LOCAL + little(file->data + offset + 26, 2) + little(file->data + offset + 28, 2);
    if (begin > file->size || whole > file->size - begin)
        return torch_bad(t, "a part of its archive is cut off");
    char *name = nf_arena_alloc(t->reader->arena, name_size + 1);
    if (!name) return nf_no_memory(t->err, name_size);
    memcpy(name, entry + ENTRY, name_size);
    name[name_size] = '\0';
    return part_add(t, name, file->data + begin, (size_t)whole);
}

static nerfit_status zip_open(torch_file *t, const part **pickle) {
    uint64_t at = 0, count = 0;
    size_t size = 0;
    NF_TRY(zip_directory(t, &at, &count));
    if (at > t->file->size) return torch_bad(t, "its archive's directory lies outside of it");
    for (uint64_t i = 0; i < count; i++, at += size) NF_TRY(zip_entry(t, (size_t)at, &size));
    *pickle = NULL;
    for (const part *p = t->parts; p; p = p->hh.next)
        if (nf_path_has_ending(p->name, "data.pkl") && !*pickle) *pickle = p;
    if (!*pickle)
        return nf_fail_at(t->err, NERFIT_FORMAT, t->path, 0, 0,
                          "is a zip archive without data.pkl: no file of torch.save");
    size_t length = strlen((*pickle)->name) - strlen("data.pkl");
    char *root = nf_arena_alloc(t->reader->arena, length + sizeof "byteorder");
    if (!root) return nf_no_memory(t->err, length);
    memcpy(root, (*pickle)->name, length);
    strcpy(root + length, "byteorder");
    const part *order;
    HASH_FIND_STR(t->parts, root, order);
    if (order && order->size == 3 && memcmp(order->data, "big", 3) == 0)
        return nf_fail_at(t->err, NERFIT_UNSUPPORTED, t->path, 0, 0, "is big-endian");
    strcpy(root + length, "data/");
    t->root = root;
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- before torch 1.6 */

/* Five pickles (magic number, version, the machine, the tensors, the storages' keys), then each
 * storage: its number of elements and its data. */
static nerfit_status legacy_open(torch_file *t, const nf_pickle_value **tensors) {
    nf_pickle pickles[5];
    const nf_file *file = t->file;
    size_t at = 0;
    for (size_t i = 0; i < 5; at += pickles[i++].length)
        NF_TRY(nf_pickle_read(&pickles[i], file->data + at, file->size - at, t->reader->arena,
                              t->path, t->err));
    const nf_pickle_value *ends = nf_pickle_get(pickles[2].value, "little_endian");
    if (ends && ends->kind == NF_PICKLE_BOOL && !ends->integer)
        return nf_fail_at(t->err, NERFIT_UNSUPPORTED, t->path, 0, 0, "is big-endian");
    *tensors = pickles[3].value;
    t->root = "";
    for (const nf_pickle_item *i = pickles[4].value->items; i; i = i->next) {
        if (i->value->kind != NF_PICKLE_TEXT) return torch_bad(t, "a storage without a key");
        NF_TRY(part_add(t, i->value->text, NULL, 0));
    }
    /* the size of a storage's elements, which only those who use it say */
    for (const nf_pickle_value *s = pickles[3].storages; s; s = s->next_storage) {
        part *p;
        HASH_FIND_STR(t->parts, s->text, p);
        if (p) p->size = nf_stored_type_size(s->type);
    }
    for (part *p = t->parts; p; p = p->hh.next) { /* in the order of the keys */
        if (p->size == 0) return torch_bad(t, "a storage that nothing uses");
        if (file->size - at < 8) return torch_bad(t, "a storage is cut off");
        uint64_t count = little(file->data + at, 8);
        at += 8;
        if (count > (file->size - at) / p->size) return torch_bad(t, "a storage is cut off");
        p->data = file->data + at;
        p->size *= (size_t)count;
        at += p->size;
    }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- tensors */

/* Copies the elements of a tensor whose strides are not those of its shape. */
static void gather(char *out, const char *from, const nf_pickle_value *tensor, size_t element,
                   size_t count) {
    int64_t index[NF_STORED_MAX_DIMS] = {0};
    for (size_t i = 0; i < count; i++) {
        int64_t place = 0;
        for (int d = 0; d < tensor->n_dims; d++) place += index[d] * tensor->strides[d];
        memcpy(out + i * element, from + (size_t)place * element, element);
        for (int d = tensor->n_dims; d-- > 0;) {
            if (++index[d] < tensor->dims[d]) break;
            index[d] = 0;
        }
    }
}

static nerfit_status tensor_add(torch_file *t, const char *name, const nf_pickle_value *tensor) {
    const nf_pickle_value *storage = tensor->storage;
    size_t element = nf_stored_type_size(storage->type), length = strlen(t->root);
    nf_stored stored = {.name = name, .type = storage->type, .n_dims = tensor->n_dims, .count = 1};
    char *key = nf_arena_alloc(t->reader->arena, length + strlen(storage->text) + 1);
    const part *p;
    if (!key) return nf_no_memory(t->err, length);
    strcpy(key, t->root);
    strcpy(key + length, storage->text);
    HASH_FIND_STR(t->parts, key, p);
    if (!p || (uint64_t)storage->integer != p->size / element)
        return nf_fail_at(t->err, NERFIT_FORMAT, t->path, 0, 0,
                          "tensor \"%s\": its storage %s is missing or cut off", name,
                          storage->text);
    bool contiguous = true, inside = true;
    int64_t last = tensor->offset, expected = 1;
    for (int d = tensor->n_dims; d-- > 0;) {
        int64_t size = tensor->dims[d], stride = tensor->strides[d], reach;
        stored.dims[d] = size;
        contiguous &= size == 1 || stride == expected;
        inside = inside && !__builtin_mul_overflow(stored.count, (size_t)size, &stored.count) &&
                 !__builtin_mul_overflow(size > 0 ? size - 1 : 0, stride, &reach) &&
                 !__builtin_add_overflow(last, reach, &last) &&
                 !__builtin_mul_overflow(expected, size, &expected);
    }
    if (!inside || (stored.count > 0 && last >= storage->integer) ||
        tensor->offset > storage->integer || stored.count > t->file->size)
        return nf_fail_at(t->err, NERFIT_FORMAT, t->path, 0, 0,
                          "tensor \"%s\" reaches past its storage", name);
    stored.size = stored.count * element;
    const char *data = p->data + (size_t)tensor->offset * element;
    stored.data = data;
    if (!contiguous && stored.count > 0) {
        /* widened tensors could ask for any amount of memory */
        t->copied += stored.size;
        if (t->copied / 8 > t->file->size)
            return nf_fail_at(t->err, NERFIT_UNSUPPORTED, t->path, 0, 0,
                              "holds tensors that are many times larger than the file");
        char *copy = nf_arena_alloc(t->reader->arena, stored.size);
        if (!copy) return nf_no_memory(t->err, stored.size);
        gather(copy, data, tensor, element, stored.count);
        stored.data = copy;
    }
    return t->reader->tensor(t->reader->user, &stored, t->err);
}

static bool has_tensors(const nf_pickle_value *dict) {
    const nf_pickle_item *i = dict->kind == NF_PICKLE_DICT ? dict->items : NULL;
    for (; i && i->next; i = i->next->next)
        if (i->next->value->kind == NF_PICKLE_TENSOR) return true;
    return false;
}

/* The dict of tensors: the whole, or what stands in it under a usual name. */
static const nf_pickle_value *find_state(torch_file *t, const nf_pickle_value *top) {
    static const struct {
        const char *key, *note;
    } inner[] = {
        {"state_dict", "its tensors stand under \"state_dict\""},
        {"model_state_dict", "its tensors stand under \"model_state_dict\""},
        {"model", "its tensors stand under \"model\""},
        {"module", "its tensors stand under \"module\""},
    };
    if (has_tensors(top)) return top;
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++) {
        const nf_pickle_value *value = nf_pickle_get(top, inner[i].key);
        if (!value || !has_tensors(value)) continue;
        t->reader->note = inner[i].note;
        return value;
    }
    return NULL;
}

static bool all_begin(const nf_pickle_value *state, const char *prefix) {
    for (const nf_pickle_item *i = state->items; i && i->next; i = i->next->next)
        if (i->next->value->kind == NF_PICKLE_TENSOR &&
            (i->value->kind != NF_PICKLE_TEXT ||
             strncmp(i->value->text, prefix, strlen(prefix)) != 0))
            return false;
    return true;
}

static nerfit_status read_state(torch_file *t, const nf_pickle_value *top) {
    static const struct {
        const char *prefix, *note;
    } wrappers[] = {
        {"module.", "\"module.\" (DataParallel's) is taken off its tensors' names"},
        {"_orig_mod.", "\"_orig_mod.\" (torch.compile's) is taken off its tensors' names"},
    };
    const nf_pickle_value *state = find_state(t, top);
    if (!state)
        return nf_fail_at(t->err, NERFIT_FORMAT, t->path, 0, 0,
                          "holds no dict of tensors; expected a state dict");
    size_t skip = 0;
    for (size_t i = 0; i < 2; i++)
        if (skip == 0 && all_begin(state, wrappers[i].prefix)) {
            skip = strlen(wrappers[i].prefix);
            t->reader->note = wrappers[i].note;
        }
    for (const nf_pickle_item *i = state->items; i && i->next; i = i->next->next) {
        if (i->next->value->kind != NF_PICKLE_TENSOR) continue;
        if (i->value->kind != NF_PICKLE_TEXT) return torch_bad(t, "a tensor without a name");
        NF_TRY(tensor_add(t, i->value->text + skip, i->next->value));
    }
    return NERFIT_OK;
}

static nerfit_status read_any(torch_file *t) {
    const nf_pickle_value *tensors = NULL;
    if (is_tar(t->file))
        return nf_fail_at(t->err, NERFIT_UNSUPPORTED, t->path, 0, 0,
                          "is a tar archive, as torch 0.1 wrote them; save it again with a later "
                          "version of torch");
    if (t->is_zip) {
        const part *data = NULL;
        nf_pickle pickle;
        NF_TRY(zip_open(t, &data));
        NF_TRY(nf_pickle_read(&pickle, data->data, data->size, t->reader->arena, t->path, t->err));
        return read_state(t, pickle.value);
    }
    if (!begins(t->file, LEGACY, sizeof LEGACY - 1))
        return nf_fail_at(t->err, NERFIT_UNSUPPORTED, t->path, 0, 0,
                          "is a pickle that torch.save did not write");
    NF_TRY(legacy_open(t, &tensors));
    return read_state(t, tensors);
}

nerfit_status nf_torch_file_read(nf_torch_reader *reader, const nf_file *file, nerfit_error *err) {
    torch_file t = {.reader = reader,
                    .file = file,
                    .path = reader->path,
                    .err = err,
                    .is_zip = begins(file, "PK", 2)};
    reader->note = NULL;
    nerfit_status status = read_any(&t);
    HASH_CLEAR(hh, t.parts);
    return status;
}
