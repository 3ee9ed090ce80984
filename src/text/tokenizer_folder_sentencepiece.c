/* Folders that have a SentencePiece file (.model) and no tokenizer.json: what transformers (5.24)
 * makes of them, class by class. Each class has its own file name, its own vocabulary around the
 * file's pieces, and its own normalizers; most of them take of the file's settings only the pieces
 * and the character map. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/number.h"
#include "base/str.h"
#include "base/utf8.h"
#include "text/tokenizer_recipe.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

enum { EXTRA_IDS = 100 };

/* ---- reading */

nerfit_status nf_recipe_read_pieces(const nf_recipe *recipe, nf_tokenizer_folder *folder,
                                    nerfit_error *err) {
    const char *path = nf_path_join(folder->arena, folder->path, recipe->files);
    nf_sp_model *pieces = nf_arena_calloc(folder->arena, 1, sizeof *pieces);
    if (!path || !pieces) return nf_no_memory(err, sizeof *pieces);
    folder->pieces = pieces;
    return nf_sp_model_load(pieces, path, folder->arena, err);
}

static nerfit_status append(json_t *list, json_t *value, nerfit_error *err) {
    return value && json_array_append_new(list, value) == 0 ? NERFIT_OK : nf_no_memory(err, 64);
}

static size_t extra_ids(const nf_tokenizer_folder *folder) {
    const json_t *count = json_object_get(folder->config, "extra_ids");
    json_int_t value = json_is_integer(count) ? json_integer_value(count) : EXTRA_IDS;
    return value < 0 ? 0 : value > 100000 ? 100000 : (size_t)value;
}

nerfit_status nf_recipe_bring_tokens(const nf_recipe *recipe, nf_tokenizer_folder *folder,
                                     nerfit_error *err) {
    const nf_sp_model *m = folder->pieces;
    bool generic = recipe == &nf_recipe_sentencepiece, has_extra = false;
    if (!(folder->brought = json_array())) return nf_no_memory(err, 64);
    folder->decoder_is_raw = generic && m->add_dummy_prefix;
    for (size_t i = 0; i < m->count; i++) {
        const nf_sp_piece *p = &m->pieces[i];
        if (p->type != NF_SP_CONTROL && (p->type != NF_SP_USER_DEFINED || generic)) continue;
        NF_TRY(append(folder->brought,
                      json_pack("{s:s, s:b, s:b}", "content", p->text, "special",
                                p->type == NF_SP_CONTROL, "normalized", 0),
                      err));
        has_extra |= strstr(p->text, "<extra_id_") != NULL;
    }
    for (size_t i = 0; recipe->extra_ids && !has_extra && i < extra_ids(folder); i++) {
        char text[32];
        snprintf(text, sizeof text, "<extra_id_%zu>", i);
        NF_TRY(
            append(folder->brought, json_pack("{s:s, s:b}", "content", text, "special", 1), err));
    }
    return NERFIT_OK;
}

/* ---- parts */

static nerfit_status push_token(nf_token_tables *tables, const char *text, double score,
                                nerfit_error *err) {
    return nf_token_tables_add(tables, text, strlen(text), (int32_t)tables->count, score, err);
}

/* Unigram over the tables, which are full. */
static nerfit_status put_unigram(const nf_tokenizer_folder *folder, json_t *description,
                                 json_int_t unknown, bool byte_fallback, nerfit_error *err) {
    folder->tables->form = NF_TABLE_SCORES;
    NF_TRY(nf_token_tables_index(folder->tables, err));
    return nf_recipe_put(description, "model",
                         json_pack("{s:s, s:I, s:b}", "type", "Unigram", "unk_id", unknown,
                                   "byte_fallback", byte_fallback),
                         err);
}

/* Fills the tables: tokens before, pieces from `skip` on, and a token after (NULL: none). */
static nerfit_status vocabulary_around(const nf_tokenizer_folder *folder, const char *const *before,
                                       size_t before_count, size_t skip, const char *after,
                                       nerfit_error *err) {
    const nf_sp_model *m = folder->pieces;
    nf_token_tables *tables = folder->tables;
    for (size_t i = 0; i < before_count; i++) /* CamemBERT's last one is to be avoided. */
        NF_TRY(push_token(tables, before[i], i == 4 ? -100 : 0, err));
    for (size_t i = skip; i < m->count; i++)
        NF_TRY(push_token(tables, m->pieces[i].text, (double)m->pieces[i].score, err));
    return after ? push_token(tables, after, 0, err) : NERFIT_OK;
}

