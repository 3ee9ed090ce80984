/* The commands that use a finished model: predict, eval, score, embed, tokenize. */
#include "number.h"
#include "shard.h"
#include "training.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct machine {
    const char *precision, *threads, *backend, *decoder, *labels, *label_text, *sentences;
    int n_threads;
    bool quiet;
    bool nested, multi_label, characters;
    cli_transfer transfer;
} machine;

#define MACHINE_OPTIONS(m)                                                                         \
    {"--precision", "auto|f32|bf16|int8", "of matrix products; auto: bf16 where the CPU has it",   \
     &(m).precision, NULL},                                                                        \
        {"--dtype", "auto|f32|bf16|int8", NULL, &(m).precision, NULL},                             \
        {"--threads", "N", "CPU threads; all cores if not given", &(m).threads, NULL},             \
        {"--backend", cli_backends(), cli_backends_help(), &(m).backend, NULL}, {                  \
        "--quiet", NULL, "only warnings and errors", NULL, &(m).quiet                              \
    }

#define RULES_OPTION(rules)                                                                        \
    {                                                                                              \
        "--rules", "FILE", "lists and patterns beside the model: see docs/annotate.md", &(rules),  \
            NULL                                                                                   \
    }

#define DECODER_OPTION(m)                                                                          \
    {                                                                                              \
        "--decoder", "auto|labels|viterbi|crf",                                                    \
            "labels: each sub-word's best label; viterbi: words, the best legal sequence; crf: "   \
            "with the "                                                                            \
            "model's transitions; auto: crf if it has some, else labels",                          \
            &(m).decoder, NULL                                                                     \
    }

#define LABELS_OPTIONS(m)                                                                          \
    {"--labels", "FILE|NAMES",                                                                     \
     "tag labels that MODEL (of nerfit pretrain, or GLiNER's) was not trained on: a JSON or YAML " \
     "file of descriptions, or names divided by commas",                                           \
     &(m).labels, NULL},                                                                           \
        {"--label_text", "mean|description|name",                                                  \
         "with --labels: what the sentence encoder reads of them; mean (the default): name and "   \
         "description, which counts three times",                                                  \
         &(m).label_text, NULL},                                                                   \
        {"--nested", NULL, "of a GLiNER model: entities may lie inside others", NULL,              \
         &(m).nested},                                                                             \
        {"--multi_label", NULL, "of a GLiNER model: an entity may have several labels", NULL,      \
         &(m).multi_label},                                                                        \
        {"--characters", NULL,                                                                     \
         "of a GLiNER model: each character of a script without spaces (Han, kana, Thai, Lao, "    \
         "Khmer, Myanmar) is a word",                                                              \
         NULL, &(m).characters},                                                                   \
    {                                                                                              \
        "--st_model_name", "FOLDER",                                                               \
            "with --labels: the sentence encoder, if not the one of "                              \
            "pre-training",                                                                        \
            &(m).sentences, NULL                                                                   \
    }
static void on_log(void *user, nerfit_log_level level, const char *message) {
    machine *m = user;
    cli_bar_clear(&m->transfer.bar);
    cli_log(&m->quiet, level, message);
}

static bool on_transfer(void *user, const nerfit_transfer *transfer) {
    machine *m = user;
    return cli_on_transfer(&m->transfer, transfer);
}

static nerfit_model_options options_of(machine *m) {
    cli_transfer_begin(&m->transfer, m->quiet);
    return (nerfit_model_options){.size = sizeof(nerfit_model_options),
                                  .backend = m->backend,
                                  .precision = m->precision,
                                  .threads = m->n_threads,
                                  .decoder = m->decoder,
                                  .labels = m->labels,
                                  .label_text = m->label_text,
                                  .sentence_encoder = m->sentences,
                                  .log = on_log,
                                  .log_user = m,
                                  .transfer = on_transfer,
                                  .transfer_user = m};
}

static nerfit_call_options call_of(const machine *m) {
    nerfit_call_options call = NERFIT_CALL_OPTIONS_INIT;
    call.nested = m->nested;
    call.multi_label = m->multi_label;
    call.characters = m->characters;
    return call;
}

/* A model with one session. */
typedef struct loaded {
    nerfit_model *model;
    nerfit_session *session;
} loaded;

