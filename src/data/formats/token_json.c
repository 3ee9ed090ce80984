#include "data/formats/token_json.h"

#include <stdint.h>
#include <string.h>

#include "data/json_place.h"

nerfit_status nf_json_words(const nf_json_value *v, const json_t *list, const char *key,
                            nf_arena *arena, nf_conll_row **rows) {
    size_t count = json_array_size(list), at = nf_json_member(v->text, v->size, 0, key);
    nf_conll_row *out = nf_arena_calloc(arena, count + 1, sizeof *out);
    *rows = NULL;
    if (!out) return nf_no_memory(v->reading->err, count * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        const json_t *word = json_array_get(list, i);
        if (!json_is_string(word))
            return nf_json_value_error(v, nf_json_item(v->text, v->size, at, i), 0,
                                       "word %zu of \"%s\" is %s; expected a string", i + 1, key,
                                       nf_json_type_name(word));
        out[i] = (nf_conll_row){.word = json_string_value(word),
                                .word_size = json_string_length(word),
                                .label = "O",
                                .label_size = 1,
                                .line = v->line};
        if (!out[i].word_size)
            return nf_json_value_error(v, nf_json_item(v->text, v->size, at, i), 0,
                                       "word %zu of \"%s\" is empty", i + 1, key);
    }
    *rows = out;
    return NERFIT_OK;
}

/* The style that all labels have. */
static nf_label_style style_of(const nf_conll_row *rows, size_t count, bool bare) {
    for (int style = 0; style < NF_STYLE_TYPE_ONLY && !bare; style++) {
        bool all = true;
        for (size_t i = 0; i < count && all; i++)
            all = nf_label_has_style(rows[i].label, rows[i].label_size, (nf_label_style)style);
        if (all) return (nf_label_style)style;
    }
    return NF_STYLE_TYPE_ONLY;
}

nerfit_status nf_json_sentence_add(const nf_json_value *v, nf_conll_row *rows, size_t count,
                                   const char *const *taken, nf_arena *arena) {
    nf_beside beside = {0};
    NF_TRY(nf_json_fields(v, 0, taken, arena, &beside.fields));
    nf_sentence sentence = {.rows = rows,
                            .count = count,
                            .tagging = v->reading->options->tagging,
                            .beside = beside.fields ? &beside : NULL};
    if (count == 0) {
        nf_given_document empty = {.text = "", .beside = sentence.beside, .line = v->line};
        return nf_reading_add(v->reading, &empty);
    }
    nf_label_style style = style_of(rows, count, v->reading->options->bare_labels);
    if (style == NF_STYLE_TYPE_ONLY)
        NF_TRY(nf_json_value_warning(v, NF_FINDING_READING,
                                     "has labels without a prefix (B-, I-): neighbours of one type "
                                     "are taken as one entity"));
    const char *before = NULL;
    size_t before_size = 0;
    for (size_t i = 0; i < count; i++) {
        const char *label = rows[i].label;
        size_t size = rows[i].label_size;
        rows[i].label =
            nf_label_respell(arena, label, size, before, before_size, style, &rows[i].label_size);
        if (!rows[i].label) return nf_no_memory(v->reading->err, size);
        before = label;
        before_size = size;
    }
    return nf_sentence_add(v->reading, &sentence);
}

typedef struct word_writer {
    nf_str *words, *labels;
    size_t count;
} word_writer;

static void write_word(void *user, const char *word, size_t size, const char *label, bool begins) {
    word_writer *w = user;
    const char *comma = w->count++ ? ", " : "";
    nf_str tag = {0};
    nf_str_append_text(w->words, comma);
    nf_str_append_json(w->words, word, size);
    nf_str_append_text(w->labels, comma);
    if (label)
        nf_str_appendf(&tag, "%c-%s", begins ? 'B' : 'I', label);
    else
        nf_str_append_text(&tag, "O");
    nf_str_append_json(w->labels, nf_str_text(&tag), tag.length);
    if (tag.failed) w->labels->failed = true;
    nf_str_free(&tag);
}

nerfit_status nf_json_append_words(nf_str *words, nf_str *labels, const nf_document *d,
                                   nerfit_error *err) {
    word_writer w = {words, labels, 0};
    nf_str_append_char(words, '[');
    nf_str_append_char(labels, '[');
    NF_TRY(nf_conll_rows_write(d, write_word, &w, err));
    nf_str_append_char(words, ']');
    nf_str_append_char(labels, ']');
    return words->failed || labels->failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}
