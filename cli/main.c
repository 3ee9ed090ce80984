/* nerfit: the program. A table of commands, and what concerns them all. */
#include "man.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const command *const commands[] = {
    &command_train,    &command_predict,    &command_eval,     &command_score,   &command_embed,
    &command_tokenize, &command_data,       &command_annotate, &command_suggest, &command_fewshot,
    &command_pretrain, &command_describe,   &command_download, &command_bench,   &command_quantize,
    &command_serve,    &command_completion,
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

const command *cli_command(size_t index) {
    return index < N_COMMANDS ? commands[index] : NULL;
}

/* ---------------------------------------------------------------- messages */

int cli_fail(const nerfit_error *error) {
    fprintf(stderr, "nerfit: error: %s\n", error->text);
    return FAILED;
}

int cli_usage(const command *self, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("nerfit: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    if (self)
        fprintf(stderr, "\nusage: nerfit %s %s\n(see nerfit %s --help)\n", self->name,
                self->arguments, self->name);
    else
        fputs("\n(see nerfit --help)\n", stderr);
    return USAGE;
}

/* "auto" and every backend, as `text` with its description or without. */
static void list_backends(char *text, size_t size, bool described) {
    const char *name, *description;
    size_t used =
        (size_t)snprintf(text, size, "%s", described ? "auto: the first that runs here" : "auto");
    for (size_t i = 0; (name = nerfit_backend_name(i, &description)) && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, described ? "; %s: %s" : "|%s", name,
                                 description);
}

const char *cli_backends(void) {
    static char text[128];
    list_backends(text, sizeof text, false);
    return text;
}

const char *cli_backends_help(void) {
    static char text[512];
    list_backends(text, sizeof text, true);
    return text;
}

/* Broken between words where the terminal's line ends; further lines are indented. */
static void print_wrapped(const char *mark, const char *message) {
    struct winsize window;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col >= 40;
    size_t width = known ? window.ws_col : 80, column = strlen(mark);
    fputs(mark, stderr);
    for (bool first = true; *message; first = false) {
        size_t size = strcspn(message, " ");
        if (!first && column + 1 + size > width) {
            fputs("\n  ", stderr);
            column = 2;
        } else if (!first) {
            fputc(' ', stderr);
            column++;
        }
        fprintf(stderr, "%.*s", (int)size, message);
        column += size;
        message += size + (message[size] == ' ');
    }
    fputc('\n', stderr);
}

void cli_log(void *user, nerfit_log_level level, const char *message) {
    const bool *quiet = user;
    if (quiet && *quiet && level == NERFIT_LOG_INFO) return;
    const char *mark = level == NERFIT_LOG_WARNING ? "warning: " : "";
    if (isatty(STDERR_FILENO))
        print_wrapped(mark, message);
    else
        fprintf(stderr, "%s%s\n", mark, message);
}

/* ---------------------------------------------------------------- arguments */

static bool is_name(const char *a, const char *b, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i] && !(i > 1 && a[i] == '-' && b[i] == '_') &&
            !(i > 1 && a[i] == '_' && b[i] == '-'))
            return false;
    return a[size] == '\0';
}

const cli_option *cli_find_option(const cli_option *options, size_t n_options, const char *name,
                                  size_t size) {
    if (size == 2 && memcmp(name, "-o", 2) == 0) name = "--output", size = strlen(name);
    for (size_t i = 0; i < n_options; i++)
        if (is_name(options[i].name, name, size)) return &options[i];
    return NULL;
}

static int unknown_option(const command *self, const cli_option *options, size_t n_options,
                          const char *name, size_t size) {
    const char *names[64];
    char given[64];
    size_t n = 0;
    snprintf(given, sizeof given, "%.*s", (int)size, name);
    for (size_t i = 0; i < n_options && n < 64; i++)
        if (options[i].help) names[n++] = options[i].name;
    const char *nearest = nerfit_nearest(given, names, n);
    return nearest ? cli_usage(self, "unknown option \"%s\"; did you mean \"%s\"?", given, nearest)
                   : cli_usage(self, "unknown option \"%s\"", given);
}

