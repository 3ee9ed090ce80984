#include "net/hub_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/file.h"
#include "base/json.h"
#include "net/http.h"

/* ---------------------------------------------------------------- names */

static bool plain(char c) {
    return nf_ascii_is_alphanumeric(c) || strchr("-._", c);
}

/* huggingface_hub's validate_repo_id: letters, digits, "-", "_", "."; no "--" or ".."; neither "-"
 * nor
 * "." at an edge; at most 96 characters. */
static bool valid_part(const char *part, size_t size) {
    if (size == 0 || strchr("-.", part[0]) || strchr("-.", part[size - 1])) return false;
    for (size_t i = 0; i < size; i++) {
        if (!plain(part[i])) return false;
        if (i > 0 && part[i] == part[i - 1] && strchr("-.", part[i])) return false;
    }
    return true;
}

bool nf_hub_name_parse(nf_arena *arena, const char *reference, nf_hub_name *name) {
    size_t size = strcspn(reference, "@"), owner = strcspn(reference, "/@");
    const char *revision = reference[size] == '@' ? reference + size + 1 : "main";
    *name = (nf_hub_name){0};
    if (size > 96 || !*revision || !nf_hub_file_name_valid(revision)) return false;
    bool two = owner < size;
    if (!valid_part(reference, owner)) return false;
    if (two && !valid_part(reference + owner + 1, size - owner - 1)) return false;
    *name = (nf_hub_name){nf_arena_copy(arena, reference, size), nf_arena_strdup(arena, revision)};
    return true;
}

bool nf_hub_file_name_valid(const char *name) {
    size_t length = strlen(name);
    if (length == 0 || length > 512 || name[0] == '/') return false;
    for (const char *part = name;; part++) {
        size_t size = strcspn(part, "/");
        if (size == 0 || (size == 1 && part[0] == '.') || (size == 2 && !memcmp(part, "..", 2)))
            return false;
        for (size_t i = 0; i < size; i++)
            if ((unsigned char)part[i] < ' ' || part[i] == '\\') return false;
        part += size;
        if (!*part) return true;
    }
}

bool nf_hub_is_commit(const char *text) {
    return strlen(text) == 40 && strspn(text, "0123456789abcdef") == 40;
}

/* ---------------------------------------------------------------- the environment */

static const char *home(nf_arena *arena) {
    const char *folder = nf_http_environment("HOME");
    struct passwd entry, *user = NULL;
    char buffer[4096];
    if (!folder && getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &user) == 0 && user)
        folder = entry.pw_dir;
    return nf_arena_strdup(arena, folder ? folder : "/");
}

/* With "~" as the home folder. */
static const char *expanded(nf_arena *arena, const char *path) {
    if (path[0] != '~' || (path[1] && path[1] != '/')) return nf_arena_strdup(arena, path);
    const char *folder = home(arena);
    return folder && path[1] ? nf_path_join(arena, folder, path + 2) : folder;
}

static const char *within(nf_arena *arena, const char *folder, const char *name) {
    return folder ? nf_path_join(arena, folder, name) : NULL;
}

static const char *hf_home(nf_arena *arena) {
    const char *given = nf_http_environment("HF_HOME");
    if (given) return expanded(arena, given);
    given = nf_http_environment("XDG_CACHE_HOME");
    return within(arena, expanded(arena, given ? given : "~/.cache"), "huggingface");
}

const char *nf_hub_cache_folder(nf_arena *arena) {
    const char *given = nf_http_environment("HF_HUB_CACHE");
    if (!given) given = nf_http_environment("HUGGINGFACE_HUB_CACHE");
    return given ? expanded(arena, given) : within(arena, hf_home(arena), "hub");
}

static const char *trimmed(nf_arena *arena, const char *text, size_t size) {
    while (size > 0 && nf_ascii_is_space(text[0])) text++, size--;
    while (size > 0 && nf_ascii_is_space(text[size - 1])) size--;
    return size ? nf_arena_copy(arena, text, size) : NULL;
}

const char *nf_hub_token(nf_arena *arena) {
    static const char *const names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"};
    for (size_t i = 0; i < 2; i++) {
        const char *value = nf_http_environment(names[i]);
        const char *token = value ? trimmed(arena, value, strlen(value)) : NULL;
        if (token) return token;
    }
    const char *path = nf_http_environment("HF_TOKEN_PATH");
    path = path ? expanded(arena, path) : within(arena, hf_home(arena), "token");
    nf_file file;
    if (!path || nf_file_open(&file, path, NULL) != NERFIT_OK) return NULL;
    const char *token = file.size < 4096 ? trimmed(arena, file.data, file.size) : NULL;
    nf_file_close(&file);
    return token;
}

/* ---------------------------------------------------------------- paths */

nerfit_status nf_hub_paths_set_commit(nf_hub_paths *paths, nf_arena *arena, const char *commit,
                                      nerfit_error *err) {
    const char *snapshots = nf_path_join(arena, paths->model, "snapshots");
    paths->commit = nf_arena_strdup(arena, commit);
    paths->snapshot = within(arena, snapshots, commit);
    return paths->commit && paths->snapshot ? NERFIT_OK : nf_no_memory(err, 0);
}

