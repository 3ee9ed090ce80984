/* Byte-pair encoding's own scratch: room for the symbols of a word, and the words seen lately. */
#ifndef NF_TEXT_BPE_H
#define NF_TEXT_BPE_H

typedef struct nf_bpe_scratch nf_bpe_scratch;

void nf_bpe_scratch_free(nf_bpe_scratch *scratch);

#endif