static nerfit_status load(loaded *out, const char *folder, machine *m, nerfit_error *error) {
    nerfit_model_options options = options_of(m);
    *out = (loaded){0};
    nerfit_status status = nerfit_model_load(&out->model, folder, &options, error);
    cli_bar_clear(&m->transfer.bar);
    if (status == NERFIT_OK) status = nerfit_session_new(&out->session, out->model, error);
    return status;
}

static void unload(loaded *l) {
    nerfit_session_free(l->session);
    nerfit_model_free(l->model);
}

/* Returns -1 to go on, or an exit status. */
static int set_thresholds(const command *self, nerfit_session *session, const char *list) {
    char *copy = list ? strdup(list) : NULL, *rest = copy;
    const char *label;
    double threshold;
    nerfit_error error;
    int status = -1;
    while (rest && status < 0) {
        status = cli_threshold(self, &rest, &label, &threshold);
        if (status < 0 &&
            nerfit_session_set_threshold(session, label, threshold, &error) != NERFIT_OK)
            status = cli_usage(self, "%s", error.text);
    }
    free(copy);
    return status;
}

#define THRESHOLD_OPTION(place)                                                                    \
    {                                                                                              \
        "--threshold", "X,LABEL=X",                                                                \
            "leave out entities with a smaller score: for all, for a label", &(place), NULL        \
    }

/* ---------------------------------------------------------------- predict */

/* What is read and written, and how far it is. */
typedef struct tagging {
    cli_input file;
    cli_bar bar;
    int64_t size, done; /* bytes of the input; size 0: unknown */
    int64_t most;       /* bytes to read at most; 0: all */
    int output;         /* a piece's; 0: standard output */
    bool told;          /* that standard output cannot be written */
    double began;
} tagging;

static void draw_progress(tagging *t) {
    if (!cli_bar_due(&t->bar, false)) return;
    double seconds = cli_now() - t->began + 1e-9, rate = (double)t->done / seconds;
    double left = t->size > t->done && rate > 0 ? (double)(t->size - t->done) / rate : 0;
    if (t->size > 0)
        cli_bar_draw(&t->bar, "", t->done / 1000, t->size / 1000, "kB  %.0f kB/s  %d:%02d left",
                     rate / 1000, (int)left / 60, (int)left % 60);
    else
        cli_bar_draw(&t->bar, "", t->done / 1000, 0, "kB  %.0f kB/s", rate / 1000);
}

static ptrdiff_t read_input(void *user, char *buffer, size_t size) {
    tagging *t = user;
    if (t->most && (int64_t)size > t->most - t->done) size = (size_t)(t->most - t->done);
    ptrdiff_t got = size ? cli_read(&t->file, buffer, size) : 0;
    if (got > 0) t->done += got;
    return got;
}

static bool write_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t done = write(fd, data, size);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return false;
        data += done;
        size -= (size_t)done;
    }
    return true;
}

static bool write_output(void *user, const char *data, size_t size) {
    tagging *t = user;
    draw_progress(t);
    if (t->output) return write_all(t->output, data, size);
    if (isatty(STDOUT_FILENO)) cli_bar_clear(&t->bar);
    t->told = !cli_write(NULL, data, size);
    return !t->told;
}

static int predict(loaded *l, tagging *t, const nerfit_call_options *call, nerfit_stream *stream,
                   bool quiet) {
    struct stat info;
    nerfit_error error;
    size_t count;
    t->bar.terminal = isatty(STDERR_FILENO) && !quiet;
    t->size = fstat(t->file.fd, &info) == 0 && S_ISREG(info.st_mode) ? (int64_t)info.st_size : 0;
    if (t->most && t->size > t->most) t->size = t->most;
    t->began = cli_now();
    stream->read = read_input;
    stream->write = write_output;
    stream->user = t;
    nerfit_status status = nerfit_predict_stream_with(l->session, call, stream, &count, &error);
    cli_bar_clear(&t->bar);
    if (status != NERFIT_OK) return t->told ? FAILED : cli_fail(&error);
    double seconds = cli_now() - t->began;
    if (t->bar.terminal && seconds > 2.0)
        fprintf(stderr, "%zu texts in %.1f s (%.0f a second)\n", count, seconds,
                (double)count / seconds);
    return DONE;
}

