/* Tokenizers that several models have in common: of folders whose tokenizer files are the same, byte by
 * byte, one is loaded. It names the folder that it was read from, the first one. Threads may load at
 * once. */
#ifndef NF_TEXT_SHARED_TOKENIZERS_H
#define NF_TEXT_SHARED_TOKENIZERS_H

#include "text/tokenizer.h"

typedef struct nf_shared_tokenizers nf_shared_tokenizers;

nerfit_status nf_shared_tokenizers_new(nf_shared_tokenizers **out, nerfit_error *err);
/* What models hold lives on. */
void nf_shared_tokenizers_free(nf_shared_tokenizers *shared);
/* As nf_tokenizer_load, of a folder; the caller must not change it. Ends with nf_tokenizer_free. */
nerfit_status nf_shared_tokenizers_load(nf_shared_tokenizers *shared, nf_tokenizer **out,
                                        const char *folder, nerfit_error *err);

#endif
