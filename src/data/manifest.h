/* Which annotated files go with which descriptions, for work on many label sets at once.
 *
 * A folder of label sets holds NAME.yaml (or .yml, .json: descriptions.h) beside NAME.txt (or
 * .jsonl, .json, .conll, .tsv, ..., or a folder NAME with seq.in and seq.out: annotations.h), sets
 * in the order of their names. A NAME.json is what the set lacks. One without its other half, and
 * two for one half, are errors; files of other endings and other folders are not read, and the log
 * says which; NAME.synonyms.yaml belongs to NAME.yaml (synonyms.h); hidden ones are passed over.
 *
 * A manifest is a YAML file (.yaml, .yml) that names files, relative to its own folder. It is a
 * mapping of annotated files to descriptions, or a list whose items are
 * {annotations: ..., descriptions: ...}, [annotations, descriptions], or a folder of label sets:
 *
 *     - {annotations: news/train.conll, descriptions: news/labels.yaml}
 *     - open-types
 */
#ifndef NF_DATA_MANIFEST_H
#define NF_DATA_MANIFEST_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"

typedef struct nf_manifest_entry {
    const char *annotations, *descriptions; /* paths */
} nf_manifest_entry;

typedef struct nf_manifest {
    nf_arena arena;
    nf_manifest_entry *entries; /* [count] */
    size_t count, capacity;
} nf_manifest;

/* Whether a path is a folder of label sets or, by its ending, a manifest: not annotated texts. */
bool nf_manifest_is(const char *path);
/* Both add to `manifest` (zero-initialise before). Paths are copied. The first is of a path that
 * nf_manifest_is. Files of a manifest are looked for, so that a name that leads nowhere is told
 * with its line. */
nerfit_status nf_manifest_read(nf_manifest *manifest, const char *path, const nf_log *log,
                               nerfit_error *err);
nerfit_status nf_manifest_add(nf_manifest *manifest, const char *annotations,
                              const char *descriptions, nerfit_error *err);
void nf_manifest_free(nf_manifest *manifest);

#endif
