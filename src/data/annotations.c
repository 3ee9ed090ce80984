#include "data/annotations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "data/brackets.h"
#include "data/conll.h"
#include "data/lines.h"
#include "data/words.h"

/* ---------------------------------------------------------------- JSON */

static nerfit_status bad_entity(nerfit_error *err, const char *name, long line, size_t number) {
    return nf_fail_at(err, NERFIT_FORMAT, name, line, 0,
                      "entity %zu should be [start, end, label] or {\"start\", \"end\", \"label\"}",
                      number);
}

static bool read_entity(const json_t *json, nf_given_span *out) {
    bool list = json_is_array(json) && json_array_size(json) == 3;
    const json_t *start = list ? json_array_get(json, 0) : json_object_get(json, "start");
    const json_t *end = list ? json_array_get(json, 1) : json_object_get(json, "end");
    const json_t *label = list ? json_array_get(json, 2) : json_object_get(json, "label");
    *out = (nf_given_span){json_integer_value(start), json_integer_value(end),
                           json_string_value(label), json_string_length(label)};
    return json_is_integer(start) && json_is_integer(end) && json_is_string(label);
}

static nerfit_status add_object(nf_corpus *corpus, const json_t *json, const char *name, long line,
                                const nf_log *log, nerfit_error *err) {
    if (!json_is_object(json))
        return nf_fail_at(err, NERFIT_FORMAT, name, line, 0,
                          "expected an object with \"text\" and \"entities\"");
    const json_t *text = json_object_get(json, "text"), *list = json_object_get(json, "entities");
    if (!json_is_string(text))
        return nf_fail_at(err, NERFIT_FORMAT, name, line, 0, "has no \"text\"");
    if (list && !json_is_array(list) && !json_is_null(list))
        return nf_fail_at(err, NERFIT_FORMAT, name, line, 0, "\"entities\" should be a list");
    size_t count = json_array_size(list);
    nf_given_span *spans = malloc((count + 1) * sizeof *spans);
    if (!spans) return nf_no_memory(err, count * sizeof *spans);
    nerfit_status status = NERFIT_OK;
    for (size_t i = 0; i < count && status == NERFIT_OK; i++)
        if (!read_entity(json_array_get(list, i), &spans[i]))
            status = bad_entity(err, name, line, i + 1);
    nf_given_document given = {.text = json_string_value(text),
                               .text_size = json_string_length(text),
                               .spans = spans,
                               .n_spans = count,
                               .file = name,
                               .line = line};
    if (status == NERFIT_OK) status = nf_corpus_add(corpus, &given, log, err);
    free(spans);
    return status;
}

static nerfit_status read_jsonl(nf_corpus *corpus, const char *text, size_t size, const char *name,
                                const nf_log *log, nerfit_error *err) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    while (nf_lines_next(&lines, &line, &length)) {
        if (nf_line_blank(line, length)) continue;
        json_t *json;
        NF_TRY(nf_json_parse(&json, line, length, name, lines.number, err));
        nerfit_status status = add_object(corpus, json, name, lines.number, log, err);
        json_decref(json);
        NF_TRY(status);
    }
    return NERFIT_OK;
}

/* Objects of an array have no lines of their own: their number stands for it. */
static nerfit_status read_json(nf_corpus *corpus, const char *text, size_t size, const char *name,
                               const nf_log *log, nerfit_error *err) {
    json_t *json;
    NF_TRY(nf_json_parse(&json, text, size, name, 1, err));
    nerfit_status status = NERFIT_OK;
    if (!json_is_array(json))
        status = nf_fail_at(err, NERFIT_FORMAT, name, 1, 0, "expected an array of objects");
    for (size_t i = 0; i < json_array_size(json) && status == NERFIT_OK; i++)
        status = add_object(corpus, json_array_get(json, i), name, (long)i + 1, log, err);
    json_decref(json);
    return status;
}

static nerfit_status write_jsonl(nf_str *out, const nf_document *d, nerfit_error *err) {
    json_t *entities = json_array();
    for (size_t i = 0; i < d->n_spans; i++)
        json_array_append_new(entities,
                              json_pack("[i, i, s]", (int)d->spans[i].start, (int)d->spans[i].end,
                                        d->spans[i].label));
    json_t *json = json_pack("{s:s%, s:o}", "text", d->text, d->text_size, "entities", entities);
    char *line = json ? json_dumps(json, 0) : NULL;
    json_decref(json);
    if (line) nf_str_appendf(out, "%s\n", line);
    free(line);
    return line && !out->failed ? NERFIT_OK : nf_no_memory(err, 0);
}

