/* /project/import, /project/export, /project/formats: texts and annotations in all formats. */
#include "serve/project/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "base/utf8.h"
#include "serve/project/routes.h"
#include "serve/project/snapshot.h"

enum { MOST_WARNINGS = 50, MOST_NAME = 200 };

/* ---------------------------------------------------------------- formats */

static void add_format(void *user, const nerfit_format *f) {
    json_t *const *lists = user;
    for (int i = 0; i < 2; i++)
        if (i ? f->is_written : f->is_read && !f->folder)
            json_array_append_new(lists[i],
                                  json_pack("{s:s, s:s, s:s, s:b}", "name", f->name, "title",
                                            f->title, "endings", f->folder ? ".tar" : f->endings,
                                            "folder", f->folder));
}

void nf_route_formats(nf_request *r) {
    json_t *lists[2] = {json_array(), json_array()};
    nerfit_error error;
    if (nerfit_formats(add_format, lists, &error) != NERFIT_OK)
        nf_request_fail_as(r, &error);
    else
        nf_request_reply_json(r, json_pack("{s:O, s:O}", "read", lists[0], "written", lists[1]));
    json_decref(lists[0]);
    json_decref(lists[1]);
}

/* ---------------------------------------------------------------- a file that comes in */

/* A file on its way into the project. */
typedef struct intake {
    char name[MOST_NAME + 1]; /* of the file, for messages and as the texts' source */
    json_t *warnings;
    size_t n_warnings;
    nerfit_corpus *corpus;
    json_t *values;         /* [count] its texts, as jsonl has them */
    json_t *besides;        /* what texts have beside text and entities */
    size_t entities, n_new; /* n_new: texts that are not there yet, */
    json_t *labels;         /* and labels */
    nf_newcomers texts;
} intake;

static void intake_free(intake *in) {
    nf_newcomers_free(&in->texts);
    nerfit_corpus_free(in->corpus);
    json_decref(in->values);
    json_decref(in->besides);
    json_decref(in->warnings);
    json_decref(in->labels);
}

static void warn(intake *in, const char *text) {
    size_t size = strlen(text);
    nf_utf8_valid(text, size, &size); /* what was cut ends behind a whole character */
    if (in->n_warnings++ < MOST_WARNINGS)
        json_array_append_new(in->warnings, json_stringn(text, size));
}

static void on_log(void *user, nerfit_log_level level, const char *message) {
    if (level == NERFIT_LOG_WARNING) warn(user, message);
}

static void on_finding(void *user, const nerfit_finding *finding) {
    if (!finding->is_error) warn(user, finding->message);
}

/* The last part of what the client calls the file. */
static void take_name(intake *in, const char *given) {
    const char *slash = given ? strrchr(given, '/') : NULL, *back;
    given = slash ? slash + 1 : given && *given ? given : "upload";
    if ((back = strrchr(given, '\\'))) given = back + 1;
    nf_print(in->name, sizeof in->name, "%s", given);
    nf_utf8_end(in->name);
    for (char *at = in->name; *at; at++)
        if ((unsigned char)*at < ' ') *at = '_';
}

static nerfit_status keep_value(void *user, const json_t *value, long number, nerfit_error *err) {
    intake *in = user;
    (void)number;
    return json_array_append(in->values, (json_t *)(uintptr_t)value) == 0 ? NERFIT_OK
                                                                          : nf_no_memory(err, 0);
}

/* The corpus as values of JSON, a text each. */
static nerfit_status list_values(intake *in, nerfit_error *err) {
    char *lines = NULL;
    size_t size = 0;
    if (!(in->values = json_array())) return nf_no_memory(err, 0);
    NF_TRY(nerfit_corpus_format(in->corpus, "jsonl", &lines, &size, err));
    nerfit_status status = nf_lines_read(in->name, lines, size, keep_value, in, err);
    nerfit_free(lines);
    return status;
}

