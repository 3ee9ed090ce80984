#include "base/config_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* How a value is shown. */
static const size_t SHOWN = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);

const json_t *nf_config_get(const nf_config_reader *in, const char *key) {
    const json_t *value = json_object_get(in->config, key);
    return json_is_null(value) ? NULL : value;
}

void nf_config_wrong(nf_config_reader *in, const char *key, const char *expected) {
    if (in->status != NERFIT_OK) return;
    const json_t *value = json_object_get(in->config, key);
    char *given = value ? nf_json_text(value, SHOWN) : NULL;
    in->status =
        nf_fail_at(in->err, NERFIT_FORMAT, in->path, 0, 0, "\"%s\" is %.60s, expected %s", key,
                   given   ? given
                   : value ? "something else"
                           : "missing",
                   expected);
    free(given);
}

void nf_config_refuse(nf_config_reader *in, const char *key, const char *why) {
    if (in->status != NERFIT_OK) return;
    char *given = nf_json_text(json_object_get(in->config, key), SHOWN);
    in->status = nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                            "\"%s\": %.60s is not supported; %s", key, given ? given : "?", why);
    free(given);
}

int64_t nf_config_whole(nf_config_reader *in, const char *key, int64_t fallback, int64_t least,
                        int64_t most) {
    const json_t *value = nf_config_get(in, key);
    if (!value) return fallback;
    json_int_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= least && number <= most) return number;
    char expected[80];
    snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)least,
             (long long)most);
    nf_config_wrong(in, key, expected);
    return least;
}

size_t nf_config_size(nf_config_reader *in, const char *key, size_t fallback) {
    static const int64_t most = 100000000; /* keeps products of two sizes far from overflow */
    if (!fallback && !nf_config_get(in, key)) {
        nf_config_wrong(in, key, "a whole number from 1");
        return 1;
    }
    return (size_t)nf_config_whole(in, key, (int64_t)fallback, 1, most);
}

double nf_config_number(nf_config_reader *in, const char *key, double fallback) {
    const json_t *value = nf_config_get(in, key);
    if (!value) return fallback;
    if (!json_is_number(value)) nf_config_wrong(in, key, "a number");
    return json_number_value(value);
}

static double below_one(nf_config_reader *in, const char *key, double fallback,
                        const char *expected) {
    double value = nf_config_number(in, key, fallback);
    if (value >= 0.0 && value < 1.0) return value;
    nf_config_wrong(in, key, expected);
    return 0.0;
}

double nf_config_dropout(nf_config_reader *in, const char *key, double fallback) {
    return below_one(in, key, fallback, "a probability, from 0 to below 1");
}

double nf_config_epsilon(nf_config_reader *in, const char *key, double fallback) {
    return below_one(in, key, fallback, "a small number, from 0 to below 1");
}

bool nf_config_bool(nf_config_reader *in, const char *key, bool fallback) {
    const json_t *value = nf_config_get(in, key);
    if (value && !json_is_boolean(value)) nf_config_wrong(in, key, "true or false");
    return value ? json_is_true(value) : fallback;
}

bool nf_config_is_true(const json_t *config, const char *key, bool fallback) {
    const json_t *value = json_object_get(config, key);
    return value && !json_is_null(value) ? json_is_true(value) : fallback;
}

const char *nf_config_text(nf_config_reader *in, const char *key, const char *fallback) {
    const json_t *value = nf_config_get(in, key);
    if (value && !json_is_string(value)) nf_config_wrong(in, key, "a text");
    return value ? json_string_value(value) : fallback;
}

const json_t *nf_config_object(nf_config_reader *in, const char *key) {
    const json_t *value = nf_config_get(in, key);
    if (value && !json_is_object(value)) nf_config_wrong(in, key, "an object");
    return value;
}

void nf_config_expect(nf_config_reader *in, const char *key, const char *value) {
    const json_t *given = nf_config_get(in, key);
    if (!given || in->status != NERFIT_OK) return;
    const char *text = json_string_value(given);
    if (!text || strcmp(text, value) != 0)
        in->status = nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                                "\"%s\": \"%s\" is not supported; expected \"%s\"", key,
                                text ? text : "(not text)", value);
}

void nf_config_expect_false(nf_config_reader *in, const char *key) {
    if (json_is_true(json_object_get(in->config, key)) && in->status == NERFIT_OK)
        in->status = nf_fail_at(in->err, NERFIT_UNSUPPORTED, in->path, 0, 0,
                                "\"%s\": true is not supported", key);
}
