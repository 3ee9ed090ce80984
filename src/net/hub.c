/* Downloads from the hub as huggingface_hub does them: the API lists a revision's files, a HEAD
 * request tells a file's checksum (ETag) and size, a GET fetches it, from where an earlier one
 * stopped. */
#include "net/hub.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "net/http.h"
#include "net/hub_cache.h"

typedef struct hub {
    nf_arena *arena;
    const nf_hub_watch *watch;
    nerfit_error *err;
    const char *cache, *endpoint;
    const char *secret; /* "Authorization: Bearer ...", or NULL */
    bool offline;
    nf_http_policy asking, fetching;
    nf_hub_name name;
    nf_hub_kind kind;
    nf_hub_paths paths;
    const char **files; /* all of the revision, from the hub */
    size_t n_files;
    const char *file; /* at hand, for the watch */
} hub;

/* ---------------------------------------------------------------- settings */

static bool is_true(const char *name) {
    static const char *const words[] = {"1", "ON", "YES", "TRUE"};
    const char *value = nf_http_environment(name);
    for (size_t i = 0; value && i < 4; i++)
        if (nf_ascii_same(value, words[i])) return true;
    return false;
}

static nerfit_status open_hub(hub *h) {
    const char *endpoint = nf_http_environment("HF_ENDPOINT");
    char *copy = nf_arena_strdup(h->arena, endpoint ? endpoint : "https://huggingface.co");
    for (size_t n = copy ? strlen(copy) : 0; n > 0 && copy[n - 1] == '/'; n--) copy[n - 1] = '\0';
    h->endpoint = copy;
    h->cache = nf_hub_cache_folder(h->arena);
    h->offline = is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE");
    double asking, fetching;
    NF_TRY(nf_http_seconds(&asking, "HF_HUB_ETAG_TIMEOUT", 10, h->err));
    NF_TRY(nf_http_seconds(&fetching, "HF_HUB_DOWNLOAD_TIMEOUT", 30, h->err));
    h->asking = (nf_http_policy){.retries = 3, .stall_timeout = asking};
    h->fetching = (nf_http_policy){.stall_timeout = fetching};
    const char *token = is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN") ? NULL : nf_hub_token(h->arena);
    for (const char *at = token; at && *at; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at > '~')
            return nf_fail(
                h->err, NERFIT_ARGUMENT,
                "the hub's token (HF_TOKEN, or the file that \"hf auth login\" wrote) has a "
                "space or a character that no token has");
    if (token) {
        nf_str header = {0};
        nf_str_appendf(&header, "Authorization: Bearer %s", token);
        h->secret = header.failed ? NULL : nf_arena_strdup(h->arena, header.data);
        nf_str_free(&header);
        if (!h->secret) return nf_no_memory(h->err, 0);
    }
    return h->endpoint && h->cache ? NERFIT_OK : nf_no_memory(h->err, 0);
}

/* ---------------------------------------------------------------- requests */

static bool on_progress(void *user, uint64_t done, uint64_t total) {
    const hub *h = user;
    const nf_hub_watch *w = h->watch;
    return !w || !w->progress || w->progress(w->user, h->name.id, h->file, done, total);
}

static nf_http_watch watch_of(hub *h) {
    return (nf_http_watch){on_progress, h, h->watch ? h->watch->log : NULL};
}

static const char *shown_endpoint(const hub *h) {
    nf_str text = {0};
    nf_http_url_shown(&text, h->endpoint);
    const char *copy = text.failed ? NULL : nf_arena_strdup(h->arena, text.data);
    nf_str_free(&text);
    return copy ? copy : "the hub";
}

