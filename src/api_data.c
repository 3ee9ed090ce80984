/* nerfit.h: annotated texts in files. */
#include <stdlib.h>
#include <string.h>

#include "api_corpus.h"
#include "api_options.h"
#include "base/json.h"
#include "data/annotations.h"
#include "data/checking.h"
#include "data/selection.h"
#include "data/statistics.h"
#include "data/writing.h"

/* ---------------------------------------------------------------- reading */

static nerfit_status find_options(const nerfit_read_options *given, nf_annotation_options *out,
                                  nerfit_error *error) {
    const nf_annotation_texts texts = {given->format,  given->overlap,     given->tagging,
                                       given->offsets, given->word_column, given->label_column};
    out->max_errors = given->max_errors;
    return nf_annotation_options_find(out, &texts, error);
}

static void tell(const nf_annotation_report *report, nerfit_finding_function finding, void *user) {
    for (size_t i = 0; i < report->count && finding; i++) {
        const nf_finding *f = &report->items[i];
        nerfit_finding out = {.is_error = f->is_error,
                              .file = f->file,
                              .line = f->line,
                              .column = f->column,
                              .kind = nf_finding_kind_text(f->kind),
                              .message = f->message};
        finding(user, &out);
    }
}

/* A file or folder, or where `data` is not NULL one file's content. */
static nerfit_status read_input(nerfit_corpus *corpus, const char *data, size_t size,
                                const char *path, const nerfit_read_options *options_given,
                                nerfit_error *error) {
    nerfit_read_options own, *given = &own;
    NF_TRY(nf_options_take(&own, sizeof own, options_given, "nerfit_read_options", error));
    nf_annotation_report report = {.most_items = SIZE_MAX};
    nf_annotation_options options = {.log = &corpus->log};
    NF_TRY(find_options(given, &options, error));
    if (given->finding) options.report = &report, options.log = NULL; /* told once */
    nerfit_status status =
        data ? nf_annotations_parse_with(&corpus->corpus, data, size, path, &options, error)
             : nf_annotations_read_with(&corpus->corpus, path, &options, error);
    tell(&report, given->finding, given->user);
    nf_annotation_report_free(&report);
    return status;
}

nerfit_status nerfit_corpus_read(nerfit_corpus *corpus, const char *path,
                                 const nerfit_read_options *options, nerfit_error *error) {
    return read_input(corpus, NULL, 0, path, options, error);
}

nerfit_status nerfit_corpus_parse_with(nerfit_corpus *corpus, const char *data, size_t size,
                                       const char *name, const nerfit_read_options *options,
                                       nerfit_error *error) {
    return read_input(corpus, data ? data : "", size, name, options, error);
}

nerfit_status nerfit_corpus_check(const nerfit_corpus *const *corpora, size_t count,
                                  const char *descriptions, nerfit_finding_function finding,
                                  void *user, nerfit_error *error) {
    nf_annotation_report report = {.most_items = SIZE_MAX};
    nf_descriptions d = {.count = 0};
    const nf_corpus **inner = calloc(count + 1, sizeof *inner);
    nerfit_status status = inner ? NERFIT_OK : nf_no_memory(error, count);
    for (size_t i = 0; i < count && inner; i++) inner[i] = &corpora[i]->corpus;
    if (status == NERFIT_OK && descriptions) status = nf_descriptions_read(&d, descriptions, error);
    if (status == NERFIT_OK)
        status =
            nf_corpora_check(inner, count, descriptions ? &d : NULL, descriptions, &report, error);
    if (status == NERFIT_OK) tell(&report, finding, user);
    nf_descriptions_free(&d);
    nf_annotation_report_free(&report);
    free(inner);
    return status;
}

/* ---------------------------------------------------------------- writing */

nerfit_status nerfit_corpus_write(const nerfit_corpus *corpus, const char *path,
                                  const char *format_name, nerfit_error *error) {
    const nf_format *format;
    NF_TRY(nf_format_choose(format_name, NF_FORMATS_WRITTEN, "format", &format, error));
    return nf_corpus_write(&corpus->corpus, path, format, &corpus->log, error);
}

nerfit_status nerfit_corpus_format(const nerfit_corpus *corpus, const char *format_name,
                                   char **text, size_t *size, nerfit_error *error) {
    const nf_format *format;
    *text = NULL;
    NF_TRY(nf_format_choose(format_name ? format_name : "", NF_FORMATS_PRINTED, "format", &format,
                            error));
    nf_parts parts = {0};
    nf_writing_losses losses;
    nerfit_status status = nf_corpus_format(&parts, &corpus->corpus, format, &losses, error);
    nf_part *part = status == NERFIT_OK ? nf_parts_get(&parts, "") : NULL;
    if (status == NERFIT_OK && (!part || !nf_str_append_text(&part->text, "")))
        status = nf_no_memory(error, 1);
    if (status == NERFIT_OK) {
        nf_writing_losses_log(&losses, format, &corpus->log);
        *text = part->text.data;
        *size = part->text.length;
        part->text = (nf_str){0};
    }
    nf_parts_free(&parts);
    return status;
}

/* ---------------------------------------------------------------- the table of formats */

char *nerfit_format_names(nerfit_format_use use, const char *separator) {
    nf_str out = {0};
    nf_format_names(&out, (nf_format_use)use, separator);
    return out.data;
}

