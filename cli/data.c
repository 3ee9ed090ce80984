/* nerfit data: annotated files converted, checked, counted, divided and sampled. */
#include "man.h"
#include "number.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_FILES = 64 };

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* How files are read, by all of these commands. */
typedef struct input {
    const char *format, *overlap, *tagging, *offsets, *word_column, *label_column;
    bool quiet, warned;
} input;

#define INPUT_OPTIONS(in)                                                                          \
    {"--from", "FORMAT", cli_format_help(NERFIT_FORMATS_READ, "of the input: "), &(in).format,     \
     NULL},                                                                                        \
        {"--overlap", "POLICY",                                                                    \
         "of overlapping entities: error, all are kept, or the longest or first", &(in).overlap,   \
         NULL},                                                                                    \
        {"--tagging", "SCHEME",                                                                    \
         "of words' labels: auto iob1 iob2 bioes bilou, or none (no prefix)", &(in).tagging,       \
         NULL},                                                                                    \
        CLI_COLUMN_OPTIONS((in).word_column, (in).label_column),                                   \
        {"--offsets", "UNIT", "what offsets count: auto code_points utf16 bytes", &(in).offsets,   \
         NULL},                                                                                    \
    {                                                                                              \
        "--quiet", NULL, "only warnings and errors", NULL, &(in).quiet                             \
    }

static nerfit_read_options read_options(const input *in) {
    return (nerfit_read_options){.size = sizeof(nerfit_read_options),
                                 .format = in->format,
                                 .overlap = in->overlap,
                                 .tagging = in->tagging,
                                 .offsets = in->offsets,
                                 .word_column = in->word_column,
                                 .label_column = in->label_column};
}

static void log_input(void *user, nerfit_log_level level, const char *message) {
    input *in = user;
    in->warned |= level == NERFIT_LOG_WARNING;
    cli_log(&in->quiet, level, message);
}

/* Where there should be annotations, none was found and nothing said why, the format may be another
 * than was read. */
static void tell_no_entity(const nerfit_corpus *corpus, const char *path) {
    size_t n = nerfit_corpus_size(corpus);
    if (n && !nerfit_corpus_entity_count(corpus))
        fprintf(stderr,
                "warning: %s: none of its %zu texts has an entity; is this the right format?\n",
                path, n);
}

static nerfit_status read_corpus(nerfit_corpus **corpus, const char *path, input *in,
                                 nerfit_error *error) {
    nerfit_read_options options = read_options(in);
    if (!options.overlap) options.overlap = "all"; /* what cannot be written is refused then */
    in->warned = false;
    nerfit_status status = nerfit_corpus_new(corpus, log_input, in, error);
    if (status == NERFIT_OK) status = cli_read_corpus(*corpus, path, &options, error);
    bool plain = in->format && strcmp(in->format, "text") == 0;
    if (status == NERFIT_OK && !plain && !in->warned) tell_no_entity(*corpus, path);
    return status;
}

/* Reads the arguments of a command that takes one file, and the file. Returns -1 to go on. */
static int begin(const command *self, int argc, char **argv, const cli_option *options,
                 size_t n_options, input *in, const char **path, nerfit_corpus **corpus) {
    size_t n;
    nerfit_error error;
    *corpus = NULL;
    int status = cli_parse(self, argc, argv, options, n_options, path, 1, &n);
    if (status >= 0) return status;
    if (n == 0) return cli_usage(self, "FILE is missing");
    return read_corpus(corpus, *path, in, &error) == NERFIT_OK ? -1 : cli_fail(&error);
}

/* To a file, or to stdout without one (as jsonl if no format is given). */
static int write_corpus(const nerfit_corpus *corpus, const char *path, const char *format) {
    nerfit_error error;
    if (path && !format && cli_is_device(path)) format = "jsonl";
    if (path && strcmp(path, "-") != 0)
        return nerfit_corpus_write(corpus, path, format, &error) == NERFIT_OK ? DONE
                                                                              : cli_fail(&error);
    char *text;
    size_t size;
    if (nerfit_corpus_format(corpus, format ? format : "jsonl", &text, &size, &error) != NERFIT_OK)
        return cli_fail(&error);
    bool written = cli_write(NULL, text, size);
    nerfit_free(text);
    return written ? DONE : FAILED;
}

/* ---------------------------------------------------------------- convert */

