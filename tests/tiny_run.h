/* For tests of whole runs: a folder of one's own, and configs. */
#ifndef NF_TINY_RUN_H
#define NF_TINY_RUN_H

#include "tiny_model.h"

static char root[64]; /* made by the test's setup: temporary_folder(root) */

/* One of the last 128 paths that were asked for. */
static inline char *in_root(const char *name) {
    static char paths[128][160];
    static int next;
    char *path = paths[next++ % 128];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

/* Makes root with the tiny encoder, train.txt and, unless it is NULL, labels.yaml. */
static inline void make_tiny_root(const char *texts, const char *labels) {
    temporary_folder(root);
    make_tiny_model(in_root("encoder"), false);
    write_text(in_root("train.txt"), texts);
    if (labels) write_text(in_root("labels.yaml"), labels);
}

static inline int remove_root(void **state) {
    (void)state;
    nf_directory_remove(root, NULL);
    return 0;
}

/* NULL-terminated name, value pairs; NULL: none. */
static inline void set_all(nerfit_config *config, const char *const *settings) {
    nerfit_error error;
    for (const char *const *s = settings; s && *s; s += 2)
        assert_ok(nerfit_config_set(config, s[0], s[1], &error), &error);
}

/* Both as in set_all; `extra` stands last. */
static inline nerfit_config *config_of(const char *const *settings, const char *const *extra) {
    nerfit_error error;
    nerfit_config *config;
    assert_ok(nerfit_config_new(&config, &error), &error);
    set_all(config, settings);
    set_all(config, extra);
    return config;
}

/* nerfit_train or nerfit_pretrain, of which only the status matters; frees the config. */
typedef nerfit_status work(const nerfit_config *, const nerfit_callbacks *, nerfit_train_result *,
                           nerfit_error *);
static inline nerfit_status run_config(work *what, nerfit_config *config,
                                       const nerfit_callbacks *callbacks, nerfit_error *err) {
    nerfit_train_result result;
    nerfit_status status = what(config, callbacks, &result, err);
    if (status == NERFIT_OK) nerfit_train_result_free(&result);
    nerfit_config_free(config);
    return status;
}

/* A run over root/encoder, root/train.txt and root/labels.yaml, with what all tiny runs share;
 * `settings`, and `extra` (may be NULL), as in config_of, stand last. */
static inline nerfit_config *tiny_config(const char *output, const char *const *settings,
                                         const char *const *extra) {
    const char *encoder = in_root("encoder"), *texts = in_root("train.txt");
    const char *const shared[] = {"model_name",
                                  encoder,
                                  "st_model_name",
                                  encoder,
                                  "train_annotations",
                                  texts,
                                  "val_annotations",
                                  texts,
                                  "ent2emb",
                                  in_root("labels.yaml"),
                                  "output_dir",
                                  in_root(output),
                                  "learning_rate",
                                  "5e-3",
                                  "logging_steps",
                                  "2",
                                  "save_strategy",
                                  "steps",
                                  "per_device_train_batch_size",
                                  "3",
                                  "precision",
                                  "f32",
                                  "threads",
                                  "1",
                                  NULL};
    nerfit_config *config = config_of(shared, settings);
    set_all(config, extra);
    return config;
}

static inline void assert_same_file(const char *a, const char *b) {
    nf_file x, y;
    nerfit_error error;
    assert_ok(nf_file_open(&x, a, &error), &error);
    assert_ok(nf_file_open(&y, b, &error), &error);
    if (x.size != y.size || memcmp(x.data, y.data, x.size) != 0) fail_msg("%s and %s differ", a, b);
    nf_file_close(&x);
    nf_file_close(&y);
}

#endif