/* The character map as a normalizer, appended unless the file has none. */
static nerfit_status append_precompiled(json_t *list, const nf_sp_model *m, nerfit_error *err) {
    if (m->charsmap_size == 0) return NERFIT_OK;
    char *text = malloc((m->charsmap_size + 2) / 3 * 4 + 1);
    if (!text) return nf_no_memory(err, m->charsmap_size);
    nf_base64_encode(m->charsmap, m->charsmap_size, text);
    nerfit_status status = append(
        list, json_pack("{s:s, s:s}", "type", "Precompiled", "precompiled_charsmap", text), err);
    free(text);
    return status;
}

static nerfit_status append_replace(json_t *list, const char *kind, const char *pattern,
                                    const char *content, nerfit_error *err) {
    return append(list,
                  json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", kind, pattern,
                            "content", content),
                  err);
}

/* Puts Sequence with an empty list and returns the list; NULL when out of memory. */
static json_t *new_sequence(json_t *description, const char *part, const char *key,
                            nerfit_error *err) {
    json_t *list = json_array();
    json_t *sequence = json_pack("{s:s, s:O}", "type", "Sequence", key, list);
    bool ok = nf_recipe_put(description, part, sequence, err) == NERFIT_OK;
    json_decref(list); /* the description holds it */
    return ok ? list : NULL;
}

static json_t *metaspace(const char *scheme, bool split) {
    return json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", "\u2581",
                     "prepend_scheme", scheme, "split", split);
}

/* WhitespaceSplit, then Metaspace: XLM-R and most others. */
static nerfit_status put_word_splits(const nf_tokenizer_folder *folder, json_t *description,
                                     bool may_be_bare, nerfit_error *err) {
    bool prefix = !may_be_bare || nf_recipe_option(folder, "add_prefix_space", true);
    json_t *list = new_sequence(description, "pre_tokenizer", "pretokenizers", err);
    if (!list) return nf_no_memory(err, 64);
    NF_TRY(append(list, json_pack("{s:s}", "type", "WhitespaceSplit"), err));
    return append(list, metaspace(prefix ? "always" : "never", true), err);
}

static nerfit_status put_map(const nf_tokenizer_folder *folder, json_t *description,
                             nerfit_error *err) {
    json_t *list = new_sequence(description, "normalizer", "normalizers", err);
    return list ? append_precompiled(list, folder->pieces, err) : nf_no_memory(err, 64);
}

static nerfit_status put_template(const nf_tokenizer_folder *folder, json_t *description,
                                  const char *before, const char *after, nerfit_error *err) {
    return nf_recipe_put(description, "post_processor", nf_recipe_template(folder, before, after),
                         err);
}

/* ---- the classes */

/* fairseq's ids: four tokens of its own, of which the file has three in another order; <mask>. */
static nerfit_status xlm_roberta_parts(const nf_tokenizer_folder *folder, json_t *description,
                                       nerfit_error *err) {
    const char *const *named = folder->named;
    const char *before[] = {named[NF_BOS], named[NF_PAD], named[NF_EOS], named[NF_UNK]};
    NF_TRY(vocabulary_around(folder, before, 4, 3, named[NF_MASK], err));
    NF_TRY(put_unigram(folder, description, 3, false, err));
    NF_TRY(put_map(folder, description, err));
    NF_TRY(put_word_splits(folder, description, true, err));
    return put_template(folder, description, named[NF_BOS], named[NF_EOS], err);
}

static nerfit_status camembert_parts(const nf_tokenizer_folder *folder, json_t *description,
                                     nerfit_error *err) {
    const char *const *named = folder->named;
    const char *before[] = {"<s>NOTUSED", named[NF_PAD], "</s>NOTUSED", named[NF_UNK],
                            "<unk>NOTUSED"};
    NF_TRY(vocabulary_around(folder, before, 5, 1, named[NF_MASK], err));
    NF_TRY(put_unigram(folder, description, 3, false, err));
    NF_TRY(put_map(folder, description, err));
    NF_TRY(put_word_splits(folder, description, true, err));
    return put_template(folder, description, named[NF_BOS], named[NF_EOS], err);
}

