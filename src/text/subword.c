/* The table of models. Old files have no "type" in their model: then its fields tell it. */
#include "text/subword.h"

#include <string.h>

nerfit_status nf_vocabulary_load(nf_vocabulary *vocabulary, nf_table_form form, const char *what,
                                 nf_load *load) {
    const nf_token_tables *tables = load->tables;
    if (tables->form != form || (tables->broken && form == NF_TABLE_SCORES))
        return nf_token_tables_fail(
            tables, load->file, tables->broken ? tables->broken_at : tables->vocabulary_at,
            load->err, "%s: \"vocab\" must be an %s", what,
            form == NF_TABLE_IDS ? "object of tokens and ids"
                                 : "array of pairs of a token and its score");
    if (tables->broken)
        return nf_token_tables_fail(tables, load->file, tables->broken_at, load->err,
                                    "%s: an id must be an integer from 0 to %d", what,
                                    NF_VOCABULARY_MAX_ID);
    memset(vocabulary, 0, sizeof *vocabulary);
    for (size_t i = 0; i < tables->count; i++)
        if ((size_t)tables->rows[i].id + 1 > vocabulary->size)
            vocabulary->size = (size_t)tables->rows[i].id + 1;
    size_t size = vocabulary->size + 1;
    vocabulary->texts = nf_arena_calloc(load->arena, size, sizeof *vocabulary->texts);
    vocabulary->lengths = nf_arena_calloc(load->arena, size, sizeof *vocabulary->lengths);
    if (!vocabulary->texts || !vocabulary->lengths) return nf_no_memory(load->err, size * 12);
    vocabulary->table = tables->index;
    vocabulary->count = form == NF_TABLE_IDS ? tables->index.count : tables->count;
    bool twice = form == NF_TABLE_IDS && tables->index.count < tables->count;
    for (size_t i = 0; i < tables->count; i++) {
        const nf_token_row *row = &tables->rows[i];
        /* of lines of vocab.txt that are equal the last counts */
        if (twice && nf_vocabulary_id(vocabulary, row->text, row->length) != row->id) continue;
        vocabulary->texts[row->id] = row->text;
        vocabulary->lengths[row->id] = row->length;
    }
    return NERFIT_OK;
}

static const nf_component_row models[] = {
    {"WordPiece", nf_subword_wordpiece_load},
    {"BPE", nf_subword_bpe_load},
    {"Unigram", nf_subword_unigram_load},
    {"WordLevel", nf_subword_wordlevel_load},
};

nerfit_status nf_subword_load(nf_subword_model **out, const json_t *json, nf_load *load) {
    *out = NULL;
    if (json_is_object(json) && !json_object_get(json, "type") &&
        json_is_object(json_object_get(json, "vocab"))) {
        if (json_object_get(json, "merges")) return nf_subword_bpe_load((void **)out, json, load);
        if (json_object_get(json, "continuing_subword_prefix"))
            return nf_subword_wordpiece_load((void **)out, json, load);
    }
    if (json_is_object(json) && !json_object_get(json, "type") &&
        json_is_array(json_object_get(json, "vocab")))
        return nf_subword_unigram_load((void **)out, json, load);
    return nf_component_load((void **)out, json, "model", models, NF_COUNT(models), load);
}
