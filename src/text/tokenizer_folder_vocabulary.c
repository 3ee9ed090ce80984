/* Folders without tokenizer.json. transformers builds the tokenizer from the class that
 * tokenizer_config.json names (or the model type of config.json stands for); here each class is a
 * row, and the result is a description that goes the same way as a tokenizer.json. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "text/tokenizer_recipe.h"
#include "text/unicode.h"

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
    return nf_token_tables_add(to, line, length, (int32_t)number - 1, 0, err);
}

static nerfit_status take_merge(void *to, const char *line, size_t length, size_t number,
                                nerfit_error *err) {
    nf_token_tables *tables = to;
    nf_merge_row merge;
    if (length >= 8 && memcmp(line, "#version", 8) == 0) return NERFIT_OK;
    char *text = nf_arena_copy(tables->arena, line, length);
    if (!text) return nf_no_memory(err, length);
    if (!nf_merge_split(&merge, text, length))
        return nf_fail_at(err, NERFIT_FORMAT, tables->file, (long)number, 0,
                          "a merge must be two tokens with a blank between them");
    return nf_token_tables_add_merge(tables, merge, err);
}

/* ---- the classes */

bool nf_recipe_option(const nf_tokenizer_folder *folder, const char *name, bool fallback) {
    const json_t *value = json_object_get(folder->config, name);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

/* The id that a special token will have: of the vocabulary, or behind it in the order of adding. */
static json_int_t token_id(const nf_tokenizer_folder *folder, const char *token) {
    const nf_token_tables *tables = folder->tables;
    json_int_t known = nf_token_tables_id(tables, token);
    if (known >= 0) return known;
    json_int_t next =
        (json_int_t)(tables->form == NF_TABLE_IDS ? tables->index.count : tables->count);
    size_t i;
    const json_t *item;
    json_array_foreach(folder->extra, i, item) {
        const char *content = json_string_value(json_object_get(item, "content"));
        if (nf_token_tables_id(tables, content) >= 0) continue;
        if (strcmp(content, token) == 0) return next;
        next++;
    }
    return next;
}

nerfit_status nf_recipe_put(json_t *description, const char *key, json_t *value,
                            nerfit_error *err) {
    return value && json_object_set_new(description, key, value) == 0 ? NERFIT_OK
                                                                      : nf_no_memory(err, 256);
}

json_t *nf_recipe_template(const nf_tokenizer_folder *folder, const char *before,
                           const char *after) {
    json_t *single = json_array(), *tokens = json_object();
    const char *parts[] = {before, NULL, after};
    bool ok = single && tokens;
    for (size_t i = 0; ok && i < 3; i++) {
        if (i == 1) {
            ok = json_array_append_new(
                     single, json_pack("{s:{s:s, s:i}}", "Sequence", "id", "A", "type_id", 0)) == 0;
        } else if (parts[i]) {
            json_int_t id = token_id(folder, parts[i]);
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
        "handle_chinese_chars", nf_recipe_option(folder, "tokenize_chinese_chars", true),
        "strip_accents", json_is_boolean(strip) ? json_boolean(json_is_true(strip)) : json_null(),
        "lowercase", nf_recipe_option(folder, "do_lower_case", true));
    NF_TRY(nf_recipe_put(description, "normalizer", normalizer, err));
    NF_TRY(nf_recipe_put(description, "pre_tokenizer",
                         json_pack("{s:s}", "type", "BertPreTokenizer"), err));
    json_t *model = json_object_get(description, "model");
    NF_TRY(nf_recipe_put(model, "type", json_string("WordPiece"), err));
    NF_TRY(nf_recipe_put(model, "unk_token", json_string(folder->named[NF_UNK]), err));
    NF_TRY(nf_recipe_put(model, "continuing_subword_prefix", json_string("##"), err));
    NF_TRY(nf_recipe_put(model, "max_input_chars_per_word", json_integer(100), err));
    return nf_recipe_put(description, "post_processor",
                         nf_recipe_template(folder, folder->named[NF_CLS], folder->named[NF_SEP]),
                         err);
}

static nerfit_status byte_level_parts(const nf_tokenizer_folder *folder, json_t *description,
                                      nerfit_error *err) {
    NF_TRY(nf_recipe_put(description, "pre_tokenizer",
                         json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space",
                                   nf_recipe_option(folder, "add_prefix_space", false),
                                   "trim_offsets", 1, "use_regex", 1),
                         err));
    return nf_recipe_put(json_object_get(description, "model"), "type", json_string("BPE"), err);
}

static nerfit_status roberta_parts(const nf_tokenizer_folder *folder, json_t *description,
                                   nerfit_error *err) {
    NF_TRY(byte_level_parts(folder, description, err));
    const char *cls = folder->named[NF_CLS], *sep = folder->named[NF_SEP];
    return nf_recipe_put(
        description, "post_processor",
        json_pack("{s:s, s:[s, I], s:[s, I], s:b, s:b}", "type", "RobertaProcessing", "sep", sep,
                  token_id(folder, sep), "cls", cls, token_id(folder, cls), "trim_offsets",
                  nf_recipe_option(folder, "trim_offsets", true), "add_prefix_space",
                  nf_recipe_option(folder, "add_prefix_space", false)),
        err);
}

static nerfit_status gpt2_parts(const nf_tokenizer_folder *folder, json_t *description,
                                nerfit_error *err) {
    NF_TRY(byte_level_parts(folder, description, err));
    return nf_recipe_put(
        description, "post_processor",
        nf_recipe_template(
            folder, nf_recipe_option(folder, "add_bos_token", false) ? folder->named[NF_BOS] : NULL,
            nf_recipe_option(folder, "add_eos_token", false) ? folder->named[NF_EOS] : NULL),
        err);
}

static const nf_recipe bert = {
    .files = "vocab.txt",
    .defaults = {NULL, NULL, "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"},
    .parts = bert_parts};
static const nf_recipe roberta = {
    .files = "vocab.json and merges.txt",
    .defaults = {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"},
    .parts = roberta_parts};
static const nf_recipe gpt2 = {
    .files = "vocab.json and merges.txt",
    .defaults = {"<|endoftext|>", "<|endoftext|>", "<|endoftext|>", NULL, NULL, NULL, NULL},
    .parts = gpt2_parts};

static const struct {
    const char *tokenizer_class, *model_type; /* NULL: of no model type */
    const nf_recipe *recipe;
} classes[] = {
    {"BertTokenizer", "bert", &bert},
    {"DistilBertTokenizer", "distilbert", &bert},
    {"ElectraTokenizer", "electra", &bert},
    {"MobileBertTokenizer", "mobilebert", &bert},
    {"RobertaTokenizer", "roberta", &roberta},
    {"LongformerTokenizer", "longformer", &roberta},
    {"GPT2Tokenizer", "gpt2", &gpt2},
    {"XLMRobertaTokenizer", "xlm-roberta", &nf_recipe_xlm_roberta},
    {"XLMRobertaTokenizer", "xmod", &nf_recipe_xlm_roberta},
    {"CamembertTokenizer", "camembert", &nf_recipe_camembert},
    {"DebertaV2Tokenizer", "deberta-v2", &nf_recipe_deberta_v2},
    {"AlbertTokenizer", "albert", &nf_recipe_albert},
    {"T5Tokenizer", "t5", &nf_recipe_t5},
    {"T5Tokenizer", "mt5", &nf_recipe_t5},
    {"LlamaTokenizer", NULL, &nf_recipe_llama},
    {"TokenizersBackend", "llama", &nf_recipe_sentencepiece},
    {"TokenizersBackend", "xlm-roberta-xl", &nf_recipe_sentencepiece},
    {"TokenizersBackend", "umt5", &nf_recipe_sentencepiece},
    {"PreTrainedTokenizer", NULL, &nf_recipe_sentencepiece},
};

/* What folders without a known class are tried as, by their files. */
static const nf_recipe *const by_files[] = {
    &bert,
    &roberta,
    &nf_recipe_xlm_roberta,
    &nf_recipe_deberta_v2,
    &nf_recipe_albert,
    &nf_recipe_sentencepiece,
};

static bool has_file(const nf_tokenizer_folder *folder, const char *name) {
    const char *path = nf_path_join(folder->arena, folder->path, name);
    return path && nf_file_exists(path);
}

static bool has_files(const nf_tokenizer_folder *folder, const nf_recipe *recipe) {
    if (recipe->parts == roberta_parts || recipe->parts == gpt2_parts)
        return has_file(folder, "vocab.json") && has_file(folder, "merges.txt");
    return has_file(folder, recipe->files);
}

/* The class that the configuration names, or else the one of the model type; NULL if none does. */
static nerfit_status choose_by_name(const nf_recipe **out, const nf_tokenizer_folder *folder,
                                    nerfit_error *err) {
    const char *class = folder->tokenizer_class;
    char type[64] = "";
    *out = NULL;
    if (!class) {
        const char *path = nf_path_join(folder->arena, folder->path, "config.json");
        json_t *config = NULL;
        if (path && nf_file_exists(path)) NF_TRY(nf_json_load(&config, path, err));
        const char *value = json_string_value(json_object_get(config, "model_type"));
        if (value) snprintf(type, sizeof type, "%s", value);
        json_decref(config);
    }
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        const char *name = class ? classes[i].tokenizer_class : classes[i].model_type;
        if (!name || strcmp(name, class ? class : type) != 0) continue;
        if (!has_files(folder, classes[i].recipe))
            return nf_fail_at(err, NERFIT_FORMAT, folder->path, 0, 0,
                              "a %s is made from %s, which the folder has not",
                              classes[i].tokenizer_class, classes[i].recipe->files);
        *out = classes[i].recipe;
        return NERFIT_OK;
    }
    return class ? nf_fail_at(
                       err, NERFIT_UNSUPPORTED, folder->path, 0, 0,
                       "without tokenizer.json a \"%.60s\" cannot be loaded; with it, it can: "
                       "save it once with transformers (AutoTokenizer.from_pretrained, "
                       "save_pretrained)",
                       class)
                 : NERFIT_OK;
}

static nerfit_status choose_by_files(const nf_recipe **out, const nf_tokenizer_folder *folder,
                                     nerfit_error *err) {
    for (size_t i = 0; i < sizeof by_files / sizeof *by_files; i++)
        if (has_files(folder, by_files[i])) {
            *out = by_files[i];
            return NERFIT_OK;
        }
    return nf_fail_at(err, NERFIT_IO, folder->path, 0, 0,
                      "no tokenizer here: neither tokenizer.json, nor vocab.txt, nor vocab.json "
                      "with merges.txt, nor a SentencePiece model (sentencepiece.bpe.model, "
                      "spm.model, spiece.model, tokenizer.model)");
}

static nerfit_status read_words(const nf_tokenizer_folder *folder, nerfit_error *err) {
    const char *path = nf_path_join(folder->arena, folder->path, "vocab.txt");
    if (!path) return nf_no_memory(err, strlen(folder->path));
    folder->tables->form = NF_TABLE_IDS;
    NF_TRY(each_line(path, take_token, folder->tables, err));
    return nf_token_tables_index(folder->tables, err);
}

static nerfit_status read_ids(nf_token_tables *tables, const char *path, nerfit_error *err) {
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status status = nf_token_tables_read_ids(tables, file.data, file.size, path, err);
    nf_file_close(&file);
    return status;
}

static nerfit_status read_merges(const nf_tokenizer_folder *folder, nerfit_error *err) {
    const char *json = nf_path_join(folder->arena, folder->path, "vocab.json");
    const char *merges = nf_path_join(folder->arena, folder->path, "merges.txt");
    if (!json || !merges) return nf_no_memory(err, strlen(folder->path));
    NF_TRY(read_ids(folder->tables, json, err));
    folder->tables->file = merges;
    folder->tables->has_merges = true;
    return each_line(merges, take_merge, folder->tables, err);
}

/* Without a class, what the vocabulary looks like decides between those that have the same files.
 */
static const nf_recipe *look_at(const nf_recipe *chosen, const nf_sp_model *pieces,
                                const nf_token_tables *tables) {
    if (chosen == &roberta &&
        (nf_token_tables_id(tables, "<s>") < 0 || nf_token_tables_id(tables, "</s>") < 0))
        return &gpt2;
    if (chosen != &nf_recipe_albert) return chosen;
    for (size_t i = 0; i < pieces->count; i++)
        if (strcmp(pieces->pieces[i].text, "[CLS]") == 0) return chosen;
    return &nf_recipe_t5;
}

nerfit_status nf_tokenizer_folder_describe(nf_tokenizer_folder *folder, nf_token_tables *tables,
                                           json_t **description, nerfit_error *err) {
    const nf_recipe *chosen;
    folder->tables = tables;
    *description = json_pack("{s:{}}", "model");
    if (!json_object_get(*description, "model")) return nf_no_memory(err, 64);
    NF_TRY(choose_by_name(&chosen, folder, err));
    bool named = chosen != NULL;
    if (!named) NF_TRY(choose_by_files(&chosen, folder, err));
    if (chosen->sentencepiece)
        NF_TRY(nf_recipe_read_pieces(chosen, folder, err));
    else
        NF_TRY(chosen == &bert ? read_words(folder, err) : read_merges(folder, err));
    if (!named) chosen = look_at(chosen, folder->pieces, tables);
    if (chosen->sentencepiece) NF_TRY(nf_recipe_bring_tokens(chosen, folder, err));
    folder->mask_strips = chosen->mask_strips;
    const char *defaults[NF_NAMED_TOKENS];
    memcpy(defaults, chosen->defaults, sizeof defaults);
    if (chosen == &nf_recipe_sentencepiece) { /* as the file has them */
        defaults[NF_BOS] = folder->pieces->bos_id >= 0 ? folder->pieces->bos_piece : NULL;
        defaults[NF_EOS] = folder->pieces->eos_id >= 0 ? folder->pieces->eos_piece : NULL;
        defaults[NF_UNK] = folder->pieces->unk_piece;
    }
    NF_TRY(nf_tokenizer_folder_tokens(folder, *description, defaults, err));
    return chosen->parts(folder, *description, err);
}