/* transformers 5 leaves the character map out and composes instead (NFC). */
static nerfit_status deberta_v2_parts(const nf_tokenizer_folder *folder, json_t *description,
                                      nerfit_error *err) {
    const nf_sp_model *m = folder->pieces;
    NF_TRY(vocabulary_around(folder, NULL, 0, 0, NULL, err));
    json_int_t unknown = m->unk_id;
    for (size_t i = m->count; i-- > 0;)
        if (m->pieces[i].score == 0 && strcmp(m->pieces[i].text, folder->named[NF_UNK]) == 0)
            unknown = (json_int_t)i;
    NF_TRY(put_unigram(folder, description, unknown, false, err));
    json_t *list = new_sequence(description, "normalizer", "normalizers", err);
    if (!list) return nf_no_memory(err, 64);
    if (nf_recipe_option(folder, "do_lower_case", false))
        NF_TRY(append(list, json_pack("{s:s}", "type", "Lowercase"), err));
    NF_TRY(append_replace(list, "Regex", "\\s{2,}|[\\n\\r\\t]", " ", err));
    NF_TRY(append(list, json_pack("{s:s}", "type", "NFC"), err));
    NF_TRY(append(list,
                  json_pack("{s:s, s:b, s:b}", "type", "Strip", "strip_left", 0, "strip_right", 1),
                  err));
    list = new_sequence(description, "pre_tokenizer", "pretokenizers", err);
    if (!list) return nf_no_memory(err, 64);
    if (nf_recipe_option(folder, "split_by_punct", false))
        NF_TRY(append(list, json_pack("{s:s, s:s}", "type", "Punctuation", "behavior", "Isolated"),
                      err));
    bool prefix = nf_recipe_option(folder, "add_prefix_space", true);
    NF_TRY(append(list, metaspace(prefix ? "always" : "first", true), err));
    return put_template(folder, description, folder->named[NF_CLS], folder->named[NF_SEP], err);
}

static nerfit_status albert_parts(const nf_tokenizer_folder *folder, json_t *description,
                                  nerfit_error *err) {
    NF_TRY(vocabulary_around(folder, NULL, 0, 0, NULL, err));
    NF_TRY(put_unigram(folder, description, 1, false, err));
    json_t *list = new_sequence(description, "normalizer", "normalizers", err);
    if (!list) return nf_no_memory(err, 64);
    NF_TRY(append_replace(list, "String", "``", "\"", err));
    NF_TRY(append_replace(list, "String", "''", "\"", err));
    if (!nf_recipe_option(folder, "keep_accents", false)) {
        NF_TRY(append(list, json_pack("{s:s}", "type", "NFKD"), err));
        NF_TRY(append(list, json_pack("{s:s}", "type", "StripAccents"), err));
    }
    if (nf_recipe_option(folder, "do_lower_case", true))
        NF_TRY(append(list, json_pack("{s:s}", "type", "Lowercase"), err));
    NF_TRY(append_precompiled(list, folder->pieces, err));
    NF_TRY(put_word_splits(folder, description, true, err));
    return put_template(folder, description, folder->named[NF_CLS], folder->named[NF_SEP], err);
}

static nerfit_status t5_parts(const nf_tokenizer_folder *folder, json_t *description,
                              nerfit_error *err) {
    NF_TRY(vocabulary_around(folder, NULL, 0, 0, NULL, err));
    for (size_t i = extra_ids(folder); i-- > 0;) {
        char text[32];
        snprintf(text, sizeof text, "<extra_id_%zu>", i);
        NF_TRY(push_token(folder->tables, text, 0, err));
    }
    NF_TRY(put_unigram(folder, description, 2, false, err));
    NF_TRY(put_map(folder, description, err));
    NF_TRY(put_word_splits(folder, description, false, err));
    return put_template(folder, description, NULL, folder->named[NF_EOS], err);
}

/* ---- byte-pair encoding: the file has no merges; each piece that is made of two others is one */

typedef struct pair {
    float score;
    uint32_t id, at; /* the piece, and where it is divided */
} pair;

