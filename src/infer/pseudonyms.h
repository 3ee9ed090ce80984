/* Pseudonyms of entities for redacted texts: the same entity (label and text, to the letter) has the same
 * one, "[person_3]", in all texts and, through a file, in all calls. The file has a line of JSON for
 * each, {"label": ..., "text": ..., "pseudonym": ...}, in the order in which they were given; what
 * stands there is taken as it stands, so that a person may choose others. It says who is who: a new one
 * is made for its owner alone. */
#ifndef NF_INFER_PSEUDONYMS_H
#define NF_INFER_PSEUDONYMS_H

#include "base/arena.h"
#include "base/error.h"

typedef struct nf_pseudonyms nf_pseudonyms;

/* Reads the file, or makes it; nobody else may have it open this way. */
nerfit_status nf_pseudonyms_open(nf_pseudonyms **out, const char *path, nerfit_error *err);
/* The pseudonym of an entity, a new one if it has none; NULL when out of memory. Not from several
 * threads. */
const char *nf_pseudonyms_get(nf_pseudonyms *pseudonyms, const char *label, const char *text,
                              size_t size);
/* Appends the new ones to the file: before the texts that have them are written. */
nerfit_status nf_pseudonyms_write(nf_pseudonyms *pseudonyms, nerfit_error *err);
void nf_pseudonyms_close(nf_pseudonyms *pseudonyms);

#endif
