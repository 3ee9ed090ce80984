/* What the routes of a project share: what was asked, and texts and labels as JSON. */
#ifndef NF_SERVE_PROJECT_ANSWERS_H
#define NF_SERVE_PROJECT_ANSWERS_H

#include "serve/calls.h"
#include "serve/project/project.h"
#include "serve/request.h"

/* The service's project; NULL: there is none, and the reply says so. */
nf_project *nf_request_project(nf_request *request);
/* The body, an object; NULL: the reply says what is wrong. */
json_t *nf_request_object(nf_request *request);
/* "?offsets=": UTF-16 unless code points are asked for; false: the reply says what is wrong. */
bool nf_request_unit(nf_request *request, nf_unit *unit);
/* A whole number of the query, `missing` if it is not there; false: the reply says what is wrong. */
bool nf_request_number(nf_request *request, const char *name, uint64_t missing, uint64_t most,
                       uint64_t *out);
/* A text member of an object; *out is NULL if it is missing or null. False: it is something else, and
 * the reply says so. */
bool nf_request_member(nf_request *request, const json_t *object, const char *name,
                       const char **out);
/* The same of true or false, which stays as it is if it is missing. */
bool nf_request_flag(nf_request *request, const json_t *object, const char *name, bool *out);
/* A text's number from "12"; NULL: there is no such text, and the reply says so. */
nf_item *nf_request_item(nf_request *request, const nf_project *project, const char *id);

/* [{"start", "end", "label", "text"}, ...] of a text, in a unit. */
json_t *nf_marks_answer(const nf_item *text, const nf_marks *marks, nf_unit unit);
/* Reads these; free(marks->items). Sets an error that says what is wrong. */
nerfit_status nf_marks_read(nf_marks *marks, const nf_project *project, const nf_item *text,
                            const json_t *list, nf_unit unit, nerfit_error *err);
/* {"id", "text", "status", ...}; `cut`: characters of the text at most (0: all). */
json_t *nf_item_answer(const nf_item *text, nf_unit unit, size_t cut, bool with_entities);
/* [{"name", "description", ..., "entities", "texts"}, ...] */
json_t *nf_labels_answer(const nf_project *project);
/* The reply is {"revision", "labels"} and what `more` has, whose reference is taken. */
void nf_request_reply_labels(nf_request *request, const nf_project *project, json_t *more);
/* The reply is a folder as a tar file, to be saved as NAME.tar. */
void nf_request_reply_folder(nf_request *request, const nf_project *project, const char *folder,
                             const char *name);
/* What the project may be called in a file's name: letters, digits, "-", "_", and behind them `ending`. */
void nf_project_file_name(char *out, size_t size, const nf_project *project, const char *ending);
/* A change went wrong: what was asked for was wrong, or the disk is. */
void nf_request_fail_change(nf_request *request, const nerfit_error *error);

#endif
