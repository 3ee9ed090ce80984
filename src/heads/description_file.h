/* What pre-training leaves beside an encoder (or an adapter of one): description_head.safetensors,
 * which transformers ignores. It holds the description head's shared part,
 *
 *     projection [S,C], shared [3,C] (o, u_B, u_I), shared_bias [3]
 *
 * and in its metadata "sentence_encoder": the folder of the encoder that embedded the descriptions
 * (relative ones count from the file's folder; "" if it was not known). Loading the folder without
 * this file is plain fine-tuning. */
#ifndef NF_HEADS_DESCRIPTION_FILE_H
#define NF_HEADS_DESCRIPTION_FILE_H

#include "heads/description_head.h"

/* Whether a folder has the file. */
bool nf_description_file_exists(const char *folder);
/* The folder's file. */
nerfit_status nf_description_file_open(nf_safetensors **out, const char *folder, nerfit_error *err);
/* The sentence encoder's folder, in the arena; NULL: unknown or out of memory. */
const char *nf_description_file_encoder(const nf_safetensors *file, const char *folder,
                                        nf_arena *arena);

#endif
