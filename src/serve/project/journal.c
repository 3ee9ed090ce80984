#include "serve/project/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

static nerfit_status failed(nerfit_error *err, const nf_journal *j, const char *what) {
    return nf_fail_at(err, NERFIT_IO, j->path, 0, 0, "cannot be %s: %s", what, strerror(errno));
}

nerfit_status nf_lines_read(const char *path, const char *data, size_t size, nf_line_function *read,
                            void *user, nerfit_error *err) {
    const char *at = data, *end = data + size, *stop;
    for (long number = 1; at < end; number++, at = stop + (stop < end)) {
        json_t *line;
        if (!(stop = memchr(at, '\n', (size_t)(end - at)))) stop = end;
        if (stop == at) continue;
        NF_TRY(nf_json_parse(&line, at, (size_t)(stop - at), path, number, err));
        nerfit_status status = read(user, line, number, err);
        json_decref(line);
        if (status != NERFIT_OK) {
            if (err && !err->line) return nf_fail_within(err, status, "%s:%ld", path, number);
            return status;
        }
    }
    return NERFIT_OK;
}

nerfit_status nf_lines_load(const char *path, nf_line_function *read, void *user,
                            nerfit_error *err) {
    nf_file file;
    NF_TRY(nf_file_open(&file, path, err));
    nerfit_status status = nf_lines_read(path, file.data, file.size, read, user, err);
    nf_file_close(&file);
    return status;
}

/* The last line has no end: it is whole all the same (somebody's editor), or torn. */
static nerfit_status mend_tail(nf_journal *j, const char *data, size_t size, size_t *torn,
                               nerfit_error *err) {
    const char *newline = size ? memrchr(data, '\n', size) : NULL;
    size_t whole = newline ? (size_t)(newline - data) + 1 : 0;
    json_t *line = NULL;
    *torn = 0;
    if (whole == size) return NERFIT_OK;
    if (nf_json_parse(&line, data + whole, size - whole, j->path, 0, NULL) == NERFIT_OK &&
        json_is_object(line)) {
        json_decref(line);
        return nf_write_all(j->fd, "\n", 1) ? NERFIT_OK : failed(err, j, "written");
    }
    json_decref(line);
    *torn = size - whole;
    if (ftruncate(j->fd, (off_t)whole) != 0) return failed(err, j, "shortened");
    return NERFIT_OK;
}

nerfit_status nf_journal_open(nf_journal *j, const char *folder, const char *name,
                              nf_line_function *read, void *user, size_t *torn, nerfit_error *err) {
    nf_str path = {0};
    nf_file file;
    struct stat info;
    nf_str_appendf(&path, "%s/%s", folder, name);
    if (path.failed) return nf_no_memory(err, 0);
    j->path = path.data;
    j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (j->fd < 0) return failed(err, j, "opened");
    NF_TRY(nf_file_open(&file, j->path, err));
    nerfit_status status = mend_tail(j, file.data, file.size, torn, err);
    if (status == NERFIT_OK)
        status = nf_lines_read(j->path, file.data, file.size - *torn, read, user, err);
    nf_file_close(&file);
    if (status != NERFIT_OK) return status;
    if (fstat(j->fd, &info) != 0) return failed(err, j, "read");
    if (!(j->size = info.st_size)) nf_directory_sync(folder);
    return NERFIT_OK;
}

void nf_journal_close(nf_journal *j) {
    if (j->fd >= 0) close(j->fd);
    free(j->path);
    *j = (nf_journal){.fd = -1};
}

nerfit_status nf_journal_append(nf_journal *j, const nf_str *lines, nerfit_error *err) {
    if (lines->failed) return nf_no_memory(err, 0);
    if (j->broken)
        return nf_fail_at(err, NERFIT_IO, j->path, 0, 0,
                          "a write failed half way; start the service again, which drops the "
                          "incomplete line");
    if (!lines->length) return NERFIT_OK;
    if (nf_write_all(j->fd, lines->data, lines->length) && fsync(j->fd) == 0) {
        j->size += (off_t)lines->length;
        return NERFIT_OK;
    }
    nerfit_status status = failed(err, j, "written");
    j->broken = ftruncate(j->fd, j->size) != 0;
    return status;
}

void nf_lines_append(nf_str *lines, const json_t *value) {
    char *text = value ? nf_json_text(value, 0) : NULL;
    if (!text) {
        lines->failed = true;
        return;
    }
    nf_str_append_text(lines, text);
    nf_str_append_char(lines, '\n');
    free(text);
}

nerfit_status nf_lines_save(const char *lines, size_t size, const char *folder, const char *name,
                            nerfit_error *err) {
    nf_str path = {0};
    nf_str_appendf(&path, "%s/%s", folder, name);
    nerfit_status status =
        path.failed ? nf_no_memory(err, 0) : nf_file_write(path.data, lines, size, err);
    nf_str_free(&path);
    return status;
}
