/* nerfit annotate: entities for texts that have none, by models, language models and lists. */
#include "number.h"
#include "training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_MODELS = 16, MOST_THRESHOLDS = 64 };

/* What the command was given. */
typedef struct annotating {
    cli_transfer transfer;
    bool quiet;
    const char *output, *failed, *review, *report, *json;
    const char *models, *threshold, *threads, *from, *votes;
    nerfit_model_options model;
    nerfit_annotate_options options;
    const char *model_list[MOST_MODELS];
    nerfit_threshold thresholds[MOST_THRESHOLDS];
} annotating;

static void on_log(void *user, nerfit_log_level level, const char *message) {
    annotating *a = user;
    cli_bar_clear(&a->transfer.bar);
    cli_log(&a->quiet, level, message);
}

static bool on_transfer(void *user, const nerfit_transfer *transfer) {
    annotating *a = user;
    return cli_on_transfer(&a->transfer, transfer);
}

static bool go_on(void *user) {
    (void)user;
    return !cli_interrupted();
}

/* ---------------------------------------------------------------- options */

static int divide_models(const command *self, annotating *a, char *copy) {
    for (char *save, *part = copy ? strtok_r(copy, ",", &save) : NULL; part;
         part = strtok_r(NULL, ",", &save)) {
        while (*part == ' ') part++;
        if (a->options.n_models == MOST_MODELS)
            return cli_usage(self, "--model: more than %d models", MOST_MODELS);
        a->model_list[a->options.n_models++] = part;
    }
    a->options.models = a->model_list;
    return -1;
}

/* "0.5", "time=0.7", and several divided by commas. */
static int divide_thresholds(const command *self, annotating *a, char *copy) {
    for (char *save, *part = copy ? strtok_r(copy, ",", &save) : NULL; part;
         part = strtok_r(NULL, ",", &save)) {
        char *equals = strrchr(part, '=');
        nerfit_threshold *t = &a->thresholds[a->options.n_thresholds];
        if (a->options.n_thresholds++ == MOST_THRESHOLDS)
            return cli_usage(self, "--threshold: more than %d", MOST_THRESHOLDS);
        if (!cli_number(equals ? equals + 1 : part, &t->threshold))
            return cli_usage(self, "--threshold \"%s\" is not a number, or LABEL=NUMBER", part);
        if (equals) *equals = '\0';
        t->label = equals ? part : NULL;
    }
    a->options.thresholds = a->thresholds;
    return -1;
}

/* ---------------------------------------------------------------- files */

/* Writes a corpus to a path; NULL: nowhere. */
static int write_corpus(const nerfit_corpus *corpus, const char *path) {
    nerfit_error error;
    if (!path) return DONE;
    return nerfit_corpus_write(corpus, path, "jsonl", &error) == NERFIT_OK ? DONE
                                                                           : cli_fail(&error);
}

static int write_text(const char *text, const char *path) {
    nerfit_error error;
    nerfit_output *output;
    if (!path) return DONE;
    if (nerfit_output_open(&output, path, &error) != NERFIT_OK) return cli_fail(&error);
    FILE *file = fdopen(dup(nerfit_output_descriptor(output)), "w");
    bool written = file && fputs(text, file) >= 0;
    if (file && fclose(file) != 0) written = false;
    if (!written) {
        nerfit_output_abort(output);
        fprintf(stderr, "nerfit: error: %s: cannot be written\n", path);
        return FAILED;
    }
    return nerfit_output_commit(output, &error) == NERFIT_OK ? DONE : cli_fail(&error);
}

/* Annotated texts go to --output or standard output, the report to stderr. */
static int write_all(const annotating *a, const nerfit_annotate_result *result) {
    nerfit_error error;
    int status = write_corpus(result->failed, a->failed);
    if (status == DONE) status = write_corpus(result->review, a->review);
    if (status == DONE) status = write_text(result->page, a->report);
    if (status == DONE) status = write_text(result->json, a->json);
    if (status != DONE) return status;
    if (!a->quiet) fputs(result->text, stderr);
    if (a->output) return write_corpus(result->texts, a->output);
    char *text;
    size_t size;
    if (nerfit_corpus_format(result->texts, "jsonl", &text, &size, &error) != NERFIT_OK)
        return cli_fail(&error);
    status = cli_write(NULL, text, size) ? DONE : FAILED;
    nerfit_free(text);
    return status;
}

static bool ends_with(const char *text, const char *end) {
    size_t size = strlen(text), n = strlen(end);
    return size >= n && strcmp(text + size - n, end) == 0;
}