static int run_convert(const command *self, int argc, char **argv) {
    input in = {0};
    const char *to = NULL, *output = NULL, *path;
    const cli_option options[] = {
        {"--to", "FORMAT", NULL, &to, NULL},
        {"--format", "NAME",
         cli_format_help(NERFIT_FORMATS_WRITTEN, "else by --output's ending, or jsonl: "), &to,
         NULL},
        {"--output", "PATH", "instead of standard output (a folder for seq and brat)", &output,
         NULL},
        INPUT_OPTIONS(in)};
    nerfit_corpus *corpus;
    int status = begin(self, argc, argv, options, COUNT(options), &in, &path, &corpus);
    if (status < 0) status = write_corpus(corpus, output, to);
    nerfit_corpus_free(corpus);
    return status;
}

/* ---------------------------------------------------------------- check */

typedef struct tally {
    struct {
        const char *kind;
        bool is_error;
        size_t count;
    } kinds[64];
    size_t n_kinds, n_errors, n_warnings;
    bool quiet;
} tally;

static void count_finding(void *user, const nerfit_finding *f) {
    tally *t = user;
    size_t i = 0;
    while (i < t->n_kinds && (t->kinds[i].kind != f->kind || t->kinds[i].is_error != f->is_error))
        i++;
    if (i == COUNT(t->kinds))
        i--;
    else if (i == t->n_kinds)
        t->n_kinds++;
    t->kinds[i].kind = f->kind;
    t->kinds[i].is_error = f->is_error;
    t->kinds[i].count++;
    *(f->is_error ? &t->n_errors : &t->n_warnings) += 1;
    if (f->is_error || !t->quiet) printf("%s: %s\n", f->is_error ? "error" : "warning", f->message);
}

static void print_tally(const tally *t, size_t n_files, size_t n_texts) {
    for (size_t i = 0; i < t->n_kinds; i++)
        printf("%s%6zu %s: %s\n", i ? "" : "\n", t->kinds[i].count,
               t->kinds[i].is_error ? "error" : "warning", t->kinds[i].kind);
    printf("\n%zu file%s, %zu good texts: %zu errors, %zu warnings\n", n_files,
           n_files == 1 ? "" : "s", n_texts, t->n_errors, t->n_warnings);
}

/* Returns an exit status: only what cannot be looked into (no such file) ends the check. */
static int check_file(nerfit_corpus **corpus, const char *path, input *in, tally *t) {
    nerfit_error error;
    nerfit_read_options options = read_options(in);
    options.max_errors = SIZE_MAX;
    options.finding = count_finding;
    options.user = t;
    size_t before = t->n_errors;
    nerfit_status status = nerfit_corpus_new(corpus, cli_log, &in->quiet, &error);
    if (status == NERFIT_OK) status = cli_read_corpus(*corpus, path, &options, &error);
    return status == NERFIT_OK || t->n_errors > before ? DONE : cli_fail(&error);
}

static int run_check(const command *self, int argc, char **argv) {
    input in = {0};
    const char *descriptions = NULL, *paths[MOST_FILES];
    size_t n, n_texts = 0;
    const cli_option options[] = {{"--ent2emb", "FILE",
                                   "descriptions (JSON or YAML) that every label must have",
                                   &descriptions, NULL},
                                  INPUT_OPTIONS(in)};
    int status = cli_parse(self, argc, argv, options, COUNT(options), paths, MOST_FILES, &n);
    if (status >= 0) return status;
    if (n == 0) return cli_usage(self, "FILE is missing");
    tally t = {.quiet = in.quiet};
    nerfit_corpus *corpora[MOST_FILES] = {0};
    status = DONE;
    for (size_t i = 0; i < n && status == DONE; i++) {
        status = check_file(&corpora[i], paths[i], &in, &t);
        if (status == DONE) n_texts += nerfit_corpus_size(corpora[i]);
    }
    nerfit_error error;
    if (status == DONE && nerfit_corpus_check((const nerfit_corpus *const *)corpora, n,
                                              descriptions, count_finding, &t, &error) != NERFIT_OK)
        status = cli_fail(&error);
    if (status == DONE) print_tally(&t, n, n_texts);
    for (size_t i = 0; i < n; i++) nerfit_corpus_free(corpora[i]);
    return status == DONE && t.n_errors ? FAILED : status;
}

/* ---------------------------------------------------------------- stats */

