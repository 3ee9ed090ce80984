/* What the commands share. A command gets its own arguments and returns the exit status: 0 done, 1
 * the work failed, 2 wrong usage. Data goes to stdout, everything else to stderr. */
#ifndef NF_CLI_H
#define NF_CLI_H

#include "nerfit.h"

enum { DONE = 0, FAILED = 1, USAGE = 2 };

typedef struct command {
    const char *name;
    const char *arguments; /* for the usage line */
    const char *summary;
    const char *help; /* what follows the summary in --help */
    int (*run)(const struct command *self, int argc, char **argv);
} command;

/* One option of a command, as a row of its table. In names "-" and "_" are the same. */
typedef struct cli_option {
    const char *name;  /* "--output" */
    const char *value; /* "FORMAT", or NULL for a switch */
    const char *help;  /* NULL: an old spelling, which is understood and not shown */
    const char **text; /* receives the value */
    bool *flag;        /* or is set */
} cli_option;

/* Reads options into their places and leaves the others in operands (at most `most`); prints help
 * for --help. Returns -1 to go on, or an exit status. */
int cli_parse(const command *self, int argc, char **argv, const cli_option *options,
              size_t n_options, const char **operands, size_t most, size_t *n_operands);
/* The option of a name [size], or NULL. */
const cli_option *cli_find_option(const cli_option *options, size_t n_options, const char *name,
                                  size_t size);
void cli_help(const command *self, const cli_option *options, size_t n_options);
/* The part of it that shows the options. */
void cli_help_options(const cli_option *options, size_t n_options);
/* --output: from now on what goes to standard output goes into this file, which appears when the
 * program ends well; NULL and "-": it stays. Returns -1 to go on, or an exit status. */
int cli_output(const char *path);
#define CLI_OUTPUT_OPTION(place)                                                                   \
    { "--output", "PATH", "instead of standard output", &(place), NULL }
/* The commands by index; NULL past the last one. */
const command *cli_command(size_t index);

/* "nerfit: error: ..." on stderr; returns FAILED, or USAGE for usage errors. */
int cli_fail(const nerfit_error *error);
int cli_usage(const command *self, const char *format, ...) NERFIT_PRINTF(2, 3);
/* "auto|cpu|...", and what they are: of the option --backend. */
const char *cli_backends(void);
const char *cli_backends_help(void);
/* Log messages on stderr, unless `user` points to a true bool (--quiet). */
void cli_log(void *user, nerfit_log_level level, const char *message);

/* Standard input or a file for a stream; "-" or NULL is standard input. */
typedef struct cli_input {
    int fd;
    const char *name;
} cli_input;
int cli_open(cli_input *input, const char *path);
ptrdiff_t cli_read(void *user, char *buffer, size_t size);
/* Writes to stdout; a closed pipe ends the program quietly. */
bool cli_write(void *user, const char *data, size_t size);

/* A device or a pipe, which has no ending that could tell a format. */
bool cli_is_device(const char *path);
/* Reads annotated texts from a file or a folder; "-", a pipe and the like are read to their end
 * first. */
nerfit_status cli_read_corpus(nerfit_corpus *corpus, const char *path,
                              const nerfit_read_options *options, nerfit_error *error);
/* A warning if a file that is read as plain text, a text a line, has the ending of a format. */
void cli_warn_of_text(const char *path);
/* A help text that ends with the names of formats. It lives as long as the program. */
const char *cli_format_help(nerfit_format_use use, const char *text);
#define CLI_COLUMN_OPTIONS(word, label)                                                            \
    {"--word_column", "COLUMN",                                                                    \
     "of tables of words: a number (-1: the last), or a name in the header", &(word), NULL},       \
    {                                                                                              \
        "--label_column", "COLUMN", "the labels' column, likewise", &(label), NULL                 \
    }

/* A line of the input, without its end. */
typedef struct cli_line {
    char *text; /* [size], and a NUL */
    size_t size;
    const char *file;
    long number; /* from 1 */
} cli_line;
/* Calls `each` for every line, as long as it returns DONE. An input that cannot be read to its end
 * is a failure. Returns an exit status. */
int cli_each_line(const char *path, int (*each)(void *user, const cli_line *line), void *user);

/* A report's mistakes on stdout, with their texts in view. */
void cli_print_mistakes(const nerfit_report *report);

extern const command command_train, command_predict, command_eval, command_score, command_embed,
    command_tokenize, command_data, command_fewshot, command_pretrain, command_describe,
    command_download, command_bench, command_quantize, command_completion, command_annotate,
    command_suggest, command_serve;

#endif