static int annotate(annotating *a, const char *path) {
    nerfit_error error;
    nerfit_corpus *texts = NULL;
    nerfit_annotate_result result;
    nerfit_read_options reading = {.size = sizeof reading, .format = a->from, .overlap = "all"};
    a->options.log = on_log;
    a->options.transfer = on_transfer;
    a->options.go_on = go_on;
    a->options.user = a;
    a->options.model = &a->model;
    bool plain = !a->from && (strcmp(path, "-") == 0 || ends_with(path, ".txt"));
    if (plain) reading.format = "text";
    nerfit_status status = nerfit_corpus_new(&texts, on_log, a, &error);
    if (status == NERFIT_OK) status = cli_read_corpus(texts, path, &reading, &error);
    cli_catch_interrupts();
    cli_transfer_begin(&a->transfer, a->quiet);
    if (status == NERFIT_OK) status = nerfit_annotate(texts, &a->options, &result, &error);
    cli_bar_clear(&a->transfer.bar);
    nerfit_corpus_free(texts);
    if (status == NERFIT_CANCELLED) {
        fprintf(stderr, "nerfit: %s\n", error.text);
        return 130;
    }
    if (status != NERFIT_OK) return cli_fail(&error);
    int done = write_all(a, &result);
    nerfit_annotate_result_free(&result);
    return done;
}

static int run_annotate(const command *self, int argc, char **argv) {
    annotating a = {.options = NERFIT_ANNOTATE_OPTIONS_INIT, .model = NERFIT_MODEL_OPTIONS_INIT};
    const char *operand;
    const cli_option options[] = {
        {"--model", "MODEL,...", "one's own, one that takes any labels, or GLiNER's; several",
         &a.models, NULL},
        {"--labels", "FILE|NAMES", "to look for: descriptions (JSON, YAML), or names with commas",
         &a.options.labels, NULL},
        {"--rules", "FILE", "lists and patterns by label: see docs/annotate.md", &a.options.rules,
         NULL},
        {"--output", "PATH", "the annotated texts (JSON lines) instead of standard output",
         &a.output, NULL},
        {"-o", "PATH", NULL, &a.output, NULL},
        {"--report", "PATH", "a page (HTML) of what was found", &a.report, NULL},
        {"--json", "PATH", "the same as JSON", &a.json, NULL},
        {"--review", "PATH", "the texts that are disputed, the most disputed first", &a.review,
         NULL},
        {"--failed", "PATH", "the texts that got no answer, with the reason", &a.failed, NULL},
        {"--votes", "N", "annotators that must agree on an entity (more than half)", &a.votes,
         NULL},
        {"--threshold", "X,LABEL=X", "leave out entities of models with a smaller score",
         &a.threshold, NULL},
        {"--nested", NULL, "entities may overlap", NULL, &a.options.nested},
        {"--from", "FORMAT",
         cli_format_help(NERFIT_FORMATS_READ, "of TEXTS: text (.txt, a text a line), or one of "),
         &a.from, NULL},
        {"--st_model_name", "FOLDER", "the sentence encoder, if not the one of pre-training",
         &a.model.sentence_encoder, NULL},
        {"--precision", "auto|f32|bf16|int8", "of models", &a.model.precision, NULL},
        {"--threads", "N", "CPU threads; all cores if not given", &a.threads, NULL},
        {"--quiet", NULL, "only warnings and errors", NULL, &a.quiet}};
    size_t n;
    uint64_t votes = 0;
    int status =
        cli_parse(self, argc, argv, options, sizeof options / sizeof *options, &operand, 1, &n);
    if (status < 0) status = cli_threads(self, a.threads, &a.model.threads);
    if (status < 0) status = cli_whole(self, "--votes", a.votes, 1, MOST_MODELS, &votes);
    if (status >= 0) return status;
    if (n == 0) return cli_usage(self, "TEXTS is missing");
    a.options.votes = (size_t)votes;
    char *models = a.models ? strdup(a.models) : NULL;
    char *thresholds = a.threshold ? strdup(a.threshold) : NULL;
    status = divide_models(self, &a, models);
    if (status < 0) status = divide_thresholds(self, &a, thresholds);
    if (status < 0 && !a.options.n_models && !a.options.llm && !a.options.rules)
        status = cli_usage(self, "nobody annotates: give --model, --llm or --rules");
    if (status < 0) status = annotate(&a, operand);
    free(models);
    free(thresholds);
    return status;
}

const command command_annotate = {
    "annotate", "TEXTS --model MODEL|--rules FILE [-o FILE] [options]",
    "entities for texts that have none",
    "Texts in, annotated texts out, to look through and to train with: by models, and by lists "
    "and\n"
    "patterns of one's own. Where several annotators disagree, the place is marked: training "
    "passes\n"
    "over it, and --review shows it.\n\n"
    "  nerfit annotate texts.txt --model sentence-transformers/all-MiniLM-L6-v2 \\\n"
    "    --labels 'person, city' --output silver.jsonl\n"
    "  nerfit annotate texts.txt --rules lists.yaml --model runs/a/best,runs/b/best -o "
    "silver.jsonl",
    run_annotate};