/* What an error answer means. `file`: NULL for the model as a whole. */
static nerfit_status refused(hub *h, const nf_http_response *r, const char *file) {
    size_t size;
    const char *code = nf_http_header(r, "x-error-code", &size), *where = shown_endpoint(h);
    const char *id = h->name.id, *token = h->secret ? "with the token given" : "without a token";
    char what[600];
    snprintf(what, sizeof what, "%s%s%s", id, file ? ": " : "", file ? file : "");
    nerfit_status bad = NERFIT_IO;
    if (code && size == 9 && !strncmp(code, "GatedRepo", size))
        return nf_fail(
            h->err, bad,
            "%s is gated: accept its terms at %s/%s, and set HF_TOKEN to a token of that "
            "account (asked %s)",
            id, where, id, token);
    if (code && size == 16 && !strncmp(code, "RevisionNotFound", size))
        return nf_fail(h->err, bad, "%s has no revision \"%s\" at %s", id, h->name.revision, where);
    if (r->status == 401 || r->status == 403 || (r->status == 404 && !file))
        return nf_fail(
            h->err, bad,
            "%s is not a folder, and %s has no model of that name, or it is private (HTTP "
            "status %ld, asked %s; set HF_TOKEN for private ones)",
            id, where, r->status, token);
    if (r->status == 429)
        return nf_fail(h->err, bad,
                       "%s: %s has had too many requests from here (HTTP status 429); try "
                       "later%s",
                       what, where, h->secret ? "" : ", or set HF_TOKEN");
    return nf_fail(h->err, bad, "%s: %s answered with HTTP status %ld", what, where, r->status);
}

static nerfit_status request(hub *h, const char *method, const char *url, const int *file,
                             int64_t most, nf_http_response *response) {
    bool head = strcmp(method, "HEAD") == 0;
    nf_http_request r = {.method = method,
                         .url = url,
                         .secret = h->secret,
                         .stop_at = head ? "x-linked-etag" : NULL,
                         .file = file,
                         .most = most};
    nf_http_watch watch = watch_of(h);
    return nf_http_send(&r, file ? &h->fetching : &h->asking, &watch, response, h->err);
}

/* ENDPOINT/a/REVISION/b with everything escaped. */
static nerfit_status make_url(hub *h, nf_str *url, const char *file) {
    nf_str_appendf(url, "%s%s", h->endpoint, file ? "/" : "/api/models/");
    nf_http_escape(url, h->name.id, true);
    nf_str_append_text(url, file ? "/resolve/" : "/revision/");
    nf_http_escape(url, file ? h->paths.commit : h->name.revision, false);
    if (file) nf_str_append_char(url, '/');
    if (file) nf_http_escape(url, file, true);
    return url->failed ? nf_no_memory(h->err, 0) : NERFIT_OK;
}

/* ---------------------------------------------------------------- the list of files */

static nerfit_status read_list(hub *h, const nf_http_response *r) {
    json_t *json;
    NF_TRY(
        nf_json_parse(&json, nf_str_text(&r->body), r->body.length, "the hub's answer", 1, h->err));
    const char *sha = json_string_value(json_object_get(json, "sha"));
    const json_t *list = json_object_get(json, "siblings");
    nerfit_status status = NERFIT_OK;
    if (!sha || !nf_hub_is_commit(sha) || !json_is_array(list))
        status = nf_fail(h->err, NERFIT_FORMAT,
                         "%s: %s gave no list of files (expected \"sha\" and "
                         "\"siblings\"); is it a hub?",
                         h->name.id, shown_endpoint(h));
    else
        status = nf_hub_paths_set_commit(&h->paths, h->arena, sha, h->err);
    size_t count = json_array_size(list);
    h->files = nf_arena_calloc(h->arena, count + 1, sizeof *h->files);
    for (size_t i = 0; status == NERFIT_OK && i < count; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(list, i), "rfilename"));
        if (!name || !nf_hub_file_name_valid(name)) continue; /* nothing that we would ask for */
        const char *copy = h->files ? nf_arena_strdup(h->arena, name) : NULL;
        if (copy)
            h->files[h->n_files++] = copy;
        else
            status = nf_no_memory(h->err, 0);
    }
    json_decref(json);
    return status;
}

static nerfit_status list_files(hub *h) {
    nf_str url = {0};
    nf_http_response response = {0};
    h->file = "list of files";
    nerfit_status status = make_url(h, &url, NULL);
    if (status == NERFIT_OK) status = request(h, "GET", url.data, NULL, 0, &response);
    if (status == NERFIT_IO)
        nf_fail_within(h->err, status,
                       "%s is not a folder, and the hub cannot be asked for a model of "
                       "that name",
                       h->name.id);
    if (status == NERFIT_OK)
        status = response.status == 200 ? read_list(h, &response) : refused(h, &response, NULL);
    nf_http_response_free(&response);
    nf_str_free(&url);
    return status;
}

