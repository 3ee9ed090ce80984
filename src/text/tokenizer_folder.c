/* tokenizer_config.json, special_tokens_map.json and added_tokens.json, in the order of precedence
 * that transformers' `_from_pretrained` has: "added_tokens_decoder" in the first makes the other
 * two count for nothing. */
#include "text/tokenizer_folder.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/number.h"

static const char *const token_names[NF_NAMED_TOKENS] = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
};

/* An object from a file that need not exist. */
static nerfit_status load_optional(json_t **out, const char *folder, const char *name,
                                   nf_arena *arena, nerfit_error *err) {
    const char *path = nf_path_join(arena, folder, name);
    if (!path) return nf_no_memory(err, strlen(folder));
    if (nf_file_exists(path)) {
        NF_TRY(nf_json_load(out, path, err));
        if (!json_is_object(*out))
            return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "it must be an object");
        return NERFIT_OK;
    }
    *out = json_object();
    return *out ? NERFIT_OK : nf_no_memory(err, 64);
}

nerfit_status nf_tokenizer_folder_open(nf_tokenizer_folder *folder, const char *path,
                                       nf_arena *arena, nerfit_error *err) {
    memset(folder, 0, sizeof *folder);
    folder->arena = arena;
    folder->path = path;
    NF_TRY(load_optional(&folder->config, path, "tokenizer_config.json", arena, err));
    if (json_object_get(folder->config, "added_tokens_decoder"))
        folder->special_tokens = json_object();
    else
        NF_TRY(load_optional(&folder->special_tokens, path, "special_tokens_map.json", arena, err));
    folder->extra = json_array();
    if (!folder->special_tokens || !folder->extra) return nf_no_memory(err, 64);
    const char *class = json_string_value(json_object_get(folder->config, "tokenizer_class"));
    if (!class) return NERFIT_OK;
    size_t length = strlen(class);
    if (length > 4 && strcmp(class + length - 4, "Fast") == 0) length -= 4;
    folder->tokenizer_class = nf_arena_copy(arena, class, length);
    return folder->tokenizer_class ? NERFIT_OK : nf_no_memory(err, length);
}

void nf_tokenizer_folder_close(nf_tokenizer_folder *folder) {
    json_decref(folder->config);
    json_decref(folder->special_tokens);
    json_decref(folder->extra);
    json_decref(folder->brought);
    folder->config = folder->special_tokens = folder->extra = folder->brought = NULL;
}

/* ---- tokens */

static json_t *find_token(const json_t *list, const char *content) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        const char *text = json_string_value(json_object_get(item, "content"));
        if (text && strcmp(text, content) == 0) return item;
    }
    return NULL;
}

/* The text of a token that is a string or an object, or NULL. */
static const char *content_of(const json_t *value) {
    return json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
}

/* Appends a token, which is a string or an object with some of its properties. */
static nerfit_status append_token(json_t *list, const json_t *value, bool special,
                                  nerfit_error *err) {
    static const char *const properties[] = {"single_word", "lstrip", "rstrip", "normalized"};
    const char *content = content_of(value);
    if (json_is_true(json_object_get(value, "special"))) special = true;
    json_t *token = json_pack("{s:s, s:b}", "content", content, "special", special);
    bool ok = token != NULL;
    for (size_t i = 0; ok && i < 4; i++) {
        const json_t *given = json_object_get(value, properties[i]);
        bool set = given ? json_is_true(given) : i == 3 && !special;
        ok = json_object_set_new(token, properties[i], json_boolean(set)) == 0;
    }
    ok = ok && json_array_append(list, token) == 0;
    json_decref(token);
    return ok ? NERFIT_OK : nf_no_memory(err, strlen(content));
}

static int by_id(const void *a, const void *b) {
    uint64_t x = 0, y = 0;
    const char *end;
    nf_whole_read(*(const char *const *)a, UINT64_MAX, &x, &end);
    nf_whole_read(*(const char *const *)b, UINT64_MAX, &y, &end);
    return x < y ? -1 : x > y;
}