nerfit_status nf_hub_paths_find(nf_hub_paths *paths, nf_arena *arena, const char *cache,
                                const nf_hub_name *name, nerfit_error *err) {
    nf_str folder = {0};
    *paths = (nf_hub_paths){0};
    nf_str_append_text(&folder, "models--");
    for (const char *at = name->id; *at; at++)
        nf_str_append(&folder, *at == '/' ? "--" : at, *at == '/' ? 2 : 1);
    paths->model = folder.failed ? NULL : nf_path_join(arena, cache, folder.data);
    nf_str_free(&folder);
    if (!paths->model) return nf_no_memory(err, 0);
    if (nf_hub_is_commit(name->revision))
        return nf_hub_paths_set_commit(paths, arena, name->revision, err);
    const char *ref = within(arena, nf_path_join(arena, paths->model, "refs"), name->revision);
    if (!ref) return nf_no_memory(err, 0);
    nf_file file;
    if (nf_file_open(&file, ref, NULL) != NERFIT_OK) return NERFIT_OK;
    const char *commit = file.size < 128 ? trimmed(arena, file.data, file.size) : NULL;
    nf_file_close(&file);
    return commit && nf_hub_is_commit(commit) ? nf_hub_paths_set_commit(paths, arena, commit, err)
                                              : NERFIT_OK;
}

/* ---------------------------------------------------------------- what a model is made of */

enum { BASE = 1, SENTENCE = 2, TOKENIZER = 4, ADAPTER = 8 };

static const struct wanted {
    const char *name;
    int parts;
} wanted_files[] = {
    {"config.json", BASE | SENTENCE | TOKENIZER},
    {"tokenizer.json", BASE | SENTENCE | TOKENIZER},
    {"tokenizer_config.json", BASE | SENTENCE | TOKENIZER},
    {"special_tokens_map.json", BASE | SENTENCE | TOKENIZER},
    {"added_tokens.json", BASE | SENTENCE | TOKENIZER},
    {"vocab.txt", BASE | SENTENCE | TOKENIZER},
    {"vocab.json", BASE | SENTENCE | TOKENIZER},
    {"merges.txt", BASE | SENTENCE | TOKENIZER},
    {"bpe.codes", BASE | SENTENCE | TOKENIZER},
    {"sentencepiece.bpe.model", BASE | SENTENCE | TOKENIZER},
    {"spiece.model", BASE | SENTENCE | TOKENIZER},
    {"spm.model", BASE | SENTENCE | TOKENIZER},
    {"tokenizer.model", BASE | SENTENCE | TOKENIZER},
    {"adapter_config.json", BASE | SENTENCE},
    {"gliner_config.json", BASE},
    {"nerfit.json", BASE}, /* what is nerfit's own of its models */
    {"word_shape.safetensors", BASE},
    {"description_head.safetensors", BASE},
    {"modules.json", SENTENCE},
    {"sentence_bert_config.json", SENTENCE},
    {"config_sentence_transformers.json", SENTENCE},
};

bool nf_hub_file_wanted(const char *base_name, nf_hub_kind kind) {
    static const int parts[] = {BASE, SENTENCE, TOKENIZER}; /* by kind */
    for (size_t i = 0; i < sizeof wanted_files / sizeof *wanted_files; i++)
        if (strcmp(base_name, wanted_files[i].name) == 0)
            return (wanted_files[i].parts & parts[kind]) != 0;
    return false;
}

static bool has(nf_arena *arena, const char *folder, const char *name) {
    const char *path = within(arena, folder, name);
    return path && nf_file_exists(path);
}

