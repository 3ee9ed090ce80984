/* Which format an input has, and its bytes made ready for that format's reader. */
#include "data/annotations.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/file.h"
#include "base/number.h"
#include "data/formats/format.h"
#include "data/lines.h"
#include "data/offsets.h"

/* ---------------------------------------------------------------- options */

static const struct {
    const char *name;
    nf_overlap_policy policy;
} policies[] = {{"error", NF_OVERLAP_ERROR},
                {"all", NF_OVERLAP_KEEP_ALL},
                {"longest", NF_OVERLAP_KEEP_LONGEST},
                {"first", NF_OVERLAP_KEEP_FIRST}};

bool nf_overlap_policy_find(const char *name, nf_overlap_policy *policy) {
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
        if (nf_ascii_same(policies[i].name, name)) return *policy = policies[i].policy, true;
    return false;
}

bool nf_column_parse(nf_column *column, const char *text) {
    uint64_t number;
    bool from_end = text[0] == '-';
    *column = (nf_column){0};
    if (!nf_whole_parse(text + from_end, 1000000, &number))
        return column->name = text, text[0] != '\0';
    column->number = from_end ? -(int)number : (int)number;
    return number >= 1 && number <= 64;
}

static nerfit_status find_column(nf_column *column, const char *text, const char *option,
                                 nerfit_error *err) {
    if (!text || nf_column_parse(column, text)) return NERFIT_OK;
    return nf_fail(err, NERFIT_ARGUMENT,
                   "%s \"%s\" is no column; expected its number (from 1, or -1 for the last), or "
                   "its name in the header",
                   option, text);
}

nerfit_status nf_annotation_options_find(nf_annotation_options *options,
                                         const nf_annotation_texts *texts, nerfit_error *err) {
    NF_TRY(nf_format_choose(texts->format, NF_FORMATS_READ, "format", &options->format, err));
    if (texts->overlap && !nf_overlap_policy_find(texts->overlap, &options->overlap))
        return nf_fail(err, NERFIT_ARGUMENT,
                       "overlap \"%s\" is not one of error, all, longest, first", texts->overlap);
    options->bare_labels = texts->tagging && nf_ascii_same(texts->tagging, "none");
    if (texts->tagging && !options->bare_labels &&
        !nf_tagging_find(texts->tagging, &options->tagging))
        return nf_fail(err, NERFIT_ARGUMENT,
                       "tagging \"%s\" is not one of auto, iob1, iob2, bioes, bilou, none",
                       texts->tagging);
    options->offsets_given = texts->offsets && !nf_ascii_same(texts->offsets, "auto");
    if (options->offsets_given && !nf_offset_unit_find(texts->offsets, &options->offsets))
        return nf_fail(err, NERFIT_ARGUMENT,
                       "offsets \"%s\" is not one of auto, code_points, utf16, bytes",
                       texts->offsets);
    NF_TRY(find_column(&options->word_column, texts->word_column, "word_column", err));
    return find_column(&options->label_column, texts->label_column, "label_column", err);
}

/* ---------------------------------------------------------------- bytes */

/* A file's text, made ready; `own` is freed. */
typedef struct ready_text {
    const char *text;
    size_t size;
    char *own;
} ready_text;

static const char *utf16_kind(const char *text, size_t size) {
    if (size < 2) return NULL;
    bool little = memcmp(text, "\xFF\xFE", 2) == 0, big = memcmp(text, "\xFE\xFF", 2) == 0;
    if (size >= 4 && (memcmp(text, "\xFF\xFE\0\0", 4) == 0 || memcmp(text, "\0\0\xFE\xFF", 4) == 0))
        return "UTF-32";
    if (little || big) return "UTF-16";
    size_t zeros[2] = {0}, looked = size < 64 ? size & ~(size_t)1 : 64;
    for (size_t i = 0; i < looked; i++) zeros[i % 2] += text[i] == 0;
    return looked >= 4 && (zeros[0] * 3 > looked || zeros[1] * 3 > looked) ? "UTF-16" : NULL;
}

