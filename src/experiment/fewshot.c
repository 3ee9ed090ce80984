#include "experiment/fewshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "base/str.h"
#include "data/annotations.h"
#include "data/lines.h"
#include "data/selection.h"
#include "model/adapter.h"
#include "recipe/few_steps.h"
#include "recipe/fingerprint.h"

/* ---------------------------------------------------------------- recipes */

/* What is usual for fine-tuning on few texts: 200 to 500 steps of 8, 10 % warm-up, linear decay. */
#define USUAL                                                                                      \
    "per_device_train_batch_size=8,lr_scheduler_type=linear,warmup_steps=0,warmup_ratio=0.1,"      \
    "weight_decay=0.01"

static const struct {
    const char *name, *settings;
} builtins[] = {
    {"plain", "recipe=original,max_steps=0,auto,learning_rate=3e-4," USUAL},
    {"original", "recipe=original,max_steps=auto,auto,learning_rate=1e-4,3e-4," USUAL},
    {"nerfit", "recipe=nerfit,pretrained=none"},
    {"nerfit+pretrained", "recipe=nerfit"}, /* without a folder: what comes with nerfit */
};
enum { N_BUILTINS = sizeof builtins / sizeof *builtins };

/* What every run has: no validation data, no checkpoints on the way; nobody sees its scores. */
static const char always[] = "eval_strategy=no,save_strategy=no,load_best_model_at_end=false,"
                             "calibration=none,overwrite_output_dir=true";

typedef struct recipe {
    const char *name; /* as given: the column's title */
    const char *own;  /* settings of its own, or NULL */
    size_t builtin;   /* N_BUILTINS: none */
    bool pretrained;
} recipe;

typedef struct fewshot {
    const nf_train_options *config;
    const nf_train_data *data;
    const nf_fewshot_options *options;
    const nf_fewshot_work *work;
    nerfit_error *err;
    nf_arena arena;
    size_t k[NF_FEWSHOT_MOST], n_k, n_seeds, n_recipes;
    uint64_t seeds[NF_FEWSHOT_MOST];
    recipe recipes[NF_FEWSHOT_MOST];
    nf_amount negatives;
    nf_corpus own_train, own_test;
    const nf_corpus *train, *test; /* train: NULL with given samples */
    nf_corpus sample;              /* of the current k and seed */
    uint64_t common_hash, sample_hash;
    json_t *runs;    /* finished and wanted, in the order of running */
    json_t *earlier; /* runs.jsonl: an object by key */
    size_t n_finished;
} fewshot;

static nerfit_status add_recipe(fewshot *f, const char *text, size_t size) {
    if (f->n_recipes == NF_FEWSHOT_MOST)
        return nf_fail(f->err, NERFIT_ARGUMENT, "recipes: more than %d", NF_FEWSHOT_MOST);
    const char *name = nf_arena_copy(&f->arena, text, size);
    if (!name) return nf_no_memory(f->err, size);
    const char *colon = strchr(name, ':');
    size_t length = colon ? (size_t)(colon - name) : size;
    recipe r = {.name = name, .own = colon ? colon + 1 : NULL, .builtin = 0};
    while (r.builtin < N_BUILTINS && (strlen(builtins[r.builtin].name) != length ||
                                      strncmp(builtins[r.builtin].name, name, length) != 0))
        r.builtin++;
    r.pretrained = nf_text_ends_with(name, length, "+pretrained");
    if (r.builtin == N_BUILTINS && !colon)
        return nf_fail(f->err, NERFIT_ARGUMENT,
                       "recipe \"%s\" is not one of plain, original, nerfit, nerfit+pretrained; "
                       "your own is name:option=value,option=value",
                       name);
    if (r.pretrained && !f->options->pretrained && r.builtin == N_BUILTINS)
        return nf_fail(f->err, NERFIT_ARGUMENT,
                       "recipe \"%s\" needs the folder of a pre-trained encoder (pretrained)",
                       name);
    for (size_t i = 0; i < f->n_recipes; i++)
        if (strcmp(f->recipes[i].name, name) == 0)
            return nf_fail(f->err, NERFIT_ARGUMENT, "recipe \"%s\" is given twice", name);
    f->recipes[f->n_recipes++] = r;
    return NERFIT_OK;
}