/* What of an entity the project has no place for; `lost` collects the names. */
static void see_members(json_t *lost, json_t *entity) {
    static const char *const kept[] = {"start", "end", "label", "text"};
    const char *key;
    json_t *member;
    json_object_foreach(entity, key, member) {
        bool known = false;
        for (size_t i = 0; i < NF_COUNT(kept); i++) known = known || strcmp(kept[i], key) == 0;
        if (!known) json_object_set_new(lost, key, json_true());
    }
}

/* Labels that the project has not, and members of entities that it has no place for. */
static nerfit_status look_over(intake *in, const nf_project *p, nerfit_error *err) {
    json_t *labels = json_object(), *lost = json_object(), *value, *entity, *member;
    size_t i, k;
    const char *key;
    if (!(in->labels = json_array()) || !labels || !lost) return nf_no_memory(err, 0);
    json_array_foreach(in->values, i, value) {
        json_array_foreach(json_object_get(value, "entities"), k, entity) {
            const char *label = nf_given_mark_of(entity).label;
            in->entities++;
            see_members(lost, entity);
            if (!label || nf_project_label(p, label) || json_object_get(labels, label)) continue;
            json_object_set_new(labels, label, json_true());
            json_array_append_new(in->labels, json_string(label));
        }
        const json_t *text = json_object_get(value, "text");
        in->n_new += !nf_project_same_text(p, json_string_value(text), json_string_length(text));
    }
    json_object_foreach(lost, key, member) {
        char message[300];
        nf_print(message, sizeof message, "the entities' \"%.200s\" is not kept", key);
        warn(in, message);
    }
    json_decref(labels);
    json_decref(lost);
    return NERFIT_OK;
}

/* A file's texts as values; what is in it. NULL: the format is found out; overlapping entities are an error, unless
 * the project has such. */
static nerfit_status parse(intake *in, const nf_project *p, const char *data, size_t size,
                           const char *format, const char *overlap, nerfit_error *err) {
    const nerfit_read_options options = {.size = sizeof options,
                                         .format = format,
                                         .overlap = overlap     ? overlap
                                                    : p->nested ? "all"
                                                                : "error",
                                         .finding = on_finding,
                                         .user = in};
    NF_TRY(nerfit_corpus_new(&in->corpus, on_log, in, err));
    NF_TRY(nerfit_corpus_parse_with(in->corpus, data, size, in->name, &options, err));
    NF_TRY(list_values(in, err));
    return look_over(in, p, err);
}

/* The other fields of a text, which `besides` keeps; NULL: it has none. */
static nerfit_status find_beside(intake *in, json_t *value, json_t **beside, nerfit_error *err) {
    *beside = json_copy(value);
    json_object_del(*beside, "text");
    json_object_del(*beside, "entities");
    if (json_array_append_new(in->besides, *beside) != 0) return nf_no_memory(err, 0);
    if (!json_object_size(*beside)) *beside = NULL;
    return NERFIT_OK;
}

/* The values as texts with entities; the labels are there by now. */
static nerfit_status make_texts(intake *in, const nf_project *p, bool with_marks,
                                nerfit_error *err) {
    size_t i;
    json_t *value, *beside;
    NF_TRY(nf_newcomers_make(&in->texts, json_array_size(in->values), err));
    json_array_foreach(in->values, i, value) {
        const json_t *text = json_object_get(value, "text");
        long line = nerfit_corpus_line(in->corpus, i);
        NF_TRY(find_beside(in, value, &beside, err));
        nerfit_status status = nf_newcomers_take(
            &in->texts, p,
            (nf_new_text){json_string_value(text), json_string_length(text), in->name, line,
                          beside},
            with_marks ? json_object_get(value, "entities") : NULL, NF_UNIT_CODE_POINT, err);
        if (status != NERFIT_OK) return nf_fail_within(err, status, "%s:%ld", in->name, line);
    }
    return NERFIT_OK;
}

static void warn_of_contradicted(intake *in) {
    char text[160];
    nf_print(text, sizeof text,
             "%zu texts came once more with other entities: those that came %s are taken",
             in->texts.contradicted, in->texts.replaces ? "last" : "first");
    warn(in, text);
}