/* --output named a format once: "jsonl" is one still, "./jsonl" a file. */
static const char *format_named(const char **output) {
    static const char *const formats[] = {"jsonl", "conll", "brackets", "tokens", "html"};
    for (size_t i = 0; *output && i < sizeof formats / sizeof *formats; i++)
        if (strcmp(*output, formats[i]) == 0) return *output = NULL, formats[i];
    return NULL;
}

/* The format that --output's ending asks for. */
static const char *format_of_ending(const char *path) {
    static const char *const endings[][2] = {
        {".conll", "conll"}, {".html", "html"}, {".htm", "html"}};
    size_t size = path ? strlen(path) : 0;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t length = strlen(endings[i][0]);
        if (size > length && strcasecmp(path + size - length, endings[i][0]) == 0)
            return endings[i][1];
    }
    return NULL;
}

/* What is written, and where. */
typedef struct output_choice {
    const char *output, *format, *pseudonyms;
    bool redact;
} output_choice;

/* Sets w->format; -1, or the exit status of options that contradict each other. */
static int choose_format(const command *self, output_choice *w, bool quiet) {
    const char *old = format_named(&w->output);
    if (old && (w->format || w->redact))
        return cli_usage(self, "--output %s is a format; a file of that name is ./%s", old, old);
    if (old && !quiet && access(old, F_OK) == 0) /* else there is one reading */
        fprintf(stderr, "--output %s is taken for --format %s; a file of that name is ./%s\n", old,
                old, old);
    if (w->redact && w->format && strcmp(w->format, "redacted") != 0)
        return cli_usage(self, "--redact is --format redacted; --format %s is another", w->format);
    if (old) w->format = old;
    if (w->redact) w->format = "redacted";
    if (!w->format) w->format = format_of_ending(w->output);
    if (w->pseudonyms && (!w->format || strcmp(w->format, "redacted") != 0))
        return cli_usage(self, "--pseudonyms stand in redacted texts: add --redact");
    return -1;
}

/* ---- in pieces */

typedef struct shard_job {
    loaded *loaded;
    const nerfit_call_options *call;
    const nerfit_stream *stream;
} shard_job;

static int tag_piece(void *user, cli_piece *piece) {
    const shard_job *job = user;
    nerfit_stream stream = *job->stream;
    tagging t = {.file = piece->file, .most = piece->size, .output = piece->output};
    if (piece->size == 0) return DONE; /* no line begins there */
    stream.name = piece->in;
    return predict(job->loaded, &t, job->call, &stream, true);
}

/* What decides what is found and written, into text [size]. */
static bool make_record(char *text, size_t size, const char *model, const output_choice *w,
                        const machine *m, const char *threshold, const char *rules,
                        const nerfit_stream *stream) {
    const char *rows[][2] = {{"nerfit", nerfit_version()},
                             {"model", model},
                             {"format", w->format ? w->format : "jsonl"},
                             {"from", stream->input ? stream->input : "text"},
                             {"word_column", stream->word_column},
                             {"label_column", stream->label_column},
                             {"threshold", threshold},
                             {"decoder", m->decoder},
                             {"labels", m->labels},
                             {"label_text", m->label_text},
                             {"st_model_name", m->sentences},
                             {"rules", rules},
                             {"precision", m->precision},
                             {"nested", m->nested ? "yes" : NULL},
                             {"multi_label", m->multi_label ? "yes" : NULL},
                             {"characters", m->characters ? "yes" : NULL}};
    text[0] = '\0';
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!cli_record_add(text, size, rows[i][0], rows[i][1])) return false;
    return true;
}

/* "jsonl" has the ending ".jsonl"; redacted texts and brackets are texts. */
static const char *ending_of(const char *format) {
    static const char *const endings[][2] = {
        {"conll", ".conll"}, {"html", ".html"}, {"redacted", ".txt"}, {"brackets", ".txt"}};
    for (size_t i = 0; format && i < sizeof endings / sizeof *endings; i++)
        if (strcmp(format, endings[i][0]) == 0) return endings[i][1];
    return ".jsonl";
}

/* Of `nerfit predict`: all that run_predict has read. */
typedef struct predict_call {
    const command *self;
    const char *model, *input, *shard, *threshold, *rules;
    const output_choice *w;
    machine *m;
    loaded *loaded;
    const nerfit_call_options *call;
    nerfit_stream *stream;
} predict_call;

