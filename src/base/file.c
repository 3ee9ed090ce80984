#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/mapping.h"
#include "base/number.h"

/* What git leaves in place of a large file that was not fetched: three lines (the specification of git-lfs). */
static bool is_lfs_pointer(const nf_file *file) {
    static const char first[] = "version https://git-lfs.github.com/spec/";
    return file->size < 1024 && file->size > sizeof first &&
           memcmp(file->data, first, sizeof first - 1) == 0 &&
           memmem(file->data, file->size, "\noid ", 5) != NULL;
}

/* A regular file's descriptor, size and identity. */
static nerfit_status open_regular(const char *path, int *fd, nf_file *file, nerfit_error *err) {
    struct stat info;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be opened: %s", strerror(errno));
    nerfit_status status = NERFIT_OK;
    if (fstat(*fd, &info) != 0)
        status = nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be read: %s", strerror(errno));
    else if (!S_ISREG(info.st_mode))
        status = nf_fail_at(err, NERFIT_IO, path, 0, 0, "is not a regular file");
    else
        *file = (nf_file){.data = "",
                          .size = (size_t)info.st_size,
                          .device = (uint64_t)info.st_dev,
                          .number = (uint64_t)info.st_ino,
                          .seconds = (uint64_t)info.st_mtim.tv_sec,
                          .nanoseconds = (uint64_t)info.st_mtim.tv_nsec};
    if (status != NERFIT_OK) close(*fd);
    return status;
}

static nerfit_status read_whole(nf_file *file, int fd, const char *path, nerfit_error *err) {
    size_t size = file->size;
    char *own = malloc(size);
    size_t at = 0;
    ssize_t got = 1;
    if (!own) return nf_no_memory(err, size);
    while (at < size && got > 0) {
        got = read(fd, own + at, size - at);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            at += (size_t)got;
    }
    if (at == size) {
        file->data = file->own = own;
        return NERFIT_OK;
    }
    int reason = errno;
    free(own);
    return got < 0 ? nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be read: %s", strerror(reason))
                   : nf_fail_at(err, NERFIT_IO, path, 0, 0, "became shorter while it was read");
}

static nerfit_status map_whole(nf_file *file, int fd, const char *path, nerfit_error *err) {
    size_t size = file->size;
    void *mapping = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping == MAP_FAILED)
        return nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be mapped: %s", strerror(errno));
    if (!nf_mapping_guard(mapping, size)) { /* one of a thousand: a copy needs no guard */
        munmap(mapping, size);
        return read_whole(file, fd, path, err);
    }
    file->data = file->mapping = mapping;
    return NERFIT_OK;
}

static nerfit_status open_file(nf_file *file, const char *path, bool mapped, nerfit_error *err) {
    int fd;
    *file = (nf_file){.data = ""};
    NF_TRY(open_regular(path, &fd, file, err));
    nerfit_status status = NERFIT_OK;
    if (file->size) status = (mapped ? map_whole : read_whole)(file, fd, path, err);
    close(fd);
    if (status != NERFIT_OK) *file = (nf_file){.data = ""};
    if (status == NERFIT_OK && is_lfs_pointer(file)) {
        nf_file_close(file);
        status = nf_fail_at(err, NERFIT_IO, path, 0, 0,
                            "is git's pointer to a large file, not the file itself; fetch it with "
                            "\"git lfs pull\", or download the model again");
    }
    return status;
}

nerfit_status nf_file_open(nf_file *file, const char *path, nerfit_error *err) {
    return open_file(file, path, false, err);
}

nerfit_status nf_file_map(nf_file *file, const char *path, nerfit_error *err) {
    return open_file(file, path, true, err);
}

nerfit_status nf_file_check(const nf_file *file, const char *path, nerfit_error *err) {
    if (!file->mapping || !nf_mapping_lost(file->mapping)) return NERFIT_OK;
    return nf_fail_at(err, NERFIT_IO, path, 0, 0,
                      "became shorter, or could not be read, while it was in use: load it again "
                      "(a file that is in use is replaced by renaming another, not written over)");
}

void nf_file_close(nf_file *file) {
    if (file->mapping) {
        nf_mapping_release(file->mapping);
        munmap(file->mapping, file->size);
    }
    free(file->own);
    *file = (nf_file){.data = ""};
}

bool nf_file_same(const nf_file *a, const nf_file *b) {
    if (a->size != b->size) return false;
    if (a->number && a->number == b->number && a->device == b->device && a->seconds == b->seconds &&
        a->nanoseconds == b->nanoseconds)
        return true;
    bool equal = memcmp(a->data, b->data, a->size) == 0;
    nf_file_forget(a);
    nf_file_forget(b);
    return equal;
}