static int run_stats(const command *self, int argc, char **argv) {
    input in = {0};
    const char *paths[MOST_FILES], *output = NULL;
    bool json = false;
    size_t n;
    const cli_option options[] = {
        {"--json", NULL, "as JSON", NULL, &json}, CLI_OUTPUT_OPTION(output), INPUT_OPTIONS(in)};
    int status = cli_parse(self, argc, argv, options, COUNT(options), paths, MOST_FILES, &n);
    if (status >= 0) return status;
    if (n == 0) return cli_usage(self, "FILE is missing");
    if ((status = cli_output(output)) >= 0) return status;
    nerfit_corpus *corpora[MOST_FILES] = {0};
    nerfit_error error;
    nerfit_status result = NERFIT_OK;
    char *text = NULL, *as_json = NULL;
    for (size_t i = 0; i < n && result == NERFIT_OK; i++)
        result = read_corpus(&corpora[i], paths[i], &in, &error);
    if (result == NERFIT_OK)
        result = nerfit_corpus_statistics((const nerfit_corpus *const *)corpora, paths, n, &text,
                                          &as_json, &error);
    status = result == NERFIT_OK ? DONE : cli_fail(&error);
    if (status == DONE) printf("%s%s", json ? as_json : text, json ? "\n" : "");
    nerfit_free(text);
    nerfit_free(as_json);
    for (size_t i = 0; i < n; i++) nerfit_corpus_free(corpora[i]);
    return status;
}

/* ---------------------------------------------------------------- split */

enum { MOST_PARTS = 16 };

/* Divides "a,b,c" in place; returns how many, 0 if they are too many. */
static size_t parts_of(char *list, const char **parts, size_t most) {
    size_t n = 0;
    for (char *part = list; part;) {
        char *comma = strchr(part, ',');
        if (comma) *comma++ = '\0';
        if (n == most || !*part) return 0;
        parts[n++] = part;
        part = comma;
    }
    return n;
}

/* The ending of a format's files. */
typedef struct wanted_ending {
    const char *format;
    char ending[32];
} wanted_ending;

static void take_ending(void *user, const nerfit_format *format) {
    wanted_ending *wanted = user;
    if (strcmp(format->name, wanted->format) != 0) return;
    snprintf(wanted->ending, sizeof wanted->ending, "%.*s", (int)strcspn(format->endings, " "),
             format->endings);
}

static int write_parts(nerfit_corpus *const *parts, const char *const *names, size_t n,
                       const char *folder, const char *format, bool quiet) {
    int status = DONE;
    wanted_ending wanted = {.format = format};
    nerfit_error error;
    if (nerfit_formats(take_ending, &wanted, &error) != NERFIT_OK) return cli_fail(&error);
    mkdir(folder, 0777); /* writing says what is wrong if this fails */
    for (size_t i = 0; i < n && status == DONE; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s%s", folder, names[i], wanted.ending);
        status = write_corpus(parts[i], path, format);
        if (status == DONE && !quiet)
            fprintf(stderr, "%s: %zu texts\n", path, nerfit_corpus_size(parts[i]));
    }
    return status;
}

static int split(const command *self, const nerfit_corpus *corpus, char *sizes_list,
                 char *names_list, const char *folder, const char *format, uint64_t seed,
                 bool quiet) {
    const char *sizes[MOST_PARTS], *names[MOST_PARTS];
    size_t n = parts_of(sizes_list, sizes, MOST_PARTS);
    size_t n_names = parts_of(names_list, names, MOST_PARTS);
    if (n == 0 || n_names == 0)
        return cli_usage(self, "%s has an empty part, or more than %d", n ? "--names" : "--sizes",
                         MOST_PARTS);
    if (n_names < n) return cli_usage(self, "--sizes has %zu parts, --names %zu", n, n_names);
    for (size_t i = 0; i < n; i++) {
        if (strchr(names[i], '/'))
            return cli_usage(self, "--names: \"%s\" is no name of a file in a folder", names[i]);
        for (size_t k = 0; k < i; k++)
            if (strcmp(names[i], names[k]) == 0)
                return cli_usage(self, "--names has \"%s\" twice", names[i]);
    }
    nerfit_corpus *parts[MOST_PARTS];
    nerfit_error error;
    if (nerfit_corpus_split(corpus, sizes, n, seed, parts, &error) != NERFIT_OK)
        return cli_fail(&error);
    int status = write_parts(parts, names, n, folder, format, quiet);
    size_t left = nerfit_corpus_size(corpus);
    for (size_t i = 0; i < n; i++) left -= nerfit_corpus_size(parts[i]);
    if (status == DONE && left)
        fprintf(stderr, "%zu texts are in no part (a size of \"rest\" takes them)\n", left);
    for (size_t i = 0; i < n; i++) nerfit_corpus_free(parts[i]);
    return status;
}

