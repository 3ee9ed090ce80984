/* nerfit train: flags and config to a run, with its progress on stderr. */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;
static void on_interrupt(int number) {
    (void)number;
    if (interrupted) _exit(130); /* the second time: at once */
    interrupted = 1;
}

typedef struct progress {
    bool quiet, log_json, terminal, bar;
    double began, drawn; /* seconds */
    int64_t first_step;
} progress;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void clear_bar(progress *p) {
    if (p->bar) fputs("\r\033[K", stderr);
    p->bar = false;
}

static void draw_bar(progress *p, const nerfit_event *event) {
    double time = now();
    if (event->step < event->total_steps && time - p->drawn < 0.1) return;
    p->drawn = time;
    double rate = (double)(event->step - p->first_step) / (time - p->began + 1e-9);
    double left = rate > 0 ? (double)(event->total_steps - event->step) / rate : 0;
    int width = 24, full = (int)(width * event->step / (event->total_steps ? event->total_steps : 1));
    char bar[32];
    for (int i = 0; i < width; i++) bar[i] = i < full ? '#' : '.';
    bar[width] = '\0';
    fprintf(stderr, "\r\033[Kstage %d [%s] %lld/%lld  %.1f steps/s  %d:%02d left  loss %.4f",
            event->stage, bar, (long long)event->step, (long long)event->total_steps, rate,
            (int)left / 60, (int)left % 60, event->loss);
    p->bar = true;
}

/* A number of the event's JSON by its key; NaN if it is not there. */
static double number_of(const char *json, const char *key) {
    char pattern[64];
    snprintf(pattern, sizeof pattern, "\"%s\":", key);
    const char *at = strstr(json, pattern);
    return at ? strtod(at + strlen(pattern), NULL) : 0.0 / 0.0;
}

static void print_entry(const nerfit_event *event) {
    static const char *const keys[] = {"loss", "grad_norm", "learning_rate", "eval_loss",
                                       "eval_overall_precision", "eval_overall_recall",
                                       "eval_overall_f1"};
    fprintf(stderr, "stage %d  step %lld/%lld  epoch %.2f", event->stage, (long long)event->step,
            (long long)event->total_steps, event->epoch);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        double value = number_of(event->json, keys[i]);
        if (value == value) fprintf(stderr, "  %s %.4g", keys[i], value);
    }
    fputc('\n', stderr);
}

static bool on_event(void *user, const nerfit_event *event) {
    progress *p = user;
    if (event->kind == NERFIT_EVENT_BEGIN) {
        p->began = now();
        p->first_step = event->step;
        if (!p->quiet && !p->log_json)
            fprintf(stderr, "stage %d: %s, %lld steps\n", event->stage, event->stage_name,
                    (long long)event->total_steps);
    }
    if (event->kind == NERFIT_EVENT_STEP && p->terminal) draw_bar(p, event);
    if (event->json) {
        clear_bar(p);
        if (p->log_json)
            fprintf(stderr, "{\"stage\":%d,%s\n", event->stage, event->json + 1);
        else if (!p->quiet) print_entry(event);
    }
    if (event->kind == NERFIT_EVENT_END) clear_bar(p);
    return !interrupted;
}

static void on_log(void *user, nerfit_log_level level, const char *message) {
    progress *p = user;
    clear_bar(p);
    if (p->log_json && level == NERFIT_LOG_INFO) return;
    cli_log(&p->quiet, level, message);
}

static void print_help(const command *self) {
    cli_help(self, NULL, 0);
    puts("\nOptions:\n  --quiet                only warnings and errors\n"
         "  --log-json             log entries and metrics as JSON lines on stderr\n"
         "  --json                 the final scores as JSON on stdout");
    char *help = nerfit_config_help(80);
    if (help) fputs(help, stdout);
    nerfit_free(help);
}

/* --name value, --name=value; the first plain argument is the config file. */
static int read_arguments(const command *self, int argc, char **argv, nerfit_config *config,
                          progress *p, bool *json) {
    nerfit_error error;
    bool had_config = false;
    for (int pass = 0; pass < 2; pass++) /* the file first: flags override it */
        for (int i = 0; i < argc; i++) {
            char *argument = argv[i];
            if (strncmp(argument, "--", 2) != 0) {
                if (pass == 1) continue;
                if (had_config) return cli_usage(self, "unexpected argument \"%s\"", argument);
                had_config = true;
                if (nerfit_config_load(config, argument, &error) != NERFIT_OK)
                    return cli_fail(&error);
                continue;
            }
            bool quiet = strcmp(argument, "--quiet") == 0;
            bool log_json = strcmp(argument, "--log-json") == 0;
            bool as_json = strcmp(argument, "--json") == 0;
            if (quiet || log_json || as_json) {
                p->quiet |= quiet;
                p->log_json |= log_json;
                *json |= as_json;
                continue;
            }
            char *equals = strchr(argument, '=');
            char *value = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
            if (!value) return cli_usage(self, "%s needs a value", argument);
            if (pass == 0) continue;
            char name[128];
            snprintf(name, sizeof name, "%.*s",
                     (int)(equals ? (size_t)(equals - argument) : strlen(argument)) - 2,
                     argument + 2);
            if (nerfit_config_set(config, name, value, &error) != NERFIT_OK)
                return cli_usage(self, "%s", error.text);
        }
    return -1;
}

static int train(nerfit_config *config, progress *p, bool json) {
    nerfit_error error;
    nerfit_train_result result;
    nerfit_callbacks callbacks = {.log = on_log, .event = on_event, .user = p};
    nerfit_status status = nerfit_train(config, &callbacks, &result, &error);
    clear_bar(p);
    if (status == NERFIT_CANCELLED) {
        fprintf(stderr, "nerfit: %s (add --resume_from_checkpoint true)\n", error.text);
        return 130;
    }
    if (status != NERFIT_OK) return cli_fail(&error);
    if (result.report.text) {
        if (json) printf("%s\n", result.report.json);
        else printf("Scores on the %s data:\n\n%s\n", result.report_of, result.report.text);
    }
    fprintf(json ? stderr : stdout, "The model is in %s (%.1f s). Try:\n  nerfit predict %s FILE\n",
            result.model_folder, result.seconds, result.model_folder);
    nerfit_train_result_free(&result);
    return DONE;
}

static int run_train(const command *self, int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(self);
            return DONE;
        }
    nerfit_error error;
    nerfit_config *config;
    if (nerfit_config_new(&config, &error) != NERFIT_OK) return cli_fail(&error);
    progress p = {0};
    bool json = false;
    int status = read_arguments(self, argc, argv, config, &p, &json);
    p.terminal = isatty(STDERR_FILENO) && !p.quiet && !p.log_json;
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (status < 0) status = train(config, &p, json);
    nerfit_config_free(config);
    return status;
}

const command command_train = {
    "train", "[CONFIG.yaml] [--option value ...]", "train a model on annotated texts",
    "Runs both stages and prints the final scores. Options come from the config file, then from the\n"
    "command line. Interrupted (Ctrl-C), it leaves a checkpoint to go on from.\n\n"
    "  nerfit train config.yaml --learning_rate 5e-5,1e-4\n"
    "  nerfit train --model_name MODEL --train_annotations a.jsonl --ent2emb labels.yaml "
    "--output_dir OUT",
    run_train};
