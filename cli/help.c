/* --help: what a command's table says, in 80 columns. While a manual page or a completion is made,
 * the tables go there instead. */
#include "man.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 80, INDENT = 25 };

static cli_help_sink *sink;

void cli_help_into(cli_help_sink *into) {
    sink = into;
}

bool cli_help_is_for_people(void) {
    return sink == NULL;
}

/* Words from `column` on, further lines from `indent` on; ends the line. */
static void put_wrapped(const char *text, int column, int indent) {
    bool first = true;
    while (*text) {
        int size = (int)strcspn(text, " \n");
        if (!first && column + 1 + size > WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
            first = true;
        }
        printf("%s%.*s", first ? "" : " ", size, text);
        column += size + !first;
        first = false;
        text += size;
        text += strspn(text, " \n");
    }
    putchar('\n');
}

/* Paragraphs are laid out anew; lines that begin with two blanks stay as they are. */
static void put_help(const char *help) {
    while (*help) {
        const char *end = strstr(help, "\n\n");
        size_t size = end ? (size_t)(end - help) : strlen(help);
        char paragraph[4096];
        snprintf(paragraph, sizeof paragraph, "%.*s", (int)size, help);
        if (strncmp(paragraph, "  ", 2) == 0)
            puts(paragraph);
        else
            put_wrapped(paragraph, 0, 0);
        help += size + (end ? 2 : 0);
        if (*help) putchar('\n');
    }
}

void cli_help(const command *self, const cli_option *options, size_t n_options) {
    if (sink) {
        sink(self, options, n_options);
        return;
    }
    printf("usage: nerfit %s %s\n\n", self->name, self->arguments);
    put_wrapped(self->summary, 0, 0);
    if (self->help) {
        putchar('\n');
        put_help(self->help);
    }
    cli_help_options(options, n_options);
}

void cli_help_options(const cli_option *options, size_t n_options) {
    if (n_options) puts("\nOptions:");
    for (size_t i = 0; i < n_options; i++) {
        if (!options[i].help) continue; /* an old spelling */
        int column = printf("  %s%s%s", options[i].name, options[i].value ? " " : "",
                            options[i].value ? options[i].value : "");
        if (column + 2 > INDENT)
            printf("\n%*s", INDENT, "");
        else
            printf("%*s", INDENT - column, "");
        put_wrapped(options[i].help, INDENT, INDENT);
    }
}
