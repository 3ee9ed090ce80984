/* The device for input and output that fails: makes the n-th call of a kind fail, or kills the
 * process there, and keeps account of what was synced. A test named tests/test_io*.c is linked with
 * --wrap for these functions (see the Makefile), so that the library's calls come through here;
 * libc's own do not. Include this in one file only. */
#ifndef NF_TEST_IO_FAULTS_H
#define NF_TEST_IO_FAULTS_H

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum io_kind {
    IO_OPEN,   /* open, to write; fopen, fdopen */
    IO_WRITE,  /* fwrite, fflush */
    IO_SYNC,   /* fsync */
    IO_RENAME, /* rename, renameat2 */
    IO_MKDIR,
    IO_REMOVE, /* unlink, rmdir */
    IO_KINDS
} io_kind;

static const char *const io_names[] = {"open", "write", "fsync", "rename", "mkdir", "remove"};

enum { IO_MOST_SYNCED = 4096 };

static struct {
    size_t calls[IO_KINDS];
    io_kind kind;
    size_t fail_at; /* the call of that kind that fails, from 1; 0: none */
    bool kills;     /* instead, the process ends there, before the call */
    bool failed;
    /* what was synced: its inode, and its size then */
    struct {
        ino_t file;
        off_t size;
    } synced[IO_MOST_SYNCED];
    size_t n_synced;
    ino_t unsynced_folder; /* renamed in, and not synced since; 0: none */
    char fault[512];       /* the first thing that was not done as it should be */
    bool checks;           /* the account is kept */
    const char *stays;     /* a file that must be there at every call; NULL: none */
} io;

static void io_reset(void) {
    memset(&io, 0, sizeof io);
}

static void io_arm(io_kind kind, size_t fail_at, bool kills) {
    io_reset();
    io.kind = kind;
    io.fail_at = fail_at;
    io.kills = kills;
}

/* Keeps the first fault. */
static void io_fault(const char *what, const char *path) {
    if (!io.fault[0]) snprintf(io.fault, sizeof io.fault, "%s: %s", path, what);
}

static bool io_fails(io_kind kind, int error) {
    if (io.stays && access(io.stays, F_OK) != 0) io_fault("is missing for a moment", io.stays);
    io.calls[kind]++;
    if (!io.fail_at || kind != io.kind || io.calls[kind] != io.fail_at) return false;
    if (io.kills) kill(getpid(), SIGKILL);
    io.failed = true;
    errno = error;
    return true;
}

static bool io_is_synced(const struct stat *info) {
    for (size_t i = io.n_synced; i-- > 0;)
        if (io.synced[i].file == info->st_ino) return io.synced[i].size == info->st_size;
    return false;
}

static int io_check_entry(const char *path, const struct stat *info, int kind, struct FTW *place) {
    (void)place;
    if (kind == FTW_F && S_ISREG(info->st_mode) && !io_is_synced(info))
        io_fault("is put in place before it is synced", path);
    return 0;
}

/* Before a rename: what is renamed has been synced, and so has the folder of the one before. After
 * it: its folder is to be synced. */
static void io_check_rename(const char *from, const char *to) {
    char parent[4096];
    struct stat info;
    if (!io.checks) return;
    if (io.unsynced_folder) io_fault("a rename before the folder of the last one was synced", from);
    nftw(from, io_check_entry, 8, FTW_PHYS);
    snprintf(parent, sizeof parent, "%s", to);
    char *slash = strrchr(parent, '/');
    if (slash) *slash = '\0';
    if (slash && stat(parent, &info) == 0) io.unsynced_folder = info.st_ino;
}

int __real_open(const char *path, int flags, ...);
FILE *__real_fopen(const char *path, const char *mode);
FILE *__real_fdopen(int fd, const char *mode);
size_t __real_fwrite(const void *data, size_t size, size_t count, FILE *stream);
int __real_fflush(FILE *stream);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_renameat2(int a, const char *from, int b, const char *to, unsigned flags);
int __real_mkdir(const char *path, mode_t mode);
int __real_unlink(const char *path);
int __real_rmdir(const char *path);

int __wrap_open(const char *path, int flags, ...);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fdopen(int fd, const char *mode);
size_t __wrap_fwrite(const void *data, size_t size, size_t count, FILE *stream);
int __wrap_fflush(FILE *stream);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_unlink(const char *path);
int __wrap_rmdir(const char *path);

int __wrap_open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    unsigned mode = flags & O_CREAT ? va_arg(list, unsigned) : 0;
    va_end(list);
    if ((flags & O_CREAT) && io_fails(IO_OPEN, EMFILE)) return -1;
    return __real_open(path, flags, mode);
}

FILE *__wrap_fopen(const char *path, const char *mode) {
    return mode[0] != 'r' && io_fails(IO_OPEN, EMFILE) ? NULL : __real_fopen(path, mode);
}

FILE *__wrap_fdopen(int fd, const char *mode) {
    return io_fails(IO_OPEN, EMFILE) ? NULL : __real_fdopen(fd, mode);
}

size_t __wrap_fwrite(const void *data, size_t size, size_t count, FILE *stream) {
    return io_fails(IO_WRITE, ENOSPC) ? 0 : __real_fwrite(data, size, count, stream);
}

int __wrap_fflush(FILE *stream) {
    return io_fails(IO_WRITE, ENOSPC) ? EOF : __real_fflush(stream);
}

int __wrap_fsync(int fd) {
    struct stat info;
    if (io_fails(IO_SYNC, EIO)) return -1;
    if (io.checks && fstat(fd, &info) == 0) {
        if (info.st_ino == io.unsynced_folder) io.unsynced_folder = 0;
        if (io.n_synced < IO_MOST_SYNCED) {
            io.synced[io.n_synced].file = info.st_ino;
            io.synced[io.n_synced++].size = info.st_size;
        }
    }
    return 0; /* the disk itself is not what is tested */
}

int __wrap_rename(const char *from, const char *to) {
    if (io_fails(IO_RENAME, EIO)) return -1;
    io_check_rename(from, to);
    return __real_rename(from, to);
}

int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    if (io_fails(IO_RENAME, EIO)) return -1;
    io_check_rename(from, to);
    return __real_renameat2(a, from, b, to, flags);
}

int __wrap_mkdir(const char *path, mode_t mode) {
    return io_fails(IO_MKDIR, ENOSPC) ? -1 : __real_mkdir(path, mode);
}

int __wrap_unlink(const char *path) {
    return io_fails(IO_REMOVE, EIO) ? -1 : __real_unlink(path);
}

int __wrap_rmdir(const char *path) {
    return io_fails(IO_REMOVE, EIO) ? -1 : __real_rmdir(path);
}

#endif
