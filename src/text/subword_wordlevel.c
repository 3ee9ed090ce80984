/* WordLevel: a word is a token of the vocabulary, or unknown. */
#include <string.h>

#include "text/subword.h"

typedef struct wordlevel {
    nf_subword_model base;
    int32_t unknown; /* -1: not in the vocabulary */
    const char *unknown_token;
} wordlevel;

static nerfit_status wordlevel_tokenize(const nf_subword_model *self, nf_work *work,
                                        const nf_pre_token *token, nf_encoding *out,
                                        nerfit_error *err) {
    (void)work;
    const wordlevel *w = (const wordlevel *)self;
    int32_t id = nf_vocabulary_id(&self->vocabulary, token->bytes, token->length);
    if (id < 0) id = w->unknown;
    if (id < 0)
        return nf_fail(err, NERFIT_FORMAT,
                       "the text has a word that is no token, and the vocabulary has no \"%s\"",
                       w->unknown_token);
    nf_encoding_push(out, id, token->offset, token->offset + token->length, token->index);
    return NERFIT_OK;
}

nerfit_status nf_subword_wordlevel_load(void **out, const json_t *json, nf_load *load) {
    static const char what[] = "model WordLevel";
    NF_TRY(nf_component_new(out, sizeof(wordlevel), load));
    wordlevel *w = *out;
    w->base.tokenize = wordlevel_tokenize;
    load->byte_level = false;
    NF_TRY(nf_field_text(&w->unknown_token, json, "unk_token", NULL, what, load));
    if (!w->unknown_token)
        return nf_fail_at(load->err, NERFIT_FORMAT, load->file, 0, 0, "%s: \"unk_token\" is needed",
                          what);
    NF_TRY(nf_vocabulary_load(&w->base.vocabulary, NF_TABLE_IDS, what, load));
    w->unknown = nf_vocabulary_id(&w->base.vocabulary, w->unknown_token, strlen(w->unknown_token));
    return NERFIT_OK;
}
