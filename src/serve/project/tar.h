/* Folders as tar files (ustar: POSIX.1-1988, IEEE Std 1003.1), for downloads. */
#ifndef NF_SERVE_PROJECT_TAR_H
#define NF_SERVE_PROJECT_TAR_H

#include "nerfit.h"

/* A folder's files, and those of folders in it, under NAME/. *fd is a file that has no name, read from
 * its beginning; *size: its bytes. `near`: a folder for it to be in. */
nerfit_status nf_tar_folder(const char *folder, const char *name, const char *near, int *fd,
                            uint64_t *size, nerfit_error *err);

#endif
