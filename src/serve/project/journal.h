/* A file of JSON lines that only grows. What was added stays whatever happens to the process: a line
 * is on the disk before anyone is told so, and one that a killed process left half written is taken
 * away when the file is opened again. */
#ifndef NF_SERVE_PROJECT_JOURNAL_H
#define NF_SERVE_PROJECT_JOURNAL_H

#include "base/json.h"
#include "base/str.h"

typedef struct nf_journal {
    char *path;
    int fd;      /* -1: not open */
    off_t size;  /* of what is complete */
    bool broken; /* a write failed, and what it left could not be taken away */
} nf_journal;

/* ---- lines of JSON */

typedef nerfit_status nf_line_function(void *user, const json_t *line, long number,
                                       nerfit_error *err);
/* Hands each line that is not empty, parsed, to `read`, whose errors end it; `path` is for messages. */
nerfit_status nf_lines_read(const char *path, const char *data, size_t size, nf_line_function *read,
                            void *user, nerfit_error *err);
/* The same of a file. */
nerfit_status nf_lines_load(const char *path, nf_line_function *read, void *user,
                            nerfit_error *err);
/* A value as a line. */
void nf_lines_append(nf_str *lines, const json_t *value);
/* Makes a file of them. */
nerfit_status nf_lines_save(const char *lines, size_t size, const char *folder, const char *name,
                            nerfit_error *err);

/* ---- a file that grows */

/* Zero-initialise with fd = -1. Opens or makes the file and reads its lines. *torn: bytes of an incomplete last line that was dropped. */
nerfit_status nf_journal_open(nf_journal *journal, const char *folder, const char *name,
                              nf_line_function *read, void *user, size_t *torn, nerfit_error *err);
void nf_journal_close(nf_journal *journal);
/* Adds whole lines (each with its line end), all or none, and waits until they are on the disk. */
nerfit_status nf_journal_append(nf_journal *journal, const nf_str *lines, nerfit_error *err);

#endif
