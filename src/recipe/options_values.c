/* Options from text: flags, what a config file has, and the defaults. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/file.h"
#include "base/number.h"
#include "recipe/options_table.h"

static nerfit_status wrong(nerfit_error *err, const nf_option_origin *from, const nf_option *o,
                           const char *text, const char *expected) {
    if (from->file)
        return nf_fail_at(err, NERFIT_ARGUMENT, from->file, from->line, 0, "%s: \"%s\" is not %s",
                          o->name, text, expected);
    return nf_fail(err, NERFIT_ARGUMENT, "%s: \"%s\" is not %s", o->name, text, expected);
}

/* ---------------------------------------------------------------- values */

static bool parse_bool(const char *text, bool *out) {
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no",
                                                                                "off", "0"};
    for (size_t i = 0; i < 4; i++) {
        if (nf_ascii_same(text, yes[i])) return *out = true, true;
        if (nf_ascii_same(text, no[i])) return *out = false, true;
    }
    return false;
}

static nerfit_status parse_range(const nf_option *o, const char *text, const nf_option_origin *from,
                                 double *out, nerfit_error *err) {
    char expected[128];
    const char *kind = o->type == NF_OPTION_INT ? "whole number" : "number";
    nf_print(expected, sizeof expected, "a %s from %g to %g", kind, o->least, o->most);
    if (!nf_number_parse(text, out) || *out < o->least || *out > o->most ||
        (o->type == NF_OPTION_INT && *out != floor(*out)))
        return wrong(err, from, o, text, expected);
    return NERFIT_OK;
}

static char *copy_text(nf_train_options *options, const nf_option *o, const char *text,
                       const nf_option_origin *from) {
    bool is_path =
        (o->type == NF_OPTION_PATH && !(o->choices && nf_option_choice(o->choices, text) >= 0)) ||
        o->type == NF_OPTION_PATHS || o->type == NF_OPTION_MODEL;
    if (is_path && from->folder) {
        char *path = nf_path_join(&options->arena, from->folder, text);
        /* "owner/name" beside the config file is a folder only if it is there */
        bool name = o->type == NF_OPTION_MODEL && strchr("./~", text[0]) == NULL;
        if (!path || !name || nf_directory_exists(path)) return path;
    }
    return nf_arena_strdup(&options->arena, text);
}

static nerfit_status set_one(nf_train_options *options, const nf_option *o, size_t index,
                             const char *text, const nf_option_origin *from, nerfit_error *err) {
    char *field = (char *)options + o->offset;
    double number;
    switch (o->type) {
    case NF_OPTION_BOOL:
        if (!parse_bool(text, (bool *)(void *)field + index))
            return wrong(err, from, o, text, "true or false");
        return NERFIT_OK;
    case NF_OPTION_INT:
        NF_TRY(parse_range(o, text, from, &number, err));
        ((int64_t *)(void *)field)[index] = (int64_t)number;
        return NERFIT_OK;
    case NF_OPTION_REAL:
        return parse_range(o, text, from, (double *)(void *)field + index, err);
    case NF_OPTION_CHOICE: {
        int64_t choice = nf_option_choice(o->choices, text);
        char expected[256];
        snprintf(expected, sizeof expected, "one of %s", o->choices);
        if (choice < 0) return wrong(err, from, o, text, expected);
        ((int64_t *)(void *)field)[index] = choice;
        return NERFIT_OK;
    }
    default: {
        if (!text[0])
            return wrong(err, from, o, text, "a value; leave the option out for its default");
        char *copy = copy_text(options, o, text, from);
        if (!copy) return nf_no_memory(err, strlen(text));
        ((char **)(void *)field)[index] = copy;
        return NERFIT_OK;
    }
    }
}

nerfit_status nf_option_set(nf_train_options *options, const nf_option *o, char *const *values,
                            size_t count, const nf_option_origin *from, nerfit_error *err) {
    size_t row = (size_t)(o - nf_options);
    options->given[row / 64] |= (uint64_t)1 << row % 64;
    if (nf_option_is_list(o)) {
        nf_names *names = (nf_names *)(void *)((char *)options + o->offset);
        names->items = nf_arena_calloc(&options->arena, count + 1, sizeof *names->items);
        if (!names->items) return nf_no_memory(err, 0);
        for (size_t i = 0; i < count; i++)
            if (!(names->items[i] = copy_text(options, o, values[i], from)))
                return nf_no_memory(err, 0);
        names->count = count;
        return NERFIT_OK;
    }
    if (count == 0 || count > (o->pair ? 2u : 1u)) {
        char given[32];
        snprintf(given, sizeof given, "%zu values", count);
        return wrong(err, from, o, given,
                     o->pair ? "one value or a pair (stage 1, stage 2)" : "one value");
    }
    for (size_t stage = 0; stage < (o->pair ? 2u : 1u); stage++)
        NF_TRY(set_one(options, o, stage, values[count == 2 ? stage : 0], from, err));
    return NERFIT_OK;
}

/* ---------------------------------------------------------------- names */

