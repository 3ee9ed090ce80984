/* Annotated texts as the commands take them: files, folders, standard input and pipes. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* All that a descriptor has; NULL when it cannot be read or memory is missing. */
static char *read_all(int fd, size_t *size) {
    size_t capacity = 1 << 16;
    char *data = malloc(capacity);
    cli_input input = {.fd = fd};
    *size = 0;
    for (ptrdiff_t got; data && (got = cli_read(&input, data + *size, capacity - *size)) != 0;) {
        char *grown = NULL;
        if (got > 0) *size += (size_t)got;
        if (got > 0 && *size < capacity) continue;
        if (got > 0) grown = realloc(data, capacity *= 2);
        if (!grown) free(data);
        data = grown;
    }
    return data;
}

static nerfit_status input_fail(nerfit_error *error, const char *name) {
    error->code = NERFIT_IO;
    snprintf(error->text, sizeof error->text, "%s: cannot be read: %s", name, strerror(errno));
    return NERFIT_IO;
}

bool cli_is_device(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

nerfit_status cli_read_corpus(nerfit_corpus *corpus, const char *path,
                              const nerfit_read_options *options, nerfit_error *error) {
    if (strcmp(path, "-") != 0 && !cli_is_device(path))
        return nerfit_corpus_read(corpus, path, options, error);
    cli_input input;
    if (cli_open(&input, path) != DONE) return input_fail(error, path);
    size_t size;
    char *data = read_all(input.fd, &size);
    if (input.fd != STDIN_FILENO) close(input.fd);
    if (!data) return input_fail(error, input.name);
    nerfit_status status = nerfit_corpus_parse_with(corpus, data, size, input.name, options, error);
    free(data);
    return status;
}

/* The format that has an ending. */
typedef struct told_format {
    const char *ending, *name;
} told_format;

static void look_at_format(void *user, const nerfit_format *format) {
    told_format *told = user;
    size_t size = strlen(told->ending);
    if (told->name || !format->by_ending) return;
    for (const char *at = format->endings; *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        if (length == size && strncasecmp(at, told->ending, size) == 0) told->name = format->name;
        at += length;
    }
}

void cli_warn_of_text(const char *path) {
    nerfit_error error;
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    told_format told = {.ending = dot ? dot : ""};
    if (!dot || nerfit_formats(look_at_format, &told, &error) != NERFIT_OK || !told.name) return;
    fprintf(stderr,
            "warning: %s: is read as plain text, a text a line; --input %s reads it as what its "
            "ending says\n",
            path, told.name);
}

const char *cli_format_help(nerfit_format_use use, const char *text) {
    static char helps[4][1024];
    char *names = nerfit_format_names(use, " ");
    snprintf(helps[use], sizeof helps[use], "%s%s", text, names ? names : "");
    nerfit_free(names);
    return helps[use];
}
