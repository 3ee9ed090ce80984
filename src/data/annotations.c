#include "data/annotations.h"

#include <string.h>

#include "base/ascii.h"
#include "base/file.h"
#include "base/utf8.h"
#include "data/brackets.h"
#include "data/conll.h"
#include "data/json_annotations.h"

/* ---------------------------------------------------------------- plain text */

static nerfit_status read_text(nf_reading *reading, const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    nf_given_document given = {0};
    while (nf_lines_next(&lines, &given.text, &given.text_size)) {
        given.line = lines.number;
        NF_TRY(nf_reading_add(reading, &given));
    }
    return NERFIT_OK;
}

static nerfit_status write_text(nf_str *out, const nf_document *d, nerfit_error *err) {
    if (memchr(d->text, '\n', d->text_size) || memchr(d->text, '\r', d->text_size))
        return nf_fail_at(err, NERFIT_UNSUPPORTED, d->file, d->line, 0,
                          "has a line break, which plain text cannot hold; use jsonl");
    nf_str_append(out, d->text, d->text_size);
    nf_str_append_char(out, '\n');
    return out->failed ? nf_no_memory(err, d->text_size) : NERFIT_OK;
}

/* ---------------------------------------------------------------- what content looks like */

/* The text without its byte order mark and the white space before its first character. */
static void skip_start(const char **text, size_t *size) {
    if (*size >= 3 && memcmp(*text, "\xEF\xBB\xBF", 3) == 0) *text += 3, *size -= 3;
    while (*size && strchr(" \t\r\n", **text) && **text) ++*text, --*size;
}

static bool looks_like_jsonl(const char *text, size_t size) {
    skip_start(&text, &size);
    return size && text[0] == '{' && nf_json_is_lines(text, size);
}

static bool looks_like_json(const char *text, size_t size) {
    skip_start(&text, &size);
    if (!size) return false;
    if (text[0] == '{') return true;
    if (text[0] != '[') return false;
    text++, size--;
    skip_start(&text, &size);
    return size && (text[0] == '{' || text[0] == ']');
}

static bool looks_like_conll(const char *text, size_t size) {
    static const nf_annotation_options defaults = {0};
    enum { ROWS = 200 };
    double score;
    nf_conll_layout_find(text, size, &defaults, ROWS, &score);
    return score >= 0.9;
}

static bool looks_like_brackets(const char *text, size_t size) {
    (void)text;
    (void)size;
    return true;
}

/* ---------------------------------------------------------------- the table */