void nf_file_forget(const nf_file *file) {
    if (file->mapping) madvise(file->mapping, file->size, MADV_DONTNEED);
}

bool nf_write_all(int fd, const void *data, size_t size) {
    for (const char *at = data; size;) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

bool nf_file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool nf_file_exists_in(const char *folder, const char *name) {
    struct stat info;
    int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return false;
    bool found = fstatat(directory, name, &info, 0) == 0 && S_ISREG(info.st_mode);
    close(directory);
    return found;
}

bool nf_directory_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

nerfit_status nf_directory_make(const char *path, nerfit_error *err) {
    if (!path[0]) return nf_fail(err, NERFIT_IO, "a folder without a name cannot be made");
    char *copy = strdup(path);
    if (!copy) return nf_no_memory(err, strlen(path));
    nerfit_status status = NERFIT_OK;
    for (char *end = copy + 1; status == NERFIT_OK; end++) {
        if (*end != '/' && *end != '\0') continue;
        char kept = *end;
        *end = '\0';
        if (mkdir(copy, 0777) != 0 && !(errno == EEXIST && nf_directory_exists(copy)))
            status = nf_fail_at(err, NERFIT_IO, copy, 0, 0, "folder cannot be made: %s",
                                strerror(errno));
        *end = kept;
        if (!kept) break;
    }
    free(copy);
    return status;
}

nerfit_status nf_directory_remove(const char *path, nerfit_error *err) {
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISLNK(info.st_mode)) { /* what it points to stays */
        if (unlink(path) == 0) return NERFIT_OK;
        return nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be removed: %s", strerror(errno));
    }
    DIR *folder = opendir(path);
    if (!folder) {
        if (errno == ENOENT) return NERFIT_OK;
        return nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be opened: %s", strerror(errno));
    }
    nerfit_status status = NERFIT_OK;
    nf_arena arena = {0};
    for (struct dirent *entry; status == NERFIT_OK && (entry = readdir(folder));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        char *child = nf_path_join(&arena, path, entry->d_name);
        if (!child)
            status = nf_no_memory(err, 0);
        else if (lstat(child, &info) == 0 && S_ISDIR(info.st_mode))
            status = nf_directory_remove(child, err);
        else if (unlink(child) != 0 && errno != ENOENT)
            status =
                nf_fail_at(err, NERFIT_IO, child, 0, 0, "cannot be removed: %s", strerror(errno));
    }
    closedir(folder);
    nf_arena_free(&arena);
    if (status == NERFIT_OK && rmdir(path) != 0 && errno != ENOENT)
        status = nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be removed: %s", strerror(errno));
    return status;
}

nerfit_status nf_file_remove(const char *path, nerfit_error *err) {
    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR) return NERFIT_OK;
    return nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be removed: %s", strerror(errno));
}

nerfit_status nf_directory_lock(const char *path, int *lock, bool *held, nerfit_error *err) {
    *held = true;
    *lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock < 0)
        return nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be opened: %s", strerror(errno));
    *held = flock(*lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    if (*held) return NERFIT_OK;
    close(*lock);
    *lock = -1;
    return NERFIT_OK;
}

void nf_directory_unlock(int lock) {
    if (lock >= 0) close(lock);
}

