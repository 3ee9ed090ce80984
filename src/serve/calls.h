/* What a request says about its texts (labels, thresholds, nested, offsets), as a call of the
 * library; and entities as JSON. */
#ifndef NF_SERVE_CALLS_H
#define NF_SERVE_CALLS_H

#include "serve/queue.h"

/* What offsets count. */
typedef enum nf_unit { NF_UNIT_CODE_POINT, NF_UNIT_UTF16, NF_UNIT_BYTE } nf_unit;

typedef struct nf_asked {
    nf_call *call; /* a reference */
    nf_unit unit;
} nf_asked;

/* Reads "model", "labels", "threshold", "nested", "multi_label" and "offsets" of an object; `before`
 * (may be NULL) is what holds where it says nothing, and its call is shared where it is the same.
 * False: *error says what is wrong (NERFIT_ARGUMENT, or NERFIT_NO_MEMORY). */
bool nf_asked_read(nf_asked *asked, nf_request *request, const json_t *object,
                   const nf_asked *before, nerfit_error *error);
/* The same of the query: ?offsets=utf16&threshold=0.5&labels=person,place. */
bool nf_asked_of_query(nf_asked *asked, nf_request *request, nerfit_error *error);
/* A member that is true or false; a missing one leaves it as it is. False: the error says that it is
 * neither. */
bool nf_asked_flag(bool *flag, const json_t *object, const char *name, nerfit_error *error);

/* [{"start": 0, "end": 4, "label": "person", "text": "Anna", "score": 0.98}, ...]; names: {"a label": what
 * it is called here}, and an entity of another is left out; NULL: as they are. */
void nf_entities_append(nf_str *out, const char *text, const nerfit_prediction *prediction,
                        const json_t *names, nf_unit unit);
/* Walks along a text to say what its bytes are as offsets of a unit. */
typedef struct nf_unit_place {
    nf_unit unit;
    const char *text;
    size_t byte, pairs; /* so many characters of four bytes, two units of UTF-16, before it */
} nf_unit_place;
size_t nf_unit_offset(nf_unit_place *place, size_t byte, size_t code_point);

#endif
