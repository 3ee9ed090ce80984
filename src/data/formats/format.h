/* The table of formats: one row each, in one file each, from which reading, writing, streams, every
 * list of names in help and messages, and docs/formats.md are made. To add a format is to write
 * its file and to name its row in table.c. */
#ifndef NF_DATA_FORMAT_H
#define NF_DATA_FORMAT_H

#include "data/json_value.h"
#include "data/reading.h"

/* What a format can hold; what it cannot is told when it is written. */
enum {
    NF_HOLDS_SPACES = 1,   /* the text as it stands, not words alone */
    NF_HOLDS_ENTITIES = 2, /* any at all */
    NF_HOLDS_OVERLAPS = 4, /* entities that share words */
    NF_HOLDS_FIELDS = 8,   /* what texts have beside (nf_beside) */
    NF_HOLDS_ENTITY_FIELDS = 16,
    NF_HOLDS_ALL = 31,
};

/* One file of a format that is a folder; the only one, without a name, of the others. */
typedef struct nf_part {
    const char *name; /* relative to the folder; "" */
    nf_str text;
} nf_part;

typedef struct nf_parts {
    nf_arena arena;                /* of the names */
    size_t number;                 /* of the document that is written, from 1 */
    const struct nf_parts *before; /* those of the documents before it; NULL: none */
    nf_part *items;
    size_t count, capacity;
} nf_parts;

/* The part of that name, made if it is not there; NULL when out of memory. */
nf_part *nf_parts_get(nf_parts *parts, const char *name);
const nf_part *nf_parts_find(const nf_parts *parts, const char *name);
void nf_parts_free(nf_parts *parts);

struct nf_format {
    const char *name;       /* "jsonl": for options */
    const char *title;      /* "JSON lines": for messages */
    const char *endings[6]; /* with the dot; the first one is given to files that are written */
    const char *recognised, *kept, *lost; /* for docs/formats.md */
    /* Whether an ending alone says that a file is in this format. */
    bool by_ending;
    bool folder;
    bool binary; /* bytes, not text: looks_like is asked first */
    bool sure;   /* what it looks like counts for more than an ending */
    unsigned holds;

    /* Reading: by one of the four ways. A file's text begins after its byte order mark; whether it
     * is in this format is asked in the order of the table. */
    bool (*looks_like)(const char *text, size_t size);
    nerfit_status (*read)(nf_reading *reading, const char *text, size_t size);
    /* Formats of JSON: a value of a file of JSON values (one a line, in an array, or one after
     * another) that makes one or more documents. */
    bool (*value_looks_like)(const json_t *value);
    nerfit_status (*read_value)(const nf_json_value *value);
    /* Folders. Whether a file's name belongs to it, and reading the files. */
    bool (*part_looks_like)(const char *name);
    bool (*part_is_sign)(const char *name); /* that tells the format; NULL: the same */
    nerfit_status (*read_parts)(nf_reading *reading, const nf_parts *parts);
    /* Formats that are recognised and not read: what to do instead. */
    const char *advice;

    /* A stream's line is a document; NULL: whole texts are read. */
    nerfit_status (*read_line)(nf_reading *reading, const char *line, size_t size, long number);

    /* Writing: one document after another into the parts ("" of a file), with what stands before
     * the first, between two, and after the last. */
    nerfit_status (*write)(nf_parts *out, const nf_document *document, nerfit_error *err);
    const char *head, *between, *tail;
    const char *const
        *own;          /* keys that the format writes itself, ended by NULL: fields of these names
                               are left out, with a warning; NULL: none */
    const char *empty; /* instead of head and tail where there is no document; NULL: these */
    /* Or the whole at once. */
    nerfit_status (*write_all)(nf_parts *out, const nf_corpus *corpus, nerfit_error *err);
};

/* The table, in the order in which content is asked. */
extern const nf_format *const nf_formats[];
extern const size_t nf_format_count;

extern const nf_format nf_format_jsonl, nf_format_json, nf_format_brackets, nf_format_conll,
    nf_format_seq, nf_format_text;

/* A line of jsonl with nothing beside text and entities: what a fingerprint of texts is made of. */
nerfit_status nf_jsonl_bare(nf_str *out, const nf_document *document, nerfit_error *err);
/* Reads a file of JSON values. */
nerfit_status nf_json_values_read(nf_reading *reading, const char *text, size_t size);

/* By name, ASCII case ignored; NULL for "auto", false if there is none. */
bool nf_format_find(const char *name, const nf_format **format);
/* "auto" of NULL. */
const char *nf_format_name(const nf_format *format);

static inline bool nf_format_is_read(const nf_format *f) {
    return f->read || f->read_value || f->read_parts;
}
static inline bool nf_format_is_written(const nf_format *f) {
    return f->write || f->write_all;
}

/* Which formats a list names. */
typedef enum nf_format_use {
    NF_FORMATS_READ,    /* from a file or a folder, with entities */
    NF_FORMATS_PARSED,  /* from one text */
    NF_FORMATS_WRITTEN, /* to a file or a folder */
    NF_FORMATS_PRINTED, /* as one text */
} nf_format_use;
/* "auto, jsonl, json, ..." ("auto" where a format can be told), with `separator` between. */
void nf_format_names(nf_str *out, nf_format_use use, const char *separator);
/* As nf_format_find, with an error that lists the names of the formats of that use: `what` is the
 * option's name. */
nerfit_status nf_format_choose(const char *name, nf_format_use use, const char *what,
                               const nf_format **format, nerfit_error *err);

/* By a file's ending alone; NULL if it tells none. */
const nf_format *nf_format_of_ending(const char *path);
/* By the ending of a file that is to be written. */
const nf_format *nf_format_of_output(const char *path);
/* By content; NULL if it is like none. */
const nf_format *nf_format_of_content(const char *text, size_t size);
/* The format of a value of JSON; NULL if it is like none. */
const nf_format *nf_format_of_value(const json_t *value);
/* Of a file or folder that is there: a folder by the names in it, else its ending, then its
 * content. */
nerfit_status nf_format_detect(const char *path, const nf_format **format, nerfit_error *err);

#endif
