/* Inside the options: the table, and what its readers and writers share. options.h has what others
 * use of them.
 *
 *   options_table.c   every option: name, type, place, default, range, help
 *   options_values.c  values from text: flags, and what a config file has
 *   options_yaml.c    config files
 *   options_check.c   what no single option shows
 *   options_json.c    training_args.json, and the table as a program sees it
 *   options_help.c    the help, and the manual page */
#ifndef NF_RECIPE_OPTIONS_TABLE_H
#define NF_RECIPE_OPTIONS_TABLE_H

#include <stddef.h>

#include "recipe/options.h"

typedef enum nf_option_type {
    NF_OPTION_BOOL,
    NF_OPTION_INT,
    NF_OPTION_REAL,
    NF_OPTION_TEXT,
    NF_OPTION_PATH,
    NF_OPTION_CHOICE,
    NF_OPTION_NAMES,
    NF_OPTION_PATHS,
    NF_OPTION_MODEL,
    NF_OPTION_WEIGHTS /* names with a number each: "name=0.5", in a config file a mapping, too */
} nf_option_type;

typedef struct nf_option {
    const char *name;
    nf_option_type type;
    bool pair;            /* of the two stages */
    size_t offset;        /* in nf_train_options */
    const char *fallback; /* as text; NULL: not given */
    double least, most;   /* of INT and REAL */
    const char *choices;  /* of CHOICE: separated by '|'; of PATH: words that are no path */
    const char *group;
    const char *help;
    bool no_effect; /* accepted for others' sake; help and a warning say so */
} nf_option;

enum { NF_OPTIONS_MOST = 128 }; /* nf_train_options.given has a bit for each */

extern const nf_option nf_options[];
extern const size_t nf_n_options;
/* The group that is a mapping of its own in a config file; its first option stands outside. */
extern const char nf_options_peft[];
/* Of training_args.json: what the recipe chose, beside all values. */
extern const char nf_options_chosen[];

/* "peft_config.lora_r" and "lora_r" are the same; so are names with "-" for "_". NULL: none. */
const nf_option *nf_option_find(const char *name);
/* The place of a word among the choices; -1: it is none. */
int64_t nf_option_choice(const char *choices, const char *text);
bool nf_option_is_list(const nf_option *o);
/* Whether it stands in the mapping peft_config. */
bool nf_option_is_nested(const nf_option *o);
/* Whether defaults.c chooses it where it is not given: then it matters who gave it. */
bool nf_option_is_chosen(const nf_option *o);
/* What the recipe nerfit takes then, in words; NULL: not chosen, or nothing to say. */
const char *nf_option_of_nerfit(const nf_option *o);

/* Where a value comes from, for messages. */
typedef struct nf_option_origin {
    const char *file;
    long line;
    const char *folder; /* relative paths count from it; NULL: left as they are */
} nf_option_origin;

/* Reads one value, two of a pair, or any number of a list. */
nerfit_status nf_option_set(nf_train_options *options, const nf_option *o, char *const *values,
                            size_t count, const nf_option_origin *from, nerfit_error *err);
/* Reads text: "a", "a,b", "(a, b)", "[a, b]". */
nerfit_status nf_option_set_text(nf_train_options *options, const nf_option *o, const char *text,
                                 const nf_option_origin *from, nerfit_error *err);
/* The error for a name that no option has, with the nearest one. */
nerfit_status nf_option_unknown(nerfit_error *err, const char *name, const nf_option_origin *from);

#endif