/* Byte order marks at the beginnings of later lines, where files were put together. */
static nerfit_status drop_inner_marks(nf_reading *reading, ready_text *ready) {
    size_t kept = 0;
    nf_lines lines = nf_lines_of(ready->text, ready->size);
    const char *line;
    size_t length;
    if (!memmem(ready->text, ready->size, "\n\xEF\xBB\xBF", 4)) return NERFIT_OK;
    char *own = malloc(ready->size + 1);
    if (!own) return nf_no_memory(reading->err, ready->size);
    nerfit_status status = NERFIT_OK;
    while (status == NERFIT_OK && nf_lines_next(&lines, &line, &length)) {
        const char *end = lines.at;
        if (length >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0) {
            nf_finding finding = {.kind = NF_FINDING_BYTES, .line = lines.number};
            line += 3;
            status = nf_reading_warning(reading, &finding,
                                        "has a byte order mark inside the file: passed over");
        }
        memcpy(own + kept, line, (size_t)(end - line));
        kept += (size_t)(end - line);
    }
    free(ready->own);
    *ready = (ready_text){own, kept, own};
    return status;
}

/* The old Macintosh's line ends, if there are no others. */
static nerfit_status replace_returns(nf_reading *reading, ready_text *ready) {
    if (memchr(ready->text, '\n', ready->size) || !memchr(ready->text, '\r', ready->size))
        return NERFIT_OK;
    char *own = malloc(ready->size + 1);
    if (!own) return nf_no_memory(reading->err, ready->size);
    for (size_t i = 0; i < ready->size; i++)
        own[i] = ready->text[i] == '\r' ? '\n' : ready->text[i];
    free(ready->own);
    *ready = (ready_text){own, ready->size, own};
    nf_finding finding = {.kind = NF_FINDING_BYTES};
    return nf_reading_warning(reading, &finding,
                              "all its lines end with a carriage return (CR) alone: taken as line "
                              "ends");
}

static nerfit_status make_ready(nf_reading *reading, const char *text, size_t size,
                                ready_text *ready) {
    const char *kind = utf16_kind(text, size);
    *ready = (ready_text){text, size, NULL};
    if (kind)
        return nf_reading_malformed(reading, 1, 0,
                                    "is not UTF-8 (it begins like %s); convert it: iconv -f %s -t "
                                    "UTF-8 FILE",
                                    kind, kind);
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) ready->text += 3, ready->size -= 3;
    NF_TRY(replace_returns(reading, ready));
    return drop_inner_marks(reading, ready);
}

/* ---------------------------------------------------------------- which format */

/* The format of something that is there: sure signs in its first bytes, then its ending, then its
 * content. */
static const nf_format *format_of(const char *path, const char *text, size_t size) {
    const nf_format *content = nf_format_of_content(text, size);
    const nf_format *ending = path ? nf_format_of_ending(path) : NULL;
    return content && (content->sure || !ending) ? content : ending;
}

/* Plain text, as opposed to a table, markup or settings: nothing that recurs in its lines but
 * words. */
static bool is_plain(const char *name, const char *text, size_t size) {
    const char *slash = strrchr(name, '/'), *dot = strrchr(slash ? slash : name, '.');
    if (dot && dot != name && !nf_ascii_same(dot, ".txt") && strlen(dot) <= 6 && !strchr(dot, ' '))
        return false;
    size_t n = 0, tabs = 0, tagged = 0;
    nf_lines lines = nf_lines_of(text, size);
    const char *line;
    size_t length;
    while (nf_lines_next(&lines, &line, &length)) {
        if (nf_line_blank(line, length)) continue;
        n++;
        tabs += memchr(line, '\t', length) != NULL;
        tagged += memmem(line, length, "</", 2) != NULL || memmem(line, length, "](", 2) != NULL;
    }
    return tabs * 2 < n + 1 && tagged * 4 < n + 1;
}

static nerfit_status not_recognised(nf_reading *reading) {
    return nf_reading_malformed(
        reading, 0, 0,
        "is in no format that is recognised, and no plain text; name its format (nerfit data "
        "formats lists them), or convert it into JSON lines: {\"text\": ..., \"entities\": "
        "[[start, "
        "end, label], ...]}");
}

/* Text without any annotation: bracket text of which nothing is known but that it could be. */
static nerfit_status read_plain(nf_reading *reading, const ready_text *ready) {
    nf_finding finding = {.kind = NF_FINDING_READING};
    if (!is_plain(reading->name, ready->text, ready->size)) return not_recognised(reading);
    if (!nf_line_blank(ready->text, ready->size))
        NF_TRY(nf_reading_warning(reading, &finding,
                                  "has no annotation ([label : span]) and no sign of another "
                                  "format: read as texts without entities, a text a line"));
    return nf_format_brackets.read(reading, ready->text, ready->size);
}

