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

static inline int remove_root(void **state) {
    (void)state;
    nf_directory_remove(root, NULL);
    return 0;
}

/* Both are NULL-terminated name, value pairs; `extra` (may be NULL) stands last. */
static inline nerfit_config *config_of(const char *const *settings, const char *const *extra) {
    nerfit_error error;
    nerfit_config *config;
    assert_ok(nerfit_config_new(&config, &error), &error);
    for (const char *const *s = settings; *s; s += 2)
        assert_ok(nerfit_config_set(config, s[0], s[1], &error), &error);
    for (const char *const *s = extra; s && *s; s += 2)
        assert_ok(nerfit_config_set(config, s[0], s[1], &error), &error);
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
