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
    static const char *const kinds[] = {"true|false", "N",     "X",     "TEXT", "PATH",
                                        "",           "NAMES", "PATHS", "MODEL"};
    nf_str_appendf(out, "--%s %s", o->name,
                   o->type == NF_OPTION_CHOICE ? o->choices : kinds[o->type]);
}

void nf_train_options_help(nf_str *out, int width) {
    const char *group = NULL;
    for (size_t i = 0; i < nf_n_options; i++) {
        const nf_option *o = &nf_options[i];
        if (o->group != group)
            nf_str_appendf(out, "\n%s%s:\n", o->group == nf_options_peft ? "Adapters (" : "",
                           o->group == nf_options_peft
                               ? "in a config file, all but the first under peft_config)"
                               : o->group);
        group = o->group;
        nf_str_append_text(out, "  ");
        describe(out, o);
        nf_str_append_text(out, "\n      ");
        nf_str text = {0};
        nf_str_append_text(&text, o->help);
        append_defaults(&text, o);
        if (o->pair) nf_str_append_text(&text, " One value, or stage 1,stage 2.");
        wrap(out, nf_str_text(&text), 6, width);
        nf_str_free(&text);
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
