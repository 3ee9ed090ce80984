/* A value of JSON that holds annotated texts, as text and as jansson's tree: for the readers of
 * formats of JSON, so that each has places for its messages and keeps what it does not read. */
#ifndef NF_DATA_JSON_VALUE_H
#define NF_DATA_JSON_VALUE_H

#include <jansson.h>

#include "data/json_place.h"
#include "data/reading.h"

typedef struct nf_json_value {
    nf_reading *reading;
    const json_t *json;
    const char *text; /* [size] its JSON */
    size_t size;
    long line, column; /* where that begins */
} nf_json_value;

/* "an array", "missing" of NULL. */
const char *nf_json_type_name(const json_t *json);

/* An error at byte `at` of the value's text (SIZE_MAX: unknown) in an entity (from 1; 0: none);
 * returns as nf_reading_error. */
nerfit_status nf_json_value_error(const nf_json_value *value, size_t at, size_t entity,
                                  const char *format, ...) NERFIT_PRINTF(4, 5);
/* A finding about the whole value. */
nerfit_status nf_json_value_warning(const nf_json_value *value, nf_finding_kind kind,
                                    const char *format, ...) NERFIT_PRINTF(3, 4);

/* The value at a path of keys and, in arrays, numbers: "a.b.0"; NULL if there is none. With
 * alternatives, "start|begin": the first that is there; *found [8] (may be NULL) receives its first
 * key. */
enum { NF_JSON_KEY = 40 };
json_t *nf_json_get(const json_t *json, const char *path, char found[NF_JSON_KEY]);
/* A part of the value: `json` at byte `at` of its text. */
nf_json_value nf_json_value_part(const nf_json_value *value, const json_t *json, size_t at);
/* The same of an item of an array in it. In their order, lines are counted on from the last item. */
nf_json_value nf_json_value_item(const nf_json_value *value, const json_t *json,
                                 nf_json_items *items, size_t index);

/* Reads a value by the row of the format that it is like, or that the user named. */
nerfit_status nf_json_value_read(const nf_json_value *value);
/* Reads the JSON text of one value, which begins at a line and a column. */
nerfit_status nf_json_text_read(nf_reading *reading, const char *text, size_t size, long line,
                                long column);

/* The members of the object at byte `at` of the text but those with these keys (ended by NULL), as
 * they are spelled, without line breaks; NULL in *fields if there are none. */
nerfit_status nf_json_fields(const nf_json_value *value, size_t at, const char *const *taken,
                             nf_arena *arena, const char **fields);
/* Whether the fields have a member of that name. */
bool nf_fields_have(const char *fields, const char *name);

/* ---------------------------------------------------------------- a text and a list of entities */

/* How a format spells them; keys are paths with alternatives as in nf_json_get. */
typedef struct nf_span_shape {
    const char *text;
    const char *list;                /* of the entities; "" if the value itself is one */
    const char *start, *end, *label; /* of an entity */
    const char *own;                 /* its own text; NULL: none */
    const char *length;              /* instead of the end; NULL: none */
    nf_offset_unit unit;
    bool last;    /* the end is the last character's place */
    bool lists;   /* an entity may be [start, end, label] */
    bool must;    /* the list must be there */
    bool partial; /* `unknown` and `labels` say what is not known of the text (document.h) */
} nf_span_shape;

/* Adds the document of an object of that shape, with what it has beside. */
nerfit_status nf_span_shape_read(const nf_json_value *value, const nf_span_shape *shape);

/* A key of the object but "entities" and "tokens" that holds what looks like annotations: a list of
 * what could be entities, or of words' labels (also in one text), or lists by label; with `deep` also
 * one that has such a list some levels down. NULL if there is none. */
const char *nf_json_annotation_key(const json_t *object, bool deep);

/* ---------------------------------------------------------------- writing */

/* `, "source": ..., "weight": ..., "labels": ..., "unknown": ..., fields` of what there is beside, but
 * labels and fields with one of the names (ended by NULL) that the format writes itself. */
void nf_json_append_beside(nf_str *out, const nf_beside *beside, const char *const *own);

#endif
