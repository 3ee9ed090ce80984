#ifndef NF_CLI_MAN_H
#define NF_CLI_MAN_H

#include "cli.h"

/* Prints nerfit(1). */
void cli_man(const command *const *commands, size_t count);
/* Whether it is being printed: help is then asked for in this form. */
bool cli_man_writing(void);
void cli_man_help(const command *self, const cli_option *options, size_t n_options);

#endif
