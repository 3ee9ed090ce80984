/* nerfit train: flags and config to a run, with its progress on stderr. */
#include "number.h"
#include "training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct progress {
    bool quiet, log_json;
    size_t rank; /* in a job of several; rank 0 alone speaks, but of errors */
    cli_bar bar;
    cli_transfer transfer;
    double began; /* seconds */
    int64_t first_step;
} progress;

static void draw_bar(progress *p, const nerfit_event *event) {
    char stage[48];
    if (!cli_bar_due(&p->bar, event->step >= event->total_steps)) return;
    double rate = (double)(event->step - p->first_step) / (cli_now() - p->began + 1e-9);
    double left = rate > 0 ? (double)(event->total_steps - event->step) / rate : 0;
    if (event->fold)
        snprintf(stage, sizeof stage, "calibration %d of %d ", event->fold, event->folds);
    else
        snprintf(stage, sizeof stage, "stage %d ", event->stage);
    cli_bar_draw(&p->bar, stage, event->step, event->total_steps,
                 "%.1f steps/s  %d:%02d left  loss %.4f", rate, (int)left / 60, (int)left % 60,
                 event->loss);
}

/* A number of the event's JSON by its key; NaN if it is not there. */
static double number_of(const char *json, const char *key) {
    char pattern[64];
    snprintf(pattern, sizeof pattern, "\"%s\":", key);
    const char *at = strstr(json, pattern);
    return at ? cli_number_of(at + strlen(pattern)) : 0.0 / 0.0;
}

/* "  NAME NUMBER" of a key that the event has. */
static void print_number(const nerfit_event *event, const char *key, const char *name) {
    double value = number_of(event->json, key);
    if (value == value) fprintf(stderr, "  %s %.4g", name, value);
}

/* A line within 80 columns; --log-json has all under transformers' names. */
static void print_entry(const nerfit_event *event) {
    double f1 = number_of(event->json, "eval_overall_f1");
    fprintf(stderr, "stage %d  step %lld/%lld", event->stage, (long long)event->step,
            (long long)event->total_steps);
    if (f1 == f1)
        fprintf(stderr, "  validation: F1 %.4f (P %.4f, R %.4f)", f1,
                number_of(event->json, "eval_overall_precision"),
                number_of(event->json, "eval_overall_recall"));
    else
        fprintf(stderr, "  epoch %.2f", event->epoch);
    print_number(event, "loss", "loss");
    print_number(event, "grad_norm", "gradient");
    print_number(event, "learning_rate", "rate");
    print_number(event, "eval_loss", f1 == f1 ? "loss" : "validation loss");
    fputc('\n', stderr);
}

static bool on_event(void *user, const nerfit_event *event) {
    progress *p = user;
    if (p->rank > 0) return !cli_interrupted();
    if (event->kind == NERFIT_EVENT_BEGIN) {
        p->began = cli_now();
        p->first_step = event->step;
        if (!p->quiet && !p->log_json && !event->fold) /* the log tells of folds */
            fprintf(stderr, "stage %d: %s, %lld steps\n", event->stage, event->stage_name,
                    (long long)event->total_steps);
    }
    if (event->kind == NERFIT_EVENT_BEGIN && p->log_json)
        fprintf(stderr, "{\"stage\":%d,\"total\":%lld,\"fold\":%d,\"folds\":%d}\n", event->stage,
                (long long)event->total_steps, event->fold, event->folds);
    if (event->kind == NERFIT_EVENT_STEP) draw_bar(p, event);
    if (event->json) {
        cli_bar_clear(&p->bar);
        if (p->log_json)
            fprintf(stderr, "{\"stage\":%d,%s\n", event->stage, event->json + 1);
        else if (!p->quiet)
            print_entry(event);
    }
    if (event->kind == NERFIT_EVENT_END) cli_bar_clear(&p->bar);
    return !cli_interrupted();
}

static bool on_transfer(void *user, const nerfit_transfer *transfer) {
    progress *p = user;
    return cli_on_transfer(&p->transfer, transfer);
}

static void on_log(void *user, nerfit_log_level level, const char *message) {
    progress *p = user;
    cli_bar_clear(&p->bar);
    cli_bar_clear(&p->transfer.bar);
    if (p->rank > 0) return;
    if (p->log_json && level == NERFIT_LOG_INFO) return;
    cli_log(&p->quiet, level, message);
}

enum { STOPPED = 130 };

typedef nerfit_status work(const nerfit_config *config, const nerfit_callbacks *callbacks,
                           nerfit_train_result *result, nerfit_error *error);

