/* Tagging a whole corpus of documents, whatever is done with them. */
#ifndef NF_INFER_TAG_CORPUS_H
#define NF_INFER_TAG_CORPUS_H

#include "infer/tagger.h"

/* What is done with one document; `tagged` holds until the visit returns. An error ends it all. */
typedef nerfit_status (*nf_tagged_visit)(void *user, const nf_document *document,
                                         const nf_tagged *tagged, nerfit_error *err);

/* Visits all documents in their order, however many they are, in the memory of a few. */
nerfit_status nf_tag_corpus(nf_tagger *tagger, const nf_tagging_call *call, const nf_corpus *corpus,
                            nf_tagged_visit visit, void *user, nerfit_error *err);

#endif