void nf_directory_sync(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

static void sync_parent(const char *path) {
    nf_arena arena = {0};
    const char *parent = nf_path_parent(&arena, path);
    if (parent) nf_directory_sync(parent);
    nf_arena_free(&arena);
}

nerfit_status nf_file_rename(const char *from, const char *to, nerfit_error *err) {
    if (rename(from, to) != 0)
        return nf_fail_at(err, NERFIT_IO, to, 0, 0, "cannot be put in place: %s", strerror(errno));
    sync_parent(to);
    return NERFIT_OK;
}

/* "FOLDER/.NAME.old" */
static char *path_of_old(nf_arena *arena, const char *path) {
    const char *parent = nf_path_parent(arena, path), *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *old = nf_arena_alloc(arena, strlen(name) + 8);
    if (!parent || !old) return NULL;
    snprintf(old, strlen(name) + 8, ".%s.old", name);
    return nf_path_join(arena, parent, old);
}

nerfit_status nf_directory_recover(const char *path, nerfit_error *err) {
    nf_arena arena = {0};
    const char *old = path_of_old(&arena, path);
    nerfit_status status = old ? NERFIT_OK : nf_no_memory(err, 0);
    if (old && nf_directory_exists(old))
        status = nf_directory_exists(path) ? nf_directory_remove(old, err)
                                           : nf_file_rename(old, path, err);
    nf_arena_free(&arena);
    return status;
}

/* Where folders cannot be exchanged: first the old one moves away. */
static nerfit_status replace_in_steps(const char *from, const char *to, nerfit_error *err) {
    nf_arena arena = {0};
    const char *old = path_of_old(&arena, to);
    nerfit_status status = old ? nf_directory_remove(old, err) : nf_no_memory(err, 0);
    if (status == NERFIT_OK) status = nf_file_rename(to, old, err);
    if (status == NERFIT_OK) {
        status = nf_file_rename(from, to, err);
        if (status != NERFIT_OK) nf_file_rename(old, to, NULL);
    }
    if (status == NERFIT_OK) status = nf_directory_remove(old, err);
    nf_arena_free(&arena);
    return status;
}

nerfit_status nf_directory_replace(const char *from, const char *to, nerfit_error *err) {
    struct stat info;
    if (lstat(to, &info) != 0) return nf_file_rename(from, to, err);
    if (S_ISLNK(info.st_mode)) { /* what it points to stays */
        NF_TRY(nf_directory_remove(to, err));
        return nf_file_rename(from, to, err);
    }
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) != 0) {
        if (errno == EINVAL || errno == ENOSYS || errno == ENOTSUP)
            return replace_in_steps(from, to, err);
        return nf_fail_at(err, NERFIT_IO, to, 0, 0, "cannot be put in place: %s", strerror(errno));
    }
    sync_parent(to);
    return nf_directory_remove(from, err);
}

/* ---------------------------------------------------------------- unfinished work */

static const char MARK[] = ".nerfit-";
enum { UNFINISHED_SIZE = 48 }; /* what the mark and two numbers take */

/* "PATH.nerfit-<pid>-<8 hexadecimal digits>": the number, which nobody can know before, keeps others
 * from laying a file or link there; the process tells whether somebody still works on it. */
static void name_unfinished(char *out, size_t size, const char *path) {
    uint32_t number = 0;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number)
        number = (uint32_t)((uintptr_t)out >> 4) ^ (uint32_t)clock();
    snprintf(out, size, "%s%s%ld-%08x", path, MARK, (long)getpid(), number);
}

char *nf_path_unfinished(nf_arena *arena, const char *path) {
    size_t size = strlen(path) + UNFINISHED_SIZE;
    char *out = nf_arena_alloc(arena, size);
    if (out) name_unfinished(out, size, path);
    return out;
}

/* A new file; what is there already, were it a link, is never written to. */
static FILE *create_unfinished(char *name, size_t size, const char *path) {
    int fd = -1;
    for (int tries = 0; tries < 8 && fd < 0; tries++) {
        name_unfinished(name, size, path);
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) break;
    }
    FILE *stream = fd < 0 ? NULL : fdopen(fd, "wb");
    if (fd >= 0 && !stream) {
        close(fd);
        unlink(name);
    }
    return stream;
}

/* Where a writer's bytes go. A file appears whole at the end of the links that lead to it, with the
 * mode and the owner of the one it replaces. What is no file (a device, a FIFO), what a file
 * descriptor is named by (/dev/stdout), and a file whose folder takes no other one, are written to
 * as they are: there `temporary` is NULL. */
struct nf_file_writer {
    FILE *stream;
    char *path, *target;
    char *temporary;
};

/* The descriptor that "/dev/stdout", "/dev/fd/3" and their like name, or -1. */
static int descriptor_of(const char *path) {
    static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    for (int i = 0; i < 3; i++)
        if (strcmp(path, names[i]) == 0) return i;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        size_t size = strlen(folders[i]);
        uint64_t number;
        if (strncmp(path, folders[i], size) == 0 && nf_whole_parse(path + size, 1 << 20, &number))
            return (int)number;
    }
    return -1;
}

/* Where symbolic links lead, malloc'ed, also if nothing is there yet; NULL: too many of them, or
 * out of memory (errno). */
