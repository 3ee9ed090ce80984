#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/number.h"

nerfit_status nf_file_open(nf_file *file, const char *path, nerfit_error *err) {
    *file = (nf_file){.data = ""};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be opened: %s", strerror(errno));
    struct stat info;
    nerfit_status status = NERFIT_OK;
    if (fstat(fd, &info) != 0) {
        status = nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be read: %s", strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        status = nf_fail_at(err, NERFIT_IO, path, 0, 0, "is not a regular file");
    } else if (info.st_size > 0) {
        void *mapping = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (mapping == MAP_FAILED)
            status =
                nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be mapped: %s", strerror(errno));
        else
            *file = (nf_file){mapping, (size_t)info.st_size, mapping};
    }
    close(fd);
    return status;
}

void nf_file_close(nf_file *file) {
    if (file->mapping) munmap(file->mapping, file->size);
    *file = (nf_file){.data = ""};
}

void nf_file_forget(const nf_file *file) {
    if (file->mapping) madvise(file->mapping, file->size, MADV_DONTNEED);
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

static void sync_parent(const char *path) {
    nf_arena arena = {0};
    const char *parent = nf_path_parent(&arena, path);
    int fd = parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd); /* some file systems refuse to sync folders; the rename is still atomic */
        close(fd);
    }
    nf_arena_free(&arena);
}

nerfit_status nf_file_rename(const char *from, const char *to, nerfit_error *err) {
    if (rename(from, to) != 0)
        return nf_fail_at(err, NERFIT_IO, to, 0, 0, "cannot be put in place: %s", strerror(errno));
    sync_parent(to);
    return NERFIT_OK;
}

struct nf_file_writer {
    FILE *stream;
    char *path;
    char *temporary;
};

nerfit_status nf_file_writer_open(nf_file_writer **out, const char *path, nerfit_error *err) {
    *out = NULL;
    nf_file_writer *writer = calloc(1, sizeof *writer);
    size_t size = strlen(path) + 32;
    if (writer) {
        writer->path = strdup(path);
        writer->temporary = malloc(size);
    }
    if (!writer || !writer->path || !writer->temporary) {
        nf_file_writer_abort(writer);
        return nf_no_memory(err, size);
    }
    snprintf(writer->temporary, size, "%s.tmp-%ld", path, (long)getpid());
    writer->stream = fopen(writer->temporary, "wbe");
    if (!writer->stream) {
        nerfit_status status =
            nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be written: %s", strerror(errno));
        nf_file_writer_abort(writer);
        return status;
    }
    *out = writer;
    return NERFIT_OK;
}

nerfit_status nf_file_writer_write(nf_file_writer *writer, const void *data, size_t size,
                                   nerfit_error *err) {
    if (size && fwrite(data, 1, size, writer->stream) != size)
        return nf_fail_at(err, NERFIT_IO, writer->path, 0, 0, "cannot be written: %s",
                          strerror(errno));
    return NERFIT_OK;
}

nerfit_status nf_file_writer_commit(nf_file_writer *writer, nerfit_error *err) {
    nerfit_status status = NERFIT_OK;
    if (fflush(writer->stream) != 0 || fsync(fileno(writer->stream)) != 0)
        status = nf_fail_at(err, NERFIT_IO, writer->path, 0, 0, "cannot be written: %s",
                            strerror(errno));
    if (status == NERFIT_OK) status = nf_file_rename(writer->temporary, writer->path, err);
    nf_file_writer_abort(writer);
    return status;
}

void nf_file_writer_abort(nf_file_writer *writer) {
    if (!writer) return;
    if (writer->stream) {
        fclose(writer->stream);
        unlink(writer->temporary); /* already renamed after a commit: then this does nothing */
    }
    free(writer->path);
    free(writer->temporary);
    free(writer);
}

/* The process in "NAME.tmp-<pid>"; 0: the entry is another one. */
static long process_of(const char *entry, const char *name) {
    static const char mark[] = ".tmp-";
    size_t length = strlen(name);
    if (strncmp(entry, name, length) != 0 || strncmp(entry + length, mark, sizeof mark - 1) != 0)
        return 0;
    const char *digits = entry + length + sizeof mark - 1;
    uint64_t process;
    return nf_whole_parse(digits, 999999999, &process) ? (long)process : 0;
}

/* A process number comes again, in a container soon: this process's own is an earlier one's. */
static bool is_at_work(long process) {
    return process != (long)getpid() && (kill((pid_t)process, 0) == 0 || errno == EPERM);
}

nerfit_status nf_file_remove_unfinished(const char *path, nerfit_error *err) {
    nf_arena arena = {0};
    const char *parent = nf_path_parent(&arena, path), *slash = strrchr(path, '/');
    DIR *folder = parent ? opendir(parent) : NULL;
    nerfit_status status = parent ? NERFIT_OK : nf_no_memory(err, 0);
    for (struct dirent *entry; folder && status == NERFIT_OK && (entry = readdir(folder));) {
        long process = process_of(entry->d_name, slash ? slash + 1 : path);
        if (process == 0 || is_at_work(process)) continue;
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