int cli_parse(const command *self, int argc, char **argv, const cli_option *options,
              size_t n_options, const char **operands, size_t most, size_t *n_operands) {
    bool only_operands = false;
    *n_operands = 0;
    for (int i = 0; i < argc; i++) {
        const char *argument = argv[i];
        if (only_operands || argument[0] != '-' || argument[1] == '\0') {
            if (*n_operands == most) return cli_usage(self, "unexpected argument \"%s\"", argument);
            operands[(*n_operands)++] = argument;
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            only_operands = true;
            continue;
        }
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            cli_help(self, options, n_options);
            return DONE;
        }
        const char *equals = strchr(argument, '=');
        size_t size = equals ? (size_t)(equals - argument) : strlen(argument);
        const cli_option *option = cli_find_option(options, n_options, argument, size);
        if (!option) return unknown_option(self, options, n_options, argument, size);
        if (option->flag) {
            if (equals) return cli_usage(self, "%s takes no value", option->name);
            *option->flag = true;
        } else if (equals || i + 1 < argc) {
            *option->text = equals ? equals + 1 : argv[++i];
            if (!**option->text) return cli_usage(self, "%s: the value is empty", option->name);
        } else {
            return cli_usage(self, "%s needs a value", option->name);
        }
    }
    return -1;
}

/* ---------------------------------------------------------------- input and output */

int cli_open(cli_input *input, const char *path) {
    bool standard = !path || strcmp(path, "-") == 0;
    *input = (cli_input){standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC),
                         standard ? "standard input" : path};
    if (input->fd >= 0) return DONE;
    fprintf(stderr, "nerfit: error: %s: cannot be opened: %s\n", path, strerror(errno));
    return FAILED;
}

ptrdiff_t cli_read(void *user, char *buffer, size_t size) {
    const cli_input *input = user;
    ssize_t got;
    do got = read(input->fd, buffer, size);
    while (got < 0 && errno == EINTR);
    return got;
}

bool cli_write(void *user, const char *data, size_t size) {
    (void)user;
    if (fwrite(data, 1, size, stdout) == size && fflush(stdout) == 0) return true;
    if (errno == EPIPE) _exit(DONE); /* whoever read has had enough */
    fprintf(stderr, "nerfit: error: the output cannot be written: %s\n", strerror(errno));
    return false;
}

/* The end of the input is no failure; getline says -1 to both. */
static int fail_to_read(const cli_line *last, int reason) {
    fprintf(stderr, "nerfit: error: %s:%ld: cannot be read: %s\n", last->file, last->number + 1,
            reason == ENOMEM ? "out of memory for the line" : strerror(reason));
    return FAILED;
}

int cli_each_line(const char *path, int (*each)(void *user, const cli_line *line), void *user) {
    bool standard = !path || strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    if (!file) {
        fprintf(stderr, "nerfit: error: %s: cannot be opened: %s\n", path, strerror(errno));
        return FAILED;
    }
    cli_line line = {.file = standard ? "standard input" : path};
    size_t capacity = 0;
    int status = DONE;
    while (status == DONE) {
        errno = 0;
        ssize_t size = getline(&line.text, &capacity, file);
        int reason = errno;
        /* an error in the middle of a line gives what was there before it */
        if (ferror(file) || (size < 0 && !feof(file))) status = fail_to_read(&line, reason);
        if (size < 0 || status != DONE) break;
        while (size > 0 && (line.text[size - 1] == '\n' || line.text[size - 1] == '\r'))
            line.text[--size] = '\0';
        line.size = (size_t)size;
        line.number++;
        status = each(user, &line);
    }
    free(line.text);
    if (!standard) fclose(file);
    return status;
}

/* ---------------------------------------------------------------- main */

static void print_help(void) {
    puts("nerfit: teach a transformer to find your entities in text, from a handful of\n"
         "examples\n\n"
         "usage: nerfit COMMAND [ARGUMENTS]\n\nCommands:");
    for (size_t i = 0; i < N_COMMANDS; i++)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    puts("\nA first model, from texts such as \"wake me at [time : nine]\" in train.txt and a\n"
         "line such as \"time: a time of day\" for every label in labels.yaml:\n\n"
         "  nerfit train --model_name sentence-transformers/all-MiniLM-L6-v2 \\\n"
         "    --train_annotations train.txt --ent2emb labels.yaml --output_dir runs/first\n"
         "  nerfit predict runs/first/best texts.txt\n\n"
         "The encoder comes from Hugging Face's hub when it is first named; a folder in\n"
         "its format will do as well (nerfit download NAME fetches one beforehand).\n\n"
         "nerfit COMMAND --help tells more; nerfit --version (-V) prints the version,\n"
         "nerfit help --man the manual page.");
}

