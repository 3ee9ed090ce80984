#include "annotate/answer_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/str.h"
#include "data/lines.h"

typedef struct cache_entry {
    char key[NF_DIGEST_HEX];
    nf_cached_answer answer;
    UT_hash_handle hh;
} cache_entry;

struct nf_answer_cache {
    nf_arena arena;
    cache_entry *map;
    pthread_mutex_t lock;
    int file; /* -1: none */
    const char *path;
};

static nerfit_status cache_remember(nf_answer_cache *c, const char *key,
                                    const nf_cached_answer *answer, nerfit_error *err) {
    cache_entry *entry;
    HASH_FIND(hh, c->map, key, NF_DIGEST_HEX - 1, entry);
    if (entry) return NERFIT_OK; /* the first answer stays */
    entry = nf_arena_calloc(&c->arena, 1, sizeof *entry);
    if (!entry) return nf_no_memory(err, sizeof *entry);
    memcpy(entry->key, key, NF_DIGEST_HEX - 1);
    entry->answer = *answer;
    entry->answer.text = nf_arena_strdup(&c->arena, answer->text);
    if (!entry->answer.text) return nf_no_memory(err, strlen(answer->text));
    HASH_ADD(hh, c->map, key, NF_DIGEST_HEX - 1, entry);
    return entry->hh.tbl ? NERFIT_OK : nf_no_memory(err, sizeof *entry);
}

static nerfit_status cache_read_line(nf_answer_cache *c, const char *line, size_t size, long number,
                                     nerfit_error *err) {
    json_t *json;
    NF_TRY(nf_json_parse(&json, line, size, c->path, number, err));
    const char *key = json_string_value(json_object_get(json, "key"));
    const nf_cached_answer answer = {
        json_string_value(json_object_get(json, "answer")),
        json_is_true(json_object_get(json, "truncated")),
        (uint64_t)json_integer_value(json_object_get(json, "tokens_in")),
        (uint64_t)json_integer_value(json_object_get(json, "tokens_out"))};
    nerfit_status status = NERFIT_OK;
    if (!key || strlen(key) != NF_DIGEST_HEX - 1 || !answer.text)
        status = nf_fail_at(err, NERFIT_FORMAT, c->path, number, 0,
                            "is no line of answers of a language model (\"key\" and \"answer\"); "
                            "give another file for them");
    else
        status = cache_remember(c, key, &answer, err);
    json_decref(json);
    return status;
}

/* What a killed process left of its last line goes. */
static nerfit_status cache_read(nf_answer_cache *c, const nf_log *log, nerfit_error *err) {
    nf_file file;
    NF_TRY(nf_file_open(&file, c->path, err));
    size_t whole = file.size;
    while (whole && file.data[whole - 1] != '\n') whole--;
    nf_lines lines = nf_lines_of(file.data, whole);
    const char *line;
    size_t size;
    nerfit_status status = NERFIT_OK;
    while (status == NERFIT_OK && nf_lines_next(&lines, &line, &size))
        if (!nf_line_blank(line, size)) status = cache_read_line(c, line, size, lines.number, err);
    bool cut = whole < file.size;
    nf_file_close(&file);
    if (status != NERFIT_OK || !cut) return status;
    nf_log_warning(log, "%s: the last line is cut off: it is left out", c->path);
    if (ftruncate(c->file, (off_t)whole) == 0) return NERFIT_OK;
    return nf_fail_at(err, NERFIT_IO, c->path, 0, 0, "cannot be shortened: %s", strerror(errno));
}

static nerfit_status cache_open_file(nf_answer_cache *c, const char *path, const nf_log *log,
                                     nerfit_error *err) {
    c->path = nf_arena_strdup(&c->arena, path);
    if (!c->path) return nf_no_memory(err, strlen(path));
    c->file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (c->file < 0)
        return nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be opened: %s", strerror(errno));
    if (flock(c->file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return nf_fail_at(err, NERFIT_IO, path, 0, 0,
                          "is in use by another process that annotates; wait for it, or give "
                          "another file for the answers");
    return cache_read(c, log, err);
}

nerfit_status nf_answer_cache_open(nf_answer_cache **out, const char *path, const nf_log *log,
                                   nerfit_error *err) {
    nf_answer_cache *c = *out = calloc(1, sizeof *c);
    if (!c) return nf_no_memory(err, sizeof *c);
    c->file = -1;
    pthread_mutex_init(&c->lock, NULL);
    nerfit_status status = path ? cache_open_file(c, path, log, err) : NERFIT_OK;
    if (status != NERFIT_OK) {
        nf_answer_cache_close(c);
        *out = NULL;
    }
    return status;
}

void nf_answer_cache_close(nf_answer_cache *c) {
    if (!c) return;
    if (c->file >= 0) close(c->file);
    pthread_mutex_destroy(&c->lock);
    HASH_CLEAR(hh, c->map);
    nf_arena_free(&c->arena);
    free(c);
}

bool nf_answer_cache_get(nf_answer_cache *c, const char key[NF_DIGEST_HEX], nf_cached_answer *out) {
    cache_entry *entry;
    pthread_mutex_lock(&c->lock);
    HASH_FIND(hh, c->map, key, NF_DIGEST_HEX - 1, entry);
    if (entry) *out = entry->answer;
    pthread_mutex_unlock(&c->lock);
    return entry != NULL;
}

static nerfit_status cache_write(nf_answer_cache *c, const char *line, size_t size,
                                 nerfit_error *err) {
    if (!nf_write_all(c->file, line, size))
        return nf_fail_at(err, NERFIT_IO, c->path, 0, 0, "cannot be written: %s", strerror(errno));
    fdatasync(c->file);
    return NERFIT_OK;
}

nerfit_status nf_answer_cache_put(nf_answer_cache *c, const char key[NF_DIGEST_HEX],
                                  const nf_cached_answer *answer, nerfit_error *err) {
    nf_str line = {0};
    nf_str_appendf(&line, "{\"key\": \"%s\", \"answer\": ", key);
    nf_str_append_json(&line, answer->text, strlen(answer->text));
    nf_str_appendf(&line, ", \"truncated\": %s, \"tokens_in\": %llu, \"tokens_out\": %llu}\n",
                   answer->truncated ? "true" : "false", (unsigned long long)answer->tokens_in,
                   (unsigned long long)answer->tokens_out);
    pthread_mutex_lock(&c->lock);
    nerfit_status status = line.failed ? nf_no_memory(err, 0) : NERFIT_OK;
    if (status == NERFIT_OK && c->file >= 0)
        status = cache_write(c, nf_str_text(&line), line.length, err);
    if (status == NERFIT_OK) status = cache_remember(c, key, answer, err);
    pthread_mutex_unlock(&c->lock);
    nf_str_free(&line);
    return status;
}