static bool listed(const hub *h, const char *name) {
    for (size_t i = 0; i < h->n_files; i++)
        if (strcmp(h->files[i], name) == 0) return true;
    return false;
}

/* ---------------------------------------------------------------- one file */

typedef struct blob {
    const char *etag; /* the blob's name */
    int64_t size;     /* negative: unknown */
} blob;

static nerfit_status read_head(hub *h, const char *name, const nf_http_response *r, blob *out) {
    size_t size;
    const char *etag = nf_http_header(r, "x-linked-etag", &size);
    if (!etag) etag = nf_http_header(r, "etag", &size);
    if (etag && size > 2 && !strncmp(etag, "W/", 2)) etag += 2, size -= 2;
    if (etag && size > 2 && etag[0] == '"' && etag[size - 1] == '"') etag++, size -= 2;
    char *copy = etag ? nf_arena_copy(h->arena, etag, size) : NULL;
    if (!copy || strchr(copy, '/') || !nf_hub_file_name_valid(copy) || size > 200)
        return nf_fail(h->err, NERFIT_FORMAT, "%s: %s: the hub gave no ETag to check it by",
                       h->name.id, name);
    const char *length = nf_http_header(r, "x-linked-size", &size);
    if (!length && r->status == 200) length = nf_http_header(r, "content-length", &size);
    uint64_t bytes;
    const char *end;
    bool known = length && nf_whole_read(length, INT64_MAX, &bytes, &end);
    *out = (blob){copy, known ? (int64_t)bytes : -1};
    return NERFIT_OK;
}

static nerfit_status ask_head(hub *h, const char *url, const char *name, blob *out) {
    nf_http_response r = {0};
    nerfit_status status = request(h, "HEAD", url, NULL, 0, &r);
    if (status == NERFIT_OK)
        status =
            r.status >= 200 && r.status < 400 ? read_head(h, name, &r, out) : refused(h, &r, name);
    nf_http_response_free(&r);
    return status;
}

/* Whether the file's bytes are the blob's; *why says how they are not. */
static nerfit_status check_blob(hub *h, const char *path, const blob *b, nf_str *why) {
    nf_file file;
    NF_TRY(nf_file_open(&file, path, h->err));
    size_t digits = strspn(b->etag, "0123456789abcdef");
    bool sha256 = digits == 64 && !b->etag[64], git = digits == 40 && !b->etag[40];
    if (b->size >= 0 && file.size != (size_t)b->size) {
        nf_str_appendf(why, "%zu bytes came, of %lld", file.size, (long long)b->size);
    } else if (sha256 || git) {
        char hex[NF_DIGEST_HEX], head[32];
        nf_digest digest = sha256 ? nf_digest_sha256() : nf_digest_sha1();
        if (git) /* as git hashes a blob */
            nf_digest_add(&digest, head,
                          (size_t)snprintf(head, sizeof head, "blob %zu", file.size) + 1);
        nf_digest_add(&digest, file.data, file.size);
        nf_digest_end(&digest, hex);
        if (strcmp(hex, b->etag) != 0)
            nf_str_appendf(why, "the checksum (%s) is %.12s..., expected %.12s...",
                           sha256 ? "SHA-256" : "git's SHA-1", hex, b->etag);
    }
    nf_file_close(&file);
    return why->failed ? nf_no_memory(h->err, 0) : NERFIT_OK;
}

static nerfit_status fetch_into(hub *h, const char *url, const char *name, const blob *b,
                                const char *path, bool *resumed) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return nf_fail_at(h->err, NERFIT_IO, path, 0, 0, "cannot be written: %s", strerror(errno));
    nf_http_response r = {0};
    nerfit_status status = request(h, "GET", url, &fd, b->size > 0 ? b->size : 0, &r);
    *resumed = r.resumed;
    if (r.overflowed) unlink(path); /* it is not what was asked for */
    if (status == NERFIT_OK && r.status != 200 && r.status != 206) status = refused(h, &r, name);
    if (status == NERFIT_OK && fsync(fd) != 0)
        status =
            nf_fail_at(h->err, NERFIT_IO, path, 0, 0, "cannot be written: %s", strerror(errno));
    if (close(fd) != 0 && status == NERFIT_OK)
        status =
            nf_fail_at(h->err, NERFIT_IO, path, 0, 0, "cannot be written: %s", strerror(errno));
    nf_http_response_free(&r);
    return status;
}