static nerfit_status apply(intake *in, nf_project *p, bool with_marks, nf_item_status status_of,
                           nerfit_error *err) {
    if (with_marks) NF_TRY(nf_project_add_labels(p, in->labels, err));
    NF_TRY(make_texts(in, p, with_marks, err));
    NF_TRY(nf_newcomers_add(&in->texts, p, status_of, err));
    in->n_new = in->texts.added;
    if (in->texts.contradicted) warn_of_contradicted(in);
    return NERFIT_OK;
}

static void reply_import(nf_request *r, const nf_project *p, const intake *in, bool applied) {
    size_t n = json_array_size(in->values);
    if (in->n_warnings > MOST_WARNINGS)
        json_array_append_new(
            in->warnings, json_sprintf("and %zu warnings more", in->n_warnings - MOST_WARNINGS));
    nf_request_reply_json(
        r, json_pack("{s:I, s:I, s:I, s:I, s:I, s:O, s:O, s:b, s:I}", "texts", (json_int_t)n,
                     "added", (json_int_t)in->n_new, "repeated", (json_int_t)(n - in->n_new),
                     "annotated", (json_int_t)in->texts.annotated, "entities",
                     (json_int_t)in->entities, "labels", in->labels, "warnings", in->warnings,
                     "applied", applied, "revision", (json_int_t)p->revision));
}

/* "accept" (if the file has entities), "draft" or "none". */
static bool read_purpose(nf_request *r, bool *with_marks, nf_item_status *status) {
    const char *given = nf_request_argument(r, "annotations");
    *with_marks = !given || strcmp(given, "none") != 0;
    *status = given && strcmp(given, "draft") == 0 ? NF_TEXT_OPEN : NF_TEXT_ACCEPTED;
    if (!*with_marks || *status == NF_TEXT_OPEN || !given || strcmp(given, "accept") == 0)
        return true;
    nf_request_fail(r, NF_FAILURE_VALIDATION, "annotations: expected accept, draft or none");
    return false;
}

void nf_route_import(nf_request *r) {
    nf_project *p = nf_request_project(r);
    intake in = {.warnings = json_array(), .besides = json_array()};
    const char *preview = nf_request_argument(r, "preview");
    bool with_marks, shown = preview && strcmp(preview, "true") == 0;
    nf_item_status status_of;
    nerfit_error error;
    if (p && read_purpose(r, &with_marks, &status_of)) {
        take_name(&in, nf_request_argument(r, "name"));
        nerfit_status status =
            parse(&in, p, nf_str_text(&r->body), r->body.length, nf_request_argument(r, "format"),
                  nf_request_argument(r, "overlap"), &error);
        bool refused = status != NERFIT_OK;
        with_marks = with_marks && in.entities;
        if (!refused && !shown) status = apply(&in, p, with_marks, status_of, &error);
        if (refused)
            nf_request_fail_as(r, &error);
        else if (status != NERFIT_OK)
            nf_request_fail_change(r, &error);
        else
            reply_import(r, p, &in, !shown);
    }
    intake_free(&in);
}

nerfit_status nf_project_take(nf_project *p, const char *name, const char *format, const char *data,
                              size_t size, size_t *annotated, json_t **warnings,
                              nerfit_error *err) {
    intake in = {.warnings = json_array(), .besides = json_array(), .texts.replaces = true};
    take_name(&in, name);
    nerfit_status status = parse(&in, p, data, size, format, NULL, err);
    if (status == NERFIT_OK) status = apply(&in, p, true, NF_TEXT_ACCEPTED, err);
    *annotated = in.texts.annotated;
    *warnings = json_incref(in.warnings);
    intake_free(&in);
    return status;
}

/* ---------------------------------------------------------------- a file that goes out */

/* The first of ".jsonl .ndjson" of a format. */
typedef struct ending {
    const char *format;
    char text[32];
    bool folder, found;
} ending;

static void find_ending(void *user, const nerfit_format *f) {
    ending *e = user;
    if (strcmp(f->name, e->format) != 0 || !f->is_written) return;
    e->found = true;
    e->folder = f->folder;
    nf_print(e->text, sizeof e->text, "%.*s", (int)strcspn(f->endings, " "), f->endings);
    if (!e->text[0]) nf_print(e->text, sizeof e->text, ".%s", f->name);
}