static bool has_tokenizer(nf_arena *arena, const char *folder) {
    static const char *const names[] = {"tokenizer.json", "vocab.txt", "sentencepiece.bpe.model",
                                        "spiece.model",   "spm.model", "tokenizer.model"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (has(arena, folder, names[i])) return true;
    return has(arena, folder, "vocab.json") && has(arena, folder, "merges.txt");
}

/* All files that the index names. */
static bool has_shards(nf_arena *arena, const char *folder, const char *index) {
    const char *path = within(arena, folder, index), *tensor;
    json_t *json = NULL, *file;
    if (!path || !nf_file_exists(path) || nf_json_load(&json, path, NULL) != NERFIT_OK)
        return false;
    bool all = true;
    const char *last = "";
    json_object_foreach(json_object_get(json, "weight_map"), tensor, file) {
        const char *name = json_string_value(file);
        all = all && name && (strcmp(name, last) == 0 || has(arena, folder, name));
        last = name ? name : "";
    }
    json_decref(json);
    return all;
}

static bool has_weights(nf_arena *arena, const char *folder) {
    return has(arena, folder, "model.safetensors") ||
           has_shards(arena, folder, "model.safetensors.index.json") ||
           has(arena, folder, "pytorch_model.bin") ||
           has_shards(arena, folder, "pytorch_model.bin.index.json");
}

/* Every folder with parameters that modules.json names; `without_weights`: only modules.json. */
static bool has_modules(nf_arena *arena, const char *snapshot, const char **transformer) {
    const char *path = within(arena, snapshot, "modules.json");
    json_t *modules = NULL, *module;
    size_t i;
    bool all = true;
    if (!path || nf_json_load(&modules, path, NULL) != NERFIT_OK) return false;
    json_array_foreach(modules, i, module) {
        const char *type = json_string_value(json_object_get(module, "type"));
        const char *folder = json_string_value(json_object_get(module, "path"));
        if (!type || !folder) continue;
        const char *place = *folder ? within(arena, snapshot, folder) : snapshot;
        if (strstr(type, ".Transformer")) *transformer = place;
        if (strstr(type, ".Pooling") || strstr(type, ".Dense"))
            all = all && place && has(arena, place, "config.json");
        if (strstr(type, ".Dense")) all = all && place && has_weights(arena, place);
    }
    json_decref(modules);
    return all;
}

static bool known_missing(nf_arena *arena, const nf_hub_paths *paths, const char *name) {
    const char *folder =
        within(arena, nf_path_join(arena, paths->model, ".no_exist"), paths->commit);
    return folder && has(arena, folder, name);
}

nf_hub_state nf_hub_state_of(nf_arena *arena, const nf_hub_paths *paths, nf_hub_kind kind) {
    nf_hub_state state = {0};
    const char *snapshot = paths->snapshot, *main_folder = snapshot;
    if (!snapshot || !nf_directory_exists(snapshot)) return state;
    bool modules = kind == NF_HUB_SENTENCE && has(arena, snapshot, "modules.json");
    bool modules_whole = !modules || has_modules(arena, snapshot, &main_folder);
    bool model = has(arena, main_folder, "config.json") && has_weights(arena, main_folder);
    bool adapter = has(arena, snapshot, "adapter_config.json") &&
                   (has(arena, snapshot, "adapter_model.safetensors") ||
                    has(arena, snapshot, "adapter_model.bin"));
    bool tokenizer = has_tokenizer(arena, main_folder);
    /* what its encoder's files are, it names itself */
    bool gliner = has(arena, snapshot, "gliner_config.json") && has_weights(arena, snapshot);
    if (kind == NF_HUB_TOKENIZER)
        state.usable = tokenizer;
    else
        state.usable = ((model && tokenizer) || adapter || gliner) && modules_whole;
    state.complete = state.usable && (kind != NF_HUB_SENTENCE || modules || adapter ||
                                      known_missing(arena, paths, "modules.json"));
    return state;
}

/* ---------------------------------------------------------------- locks and links */

nerfit_status nf_hub_lock(int *lock, const char *path, bool (*pause)(void *user), void *user,
                          nerfit_error *err) {
    for (;;) {
        *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0664);
        if (*lock < 0)
            return nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be opened: %s", strerror(errno));
        while (flock(*lock, LOCK_EX | LOCK_NB) != 0) {
            if (errno == EINTR) continue;
            if (errno != EWOULDBLOCK) return NERFIT_OK; /* no locks here: renames keep it whole */
            if (pause(user)) continue;
            close(*lock);
            return nf_fail(err, NERFIT_CANCELLED, "cancelled while waiting for another process");
        }
        struct stat mine, there; /* the holder before may have removed the file */
        if (fstat(*lock, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
            mine.st_dev == there.st_dev)
            return NERFIT_OK;
        close(*lock);
    }
}

void nf_hub_unlock(int lock) {
    close(lock);
}

nerfit_status nf_hub_link(nf_arena *arena, const nf_hub_paths *paths, const char *name,
                          const char *etag, nerfit_error *err) {
    nf_str target = {0}, temporary = {0};
    const char *path = within(arena, paths->snapshot, name);
    const char *folder = path ? nf_path_parent(arena, path) : NULL;
    if (!folder) return nf_no_memory(err, 0);
    NF_TRY(nf_directory_make(folder, err));
    nf_str_append_text(&target, "../../");
    for (const char *at = name; *at; at++)
        if (*at == '/') nf_str_append_text(&target, "../");
    nf_str_appendf(&target, "blobs/%s", etag);
    nf_str_appendf(&temporary, "%s.tmp-%ld", path, (long)getpid());
    nerfit_status status = NERFIT_OK;
    if (target.failed || temporary.failed) {
        status = nf_no_memory(err, 0);
    } else {
        unlink(temporary.data);
        if (symlink(target.data, temporary.data) == 0) {
            status = nf_file_rename(temporary.data, path, err);
            if (status != NERFIT_OK) unlink(temporary.data);
        } else {
            const char *blob = within(arena, nf_path_join(arena, paths->model, "blobs"), etag);
            status = blob ? nf_file_rename(blob, path, err) : nf_no_memory(err, 0);
        }
    }
    nf_str_free(&target);
    nf_str_free(&temporary);
    return status;
}
