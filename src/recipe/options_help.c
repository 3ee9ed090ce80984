/* The help of the options, and their part of the manual page. */
#include <string.h>

#include "recipe/options_table.h"

/* " Default: x." and its like. */
static void append_defaults(nf_str *out, const nf_option *o) {
    if (o->no_effect) nf_str_append_text(out, " It has no effect.");
    const char *nerfit = nf_option_of_nerfit(o);
    if (nerfit && !o->fallback)
        nf_str_appendf(out, " Recipe nerfit: %s.", nerfit);
    else if (nerfit)
        nf_str_appendf(out, " Default: %s (recipe original: %s).", nerfit, o->fallback);
    else if (o->fallback)
        nf_str_appendf(out, " Default: %s.", o->fallback);
}

static void wrap(nf_str *out, const char *text, int indent, int width) {
    int column = indent;
    for (const char *word = text; *word;) {
        size_t length = strcspn(word, " ");
        if (column + (int)length > width && column > indent) {
            nf_str_appendf(out, "\n%*s", indent, "");
            column = indent;
        }
        nf_str_append(out, word, length);
        column += (int)length + 1;
        word += length;
        if (*word == ' ') {
            word++;
            if (column + (int)strcspn(word, " ") <= width) nf_str_append_char(out, ' ');
        }
    }
    nf_str_append_char(out, '\n');
}

static void describe(nf_str *out, const nf_option *o) {
    static const char *const kinds[] = {"true|false", "N",     "X",     "TEXT",  "PATH",
                                        "",           "NAMES", "PATHS", "MODEL", "NAME=X"};
    nf_str_appendf(out, "--%s %s", o->name,
                   o->type == NF_OPTION_CHOICE ? o->choices : kinds[o->type]);
}

bool nf_train_options_row(size_t index, const char **name, const char **choices,
                          const char **help) {
    if (index >= nf_n_options) return false;
    const nf_option *o = &nf_options[index];
    *name = o->name;
    *choices = o->type == NF_OPTION_BOOL     ? "true|false"
               : o->type == NF_OPTION_CHOICE ? o->choices
                                             : NULL;
    *help = o->help;
    return true;
}

/* An option with its help; choices that are too long for a line are wrapped under it. */
static void put_help(nf_str *out, const nf_option *o, int width) {
    nf_str text = {0};
    if (o->type == NF_OPTION_CHOICE && (int)(strlen(o->name) + strlen(o->choices)) + 5 > width) {
        nf_str_appendf(out, "  --%s NAME\n      ", o->name);
        nf_str_append_text(&text, "One of ");
        for (const char *at = o->choices; *at; at++)
            if (*at == '|')
                nf_str_append_text(&text, ", ");
            else
                nf_str_append_char(&text, *at);
        nf_str_append_text(&text, ". ");
    } else {
        nf_str_append_text(out, "  ");
        describe(out, o);
        nf_str_append_text(out, "\n      ");
    }
    nf_str_append_text(&text, o->help);
    append_defaults(&text, o);
    if (o->pair) nf_str_append_text(&text, " One value, or stage 1,stage 2.");
    wrap(out, nf_str_text(&text), 6, width);
    nf_str_free(&text);
}

/* What a command's help begins with, and what it leaves out since it means nothing there. */
static const struct {
    const char *command, *first[6], *without[16];
} helps[] = {
    {"train",
     {"model_name", "train_annotations", "val_annotations", "ent2emb", "output_dir"},
     {"pretrain_annotations", "pretrain_ent2emb"}},
    {"pretrain",
     {"model_name", "pretrain_annotations", "pretrain_ent2emb", "st_model_name", "output_dir"},
     {"train_annotations", "val_annotations", "test_annotations", "unlabelled_annotations",
      "ent2emb", "llm", "recipe", "calibration", "calibration_folds", "least_probability"}},
    {"fewshot",
     {"model_name", "train_annotations", "test_annotations", "ent2emb", "output_dir"},
     {"val_annotations", "pretrain_annotations", "pretrain_ent2emb", "recipe",
      "resume_from_checkpoint"}},
};

static bool is_among(const nf_option *o, const char *const *names) {
    for (; *names; names++)
        if (strcmp(o->name, *names) == 0) return true;
    return false;
}

void nf_train_options_help(nf_str *out, const char *command, int width) {
    size_t h = 0;
    for (size_t i = 0; i < sizeof helps / sizeof *helps; i++)
        if (strcmp(helps[i].command, command) == 0) h = i;
    nf_str_append_text(out, "\nThe five options to begin with:\n");
    for (size_t i = 0; helps[h].first[i]; i++)
        put_help(out, nf_option_find(helps[h].first[i]), width);
    const char *group = NULL;
    for (size_t i = 0; i < nf_n_options; i++) {
        const nf_option *o = &nf_options[i];
        if (is_among(o, helps[h].first) || is_among(o, helps[h].without)) continue;
        if (o->group != group)
            nf_str_appendf(out, "\n%s%s:\n", o->group == nf_options_peft ? "Adapters (" : "",
                           o->group == nf_options_peft
                               ? "in a config file, all but the first under peft_config)"
                               : o->group);
        group = o->group;
        put_help(out, o, width);
    }
}

void nf_train_options_man(nf_str *out) {
    const char *group = NULL;
    for (size_t i = 0; i < nf_n_options; i++) {
        const nf_option *o = &nf_options[i];
        if (o->group != group) nf_str_appendf(out, ".SS %s\n", o->group);
        group = o->group;
        nf_str_append_text(out, ".TP\n.B ");
        describe(out, o);
        nf_str_appendf(out, "\n%s", o->help);
        append_defaults(out, o);
        if (o->pair) nf_str_append_text(out, " One value, or stage 1,stage 2.");
        nf_str_append_char(out, '\n');
    }
}