static int run_split(const command *self, int argc, char **argv) {
    input in = {0};
    const char *sizes = "80%,10%,10%", *names = "train,validation,test", *folder = NULL;
    const char *format = "jsonl", *seed_text = NULL, *path;
    const cli_option options[] = {
        {"--sizes", "A,B,...", "texts (120), shares (0.8, 80%) or rest; default 80%,10%,10%",
         &sizes, NULL},
        {"--names", "A,B,...", "of the files; default train,validation,test", &names, NULL},
        {"--output", "PATH", "the folder that receives the files", &folder, NULL},
        {"--to", "FORMAT", NULL, &format, NULL},
        {"--format", "NAME", "of the files; default jsonl", &format, NULL},
        {"--seed", "N", "default 0", &seed_text, NULL},
        INPUT_OPTIONS(in)};
    nerfit_corpus *corpus;
    uint64_t seed = 0;
    int status = begin(self, argc, argv, options, COUNT(options), &in, &path, &corpus);
    if (status < 0 && !folder) status = cli_usage(self, "--output is missing");
    if (status < 0) status = cli_whole(self, "--seed", seed_text, 0, UINT64_MAX, &seed);
    if (status < 0) {
        char *sizes_list = strdup(sizes), *names_list = strdup(names);
        status = sizes_list && names_list
                     ? split(self, corpus, sizes_list, names_list, folder, format, seed, in.quiet)
                     : FAILED;
        free(sizes_list);
        free(names_list);
    }
    nerfit_corpus_free(corpus);
    return status;
}

/* ---------------------------------------------------------------- sample */

/* {"file", "k", "seed", "lines"}: what the sample can be made of again. */
static int write_lines(const nerfit_corpus *sample, const char *path, size_t k, uint64_t seed) {
    FILE *file = fopen(path, "we");
    if (file) {
        fprintf(file, "{\"k\": %zu, \"seed\": %" PRIu64 ", \"lines\": [", k, seed);
        for (size_t i = 0; i < nerfit_corpus_size(sample); i++)
            fprintf(file, "%s%ld", i ? ", " : "", nerfit_corpus_line(sample, i));
        fputs("]}\n", file);
    }
    bool failed = !file || ferror(file);
    if (file && fclose(file) != 0) failed = true;
    if (failed) fprintf(stderr, "nerfit: error: %s: cannot be written\n", path);
    return failed ? FAILED : DONE;
}

static int run_sample(const command *self, int argc, char **argv) {
    input in = {0};
    const char *k_text = NULL, *seed_text = NULL, *negatives = NULL, *to = NULL, *output = NULL;
    const char *lines = NULL, *path;
    const cli_option options[] = {
        {"--k", "N", "mentions of every entity type", &k_text, NULL},
        {"--seed", "N", "default 0", &seed_text, NULL},
        {"--negatives", "N", "texts without an entity to add: 10, or 20% of the sample", &negatives,
         NULL},
        {"--to", "FORMAT", NULL, &to, NULL},
        {"--format", "NAME", "of the output; else by --output's ending, or jsonl", &to, NULL},
        {"--output", "PATH", "instead of standard output", &output, NULL},
        {"--lines", "FILE", "that receives the sample's line numbers, as JSON", &lines, NULL},
        INPUT_OPTIONS(in)};
    nerfit_corpus *corpus, *sample = NULL;
    nerfit_error error;
    uint64_t seed = 0, k = 0;
    int status = begin(self, argc, argv, options, COUNT(options), &in, &path, &corpus);
    if (status < 0 && !k_text) status = cli_usage(self, "--k is missing");
    if (status < 0) status = cli_whole(self, "--k", k_text, 1, UINT64_MAX, &k);
    if (status < 0) status = cli_whole(self, "--seed", seed_text, 0, UINT64_MAX, &seed);
    if (status < 0 &&
        nerfit_corpus_sample(corpus, k, seed, negatives, &sample, &error) != NERFIT_OK)
        status = cli_fail(&error);
    if (status < 0) {
        status = write_corpus(sample, output, to);
        if (status == DONE && lines) status = write_lines(sample, lines, k, seed);
        if (status == DONE && !in.quiet)
            fprintf(stderr, "%zu of %zu texts\n", nerfit_corpus_size(sample),
                    nerfit_corpus_size(corpus));
    }
    nerfit_corpus_free(sample);
    nerfit_corpus_free(corpus);
    return status;
}

/* ---------------------------------------------------------------- formats */

static const char *yes(bool is) {
    return is ? "yes" : "";
}

/* In a cell of a Markdown table, which a bar would end. */
static void print_text(const char *text) {
    for (; *text; text++) printf(*text == '|' ? "\\|" : "%c", *text);
}

static void print_cell(const char *text) {
    printf("| ");
    print_text(text);
    printf(text[0] ? " " : "");
}

