/* Tagging a corpus: every document once and in order, with what the tagger says of it alone. */
#include "tiny_model.h"

#include "infer/tag_corpus.h"
#include "tensor/backends.h"

static nerfit_error error;

/* More than two windows of documents, each of another length than its neighbours. */
enum { DOCUMENTS = 600, MOST_TOKENS = 16 };

typedef struct visited {
    const nf_document *documents;
    size_t count, stop; /* stop: the visit of that document fails; 0: none */
    int32_t labels[DOCUMENTS][MOST_TOKENS];
    size_t n_tokens[DOCUMENTS];
} visited;

static nerfit_status visit(void *user, const nf_document *document, const nf_tagged *tagged,
                           nerfit_error *err) {
    visited *v = user;
    assert_ptr_equal(document, &v->documents[v->count]);
    assert_in_range(tagged->n_tokens, 1, MOST_TOKENS);
    for (size_t i = 0; i < tagged->n_tokens; i++) v->labels[v->count][i] = tagged->tokens[i].label;
    v->n_tokens[v->count++] = tagged->n_tokens;
    return v->count == v->stop ? nf_fail(err, NERFIT_IO, "enough") : NERFIT_OK;
}

static void fill(nf_corpus *corpus) {
    for (size_t i = 0; i < DOCUMENTS; i++) {
        char text[256] = "";
        for (size_t w = 0; w <= i % 11; w++) {
            strcat(text, tiny_words[(i + 3 * w) % 15]);
            strcat(text, " ");
        }
        const nf_given_document given = {.text = text, .text_size = strlen(text)};
        assert_ok(nf_corpus_add(corpus, &given, NULL, &error), &error);
    }
}

static void test_all(void **state) {
    (void)state;
    char folder[64];
    nf_backend *be;
    nf_model *model;
    nf_tagger *tagger;
    nf_rules rules;
    const nf_tagging_call call = {.rules = &rules};
    nf_corpus corpus = {0};
    make_tiny_model(temporary_folder(folder), true);
    assert_ok(nf_backend_ref(&be, sizeof(float), &error), &error);
    assert_ok(nf_model_load(&model, folder, be, NULL, &error), &error);
    assert_ok(nf_network_prepare(&model->net, false, &error), &error);
    assert_ok(nf_tagger_new(&tagger, model, be, &error), &error);
    assert_ok(nf_rules_make(&rules, model, NF_DECODE_AUTO, &error), &error);
    fill(&corpus);

    visited *v = calloc(1, sizeof *v);
    assert_non_null(v);
    v->documents = corpus.documents;
    assert_ok(nf_tag_corpus(tagger, &call, &corpus, visit, v, &error), &error);
    assert_int_equal(v->count, DOCUMENTS);
    for (size_t i = 0; i < DOCUMENTS; i++) {
        const nf_text text = {corpus.documents[i].text, corpus.documents[i].text_size};
        nf_tagged tagged;
        assert_ok(nf_tagger_tag(tagger, &call, &text, 1, &tagged, &error), &error);
        assert_int_equal(tagged.n_tokens, v->n_tokens[i]);
        for (size_t t = 0; t < tagged.n_tokens; t++)
            if (tagged.tokens[t].label != v->labels[i][t])
                fail_msg("document %zu, token %zu", i, t);
    }
    *v = (visited){.documents = corpus.documents, .stop = 257};
    assert_int_equal(nf_tag_corpus(tagger, &call, &corpus, visit, v, &error), NERFIT_IO);
    assert_string_equal(error.text, "enough");
    assert_int_equal(v->count, 257);
    const nf_corpus none = {0};
    assert_ok(nf_tag_corpus(tagger, &call, &none, visit, NULL, &error), &error);

    free(v);
    nf_corpus_free(&corpus);
    nf_tagger_free(tagger);
    nf_rules_free(&rules);
    nf_model_free(model);
    be->free(be);
    nf_directory_remove(folder, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
