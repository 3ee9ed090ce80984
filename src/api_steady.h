/* Loading a folder as it is at one moment, though others may put another in its place meanwhile. */
#ifndef NF_API_STEADY_H
#define NF_API_STEADY_H

#include "nerfit.h"

/* What loads a folder, and what undoes that; both get `user`. */
typedef struct nf_folder_loader {
    nerfit_status (*load)(void *user, const char *folder, nerfit_error *error);
    void (*undo)(void *user);
    void *user;
} nf_folder_loader;

/* A symbolic link is followed once, so that all files are those of the folder it led to. If files of
 * the folder, or the folder itself, were exchanged while it was loaded, it is loaded again, up to three
 * times; then the error says so. */
nerfit_status nf_folder_load(const nf_folder_loader *loader, const char *folder,
                             nerfit_error *error);

#endif
