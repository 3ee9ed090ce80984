#include "heads/decoding.h"

#include <math.h>
#include <string.h>

#include "heads/nerfit_json.h"

static const char *const rows[] = {"from O", "from B", "from I"};
static const char *const firsts[] = {"O", "B"};
static const char *const word_kinds[] = {"tokenizer", "blanks"};
enum { ROWS = NF_KINDS, COLUMNS = NF_STEPS, FIRSTS = 2 };

static nerfit_status read_number(const json_t *value, double *out, const char *path,
                                 const char *what, nerfit_error *err) {
    if (!json_is_number(value) || !isfinite(json_number_value(value)))
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "%s is not a number", what);
    *out = json_number_value(value);
    return NERFIT_OK;
}

static nerfit_status read_transitions(nf_decoding *out, const json_t *json, const char *path,
                                      nerfit_error *err) {
    const json_t *table = json_object_get(json, "transitions"),
                 *first = json_object_get(json, "first");
    for (size_t i = 0; i < ROWS; i++) {
        const json_t *row = json_object_get(table, rows[i]);
        if (json_array_size(row) != COLUMNS)
            return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                              "\"transitions\" needs \"%s\": [four numbers]", rows[i]);
        for (size_t k = 0; k < COLUMNS; k++)
            NF_TRY(read_number(json_array_get(row, k), &out->transitions.next[i][k], path, rows[i],
                               err));
    }
    for (size_t i = 0; i < FIRSTS; i++)
        NF_TRY(read_number(json_object_get(first, firsts[i]), &out->transitions.first[i], path,
                           "\"first\"", err));
    return NERFIT_OK;
}

/* Earlier versions wrote "temperature": 1 beside the decoder. Another one was never written; it
 * would soften what the path's probabilities are made of, which is not what the calibration of
 * scores does. */
static nerfit_status check_temperature(const json_t *json, const char *path, nerfit_error *err) {
    const json_t *temperature = json_object_get(json, "temperature");
    if (!temperature || (json_is_number(temperature) && json_number_value(temperature) == 1.0))
        return NERFIT_OK;
    return nf_fail_at(
        err, NERFIT_UNSUPPORTED, path, 0, 0,
        "the decoder's \"temperature\" is not 1, which alone is supported; take it out "
        "(\"calibration\" has one for scores)");
}

static nerfit_status read_decoding(nf_decoding *out, const json_t *json, const char *path,
                                   nerfit_error *err) {
    const char *decoder = json_string_value(json_object_get(json, "decoder"));
    const json_t *least = json_object_get(json, "least_probability");
    if (!json_is_integer(json_object_get(json, "format")))
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "has no \"format\" (a whole number)");
    if (!decoder) return NERFIT_OK; /* it has something else to say: infer/calibration.h */
    if (strcmp(decoder, "crf") != 0)
        return nf_fail_at(err, NERFIT_UNSUPPORTED, path, 0, 0,
                          "\"decoder\" is not \"crf\", the one that this version knows");
    NF_TRY(read_transitions(out, json, path, err));
    const char *words = json_string_value(json_object_get(json, "words"));
    for (int i = 0; i < 2; i++)
        if (words && strcmp(words, word_kinds[i]) == 0) out->words = (nf_word_kind)i, words = "";
    if (!words || *words)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0, "\"words\" is not tokenizer or blanks");
    NF_TRY(check_temperature(json, path, err));
    if (least) NF_TRY(read_number(least, &out->least, path, "\"least_probability\"", err));
    if (out->least < 0.0 || out->least > 1.0)
        return nf_fail_at(err, NERFIT_FORMAT, path, 0, 0,
                          "\"least_probability\" is not from 0 to 1");
    out->present = true;
    return NERFIT_OK;
}

nerfit_status nf_decoding_load(nf_decoding *out, const char *folder, nerfit_error *err) {
    *out = (nf_decoding){0};
    nf_arena arena = {0};
    json_t *json;
    const char *path;
    nerfit_status status = nf_nerfit_json_load(&json, &path, &arena, folder, err);
    if (status == NERFIT_OK && json) status = read_decoding(out, json, path, err);
    json_decref(json);
    nf_arena_free(&arena);
    return status;
}

static json_t *to_json(const nf_decoding *d) {
    json_t *table = json_pack("{s:[s, s, s, s]}", "columns", "O", "B of the same type",
                              "B of another type", "I of the same type");
    const double *t = &d->transitions.next[0][0];
    for (size_t i = 0; i < ROWS; i++, t += COLUMNS)
        json_object_set_new(table, rows[i], json_pack("[f, f, f, f]", t[0], t[1], t[2], t[3]));
    return json_pack("{s:i, s:s, s:o, s:{s:f, s:f}, s:s, s:f}", "format", NF_NERFIT_JSON_FORMAT,
                     "decoder", "crf", "transitions", table, "first", firsts[0], t[0], firsts[1],
                     t[1], "words", word_kinds[d->words], "least_probability", d->least);
}

nerfit_status nf_decoding_save(const nf_decoding *d, const char *folder, nerfit_error *err) {
    json_t *json = d->present ? to_json(d) : NULL;
    if (d->present && !json) return nf_no_memory(err, 0);
    nerfit_status status = nf_nerfit_json_save(json, folder, err);
    json_decref(json);
    return status;
}