/* -1: the call is for one stream. */
static int check_shards(const predict_call *c, cli_shards *s) {
    struct stat info;
    bool folder = c->input && stat(c->input, &info) == 0 && S_ISDIR(info.st_mode);
    int status = cli_shards_parse(c->self, c->shard, s);
    if (status >= 0) return status;
    if (!c->shard && !folder) return -1;
    if (!c->input || strcmp(c->input, "-") == 0)
        return cli_usage(c->self, "--shard takes a file or a folder, not standard input");
    if (!c->w->output || strcmp(c->w->output, "-") == 0)
        return cli_usage(c->self, "%s takes --output FOLDER, where the files go",
                         c->shard ? "--shard" : "a folder of files");
    if (c->w->pseudonyms)
        return cli_usage(c->self, "--pseudonyms are one file's, which shards cannot share");
    s->self = c->self;
    s->input = c->input;
    return DONE;
}

static int predict_shards(const predict_call *c, cli_shards *s) {
    static char record[1 << 14];
    nerfit_error error;
    char *folder = NULL;
    nerfit_model_options options = options_of(c->m);
    if (nerfit_model_find(c->model, "model", &options, &folder, &error) != NERFIT_OK)
        return cli_fail(&error);
    bool made =
        make_record(record, sizeof record, folder, c->w, c->m, c->threshold, c->rules, c->stream);
    nerfit_free(folder);
    if (!made) return cli_usage(c->self, "%s: its files cannot be read", c->model);
    shard_job job = {c->loaded, c->call, c->stream};
    const char *from = c->stream->input;
    s->lines = !from || strcmp(from, "text") == 0 || strcmp(from, "jsonl") == 0;
    s->output = c->w->output;
    s->ending = ending_of(c->w->format);
    s->record = record;
    s->quiet = c->m->quiet;
    s->tag = tag_piece;
    s->user = &job;
    return cli_shards_run(s);
}

/* Loads the model and tags; an exit status. */
static int predict_call_run(const predict_call *c) {
    tagging t = {0};
    nerfit_error error;
    cli_shards shards = {0};
    int status = check_shards(c, &shards);
    bool whole = status < 0;
    if (status > DONE) return status;
    if (whole && (status = cli_open(&t.file, c->input)) != DONE) return status;
    c->stream->name = t.file.name;
    if (load(c->loaded, c->model, c->m, &error) != NERFIT_OK ||
        nerfit_session_set_rules(c->loaded->session, c->rules, &error) != NERFIT_OK)
        status = cli_fail(&error);
    else if ((status = set_thresholds(c->self, c->loaded->session, c->threshold)) < 0) {
        if (!whole)
            status = predict_shards(c, &shards);
        else if ((status = cli_output(c->w->output)) < 0)
            status = predict(c->loaded, &t, c->call, c->stream, c->m->quiet);
    }
    unload(c->loaded);
    if (t.file.fd != STDIN_FILENO) close(t.file.fd);
    return status;
}

static int run_predict(const command *self, int argc, char **argv) {
    machine m = {0};
    output_choice w = {0};
    const char *input = NULL, *threshold = NULL, *operands[2];
    const char *word_column = NULL, *label_column = NULL, *rules = NULL, *shard = NULL;
    size_t n;
    const cli_option options[] = {
        CLI_OUTPUT_OPTION(w.output),
        {"--shard", "I/N",
         "the I-th of N parts of a file of lines, or of a folder of files, into the folder "
         "--output: whole "
         "files, and those that are there are passed over",
         &shard, NULL},
        {"--format", "NAME",
         "of what is written: jsonl, conll, brackets, tokens, redacted or html; else by --output's "
         "ending (.conll, .html), or jsonl",
         &w.format, NULL},
        {"--from", "NAME",
         cli_format_help(NERFIT_FORMATS_PARSED, "text (the default: a text a line), or one of: "),
         &input, NULL},
        {"--input", "NAME", NULL, &input, NULL},
        CLI_COLUMN_OPTIONS(word_column, label_column),
        {"--redact", NULL, "the texts with [LABEL] in the place of entities: --format redacted",
         NULL, &w.redact},
        {"--pseudonyms", "FILE",
         "with --redact: [LABEL_1], the same for the same entity, now and in later calls: FILE "
         "keeps who is who",
         &w.pseudonyms, NULL},
        RULES_OPTION(rules),
        DECODER_OPTION(m),
        LABELS_OPTIONS(m),
        THRESHOLD_OPTION(threshold),
        MACHINE_OPTIONS(m)};
    int status =
        cli_parse(self, argc, argv, options, sizeof options / sizeof *options, operands, 2, &n);
    if (status < 0) status = cli_threads(self, m.threads, &m.n_threads);
    if (status >= 0) return status;
    if (n == 0) return cli_usage(self, "MODEL is missing");
    if ((status = choose_format(self, &w, m.quiet)) >= 0) return status;
    if (!input && n > 1) cli_warn_of_text(operands[1]);
    loaded l;
    nerfit_call_options call = call_of(&m);
    nerfit_stream stream = {.size = sizeof stream,
                            .input = input,
                            .output = w.format,
                            .word_column = word_column,
                            .label_column = label_column,
                            .pseudonyms = w.pseudonyms};
    const predict_call c = {
        self,  operands[0], n > 1 ? operands[1] : NULL, shard, threshold, rules, &w, &m, &l,
        &call, &stream};
    return predict_call_run(&c);
}