static char *follow_links(const char *path) {
    enum { MOST = 40 };
    char *at = strdup(path);
    for (int i = 0; at && i < MOST; i++) {
        char link[4096];
        ssize_t size = readlink(at, link, sizeof link - 1);
        if (size < 0) return at;
        link[size] = '\0';
        const char *slash = link[0] == '/' ? NULL : strrchr(at, '/');
        size_t folder = slash ? (size_t)(slash - at) + 1 : 0;
        char *next = malloc(folder + (size_t)size + 1);
        if (next) {
            memcpy(next, at, folder);
            memcpy(next + folder, link, (size_t)size + 1);
        }
        free(at);
        at = next;
    }
    errno = at ? ELOOP : ENOMEM;
    free(at);
    return NULL;
}

static FILE *open_as_it_is(const char *path, int flags) {
    int descriptor = descriptor_of(path);
    int fd = descriptor >= 0 ? fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
                             : open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC | flags);
    FILE *stream = fd < 0 ? NULL : fdopen(fd, "wb");
    if (fd >= 0 && !stream) close(fd);
    return stream;
}

/* What replaces a file is its owner's, and as open to others as it was. */
static void take_mode(int fd, const struct stat *old) {
    if (fchown(fd, old->st_uid, old->st_gid) != 0 && fchown(fd, (uid_t)-1, old->st_gid) != 0)
        errno = 0; /* of another owner, and we are not root: it becomes ours */
    fchmod(fd, old->st_mode & 07777);
}

static bool open_writer(nf_file_writer *writer) {
    struct stat old;
    bool named = descriptor_of(writer->path) >= 0;
    bool exists = !named && stat(writer->target, &old) == 0;
    if (exists && S_ISDIR(old.st_mode)) {
        errno = EISDIR;
        return false;
    }
    if (named || (exists && !S_ISREG(old.st_mode)))
        return (writer->stream = open_as_it_is(writer->path, 0)) != NULL;
    if (exists && access(writer->target, W_OK) != 0) return false;
    size_t size = strlen(writer->target) + UNFINISHED_SIZE;
    if (!(writer->temporary = malloc(size))) {
        errno = ENOMEM;
        return false;
    }
    writer->stream = create_unfinished(writer->temporary, size, writer->target);
    if (writer->stream && exists) take_mode(fileno(writer->stream), &old);
    if (writer->stream) return true;
    free(writer->temporary);
    writer->temporary = NULL;
    bool folder_closed = errno == EACCES || errno == EPERM || errno == EROFS;
    if (!exists || !folder_closed) return false;
    return (writer->stream = open_as_it_is(writer->target, O_TRUNC)) != NULL;
}

nerfit_status nf_file_writer_open(nf_file_writer **out, const char *path, nerfit_error *err) {
    *out = NULL;
    nf_file_writer *writer = calloc(1, sizeof *writer);
    if (writer) writer->path = strdup(path);
    bool copied = writer && writer->path;
    if (copied && (writer->target = follow_links(path)) && open_writer(writer)) {
        *out = writer;
        return NERFIT_OK;
    }
    int reason = copied ? errno : ENOMEM;
    nf_file_writer_abort(writer);
    return reason == ENOMEM
               ? nf_no_memory(err, strlen(path))
               : nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be written: %s", strerror(reason));
}

static nerfit_status fail_to_write(const nf_file_writer *writer, nerfit_error *err) {
    return nf_fail_at(err, NERFIT_IO, writer->path, 0, 0, "cannot be written: %s", strerror(errno));
}

nerfit_status nf_file_writer_write(nf_file_writer *writer, const void *data, size_t size,
                                   nerfit_error *err) {
    if (size && fwrite(data, 1, size, writer->stream) != size) return fail_to_write(writer, err);
    return NERFIT_OK;
}

/* Pipes and devices cannot be synced, and need not be. */
static bool sync_stream(const nf_file_writer *writer) {
    if (fflush(writer->stream) != 0) return false;
    return fsync(fileno(writer->stream)) == 0 || (!writer->temporary && errno != EIO);
}

int nf_file_writer_descriptor(const nf_file_writer *writer) {
    return fileno(writer->stream);
}

nerfit_status nf_file_writer_commit(nf_file_writer *writer, nerfit_error *err) {
    nerfit_status status = sync_stream(writer) ? NERFIT_OK : fail_to_write(writer, err);
    if (status == NERFIT_OK && writer->temporary)
        status = nf_file_rename(writer->temporary, writer->target, err);
    nf_file_writer_abort(writer);
    return status;
}

void nf_file_writer_abort(nf_file_writer *writer) {
    if (!writer) return;
    if (writer->stream) fclose(writer->stream);
    if (writer->stream && writer->temporary)
        unlink(writer->temporary); /* already renamed after a commit: then this does nothing */
    free(writer->path);
    free(writer->target);
    free(writer->temporary);
    free(writer);
}