/* Recipes end at white space and ";"; a name that has no options ends at a comma, too. */
static nerfit_status read_recipes(fewshot *f) {
    const char *at = f->options->recipes ? f->options->recipes : "plain,original,nerfit";
    for (;;) {
        at += strspn(at, " \t\n;,");
        if (!*at) break;
        size_t size = strcspn(at, " \t\n;,:");
        if (at[size] == ':') size = strcspn(at, " \t\n;");
        NF_TRY(add_recipe(f, at, size));
        at += size;
    }
    return f->n_recipes ? NERFIT_OK : nf_fail(f->err, NERFIT_ARGUMENT, "recipes: none is given");
}

/* The value with every "auto" of a list of steps replaced. */
static const char *with_steps(nf_arena *arena, const char *value, size_t n_texts) {
    nf_str out = {0};
    for (const char *at = value; *at;) {
        size_t size = strcspn(at, ",");
        if (size == 4 && strncmp(at, "auto", 4) == 0)
            nf_str_appendf(&out, "%zu", nf_few_steps(n_texts));
        else
            nf_str_append(&out, at, size);
        at += size;
        if (*at) nf_str_append_char(&out, *at++);
    }
    const char *copy = out.failed ? NULL : nf_arena_copy(arena, nf_str_text(&out), out.length);
    nf_str_free(&out);
    return copy;
}

/* "option=value,option=value": what has no "=" belongs to the value before it
 * ("max_steps=0,200"). */
static nerfit_status apply(fewshot *f, nf_train_options *o, const char *settings, size_t n_texts) {
    for (const char *at = settings; *at;) {
        size_t name = strcspn(at, "=,"), end;
        if (at[name] != '=')
            return nf_fail(f->err, NERFIT_ARGUMENT, "\"%s\" is not option=value,option=value",
                           settings);
        for (end = name;;) {
            end += strcspn(at + end, ",");
            if (!at[end]) break;
            size_t next = end + 1 + strcspn(at + end + 1, "=,");
            if (at[next] == '=') break;
            end++;
        }
        const char *option = nf_arena_copy(&f->arena, at, name);
        const char *value = nf_arena_copy(&f->arena, at + name + 1, end - name - 1);
        if (option && value && strcmp(option, "max_steps") == 0)
            value = with_steps(&f->arena, value, n_texts);
        if (!option || !value) return nf_no_memory(f->err, end);
        NF_TRY(nf_train_options_set(o, option, value, NULL, 0, f->err));
        at += end + (at[end] == ',');
    }
    return NERFIT_OK;
}

static nerfit_status set(fewshot *f, nf_train_options *o, const char *name, const char *value) {
    return nf_train_options_set(o, name, value, NULL, 0, f->err);
}

/* The options of one run: a copy of the config, whose texts are shared, with the recipe's settings.
 * Freed with nf_train_options_free. */
static nerfit_status options_of(fewshot *f, const recipe *r, uint64_t seed, size_t n_texts,
                                nf_train_options *out) {
    char text[32];
    *out = *f->config;
    out->arena = (nf_arena){0};
    out->train_annotations = out->val_annotations = out->test_annotations = NULL;
    out->resume_from_checkpoint = NULL;
    NF_TRY(apply(f, out, always, n_texts));
    if (r->builtin < N_BUILTINS) NF_TRY(apply(f, out, builtins[r->builtin].settings, n_texts));
    const char *folder = r->pretrained ? f->options->pretrained : NULL;
    if (folder) /* an adapter goes onto the encoder, an encoder takes its place */
        NF_TRY(set(f, out, nf_adapter_folder(folder) ? "pretrained" : "model_name", folder));
    snprintf(text, sizeof text, "%" PRIu64, seed);
    NF_TRY(set(f, out, "seed", text));
    if (r->own) NF_TRY(apply(f, out, r->own, n_texts));
    char *output = nf_path_join(&f->arena, f->config->output_dir, "run");
    return output ? set(f, out, "output_dir", output) : nf_no_memory(f->err, 0);
}

