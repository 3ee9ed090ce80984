#ifndef NF_CLI_MAN_H
#define NF_CLI_MAN_H

#include "cli.h"

/* Prints nerfit(1). */
void cli_man(const command *const *commands, size_t count);

/* Receives a command's table when its help is asked for, in the place of --help's text. */
typedef void cli_help_sink(const command *self, const cli_option *options, size_t n_options);
/* NULL: --help is for people again. */
void cli_help_into(cli_help_sink *into);
bool cli_help_is_for_people(void);

#endif
