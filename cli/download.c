/* nerfit download: a model from the hub into the cache, for a machine or a time without a network.
 */
#include "training.h"

#include <stdio.h>
#include <string.h>

typedef struct downloading {
    cli_transfer transfer;
    bool quiet;
} downloading;

static void on_log(void *user, nerfit_log_level level, const char *message) {
    downloading *d = user;
    cli_bar_clear(&d->transfer.bar);
    cli_log(&d->quiet, level, message);
}

static bool on_transfer(void *user, const nerfit_transfer *transfer) {
    downloading *d = user;
    return cli_on_transfer(&d->transfer, transfer);
}

static int run_download(const command *self, int argc, char **argv) {
    downloading d = {0};
    const char *kind = "model", *name;
    const cli_option options[] = {{"--kind", "KIND",
                                   "model, sentence (with what modules.json names) or tokenizer",
                                   &kind, NULL},
                                  {"--quiet", NULL, "only warnings and errors", NULL, &d.quiet}};
    size_t n;
    int status =
        cli_parse(self, argc, argv, options, sizeof options / sizeof *options, &name, 1, &n);
    if (status >= 0) return status;
    if (n == 0) return cli_usage(self, "NAME is missing");
    nerfit_error error;
    char *folder;
    nerfit_model_options how = {.size = sizeof how,
                                .log = on_log,
                                .log_user = &d,
                                .transfer = on_transfer,
                                .transfer_user = &d};
    cli_transfer_begin(&d.transfer, d.quiet);
    cli_catch_interrupts();
    nerfit_status result = nerfit_model_find(name, kind, &how, &folder, &error);
    cli_bar_clear(&d.transfer.bar);
    if (result != NERFIT_OK) {
        status = cli_fail(&error);
        return result == NERFIT_CANCELLED ? 130 : status;
    }
    bool written = cli_write(NULL, folder, strlen(folder)) && cli_write(NULL, "\n", 1);
    nerfit_free(folder);
    return written ? DONE : FAILED;
}

const command command_download = {"download", "NAME [options]",
                                  "a model from Hugging Face's hub into the cache",
                                  "NAME is owner/name or owner/name@revision. Prints the folder; "
                                  "all commands find the model by its\n"
                                  "name from then on, without a network too.\n\n"
                                  "  nerfit download sentence-transformers/LaBSE --kind sentence",
                                  run_download};
