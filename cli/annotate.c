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
    const char *gold, *audit, *shots, *concurrency, *passes, *pass_votes, *max_chars, *budget;
    const char *prices, *seed, *occurrences, *types, *open_threshold;
    char answers[4096], descriptions[4096], synonyms[4096]; /* beside the output */
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

static bool go_on(void *user, size_t done, size_t questions) {
    annotating *a = user;
    if (questions && cli_bar_due(&a->transfer.bar, done == questions))
        cli_bar_draw(&a->transfer.bar, "", (int64_t)done, (int64_t)questions, "answers");
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

static int divide_thresholds(const command *self, annotating *a, char *rest) {
    while (rest) {
        nerfit_threshold *t = &a->thresholds[a->options.n_thresholds];
        if (a->options.n_thresholds++ == MOST_THRESHOLDS)
            return cli_usage(self, "--threshold: more than %d", MOST_THRESHOLDS);
        int status = cli_threshold(self, &rest, &t->label, &t->threshold);
        if (status >= 0) return status;
    }
    a->options.thresholds = a->thresholds;
    return -1;
}

static int read_size(const command *self, const char *name, const char *text, size_t *out) {
    uint64_t value = *out;
    int status = cli_whole(self, name, text, 0, 1000000, &value);
    *out = (size_t)value;
    return status;
}

/* "0.15,0.60": of a million tokens of questions, of answers. */
static int read_prices(const command *self, annotating *a) {
    char part[64];
    if (!a->prices) return -1;
    size_t size = strcspn(a->prices, ",");
    snprintf(part, sizeof part, "%.*s", (int)size, a->prices);
    if (size >= sizeof part || a->prices[size] != ',' || !cli_number(part, &a->options.price_in) ||
        !cli_number(a->prices + size + 1, &a->options.price_out) || a->options.price_in < 0 ||
        a->options.price_out < 0)
        return cli_usage(self,
                         "--prices \"%s\": expected two numbers, of a million tokens of questions "
                         "and of answers: 0.15,0.60",
                         a->prices);
    return -1;
}

/* A name with another ending: "a/b.jsonl", ".yaml" is "a/b.yaml". */
static void with_ending(char *out, size_t size, const char *path, const char *ending) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    bool ends = dot && dot > (slash ? slash + 1 : path);
    snprintf(out, size, "%.*s%s", (int)(ends ? (size_t)(dot - path) : strlen(path)), path, ending);
}

/* Where descriptions of open types go: beside the texts, as training wants them. */
static int name_types(const command *self, annotating *a) {
    bool beside = a->output && strcmp(a->output, "-") != 0;
    if (!a->types && !beside)
        return cli_usage(self, "--open: what the types mean goes beside --output, or to --types");
    if (a->types)
        snprintf(a->descriptions, sizeof a->descriptions, "%s", a->types);
    else
        with_ending(a->descriptions, sizeof a->descriptions, a->output, ".yaml");
    with_ending(a->synonyms, sizeof a->synonyms, a->descriptions, ".synonyms.yaml");
    return -1;
}

