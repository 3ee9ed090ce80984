#include "infer/pseudonyms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/str.h"

/* An entity ("label\0text") with its pseudonym, a pseudonym that is taken, or a label with how many it
 * has. */
typedef struct known {
    const char *pseudonym;
    size_t count;
    UT_hash_handle hh;
} known;

struct nf_pseudonyms {
    nf_arena arena;
    const char *path;
    int fd;
    known *entities, *taken, *labels;
    nf_str lines; /* that are not in the file yet */
};

static known *add(nf_pseudonyms *p, known **map, const char *key, size_t size) {
    known *found;
    HASH_FIND(hh, *map, key, size, found);
    if (found) return found;
    char *copy = nf_arena_copy(&p->arena, key, size);
    found = nf_arena_calloc(&p->arena, 1, sizeof *found);
    if (!copy || !found) return NULL;
    HASH_ADD_KEYPTR(hh, *map, copy, size, found);
    return found->hh.tbl ? found : NULL;
}

/* Keeps an entity's pseudonym; NULL when out of memory. */
static const char *keep(nf_pseudonyms *p, const char *label, const char *text, size_t size,
                        const char *pseudonym) {
    nf_str key = {0};
    nf_str_append(&key, label, strlen(label) + 1);
    nf_str_append(&key, text, size);
    known *entity = key.failed ? NULL : add(p, &p->entities, key.data, key.length);
    nf_str_free(&key);
    known *counted = add(p, &p->labels, label, strlen(label));
    known *taken = add(p, &p->taken, pseudonym, strlen(pseudonym));
    const char *copy = nf_arena_strdup(&p->arena, pseudonym);
    if (!entity || !counted || !taken || !copy) return NULL;
    counted->count += !entity->pseudonym;
    return entity->pseudonym = copy;
}

/* ---------------------------------------------------------------- the file */

static nerfit_status read_line(nf_pseudonyms *p, const char *line, size_t size, long number,
                               nerfit_error *err) {
    json_t *json = NULL;
    NF_TRY(nf_json_parse(&json, line, size, p->path, number, err));
    const char *label = json_string_value(json_object_get(json, "label"));
    const json_t *text = json_object_get(json, "text");
    const char *pseudonym = json_string_value(json_object_get(json, "pseudonym"));
    nerfit_status status = NERFIT_OK;
    if (!label || !json_is_string(text) || !pseudonym || !pseudonym[0] ||
        strpbrk(pseudonym, "\r\n"))
        status = nf_fail_at(err, NERFIT_FORMAT, p->path, number, 0,
                            "expected {\"label\": \"person\", \"text\": \"Ada\", \"pseudonym\": "
                            "\"[person_1]\"}, the last without a line break");
    else if (!keep(p, label, json_string_value(text), json_string_length(text), pseudonym))
        status = nf_no_memory(err, size);
    json_decref(json);
    return status;
}

static nerfit_status read_file(nf_pseudonyms *p, nerfit_error *err) {
    nf_file file;
    NF_TRY(nf_file_open(&file, p->path, err));
    nerfit_status status = NERFIT_OK;
    size_t at = 0;
    for (long number = 1; status == NERFIT_OK && at < file.size; number++) {
        const char *end = memchr(file.data + at, '\n', file.size - at);
        size_t size = end ? (size_t)(end - file.data) - at : file.size - at;
        if (size) status = read_line(p, file.data + at, size, number, err);
        if (status == NERFIT_OK && !end) nf_str_append_char(&p->lines, '\n');
        at += size + 1;
    }
    nf_file_close(&file);
    return status;
}

nerfit_status nf_pseudonyms_open(nf_pseudonyms **out, const char *path, nerfit_error *err) {
    *out = NULL;
    nf_pseudonyms *p = calloc(1, sizeof *p);
    if (!p) return nf_no_memory(err, sizeof *p);
    nerfit_status status = NERFIT_OK;
    p->path = nf_arena_strdup(&p->arena, path);
    p->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (!p->path)
        status = nf_no_memory(err, strlen(path));
    else if (p->fd < 0)
        status = nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be opened: %s", strerror(errno));
    else if (flock(p->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        status = nf_fail_at(err, NERFIT_IO, path, 0, 0,
                            "is in use by another call; pseudonyms would come apart");
    else
        status = read_file(p, err);
    if (status == NERFIT_OK)
        *out = p;
    else
        nf_pseudonyms_close(p);
    return status;
}

nerfit_status nf_pseudonyms_write(nf_pseudonyms *p, nerfit_error *err) {
    struct stat before;
    size_t at = 0;
    if (p->lines.failed) return nf_no_memory(err, p->lines.length);
    if (p->lines.length == 0) return NERFIT_OK;
    bool known_size = fstat(p->fd, &before) == 0;
    while (at < p->lines.length) {
        ssize_t written = write(p->fd, p->lines.data + at, p->lines.length - at);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            int reason = errno;
            /* no half line */
            if (known_size && ftruncate(p->fd, before.st_size) != 0) known_size = false;
            return nf_fail_at(err, NERFIT_IO, p->path, 0, 0, "cannot be written: %s",
                              strerror(reason));
        }
        at += (size_t)written;
    }
    nf_str_clear(&p->lines);
    return NERFIT_OK;
}

void nf_pseudonyms_close(nf_pseudonyms *p) {
    if (!p) return;
    HASH_CLEAR(hh, p->entities);
    HASH_CLEAR(hh, p->taken);
    HASH_CLEAR(hh, p->labels);
    if (p->fd >= 0) close(p->fd);
    nf_str_free(&p->lines);
    nf_arena_free(&p->arena);
    free(p);
}

/* ---------------------------------------------------------------- new ones */

static const char *invent(nf_pseudonyms *p, const char *label, const char *text, size_t size) {
    nf_str name = {0};
    known *counted = add(p, &p->labels, label, strlen(label)), *taken = NULL;
    if (!counted) return NULL;
    size_t number = counted->count;
    do {
        nf_str_clear(&name);
        nf_str_appendf(&name, "[%s_%zu]", label, ++number);
        if (!name.failed) HASH_FIND(hh, p->taken, name.data, name.length, taken);
    } while (taken);
    const char *kept = name.failed ? NULL : keep(p, label, text, size, name.data);
    nf_str_append_text(&p->lines, "{\"label\": ");
    nf_str_append_json(&p->lines, label, strlen(label));
    nf_str_append_text(&p->lines, ", \"text\": ");
    nf_str_append_json(&p->lines, text, size);
    nf_str_append_text(&p->lines, ", \"pseudonym\": ");
    nf_str_append_json(&p->lines, nf_str_text(&name), name.length);
    nf_str_append_text(&p->lines, "}\n");
    nf_str_free(&name);
    return kept;
}

const char *nf_pseudonyms_get(nf_pseudonyms *p, const char *label, const char *text, size_t size) {
    nf_str key = {0};
    known *entity = NULL;
    nf_str_append(&key, label, strlen(label) + 1);
    nf_str_append(&key, text, size);
    bool failed = key.failed;
    if (!failed) HASH_FIND(hh, p->entities, key.data, key.length, entity);
    nf_str_free(&key);
    if (failed) return NULL;
    return entity ? entity->pseudonym : invent(p, label, text, size);
}
