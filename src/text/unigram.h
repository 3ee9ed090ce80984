/* Unigram's own scratch: the best paths through a word, and the words seen lately. */
#ifndef NF_TEXT_UNIGRAM_H
#define NF_TEXT_UNIGRAM_H

typedef struct nf_unigram_scratch nf_unigram_scratch;

void nf_unigram_scratch_free(nf_unigram_scratch *scratch);

#endif