/* Into PATH.incomplete, checked, then into its place. What was there before and proves wrong is
 * fetched anew once. */
static nerfit_status fetch_blob(hub *h, const char *url, const char *name, const blob *b,
                                const char *path) {
    nf_str incomplete = {0}, why = {0};
    nf_str_appendf(&incomplete, "%s.incomplete", path);
    nerfit_status status = incomplete.failed ? nf_no_memory(h->err, 0) : NERFIT_OK;
    struct stat info;
    for (bool again = true; again && status == NERFIT_OK;) {
        bool whole = stat(incomplete.data, &info) == 0 && info.st_size == b->size && b->size > 0;
        bool resumed = whole;
        if (!whole) status = fetch_into(h, url, name, b, incomplete.data, &resumed);
        nf_str_clear(&why);
        if (status == NERFIT_OK) status = check_blob(h, incomplete.data, b, &why);
        again = status == NERFIT_OK && why.length && resumed;
        if (status == NERFIT_OK && why.length) unlink(incomplete.data);
    }
    if (status == NERFIT_OK && why.length)
        status =
            nf_fail(h->err, NERFIT_IO, "%s: %s came damaged: %s; nothing of it is kept, try again",
                    h->name.id, name, why.data);
    if (status == NERFIT_OK) status = nf_file_rename(incomplete.data, path, h->err);
    nf_str_free(&incomplete);
    nf_str_free(&why);
    return status;
}

static bool pause_for_lock(void *user) {
    hub *h = user;
    nanosleep(&(struct timespec){0, 100000000}, NULL);
    return on_progress(h, 0, 0);
}

static void tell_size(const hub *h, const char *name, const blob *b) {
    const nf_log *log = h->watch ? h->watch->log : NULL;
    if (b->size >= 100000)
        nf_log_info(log, "%s: fetching %s (%.1f MB)", h->name.id, name, 1e-6 * (double)b->size);
    else
        nf_log_info(log, "%s: fetching %s", h->name.id, name);
}

/* CACHE/.locks/MODEL/NAME.lock */
static nerfit_status take_lock(hub *h, const char *name, int *lock) {
    nf_str path = {0};
    nf_str_appendf(&path, "%s/.locks/%s", h->cache, strrchr(h->paths.model, '/') + 1);
    nerfit_status status =
        path.failed ? nf_no_memory(h->err, 0) : nf_directory_make(path.data, h->err);
    nf_str_appendf(&path, "/%s.lock", name);
    if (status == NERFIT_OK && path.failed) status = nf_no_memory(h->err, 0);
    if (status == NERFIT_OK) status = nf_hub_lock(lock, path.data, pause_for_lock, h, h->err);
    nf_str_free(&path);
    return status;
}

/* The blob is put there if it is not, by one process. */
static nerfit_status get_blob(hub *h, const char *url, const char *name, const blob *b) {
    const char *blobs = nf_path_join(h->arena, h->paths.model, "blobs");
    const char *path = blobs ? nf_path_join(h->arena, blobs, b->etag) : NULL;
    int lock;
    if (!path) return nf_no_memory(h->err, 0);
    NF_TRY(nf_directory_make(blobs, h->err));
    NF_TRY(take_lock(h, b->etag, &lock));
    nerfit_status status = NERFIT_OK;
    if (!nf_file_exists(path)) {
        tell_size(h, name, b);
        status = fetch_blob(h, url, name, b, path);
    }
    if (status == NERFIT_OK) status = nf_hub_link(h->arena, &h->paths, name, b->etag, h->err);
    nf_hub_unlock(lock);
    return status;
}

static nerfit_status get_file(hub *h, const char *name) {
    const char *place = nf_path_join(h->arena, h->paths.snapshot, name);
    if (!place) return nf_no_memory(h->err, 0);
    if (nf_file_exists(place)) return NERFIT_OK;
    nf_str url = {0};
    blob b = {0};
    h->file = name;
    nerfit_status status = make_url(h, &url, name);
    if (status == NERFIT_OK) status = ask_head(h, url.data, name, &b);
    if (status == NERFIT_OK) status = get_blob(h, url.data, name, &b);
    nf_str_free(&url);
    return status;
}