/* ---------------------------------------------------------------- CoNLL and seq */

/* word<TAB>label, BIO2. Words are the document's own, or those of words.h; a word is divided where a
 * span begins or ends inside it, so that no span is lost. */
static nerfit_status write_conll(nf_str *out, const nf_document *d, nerfit_error *err) {
    nf_word *words;
    size_t count, s = 0;
    NF_TRY(nf_words_split(&words, &count, d, err));
    for (size_t i = 0; i < count; i++) {
        size_t start = nf_utf8_offset(d->text, d->text_size, words[i].start);
        size_t end = nf_utf8_offset(d->text, d->text_size, words[i].end);
        while (s < d->n_spans && d->spans[s].end <= words[i].start) s++;
        bool inside = s < d->n_spans && d->spans[s].start <= words[i].start;
        nf_str_append(out, d->text + start, end - start);
        if (inside)
            nf_str_appendf(out, "\t%c-%s\n", d->spans[s].start == words[i].start ? 'B' : 'I',
                           d->spans[s].label);
        else nf_str_append_text(out, "\tO\n");
    }
    nf_str_append_char(out, '\n');
    free(words);
    return out->failed ? nf_no_memory(err, 0) : NERFIT_OK;
}

static nerfit_status add_seq_line(nf_corpus *corpus, const char *words, size_t n_words,
                                  const char *labels, size_t n_labels, const char *name, long line,
                                  const nf_log *log, nerfit_error *err) {
    nf_conll_row rows[1024];
    size_t count = 0, w = 0, l = 0;
    while (count < 1024) {
        while (w < n_words && strchr(" \t", words[w])) w++;
        while (l < n_labels && strchr(" \t", labels[l])) l++;
        if (w == n_words || l == n_labels) break;
        size_t word = w, label = l;
        while (w < n_words && !strchr(" \t", words[w])) w++;
        while (l < n_labels && !strchr(" \t", labels[l])) l++;
        rows[count++] = (nf_conll_row){words + word, labels + label, w - word, l - label, line};
        if (rows[count - 1].label_size != 1 && (rows[count - 1].label_size < 3 ||
                                                rows[count - 1].label[1] != '-'))
            return nf_fail_at(err, NERFIT_FORMAT, name, line, 0,
                              "label \"%.*s\" is neither O nor a prefix, a dash and a type",
                              (int)rows[count - 1].label_size, rows[count - 1].label);
    }
    if (!nf_line_blank(words + w, n_words - w) || !nf_line_blank(labels + l, n_labels - l))
        return nf_fail_at(err, NERFIT_FORMAT, name, line, 0,
                          "seq.in and seq.out differ in the number of words (or hold more than "
                          "1024)");
    return count ? nf_conll_add(corpus, rows, count, name, log, err) : NERFIT_OK;
}

static nerfit_status read_seq(nf_corpus *corpus, const char *folder, const nf_log *log,
                              nerfit_error *err) {
    nf_arena arena = {0};
    nf_file words = {0}, labels = {0};
    const char *in = nf_path_join(&arena, folder, "seq.in");
    const char *out = nf_path_join(&arena, folder, "seq.out");
    nerfit_status status = in && out ? nf_file_open(&words, in, err) : nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = nf_file_open(&labels, out, err);
    if (status == NERFIT_OK) {
        nf_lines w = nf_lines_of(words.data, words.size);
        nf_lines l = nf_lines_of(labels.data, labels.size);
        const char *word_line, *label_line;
        size_t n_words, n_labels;
        while (status == NERFIT_OK) {
            bool more = nf_lines_next(&w, &word_line, &n_words);
            if (nf_lines_next(&l, &label_line, &n_labels) != more)
                status = nf_fail_at(err, NERFIT_FORMAT, in, w.number, 0,
                                    "seq.in and seq.out differ in the number of lines");
            else if (!more) break;
            else
                status = add_seq_line(corpus, word_line, n_words, label_line, n_labels, in,
                                      w.number, log, err);
        }
    }
    nf_file_close(&words);
    nf_file_close(&labels);
    nf_arena_free(&arena);
    return status;
}

/* ---------------------------------------------------------------- the table */