/* "added_tokens_decoder": {"100": {"content": …}, …}, by rising id. */
static nerfit_status append_decoder(nf_tokenizer_folder *folder, nerfit_error *err) {
    json_t *decoder = json_object_get(folder->config, "added_tokens_decoder");
    if (!json_is_object(decoder)) return NERFIT_OK;
    size_t count = json_object_size(decoder), n = 0;
    const char **ids = nf_arena_calloc(folder->arena, count + 1, sizeof *ids), *id;
    if (!ids) return nf_no_memory(err, count * sizeof *ids);
    json_t *token;
    json_object_foreach(decoder, id, token) ids[n++] = id;
    qsort(ids, n, sizeof *ids, by_id);
    for (size_t i = 0; i < n; i++) {
        token = json_object_get(decoder, ids[i]);
        if (!json_is_object(token) || !content_of(token))
            return nf_fail_at(
                err, NERFIT_FORMAT, folder->path, 0, 0,
                "tokenizer_config.json: token %.20s of \"added_tokens_decoder\" has no "
                "\"content\"",
                ids[i]);
        NF_TRY(append_token(folder->extra, token, false, err));
        json_t *added = json_array_get(folder->extra, json_array_size(folder->extra) - 1);
        if (folder->decoder_is_raw && json_object_set_new(added, "normalized", json_false()) != 0)
            return nf_no_memory(err, 64);
    }
    return NERFIT_OK;
}

/* A special token of the configuration, unless the tokenizer has it as an added token anyway. */
static nerfit_status append_special(nf_tokenizer_folder *folder, const json_t *present,
                                    const json_t *value, nerfit_error *err) {
    const char *content = content_of(value);
    if (!content || find_token(present, content) || find_token(folder->extra, content))
        return NERFIT_OK;
    return append_token(folder->extra, value, true, err);
}

/* What the vocabulary's file brings along: special or not, as it says. */
static nerfit_status append_brought(nf_tokenizer_folder *folder, const json_t *present,
                                    nerfit_error *err) {
    size_t i;
    const json_t *token;
    json_array_foreach(folder->brought, i, token) {
        const char *content = content_of(token);
        if (!find_token(present, content) && !find_token(folder->extra, content))
            NF_TRY(append_token(folder->extra, token, false, err));
    }
    return NERFIT_OK;
}

static const json_t *setting(const nf_tokenizer_folder *folder, const char *key) {
    const json_t *value = json_object_get(folder->special_tokens, key);
    return value ? value : json_object_get(folder->config, key);
}

/* added_tokens.json: {"token": id, …}, by rising id. */
static nerfit_status append_legacy(nf_tokenizer_folder *folder, const json_t *present,
                                   nerfit_error *err) {
    if (json_object_get(folder->config, "added_tokens_decoder")) return NERFIT_OK;
    json_t *legacy = NULL, *value;
    nerfit_status status =
        load_optional(&legacy, folder->path, "added_tokens.json", folder->arena, err);
    const char *content, *next;
    json_int_t last = -1;
    while (status == NERFIT_OK) {
        json_int_t lowest = 0;
        next = NULL;
        json_object_foreach(legacy, content, value) {
            json_int_t id = json_integer_value(value);
            if (id > last && (!next || id < lowest)) {
                next = content;
                lowest = id;
            }
        }
        if (!next) break;
        last = lowest;
        bool special = false;
        for (size_t i = 0; i < NF_NAMED_TOKENS; i++) {
            const char *named = content_of(setting(folder, token_names[i]));
            special |= named && strcmp(named, next) == 0;
        }
        if (find_token(present, next)) continue;
        json_t *text = json_string(next);
        status = text ? append_token(folder->extra, text, special, err) : nf_no_memory(err, 64);
        json_decref(text);
    }
    json_decref(legacy);
    return status;
}