static nerfit_status read_ready(nf_reading *reading, const nf_format *format, const char *path,
                                const ready_text *ready) {
    if (!format) format = format_of(path, ready->text, ready->size);
    if (!format) return read_plain(reading, ready);
    if (format->advice)
        return nf_reading_malformed(reading, 0, 0, "looks like %s, which is not read: %s",
                                    format->title, format->advice);
    if (format->read) return format->read(reading, ready->text, ready->size);
    if (format->read_value) return nf_json_values_read(reading, ready->text, ready->size);
    return nf_fail(reading->err, NERFIT_ARGUMENT, "%s is one text, and the format \"%s\" a folder",
                   reading->name, format->name);
}

static const nf_format *binary_format(const char *text, size_t size) {
    for (size_t i = 0; i < nf_format_count; i++)
        if (nf_formats[i]->binary && nf_formats[i]->looks_like(text, size)) return nf_formats[i];
    return NULL;
}

static nerfit_status read_bytes(nf_reading *reading, const char *path, const char *text,
                                size_t size) {
    const nf_format *format = reading->format;
    if (!format) format = binary_format(text, size);
    ready_text ready = {text, size, NULL};
    if (format && format->binary) return read_ready(reading, format, path, &ready);
    size_t before = reading->n_errors;
    nerfit_status status = make_ready(reading, text, size, &ready);
    if (status == NERFIT_OK && reading->n_errors == before)
        status = read_ready(reading, format, path, &ready);
    free(ready.own);
    return status;
}

/* ---------------------------------------------------------------- folders */

enum { MOST_DEPTH = 8 };

static bool is_part_of(const nf_format *format, const char *name) {
    const char *slash = strrchr(name, '/');
    return format->part_looks_like(slash ? slash + 1 : name);
}

static bool is_sign_of(const nf_format *format, const char *name) {
    const char *slash = strrchr(name, '/');
    return (format->part_is_sign ? format->part_is_sign : format->part_looks_like)(slash ? slash + 1
                                                                                         : name);
}

/* The names of the files in a folder and its folders, or with a format the files themselves. */
static nerfit_status gather_parts(nf_parts *parts, const nf_format *format, const char *root,
                                  const char *inner, int depth, nerfit_error *err) {
    nf_arena arena = {0};
    const char *folder = inner[0] ? nf_path_join(&arena, root, inner) : root;
    DIR *open = folder ? opendir(folder) : NULL;
    nerfit_status status = NERFIT_OK;
    if (!folder) status = nf_no_memory(err, strlen(root));
    if (folder && !open)
        status = nf_fail_at(err, NERFIT_IO, folder, 0, 0, "the folder cannot be read");
    for (struct dirent *entry; status == NERFIT_OK && open && (entry = readdir(open));) {
        if (entry->d_name[0] == '.') continue;
        const char *name = inner[0] ? nf_path_join(&arena, inner, entry->d_name) : entry->d_name;
        const char *path = name ? nf_path_join(&arena, root, name) : NULL;
        if (!path)
            status = nf_no_memory(err, strlen(root));
        else if (nf_directory_exists(path)) {
            if (depth < MOST_DEPTH)
                status = gather_parts(parts, format, root, name, depth + 1, err);
        } else if (!format || is_part_of(format, name)) {
            nf_part *part = nf_parts_get(parts, name);
            if (!part) status = nf_no_memory(err, strlen(name));
            nf_file file;
            if (status != NERFIT_OK || !format) continue;
            status = nf_file_open(&file, path, err);
            if (status != NERFIT_OK) continue;
            if (!nf_str_append(&part->text, file.data, file.size))
                status = nf_no_memory(err, file.size);
            nf_file_close(&file);
        }
    }
    if (open) closedir(open);
    nf_arena_free(&arena);
    return status;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const nf_part *)a)->name, ((const nf_part *)b)->name);
}

static nerfit_status format_of_folder(const char *path, const nf_format **format,
                                      nerfit_error *err) {
    nf_parts names = {0};
    nerfit_status status = gather_parts(&names, NULL, path, "", 0, err);
    *format = NULL;
    for (size_t i = 0; i < nf_format_count && !*format; i++)
        for (size_t k = 0; nf_formats[i]->folder && k < names.count; k++)
            if (is_sign_of(nf_formats[i], names.items[k].name)) *format = nf_formats[i];
    nf_parts_free(&names);
    if (status != NERFIT_OK || *format) return status;
    return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                      "is a folder that holds no annotations: expected seq.in and seq.out, or "
                      "brat's .txt and .ann; or name one of its files");
}

