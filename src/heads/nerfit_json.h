/* nerfit.json, the file in a model's folder that holds what is nerfit's own and which transformers
 * passes over: read and written here alone. Its members belong to
 *   the decoder       "decoder", "transitions", "first", "words", ... (heads/decoding.h)
 *   the calibration   "calibration" (infer/calibration.h)
 * and "format", a whole number, is the file's: a greater one than NF_NERFIT_JSON_FORMAT is refused.
 * Members that this version does not know are kept, neither read nor refused. */
#ifndef NF_HEADS_NERFIT_JSON_H
#define NF_HEADS_NERFIT_JSON_H

#include <jansson.h>

#include "base/arena.h"
#include "base/error.h"

enum { NF_NERFIT_JSON_FORMAT = 1 };

/* *json (freed by the caller): the folder's file, or NULL if it has none. *path, in the arena, for
 * messages. */
nerfit_status nf_nerfit_json_load(json_t **json, const char **path, nf_arena *arena,
                                  const char *folder, nerfit_error *err);
/* Writes the file with `json`, "format" put in; NULL: a file of an earlier model is removed. */
nerfit_status nf_nerfit_json_save(json_t *json, const char *folder, nerfit_error *err);

#endif
