/* nerfit suggest: what to annotate next. */
#include "number.h"
#include "training.h"

#include <stdio.h>
#include <string.h>

typedef struct suggesting {
    cli_transfer transfer;
    bool quiet;
    nerfit_model_options model;
    nerfit_suggest_options options;
    const char *known, *teacher, *output, *from;
} suggesting;

static void on_log(void *user, nerfit_log_level level, const char *message) {
    suggesting *s = user;
    cli_bar_clear(&s->transfer.bar);
    cli_log(&s->quiet, level, message);
}

static bool on_transfer(void *user, const nerfit_transfer *transfer) {
    suggesting *s = user;
    return cli_on_transfer(&s->transfer, transfer);
}

static bool go_on(void *user) {
    (void)user;
    return !cli_interrupted();
}

/* NULL of no path. */
static nerfit_status read_texts(suggesting *s, const char *path, const char *format,
                                nerfit_corpus **out, nerfit_error *error) {
    const nerfit_read_options reading = {
        .size = sizeof reading, .format = format, .overlap = "all"};
    if (!path) return NERFIT_OK;
    nerfit_status status = nerfit_corpus_new(out, on_log, s, error);
    return status == NERFIT_OK ? cli_read_corpus(*out, path, &reading, error) : status;
}

static int write_suggested(const suggesting *s, const nerfit_corpus *suggested) {
    nerfit_error error;
    char *text;
    size_t size;
    if (!s->quiet)
        fprintf(stderr, "%zu texts are suggested, the first ones first\n",
                nerfit_corpus_size(suggested));
    if (s->output && strcmp(s->output, "-") != 0)
        return nerfit_corpus_write(suggested, s->output, "jsonl", &error) == NERFIT_OK
                   ? DONE
                   : cli_fail(&error);
    if (nerfit_corpus_format(suggested, "jsonl", &text, &size, &error) != NERFIT_OK)
        return cli_fail(&error);
    int status = cli_write(NULL, text, size) ? DONE : FAILED;
    nerfit_free(text);
    return status;
}

static int suggest(suggesting *s, const char *path) {
    nerfit_error error;
    nerfit_corpus *texts = NULL, *known = NULL, *teacher = NULL, *suggested = NULL;
    const char *dot = strrchr(path, '.');
    bool plain = !s->from && (strcmp(path, "-") == 0 || (dot && strcmp(dot, ".txt") == 0));
    s->options.model_options = &s->model;
    s->options.log = on_log;
    s->options.transfer = on_transfer;
    s->options.go_on = go_on;
    s->options.user = s;
    nerfit_status status = read_texts(s, path, plain ? "text" : s->from, &texts, &error);
    if (status == NERFIT_OK) status = read_texts(s, s->known, NULL, &known, &error);
    if (status == NERFIT_OK) status = read_texts(s, s->teacher, NULL, &teacher, &error);
    s->options.known = known;
    s->options.teacher = teacher;
    cli_catch_interrupts();
    cli_transfer_begin(&s->transfer, s->quiet);
    if (status == NERFIT_OK) status = nerfit_suggest(texts, &s->options, &suggested, &error);
    cli_bar_clear(&s->transfer.bar);
    int done = status == NERFIT_OK          ? write_suggested(s, suggested)
               : status == NERFIT_CANCELLED ? 130
                                            : cli_fail(&error);
    nerfit_corpus_free(suggested);
    nerfit_corpus_free(texts);
    nerfit_corpus_free(known);
    nerfit_corpus_free(teacher);
    return done;
}

static int run_suggest(const command *self, int argc, char **argv) {
    suggesting s = {.model = NERFIT_MODEL_OPTIONS_INIT, .options = NERFIT_SUGGEST_OPTIONS_INIT};
    const char *operand, *texts = NULL, *words = NULL, *threads = NULL;
    const cli_option options[] = {
        {"--model", "MODEL", "trained on what there is, or one that takes any labels",
         &s.options.model, NULL},
        {"--labels", "FILE|NAMES", "for a model that takes any", &s.options.labels, NULL},
        {"--known", "FILE", "annotated texts: nothing like them is suggested", &s.known, NULL},
        {"--texts", "N", "how many at most (20)", &texts, NULL},
        {"--words", "N", "in all at most", &words, NULL},
        {"--output", "PATH", "instead of standard output, with the model's entities", &s.output,
         NULL},
        {"--st_model_name", "FOLDER", "a sentence encoder, so that the texts differ in meaning",
         &s.options.sentence_encoder, NULL},
        {"--teacher", "FILE", "TEXTS as nerfit annotate wrote them: where both disagree counts",
         &s.teacher, NULL},
        {"--from", "FORMAT",
         cli_format_help(NERFIT_FORMATS_READ, "of TEXTS: text (.txt, a text a line), or one of "),
         &s.from, NULL},
        {"--precision", "auto|f32|bf16|int8", "of the model", &s.model.precision, NULL},
        {"--threads", "N", "CPU threads; all cores if not given", &threads, NULL},
        {"--quiet", NULL, "only warnings and errors", NULL, &s.quiet}};
    size_t n;
    uint64_t most_texts = words ? 0 : 20, most_words = 0;
    int status =
        cli_parse(self, argc, argv, options, sizeof options / sizeof *options, &operand, 1, &n);
    if (status < 0) status = cli_threads(self, threads, &s.model.threads);
    if (status < 0) status = cli_whole(self, "--texts", texts, 1, 1000000, &most_texts);
    if (status < 0) status = cli_whole(self, "--words", words, 1, 1000000000, &most_words);
    if (status >= 0) return status;
    if (n == 0) return cli_usage(self, "TEXTS is missing");
    if (!s.options.model) return cli_usage(self, "--model is missing");
    s.options.texts = words && !texts ? 0 : (size_t)most_texts;
    s.options.words = (size_t)most_words;
    s.model.sentence_encoder = s.options.labels ? s.options.sentence_encoder : NULL;
    return suggest(&s, operand);
}

const command command_suggest = {
    "suggest", "TEXTS --model MODEL [--known FILE] [options]", "what to annotate next",
    "Ranks texts by what a person's annotation would teach the model: what it is unsure of, labels "
    "that are rare in what is known, texts unlike each other and unlike those known; without "
    "repeated ones. They are written with the model's own entities, to be corrected.\n\n"
    "  nerfit suggest texts.txt --model runs/a/best --known train.jsonl \\\n"
    "    --texts 20 -o next.jsonl\n"
    "  nerfit suggest texts.txt --model all-MiniLM-L6-v2 \\\n"
    "    --labels 'person, city' --words 500",
    run_suggest};