nerfit_status nf_project_corpus(nerfit_corpus **corpus, const nf_project *p, nf_item_status only,
                                nerfit_error *err) {
    const nerfit_read_options options = {
        .size = sizeof options, .format = "jsonl", .overlap = "all"};
    nf_str lines = {0};
    for (size_t i = 0; i < p->n_texts; i++) {
        const nf_item *text = p->texts[i];
        if (!text->deleted && (only == NF_TEXT_STATUSES || text->status == only))
            nf_item_line(&lines, text, false);
        else
            nf_str_append_char(&lines, '\n');
    }
    nerfit_status status =
        lines.failed ? nf_no_memory(err, lines.length) : nerfit_corpus_new(corpus, NULL, NULL, err);
    if (status == NERFIT_OK)
        status = nerfit_corpus_parse_with(*corpus, nf_str_text(&lines), lines.length, "texts.jsonl",
                                          &options, err);
    nf_str_free(&lines);
    return status;
}

/* The same of a format that is a folder. */
static void reply_folder(nf_request *r, const nf_project *p, const nerfit_corpus *corpus,
                         const ending *format) {
    nf_str folder = {0};
    char name[256];
    nerfit_error error;
    nf_project_file_name(name, sizeof name, p, "");
    nf_str_appendf(&folder, "%s/.export", p->folder);
    nerfit_status status =
        folder.failed ? nf_no_memory(&error, 0) : nf_directory_remove(folder.data, &error);
    if (status == NERFIT_OK)
        status = nerfit_corpus_write(corpus, folder.data, format->format, &error);
    if (status == NERFIT_OK)
        nf_request_reply_folder(r, p, folder.data, name);
    else
        nf_request_fail_as(r, &error);
    if (!folder.failed) nf_directory_remove(folder.data, NULL);
    nf_str_free(&folder);
}

/* The corpus as a download. */
static void reply_file(nf_request *r, const nf_project *p, const nerfit_corpus *corpus,
                       const ending *format) {
    char *text, name[256];
    size_t size;
    nerfit_error error;
    if (nerfit_corpus_format(corpus, format->format, &text, &size, &error) != NERFIT_OK) {
        nf_request_fail_as(r, &error);
        return;
    }
    nf_project_file_name(name, sizeof name, p, format->text);
    nf_str_append(&r->reply.body, text, size);
    nerfit_free(text);
    r->reply.content_type = "application/octet-stream";
    nf_request_set_header(r, "Content-Disposition", "attachment; filename=\"%s\"", name);
    if (r->reply.body.failed) nf_request_fail(r, NF_FAILURE_OVERLOADED, "out of memory");
}

void nf_route_export(nf_request *r) {
    nf_project *p = nf_request_project(r);
    const char *status = nf_request_argument(r, "status");
    const char *format = nf_request_argument(r, "format");
    nf_item_status only = !status                      ? NF_TEXT_ACCEPTED
                          : strcmp(status, "all") == 0 ? NF_TEXT_STATUSES
                                                       : nf_item_status_of(status, strlen(status));
    ending found = {.format = format ? format : "jsonl"};
    nerfit_corpus *corpus = NULL;
    nerfit_error error;
    if (!p) return;
    if (status && only == NF_TEXT_STATUSES && strcmp(status, "all") != 0)
        nf_request_fail(r, NF_FAILURE_VALIDATION,
                        "status: expected open, accepted, rejected, skipped or all");
    else if (nerfit_formats(find_ending, &found, &error) != NERFIT_OK ||
             nf_project_corpus(&corpus, p, only, &error) != NERFIT_OK)
        nf_request_fail_as(r, &error);
    else if (!found.found)
        nf_request_fail(r, NF_FAILURE_VALIDATION,
                        "format: \"%.40s\" is not one that is written; GET /project/formats lists "
                        "them",
                        found.format);
    else if (found.folder)
        reply_folder(r, p, corpus, &found);
    else
        reply_file(r, p, corpus, &found);
    nerfit_corpus_free(corpus);
}
