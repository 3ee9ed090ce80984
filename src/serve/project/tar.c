#include "serve/project/tar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "base/str.h"

enum { BLOCK = 512, PIECE = 1 << 16, MOST_DEPTH = 8 };

typedef struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100],
        magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
} header;

static nerfit_status failed(nerfit_error *err, const char *path, const char *what) {
    return nf_fail_at(err, NERFIT_IO, path, 0, 0, "cannot be %s: %s", what, strerror(errno));
}

static nerfit_status write_all(int fd, const void *data, size_t size, nerfit_error *err) {
    return nf_write_all(fd, data, size) ? NERFIT_OK : failed(err, "the tar file", "written");
}

static nerfit_status write_header(int fd, const char *name, const struct stat *info,
                                  nerfit_error *err) {
    header h = {.type = '0', .magic = "ustar", .version = "00"};
    if (strlen(name) >= sizeof h.name)
        return nf_fail(err, NERFIT_UNSUPPORTED, "%s: the name is too long for a tar file", name);
    memcpy(h.name, name, strlen(name));
    nf_print(h.mode, sizeof h.mode, "%07o", 0644U);
    nf_print(h.uid, sizeof h.uid, "%07o", 0U);
    nf_print(h.gid, sizeof h.gid, "%07o", 0U);
    nf_print(h.size, sizeof h.size, "%011llo", (unsigned long long)info->st_size);
    nf_print(h.mtime, sizeof h.mtime, "%011llo", (unsigned long long)info->st_mtime);
    memset(h.checksum, ' ', sizeof h.checksum);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof h; i++) sum += ((const unsigned char *)&h)[i];
    nf_print(h.checksum, sizeof h.checksum, "%06o", sum);
    return write_all(fd, &h, sizeof h, err);
}

/* The file as it was when its size was asked: what has grown since is left out. */
static nerfit_status write_file(int out, const char *path, const char *name, nerfit_error *err) {
    static const char zeros[BLOCK];
    struct stat info;
    char *piece = malloc(PIECE);
    int in = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    nerfit_status status = !piece                            ? nf_no_memory(err, PIECE)
                           : in < 0 || fstat(in, &info) != 0 ? failed(err, path, "read")
                                                             : NERFIT_OK;
    if (status == NERFIT_OK) status = write_header(out, name, &info, err);
    for (off_t left = status == NERFIT_OK ? info.st_size : 0; left && status == NERFIT_OK;) {
        ssize_t n = read(in, piece, left < PIECE ? (size_t)left : (size_t)PIECE);
        if (n <= 0)
            status = failed(err, path, "read to its end");
        else
            status = write_all(out, piece, (size_t)n, err);
        left -= n;
    }
    if (status == NERFIT_OK && info.st_size % BLOCK)
        status = write_all(out, zeros, (size_t)(BLOCK - info.st_size % BLOCK), err);
    if (in >= 0) close(in);
    free(piece);
    return status;
}

static nerfit_status write_folder(int out, const char *folder, const char *name, int depth,
                                  nerfit_error *err) {
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, NULL, alphasort);
    nerfit_status status = n < 0 ? failed(err, folder, "read") : NERFIT_OK;
    for (int i = 0; i < n; i++) {
        const char *entry = entries[i]->d_name;
        nf_str path = {0}, inner = {0};
        struct stat info;
        nf_str_appendf(&path, "%s/%s", folder, entry);
        nf_str_appendf(&inner, "%s/%s", name, entry);
        if (path.failed || inner.failed) status = nf_no_memory(err, 0);
        bool wanted = status == NERFIT_OK && *entry != '.' && lstat(path.data, &info) == 0;
        if (wanted && S_ISREG(info.st_mode))
            status = write_file(out, path.data, inner.data, err);
        else if (wanted && S_ISDIR(info.st_mode) && depth < MOST_DEPTH)
            status = write_folder(out, path.data, inner.data, depth + 1, err);
        nf_str_free(&path);
        nf_str_free(&inner);
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* Not every file system has files without a name. */
static int open_unnamed(const char *near) {
    nf_str path = {0};
    int fd = open(near, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) return fd;
    nf_str_appendf(&path, "%s/.download-XXXXXX", near);
    if (!path.failed && (fd = mkostemp(path.data, O_CLOEXEC)) >= 0) unlink(path.data);
    nf_str_free(&path);
    return fd;
}

nerfit_status nf_tar_folder(const char *folder, const char *name, const char *near, int *fd,
                            uint64_t *size, nerfit_error *err) {
    static const char end[2 * BLOCK];
    if ((*fd = open_unnamed(near)) < 0) return failed(err, near, "written to");
    nerfit_status status = write_folder(*fd, folder, name, 0, err);
    if (status == NERFIT_OK) status = write_all(*fd, end, sizeof end, err);
    off_t bytes = status == NERFIT_OK ? lseek(*fd, 0, SEEK_CUR) : -1;
    if (status == NERFIT_OK && bytes < 0) status = failed(err, "the tar file", "read");
    *size = (uint64_t)bytes;
    if (status == NERFIT_OK) return status;
    close(*fd);
    *fd = -1;
    return status;
}