static const struct {
    const char *name;
    nf_format format;
    const char *endings[3];
    nerfit_status (*read)(nf_corpus *corpus, const char *text, size_t size, const char *name,
                          const nf_log *log, nerfit_error *err);
    nerfit_status (*write)(nf_str *out, const nf_document *document, nerfit_error *err);
} formats[] = {
    {"auto", NF_FORMAT_AUTO, {NULL}, NULL, NULL},
    {"jsonl", NF_FORMAT_JSONL, {".jsonl", ".ndjson"}, read_jsonl, write_jsonl},
    {"json", NF_FORMAT_JSON, {NULL}, read_json, NULL},
    {"brackets", NF_FORMAT_BRACKETS, {NULL}, nf_brackets_read, nf_brackets_write},
    {"conll", NF_FORMAT_CONLL, {".conll", ".tsv", ".bio"}, nf_conll_read, write_conll},
    {"seq", NF_FORMAT_SEQ, {NULL}, NULL, NULL},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

bool nf_format_find(const char *name, nf_format *format) {
    for (size_t i = 0; i < N_FORMATS; i++)
        if (strcmp(formats[i].name, name) == 0) return *format = formats[i].format, true;
    return false;
}

/* The content decides by its first lines: "{" JSON lines, "[{" or "[" + line break a JSON array, a
 * second column that is a label CoNLL; else brackets. */
static nf_format sniff(const char *text, size_t size) {
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length, rows = 0, labelled = 0;
    while (rows < 50 && nf_lines_next(&lines, &line, &length)) {
        if (nf_line_blank(line, length) || line[0] == '#' || line[0] == '-') continue;
        if (rows == 0 && line[0] == '{') return NF_FORMAT_JSONL;
        if (rows == 0 && line[0] == '[' && (length == 1 || strchr("{ ", line[1]))) {
            json_t *json = NULL;
            bool array = nf_json_parse(&json, text, size, NULL, 1, NULL) == NERFIT_OK;
            json_decref(json);
            if (array) return NF_FORMAT_JSON;
        }
        rows++;
        size_t first = 0, last = length;
        while (first < length && line[first] != ' ' && line[first] != '\t') first++;
        while (last > 0 && line[last - 1] != ' ' && line[last - 1] != '\t') last--;
        size_t tail = length - last;
        bool tag_last = last > 0 && ((tail == 1 && line[last] == 'O') ||
                                     (tail > 2 && line[last + 1] == '-'));
        bool tag_first = first < length && ((first == 1 && line[0] == 'O') ||
                                            (first > 2 && line[1] == '-'));
        labelled += tag_last || tag_first;
    }
    return rows && labelled == rows ? NF_FORMAT_CONLL : NF_FORMAT_BRACKETS;
}

nerfit_status nf_format_detect(const char *path, nf_format *format, nerfit_error *err) {
    if (nf_directory_exists(path)) return *format = NF_FORMAT_SEQ, NERFIT_OK;
    for (size_t i = 0; i < N_FORMATS; i++)
        for (size_t k = 0; k < 3 && formats[i].endings[k]; k++)
            if (nf_path_has_ending(path, formats[i].endings[k]))
                return *format = formats[i].format, NERFIT_OK;
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    *format = sniff(file.data, file.size);
    nf_file_close(&file);
    return NERFIT_OK;
}

nerfit_status nf_annotations_parse(nf_corpus *corpus, const char *text, size_t size,
                                   const char *name, nf_format format, const nf_log *log,
                                   nerfit_error *err) {
    if (format == NF_FORMAT_AUTO) format = sniff(text, size);
    if (!formats[format].read)
        return nf_fail(err, NERFIT_ARGUMENT, "format %s is not read from memory",
                       formats[format].name);
    return formats[format].read(corpus, text, size, name, log, err);
}

nerfit_status nf_annotations_read(nf_corpus *corpus, const char *path, nf_format format,
                                  const nf_log *log, nerfit_error *err) {
    if (format == NF_FORMAT_AUTO) NF_TRY(nf_format_detect(path, &format, err));
    if (format == NF_FORMAT_SEQ) return read_seq(corpus, path, log, err);
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status status =
        nf_annotations_parse(corpus, file.data, file.size, path, format, log, err);
    nf_file_close(&file);
    return status;
}

nerfit_status nf_annotations_write(nf_str *out, const nf_document *document, nf_format format,
                                   nerfit_error *err) {
    if (!formats[format].write)
        return nf_fail(err, NERFIT_ARGUMENT, "format %s cannot be written",
                       formats[format].name);
    return formats[format].write(out, document, err);
}
