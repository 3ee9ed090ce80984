#include "api_steady.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/str.h"

/* Renaming a file into a folder, removing one and making one change the folder's own time. */
typedef struct folder_state {
    bool is_there;
    dev_t device;
    ino_t number;
    struct timespec changed;
} folder_state;

static folder_state state_of(const char *folder) {
    struct stat info;
    if (stat(folder, &info) != 0) return (folder_state){0};
    return (folder_state){true, info.st_dev, info.st_ino, info.st_mtim};
}

static bool same_state(const folder_state *a, const folder_state *b) {
    return a->is_there == b->is_there && a->device == b->device && a->number == b->number &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Where a link leads now; the folder itself if it is none. NULL when out of memory. */
static char *followed(const char *folder) {
    struct stat info;
    char *target = NULL;
    if (lstat(folder, &info) == 0 && S_ISLNK(info.st_mode)) target = realpath(folder, NULL);
    return target ? target : strdup(folder);
}

/* In place of every `path` in a text of [size] bytes, what the caller named. */
static void put_name(char *text, size_t size, const char *path, const char *name) {
    nf_str out = {0};
    const char *at = text, *found;
    for (; (found = strstr(at, path)) != NULL; at = found + strlen(path)) {
        nf_str_append(&out, at, (size_t)(found - at));
        nf_str_append_text(&out, name);
    }
    nf_str_append_text(&out, at);
    if (!out.failed) snprintf(text, size, "%s", nf_str_text(&out));
    nf_str_free(&out);
}

/* Messages have the caller's name of the folder, not what a link leads to. */
static void name_as_given(nerfit_error *error, const char *path, const char *folder) {
    if (!error || strcmp(path, folder) == 0) return;
    put_name(error->text, sizeof error->text, path, folder);
    put_name(error->file, sizeof error->file, path, folder);
}

nerfit_status nf_folder_load(const nf_folder_loader *loader, const char *folder,
                             nerfit_error *error) {
    enum { TRIES = 3 };
    for (int tries = 0; tries < TRIES; tries++) {
        char *path = followed(folder);
        if (!path) return nf_no_memory(error, strlen(folder));
        folder_state before = state_of(path);
        nerfit_status status = loader->load(loader->user, path, error);
        folder_state after = state_of(path);
        if (status != NERFIT_OK) name_as_given(error, path, folder);
        free(path);
        if (same_state(&before, &after)) return status;
        loader->undo(loader->user);
    }
    return nf_fail_at(error, NERFIT_IO, folder, 0, 0,
                      "was changed while it was loaded, %d times: load it again when it is whole",
                      TRIES);
}