/* ---------------------------------------------------------------- what is asked for */

/* A whole number and what ends it. */
static bool read_number(const char **at, uint64_t most, uint64_t *out) {
    return nf_whole_read(*at, most, out, at);
}

static nerfit_status add_number(fewshot *f, uint64_t *list, size_t *count, uint64_t value,
                                const char *what) {
    for (size_t i = 0; i < *count; i++)
        if (list[i] == value)
            return nf_fail(f->err, NERFIT_ARGUMENT, "%s: %" PRIu64 " is given twice", what, value);
    if (*count == NF_FEWSHOT_MOST)
        return nf_fail(f->err, NERFIT_ARGUMENT, "%s: more than %d", what, NF_FEWSHOT_MOST);
    list[(*count)++] = value;
    return NERFIT_OK;
}

/* "1,4,16", "0-4" */
static nerfit_status read_numbers(fewshot *f, const char *text, uint64_t least, uint64_t most,
                                  const char *what, uint64_t *list, size_t *count) {
    const char *at = text;
    uint64_t from, to;
    for (bool good = *at; *at;) {
        good = good && read_number(&at, most, &from);
        to = from;
        if (good && *at == '-') at++, good = read_number(&at, most, &to);
        good = good && from >= least && from <= to && (*at == '\0' || (*at == ',' && at[1]));
        if (!good) break;
        for (uint64_t i = from; i <= to; i++) NF_TRY(add_number(f, list, count, i, what));
        if (!*at) return NERFIT_OK;
        at++;
    }
    return nf_fail(f->err, NERFIT_ARGUMENT,
                   "%s: \"%s\" is not a list of whole numbers from %" PRIu64 " to %" PRIu64, what,
                   text, least, most);
}

static nerfit_status read_seeds(fewshot *f) {
    const char *text = f->options->seeds ? f->options->seeds : "3";
    bool count = *text && strspn(text, "0123456789") == strlen(text);
    NF_TRY(read_numbers(f, text, 0, UINT32_MAX, "seeds", f->seeds, &f->n_seeds));
    if (!count) return NERFIT_OK;
    uint64_t wanted = f->seeds[0];
    if (wanted == 0 || wanted > NF_FEWSHOT_MOST)
        return nf_fail(f->err, NERFIT_ARGUMENT, "seeds: %" PRIu64 " is not from 1 to %d", wanted,
                       NF_FEWSHOT_MOST);
    for (f->n_seeds = 0; f->n_seeds < wanted; f->n_seeds++) f->seeds[f->n_seeds] = f->n_seeds;
    return NERFIT_OK;
}

static nerfit_status read_request(fewshot *f) {
    uint64_t k[NF_FEWSHOT_MOST];
    NF_TRY(
        read_numbers(f, f->options->k ? f->options->k : "1,4,16,64", 1, 1000000, "k", k, &f->n_k));
    for (size_t i = 0; i < f->n_k; i++) f->k[i] = k[i];
    NF_TRY(read_seeds(f));
    if (f->options->negatives)
        NF_TRY(nf_amount_parse(&f->negatives, f->options->negatives, "negatives", f->err));
    NF_TRY(read_recipes(f));
    if (!f->config->output_dir) return nf_fail(f->err, NERFIT_ARGUMENT, "output_dir is missing");
    for (size_t i = 0; i < f->n_recipes; i++) { /* so that no run fails after hours */
        nf_train_options options;
        nerfit_status status = options_of(f, &f->recipes[i], 0, 8, &options);
        if (status == NERFIT_OK)
            status =
                nf_train_options_check(&options, options.val_annotations != NULL, NULL, f->err);
        nf_train_options_free(&options);
        if (status != NERFIT_OK)
            return nf_fail_within(f->err, status, "recipe \"%s\"", f->recipes[i].name);
    }
    return NERFIT_OK;
}