/* The process in "NAME.nerfit-<pid>-<digits>", of any name where `name` is NULL; 0: the entry is
 * another one. */
static long process_of(const char *entry, const char *name) {
    const char *at = name ? entry + strlen(name) : NULL;
    if (name && strncmp(entry, name, strlen(name)) != 0) return 0;
    if (!name)
        for (const char *next = entry; (next = strstr(next, MARK)); next++) at = next;
    if (!at || strncmp(at, MARK, sizeof MARK - 1) != 0) return 0;
    at += sizeof MARK - 1;
    size_t digits = strspn(at, "0123456789");
    char number[16];
    uint64_t process;
    if (digits == 0 || digits >= sizeof number || at[digits] != '-' ||
        strspn(at + digits + 1, "0123456789abcdef") != 8 || at[digits + 9] != '\0')
        return 0;
    memcpy(number, at, digits);
    number[digits] = '\0';
    return nf_whole_parse(number, 999999999, &process) ? (long)process : 0;
}

/* ".NAME.tmp" and ".NAME.tmp-<pid>", as earlier versions called their folders. */
static bool is_old_unfinished(const char *entry) {
    const char *mark = entry[0] == '.' ? strstr(entry + 1, ".tmp") : NULL;
    return mark && (mark[4] == '\0' || (mark[4] == '-' && mark[5] &&
                                        mark[5 + strspn(mark + 5, "0123456789")] == '\0'));
}

/* A process number comes again, in a container soon: this process's own is an earlier one's. */
static bool is_at_work(long process) {
    return process != (long)getpid() && (kill((pid_t)process, 0) == 0 || errno == EPERM);
}

/* name: NULL for all. */
static nerfit_status remove_unfinished(const char *parent, const char *name, nerfit_error *err) {
    nf_arena arena = {0};
    DIR *folder = opendir(parent);
    nerfit_status status = NERFIT_OK;
    for (struct dirent *entry; folder && status == NERFIT_OK && (entry = readdir(folder));) {
        long process = process_of(entry->d_name, name);
        bool old = !name && is_old_unfinished(entry->d_name);
        if (!old && (process == 0 || is_at_work(process))) continue;
        const char *left = nf_path_join(&arena, parent, entry->d_name);
        if (!left)
            status = nf_no_memory(err, 0);
        else
            status = nf_directory_exists(left) ? nf_directory_remove(left, err)
                                               : nf_file_remove(left, err);
    }
    if (folder) closedir(folder);
    nf_arena_free(&arena);
    return status;
}

nerfit_status nf_file_remove_unfinished(const char *path, nerfit_error *err) {
    nf_arena arena = {0};
    const char *parent = nf_path_parent(&arena, path), *slash = strrchr(path, '/');
    nerfit_status status =
        parent ? remove_unfinished(parent, slash ? slash + 1 : path, err) : nf_no_memory(err, 0);
    nf_arena_free(&arena);
    return status;
}

nerfit_status nf_directory_remove_unfinished(const char *folder, nerfit_error *err) {
    return remove_unfinished(folder, NULL, err);
}

nerfit_status nf_file_write(const char *path, const void *data, size_t size, nerfit_error *err) {
    nf_file_writer *writer;
    NF_TRY(nf_file_writer_open(&writer, path, err));
    nerfit_status status = nf_file_writer_write(writer, data, size, err);
    if (status == NERFIT_OK) return nf_file_writer_commit(writer, err);
    nf_file_writer_abort(writer);
    return status;
}

char *nf_path_join(nf_arena *arena, const char *folder, const char *name) {
    size_t length = strlen(folder);
    if (name[0] == '/' || length == 0) return nf_arena_strdup(arena, name);
    while (length > 1 && folder[length - 1] == '/') length--;
    size_t name_length = strlen(name);
    char *path = nf_arena_alloc(arena, length + name_length + 2);
    if (!path) return NULL;
    memcpy(path, folder, length);
    path[length] = '/';
    memcpy(path + length + 1, name, name_length + 1);
    return path;
}

char *nf_path_parent(nf_arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return nf_arena_strdup(arena, ".");
    if (slash == path) return nf_arena_strdup(arena, "/");
    return nf_arena_copy(arena, path, (size_t)(slash - path));
}

bool nf_path_has_ending(const char *path, const char *ending) {
    size_t length = strlen(path), wanted = strlen(ending);
    return length >= wanted && nf_ascii_same(path + length - wanted, ending);
}