static int by_score(const void *x, const void *y) {
    const pair *a = x, *b = y;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    if (a->id != b->id) return a->id < b->id ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Places before those behind them; all pieces count, or normal ones alone. */
static nerfit_status find_pairs(const nf_sp_model *m, bool normal_only, pair **out, size_t *count,
                                nf_arena *arena, nerfit_error *err) {
    nf_string_table table;
    size_t capacity = 0, longest = 0;
    *out = NULL;
    *count = 0;
    if (!nf_string_table_init(&table, m->count, arena)) return nf_no_memory(err, m->count);
    for (size_t i = 0; i < m->count; i++)
        if (!normal_only || m->pieces[i].type == NF_SP_NORMAL)
            nf_string_table_put(&table, m->pieces[i].text, strlen(m->pieces[i].text), (int32_t)i);
    for (size_t i = 0; i < m->count; i++) {
        const char *text = m->pieces[i].text;
        size_t length = strlen(text);
        longest = length > longest ? length : longest;
        if (nf_string_table_get(&table, text, length) != (int32_t)i) continue;
        for (size_t at = nf_utf8_size((unsigned char)text[0]); at < length;
             at += nf_utf8_size((unsigned char)text[at])) {
            if (nf_string_table_get(&table, text, at) < 0 ||
                nf_string_table_get(&table, text + at, length - at) < 0)
                continue;
            if (!nf_array_reserve(out, &capacity, *count + 1, sizeof **out))
                return nf_no_memory(err, 0);
            (*out)[(*count)++] =
                (pair){normal_only ? m->pieces[i].score : 0, (uint32_t)i, (uint32_t)at};
        }
    }
    return NERFIT_OK;
}

static nerfit_status add_merges(const nf_tokenizer_folder *folder, bool normal_only,
                                nerfit_error *err) {
    const nf_sp_model *m = folder->pieces;
    pair *pairs;
    size_t count;
    nerfit_status status = find_pairs(m, normal_only, &pairs, &count, folder->arena, err);
    if (status == NERFIT_OK && count > 0) qsort(pairs, count, sizeof *pairs, by_score);
    folder->tables->has_merges = true;
    for (size_t i = 0; i < count && status == NERFIT_OK; i++) {
        const char *text = m->pieces[pairs[i].id].text, *right = text + pairs[i].at;
        nf_merge_row merge = {text, right, pairs[i].at, (uint32_t)strlen(right)};
        status = nf_token_tables_add_merge(folder->tables, merge, err);
    }
    free(pairs);
    return status;
}

/* `unknown` may be NULL. */
static nerfit_status put_bpe(const nf_tokenizer_folder *folder, json_t *description,
                             const char *unknown, bool byte_fallback, bool ignore_merges,
                             bool normal_only, nerfit_error *err) {
    const nf_sp_model *m = folder->pieces;
    json_t *model =
        json_pack("{s:s, s:s?, s:b, s:b, s:b}", "type", "BPE", "unk_token", unknown, "fuse_unk", 1,
                  "byte_fallback", byte_fallback, "ignore_merges", ignore_merges);
    NF_TRY(nf_recipe_put(description, "model", model, err));
    folder->tables->form = NF_TABLE_IDS;
    for (size_t i = 0; i < m->count; i++)
        NF_TRY(push_token(folder->tables, m->pieces[i].text, 0, err));
    NF_TRY(nf_token_tables_index(folder->tables, err));
    return add_merges(folder, normal_only, err);
}

static nerfit_status put_added_ends(const nf_tokenizer_folder *folder, json_t *description,
                                    nerfit_error *err) {
    return put_template(
        folder, description,
        nf_recipe_option(folder, "add_bos_token", false) ? folder->named[NF_BOS] : NULL,
        nf_recipe_option(folder, "add_eos_token", false) ? folder->named[NF_EOS] : NULL, err);
}

static nerfit_status llama_parts(const nf_tokenizer_folder *folder, json_t *description,
                                 nerfit_error *err) {
    NF_TRY(put_bpe(folder, description, NULL, true, false, false, err));
    const char *scheme = !nf_recipe_option(folder, "add_prefix_space", true) ? "never"
                         : nf_recipe_option(folder, "legacy", false)         ? "always"
                                                                             : "first";
    NF_TRY(nf_recipe_put(description, "pre_tokenizer", metaspace(scheme, false), err));
    return put_added_ends(folder, description, err);
}

typedef struct user_piece {
    const char *text;
    size_t characters, place;
} user_piece;

static int longest_first(const void *x, const void *y) {
    const user_piece *a = x, *b = y;
    if (a->characters != b->characters) return a->characters > b->characters ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Split that lets user-defined pieces stand alone, as SentencePiece does. */
static nerfit_status append_user_defined(json_t *list, const nf_sp_model *m, nerfit_error *err) {
    user_piece *pieces = calloc(m->count, sizeof *pieces);
    if (!pieces) return nf_no_memory(err, m->count * sizeof *pieces);
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++) {
        const char *text = m->pieces[i].text;
        if (m->pieces[i].type == NF_SP_USER_DEFINED)
            pieces[count++] = (user_piece){text, nf_utf8_count(text, strlen(text)), i};
    }
    qsort(pieces, count, sizeof *pieces, longest_first);
    nf_str pattern = {0};
    for (size_t i = 0; i < count; i++) {
        if (i > 0) nf_str_append(&pattern, "|", 1);
        for (const char *c = pieces[i].text; *c; c++) {
            if (strchr("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", *c)) nf_str_append(&pattern, "\\", 1);
            nf_str_append(&pattern, c, 1);
        }
    }
    free(pieces);
    nerfit_status status =
        pattern.failed
            ? nf_no_memory(err, pattern.length)
            : append(list,
                     json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex",
                               nf_str_text(&pattern), "behavior", "Isolated", "invert", 0),
                     err);
    nf_str_free(&pattern);
    return status;
}