static nerfit_status read_folder(nf_reading *reading, const char *path) {
    const nf_format *format = reading->format;
    nf_parts parts = {0};
    if (!format) NF_TRY(format_of_folder(path, &format, reading->err));
    if (!format->folder)
        return nf_fail_at(reading->err, NERFIT_ARGUMENT, path, 0, 0,
                          "is a folder; format %s is read from a file", format->name);
    nerfit_status status = gather_parts(&parts, format, path, "", 0, reading->err);
    if (parts.count) qsort(parts.items, parts.count, sizeof *parts.items, by_name);
    if (status == NERFIT_OK) status = format->read_parts(reading, &parts);
    nf_parts_free(&parts);
    return status;
}

nerfit_status nf_format_detect(const char *path, const nf_format **format, nerfit_error *err) {
    if (nf_directory_exists(path)) return format_of_folder(path, format, err);
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    nf_reading reading = nf_reading_begin(NULL, NULL, path, err);
    ready_text ready;
    *format = binary_format(file.data, file.size);
    nerfit_status status = NERFIT_OK;
    if (!*format) {
        status = make_ready(&reading, file.data, file.size, &ready);
        if (status == NERFIT_OK) *format = format_of(path, ready.text, ready.size);
        free(ready.own);
    }
    nf_file_close(&file);
    return status;
}

/* ---------------------------------------------------------------- reading and writing */

/* A file that was read, and in which nothing was found. */
static nerfit_status tell_empty(nf_reading *reading, size_t documents_before) {
    nf_finding finding = {.kind = NF_FINDING_READING};
    if (reading->texts_only || reading->n_errors || reading->n_logged[NF_FINDING_LEFT_OUT] ||
        reading->corpus->n_documents > documents_before)
        return NERFIT_OK;
    return nf_reading_warning(reading, &finding, "holds no text");
}

nerfit_status nf_texts_parse(nf_corpus *corpus, const char *text, size_t size, const char *name,
                             const nf_annotation_options *options, bool with_spans,
                             nerfit_error *err) {
    nf_reading reading = nf_reading_begin(corpus, options, name, err);
    reading.texts_only = !with_spans;
    size_t before = corpus->n_documents;
    nerfit_status status = read_bytes(&reading, name, text, size);
    if (status == NERFIT_OK) status = tell_empty(&reading, before);
    return nf_reading_end(&reading, status);
}

nerfit_status nf_annotations_parse_with(nf_corpus *corpus, const char *text, size_t size,
                                        const char *name, const nf_annotation_options *options,
                                        nerfit_error *err) {
    return nf_texts_parse(corpus, text, size, name, options, true, err);
}

nerfit_status nf_annotations_read_with(nf_corpus *corpus, const char *path,
                                       const nf_annotation_options *options, nerfit_error *err) {
    if (nf_directory_exists(path)) {
        nf_reading reading = nf_reading_begin(corpus, options, path, err);
        size_t before = corpus->n_documents;
        nerfit_status status = read_folder(&reading, path);
        if (status == NERFIT_OK) status = tell_empty(&reading, before);
        return nf_reading_end(&reading, status);
    }
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status status =
        nf_annotations_parse_with(corpus, file.data, file.size, path, options, err);
    nf_file_close(&file);
    return status;
}

nerfit_status nf_annotations_read(nf_corpus *corpus, const char *path, const nf_format *format,
                                  const nf_log *log, nerfit_error *err) {
    nf_annotation_options options = {.format = format, .log = log};
    return nf_annotations_read_with(corpus, path, &options, err);
}

nerfit_status nf_annotations_parse(nf_corpus *corpus, const char *text, size_t size,
                                   const char *name, const nf_format *format, const nf_log *log,
                                   nerfit_error *err) {
    nf_annotation_options options = {.format = format, .log = log};
    return nf_annotations_parse_with(corpus, text, size, name, &options, err);
}

nerfit_status nf_annotations_write(nf_str *out, const nf_document *document,
                                   const nf_format *format, nerfit_error *err) {
    if (!format || !format->write || format->folder)
        return nf_fail(err, NERFIT_ARGUMENT, "format %s cannot be written", nf_format_name(format));
    nf_parts parts = {0};
    nf_part *part = nf_parts_get(&parts, "");
    nerfit_status status = part ? NERFIT_OK : nf_no_memory(err, 0);
    if (part) part->text = *out; /* appended in place */
    if (status == NERFIT_OK) status = format->write(&parts, document, err);
    if (part) *out = part->text, part->text = (nf_str){0};
    nf_parts_free(&parts);
    return status;
}