/* A format without `looks_like` is chosen by name or ending alone. The first that fits is taken. */
static const struct {
    nf_format format;
    const char *name;
    const char *endings[5];
    bool (*looks_like)(const char *text, size_t size);
    nerfit_status (*read)(nf_reading *reading, const char *text, size_t size);
    nerfit_status (*write)(nf_str *out, const nf_document *document, nerfit_error *err);
} formats[] = {
    {NF_FORMAT_AUTO, "auto", {NULL}, NULL, NULL, NULL},
    {NF_FORMAT_JSONL,
     "jsonl",
     {".jsonl", ".ndjson"},
     looks_like_jsonl,
     nf_jsonl_read,
     nf_jsonl_write},
    {NF_FORMAT_JSON, "json", {".json"}, looks_like_json, nf_json_read, nf_json_write},
    {NF_FORMAT_CONLL,
     "conll",
     {".conll", ".tsv", ".bio", ".iob"},
     looks_like_conll,
     nf_conll_read,
     nf_conll_write},
    {NF_FORMAT_BRACKETS,
     "brackets",
     {NULL},
     looks_like_brackets,
     nf_brackets_read,
     nf_brackets_write},
    {NF_FORMAT_SEQ, "seq", {NULL}, NULL, NULL, NULL},
    {NF_FORMAT_TEXT, "text", {NULL}, NULL, read_text, write_text},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

static size_t row_of(nf_format format) {
    for (size_t i = 0; i < N_FORMATS; i++)
        if (formats[i].format == format) return i;
    return 0;
}

bool nf_format_find(const char *name, nf_format *format) {
    for (size_t i = 0; i < N_FORMATS; i++)
        if (nf_ascii_same(formats[i].name, name)) return *format = formats[i].format, true;
    return false;
}

const char *nf_format_name(nf_format format) {
    return formats[row_of(format)].name;
}

bool nf_overlap_policy_find(const char *name, nf_overlap_policy *policy) {
    static const char *const names[] = {[NF_OVERLAP_ERROR] = "error",
                                        [NF_OVERLAP_KEEP_LONGEST] = "longest",
                                        [NF_OVERLAP_KEEP_FIRST] = "first"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (nf_ascii_same(names[i], name)) return *policy = (nf_overlap_policy)i, true;
    return false;
}

static nf_format format_of_content(const char *text, size_t size) {
    for (size_t i = 0; i < N_FORMATS; i++)
        if (formats[i].looks_like && formats[i].looks_like(text, size)) return formats[i].format;
    return NF_FORMAT_BRACKETS;
}

bool nf_format_of_ending(const char *path, nf_format *format) {
    for (size_t i = 0; i < N_FORMATS; i++)
        for (size_t k = 0; formats[i].endings[k]; k++)
            if (nf_path_has_ending(path, formats[i].endings[k]))
                return *format = formats[i].format, true;
    return false;
}

nerfit_status nf_format_detect(const char *path, nf_format *format, nerfit_error *err) {
    if (nf_directory_exists(path)) return *format = NF_FORMAT_SEQ, NERFIT_OK;
    if (nf_format_of_ending(path, format)) return NERFIT_OK;
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    *format = format_of_content(file.data, file.size);
    nf_file_close(&file);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- reading and writing */

nerfit_status nf_annotations_parse_with(nf_corpus *corpus, const char *text, size_t size,
                                        const char *name, const nf_annotation_options *options,
                                        nerfit_error *err) {
    nf_reading reading = nf_reading_begin(corpus, options, name, err);
    nf_format format = reading.options->format;
    if (format == NF_FORMAT_AUTO) format = format_of_content(text, size);
    size_t row = row_of(format);
    if (!formats[row].read)
        return nf_fail(err, NERFIT_ARGUMENT, "format %s is not read from one text",
                       formats[row].name);
    return nf_reading_end(&reading, formats[row].read(&reading, text, size));
}

nerfit_status nf_annotations_read_with(nf_corpus *corpus, const char *path,
                                       const nf_annotation_options *options, nerfit_error *err) {
    nf_annotation_options chosen = options ? *options : (nf_annotation_options){0};
    if (chosen.format == NF_FORMAT_AUTO) NF_TRY(nf_format_detect(path, &chosen.format, err));
    if (chosen.format == NF_FORMAT_SEQ) {
        nf_reading reading = nf_reading_begin(corpus, &chosen, path, err);
        return nf_reading_end(&reading, nf_seq_read(&reading, path));
    }
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status status =
        nf_annotations_parse_with(corpus, file.data, file.size, path, &chosen, err);
    nf_file_close(&file);
    return status;
}

nerfit_status nf_annotations_read(nf_corpus *corpus, const char *path, nf_format format,
                                  const nf_log *log, nerfit_error *err) {
    nf_annotation_options options = {.format = format, .log = log};
    return nf_annotations_read_with(corpus, path, &options, err);
}

nerfit_status nf_annotations_parse(nf_corpus *corpus, const char *text, size_t size,
                                   const char *name, nf_format format, const nf_log *log,
                                   nerfit_error *err) {
    nf_annotation_options options = {.format = format, .log = log};
    return nf_annotations_parse_with(corpus, text, size, name, &options, err);
}

nerfit_status nf_annotations_write(nf_str *out, const nf_document *document, nf_format format,
                                   nerfit_error *err) {
    size_t row = row_of(format);
    if (!formats[row].write)
        return nf_fail(err, NERFIT_ARGUMENT, "format %s cannot be written", formats[row].name);
    return formats[row].write(out, document, err);
}