nerfit_status nerfit_formats(nerfit_format_function format, void *user, nerfit_error *error) {
    nf_str endings = {0};
    for (size_t i = 0; i < nf_format_count && !endings.failed; i++) {
        const nf_format *f = nf_formats[i];
        nf_str_clear(&endings);
        for (size_t k = 0; k < sizeof f->endings / sizeof *f->endings && f->endings[k]; k++)
            if (f->endings[k][0]) nf_str_appendf(&endings, "%s%s", k ? " " : "", f->endings[k]);
        nerfit_format out = {.name = f->name,
                             .title = f->title,
                             .endings = nf_str_text(&endings),
                             .folder = f->folder,
                             .is_read = nf_format_is_read(f),
                             .is_written = nf_format_is_written(f),
                             .recognised = f->recognised,
                             .kept = f->kept,
                             .lost = f->lost,
                             .advice = f->advice,
                             .by_ending = f->by_ending};
        format(user, &out);
    }
    bool failed = endings.failed;
    nf_str_free(&endings);
    return failed ? nf_no_memory(error, 0) : NERFIT_OK;
}

/* ---------------------------------------------------------------- statistics */

nerfit_status nerfit_corpus_statistics(const nerfit_corpus *const *corpora,
                                       const char *const *names, size_t count, char **text,
                                       char **json, nerfit_error *error) {
    *text = *json = NULL;
    json_t *statistics = NULL;
    const nf_corpus **inner = calloc(count + 1, sizeof *inner);
    if (!inner) return nf_no_memory(error, count);
    for (size_t i = 0; i < count; i++) inner[i] = &corpora[i]->corpus;
    nerfit_status status = nf_statistics_make(&statistics, inner, names, count, error);
    free(inner);
    if (status != NERFIT_OK) return status;
    nf_str out = {0};
    nf_statistics_text(statistics, &out);
    *json = nf_json_text(statistics, JSON_INDENT(2));
    json_decref(statistics);
    if (*json && !out.failed && nf_str_append_text(&out, "")) {
        *text = out.data;
        return NERFIT_OK;
    }
    nf_str_free(&out);
    free(*json);
    *json = NULL;
    return nf_no_memory(error, 0);
}

/* ---------------------------------------------------------------- splits and samples */

/* A new corpus of the chosen texts. */
static nerfit_status take(const nerfit_corpus *from, const uint32_t *chosen, size_t count,
                          nerfit_corpus **out, nerfit_error *error) {
    NF_TRY(nerfit_corpus_new(out, from->log.function, from->log.user, error));
    nerfit_status status = nf_corpus_take(&(*out)->corpus, &from->corpus, chosen, count, error);
    if (status == NERFIT_OK) return NERFIT_OK;
    nerfit_corpus_free(*out);
    *out = NULL;
    return status;
}

static nerfit_status split(const nerfit_corpus *corpus, const char *const *sizes, size_t count,
                           uint64_t seed, nerfit_corpus **parts, nf_arena *arena,
                           nerfit_error *error) {
    size_t n = corpus->corpus.n_documents;
    nf_amount *amounts = nf_arena_calloc(arena, count + 1, sizeof *amounts);
    uint32_t *part_of = nf_arena_calloc(arena, n + 1, sizeof *part_of);
    uint32_t *chosen = nf_arena_calloc(arena, n + 1, sizeof *chosen);
    if (!amounts || !part_of || !chosen) return nf_no_memory(error, n);
    for (size_t j = 0; j < count; j++)
        NF_TRY(nf_amount_parse(&amounts[j], sizes[j], "sizes", error));
    NF_TRY(nf_split(&corpus->corpus, amounts, count, seed, part_of, error));
    for (size_t j = 0; j < count; j++) {
        size_t n_chosen = 0;
        for (size_t i = 0; i < n; i++)
            if (part_of[i] == j) chosen[n_chosen++] = (uint32_t)i;
        NF_TRY(take(corpus, chosen, n_chosen, &parts[j], error));
    }
    return NERFIT_OK;
}

nerfit_status nerfit_corpus_split(const nerfit_corpus *corpus, const char *const *sizes,
                                  size_t count, uint64_t seed, nerfit_corpus **parts,
                                  nerfit_error *error) {
    nf_arena arena = {0};
    for (size_t j = 0; j < count; j++) parts[j] = NULL;
    nerfit_status status = split(corpus, sizes, count, seed, parts, &arena, error);
    nf_arena_free(&arena);
    for (size_t j = 0; j < count && status != NERFIT_OK; j++) {
        nerfit_corpus_free(parts[j]);
        parts[j] = NULL;
    }
    return status;
}

nerfit_status nerfit_corpus_sample(const nerfit_corpus *corpus, size_t k, uint64_t seed,
                                   const char *negatives, nerfit_corpus **sample,
                                   nerfit_error *error) {
    nf_sample_options options = {.k = k, .seed = seed};
    *sample = NULL;
    if (negatives) NF_TRY(nf_amount_parse(&options.negatives, negatives, "negatives", error));
    size_t count;
    nf_shortage shortage;
    uint32_t *chosen = malloc((corpus->corpus.n_documents + 1) * sizeof *chosen);
    if (!chosen) return nf_no_memory(error, corpus->corpus.n_documents * sizeof *chosen);
    nerfit_status status = nf_sample(&corpus->corpus, &options, chosen, &count, &shortage, error);
    if (status == NERFIT_OK && shortage.types)
        nf_log_warning(&corpus->log, "%zu entity types have fewer than %zu mentions in all texts",
                       shortage.types, k);
    if (status == NERFIT_OK && shortage.negatives)
        nf_log_warning(&corpus->log, "there are %zu texts without an entity too few",
                       shortage.negatives);
    if (status == NERFIT_OK) status = take(corpus, chosen, count, sample, error);
    free(chosen);
    return status;
}

long nerfit_corpus_line(const nerfit_corpus *corpus, size_t index) {
    return corpus->corpus.documents[index].line;
}

const char *nerfit_corpus_file(const nerfit_corpus *corpus, size_t index) {
    return corpus->corpus.documents[index].file;
}
