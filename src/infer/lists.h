/* Lists and patterns of the user: terms and regular expressions by label, that add entities and that
 * forbid some. They stand beside a model (rules.h), or find entities alone (annotate).
 *
 * The file is YAML (JSON is YAML, too):
 *
 *   drug: [aspirin, ibuprofen, /\d+ ?mg/]      terms, and between slashes a regular expression; what
 *                                              begins with a slash alone is an error
 *   person:
 *     add: [Ada Lovelace, {file: names.txt}]   a term a line; the path counts from this file's folder
 *     forbid: [/^the /, {pattern: "Mr\\."}]
 *   "*":                                       of every label
 *     forbid: [N/A, {term: /slashes/}]
 *
 * A term is found as whole words, whatever its case, white space, quotes and dashes (data/fold.h); an
 * expression (text/regex.h) as it stands, and in /.../i without the case of ASCII letters. An entity
 * that lies inside a match of what its label forbids is left out. Of added ones that overlap the
 * longest stays, then the one that stands first in the file; they replace what a model finds there,
 * unless its rules let entities overlap. Their score is 1. */
#ifndef NF_INFER_LISTS_H
#define NF_INFER_LISTS_H

#include "base/error.h"
#include "base/log.h"
#include "infer/rules.h"
#include "infer/tagged.h"
#include "text/regex.h"

typedef struct nf_lists nf_lists; /* immutable; shared by threads */

/* A term that two labels add, or that a label both adds and forbids, is warned of. */
nerfit_status nf_lists_read(nf_lists **out, const char *path, const nf_log *log, nerfit_error *err);
/* The same from memory; `name` stands for the file in messages, its folder is where files count
 * from. */
nerfit_status nf_lists_parse(nf_lists **out, const char *text, size_t size, const char *name,
                             const nf_log *log, nerfit_error *err);
void nf_lists_free(nf_lists *lists);
/* The labels that they add entities of [*count]. */
const char *const *nf_lists_labels(const nf_lists *lists, size_t *count);

/* What is found in a text. */
typedef struct nf_listed {
    uint32_t start, end; /* code points */
    int32_t label;       /* of nf_lists_labels, or NF_LISTS_EVERY of what is forbidden */
    bool forbidden;
    size_t order; /* in the file */
} nf_listed;
enum { NF_LISTS_EVERY = -1 };

/* A thread's. Zero-initialise. */
typedef struct nf_lists_scratch {
    nf_arena arena;
    nf_regex_scratch regex;
    nf_listed *found;
    size_t count, capacity;
    nf_listed *
        forbidden; /* [n_forbidden] by label, then start; `end` is the greatest so far of a label */
    size_t n_forbidden;
} nf_lists_scratch;
void nf_lists_scratch_free(nf_lists_scratch *scratch);

/* Everything that is found, in scratch->found: by start, the longer first, then by order. */
nerfit_status nf_lists_find(const nf_lists *lists, nf_lists_scratch *scratch, const char *text,
                            size_t size, nerfit_error *err);
/* Puts what was found in a text, scratch->found, among its entities: types of the rules, whose
 * `lists` these are. The new entities are made in the arena. */
nerfit_status nf_lists_apply(const nf_rules *rules, nf_lists_scratch *scratch, nf_tagged *tagged,
                             nf_arena *arena, nerfit_error *err);
/* Both one after the other. */
nerfit_status nf_lists_amend(const nf_rules *rules, nf_lists_scratch *scratch, const nf_text *text,
                             nf_tagged *tagged, nf_arena *arena, nerfit_error *err);

/* Whether what was found in a text forbids an entity in it. */
bool nf_lists_forbid(const nf_rules *rules, const nf_lists_scratch *scratch, const nf_entity *e);

#endif
