/* The few-shot protocol: for each seed, k and recipe a k-shot sample is drawn from the training
 * texts, a model is trained on it without validation data, and scored on the test texts.
 *
 * A recipe is a name with settings over the config. The built-in ones are in a table (fewshot.c);
 * "name:option=value,option=value" is one's own: it begins from the built-in one of that name, if
 * there is one. max_steps: auto stands for clamp(20 * ceil(texts / 8), 200, 500).
 *
 * The folder (the config's output_dir):
 *   runs.jsonl           a line for each finished run; runs whose key (a hash of the settings, the
 *                        sample and the test texts) is there are not run again
 *   samples/kK-sS.json   the sample's line numbers
 *   report.html          tables and a plot of F1 over k
 *   run/                 the run in progress; it is removed afterwards */
#ifndef NF_EXPERIMENT_FEWSHOT_H
#define NF_EXPERIMENT_FEWSHOT_H

#include "recipe/train.h"

enum { NF_FEWSHOT_MOST = 64 }; /* values of k, seeds, recipes */

/* As texts, which nf_fewshot_run reads; NULL is the default. */
typedef struct nf_fewshot_options {
    const char *k;       /* "1,4,16,64" */
    const char *seeds;   /* "3" is 0, 1, 2; "0-4" a range; "0,5" a list */
    const char *recipes; /* names divided by commas; with options of their own, by spaces or ";" */
    const char *samples; /* a folder with kK-sS.jsonl in the place of samples drawn here */
    const char *pretrained; /* folder of nerfit pretrain, for recipes that are called
                               "...+pretrained" */
    const char *negatives;  /* texts without an entity in a sample: "10", "20%" */
} nf_fewshot_options;

typedef struct nf_fewshot_score {
    double precision, recall, f1;
    double seconds; /* of training */
} nf_fewshot_score;

/* What is going on. */
typedef struct nf_fewshot_progress {
    size_t n_finished, n_runs; /* of all, those of earlier calls included */
    size_t k, n_texts;
    uint64_t seed;
    const char *recipe;
    const nf_fewshot_score *score; /* NULL: the run begins */
    bool earlier;                  /* the run was finished by an earlier call */
    double seconds_left;           /* negative: unknown */
} nf_fewshot_progress;

/* What a run is, for this file: training and scoring are the caller's. */
typedef struct nf_fewshot_work {
    nerfit_status (*run)(void *user, const nf_train_options *options, const nf_train_data *data,
                         nf_fewshot_score *score, nerfit_error *err);
    bool (*progress)(void *user, const nf_fewshot_progress *progress); /* false: stop */
    void *user;
    const nf_log *log;
} nf_fewshot_work;

/* `data` (may be NULL) is what is in memory in the place of the config's files. *result:
 *   {"k": [...], "seeds": [...], "recipes": [...],
 *    "runs": [{"k", "seed", "recipe", "texts", "precision", "recall", "f1", "seconds", "key"}],
 *    "table": [{"k", "recipe", "texts", "precision", "recall", "f1", "seconds"}]}
 * where the table's numbers are {"mean", "sd"} over the seeds (sd: null for one seed). */
nerfit_status nf_fewshot_run(const nf_train_options *config, const nf_train_data *data,
                             const nf_fewshot_options *options, const nf_fewshot_work *work,
                             json_t **result, nerfit_error *err);

/* fewshot_report.c: the result's table of mean and standard deviation, and the page. */
nerfit_status nf_fewshot_tabulate(json_t *result, nerfit_error *err);
void nf_fewshot_text(const json_t *result, nf_str *out);
void nf_fewshot_markdown(const json_t *result, nf_str *out);
void nf_fewshot_html(const json_t *result, nf_str *out);

#endif
