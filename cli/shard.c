#include "shard.h"

#include "number.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD ".nerfit-predict"

/* What has been done. */
typedef struct tally {
    size_t written, there, hidden;
} tally;

static int io_fail(const char *path, const char *what) {
    fprintf(stderr, "nerfit: error: %s: cannot be %s: %s\n", path, what, strerror(errno));
    return FAILED;
}

/* ---------------------------------------------------------------- hashes (FNV-1a, 64 bits) */

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static const uint64_t HASH_BEGIN = UINT64_C(0xcbf29ce484222325);

static bool hash_file(uint64_t *hash, const char *path) {
    static unsigned char buffer[1 << 16];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : 0;
    while (fd >= 0 && (got = read(fd, buffer, sizeof buffer)) > 0)
        *hash = hash_bytes(*hash, buffer, (size_t)got);
    if (fd >= 0) close(fd);
    return got == 0;
}

static int by_name(const FTSENT **a, const FTSENT **b) {
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Of the files right in a folder (a model's are), or of a file. */
static bool hash_path(uint64_t *hash, const char *path) {
    char *paths[] = {(char *)(uintptr_t)path, NULL};
    FTS *tree = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    bool good = tree != NULL;
    for (FTSENT *e; tree && good && (e = fts_read(tree));) {
        if (e->fts_info == FTS_D && e->fts_level > 0) fts_set(tree, e, FTS_SKIP);
        if (e->fts_info != FTS_F) continue;
        *hash = hash_bytes(*hash, e->fts_name, e->fts_level ? e->fts_namelen : 0);
        good = hash_file(hash, e->fts_path);
    }
    if (tree) fts_close(tree);
    return good;
}

bool cli_record_add(char *text, size_t size, const char *name, const char *value) {
    size_t used = strlen(text);
    if (!value) return true;
    int n = snprintf(text + used, size - used, "%s: %s", name, value);
    struct stat info;
    if (n < 0 || (size_t)n >= size - used) return false;
    if (stat(value, &info) == 0 && (S_ISDIR(info.st_mode) || S_ISREG(info.st_mode))) {
        uint64_t hash = HASH_BEGIN;
        if (!hash_path(&hash, value)) return false;
        used += (size_t)n;
        n = snprintf(text + used, size - used, " (hash %016llx)", (unsigned long long)hash);
        if (n < 0 || (size_t)n >= size - used) return false;
    }
    used += (size_t)n;
    if (size - used < 2) return false;
    strcpy(text + used, "\n");
    return true;
}

/* ---------------------------------------------------------------- the record */

static char *read_text(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = file ? calloc(1, 1 << 16) : NULL;
    if (text && fread(text, 1, (1 << 16) - 1, file) == 0 && ferror(file)) {
        free(text);
        text = NULL;
    }
    if (file) fclose(file);
    return text;
}

static int write_record(const cli_shards *s, const char *path) {
    nerfit_output *output;
    nerfit_error error;
    if (nerfit_output_open(&output, path, &error) != NERFIT_OK) return cli_fail(&error);
    size_t size = strlen(s->record);
    if (write(nerfit_output_descriptor(output), s->record, size) != (ssize_t)size) {
        nerfit_output_abort(output);
        return io_fail(path, "written");
    }
    return nerfit_output_commit(output, &error) == NERFIT_OK ? DONE : cli_fail(&error);
}

/* The folder holds nothing that another model or other options made. */
static int check_record(const cli_shards *s) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/" RECORD, s->output) >= (int)sizeof path)
        return cli_usage(s->self, "%s: the name is too long", s->output);
    char *old = read_text(path);
    if (!old) return errno == ENOENT ? write_record(s, path) : io_fail(path, "read");
    int status = DONE;
    if (strcmp(old, s->record) != 0) {
        fprintf(stderr,
                "nerfit: error: %s: holds what another call made; give another --output, or remove "
                "it. It was:\n%sThis is:\n%s",
                s->output, old, s->record);
        status = FAILED;
    }
    free(old);
    return status;
}

/* ---------------------------------------------------------------- pieces */

/* The folders that lead to a path. */
static int make_folders(char *path) {
    for (char *at = path + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        bool made = mkdir(path, 0777) == 0 || errno == EEXIST;
        if (!made) io_fail(path, "made");
        *at = '/';
        if (!made) return FAILED;
    }
    return DONE;
}

/* Bytes from..from+size-1 of a file into a file that appears whole. */
static int tag_piece(const cli_shards *s, tally *t, const char *in, char *to, int64_t from,
                     int64_t size) {
    nerfit_error error;
    nerfit_output *output;
    if (access(to, F_OK) == 0) return t->there++, DONE;
    int status = make_folders(to);
    cli_piece piece = {.size = size, .in = in};
    if (status == DONE) status = cli_open(&piece.file, in);
    if (status != DONE) return status;
    if (lseek(piece.file.fd, from, SEEK_SET) < 0)
        status = io_fail(in, "read");
    else if (nerfit_output_open(&output, to, &error) != NERFIT_OK)
        status = cli_fail(&error);
    else {
        piece.output = nerfit_output_descriptor(output);
        status = s->tag(s->user, &piece);
        if (status != DONE)
            nerfit_output_abort(output);
        else if (nerfit_output_commit(output, &error) != NERFIT_OK)
            status = cli_fail(&error);
        else
            t->written++;
    }
    close(piece.file.fd);
    return status;
}

/* Where the first line begins at or behind `at`; -1: it cannot be read. */
static int64_t line_from(int fd, int64_t at, int64_t size) {
    char buffer[1 << 13];
    if (at <= 0 || at >= size) return at <= 0 ? 0 : size;
    for (int64_t place = at - 1; place < size;) {
        ssize_t got = pread(fd, buffer, sizeof buffer, place);
        if (got <= 0) return got < 0 ? -1 : size;
        char *end = memchr(buffer, '\n', (size_t)got);
        if (end) return place + (end - buffer) + 1;
        place += got;
    }
    return size;
}

static int64_t part_of(int64_t size, uint64_t number, uint64_t count) {
    return (int64_t)((unsigned __int128)(uint64_t)size * number / count);
}

static int tag_lines(const cli_shards *s, tally *t, int64_t size) {
    const char *slash = strrchr(s->input, '/');
    unsigned char mark[2] = {0};
    char to[PATH_MAX];
    int fd = open(s->input, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return io_fail(s->input, "opened");
    int64_t from = line_from(fd, part_of(size, s->number - 1, s->count), size);
    int64_t end = line_from(fd, part_of(size, s->number, s->count), size);
    bool wide = pread(fd, mark, 2, 0) == 2 && mark[0] + mark[1] == 0xFF + 0xFE && mark[0] >= 0xFE;
    close(fd);
    if (from < 0 || end < 0) return io_fail(s->input, "read");
    if (wide && s->count > 1)
        return cli_usage(s->self, "%s is UTF-16, which --shard does not divide: convert it first",
                         s->input);
    int width = snprintf(NULL, 0, "%llu", (unsigned long long)s->count);
    if (snprintf(to, sizeof to, "%s/%s.%0*llu-of-%llu%s", s->output, slash ? slash + 1 : s->input,
                 width, (unsigned long long)s->number, (unsigned long long)s->count,
                 s->ending) >= (int)sizeof to)
        return cli_usage(s->self, "%s: the name is too long", s->output);
    return tag_piece(s, t, s->input, to, from, end - from);
}

/* A file of the folder, if it is this shard's. */
static int tag_file(const cli_shards *s, tally *t, const FTSENT *e) {
    const char *relative = e->fts_path + strlen(s->input);
    char to[PATH_MAX];
    while (*relative == '/') relative++;
    if (hash_bytes(HASH_BEGIN, relative, strlen(relative)) % s->count != s->number - 1) return DONE;
    if (snprintf(to, sizeof to, "%s/%s%s", s->output, relative, s->ending) >= (int)sizeof to)
        return cli_usage(s->self, "%s: the name is too long", relative);
    return tag_piece(s, t, e->fts_path, to, 0, INT64_MAX);
}

static bool same_file(const FTSENT *e, const struct stat *other) {
    return e->fts_statp->st_ino == other->st_ino && e->fts_statp->st_dev == other->st_dev;
}

static int tag_folder(const cli_shards *s, tally *t) {
    char *paths[] = {(char *)(uintptr_t)s->input, NULL};
    struct stat out = {0};
    if (stat(s->output, &out) != 0) return io_fail(s->output, "opened");
    FTS *tree = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    int status = tree ? DONE : io_fail(s->input, "opened");
    for (FTSENT *e; status == DONE && (errno = 0, e = fts_read(tree));) {
        bool hidden = e->fts_level > 0 && e->fts_name[0] == '.';
        if (e->fts_info == FTS_D && (hidden || same_file(e, &out))) { /* the output lies inside */
            t->hidden += hidden;
            fts_set(tree, e, FTS_SKIP);
        } else if (e->fts_info == FTS_F && hidden)
            t->hidden++;
        else if (e->fts_info == FTS_F)
            status = tag_file(s, t, e);
        else if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS ||
                 e->fts_info == FTS_SLNONE)
            errno = e->fts_errno ? e->fts_errno : ENOENT, status = io_fail(e->fts_path, "read");
    }
    if (status == DONE && errno) status = io_fail(s->input, "read");
    if (tree) fts_close(tree);
    return status;
}

/* ---------------------------------------------------------------- all of it */

int cli_shards_parse(const command *self, const char *text, cli_shards *s) {
    s->number = s->count = 1;
    if (!text) return -1;
    char part[32], *slash;
    int n = snprintf(part, sizeof part, "%s", text);
    if (n >= (int)sizeof part || !(slash = strchr(part, '/')))
        return cli_usage(self, "--shard %s: expected I/N, I from 1 to N, such as 3/8", text);
    *slash = '\0';
    int status = cli_whole(self, "--shard", slash + 1, 1, 1000000000, &s->count);
    return status < 0 ? cli_whole(self, "--shard", part, 1, s->count, &s->number) : status;
}

int cli_shards_run(const cli_shards *s) {
    struct stat info;
    tally t = {0};
    if (stat(s->input, &info) != 0) return io_fail(s->input, "opened");
    bool folder = S_ISDIR(info.st_mode);
    if (!folder && !S_ISREG(info.st_mode))
        return cli_usage(s->self, "--shard takes a file or a folder; %s is neither", s->input);
    if (!folder && !s->lines && s->count > 1)
        return cli_usage(s->self, "--shard divides files of lines (--from text, jsonl); of other "
                                  "formats it takes a folder of files");
    char output[PATH_MAX];
    if (snprintf(output, sizeof output, "%s/", s->output) >= (int)sizeof output)
        return cli_usage(s->self, "%s: the name is too long", s->output);
    int status = make_folders(output);
    if (status == DONE) status = check_record(s);
    if (status == DONE) status = folder ? tag_folder(s, &t) : tag_lines(s, &t, info.st_size);
    if (!s->quiet) {
        fprintf(stderr, "shard %llu/%llu: %zu files written, %zu were there\n",
                (unsigned long long)s->number, (unsigned long long)s->count, t.written, t.there);
        if (t.hidden) fprintf(stderr, "%zu hidden files and folders were left out\n", t.hidden);
    }
    return status;
}