static const command *find_command(const char *name) {
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    return NULL;
}

static int unknown_command(const char *name) {
    const char *names[N_COMMANDS + 2] = {"--help", "--version"};
    for (size_t i = 0; i < N_COMMANDS; i++) names[i + 2] = commands[i]->name;
    const char *what = *name == '-' ? "option" : "command";
    const char *nearest = nerfit_nearest(name, names, N_COMMANDS + 2);
    return nearest ? cli_usage(NULL, "unknown %s \"%s\"; did you mean \"%s\"?", what, name, nearest)
                   : cli_usage(NULL, "unknown %s \"%s\"", what, name);
}

/* OpenMP's threads wait for each other by spinning, for milliseconds: on a machine that does other
 * work besides, they then wait for a thread that cannot run. A short spin costs nothing on an idle
 * machine. The run-time reads its settings before main, so the program starts itself anew. */
static void spin_shortly(char **argv) {
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) return;
    if (setenv("GOMP_SPINCOUNT", "2000", 1) != 0) return; /* else it would start itself for ever */
    execv("/proc/self/exe", argv); /* if it fails, the settings are as they were */
}

/* A file that is opened later must not become one of these: warnings would go into it. */
static void open_standard_streams(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) _exit(FAILED);
}

static nerfit_output *output; /* in the place of standard output; NULL: none */

int cli_output(const char *path) {
    nerfit_error error;
    if (!path || strcmp(path, "-") == 0) return -1;
    if (nerfit_output_open(&output, path, &error) != NERFIT_OK) return cli_fail(&error);
    if (fflush(stdout) != 0 || dup2(nerfit_output_descriptor(output), STDOUT_FILENO) < 0) {
        fprintf(stderr, "nerfit: error: %s: cannot be written: %s\n", path, strerror(errno));
        return FAILED;
    }
    return -1;
}

static int end_output(int status) {
    nerfit_error error;
    if (!output) return status;
    if (status != DONE) {
        nerfit_output_abort(output);
        return status;
    }
    return nerfit_output_commit(output, &error) == NERFIT_OK ? DONE : cli_fail(&error);
}

/* What the work came to, if all that was written arrived. */
static int finish(int status) {
    bool flushed = fflush(stdout) == 0;
    if (flushed && !ferror(stdout)) return status;
    struct pollfd pipe = {.fd = STDOUT_FILENO, .events = POLLOUT};
    bool closed =
        (!flushed && errno == EPIPE) || (poll(&pipe, 1, 0) == 1 && pipe.revents & POLLERR);
    if (closed || status == FAILED) return status; /* whoever read has had enough; it was told */
    fprintf(stderr, "nerfit: error: the output cannot be written%s%s\n", flushed ? "" : ": ",
            flushed ? "" : strerror(errno));
    return FAILED;
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        print_help();
        return USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("nerfit %s\n", nerfit_version());
        return DONE;
    }
    bool help = strcmp(argv[1], "help") == 0;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || (help && argc == 2)) {
        print_help();
        return DONE;
    }
    if (help && strcmp(argv[2], "--man") == 0) {
        cli_man(commands, N_COMMANDS);
        return DONE;
    }
    const command *chosen = find_command(argv[help ? 2 : 1]);
    if (!chosen) return unknown_command(argv[help ? 2 : 1]);
    if (!help) return chosen->run(chosen, argc - 2, argv + 2);
    char *of_help[] = {argc > 3 ? argv[3] : NULL, (char *)(uintptr_t) "--help"}; /* data's parts */
    return chosen->run(chosen, argc > 3 ? 2 : 1, argc > 3 ? of_help : of_help + 1);
}

int main(int argc, char **argv) {
    open_standard_streams();
    spin_shortly(argv);
    signal(SIGPIPE, SIG_IGN);
    return end_output(finish(run(argc, argv)));
}
