/* nerfit.h: scores of files against files. */
#include <string.h>

#include "api_options.h"
#include "api_report.h"
#include "base/file.h"
#include "data/annotations.h"
#include "data/formats/conll.h"

nerfit_status nf_scoring_mode_find(const char *mode, nf_scheme *scheme, nerfit_error *error) {
    static const struct {
        const char *name;
        nf_scheme scheme;
    } modes[] = {{"default", NF_SCHEME_NONE}, {"iob1", NF_SCHEME_IOB1},  {"iob2", NF_SCHEME_IOB2},
                 {"ioe1", NF_SCHEME_IOE1},    {"ioe2", NF_SCHEME_IOE2},  {"bioes", NF_SCHEME_BIOES},
                 {"iobes", NF_SCHEME_BIOES},  {"bilou", NF_SCHEME_BILOU}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(mode ? mode : "default", modes[i].name) == 0) {
            *scheme = modes[i].scheme;
            return NERFIT_OK;
        }
    return nf_fail(error, NERFIT_ARGUMENT,
                   "mode \"%s\" is not one of default, iob1, iob2, ioe1, ioe2, bioes, bilou", mode);
}

static char *label_text(nf_arena *arena, const nf_conll_row *row) {
    return nf_arena_copy(arena, row->label, row->label_size);
}

/* The first difference between two files' words. */
static nerfit_status same_words(const nf_conll *gold, const nf_conll *predicted,
                                const char *gold_name, const char *predicted_name,
                                nerfit_error *error) {
    size_t start = 0, p_start = 0;
    for (size_t s = 0; s < gold->n_sentences && s < predicted->n_sentences; s++) {
        size_t n = gold->ends[s] - start, p_n = predicted->ends[s] - p_start;
        for (size_t i = 0; i < n && i < p_n; i++) {
            const nf_conll_row *a = &gold->rows[start + i], *b = &predicted->rows[p_start + i];
            if (a->word_size != b->word_size || memcmp(a->word, b->word, a->word_size) != 0)
                return nf_fail_at(error, NERFIT_ARGUMENT, predicted_name, b->line, 0,
                                  "the word \"%.*s\" is \"%.*s\" in %s:%ld", (int)b->word_size,
                                  b->word, (int)a->word_size, a->word, gold_name, a->line);
        }
        if (n != p_n)
            return nf_fail_at(error, NERFIT_ARGUMENT, predicted_name, predicted->rows[p_start].line,
                              0,
                              "text %zu has %zu words, that of %s:%ld has %zu: expected the same "
                              "breaks between texts",
                              s + 1, p_n, gold_name, gold->rows[start].line, n);
        start = gold->ends[s];
        p_start = predicted->ends[s];
    }
    if (gold->n_sentences == predicted->n_sentences) return NERFIT_OK;
    return nf_fail_at(error, NERFIT_ARGUMENT, predicted_name, 0, 0,
                      "has %zu texts of %zu words in all; %s has %zu of %zu",
                      predicted->n_sentences, predicted->n_rows, gold_name, gold->n_sentences,
                      gold->n_rows);
}

static nerfit_status score_rows(nf_file_evaluation *e, nf_scheme scheme, const nf_conll *gold,
                                const nf_conll *predicted, const char *gold_name,
                                const char *predicted_name, nerfit_error *error) {
    NF_TRY(same_words(gold, predicted, gold_name, predicted_name, error));
    nf_arena arena = {0};
    const char **texts = nf_arena_calloc(&arena, 3 * gold->n_rows + 1, sizeof *texts);
    size_t *sizes = nf_arena_calloc(&arena, gold->n_rows + 1, sizeof *sizes);
    nerfit_status status = texts && sizes ? NERFIT_OK : nf_no_memory(error, gold->n_rows);
    for (size_t s = 0, start = 0; s < gold->n_sentences && status == NERFIT_OK; s++) {
        size_t n = gold->ends[s] - start;
        const char **g = texts, **p = texts + gold->n_rows, **words = p + gold->n_rows;
        for (size_t i = 0; i < n && status == NERFIT_OK; i++) {
            const nf_conll_row *a = &gold->rows[start + i], *b = &predicted->rows[start + i];
            g[i] = label_text(&arena, a);
            p[i] = label_text(&arena, b);
            words[i] = a->word;
            sizes[i] = a->word_size;
            if (!g[i] || !p[i]) status = nf_no_memory(error, 0);
        }
        nf_labelled_words row = {words, sizes, g, p, n, gold_name, gold->rows[start].line};
        if (status == NERFIT_OK) status = nf_file_evaluation_add_words(e, &row, scheme, error);
        start = gold->ends[s];
    }
    nf_arena_free(&arena);
    return status;
}

nerfit_status nerfit_score_files(const char *gold_path, const char *predicted_path,
                                 const char *mode, nerfit_report *report, nerfit_error *error) {
    return nerfit_score_files_with(gold_path, predicted_path, mode, NULL, NULL, report, error);
}

static nerfit_status read_rows(nf_conll *out, nf_file *file, const char *path,
                               const nerfit_read_options *given, nerfit_error *error) {
    nf_annotation_options options = {0};
    nerfit_read_options own;
    NF_TRY(nf_options_take(&own, sizeof own, given, "nerfit_read_options", error));
    const nf_annotation_texts texts = {
        .tagging = own.tagging, .word_column = own.word_column, .label_column = own.label_column};
    NF_TRY(nf_annotation_options_find(&options, &texts, error));
    NF_TRY(nf_file_open(file, path, error));
    return nf_conll_parse(out, file->data, file->size, path, &options, error);
}

nerfit_status nerfit_score_files_with(const char *gold_path, const char *predicted_path,
                                      const char *mode, const nerfit_read_options *gold_options,
                                      const nerfit_read_options *predicted_options,
                                      nerfit_report *report, nerfit_error *error) {
    *report = (nerfit_report){0};
    nf_scheme scheme;
    NF_TRY(nf_scoring_mode_find(mode, &scheme, error));
    nf_file files[2] = {{0}, {0}};
    nf_conll gold = {0}, predicted = {0};
    nf_file_evaluation e = {0};
    nerfit_status status = read_rows(&gold, &files[0], gold_path, gold_options, error);
    if (status == NERFIT_OK)
        status = read_rows(&predicted, &files[1], predicted_path, predicted_options, error);
    if (status == NERFIT_OK) status = nf_file_evaluation_begin(&e, scheme, error);
    if (status == NERFIT_OK)
        status = score_rows(&e, scheme, &gold, &predicted, gold_path, predicted_path, error);
    if (status == NERFIT_OK) status = nf_file_evaluation_report(&e, report, error);
    nf_file_evaluation_end(&e);
    nf_conll_free(&gold);
    nf_conll_free(&predicted);
    nf_file_close(&files[0]);
    nf_file_close(&files[1]);
    return status;
}
