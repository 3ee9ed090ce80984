/* Folders without tokenizer.json. transformers builds the tokenizer from the class that
 * tokenizer_config.json names (or the model type of config.json stands for); here each class is a
 * row, and the result is a description that goes the same way as a tokenizer.json. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "text/tokenizer_folder.h"
#include "text/unicode.h"

typedef struct recipe {
    const char *files; /* what it is made from, for messages */
    const char *defaults[NF_NAMED_TOKENS];
    nerfit_status (*parts)(const nf_tokenizer_folder *folder, json_t *description,
                           nerfit_error *err);
} recipe;

/* ---- the files */

/* The lines of a file, without their ends (LF or CR LF). `take` gets each. */
static nerfit_status each_line(const char *path,
                               nerfit_status (*take)(void *to, const char *line, size_t length,
                                                     size_t number, nerfit_error *err),
                               void *to, nerfit_error *err) {
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status status = NERFIT_OK;
    size_t number = 0;
    for (size_t at = 0, next; at < file.size && status == NERFIT_OK; at = next) {
        const char *line = file.data + at, *end = memchr(line, '\n', file.size - at);
        size_t length = end ? (size_t)(end - line) : file.size - at;
        next = at + length + 1;
        if (length > 0 && end && line[length - 1] == '\r') length--;
        number++;
        if (!nf_utf8_valid(line, length, NULL) || memchr(line, '\0', length))
            status = nf_fail_at(err, NERFIT_FORMAT, path, (long)number, 0,
                                "the line is not text in UTF-8");
        else
            status = take(to, line, length, number, err);
    }
    nf_file_close(&file);
    return status;
}

/* `tokenizers` takes white space off the end of each token, and the last of equal ones counts. */
static nerfit_status take_token(void *to, const char *line, size_t length, size_t number,
                                nerfit_error *err) {
    while (length > 0) {
        size_t start = length - 1;
        uint32_t c;
        while (((unsigned char)line[start] & 0xC0) == 0x80) start--;
        nf_utf8_next(line + start, &c);
        if (!(nf_unicode_flags_of(c) & NF_UNICODE_SPACE)) break;
        length = start;
    }
    char *text = strndup(line, length);
    bool ok = text && json_object_set_new(to, text, json_integer((json_int_t)number - 1)) == 0;
    free(text);
    return ok ? NERFIT_OK : nf_no_memory(err, length);
}

static nerfit_status take_merge(void *to, const char *line, size_t length, size_t number,
                                nerfit_error *err) {
    (void)number;
    return json_array_append_new(to, json_stringn(line, length)) == 0 ? NERFIT_OK
                                                                      : nf_no_memory(err, length);
}

/* ---- the classes */

