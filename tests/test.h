/* What every C test includes: cmocka in the order it asks for, and a few helpers. */
#ifndef NF_TEST_H
#define NF_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nerfit.h"

/* Fails with the error's text if the status is not OK. */
#define assert_ok(expression, error)                                                               \
    do {                                                                                           \
        nerfit_status assert_ok_ = (expression);                                                   \
        if (assert_ok_ != NERFIT_OK) fail_msg("%s: %s", #expression, (error)->text);               \
    } while (0)

/* The folder of real data (NERFIT_TEST_DATA, else ../shared/data), or NULL: then skip(). */
static inline const char *test_data_folder(void) {
    const char *folder = getenv("NERFIT_TEST_DATA");
    if (!folder) folder = "../shared/data";
    static char path[4096];
    snprintf(path, sizeof path, "%s/README.md", folder);
    FILE *file = fopen(path, "r");
    if (!file) return NULL;
    fclose(file);
    return folder;
}

/* The folder of the demo encoder (NERFIT_TEST_ENCODER, else .cache/all-MiniLM-L6-v2), or NULL. */
static inline const char *test_encoder_folder(void) {
    const char *folder = getenv("NERFIT_TEST_ENCODER");
    if (!folder) folder = ".cache/all-MiniLM-L6-v2";
    static char path[4096];
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *file = fopen(path, "r");
    if (!file) return NULL;
    fclose(file);
    return folder;
}

#endif