/* What other libraries call it, and what to do about it here. */
static const struct {
    const char *name, *advice;
} known_elsewhere[] = {
    {"r", "lora_r"},
    {"alpha", "lora_alpha"},
    {"lora", "peft_lora"},
    {"use_lora", "peft_lora"},
    {"lr", "learning_rate"},
    {"epochs", "num_train_epochs"},
    {"num_epochs", "num_train_epochs"},
    {"steps", "max_steps"},
    {"batch_size", "per_device_train_batch_size"},
    {"train_batch_size", "per_device_train_batch_size"},
    {"eval_batch_size", "per_device_eval_batch_size"},
    {"evaluation_strategy", "eval_strategy"},
    {"model", "model_name"},
    {"model_name_or_path", "model_name"},
    {"train_file", "train_annotations"},
    {"train_dataset", "train_annotations"},
    {"validation_file", "val_annotations"},
    {"eval_dataset", "val_annotations"},
    {"test_file", "test_annotations"},
    {"labels", "ent2emb"},
    {"descriptions", "ent2emb"},
    {"output", "output_dir"},
    {"max_seq_length", "max_length"},
    {"num_workers", "threads"},
    {"dtype", "precision"},
    {"scheduler", "lr_scheduler_type"},
    {"warmup", "warmup_ratio"},
    {"dropout", "lora_dropout"},
    {"disable_tqdm", NULL},
    {"no_cuda", NULL},
    {"use_cpu", NULL},
    {"optim", NULL},
    {"optim_args", NULL},
    {"gradient_checkpointing", NULL},
    {"torch_compile", NULL},
    {"push_to_hub", NULL},
    {"tf32", NULL},
    {"logging_dir", NULL},
    {"run_name", NULL},
    {"remove_unused_columns", NULL},
    {"group_by_length", NULL},
    {"task_type", NULL},
    {"bias", NULL},
};
#define N_KNOWN (sizeof known_elsewhere / sizeof *known_elsewhere)

static const char *nearest_option(const char *name) {
    nf_nearest nearest = {0};
    for (size_t i = 0; i < nf_n_options; i++) nf_nearest_see(&nearest, name, nf_options[i].name);
    for (size_t i = 0; i < N_KNOWN; i++) {
        if (!known_elsewhere[i].advice) continue;
        nf_nearest_see(&nearest, name, known_elsewhere[i].name);
        if (nearest.name == known_elsewhere[i].name) nearest.name = known_elsewhere[i].advice;
    }
    return nearest.name;
}

nerfit_status nf_option_unknown(nerfit_error *err, const char *name, const nf_option_origin *from) {
    char advice[160] = "";
    size_t i = 0;
    while (i < N_KNOWN && strcmp(known_elsewhere[i].name, name) != 0) i++;
    const char *here = i < N_KNOWN ? known_elsewhere[i].advice : nearest_option(name);
    if (here)
        snprintf(advice, sizeof advice,
                 i < N_KNOWN ? "; here it is \"%s\"" : "; did you mean \"%s\"?", here);
    else if (i < N_KNOWN)
        snprintf(advice, sizeof advice, "; it has no counterpart here");
    if (from->file)
        return nf_fail_at(err, NERFIT_ARGUMENT, from->file, from->line, 0,
                          "unknown option \"%s\"%s", name, advice);
    return nf_fail(err, NERFIT_ARGUMENT, "unknown option \"%s\"%s", name, advice);
}

/* "a", "a,b", "(a, b)", "[a, b]"; `values` has room for one more than the text has commas. */
static size_t split(char *text, char **values) {
    size_t length = strlen(text), count = 0;
    bool wrapped = length >= 2 && ((text[0] == '(' && text[length - 1] == ')') ||
                                   (text[0] == '[' && text[length - 1] == ']'));
    if (wrapped) {
        text[length - 1] = '\0';
        text++;
    }
    for (char *save, *part = strtok_r(text, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
        while (*part == ' ') part++;
        char *end = part + strlen(part);
        while (end > part && end[-1] == ' ') *--end = '\0';
        values[count++] = part;
    }
    return count;
}

nerfit_status nf_option_set_text(nf_train_options *options, const nf_option *o, const char *text,
                                 const nf_option_origin *from, nerfit_error *err) {
    if (!o->pair && !nf_option_is_list(o)) {
        char *value = (char *)(uintptr_t)text;
        return nf_option_set(options, o, &value, 1, from, err);
    }
    size_t most = 1;
    for (const char *at = text; *at; at++) most += *at == ',';
    char *copy = strdup(text), **values = calloc(most, sizeof *values);
    nerfit_status status = copy && values
                               ? nf_option_set(options, o, values, split(copy, values), from, err)
                               : nf_no_memory(err, strlen(text));
    free(values);
    free(copy);
    return status;
}

nerfit_status nf_train_options_set(nf_train_options *options, const char *name, const char *text,
                                   const char *file, long line, nerfit_error *err) {
    nf_option_origin from = {.file = file, .line = line};
    const nf_option *o = nf_option_find(name);
    return o ? nf_option_set_text(options, o, text, &from, err)
             : nf_option_unknown(err, name, &from);
}

nerfit_status nf_train_options_init(nf_train_options *options, nerfit_error *err) {
    *options = (nf_train_options){.recipe = NF_RECIPE_ORIGINAL};
    nf_option_origin from = {0};
    for (size_t i = 0; i < nf_n_options; i++)
        if (nf_options[i].fallback)
            NF_TRY(nf_option_set_text(options, &nf_options[i], nf_options[i].fallback, &from, err));
    memset(options->given, 0, sizeof options->given);
    return NERFIT_OK;
}

bool nf_train_options_given(const nf_train_options *options, const char *name) {
    const nf_option *o = nf_option_find(name);
    size_t row = o ? (size_t)(o - nf_options) : 0;
    return o && (options->given[row / 64] >> row % 64 & 1);
}

json_t *nf_train_options_given_names(const nf_train_options *options) {
    json_t *names = json_array();
    for (size_t i = 0; i < nf_n_options; i++)
        if (options->given[i / 64] >> i % 64 & 1)
            json_array_append_new(names, json_string(nf_options[i].name));
    return names;
}

void nf_train_options_free(nf_train_options *options) {
    nf_arena_free(&options->arena);
}
