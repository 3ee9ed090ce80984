/* What the commands that train, or wait for the network, share: config and options, interrupts, the
 * bar. */
#ifndef NF_CLI_TRAINING_H
#define NF_CLI_TRAINING_H

#include "cli.h"

/* Reads "CONFIG.yaml --option value": the command's own options into their places, all others into
 * the config; flags override the file. Prints help for --help. Returns -1 to go on, or an exit
 * status. */
int cli_read_config(const command *self, int argc, char **argv, nerfit_config *config,
                    const cli_option *options, size_t n_options);

/* Whether Open MPI's mpirun started this process beside others. */
bool cli_is_one_of_a_job(void);

/* From now on the first SIGINT or SIGTERM is only remembered; a second one ends the program. */
void cli_catch_interrupts(void);
bool cli_interrupted(void);

double cli_now(void); /* seconds */

/* A bar on the last line of a terminal's stderr. */
typedef struct cli_bar {
    bool terminal; /* else nothing is drawn */
    bool shown;
    double drawn; /* when, in seconds */
} cli_bar;
/* Whether it is time to draw again (at most ten times a second, or always the last time). */
bool cli_bar_due(cli_bar *bar, bool last);
/* Draws "before[####....] done/total after". */
void cli_bar_draw(cli_bar *bar, const char *before, int64_t done, int64_t total, const char *format,
                  ...) NERFIT_PRINTF(5, 6);
void cli_bar_clear(cli_bar *bar);

/* The bar of downloads. */
typedef struct cli_transfer {
    cli_bar bar;
} cli_transfer;
void cli_transfer_begin(cli_transfer *transfer, bool quiet);
/* For a nerfit_transfer_function. false: interrupted. */
bool cli_on_transfer(cli_transfer *transfer, const nerfit_transfer *t);

#endif
