/* nerfit fewshot: the few-shot protocol, with its progress on stderr and its table on stdout. */
#include "training.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct view {
    bool quiet;
    cli_bar bar;
    double run_began; /* seconds */
} view;

static void draw_bar(view *v, const nerfit_fewshot_progress *p) {
    char left[32] = "";
    const nerfit_event *event = p->event;
    if (!cli_bar_due(&v->bar, !event)) return;
    if (p->seconds_left >= 0) {
        double seconds = p->seconds_left - (cli_now() - v->run_began);
        if (seconds < 0) seconds = 0;
        snprintf(left, sizeof left, "%d:%02d left  ", (int)seconds / 60, (int)seconds % 60);
    }
    cli_bar_draw(&v->bar, "runs ", (int64_t)p->finished, (int64_t)p->runs,
                 "%sk %zu, seed %" PRIu64 ", %s: stage %d, step %lld/%lld", left, p->k, p->seed,
                 p->recipe, event ? event->stage : 1, event ? (long long)event->step : 0LL,
                 event ? (long long)event->total_steps : 0LL);
}

static bool on_progress(void *user, const nerfit_fewshot_progress *p) {
    view *v = user;
    if (!p->event && !p->done) v->run_began = cli_now();
    if (p->done) {
        cli_bar_clear(&v->bar);
        if (!v->quiet)
            fprintf(stderr, "%zu/%zu  k %zu, seed %" PRIu64 ", %s: F1 %.2f, %.1f s (%zu texts)%s\n",
                    p->finished, p->runs, p->k, p->seed, p->recipe, 100 * p->f1, p->seconds,
                    p->texts, p->earlier ? ", from an earlier call" : "");
    } else {
        draw_bar(v, p);
    }
    return !cli_interrupted();
}

static void on_log(void *user, nerfit_log_level level, const char *message) {
    view *v = user;
    cli_bar_clear(&v->bar);
    cli_log(&v->quiet, level, message);
}

static int save_json(const char *path, const char *json) {
    FILE *file = fopen(path, "we");
    bool failed = !file || fprintf(file, "%s\n", json) < 0;
    if (file && fclose(file) != 0) failed = true;
    if (failed) fprintf(stderr, "nerfit: error: %s: cannot be written\n", path);
    return failed ? FAILED : DONE;
}

static int run(const nerfit_config *config, const nerfit_fewshot_options *options, view *v,
               const char *json_path, bool markdown) {
    nerfit_error error;
    nerfit_fewshot_result result;
    nerfit_status status = nerfit_fewshot(config, options, on_log, on_progress, v, &result, &error);
    cli_bar_clear(&v->bar);
    if (status == NERFIT_CANCELLED) {
        fprintf(stderr, "nerfit: %s; the same command goes on from there\n", error.text);
        return 130;
    }
    if (status != NERFIT_OK) return cli_fail(&error);
    fputs(markdown ? result.markdown : result.text, stdout);
    int exit_status = json_path ? save_json(json_path, result.json) : DONE;
    nerfit_fewshot_result_free(&result);
    return exit_status;
}

static int run_fewshot(const command *self, int argc, char **argv) {
    nerfit_error error;
    nerfit_config *config;
    nerfit_fewshot_options o = NERFIT_FEWSHOT_OPTIONS_INIT;
    view v = {0};
    const char *json = NULL;
    bool markdown = false;
    const cli_option options[] = {
        {"--k", "LIST", "mentions of every type in a sample; default 1,4,16,64", &o.k, NULL},
        {"--seeds", "LIST", "3 (0, 1, 2; the default), 0-4 or 0,5", &o.seeds, NULL},
        {"--recipes", "LIST", "default plain,original,nerfit; see above", &o.recipes, NULL},
        {"--pretrained", "FOLDER", "of nerfit pretrain, for recipes whose name ends in +pretrained",
         &o.pretrained, NULL},
        {"--samples", "FOLDER", "of kK-sS.jsonl, instead of drawing samples", &o.samples, NULL},
        {"--negatives", "N", "texts without an entity in a sample: 10, or 20% of it", &o.negatives,
         NULL},
        {"--json", "FILE", "that receives all runs and the table as JSON", &json, NULL},
        {"--markdown", NULL, "the table as Markdown", NULL, &markdown},
        {"--quiet", NULL, "only warnings, errors and the table", NULL, &v.quiet},
    };
    if (nerfit_config_new(&config, &error) != NERFIT_OK) return cli_fail(&error);
    int status =
        cli_read_config(self, argc, argv, config, options, sizeof options / sizeof *options);
    v.bar.terminal = isatty(STDERR_FILENO) && !v.quiet;
    if (status < 0 && cli_is_one_of_a_job())
        status =
            cli_usage(NULL, "fewshot is the work of one process, and would be done by each that "
                            "mpirun started: call it without");
    if (status < 0) {
        cli_catch_interrupts();
        status = run(config, &o, &v, json, markdown);
    }
    nerfit_config_free(config);
    return status;
}

const command command_fewshot = {
    "fewshot", "[CONFIG.yaml] [--option value ...]",
    "F1 over the number of examples, recipes compared",
    "For each seed, k and recipe: draws a k-shot sample of train_annotations, trains on it "
    "without\n"
    "validation data, and scores the model on test_annotations, on words. Prints mean and "
    "standard\n"
    "deviation over the seeds. Finished runs stand in output_dir/runs.jsonl and are not run "
    "again;\n"
    "output_dir/report.html has a plot.\n\n"
    "Recipes: plain (fine-tuning without stage 1), original, nerfit, nerfit+pretrained. With "
    "settings\n"
    "of one's own, NAME:OPTION=VALUE,OPTION=VALUE; such recipes are divided by spaces. "
    "max_steps=auto\n"
    "is 20 steps for every 8 texts, 200 to 500.\n\n"
    "  nerfit fewshot config.yaml --k 4,16 --seeds 3 --recipes plain,nerfit\n"
    "  nerfit fewshot config.yaml --recipes 'plain mine:max_steps=0,auto'",
    run_fewshot};