/* Whether an option is set to true; `fallback` if nothing is said. */
static bool option(const nf_tokenizer_folder *folder, const char *name, bool fallback) {
    const json_t *value = json_object_get(folder->config, name);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

/* The id that a special token will have: of the vocabulary, or behind it in the order of adding. */
static json_int_t token_id(const nf_tokenizer_folder *folder, const json_t *vocabulary,
                           const char *token) {
    json_int_t next = (json_int_t)json_object_size(vocabulary);
    const json_t *known = json_object_get(vocabulary, token), *item;
    if (known) return json_integer_value(known);
    size_t i;
    json_array_foreach(folder->extra, i, item) {
        const char *content = json_string_value(json_object_get(item, "content"));
        if (json_object_get(vocabulary, content)) continue;
        if (strcmp(content, token) == 0) return next;
        next++;
    }
    return next;
}

static nerfit_status put(json_t *description, const char *key, json_t *value, nerfit_error *err) {
    return value && json_object_set_new(description, key, value) == 0 ? NERFIT_OK
                                                                      : nf_no_memory(err, 256);
}

static const json_t *vocabulary_of(const json_t *description) {
    return json_object_get(json_object_get(description, "model"), "vocab");
}

/* {"SpecialToken": …} around the text, as TemplateProcessing has it; either may be NULL. */
static json_t *template(const nf_tokenizer_folder *folder, const json_t *vocabulary,
                        const char *before, const char *after) {
    json_t *single = json_array(), *tokens = json_object();
    const char *parts[] = {before, NULL, after};
    bool ok = single && tokens;
    for (size_t i = 0; ok && i < 3; i++) {
        if (i == 1) {
            ok = json_array_append_new(
                     single, json_pack("{s:{s:s, s:i}}", "Sequence", "id", "A", "type_id", 0)) == 0;
        } else if (parts[i]) {
            json_int_t id = token_id(folder, vocabulary, parts[i]);
            ok = json_array_append_new(single, json_pack("{s:{s:s, s:i}}", "SpecialToken", "id",
                                                         parts[i], "type_id", 0)) == 0 &&
                 json_object_set_new(tokens, parts[i],
                                     json_pack("{s:s, s:[I], s:[s]}", "id", parts[i], "ids", id,
                                               "tokens", parts[i])) == 0;
        }
    }
    json_t *result = NULL;
    if (ok)
        result = json_pack("{s:s, s:O, s:[], s:O}", "type", "TemplateProcessing", "single", single,
                           "pair", "special_tokens", tokens);
    json_decref(single);
    json_decref(tokens);
    return result;
}

static nerfit_status bert_parts(const nf_tokenizer_folder *folder, json_t *description,
                                nerfit_error *err) {
    const json_t *strip = json_object_get(folder->config, "strip_accents");
    json_t *normalizer = json_pack(
        "{s:s, s:b, s:b, s:o, s:b}", "type", "BertNormalizer", "clean_text", 1,
        "handle_chinese_chars", option(folder, "tokenize_chinese_chars", true), "strip_accents",
        json_is_boolean(strip) ? json_boolean(json_is_true(strip)) : json_null(), "lowercase",
        option(folder, "do_lower_case", true));
    NF_TRY(put(description, "normalizer", normalizer, err));
    NF_TRY(put(description, "pre_tokenizer", json_pack("{s:s}", "type", "BertPreTokenizer"), err));
    json_t *model = json_object_get(description, "model");
    NF_TRY(put(model, "type", json_string("WordPiece"), err));
    NF_TRY(put(model, "unk_token", json_string(folder->named[NF_UNK]), err));
    NF_TRY(put(model, "continuing_subword_prefix", json_string("##"), err));
    NF_TRY(put(model, "max_input_chars_per_word", json_integer(100), err));
    return put(
        description, "post_processor",
        template(folder, vocabulary_of(description), folder->named[NF_CLS], folder->named[NF_SEP]),
        err);
}

static nerfit_status byte_level_parts(const nf_tokenizer_folder *folder, json_t *description,
                                      nerfit_error *err) {
    NF_TRY(
        put(description, "pre_tokenizer",
            json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space",
                      option(folder, "add_prefix_space", false), "trim_offsets", 1, "use_regex", 1),
            err));
    return put(json_object_get(description, "model"), "type", json_string("BPE"), err);
}

static nerfit_status roberta_parts(const nf_tokenizer_folder *folder, json_t *description,
                                   nerfit_error *err) {
    NF_TRY(byte_level_parts(folder, description, err));
    const json_t *vocabulary = vocabulary_of(description);
    const char *cls = folder->named[NF_CLS], *sep = folder->named[NF_SEP];
    return put(description, "post_processor",
               json_pack("{s:s, s:[s, I], s:[s, I], s:b, s:b}", "type", "RobertaProcessing", "sep",
                         sep, token_id(folder, vocabulary, sep), "cls", cls,
                         token_id(folder, vocabulary, cls), "trim_offsets",
                         option(folder, "trim_offsets", true), "add_prefix_space",
                         option(folder, "add_prefix_space", false)),
               err);
}

static nerfit_status gpt2_parts(const nf_tokenizer_folder *folder, json_t *description,
                                nerfit_error *err) {
    NF_TRY(byte_level_parts(folder, description, err));
    return put(description, "post_processor",
               template(folder, vocabulary_of(description),
                        option(folder, "add_bos_token", false) ? folder->named[NF_BOS] : NULL,
                        option(folder, "add_eos_token", false) ? folder->named[NF_EOS] : NULL),
               err);
}

static const recipe bert = {
    "vocab.txt", {NULL, NULL, "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"}, bert_parts};