static nerfit_status read_corpus(fewshot *f, nf_corpus *own, const nf_corpus *ready,
                                 const char *path, const char *name, const nf_corpus **out) {
    *out = ready ? ready : own;
    if (ready) return NERFIT_OK;
    if (!path) return nf_fail(f->err, NERFIT_ARGUMENT, "%s is missing", name);
    return nf_train_options_read(f->config, own, path, f->work->log, f->err);
}

static nerfit_status read_corpora(fewshot *f) {
    const nf_train_options *o = f->config;
    NF_TRY(read_corpus(f, &f->own_test, f->data->test, o->test_annotations, "test_annotations",
                       &f->test));
    if (!f->test->n_spans) return nf_fail(f->err, NERFIT_ARGUMENT, "no test text has an entity");
    if (f->options->samples) return NERFIT_OK;
    return read_corpus(f, &f->own_train, f->data->train, o->train_annotations, "train_annotations",
                       &f->train);
}

/* ---------------------------------------------------------------- keys */

/* Everything that all runs share. */
static nerfit_status hash_common(fewshot *f) {
    const char *version = nerfit_version();
    f->common_hash = nf_fingerprint_bytes(NF_HASH_START, version, strlen(version));
    NF_TRY(nf_fingerprint_corpus(&f->common_hash, f->test, f->err));
    return nf_fingerprint_descriptions(&f->common_hash, f->data, f->config->ent2emb, f->err);
}