nerfit_status nf_tokenizer_folder_tokens(nf_tokenizer_folder *folder, const json_t *description,
                                         const char *const defaults[NF_NAMED_TOKENS],
                                         nerfit_error *err) {
    const json_t *present = json_object_get(description, "added_tokens"), *value;
    NF_TRY(append_decoder(folder, err));
    NF_TRY(append_legacy(folder, present, err));
    for (size_t i = 0; i < NF_NAMED_TOKENS; i++) {
        const json_t *named = setting(folder, token_names[i]);
        bool by_default = !named && defaults && defaults[i];
        json_t *fallback = by_default ? json_string(defaults[i]) : NULL;
        if (by_default && !fallback) return nf_no_memory(err, 64);
        if (fallback) named = fallback;
        if (i == NF_MASK && folder->mask_strips && json_is_string(named)) {
            json_t *mask =
                json_pack("{s:s, s:b}", "content", json_string_value(named), "lstrip", 1);
            json_decref(fallback);
            if (!mask) return nf_no_memory(err, 64);
            named = fallback = mask;
        }
        nerfit_status status = append_special(folder, present, named, err);
        const char *content = content_of(named);
        if (content) folder->named[i] = nf_arena_strdup(folder->arena, content);
        json_decref(fallback);
        NF_TRY(status);
        if (content && !folder->named[i]) return nf_no_memory(err, 64);
    }
    /* Tokens with names of their own ("image_token"), then those without. */
    const json_t *sources[] = {folder->special_tokens, folder->config};
    for (size_t s = 0; s < 2; s++) {
        const char *key;
        json_object_foreach((json_t *)sources[s], key, value) {
            size_t length = strlen(key);
            if (length > 6 && strcmp(key + length - 6, "_token") == 0)
                NF_TRY(append_special(folder, present, value, err));
        }
    }
    static const char *const lists[] = {"extra_special_tokens", "additional_special_tokens"};
    if (folder->brought && !json_object_get(folder->config, lists[0]) &&
        !json_object_get(folder->config, lists[1]) &&
        !json_object_get(folder->special_tokens, lists[0]))
        return append_brought(folder, present, err);
    for (size_t i = 0; i < 2; i++) {
        const json_t *list = setting(folder, lists[i]);
        size_t k;
        const char *key;
        json_array_foreach(list, k, value) NF_TRY(append_special(folder, present, value, err));
        if (json_is_object(list))
            json_object_foreach((json_t *)list, key, value)
                NF_TRY(append_special(folder, present, value, err));
    }
    return NERFIT_OK;
}

/* ---- options */

static nerfit_status override(json_t *component, const char *type, const char *to,
                              const json_t *config, const char *from, nerfit_error *err) {
    const char *actual = json_string_value(json_object_get(component, "type"));
    json_t *value = json_object_get(config, from);
    if (!actual || strcmp(actual, type) != 0 || !value) return NERFIT_OK;
    if (!json_is_boolean(value) && !json_is_null(value)) return NERFIT_OK;
    return json_object_set(component, to, value) == 0 ? NERFIT_OK : nf_no_memory(err, 64);
}

nerfit_status nf_tokenizer_folder_override(const nf_tokenizer_folder *folder, json_t *description,
                                           nerfit_error *err) {
    /* The classes for any tokenizer.json take the file as it is. */
    static const char *const plain[] = {"PreTrainedTokenizer", "TokenizersBackend"};
    for (size_t i = 0; i < 2; i++)
        if (folder->tokenizer_class && strcmp(folder->tokenizer_class, plain[i]) == 0)
            return NERFIT_OK;
    static const struct {
        const char *part, *type, *field, *option;
    } rows[] = {
        {"normalizer", "BertNormalizer", "lowercase", "do_lower_case"},
        {"normalizer", "BertNormalizer", "strip_accents", "strip_accents"},
        {"normalizer", "BertNormalizer", "handle_chinese_chars", "tokenize_chinese_chars"},
        {"pre_tokenizer", "ByteLevel", "add_prefix_space", "add_prefix_space"},
        {"post_processor", "RobertaProcessing", "add_prefix_space", "add_prefix_space"},
        {"post_processor", "RobertaProcessing", "trim_offsets", "trim_offsets"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        NF_TRY(override(json_object_get(description, rows[i].part), rows[i].type, rows[i].field,
                        folder->config, rows[i].option, err));
    return NERFIT_OK;
}