const command command_predict = {
    "predict", "MODEL [FILE|-] [options]", "tag texts with a trained model",
    "Reads FILE or standard input, writes a line for each text in the same order. MODEL is a "
    "folder that nerfit train or transformers wrote, or a PEFT adapter's; or the name of one on "
    "Hugging Face's hub (owner/name).\n\n"
    "  nerfit predict runs/alarm/best texts.txt --output found.jsonl\n"
    "  echo 'wake me at nine' | nerfit predict runs/alarm/best --format brackets\n"
    "  nerfit predict runs/alarm/best texts.txt --threshold 0.5,time=0.7\n"
    "  nerfit predict runs/alarm/best texts.txt --shard 3/8 --output found",
    run_predict};

/* ---------------------------------------------------------------- eval, score */

/* What is printed of a report. */
typedef struct shown {
    bool json, errors, analysis;
} shown;

static int print_report(nerfit_report *report, const shown *show) {
    if (show->json)
        puts(report->json);
    else {
        fputs(report->text, stdout);
        if (report->scores) printf("\n%s", report->scores);
        if (show->errors) cli_print_mistakes(report);
        if (show->errors || show->analysis) printf("\n%s", report->analysis);
    }
    nerfit_report_free(report);
    return DONE;
}

static nerfit_status evaluate(loaded *l, const char *path, const nerfit_read_options *input,
                              machine *m, const char *mode, bool words, nerfit_report *report,
                              nerfit_error *error) {
    nerfit_corpus *corpus = NULL;
    nerfit_call_options call = call_of(m);
    nerfit_status status = nerfit_corpus_new(&corpus, on_log, m, error);
    if (status == NERFIT_OK) status = cli_read_corpus(corpus, path, input, error);
    if (status == NERFIT_OK)
        status = nerfit_evaluate_with(l->session, &call, corpus, mode, words, report, error);
    nerfit_corpus_free(corpus);
    return status;
}