static int train(work *run, nerfit_config *config, progress *p, bool json) {
    nerfit_error error;
    nerfit_train_result result;
    nerfit_callbacks callbacks = {.size = sizeof callbacks,
                                  .log = on_log,
                                  .event = on_event,
                                  .transfer = on_transfer,
                                  .user = p};
    nerfit_status status = run(config, &callbacks, &result, &error);
    cli_bar_clear(&p->bar);
    cli_bar_clear(&p->transfer.bar);
    if (p->rank > 0 && (status == NERFIT_OK || status == NERFIT_CANCELLED))
        return status == NERFIT_OK ? DONE : STOPPED;
    if (p->rank > 0) sleep(10); /* where rank 0 fails alike, it ends the job with its message */
    if (p->rank > 0 && cli_interrupted()) return STOPPED;
    if (status == NERFIT_CANCELLED) {
        fprintf(stderr, "nerfit: %s (add --resume_from_checkpoint true)\n", error.text);
        return STOPPED;
    }
    if (p->rank > 0) fprintf(stderr, "nerfit: rank %zu failed\n", p->rank);
    if (status != NERFIT_OK) return cli_fail(&error);
    if (result.report.text) {
        if (json)
            printf("%s\n", result.report.json);
        else
            printf("Scores on the %s data:\n\n%s\n", result.report_of, result.report.text);
    }
    FILE *out = json ? stderr : stdout;
    const char *next =
        run == nerfit_train ? "nerfit predict %s FILE" : "nerfit train --model_name %s ...";
    fprintf(out, "The model is in %s (%.1f s)", result.model_folder, result.seconds);
    if (result.page) fprintf(out, ", a report in %s", result.page);
    fputs(". Try:\n  ", out);
    fprintf(out, next, result.model_folder);
    fputc('\n', out);
    nerfit_train_result_free(&result);
    return DONE;
}

bool cli_is_one_of_a_job(void) {
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");
    return size && strcmp(size, "1") != 0;
}

/* Where mpirun started several processes, the run is theirs. */
static int join_job(nerfit_config *config, progress *p) {
    nerfit_error error;
    size_t count;
    if (!cli_is_one_of_a_job()) return -1;
    if (nerfit_config_join_mpi(config, &p->rank, &count, &error) != NERFIT_OK)
        return cli_fail(&error);
    if (p->rank > 0) p->bar.terminal = false;
    if (p->rank == 0 && !p->quiet && !p->log_json)
        fprintf(stderr, "%zu processes train together\n", count);
    return -1;
}

static int run_with(work *run, const command *self, int argc, char **argv) {
    nerfit_error error;
    nerfit_config *config;
    progress p = {0};
    bool json = false;
    const cli_option options[] = {
        {"--quiet", NULL, "only warnings and errors", NULL, &p.quiet},
        {"--log-json", NULL, "log entries and metrics as JSON lines on stderr", NULL, &p.log_json},
        {"--json", NULL, "the final scores as JSON on stdout", NULL, &json},
    };
    if (nerfit_config_new(&config, &error) != NERFIT_OK) return cli_fail(&error);
    int status = cli_read_config(self, argc, argv, config, options, 3);
    p.bar.terminal = isatty(STDERR_FILENO) && !p.quiet && !p.log_json;
    cli_transfer_begin(&p.transfer, p.quiet || p.log_json);
    if (status < 0) status = join_job(config, &p);
    if (status < 0) {
        cli_catch_interrupts();
        status = train(run, config, &p, json);
    }
    nerfit_config_free(config);
    return status;
}

static int run_train(const command *self, int argc, char **argv) {
    return run_with(nerfit_train, self, argc, argv);
}

static int run_pretrain(const command *self, int argc, char **argv) {
    return run_with(nerfit_pretrain, self, argc, argv);
}

const command command_pretrain = {
    "pretrain", "[CONFIG.yaml] [--option value ...]", "pre-train an encoder on other label sets",
    "Teaches an encoder (or, with --peft_lora true, an adapter of it) to find what descriptions "
    "say, on\n"
    "annotated files that have label sets of their own. The result serves as model_name, or, if it "
    "is an\n"
    "adapter, as pretrained, when your own labels are trained from few examples; and it tags "
    "labels that\n"
    "nobody trained: nerfit predict MODEL --labels labels.yaml.\n\n"
    "  nerfit pretrain --model_name MODEL --output_dir OUT \\\n"
    "    --pretrain_annotations corpora/open-types\n"
    "  nerfit pretrain --model_name MODEL --pretrain_annotations a.jsonl,b.conll \\\n"
    "                  --pretrain_ent2emb a.yaml,b.json --output_dir OUT\n\n"
    "A folder holds NAME.txt (or another format's ending) with NAME.yaml beside it; a manifest is "
    "a YAML\n"
    "file of annotated file: descriptions, or a list of {annotations: FILE, descriptions: FILE} "
    "and\n"
    "folders, relative to its own folder.",
    run_pretrain};

const command command_train = {
    "train", "[CONFIG.yaml] [--option value ...]", "train a model on annotated texts",
    "Runs both stages and prints the final scores. Options come from the config file, then from "
    "the\n"
    "command line. Interrupted (Ctrl-C), it leaves a checkpoint to go on from. Under mpirun (Open "
    "MPI)\n"
    "all processes train together: docs/scale.md.\n\n"
    "  nerfit train config.yaml --learning_rate 5e-5,1e-4\n"
    "  nerfit train --model_name MODEL --train_annotations a.jsonl \\\n"
    "    --ent2emb labels.yaml --output_dir OUT",
    run_train};
