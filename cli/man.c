/* The man page, made from the same tables as --help, so that the two cannot differ: the commands'
 * help is printed as roff while this page is written. */
#include "man.h"

#include <stdio.h>

/* Text as roff takes it: backslashes and dashes escaped, no line that begins as a request does. */
static void put(const char *text) {
    bool begins = true;
    for (; *text; text++) {
        if (begins && (*text == '.' || *text == '\'')) fputs("\\&", stdout);
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
        begins = *text == '\n';
    }
}

static void put_command(const command *self, const cli_option *options, size_t n_options) {
    fputs(".SS nerfit ", stdout);
    put(self->name);
    putchar(' ');
    put(self->arguments);
    putchar('\n');
    put(self->summary);
    fputs(".\n", stdout);
    if (self->help) {
        fputs(".PP\n.nf\n", stdout);
        put(self->help);
        fputs("\n.fi\n", stdout);
    }
    for (size_t i = 0; i < n_options; i++) {
        if (!options[i].help) continue; /* an old spelling */
        fputs(".TP\n.B ", stdout);
        put(options[i].name);
        if (options[i].value) {
            putchar(' ');
            put(options[i].value);
        }
        putchar('\n');
        put(options[i].help);
        putchar('\n');
    }
}

void cli_man(const command *const *commands, size_t count) {
    char *only_help[] = {(char *)(uintptr_t) "--help"};
    printf(".TH NERFIT 1 \"\" \"nerfit %s\"\n.SH NAME\nnerfit \\- few\\-shot named entity "
           "recognition\n"
           ".SH SYNOPSIS\n.B nerfit\n.I COMMAND\n[\n.I ARGUMENTS\n]\n.SH DESCRIPTION\n"
           "Teaches a transformer to find your entities in text, from a handful of examples, and "
           "tags\n"
           "text with it. Data goes to standard output, everything else to standard error.\n"
           ".SH COMMANDS\n",
           nerfit_version());
    cli_help_into(put_command);
    for (size_t i = 0; i < count; i++) commands[i]->run(commands[i], 1, only_help);
    cli_help_into(NULL);
    char *options = nerfit_config_help(0);
    fputs(".SH OPTIONS OF TRAINING\nThey stand in the config file, or on the command line.\n",
          stdout);
    if (options) fputs(options, stdout);
    nerfit_free(options);
    fputs(
        ".SH FILES\nThe folder of a run, output_dir: best/ (the model), report.html, "
        "metrics.jsonl, training_args.json, stage1/ and stage2/ (checkpoints).\n"
        ".SH ENVIRONMENT\nHF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE, HF_TOKEN, HF_ENDPOINT: as "
        "huggingface_hub reads them. OPENAI_API_KEY, ANTHROPIC_API_KEY and others: keys of "
        "language models. NERFIT_LLM_TIMEOUT: seconds to wait for an answer. NO_COLOR.\n"
        ".SH EXAMPLES\n.nf\n"
        "nerfit train \\-\\-model_name sentence\\-transformers/all\\-MiniLM\\-L6\\-v2 "
        "\\-\\-train_annotations train.txt \\-\\-ent2emb labels.yaml \\-\\-output_dir runs/first\n"
        "nerfit predict runs/first/best texts.txt \\-\\-output found.jsonl\n"
        "nerfit eval runs/first/best test.txt \\-\\-errors\n.fi\n",
        stdout);
    fputs(".SH EXIT STATUS\n0 done, 1 the work failed, 2 wrong usage, 130 interrupted.\n", stdout);
}
