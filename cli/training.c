#include "training.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "man.h"

/* ---------------------------------------------------------------- arguments */

static void print_help(const command *self, const cli_option *options, size_t n_options) {
    if (!cli_help_is_for_people()) { /* the config's options have a place of their own */
        cli_help(self, options, n_options);
        return;
    }
    cli_help(self, NULL, 0);
    char *help = nerfit_config_help_of(self->name, 80);
    if (help) fputs(help, stdout);
    nerfit_free(help);
    cli_help_options(options, n_options);
}

/* One option of the config. */
static int set_option(const command *self, nerfit_config *config, const char *argument, size_t size,
                      const char *value) {
    nerfit_error error;
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)size - 2, argument + 2);
    nerfit_status status = nerfit_config_set(config, name, value, &error);
    if (status == NERFIT_OK) return -1;
    return status == NERFIT_NO_MEMORY ? cli_fail(&error) : cli_usage(self, "%s", error.text);
}

static int load_config(const command *self, nerfit_config *config, const char *path, bool *had) {
    nerfit_error error;
    if (*had) return cli_usage(self, "unexpected argument \"%s\"", path);
    *had = true;
    return nerfit_config_load(config, path, &error) == NERFIT_OK ? -1 : cli_fail(&error);
}

int cli_read_config(const command *self, int argc, char **argv, nerfit_config *config,
                    const cli_option *options, size_t n_options) {
    bool had_config = false;
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(self, options, n_options);
            return DONE;
        }
    for (int pass = 0, status; pass < 2; pass++) /* the file first: flags override it */
        for (int i = 0; i < argc; i++) {
            char *argument = argv[i], *equals = strchr(argument, '=');
            if (strncmp(argument, "--", 2) != 0) {
                if (pass == 1) continue;
                status = load_config(self, config, argument, &had_config);
                if (status >= 0) return status;
                continue;
            }
            size_t size = equals ? (size_t)(equals - argument) : strlen(argument);
            const cli_option *own = cli_find_option(options, n_options, argument, size);
            if (own && own->flag) {
                if (equals) return cli_usage(self, "%s takes no value", own->name);
                *own->flag = true;
                continue;
            }
            char *value = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
            if (!value) return cli_usage(self, "%s needs a value", argument);
            if (own)
                *own->text = value;
            else if (pass == 1) {
                status = set_option(self, config, argument, size, value);
                if (status >= 0) return status;
            }
        }
    return -1;
}

/* ---------------------------------------------------------------- interrupts and time */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    (void)number;
    if (interrupted) _exit(130); /* the second time: at once */
    interrupted = 1;
}

void cli_catch_interrupts(void) {
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool cli_interrupted(void) {
    return interrupted;
}

double cli_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---------------------------------------------------------------- the bar */

bool cli_bar_due(cli_bar *bar, bool last) {
    double time = cli_now();
    if (!bar->terminal || (!last && time - bar->drawn < 0.1)) return false;
    bar->drawn = time;
    return true;
}

void cli_bar_draw(cli_bar *bar, const char *before, int64_t done, int64_t total, const char *format,
                  ...) {
    enum { WIDTH = 24 };
    int full = total > 0 ? (int)(WIDTH * done / total) : 0;
    fprintf(stderr, "\r\033[K%s[", before);
    for (int i = 0; i < WIDTH; i++) fputc(i < full ? '#' : '.', stderr);
    fprintf(stderr, "] %lld/%lld  ", (long long)done, (long long)total);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    bar->shown = true;
}

void cli_bar_clear(cli_bar *bar) {
    if (bar->shown) fputs("\r\033[K", stderr);
    bar->shown = false;
}
