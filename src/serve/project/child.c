#include "serve/project/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/utf8.h"

enum { NICE = 10, MOST_ARGUMENTS = 64 };

/* Signals as a program from a shell has them; a process group of its own, so that a Ctrl-C meant for the
 * service reaches it through the service. */
static int set_attributes(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigemptyset(&all);
    sigaddset(&all, SIGINT);
    sigaddset(&all, SIGTERM);
    sigaddset(&all, SIGHUP);
    sigaddset(&all, SIGPIPE);
    int status = posix_spawnattr_setsigmask(attributes, &none);
    if (!status) status = posix_spawnattr_setsigdefault(attributes, &all);
    if (!status) status = posix_spawnattr_setpgroup(attributes, 0);
    return status ? status
                  : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                             POSIX_SPAWN_SETSIGDEF |
                                                             POSIX_SPAWN_SETPGROUP);
}

static int set_files(posix_spawn_file_actions_t *files, const char *output, int messages) {
    int status = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!status)
        status = posix_spawn_file_actions_addopen(files, STDOUT_FILENO, output,
                                                  O_WRONLY | O_CREAT | O_TRUNC, 0640);
    return status ? status : posix_spawn_file_actions_adddup2(files, messages, STDERR_FILENO);
}

/* Its exit status, or -N if signal N ended it. */
static int end(nf_child *child) {
    int status;
    if (child->messages) fclose(child->messages);
    child->messages = NULL;
    while (waitpid(child->pid, &status, 0) < 0)
        if (errno != EINTR) return -SIGKILL;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

nerfit_status nf_child_start(nf_child *child, const json_t *arguments, const char *output,
                             nerfit_error *err) {
    static const char self[] = "/proc/self/exe";
    const char *all[MOST_ARGUMENTS] = {"nerfit"};
    int ends[2], status;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    for (size_t i = 0; i < json_array_size(arguments) && i + 2 < MOST_ARGUMENTS; i++)
        all[i + 1] = json_string_value(json_array_get(arguments, i));
    if (pipe2(ends, O_CLOEXEC) != 0)
        return nf_fail(err, NERFIT_IO, "a pipe cannot be made: %s", strerror(errno));
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&files);
    status = set_attributes(&attributes);
    if (!status) status = set_files(&files, output, ends[1]);
    if (!status)
        status = posix_spawn(&child->pid, self, &files, &attributes, (char *const *)(uintptr_t)all,
                             environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    child->messages = status ? NULL : fdopen(ends[0], "r");
    if (child->messages) {
        setpriority(PRIO_PROCESS, (id_t)child->pid, NICE);
        return NERFIT_OK;
    }
    close(ends[0]);
    if (!status) end(child);
    return nf_fail(err, NERFIT_IO, "nerfit %s cannot be started: %s", all[1],
                   strerror(status ? status : errno));
}

int nf_child_follow(nf_child *child, pthread_mutex_t *mutex, pid_t *pid, FILE *log,
                    nf_child_line *take, void *user) {
    char *line = NULL;
    size_t capacity = 0, bad;
    ssize_t size;
    while ((size = getline(&line, &capacity, child->messages)) > 0) {
        if (log) fwrite(line, 1, (size_t)size, log);
        if (line[size - 1] == '\n') size--;
        if (!nf_utf8_valid(line, (size_t)size, &bad)) size = (ssize_t)bad;
        pthread_mutex_lock(mutex);
        take(user, line, (size_t)size);
        pthread_mutex_unlock(mutex);
    }
    free(line);
    pthread_mutex_lock(mutex);
    *pid = 0; /* no signal to a number that is another's */
    pthread_mutex_unlock(mutex);
    return end(child);
}
