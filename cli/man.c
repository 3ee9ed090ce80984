/* The man page, made from the same tables as --help, so that the two cannot differ: the commands'
 * help is printed as roff while this page is written. */
#include "man.h"

#include <stdio.h>

static bool writing;

bool cli_man_writing(void) {
    return writing;
}

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

void cli_man_help(const command *self, const cli_option *options, size_t n_options) {
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
    writing = true;
    for (size_t i = 0; i < count; i++) commands[i]->run(commands[i], 1, only_help);
    writing = false;
    char *options = nerfit_config_help(0);
    fputs(".SH OPTIONS OF TRAINING\nThey stand in the config file, or on the command line.\n",
          stdout);
    if (options) fputs(options, stdout);
    nerfit_free(options);
    fputs(".SH EXIT STATUS\n0 done, 1 the work failed, 2 wrong usage, 130 interrupted.\n", stdout);
}