static int run_eval(const command *self, int argc, char **argv) {
    machine m = {0};
    const char *mode = NULL, *threshold = NULL, *output = NULL, *rules = NULL, *operands[2];
    nerfit_read_options input = NERFIT_READ_OPTIONS_INIT;
    shown show = {0};
    bool words = false;
    size_t n;
    const cli_option options[] = {
        {"--format", "FORMAT", NULL, &input.format, NULL},
        {"--from", "NAME", cli_format_help(NERFIT_FORMATS_READ, "of DATA: "), &input.format, NULL},
        CLI_OUTPUT_OPTION(output),
        {"--overlap", "POLICY",
         "of overlapping entities, which no model finds: error, or the longest or first is kept",
         &input.overlap, NULL},
        {"--tagging", "SCHEME", "of words' labels: auto iob1 iob2 bioes bilou, or none (no prefix)",
         &input.tagging, NULL},
        CLI_COLUMN_OPTIONS(input.word_column, input.label_column),
        {"--offsets", "UNIT", "what offsets count: auto code_points utf16 bytes", &input.offsets,
         NULL},
        {"--mode", "MODE", "default, or strict in a scheme: iob1 iob2 ioe1 ioe2 bioes bilou", &mode,
         NULL},
        {"--words", NULL, "score the first sub-word of every word, not all", NULL, &words},
        {"--errors", NULL, "every mistake in its text, the confusion of types, SemEval'13", NULL,
         &show.errors},
        {"--json", NULL, "all of it as JSON, with counts", NULL, &show.json},
        RULES_OPTION(rules),
        DECODER_OPTION(m),
        LABELS_OPTIONS(m),
        THRESHOLD_OPTION(threshold),
        MACHINE_OPTIONS(m)};
    int status =
        cli_parse(self, argc, argv, options, sizeof options / sizeof *options, operands, 2, &n);
    if (status < 0) status = cli_threads(self, m.threads, &m.n_threads);
    if (status >= 0) return status;
    if (n < 2) return cli_usage(self, "%s is missing", n ? "DATA" : "MODEL");
    if ((status = cli_output(output)) >= 0) return status;
    nerfit_error error;
    nerfit_report report;
    loaded l;
    if (load(&l, operands[0], &m, &error) != NERFIT_OK ||
        nerfit_session_set_rules(l.session, rules, &error) != NERFIT_OK)
        status = cli_fail(&error);
    else if ((status = set_thresholds(self, l.session, threshold)) < 0)
        status = evaluate(&l, operands[1], &input, &m, mode, words, &report, &error) == NERFIT_OK
                     ? print_report(&report, &show)
                     : cli_fail(&error);
    unload(&l);
    return status;
}

const command command_eval = {
    "eval", "MODEL DATA [options]", "score a model on annotated texts",
    "Precision, recall and F1 by entity type and averaged, equal to seqeval's; what the scores of\n"
    "entities are worth, and precision and recall by threshold. --errors lists every mistake.\n\n"
    "  nerfit eval runs/alarm/best test.jsonl\n"
    "  nerfit eval runs/alarm/best test.jsonl --errors",
    run_eval};

static int run_score(const command *self, int argc, char **argv) {
    const char *mode = NULL, *output = NULL, *operands[2];
    nerfit_read_options gold = NERFIT_READ_OPTIONS_INIT, predicted = NERFIT_READ_OPTIONS_INIT;
    shown show = {0};
    size_t n;
    const cli_option options[] = {
        CLI_OUTPUT_OPTION(output),
        CLI_COLUMN_OPTIONS(gold.word_column, gold.label_column),
        {"--pred_column", "COLUMN",
         "the column of PRED's labels, if it is another than GOLD's; PRED may be the same file",
         &predicted.label_column, NULL},
        {"--mode", "MODE", "default, or strict in a scheme: iob1 iob2 ioe1 ioe2 bioes bilou", &mode,
         NULL},
        {"--semeval", NULL, "the confusion of types and the SemEval'13 measures too", NULL,
         &show.analysis},
        {"--errors", NULL, "the same, and every mistake in its text", NULL, &show.errors},
        {"--json", NULL, "all of it as JSON, with counts", NULL, &show.json}};
    int status =
        cli_parse(self, argc, argv, options, sizeof options / sizeof *options, operands, 2, &n);
    if (status >= 0) return status;
    if (n < 2 && !(n == 1 && predicted.label_column))
        return cli_usage(self, n ? "PRED is missing; a file that holds both takes --pred_column"
                                 : "GOLD is missing");
    if (n == 1) operands[1] = operands[0]; /* both in one file */
    if ((status = cli_output(output)) >= 0) return status;
    predicted.word_column = gold.word_column;
    if (!predicted.label_column) predicted.label_column = gold.label_column;
    nerfit_error error;
    nerfit_report report;
    if (nerfit_score_files_with(operands[0], operands[1], mode, &gold, &predicted, &report,
                                &error) != NERFIT_OK)
        return cli_fail(&error);
    return print_report(&report, &show);
}

const command command_score = {
    "score", "GOLD PRED [options]", "score the labels of one CoNLL file against another's",
    "Both files must have the same words. One file may hold both labels, as\n"
    "conlleval's input does: nerfit score FILE --pred_column -1.",
    run_score};

/* ---------------------------------------------------------------- embed */

typedef struct embedding {
    nerfit_encoder *encoder;
    float *values;
    size_t n_cut;
} embedding;

