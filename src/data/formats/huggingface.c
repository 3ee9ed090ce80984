/* Rows of Hugging Face's token classification data sets: {"tokens": [...], "ner_tags": [...]}, with
 * labels by name, or by number with their names in dataset_info.json beside the file, as
 * Dataset.save_to_disk writes it. (datasets 4) */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "data/formats/token_json.h"
#include "data/json_place.h"

static const char word_keys[] = "tokens|words";
static const char tag_keys[] = "ner_tags|tags|labels|ner|label|ner_labels|bio_tags|ner_tag";

static bool looks_like(const json_t *value) {
    const json_t *words = nf_json_get(value, word_keys, NULL),
                 *tags = nf_json_get(value, tag_keys, NULL);
    const json_t *first = json_array_get(tags, 0);
    if (!json_is_array(words) || !json_is_array(tags)) return false;
    if (!first) return json_array_size(words) == 0;
    return json_is_string(json_array_get(words, 0)) &&
           (json_is_string(first) || json_is_integer(first));
}

/* The names of the feature `key`, from dataset_info.json in the file's folder. */
static nerfit_status read_names(const nf_json_value *v, const char *key, nf_arena *arena,
                                json_t **info, const json_t **names) {
    char path[NF_JSON_KEY + 128];
    const char *folder = nf_path_parent(arena, v->reading->name);
    const char *file = folder ? nf_path_join(arena, folder, "dataset_info.json") : NULL;
    nerfit_error error;
    *info = NULL;
    *names = NULL;
    if (!file) return nf_no_memory(v->reading->err, 0);
    if (nf_file_exists(file)) {
        nerfit_status status = nf_json_load(info, file, &error);
        if (status != NERFIT_OK) return nf_reading_take(v->reading, &error);
        nf_print(path, sizeof path,
                 "features.%s.feature.names|features.%s.names|features.%s.feature._type", key, key,
                 key);
        *names = nf_json_get(*info, path, NULL);
    }
    if (json_is_array(*names)) return NERFIT_OK;
    *names = NULL;
    return nf_json_value_error(v, nf_json_member(v->text, v->size, 0, key), 0,
                               "\"%s\" holds numbers; expected names, or the names of the numbers "
                               "in dataset_info.json beside the file",
                               key);
}

/* The labels into the rows; *good says whether all could be read. */
static nerfit_status read_tags(const nf_json_value *v, const json_t *tags, const char *key,
                               const json_t *names, nf_conll_row *rows, bool *good) {
    size_t at = nf_json_member(v->text, v->size, 0, key);
    *good = false;
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const json_t *tag = json_array_get(tags, i);
        if (json_is_integer(tag) && names) {
            json_int_t number = json_integer_value(tag);
            const json_t *name = number >= 0 ? json_array_get(names, (size_t)number) : NULL;
            if (!name)
                return nf_json_value_error(v, nf_json_item(v->text, v->size, at, i), 0,
                                           "label %zu is %lld, which has no name among %zu", i + 1,
                                           (long long)number, json_array_size(names));
            tag = name;
        }
        if (!json_is_string(tag) || !json_string_length(tag))
            return nf_json_value_error(v, nf_json_item(v->text, v->size, at, i), 0,
                                       "label %zu of \"%s\" is %s; expected a name", i + 1, key,
                                       json_is_string(tag) ? "empty" : nf_json_type_name(tag));
        rows[i].label = json_string_value(tag);
        rows[i].label_size = json_string_length(tag);
    }
    *good = true;
    return NERFIT_OK;
}

static nerfit_status read_row(const nf_json_value *v, nf_arena *arena, json_t **info) {
    char words_key[NF_JSON_KEY] = "tokens", tags_key[NF_JSON_KEY] = "ner_tags";
    const json_t *words = nf_json_get(v->json, word_keys, words_key),
                 *tags = nf_json_get(v->json, tag_keys, tags_key), *names = NULL;
    nf_conll_row *rows;
    bool good = true;
    if (!json_is_array(words) || (!json_is_array(tags) && !v->reading->texts_only))
        return nf_json_value_error(v, 0, 0, "expected \"tokens\" and \"ner_tags\", two lists");
    NF_TRY(nf_json_words(v, words, words_key, arena, &rows));
    if (!rows) return NERFIT_OK;
    const char *const taken[] = {words_key, tags_key, NULL};
    size_t count = json_array_size(words);
    if (v->reading->texts_only) return nf_json_sentence_add(v, rows, count, taken, arena);
    if (json_array_size(tags) != count)
        return nf_json_value_error(v, nf_json_member(v->text, v->size, 0, tags_key), 0,
                                   "\"%s\" has %zu labels; expected one for each of the %zu words",
                                   tags_key, json_array_size(tags), count);
    if (json_is_integer(json_array_get(tags, 0))) {
        NF_TRY(read_names(v, tags_key, arena, info, &names));
        if (!names) return NERFIT_OK;
    }
    NF_TRY(read_tags(v, tags, tags_key, names, rows, &good));
    return good ? nf_json_sentence_add(v, rows, count, taken, arena) : NERFIT_OK;
}

static nerfit_status read_value(const nf_json_value *value) {
    nf_arena arena = {0};
    json_t *info = NULL;
    nerfit_status status = read_row(value, &arena, &info);
    json_decref(info);
    nf_arena_free(&arena);
    return status;
}

static const char *const own[] = {"tokens", "ner_tags", NULL};

static nerfit_status write(nf_parts *parts, const nf_document *d, nerfit_error *err) {
    nf_part *part = nf_parts_get(parts, "");
    nf_str labels = {0};
    if (!part) return nf_no_memory(err, 0);
    nf_str_append_text(&part->text, "{\"tokens\": ");
    nerfit_status status = nf_json_append_words(&part->text, &labels, d, err);
    nf_str_append_text(&part->text, ", \"ner_tags\": ");
    nf_str_append(&part->text, nf_str_text(&labels), labels.length);
    nf_str_free(&labels);
    nf_json_append_beside(&part->text, d->beside, own);
    nf_str_append_text(&part->text, "}\n");
    if (status != NERFIT_OK) return status;
    return part->text.failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}

/* clang-format off */
const nf_format nf_format_huggingface = {
    .name = "huggingface", .title = "Hugging Face's rows of tokens", .endings = {".jsonl"},
    .holds = NF_HOLDS_ENTITIES | NF_HOLDS_FIELDS,
    .recognised = "objects with `tokens` (or `words`) and `ner_tags` (or `tags`, `labels`, `ner`), "
                  "two lists",
    .kept = "words (as the text, with single blanks between them), entities, other fields; labels "
            "by name, or by number with their names in `dataset_info.json` beside the file",
    .lost = "the white space of the text; written with labels by name, and without the fields of "
            "entities",
    .value_looks_like = looks_like, .read_value = read_value,
    .write = write, .own = own, .head = "", .between = "", .tail = "",
};
/* clang-format on */
