/* Annotations as JSON objects: one a line (jsonl), or in an array or one after another (json). */
#ifndef NF_DATA_JSON_ANNOTATIONS_H
#define NF_DATA_JSON_ANNOTATIONS_H

#include "data/reading.h"

nerfit_status nf_jsonl_read(nf_reading *reading, const char *text, size_t size);
nerfit_status nf_json_read(nf_reading *reading, const char *text, size_t size);
/* Adds the document of one object. `text` [size] is its JSON, which begins at a line and a column.
 */
nerfit_status nf_json_object_read(nf_reading *reading, const char *text, size_t size, long line,
                                  long column);
/* One object, with its line's end in jsonl. */
nerfit_status nf_json_write(nf_str *out, const nf_document *document, nerfit_error *err);
nerfit_status nf_jsonl_write(nf_str *out, const nf_document *document, nerfit_error *err);
/* Whether the first object ends on the line on which it begins. */
bool nf_json_is_lines(const char *text, size_t size);

#endif