static int read_llm_options(const command *self, annotating *a) {
    nerfit_annotate_options *o = &a->options;
    int status = read_size(self, "--audit", a->audit, &o->audit);
    if (status < 0) status = read_size(self, "--shots", a->shots, &o->shots);
    if (status < 0) status = read_size(self, "--concurrency", a->concurrency, &o->concurrency);
    if (status < 0) status = read_size(self, "--passes", a->passes, &o->passes);
    if (status < 0) status = read_size(self, "--vote", a->pass_votes, &o->pass_votes);
    if (status < 0) status = read_size(self, "--max_chars", a->max_chars, &o->max_chars);
    if (status < 0) status = cli_whole(self, "--seed", a->seed, 0, UINT64_MAX, &o->seed);
    if (status < 0) status = read_prices(self, a);
    if (status >= 0) return status;
    if (a->budget && (!cli_number(a->budget, &o->budget) || o->budget <= 0))
        return cli_usage(self, "--budget \"%s\" is not a number above 0", a->budget);
    if (a->occurrences && strcmp(a->occurrences, "all") != 0 &&
        strcmp(a->occurrences, "ordered") != 0)
        return cli_usage(self, "--occurrences \"%s\" is not one of all, ordered", a->occurrences);
    if (a->open_threshold && (!cli_number(a->open_threshold, &o->open_threshold) ||
                              o->open_threshold <= 0 || o->open_threshold > 1))
        return cli_usage(self, "--open_threshold \"%s\" is not a cosine above 0, at most 1",
                         a->open_threshold);
    if (o->open && (status = name_types(self, a)) >= 0) return status;
    o->as_answered = a->occurrences && strcmp(a->occurrences, "ordered") == 0;
    if (!o->answers && a->output && o->llm && strcmp(a->output, "-") != 0) {
        snprintf(a->answers, sizeof a->answers, "%s.answers.jsonl", a->output);
        o->answers = a->answers;
    }
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

static int write_types(const annotating *a, const nerfit_annotate_result *result) {
    int status = write_text(result->descriptions, a->descriptions);
    if (status != DONE) return status;
    if (*result->synonyms) return write_text(result->synonyms, a->synonyms);
    if (remove(a->synonyms) == 0) /* of an earlier call: it would be read */
        fprintf(stderr, "nerfit: %s is removed: no type has another name now\n", a->synonyms);
    return DONE;
}

/* Annotated texts go to --output or standard output, the report to stderr. */
static int write_all(const annotating *a, const nerfit_annotate_result *result) {
    nerfit_error error;
    if (a->options.dry_run)
        return cli_write(NULL, result->text, strlen(result->text)) ? DONE : FAILED;
    int status = write_corpus(result->failed, a->failed);
    if (status == DONE) status = write_corpus(result->review, a->review);
    if (status == DONE) status = write_text(result->page, a->report);
    if (status == DONE) status = write_text(result->json, a->json);
    if (status == DONE && a->options.open) status = write_types(a, result);
    if (status != DONE) return status;
    if (!a->quiet) fputs(result->text, stderr);
    if (a->options.audit_only) return DONE;
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
    nerfit_corpus *texts = NULL, *gold = NULL;
    nerfit_annotate_result result;
    const nerfit_read_options known = {.size = sizeof known, .overlap = "all"};
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
    if (status == NERFIT_OK && a->gold) {
        status = nerfit_corpus_new(&gold, on_log, a, &error);
        if (status == NERFIT_OK) status = cli_read_corpus(gold, a->gold, &known, &error);
        a->options.gold = gold;
    }
    cli_catch_interrupts();
    cli_transfer_begin(&a->transfer, a->quiet);
    if (status == NERFIT_OK) status = nerfit_annotate(texts, &a->options, &result, &error);
    cli_bar_clear(&a->transfer.bar);
    nerfit_corpus_free(texts);
    nerfit_corpus_free(gold);
    if (status == NERFIT_CANCELLED) {
        fprintf(stderr, "nerfit: %s%s%s\n", error.text, a->options.answers ? ": " : "",
                a->options.answers ? a->options.answers : "");
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
        {"--llm", "NAME", "gpt-4o-mini, anthropic/..., ollama/...: see docs/network.md",
         &a.options.llm, NULL},
        {"--rules", "FILE", "lists and patterns by label: see docs/annotate.md", &a.options.rules,
         NULL},
        {"--output", "PATH", "the annotated texts (JSON lines) instead of standard output",
         &a.output, NULL},
        {"--report", "PATH", "a page (HTML) of what was found", &a.report, NULL},
        {"--json", "PATH", "the same as JSON", &a.json, NULL},
        {"--review", "PATH", "the texts that are disputed, the most disputed first", &a.review,
         NULL},
        {"--failed", "PATH", "the texts that got no answer, with the reason", &a.failed, NULL},
        {"--gold", "FILE", "texts whose entities are known: for --audit and --shots", &a.gold,
         NULL},
        {"--audit", "N", "annotate so many of them blind first, and show F1 by label", &a.audit,
         NULL},
        {"--audit_only", NULL, "and nothing else", NULL, &a.options.audit_only},
        {"--shots", "N", "of them, the most similar to each text, are shown to the language model",
         &a.shots, NULL},
        {"--dry-run", NULL, "show the first question to the language model, and ask nothing", NULL,
         &a.options.dry_run},
        {"--answers", "PATH", "where its answers are kept (OUTPUT.answers.jsonl)",
         &a.options.answers, NULL},
        {"--budget", "X", "tokens, or money with --prices, that are not passed", &a.budget, NULL},
        {"--prices", "IN,OUT", "of a million tokens of questions, of answers", &a.prices, NULL},
        {"--concurrency", "N", "requests at a time (8)", &a.concurrency, NULL},
        {"--passes", "N", "ask everything so often (1)", &a.passes, NULL},
        {"--vote", "N", "passes that must agree on an entity (more than half)", &a.pass_votes,
         NULL},
        {"--one_label_at_a_time", NULL, "a question for each label", NULL,
         &a.options.one_label_at_a_time},
        {"--open", NULL, "the language model names types itself; --labels are offered to it", NULL,
         &a.options.open},
        {"--open_threshold", "X",
         "types join from this cosine on (0.75), by the sentence encoder --st_model_name",
         &a.open_threshold, NULL},
        {"--types", "PATH", "their descriptions (OUTPUT with the ending .yaml)", &a.types, NULL},
        {"--occurrences", "all|ordered",
         "all: further places of words that were answered are entities as well (all)",
         &a.occurrences, NULL},
        {"--max_chars", "N", "longer texts are divided (2000)", &a.max_chars, NULL},
        {"--seed", "N", "of what is drawn (0)", &a.seed, NULL},
        {"--votes", "N", "annotators that must agree on an entity (more than half)", &a.votes,
         NULL},
        {"--threshold", "X,LABEL=X", "leave out entities of models with a smaller score",
         &a.threshold, NULL},
        {"--nested", NULL, "entities may overlap", NULL, &a.options.nested},
        {"--from", "FORMAT",
         cli_format_help(NERFIT_FORMATS_READ, "of TEXTS: text (.txt, a text a line), or one of "),
         &a.from, NULL},
        {"--st_model_name", "FOLDER",
         "a sentence encoder: of labels, if not the one of pre-training; of texts, for --shots; of "
         "types, for --open",
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
    a.options.sentence_encoder = a.model.sentence_encoder;
    if ((status = read_llm_options(self, &a)) >= 0) return status;
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
    "annotate", "TEXTS --model MODEL|--llm NAME|--rules FILE [options]",
    "entities for texts that have none",
    "Texts in, annotated texts out, to look through and to train with: by models, and by lists "
    "and\n"
    "patterns of one's own. Where several annotators disagree, the place is marked: training "
    "passes\n"
    "over it, and --review shows it.\n\n"
    "  nerfit annotate texts.txt --model sentence-transformers/all-MiniLM-L6-v2 \\\n"
    "    --labels 'person, city' --output silver.jsonl\n"
    "  nerfit annotate texts.txt --rules lists.yaml \\\n"
    "    --model runs/a/best,runs/b/best -o "
    "silver.jsonl",
    run_annotate};
