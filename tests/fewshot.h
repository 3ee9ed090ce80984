/* A few-shot experiment without models: the runs' scores are made up from k, seed and learning
 * rate, so that the protocol itself can be tested in no time. */
#ifndef NF_TEST_FEWSHOT_H
#define NF_TEST_FEWSHOT_H

#include "test.h"

#include <unistd.h>

#include "data/formats/format.h"
#include "experiment/fewshot.h"

enum { FAKE_MOST = 64 };

typedef struct fake {
    nf_train_options options; /* the config */
    nf_corpus train, test;
    char folder[64];
    nf_train_options ran[FAKE_MOST]; /* what runs were given; texts are not kept */
    size_t n_texts[FAKE_MOST], n_ran;
    size_t n_told, n_earlier, stop_after; /* 0: never */
    double seconds_left;
} fake;

static inline nerfit_status fake_run(void *user, const nf_train_options *o,
                                     const nf_train_data *data, nf_fewshot_score *score,
                                     nerfit_error *err) {
    (void)err;
    fake *f = user;
    assert_null(data->validation);
    assert_ptr_equal(data->test, &f->test);
    assert_true(f->n_ran < FAKE_MOST);
    f->n_texts[f->n_ran] = data->train->n_documents;
    f->ran[f->n_ran++] = *o;
    double f1 = o->learning_rate[1] * 100 * (1 + (double)o->seed[1]);
    *score = (nf_fewshot_score){.precision = f1 / 2, .recall = f1 / 4, .f1 = f1, .seconds = 2};
    return NERFIT_OK;
}

static inline bool fake_progress(void *user, const nf_fewshot_progress *p) {
    fake *f = user;
    f->seconds_left = p->seconds_left;
    if (!p->score) return true;
    f->n_earlier += p->earlier;
    return ++f->n_told != f->stop_after;
}

/* Six texts of two types, a test text, and a config with a new folder. */
static inline void fake_begin(fake *f) {
    static const char train[] = "[a : 1] [b : 2]\n[a : 3]\n[a : 4]\nnothing\n[b : 5]\n[b : 6]\n";
    static const char test[] = "[a : 7] and [b : 8]\n";
    nerfit_error error;
    memset(f, 0, sizeof *f);
    strcpy(f->folder, "/tmp/nerfit-fewshot-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_ok(nf_annotations_parse(&f->train, train, strlen(train), "train", &nf_format_brackets,
                                   NULL, &error),
              &error);
    assert_ok(nf_annotations_parse(&f->test, test, strlen(test), "test", &nf_format_brackets, NULL,
                                   &error),
              &error);
    assert_ok(nf_train_options_init(&f->options, &error), &error);
    const char *const settings[][2] = {{"model_name", "encoder"},
                                       {"output_dir", f->folder},
                                       {"val_annotations", "never-read.txt"},
                                       {"learning_rate", "1e-3"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        assert_ok(
            nf_train_options_set(&f->options, settings[i][0], settings[i][1], NULL, 0, &error),
            &error);
}

static inline nerfit_status fake_call(fake *f, const nf_fewshot_options *options, json_t **result,
                                      nerfit_error *err) {
    nf_train_data data = {.train = &f->train, .test = &f->test};
    nf_fewshot_work work = {.run = fake_run, .progress = fake_progress, .user = f};
    f->n_ran = f->n_told = f->n_earlier = 0;
    return nf_fewshot_run(&f->options, &data, options, &work, result, err);
}

static inline void fake_end(fake *f) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", f->folder);
    assert_int_equal(system(command), 0);
    nf_corpus_free(&f->train);
    nf_corpus_free(&f->test);
    nf_train_options_free(&f->options);
}

#endif
