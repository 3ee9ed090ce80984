/* nerfit describe: descriptions of labels, written by a language model. */
#include "number.h"
#include "training.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FILES = 16 };

typedef struct describing {
    cli_transfer transfer;
    bool quiet;
    size_t asked;
} describing;

static void on_log(void *user, nerfit_log_level level, const char *message) {
    describing *d = user;
    cli_bar_clear(&d->transfer.bar);
    cli_log(&d->quiet, level, message);
}

static bool on_transfer(void *user, const nerfit_transfer *transfer) {
    describing *d = user;
    return cli_on_transfer(&d->transfer, transfer);
}

static bool on_described(void *user, const char *label, const char *description, size_t done,
                         size_t count) {
    describing *d = user;
    (void)description;
    cli_bar_clear(&d->transfer.bar);
    if (!d->quiet) fprintf(stderr, "%zu/%zu  %s\n", done, count, label);
    return !cli_interrupted();
}

static int describe(describing *d, nerfit_corpus *const *corpora, size_t count,
                    nerfit_describe_options *options) {
    nerfit_error error;
    char *text;
    options->log = on_log;
    options->transfer = on_transfer;
    options->described = on_described;
    options->user = d;
    nerfit_status status =
        nerfit_describe((const nerfit_corpus *const *)corpora, count, options, &text, &error);
    cli_bar_clear(&d->transfer.bar);
    if (status == NERFIT_CANCELLED) {
        fprintf(stderr, "nerfit: %s%s\n", error.text,
                options->file ? "; what was written so far is in the file" : "");
        return 130;
    }
    if (status != NERFIT_OK) return cli_fail(&error);
    if (!options->file)
        cli_write(NULL, text, strlen(text));
    else if (!d->quiet)
        fprintf(stderr, "The descriptions are in %s\n", options->file);
    nerfit_free(text);
    return DONE;
}

static int run_describe(const command *self, int argc, char **argv) {
    describing d = {0};
    const char *llm = NULL, *output = NULL, *seed = "123", *format = NULL, *paths[MOST_FILES];
    nerfit_corpus *corpora[MOST_FILES] = {0};
    const cli_option options[] = {
        {"--llm", "NAME", "gpt-4o-mini, anthropic/..., ollama/...: see docs/network.md", &llm,
         NULL},
        {"--output", "PATH",
         "YAML, or JSON by its ending; what it has stays as it is, and only missing "
         "labels are asked for",
         &output, NULL},
        {"--seed", "N", "of the texts that are shown to the model, ten a label (123)", &seed, NULL},
        {"--from", "FORMAT", cli_format_help(NERFIT_FORMATS_READ, "of DATA: "), &format, NULL},
        {"--quiet", NULL, "only warnings and errors", NULL, &d.quiet}};
    size_t n;
    int status = cli_parse(self, argc, argv, options, sizeof options / sizeof *options, paths,
                           MOST_FILES, &n);
    if (status >= 0) return status;
    if (n == 0) return cli_usage(self, "DATA is missing");
    if (!llm) return cli_usage(self, "--llm is missing");
    uint64_t number = 0;
    if ((status = cli_whole(self, "--seed", seed, 0, UINT64_MAX, &number)) >= 0) return status;
    nerfit_error error;
    nerfit_read_options reading = {.size = sizeof reading, .format = format};
    nerfit_describe_options how = {
        .size = sizeof how, .llm = llm, .seed = number, .file = output, .format = "yaml"};
    cli_transfer_begin(&d.transfer, d.quiet);
    status = DONE;
    for (size_t i = 0; i < n && status == DONE; i++) {
        if (nerfit_corpus_new(&corpora[i], on_log, &d, &error) != NERFIT_OK ||
            nerfit_corpus_read(corpora[i], paths[i], &reading, &error) != NERFIT_OK)
            status = cli_fail(&error);
    }
    cli_catch_interrupts();
    if (status == DONE) status = describe(&d, corpora, n, &how);
    for (size_t i = 0; i < n; i++) nerfit_corpus_free(corpora[i]);
    return status;
}

const command command_describe = {
    "describe", "DATA ... --llm NAME [-o FILE] [options]",
    "descriptions of the labels, by a language model",
    "Shows a language model up to ten texts of every label of the annotated files, and writes what "
    "it\n"
    "says of each label, as YAML: a file to look through, edit, and give to nerfit train "
    "--ent2emb.\n"
    "Keys come from the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, ...).\n\n"
    "  nerfit describe train.jsonl --llm gpt-4o-mini -o labels.yaml",
    run_describe};