/* Any other class: the settings of the file itself, so that the result is SentencePiece's own. */
static nerfit_status sentencepiece_parts(const nf_tokenizer_folder *folder, json_t *description,
                                         nerfit_error *err) {
    const nf_sp_model *m = folder->pieces;
    const json_t *renamed = json_object_get(folder->config, "added_tokens_decoder"), *token;
    bool user_defined = false, legacy = nf_recipe_option(folder, "legacy", true);
    const char *id;
    for (size_t i = 0; i < m->count; i++) user_defined |= m->pieces[i].type == NF_SP_USER_DEFINED;
    json_object_foreach((json_t *)renamed, id, token) {
        uint64_t at;
        if (!nf_whole_parse(id, INT32_MAX, &at)) continue;
        const char *content = json_string_value(json_object_get(token, "content"));
        if (at < m->count && content && strcmp(m->pieces[at].text, content) != 0)
            return nf_fail_at(err, NERFIT_UNSUPPORTED, folder->path, 0, 0,
                              "tokenizer_config.json: token %s is \"%.60s\", but \"%.60s\" in %s",
                              id, content, m->pieces[at].text, nf_recipe_sentencepiece.files);
    }
    if (m->model_type == NF_SP_BPE) {
        NF_TRY(
            put_bpe(folder, description, m->unk_piece, m->byte_fallback, user_defined, true, err));
    } else {
        NF_TRY(vocabulary_around(folder, NULL, 0, 0, NULL, err));
        NF_TRY(put_unigram(folder, description, m->unk_id, m->byte_fallback, err));
    }
    json_t *list = new_sequence(description, "normalizer", "normalizers", err);
    if (!list) return nf_no_memory(err, 64);
    NF_TRY(append_precompiled(list, m, err));
    if (m->remove_extra_whitespaces) {
        NF_TRY(append_replace(list, "Regex", "\\A +| +\\z", "", err));
        NF_TRY(append_replace(list, "Regex", " {2,}", " ", err));
    }
    if (m->escape_whitespaces) NF_TRY(append_replace(list, "String", " ", "\u2581", err));
    if (m->add_dummy_prefix && legacy)
        NF_TRY(append_replace(list, "Regex", "\\A\u2581", "\u2581\u2581", err));
    if (m->add_dummy_prefix || user_defined) {
        list = new_sequence(description, "pre_tokenizer", "pretokenizers", err);
        if (!list) return nf_no_memory(err, 64);
        if (m->add_dummy_prefix)
            NF_TRY(append(list, metaspace(legacy ? "always" : "first", false), err));
        if (user_defined) NF_TRY(append_user_defined(list, m, err));
    }
    return put_added_ends(folder, description, err);
}

const nf_recipe nf_recipe_xlm_roberta = {
    .files = "sentencepiece.bpe.model",
    .defaults = {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"},
    .parts = xlm_roberta_parts,
    .sentencepiece = true};
const nf_recipe nf_recipe_camembert = {
    .files = "sentencepiece.bpe.model",
    .defaults = {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"},
    .parts = camembert_parts,
    .sentencepiece = true,
    .mask_strips = true};
const nf_recipe nf_recipe_deberta_v2 = {
    .files = "spm.model",
    .defaults = {"[CLS]", "[SEP]", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"},
    .parts = deberta_v2_parts,
    .sentencepiece = true};
const nf_recipe nf_recipe_albert = {
    .files = "spiece.model",
    .defaults = {"[CLS]", "[SEP]", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"},
    .parts = albert_parts,
    .sentencepiece = true};
const nf_recipe nf_recipe_t5 = {.files = "spiece.model",
                                .defaults = {NULL, "</s>", "<unk>", NULL, "<pad>", NULL, NULL},
                                .parts = t5_parts,
                                .sentencepiece = true,
                                .extra_ids = true};
const nf_recipe nf_recipe_llama = {.files = "tokenizer.model",
                                   .defaults = {"<s>", "</s>", "<unk>", NULL, NULL, NULL, NULL},
                                   .parts = llama_parts,
                                   .sentencepiece = true};
const nf_recipe nf_recipe_sentencepiece = {
    .files = "tokenizer.model", .parts = sentencepiece_parts, .sentencepiece = true};