static const recipe roberta = {"vocab.json and merges.txt",
                               {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"},
                               roberta_parts};
static const recipe gpt2 = {
    "vocab.json and merges.txt",
    {"<|endoftext|>", "<|endoftext|>", "<|endoftext|>", NULL, NULL, NULL, NULL},
    gpt2_parts};

static const struct {
    const char *tokenizer_class, *model_type;
    const recipe *recipe;
} classes[] = {
    {"BertTokenizer", "bert", &bert},          {"DistilBertTokenizer", "distilbert", &bert},
    {"ElectraTokenizer", "electra", &bert},    {"MobileBertTokenizer", "mobilebert", &bert},
    {"RobertaTokenizer", "roberta", &roberta}, {"LongformerTokenizer", "longformer", &roberta},
    {"GPT2Tokenizer", "gpt2", &gpt2},
};

/* The class that the configuration names; else the one of the model type; else what the vocabulary
 * looks like. */
static nerfit_status choose(const recipe **out, const nf_tokenizer_folder *folder, bool words,
                            const json_t *vocabulary, nerfit_error *err) {
    const char *class = folder->tokenizer_class, *model_type = NULL;
    char type[64] = "";
    if (!class) {
        const char *path = nf_path_join(folder->arena, folder->path, "config.json");
        json_t *config = NULL;
        if (path && nf_file_exists(path)) NF_TRY(nf_json_load(&config, path, err));
        const char *value = json_string_value(json_object_get(config, "model_type"));
        if (value) snprintf(type, sizeof type, "%s", value);
        json_decref(config);
        model_type = type;
    }
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (class ? strcmp(class, classes[i].tokenizer_class) == 0
                  : strcmp(model_type, classes[i].model_type) == 0) {
            *out = classes[i].recipe;
            if ((classes[i].recipe == &bert) != words)
                return nf_fail_at(err, NERFIT_FORMAT, folder->path, 0, 0,
                                  "a %s is made from %s, which the folder has not",
                                  classes[i].tokenizer_class, classes[i].recipe->files);
            return NERFIT_OK;
        }
    if (class)
        return nf_fail_at(err, NERFIT_UNSUPPORTED, folder->path, 0, 0,
                          "without tokenizer.json a \"%.60s\" cannot be loaded; with it, it can: "
                          "save it once with transformers (AutoTokenizer.from_pretrained, "
                          "save_pretrained)",
                          class);
    *out = words                                                                       ? &bert
           : json_object_get(vocabulary, "<s>") && json_object_get(vocabulary, "</s>") ? &roberta
                                                                                       : &gpt2;
    return NERFIT_OK;
}

static nerfit_status read_files(const nf_tokenizer_folder *folder, json_t *model, bool *words,
                                nerfit_error *err) {
    const char *text = nf_path_join(folder->arena, folder->path, "vocab.txt");
    const char *json = nf_path_join(folder->arena, folder->path, "vocab.json");
    const char *merges = nf_path_join(folder->arena, folder->path, "merges.txt");
    if (!text || !json || !merges) return nf_no_memory(err, strlen(folder->path));
    *words = nf_file_exists(text);
    if (*words) {
        NF_TRY(put(model, "vocab", json_object(), err));
        return each_line(text, take_token, json_object_get(model, "vocab"), err);
    }
    if (!nf_file_exists(json) || !nf_file_exists(merges))
        return nf_fail_at(
            err, NERFIT_IO, folder->path, 0, 0,
            "no tokenizer here: neither tokenizer.json, nor vocab.txt, nor vocab.json "
            "with merges.txt");
    json_t *vocabulary = NULL;
    NF_TRY(nf_json_load(&vocabulary, json, err));
    NF_TRY(put(model, "vocab", vocabulary, err));
    NF_TRY(put(model, "merges", json_array(), err));
    return each_line(merges, take_merge, json_object_get(model, "merges"), err);
}

nerfit_status nf_tokenizer_folder_describe(nf_tokenizer_folder *folder, json_t **description,
                                           nerfit_error *err) {
    bool words = false;
    const recipe *chosen = NULL;
    *description = json_pack("{s:{}}", "model");
    json_t *model = json_object_get(*description, "model");
    if (!model) return nf_no_memory(err, 64);
    NF_TRY(read_files(folder, model, &words, err));
    NF_TRY(choose(&chosen, folder, words, json_object_get(model, "vocab"), err));
    NF_TRY(nf_tokenizer_folder_tokens(folder, *description, chosen->defaults, err));
    return chosen->parts(folder, *description, err);
}
