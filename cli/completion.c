/* nerfit completion: what a shell proposes behind "nerfit", made from the tables that --help shows. */
#include "man.h"

#include <stdio.h>
#include <string.h>

/* What is printed of every option. */
typedef void row_printer(const char *owner, const char *option, const char *values,
                         const char *help);

static row_printer *print_row;

/* "a|b|c" are values to choose from; "FILE" and "X,LABEL=X" are not. */
static const char *choices_of(const char *value) {
    return value && strchr(value, '|') &&
                   strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789|_-") == strlen(value)
               ? value
               : NULL;
}

static void print_table(const command *self, const cli_option *options, size_t n_options) {
    nerfit_option_info info;
    for (size_t i = 0; i < n_options; i++)
        if (options[i].help)
            print_row(self->name, options[i].name, choices_of(options[i].value), options[i].help);
    if (strcmp(self->name, "train") && strcmp(self->name, "pretrain") &&
        strcmp(self->name, "fewshot"))
        return;
    for (size_t i = 0; nerfit_config_option(i, &info); i++) {
        char name[128];
        snprintf(name, sizeof name, "--%s", info.name);
        print_row(self->name, name, info.choices, info.help);
    }
}

static void each_row(row_printer *printer) {
    char *only_help[] = {(char *)(uintptr_t) "--help"};
    print_row = printer;
    cli_help_into(print_table);
    const command *c;
    for (size_t i = 0; (c = cli_command(i)); i++) c->run(c, 1, only_help);
    cli_help_into(NULL);
}

static void put_words(const char *values) {
    for (; *values; values++) putchar(*values == '|' ? ' ' : *values);
}

static void put_commands(void) {
    const command *c;
    for (size_t i = 0; (c = cli_command(i)); i++) printf("%s ", c->name);
}

/* The first sentence, without what a shell would read. */
static void put_help(const char *help, const char *instead) {
    size_t size = strcspn(help, ".;:");
    if (size > 60) size = 60;
    for (size_t i = 0; i < size; i++) putchar(strchr(instead, help[i]) ? ' ' : help[i]);
}

/* ---------------------------------------------------------------- bash */

static void bash_values(const char *owner, const char *option, const char *values,
                        const char *help) {
    (void)help;
    if (!values) return;
    printf("    \"%s %s\") values=\"", owner, option);
    put_words(values);
    puts("\" ;;");
}

static void bash_option(const char *owner, const char *option, const char *values,
                        const char *help) {
    (void)values, (void)help;
    printf("    \"%s\") options+=\" %s\" ;;&\n", owner, option);
}

static void bash(void) {
    puts("# bash completion of nerfit\n_nerfit() {\n"
         "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
         "    local command=${COMP_WORDS[1]} options= values=\n"
         "    [ \"$command\" = help ] && [ \"$COMP_CWORD\" = 2 ] && COMP_CWORD=1\n"
         "    [ \"$command\" = data ] && [ \"$COMP_CWORD\" -gt 2 ] && "
         "command=\"data ${COMP_WORDS[2]}\"\n"
         "    case \"$command $prev\" in");
    each_row(bash_values);
    puts("    \"completion completion\") values=\"bash zsh fish\" ;;\n"
         "    \"data data\") values=\"convert check stats split sample formats\" ;;\n"
         "    esac\n    case \"$command\" in");
    each_row(bash_option);
    printf("    esac\n    if [ \"$COMP_CWORD\" = 1 ]; then\n        values=\"");
    put_commands();
    puts("help\"\n    fi\n"
         "    if [ -n \"$values\" ]; then\n"
         "        COMPREPLY=($(compgen -W \"$values\" -- \"$cur\"))\n"
         "    elif [[ $cur == -* ]]; then\n"
         "        COMPREPLY=($(compgen -W \"$options --help\" -- \"$cur\"))\n"
         "    else\n        COMPREPLY=($(compgen -f -- \"$cur\"))\n    fi\n}\n"
         "complete -o filenames -F _nerfit nerfit");
}

/* ---------------------------------------------------------------- zsh */

static void zsh_option(const char *owner, const char *option, const char *values,
                       const char *help) {
    printf("    (\"%s\") options+=('%s[", owner, option);
    put_help(help, "[]:'\\");
    printf("]");
    if (values) {
        printf(":value:(");
        put_words(values);
        printf(")");
    }
    puts("') ;|");
}

static void zsh(void) {
    printf("#compdef nerfit\n# zsh completion of nerfit\n_nerfit() {\n"
           "  local command=$words[2]; local -a options\n"
           "  if (( CURRENT == 2 )); then\n    compadd ");
    put_commands();
    puts("help\n    return\n  fi\n"
         "  if [[ $command = data ]]; then\n"
         "    if (( CURRENT == 3 )); then\n"
         "      compadd convert check stats split sample formats\n      return\n    fi\n"
         "    command=\"data $words[3]\"\n  fi\n"
         "  case $command in\n"
         "    (completion) compadd bash zsh fish; return ;;");
    each_row(zsh_option);
    puts("  esac\n  _arguments -S $options '*:file:_files'\n}\n"
         "if [[ $zsh_eval_context[-1] = loadautofunc ]]; then _nerfit \"$@\"; else compdef _nerfit "
         "nerfit; fi");
}

/* ---------------------------------------------------------------- fish */

static void fish_option(const char *owner, const char *option, const char *values,
                        const char *help) {
    const char *last = strrchr(owner, ' ');
    printf("complete -c nerfit -n '__fish_seen_subcommand_from %s' %s %s -d '",
           last ? last + 1 : owner, option[1] == '-' ? "-l" : "-s",
           option + (option[1] == '-' ? 2 : 1));
    put_help(help, "'\\");
    printf("'");
    if (values) {
        printf(" -x -a '");
        put_words(values);
        printf("'");
    }
    putchar('\n');
}

static void fish(void) {
    const command *c;
    puts("# fish completion of nerfit");
    for (size_t i = 0; (c = cli_command(i)); i++) {
        printf("complete -c nerfit -f -n __fish_use_subcommand -a %s -d '", c->name);
        put_help(c->summary, "'\\");
        puts("'");
    }
    puts("complete -c nerfit -f -n '__fish_seen_subcommand_from data' "
         "-a 'convert check stats split sample formats'\n"
         "complete -c nerfit -f -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'");
    each_row(fish_option);
}

static int run_completion(const command *self, int argc, char **argv) {
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    const char *shell;
    size_t n;
    int status = cli_parse(self, argc, argv, NULL, 0, &shell, 1, &n);
    if (status >= 0) return status;
    if (n == 0) return cli_usage(self, "the shell is missing");
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp(shells[i].name, shell) == 0) {
            shells[i].print();
            return DONE;
        }
    return cli_usage(self, "\"%s\" is not one of bash, zsh, fish", shell);
}

const command command_completion = {
    "completion", "bash|zsh|fish", "what a shell proposes, as a script",
    "Prints a script that completes commands, options and their values:\n\n"
    "  source <(nerfit completion bash)\n"
    "  nerfit completion zsh >~/.zfunc/_nerfit\n"
    "  nerfit completion fish >~/.config/fish/completions/nerfit.fish",
    run_completion};