static void print_row(const nerfit_format *f) {
    printf("| `%s` ", f->name);
    print_cell(f->title);
    print_cell(f->folder ? "a folder" : f->endings);
    print_cell(yes(f->is_read));
    print_cell(yes(f->is_written));
    print_cell(f->recognised);
    if (f->advice) {
        printf("| not read: ");
        print_text(f->advice);
        puts(" | |");
    } else {
        print_cell(f->kept);
        print_cell(f->lost);
        puts("|");
    }
}

static void print_format(void *user, const nerfit_format *f) {
    const bool *markdown = user;
    if (!*markdown)
        printf("%-16s %-5s %-8s %s\n", f->name, f->is_read ? "read" : "",
               f->is_written ? "written" : "", f->title);
    else
        print_row(f);
}

static int run_formats(const command *self, int argc, char **argv) {
    bool markdown = false;
    size_t n;
    nerfit_error error;
    const cli_option options[] = {
        {"--markdown", NULL, "as the table of docs/formats.md", NULL, &markdown}};
    int status = cli_parse(self, argc, argv, options, COUNT(options), NULL, 0, &n);
    if (status >= 0) return status;
    if (markdown)
        puts("| name | format | endings | read | written | recognised by | kept | lost |\n"
             "|---|---|---|---|---|---|---|---|");
    return nerfit_formats(print_format, &markdown, &error) == NERFIT_OK ? DONE : cli_fail(&error);
}

/* ---------------------------------------------------------------- the table */

static const command parts[] = {
    {"data convert", "FILE [options]", "one annotation format into another",
     "Every text is read back and compared, so that offsets are exact; what a format cannot hold "
     "is\n"
     "an error that names file and line.\n\n"
     "  nerfit data convert train.conll --output train.jsonl",
     run_convert},
    {"data check", "FILE ... [options]", "every problem with its file and line",
     "Exit status 1 if there are errors. Several files are also compared with each other.\n\n"
     "  nerfit data check train.txt test.txt --ent2emb labels.yaml",
     run_check},
    {"data stats", "FILE ... [options]", "texts, words, entities by type, lengths, overlaps",
     "Several files are also compared: repeated texts, entities that another file has, too.",
     run_stats},
    {"data split", "FILE --output FOLDER [options]", "training, validation and test texts",
     "Every part gets its share of every entity type; equal texts stay together.\n\n"
     "  nerfit data split all.jsonl --output data --sizes 400,100,rest --seed 1",
     run_split},
    {"data sample", "FILE --k N [options]", "a k-shot sample",
     "Greedy: texts in random order are taken while they bring an entity type that has fewer than "
     "k\n"
     "mentions, and push none past 2k; types that are short then are filled up without that "
     "cap.\n\n"
     "  nerfit data sample train.jsonl --k 16 --seed 0 --output k16-s0.jsonl",
     run_sample},
    {"data formats", "[--markdown]", "every format that is read or written",
     "Which format a file has is told from its content and its ending.", run_formats},
};

static void print_parts(void) {
    puts("usage: nerfit data convert|check|stats|split|sample|formats ...\n\n"
         "annotated files: convert, check, count, divide, sample\n");
    for (size_t i = 0; i < COUNT(parts); i++)
        printf("  nerfit %-14s %s\n", parts[i].name, parts[i].summary);
    puts("\nnerfit data COMMAND --help tells more.");
}

static int run_data(const command *self, int argc, char **argv) {
    const char *name = argc ? argv[0] : "--help";
    if (!cli_help_is_for_people()) {
        for (size_t i = 0; i < COUNT(parts); i++) parts[i].run(&parts[i], argc, argv);
        return DONE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_parts();
        return argc ? DONE : USAGE;
    }
    for (size_t i = 0; i < COUNT(parts); i++)
        if (strcmp(parts[i].name + strlen("data "), name) == 0)
            return parts[i].run(&parts[i], argc - 1, argv + 1);
    const char *names[COUNT(parts)];
    for (size_t i = 0; i < COUNT(parts); i++) names[i] = parts[i].name + strlen("data ");
    const char *nearest = nerfit_nearest(name, names, COUNT(parts));
    if (nearest)
        return cli_usage(self, "unknown command \"data %s\"; did you mean \"data %s\"?", name,
                         nearest);
    return cli_usage(self, "\"%s\" is not one of convert, check, stats, split, sample, formats",
                     name);
}

const command command_data = {"data", "convert|check|stats|split|sample|formats ...",
                              "annotated files: convert, check, count, divide, sample", NULL,
                              run_data};