/* ---------------------------------------------------------------- all files of a model */

/* "folder/name", or "name" for the model's own folder. */
static const char *in_folder(hub *h, const char *folder, const char *name) {
    return *folder ? nf_path_join(h->arena, folder, name) : name;
}

static nerfit_status get_shards(hub *h, const char *folder, const char *index) {
    const char *path = nf_path_join(h->arena, h->paths.snapshot, index), *tensor;
    json_t *json, *value;
    if (!path) return nf_no_memory(h->err, 0);
    NF_TRY(nf_json_load(&json, path, h->err));
    nerfit_status status = NERFIT_OK;
    json_object_foreach(json_object_get(json, "weight_map"), tensor, value) {
        const char *shard = json_string_value(value);
        const char *name = shard ? in_folder(h, folder, shard) : NULL;
        if (status != NERFIT_OK) break;
        if (!name || !listed(h, name))
            status =
                nf_fail_at(h->err, NERFIT_FORMAT, path, 0, 0,
                           "names the file \"%s\", which the model has not", shard ? shard : "");
        else
            status = get_file(h, name); /* the second time it is there */
    }
    json_decref(json);
    return status;
}

/* The first of an adapter's and of a model's files that the hub has: safetensors before torch's own
 * format, whole before divided ones. `needed`: a folder without weights is an error. */
static nerfit_status get_weights(hub *h, const char *folder, bool needed) {
    static const struct {
        const char *name;
        bool adapter, index;
    } files[] = {
        {"adapter_model.safetensors", true, false}, {"adapter_model.bin", true, false},
        {"model.safetensors", false, false},        {"model.safetensors.index.json", false, true},
        {"pytorch_model.bin", false, false},        {"pytorch_model.bin.index.json", false, true},
    };
    bool has[2] = {false, false}; /* of the model, of an adapter */
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *name = in_folder(h, folder, files[i].name);
        if (!name) return nf_no_memory(h->err, 0);
        /* torch's format of a model beside an adapter is the adapter's base, which it names itself */
        if (has[files[i].adapter] || !listed(h, name) || (i >= 4 && has[true])) continue;
        NF_TRY(get_file(h, name));
        if (files[i].index) NF_TRY(get_shards(h, folder, name));
        has[files[i].adapter] = true;
    }
    if (!needed || has[0] || has[1]) return NERFIT_OK;
    return nf_fail(h->err, NERFIT_UNSUPPORTED,
                   "%s has neither model.safetensors nor pytorch_model.bin; expected a model in "
                   "transformers' format",
                   h->name.id);
}

static nerfit_status get_folder(hub *h, const char *folder, bool needed) {
    size_t length = strlen(folder);
    for (size_t i = 0; i < h->n_files; i++) {
        const char *name = h->files[i], *base = length ? name + length + 1 : name;
        if (length && (strncmp(name, folder, length) != 0 || name[length] != '/')) continue;
        if (!strchr(base, '/') && nf_hub_file_wanted(base, h->kind)) NF_TRY(get_file(h, name));
    }
    return h->kind == NF_HUB_TOKENIZER ? NERFIT_OK : get_weights(h, folder, needed);
}

static nerfit_status get_modules(hub *h) {
    const char *path = nf_path_join(h->arena, h->paths.snapshot, "modules.json");
    json_t *modules, *module;
    size_t i;
    bool own_weights = false;
    if (!path) return nf_no_memory(h->err, 0);
    NF_TRY(nf_json_load(&modules, path, h->err));
    nerfit_status status = NERFIT_OK;
    json_array_foreach(modules, i, module) {
        const char *folder = json_string_value(json_object_get(module, "path"));
        const char *type = json_string_value(json_object_get(module, "type"));
        bool transformer = type && strstr(type, ".Transformer");
        if (status != NERFIT_OK) break;
        if (folder && !*folder) own_weights = true;
        if (folder && *folder && nf_hub_file_name_valid(folder))
            status = get_folder(h, folder, transformer);
    }
    json_decref(modules);
    return status == NERFIT_OK && own_weights ? get_weights(h, "", true) : status;
}

