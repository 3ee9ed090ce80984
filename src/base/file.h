/* Files: whole ones mapped read-only, and writes that are never seen half done. */
#ifndef NF_BASE_FILE_H
#define NF_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/* A file's content; an empty file has size 0 and a valid non-NULL data pointer. */
typedef struct nf_file {
    const char *data;
    size_t size;
    void *own;     /* the memory it was read into; NULL: none */
    void *mapping; /* NULL if nothing is mapped */
    /* which file it was, and when it was written: equal numbers, equal content */
    uint64_t device, number, seconds, nanoseconds;
} nf_file;

/* Reads it into memory: for what is parsed once. A file that becomes shorter meanwhile is an error. */
nerfit_status nf_file_open(nf_file *file, const char *path, nerfit_error *err);
/* Maps it: for weights, which stay where they are. Whoever has used its data asks nf_file_check
 * whether they were there (base/mapping.h). */
nerfit_status nf_file_map(nf_file *file, const char *path, nerfit_error *err);
/* An error if pages of a mapped file were lost since nf_file_map; `path` for the message. */
nerfit_status nf_file_check(const nf_file *file, const char *path, nerfit_error *err);
void nf_file_close(nf_file *file);
/* Whether both hold the same: one file on the disk, unchanged between the two, or the same bytes. */
bool nf_file_same(const nf_file *a, const nf_file *b);
/* Gives the mapping's pages back to the system; they are read again when they are used again. */
void nf_file_forget(const nf_file *file);

/* Writes all to a descriptor, in as many calls as it takes; false, with errno, at the first failure. */
bool nf_write_all(int fd, const void *data, size_t size);

bool nf_file_exists(const char *path);
/* Whether the folder has a file of that name; takes no memory, so that "no" means no. */
bool nf_file_exists_in(const char *folder, const char *name);
bool nf_directory_exists(const char *path);
/* Makes the folder and its parents; existing ones are fine. */
nerfit_status nf_directory_make(const char *path, nerfit_error *err);
/* Removes a folder with all it holds; a missing one is fine. Of a symbolic link, to a folder or in
 * one, only the link itself goes. */
nerfit_status nf_directory_remove(const char *path, nerfit_error *err);
/* A missing file is fine. */
nerfit_status nf_file_remove(const char *path, nerfit_error *err);
/* Renames and syncs the parent folder. */
nerfit_status nf_file_rename(const char *from, const char *to, nerfit_error *err);
/* A file that is new in the folder is there for good afterwards; where a file system refuses to sync
 * folders, nothing. */
void nf_directory_sync(const char *path);
/* Keeps others out of a folder that a process works in, until nf_directory_unlock or the process's
 * end; *held is false if another process, or another call in this one, has it. A file system without
 * locks lets everybody in. */
nerfit_status nf_directory_lock(const char *path, int *lock, bool *held, nerfit_error *err);
void nf_directory_unlock(int lock); /* -1 is fine */
/* Puts the folder `from` in the place of the folder `to`, if there is one, and removes that. There
 * is always one of both at `to`: they are exchanged at once. A file system that cannot exchange has
 * the old one under another name for a moment; nf_directory_recover then finds it. */
nerfit_status nf_directory_replace(const char *from, const char *to, nerfit_error *err);
/* After a process was killed in nf_directory_replace: brings back the old folder, or removes it if
 * the new one is there. */
nerfit_status nf_directory_recover(const char *path, nerfit_error *err);

/* The name under which something is written that is to appear whole at `path`:
 * "PATH.nerfit-<pid>-<8 random hexadecimal digits>"; NULL when out of memory. */
char *nf_path_unfinished(nf_arena *arena, const char *path);
/* Writes to a new file of such a name, syncs, renames, syncs the folder: a killed process leaves
 * the old file or the new one. Symbolic links stay, and the file they lead to is replaced; mode and
 * owner of a file that is there are kept. Devices, FIFOs and /dev/stdout are written to as they
 * are. */
typedef struct nf_file_writer nf_file_writer;
nerfit_status nf_file_writer_open(nf_file_writer **writer, const char *path, nerfit_error *err);
nerfit_status nf_file_writer_write(nf_file_writer *writer, const void *data, size_t size,
                                   nerfit_error *err);
/* The descriptor of the file that is being written. */
int nf_file_writer_descriptor(const nf_file_writer *writer);
/* Commits and frees the writer, also on failure. */
nerfit_status nf_file_writer_commit(nf_file_writer *writer, nerfit_error *err);
/* Removes the temporary file and frees the writer; NULL is fine. */
void nf_file_writer_abort(nf_file_writer *writer);

nerfit_status nf_file_write(const char *path, const void *data, size_t size, nerfit_error *err);
/* Removes what killed processes left of writing `path`, a file or a folder, but not that of another
 * process that is there. This one must not be writing it. */
nerfit_status nf_file_remove_unfinished(const char *path, nerfit_error *err);
/* The same for whatever was being written in the folder, and for ".NAME.tmp" and
 * ".NAME.tmp-<pid>", as earlier versions called folders. A missing folder is fine. */
nerfit_status nf_directory_remove_unfinished(const char *folder, nerfit_error *err);

/* "folder/name" in the arena; `name` alone if it is absolute or `folder` is empty. */
char *nf_path_join(nf_arena *arena, const char *folder, const char *name);
/* The folder of a path ("." if it has none). */
char *nf_path_parent(nf_arena *arena, const char *path);
/* Whether the path ends in `ending` (such as ".jsonl"), ASCII case ignored. */
bool nf_path_has_ending(const char *path, const char *ending);

#endif
