/* Missing memory while models and sentence encoders are loaded and used: see oom.h. */
#include "oom.h"

#include "model/adapter.h"
#include "model/sentence.h"
#include "tensor/backends.h"

static nf_backend *be;

static nerfit_status embed(nerfit_error *err) {
    static const char *const texts[] = {"the cat sat", "a dog ran on the road"};
    nf_sentence_encoder *encoder;
    float embeddings[2 * 64];
    nerfit_status status =
        nf_sentence_encoder_load(&encoder, "tests/golden/sentence-prompt", be, NULL, err);
    if (status != NERFIT_OK) {
        assert_null(encoder);
        return status;
    }
    assert_int_equal(encoder->size, 64);
    status = nf_sentence_encoder_encode(encoder, be, texts, 2, true, embeddings, NULL, err);
    nf_sentence_encoder_free(encoder);
    return status;
}

static nerfit_status load_chain(nerfit_error *err) {
    nf_sentence_encoder *encoder;
    nerfit_status status =
        nf_sentence_encoder_load(&encoder, "tests/golden/sentence-distilbert", be, NULL, err);
    nf_sentence_encoder_free(encoder);
    return status;
}

static nerfit_status load_adapter(nerfit_error *err) {
    nf_model *model;
    nerfit_status status = nf_model_load(&model, "tests/golden/albert/adapter-dora", be, NULL, err);
    if (status != NERFIT_OK) {
        assert_null(model);
        return status;
    }
    status = nf_adapter_merge(model, err);
    nf_model_free(model);
    return status;
}

static void test_models(void **state) {
    (void)state;
    nerfit_error err;
    assert_ok(nf_backend_ref(&be, sizeof(float), &err), &err);
    assert_true(oom_try_all("embeddings", embed, OOM_OUTSIDE_PARSER) > 40);
    assert_true(oom_try_all("Dense", load_chain, OOM_OUTSIDE_PARSER) > 40);
    assert_true(oom_try_all("adapter", load_adapter, OOM_OUTSIDE_PARSER) > 40);
    be->free(be);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