static int fail_in_line(const cli_line *line, const char *what) {
    fprintf(stderr, "nerfit: error: %s:%ld: %s\n", line->file, line->number, what);
    return FAILED;
}

static int embed_line(void *user, const cli_line *line) {
    embedding *e = user;
    nerfit_error error;
    size_t n_cut;
    const char *text = line->text;
    if (strlen(text) != line->size) return fail_in_line(line, "holds a NUL byte");
    if (nerfit_encode(e->encoder, &text, 1, e->values, &n_cut, &error) != NERFIT_OK)
        return fail_in_line(line, error.text);
    e->n_cut += n_cut;
    char buffer[32];
    for (size_t i = 0; i < nerfit_encoder_size(e->encoder); i++) {
        int length =
            snprintf(buffer, sizeof buffer, "%s%.8g", i ? ", " : "[", (double)e->values[i]);
        if (!cli_write(NULL, buffer, (size_t)length)) return FAILED;
    }
    return cli_write(NULL, "]\n", 2) ? DONE : FAILED;
}

static int run_embed(const command *self, int argc, char **argv) {
    machine m = {0};
    const char *output = NULL, *operands[2];
    size_t n;
    const cli_option options[] = {CLI_OUTPUT_OPTION(output), MACHINE_OPTIONS(m)};
    int status =
        cli_parse(self, argc, argv, options, sizeof options / sizeof *options, operands, 2, &n);
    if (status < 0) status = cli_threads(self, m.threads, &m.n_threads);
    if (status >= 0) return status;
    if (n == 0) return cli_usage(self, "MODEL is missing");
    if ((status = cli_output(output)) >= 0) return status;
    nerfit_error error;
    nerfit_model_options model_options = options_of(&m);
    embedding e = {0};
    if (nerfit_encoder_load(&e.encoder, operands[0], &model_options, &error) != NERFIT_OK)
        return cli_fail(&error);
    e.values = malloc(nerfit_encoder_size(e.encoder) * sizeof *e.values);
    status = e.values ? cli_each_line(n > 1 ? operands[1] : NULL, embed_line, &e) : FAILED;
    if (e.n_cut)
        fprintf(stderr, "warning: %zu texts are longer than the encoder's maximum and were cut\n",
                e.n_cut);
    free(e.values);
    nerfit_encoder_free(e.encoder);
    return status;
}

const command command_embed = {
    "embed", "MODEL [FILE|-] [options]", "sentence embeddings, one JSON array a line",
    "MODEL is a sentence encoder's folder (modules.json), or its name on the hub.\n\n"
    "  nerfit embed sentence-transformers/LaBSE texts.txt --output vectors.jsonl",
    run_embed};

/* ---------------------------------------------------------------- tokenize */

static int tokenize_line(void *user, const cli_line *line) {
    nerfit_error error;
    char *json;
    if (nerfit_tokenize(user, line->text, line->size, &json, &error) != NERFIT_OK)
        return fail_in_line(line, error.text);
    bool written = cli_write(NULL, json, strlen(json)) && cli_write(NULL, "\n", 1);
    nerfit_free(json);
    return written ? DONE : FAILED;
}

static int run_tokenize(const command *self, int argc, char **argv) {
    const char *output = NULL, *operands[2];
    const cli_option options[] = {CLI_OUTPUT_OPTION(output)};
    size_t n;
    int status = cli_parse(self, argc, argv, options, 1, operands, 2, &n);
    if (status >= 0) return status;
    if (n == 0) return cli_usage(self, "MODEL is missing");
    if ((status = cli_output(output)) >= 0) return status;
    nerfit_error error;
    nerfit_tokenizer *tokenizer;
    if (nerfit_tokenizer_load(&tokenizer, operands[0], &error) != NERFIT_OK)
        return cli_fail(&error);
    status = cli_each_line(n > 1 ? operands[1] : NULL, tokenize_line, tokenizer);
    nerfit_tokenizer_free(tokenizer);
    return status;
}

const command command_tokenize = {
    "tokenize", "MODEL [FILE|-] [options]", "ids, tokens and offsets, one JSON object a line",
    "Reads a text a line. MODEL is a folder with a tokenizer, or its name on the hub.\n\n"
    "  echo 'wake me at nine' | nerfit tokenize runs/alarm/best",
    run_tokenize};
