/* The bar of downloads, and how they are interrupted. */
#include "training.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void cli_transfer_begin(cli_transfer *transfer, bool quiet) {
    *transfer = (cli_transfer){.bar = {.terminal = isatty(STDERR_FILENO) && !quiet}};
}

bool cli_on_transfer(cli_transfer *transfer, const nerfit_transfer *t) {
    enum { LEAST = 1 << 20 }; /* bytes: what is smaller is there before a bar is read */
    if (t->file && t->total > LEAST && cli_bar_due(&transfer->bar, t->done == t->total)) {
        char before[80];
        snprintf(before, sizeof before, "%.70s ", t->file);
        cli_bar_draw(&transfer->bar, before, (int64_t)(t->done / 1000), (int64_t)(t->total / 1000),
                     "kB");
        if (t->done == t->total) cli_bar_clear(&transfer->bar);
    }
    return !cli_interrupted();
}
