/* A window of documents at a time: enough for batches of similar length. */
#include "infer/tag_corpus.h"

nerfit_status nf_tag_corpus(nf_tagger *tagger, const nf_corpus *corpus, nf_tagged_visit visit,
                            void *user, nerfit_error *err) {
    enum { WINDOW = 256 };
    nf_text texts[WINDOW];
    nf_tagged tagged[WINDOW];
    for (size_t first = 0; first < corpus->n_documents; first += WINDOW) {
        size_t count = corpus->n_documents - first < WINDOW ? corpus->n_documents - first : WINDOW;
        const nf_document *documents = corpus->documents + first;
        for (size_t i = 0; i < count; i++)
            texts[i] = (nf_text){documents[i].text, documents[i].text_size};
        NF_TRY(nf_tagger_tag(tagger, texts, count, tagged, err));
        for (size_t i = 0; i < count; i++) NF_TRY(visit(user, &documents[i], &tagged[i], err));
    }
    return NERFIT_OK;
}