static nerfit_status key_of(fewshot *f, const nf_train_options *o, char key[17]) {
    json_t *json = nf_train_options_to_json(o);
    static const char *const elsewhere[] = {"output_dir", "ent2emb", "overwrite_output_dir"};
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        json_object_del(json, elsewhere[i]);
    char *text = json ? nf_json_text(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(json);
    if (!text) return nf_no_memory(f->err, 0);
    uint64_t hash = nf_fingerprint_bytes(f->common_hash, &f->sample_hash, sizeof f->sample_hash);
    hash = nf_fingerprint_bytes(hash, text, strlen(text));
    free(text);
    NF_TRY(nf_fingerprint_models(&hash, o, f->err));
    snprintf(key, 17, "%016" PRIx64, hash);
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- the record */

static char *in_folder(fewshot *f, const char *name) {
    return nf_path_join(&f->arena, f->config->output_dir, name);
}

/* A last line without its end is what a killed process leaves: passed over. */
static nerfit_status read_record(fewshot *f) {
    char *path = in_folder(f, "runs.jsonl");
    f->earlier = json_object();
    f->runs = json_array();
    if (!path || !f->earlier || !f->runs) return nf_no_memory(f->err, 0);
    if (!nf_file_exists(path)) return NERFIT_OK;
    nf_file file;
    NF_TRY(nf_file_open(&file, path, f->err));
    size_t whole = file.size;
    while (whole && file.data[whole - 1] != '\n') whole--;
    nf_lines lines = nf_lines_of(file.data, whole);
    const char *line;
    size_t size;
    nerfit_status status = NERFIT_OK;
    while (status == NERFIT_OK && nf_lines_next(&lines, &line, &size)) {
        json_t *run;
        status = nf_json_parse(&run, line, size, path, lines.number, f->err);
        if (status != NERFIT_OK) break;
        const char *key = json_string_value(json_object_get(run, "key"));
        bool good = key && json_is_number(json_object_get(run, "f1")) &&
                    json_is_number(json_object_get(run, "seconds"));
        if (!good)
            status = nf_fail_at(f->err, NERFIT_FORMAT, path, lines.number, 0,
                                "expected a run with \"key\", \"f1\", \"seconds\"");
        else if (json_object_set(f->earlier, key, run) != 0)
            status = nf_no_memory(f->err, size);
        json_decref(run);
    }
    nf_file_close(&file);
    return status;
}

static nerfit_status write_record(fewshot *f, const json_t *run) {
    char *path = in_folder(f, "runs.jsonl"), *line = nf_json_text(run, JSON_COMPACT);
    FILE *file = path && line ? fopen(path, "a+e") : NULL;
    bool good = file != NULL;
    if (good) { /* behind the piece of a line that a killed process left, on a line of one's own */
        if (fseek(file, -1, SEEK_END) == 0 && fgetc(file) != '\n') good = fputc('\n', file) >= 0;
        good = good && fprintf(file, "%s\n", line) > 0;
    }
    if (file && fclose(file) != 0) good = false;
    bool memory = path && line;
    free(line);
    if (good) return NERFIT_OK;
    return memory ? nf_fail_at(f->err, NERFIT_IO, path, 0, 0, "cannot be written")
                  : nf_no_memory(f->err, 0);
}

/* ---------------------------------------------------------------- samples */

static nerfit_status read_sample(fewshot *f, size_t k, uint64_t seed) {
    char name[64];
    snprintf(name, sizeof name, "k%zu-s%" PRIu64 ".jsonl", k, seed);
    const char *path = nf_path_join(&f->arena, f->options->samples, name);
    if (!path) return nf_no_memory(f->err, 0);
    return nf_annotations_read(&f->sample, path, NULL, f->work->log, f->err);
}

static nerfit_status save_lines(fewshot *f, size_t k, uint64_t seed) {
    char name[64];
    snprintf(name, sizeof name, "samples/k%zu-s%" PRIu64 ".json", k, seed);
    char *folder = in_folder(f, "samples"), *path = in_folder(f, name);
    json_t *lines = json_array();
    int failed = !folder || !path;
    for (size_t i = 0; i < f->sample.n_documents; i++)
        failed |= json_array_append_new(lines, json_integer(f->sample.documents[i].line));
    json_t *json = json_pack("{s:s?, s:I, s:I, s:s?, s:o}", "file", f->config->train_annotations,
                             "k", (json_int_t)k, "seed", (json_int_t)seed, "negatives",
                             f->options->negatives, "lines", lines);
    nerfit_status status = failed || !json ? nf_no_memory(f->err, 0) : NERFIT_OK;
    if (status == NERFIT_OK) status = nf_directory_make(folder, f->err);
    if (status == NERFIT_OK) status = nf_json_save(json, path, f->err);
    json_decref(json);
    return status;
}

static nerfit_status draw_sample(fewshot *f, size_t k, uint64_t seed) {
    nf_sample_options options = {.k = k, .seed = seed, .negatives = f->negatives};
    size_t count;
    nf_shortage shortage;
    uint32_t *chosen = malloc((f->train->n_documents + 1) * sizeof *chosen);
    if (!chosen) return nf_no_memory(f->err, f->train->n_documents);
    nerfit_status status = nf_sample(f->train, &options, chosen, &count, &shortage, f->err);
    if (status == NERFIT_OK && shortage.types)
        nf_log_warning(f->work->log,
                       "k = %zu: %zu entity types have fewer mentions in the training texts", k,
                       shortage.types);
    if (status == NERFIT_OK) status = nf_corpus_take(&f->sample, f->train, chosen, count, f->err);
    free(chosen);
    return status == NERFIT_OK ? save_lines(f, k, seed) : status;
}

static nerfit_status make_sample(fewshot *f, size_t k, uint64_t seed) {
    nf_corpus_free(&f->sample);
    NF_TRY(f->options->samples ? read_sample(f, k, seed) : draw_sample(f, k, seed));
    f->sample_hash = NF_HASH_START;
    return nf_fingerprint_corpus(&f->sample_hash, &f->sample, f->err);
}

/* ---------------------------------------------------------------- runs */

/* Seconds of a run like this one: the mean of those with the same k and recipe, else the same k,
 * else of all; negative if there is none. */
static double usual_seconds(const fewshot *f, size_t k, const char *name) {
    double sums[3] = {0};
    size_t counts[3] = {0}, i;
    const json_t *run;
    json_array_foreach(f->runs, i, run) {
        bool same_k = json_integer_value(json_object_get(run, "k")) == (json_int_t)k;
        bool same = strcmp(json_string_value(json_object_get(run, "recipe")), name) == 0;
        const bool counted[3] = {same_k && same, same_k, true};
        for (int c = 0; c < 3; c++) {
            sums[c] += counted[c] ? json_number_value(json_object_get(run, "wall")) : 0;
            counts[c] += counted[c];
        }
    }
    for (int c = 0; c < 3; c++)
        if (counts[c]) return sums[c] / (double)counts[c];
    return -1;
}

/* Runs go by seeds, then k, then recipes: run number n and all after it. */
static double seconds_left(const fewshot *f, size_t n) {
    double left = 0;
    for (size_t all = f->n_seeds * f->n_k * f->n_recipes; n < all; n++) {
        size_t k = f->k[n / f->n_recipes % f->n_k];
        double seconds = usual_seconds(f, k, f->recipes[n % f->n_recipes].name);
        if (seconds < 0) return -1;
        left += seconds;
    }
    return left;
}

static nerfit_status tell(fewshot *f, size_t k, uint64_t seed, const recipe *r,
                          const nf_fewshot_score *score, bool earlier) {
    nf_fewshot_progress progress = {.n_finished = f->n_finished,
                                    .n_runs = f->n_seeds * f->n_k * f->n_recipes,
                                    .k = k,
                                    .n_texts = f->sample.n_documents,
                                    .seed = seed,
                                    .recipe = r->name,
                                    .score = score,
                                    .earlier = earlier,
                                    .seconds_left = seconds_left(f, f->n_finished)};
    if (!f->work->progress || f->work->progress(f->work->user, &progress)) return NERFIT_OK;
    return nf_fail(f->err, NERFIT_CANCELLED, "stopped after %zu of %zu runs", f->n_finished,
                   progress.n_runs);
}

/* "wall": training and scoring, for the time that is left. */
static nerfit_status run_anew(fewshot *f, size_t k, uint64_t seed, const recipe *r,
                              const nf_train_options *o, const char *key, json_t **run) {
    nf_train_data data = *f->data;
    nf_fewshot_score score;
    data.train = &f->sample;
    data.validation = NULL;
    data.test = f->test;
    NF_TRY(tell(f, k, seed, r, NULL, false));
    double from = nf_clock_now();
    nerfit_status status = f->work->run(f->work->user, o, &data, &score, f->err);
    if (status != NERFIT_OK)
        return status == NERFIT_CANCELLED
                   ? status
                   : nf_fail_within(f->err, status, "k = %zu, seed %" PRIu64 ", recipe \"%s\"", k,
                                    seed, r->name);
    *run =
        json_pack("{s:I, s:I, s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:s}", "k", (json_int_t)k, "seed",
                  (json_int_t)seed, "recipe", r->name, "texts", (json_int_t)f->sample.n_documents,
                  "precision", score.precision, "recall", score.recall, "f1", score.f1, "seconds",
                  score.seconds, "wall", nf_clock_now() - from, "key", key);
    if (!*run) return nf_no_memory(f->err, 0);
    NF_TRY(write_record(f, *run));
    return nf_directory_remove(o->output_dir, f->err);
}

static double field(const json_t *run, const char *name) {
    return json_number_value(json_object_get(run, name));
}

/* An earlier run with the same key may have had another name for the same settings. */
static json_t *taken_over(const json_t *earlier, const recipe *r) {
    json_t *run = earlier ? json_deep_copy(earlier) : NULL;
    if (run) json_object_set_new(run, "recipe", json_string(r->name));
    return run;
}

static nerfit_status run_one(fewshot *f, size_t k, uint64_t seed, const recipe *r) {
    nf_train_options options;
    char key[17];
    nerfit_status status = options_of(f, r, seed, f->sample.n_documents, &options);
    if (status == NERFIT_OK) status = key_of(f, &options, key);
    json_t *run = NULL;
    bool earlier = false;
    if (status == NERFIT_OK) {
        run = taken_over(json_object_get(f->earlier, key), r);
        earlier = run != NULL;
        if (!earlier) status = run_anew(f, k, seed, r, &options, key, &run);
    }
    nf_train_options_free(&options);
    if (status != NERFIT_OK) {
        json_decref(run);
        return status;
    }
    if (json_array_append_new(f->runs, run) != 0) return nf_no_memory(f->err, 0);
    f->n_finished++;
    nf_fewshot_score score = {field(run, "precision"), field(run, "recall"), field(run, "f1"),
                              field(run, "seconds")};
    return tell(f, k, seed, r, &score, earlier);
}

static nerfit_status run_all(fewshot *f) {
    NF_TRY(read_request(f));
    NF_TRY(read_corpora(f));
    NF_TRY(hash_common(f));
    NF_TRY(nf_directory_make(f->config->output_dir, f->err));
    NF_TRY(read_record(f));
    for (size_t s = 0; s < f->n_seeds; s++)
        for (size_t i = 0; i < f->n_k; i++) {
            NF_TRY(make_sample(f, f->k[i], f->seeds[s]));
            for (size_t r = 0; r < f->n_recipes; r++)
                NF_TRY(run_one(f, f->k[i], f->seeds[s], &f->recipes[r]));
        }
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- the result */

static json_t *names_json(const fewshot *f) {
    json_t *k = json_array(), *seeds = json_array(), *recipes = json_array();
    int failed = 0;
    for (size_t i = 0; i < f->n_k; i++)
        failed |= json_array_append_new(k, json_integer((json_int_t)f->k[i]));
    for (size_t i = 0; i < f->n_seeds; i++)
        failed |= json_array_append_new(seeds, json_integer((json_int_t)f->seeds[i]));
    for (size_t i = 0; i < f->n_recipes; i++)
        failed |= json_array_append_new(recipes, json_string(f->recipes[i].name));
    json_t *out = json_pack("{s:o, s:o, s:o, s:O}", "k", k, "seeds", seeds, "recipes", recipes,
                            "runs", f->runs);
    if (!failed) return out;
    json_decref(out);
    return NULL;
}

static nerfit_status make_result(fewshot *f, json_t **result) {
    *result = names_json(f);
    if (!*result) return nf_no_memory(f->err, 0);
    NF_TRY(nf_fewshot_tabulate(*result, f->err));
    nf_str html = {0};
    nf_fewshot_html(*result, &html);
    char *path = in_folder(f, "report.html");
    nerfit_status status = !path || html.failed
                               ? nf_no_memory(f->err, html.length)
                               : nf_file_write(path, html.data, html.length, f->err);
    nf_str_free(&html);
    return status;
}

nerfit_status nf_fewshot_run(const nf_train_options *config, const nf_train_data *data,
                             const nf_fewshot_options *options, const nf_fewshot_work *work,
                             json_t **result, nerfit_error *err) {
    static const nf_train_data none = {0};
    fewshot f = {.config = config,
                 .data = data ? data : &none,
                 .options = options,
                 .work = work,
                 .err = err};
    *result = NULL;
    nerfit_status status = run_all(&f);
    if (status == NERFIT_OK) status = make_result(&f, result);
    if (status != NERFIT_OK) {
        json_decref(*result);
        *result = NULL;
    }
    json_decref(f.runs);
    json_decref(f.earlier);
    nf_corpus_free(&f.own_train);
    nf_corpus_free(&f.own_test);
    nf_corpus_free(&f.sample);
    nf_arena_free(&f.arena);
    return status;
}