/* The hub has no such file: remembered, so that it is not asked again. */
static nerfit_status mark_missing(hub *h, const char *name) {
    const char *folder = nf_path_join(h->arena, h->paths.model, ".no_exist");
    folder = folder ? nf_path_join(h->arena, folder, h->paths.commit) : NULL;
    const char *path = folder ? nf_path_join(h->arena, folder, name) : NULL;
    if (!path) return nf_no_memory(h->err, 0);
    NF_TRY(nf_directory_make(folder, h->err));
    return nf_file_write(path, "", 0, h->err);
}

static nerfit_status save_ref(hub *h) {
    if (nf_hub_is_commit(h->name.revision)) return NERFIT_OK;
    const char *refs = nf_path_join(h->arena, h->paths.model, "refs");
    const char *path = refs ? nf_path_join(h->arena, refs, h->name.revision) : NULL;
    const char *folder = path ? nf_path_parent(h->arena, path) : NULL;
    if (!folder) return nf_no_memory(h->err, 0);
    NF_TRY(nf_directory_make(folder, h->err));
    return nf_file_write(path, h->paths.commit, strlen(h->paths.commit), h->err);
}

static nerfit_status download(hub *h) {
    NF_TRY(list_files(h));
    bool modules = h->kind == NF_HUB_SENTENCE && listed(h, "modules.json");
    if (modules) { /* whose weights may lie in a folder of their own */
        for (size_t i = 0; i < h->n_files; i++)
            if (!strchr(h->files[i], '/') && nf_hub_file_wanted(h->files[i], h->kind))
                NF_TRY(get_file(h, h->files[i]));
        NF_TRY(get_modules(h));
    } else {
        NF_TRY(get_folder(h, "", true));
        if (listed(h, "gliner_config.json")) NF_TRY(get_folder(h, "labels_tokenizer", false));
    }
    NF_TRY(nf_directory_make(h->paths.snapshot, h->err)); /* of a model without a wanted file */
    int lock; /* threads of one process would write under the same temporary name */
    NF_TRY(take_lock(h, "refs", &lock));
    nerfit_status status = NERFIT_OK;
    if (h->kind == NF_HUB_SENTENCE && !modules) status = mark_missing(h, "modules.json");
    if (status == NERFIT_OK) status = save_ref(h); /* last: until now the earlier commit counted */
    nf_hub_unlock(lock);
    return status;
}

static nerfit_status find(hub *h, const char **folder) {
    NF_TRY(open_hub(h));
    NF_TRY(nf_hub_paths_find(&h->paths, h->arena, h->cache, &h->name, h->err));
    nf_hub_state state = nf_hub_state_of(h->arena, &h->paths, h->kind);
    const char *known = h->paths.snapshot;
    *folder = known;
    if (state.complete || (state.usable && h->offline)) return NERFIT_OK;
    if (h->offline)
        return nf_fail(h->err, NERFIT_IO,
                       "%s%s%s is not a folder, nor is the model %s in the cache (%s), and "
                       "HF_HUB_OFFLINE forbids to download it",
                       h->name.id, strcmp(h->name.revision, "main") ? "@" : "",
                       strcmp(h->name.revision, "main") ? h->name.revision : "",
                       known && nf_directory_exists(known) ? "whole" : "there", h->cache);
    nerfit_status status = download(h);
    if (status != NERFIT_OK && status != NERFIT_CANCELLED && state.usable) {
        nf_log_warning(
            h->watch ? h->watch->log : NULL,
            "the hub could not be asked whether %s has more files; what is in the cache is "
            "used (%s)",
            h->name.id, h->err ? h->err->text : "");
        return NERFIT_OK;
    }
    *folder = h->paths.snapshot;
    return status;
}

nerfit_status nf_hub_folder(const char **folder, nf_arena *arena, const char *reference,
                            nf_hub_kind kind, const nf_hub_watch *watch, nerfit_error *err) {
    hub h = {.arena = arena, .watch = watch, .err = err, .kind = kind};
    *folder = nf_arena_strdup(arena, reference);
    if (!*folder) return nf_no_memory(err, 0);
    if (nf_directory_exists(reference) || nf_file_exists(reference) ||
        !nf_hub_name_parse(arena, reference, &h.name))
        return NERFIT_OK;
    return h.name.id && h.name.revision ? find(&h, folder) : nf_no_memory(err, 0);
}
