/* Files that torch.save writes: pytorch_model.bin, adapter_model.bin. No code of them is run
 * (pickle.h). Both forms are read: the zip archive of torch 1.6 and later, and the pickles one after
 * another of the versions before it. */
#ifndef NF_TENSOR_TORCH_FILE_H
#define NF_TENSOR_TORCH_FILE_H

#include "base/arena.h"
#include "base/file.h"
#include "tensor/stored.h"

/* Whether a file's first bytes are those of such a file. */
bool nf_torch_file_is(const nf_file *file);

typedef struct nf_torch_reader {
    nf_arena *arena; /* for names, and for values that are not contiguous in the file */
    const char *path;
    /* Called for each tensor of the state dict, whose data lie in the file or the arena. */
    nerfit_status (*tensor)(void *user, const nf_stored *stored, nerfit_error *err);
    void *user;
    const char *note; /* filled: what was done to the names; NULL: nothing */
} nf_torch_reader;

/* A state dict may stand inside another dict ("state_dict", "model", "module"), and its names may begin
 * with what torch.compile and DataParallel put before them ("_orig_mod.", "module."), which is taken
 * away. */
nerfit_status nf_torch_file_read(nf_torch_reader *reader, const nf_file *file, nerfit_error *err);

#endif
