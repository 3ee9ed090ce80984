/* Preloaded into the program (LD_PRELOAD): makes its n-th call of a kind fail, or ends it there.
 *   FAULT=KIND:N:fail|kill    open (to write), write, fsync, rename, unlink, malloc
 *   FAULT_COUNTS=FILE         receives how many calls of each kind there were, at the end
 *   FAULT_READ=NAME           of files of this name openings to read are counted ("reading"), none fails
 * libc's calls of its own functions do not come through here. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPEN, WRITE, SYNC, RENAME, UNLINK, MALLOC, READING, KINDS };
static const char *const names[KINDS] = {"open",   "write",  "fsync",  "rename",
                                         "unlink", "malloc", "reading"};
static atomic_long calls[KINDS];
static int kind = -1, kills;
static long fail_at;

__attribute__((constructor)) static void begin(void) {
    const char *fault = getenv("FAULT"), *number = fault ? strchr(fault, ':') : NULL;
    for (int i = 0; number && i < KINDS; i++)
        if (strncmp(fault, names[i], (size_t)(number - fault)) == 0) kind = i;
    void *frame;
    backtrace(&frame, 1); /* its library is loaded now, not at the fault */
    if (!number) return;
    fail_at = strtol(number + 1, NULL, 10);
    kills = strstr(number, ":kill") != NULL;
    for (int i = 0; i < KINDS; i++) atomic_store(&calls[i], 0);
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("FAULT_COUNTS");
    char text[256];
    int length = 0;
    if (!path) return;
    for (int i = 0; i < KINDS; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "%s %ld\n", names[i],
                           atomic_load(&calls[i]));
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    int fd = real(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    ssize_t (*put)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (fd >= 0 && put(fd, text, (size_t)length) == length) close(fd);
}

static const char *file_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Who asked for the memory, on standard error: the program, or one of its libraries; and where the
 * program is, as an offset for addr2line. */
static void tell_caller(const void *address) {
    enum { DEEP = 64 };
    Dl_info info, program, at;
    void *frames[DEEP];
    char text[400] = "";
    const char *where = "";
    unsigned long offset = 0;
    if (!dladdr(address, &info) || !info.dli_fname) return;
    for (int i = 0, n = backtrace(frames, DEEP); i < n && !offset; i++) {
        if (!dladdr(frames[i], &at) || !at.dli_fname) continue;
        bool library = strstr(at.dli_fname, ".so");
        /* operator new asks for somebody else */
        if (library && strstr(info.dli_fname, "libstdc++") && !strstr(at.dli_fname, "shim"))
            info = at;
        if (library) continue;
        program = at;
        where = file_of(program.dli_fname);
        offset = (unsigned long)((const char *)frames[i] - (const char *)program.dli_fbase);
    }
    snprintf(text, sizeof text, "fault in %s at %s+0x%lx\n", file_of(info.dli_fname), where,
             offset);
    ssize_t (*put)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (put(2, text, strlen(text)) < 0) return;
}

static int fails_for(int which, int error, const void *caller) {
    long n = atomic_fetch_add(&calls[which], 1) + 1;
    if (which != kind || n != fail_at) return 0;
    if (kills) kill(getpid(), SIGKILL);
    if (caller) tell_caller(caller);
    errno = error;
    return 1;
}

static int fails(int which, int error) {
    return fails_for(which, error, NULL);
}

static void note_reading(const char *path) {
    const char *name = getenv("FAULT_READ");
    if (name && strcmp(file_of(path), name) == 0) atomic_fetch_add(&calls[READING], 1);
}

#define REAL(type, name, parameters)                                                               \
    static type(*real) parameters;                                                                 \
    if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, name)

int open(const char *path, int flags, ...) {
    REAL(int, "open", (const char *, int, ...));
    va_list list;
    va_start(list, flags);
    int mode = flags & O_CREAT ? va_arg(list, int) : 0;
    va_end(list);
    if ((flags & O_ACCMODE) == O_RDONLY)
        note_reading(path);
    else if (fails(OPEN, EMFILE))
        return -1;
    return real(path, flags, mode);
}

FILE *fopen(const char *path, const char *mode) {
    REAL(FILE *, "fopen", (const char *, const char *));
    if (mode[0] == 'r')
        note_reading(path);
    else if (fails(OPEN, EMFILE))
        return NULL;
    return real(path, mode);
}

FILE *fdopen(int fd, const char *mode) {
    REAL(FILE *, "fdopen", (int, const char *));
    return fails(OPEN, EMFILE) ? NULL : real(fd, mode);
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", (int, const void *, size_t));
    return fails(WRITE, ENOSPC) ? -1 : real(fd, data, size);
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *stream) {
    REAL(size_t, "fwrite", (const void *, size_t, size_t, FILE *));
    return stream != stderr && fails(WRITE, ENOSPC) ? 0 : real(data, size, count, stream);
}

int fflush(FILE *stream) {
    REAL(int, "fflush", (FILE *));
    return stream != stderr && fails(WRITE, ENOSPC) ? EOF : real(stream);
}

int fsync(int fd) {
    (void)fd; /* the disk itself is not what is tested */
    return fails(SYNC, EIO) ? -1 : 0;
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", (const char *, const char *));
    return fails(RENAME, EIO) ? -1 : real(from, to);
}

int unlink(const char *path) {
    REAL(int, "unlink", (const char *));
    return fails(UNLINK, EIO) ? -1 : real(path);
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size) {
    return fails_for(MALLOC, ENOMEM, __builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return fails_for(MALLOC, ENOMEM, __builtin_return_address(0)) ? NULL
                                                                  : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    return fails_for(MALLOC, ENOMEM, __builtin_return_address(0)) ? NULL
                                                                  : __libc_realloc(memory, size);
}
