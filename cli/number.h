/* Numbers that options are given as. */
#ifndef NF_CLI_NUMBER_H
#define NF_CLI_NUMBER_H

#include "cli.h"

/* The whole of `text` as a finite number; false if it is something else. */
bool cli_number(const char *text, double *out);
/* The number that `text` begins with. */
double cli_number_of(const char *text);
/* The value of a whole number's option, from `least` to `most`; *out stays as it is if `text` is
 * NULL. Returns -1 to go on, or the exit status of a usage error that names the option. */
int cli_whole(const command *self, const char *option, const char *text, uint64_t least,
              uint64_t most, uint64_t *out);
/* The next part of --threshold ("0.5,time=0.7"), which is cut out of *rest: the label in *label (NULL:
 * all), and its threshold; *rest becomes NULL with the last one. Returns as cli_whole. */
int cli_threshold(const command *self, char **rest, const char **label, double *threshold);
/* The value of --threads: *out stays as it is if `text` is NULL; 0 means all cores. */
int cli_threads(const command *self, const char *text, int *out);

#endif
