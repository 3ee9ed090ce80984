/* Folders of sentence encoders that are wrong or ask for what is not supported, and what does not
 * show when texts are embedded one at a time (test_interchange compares the values). */
#include "tiny_model.h"

#include <math.h>

#include "model/sentence.h"
#include "tensor/backends.h"

static nerfit_error error;
static nf_backend *be;
static char root[64];

/* A copy of tests/golden/NAME whose file `changed` has other contents (NULL: is not there). */
static const char *copy_of(const char *name, const char *changed, const char *contents) {
    static const char *const files[] = {
        "modules.json",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "vocab.txt",
        "tokenizer_config.json",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "2_Dense/model.safetensors",
        "config_sentence_transformers.json",
        "sentence_bert_config.json",
    };
    static char folder[100];
    char from[300], to[300];
    nf_directory_remove(root, NULL);
    snprintf(folder, sizeof folder, "%s/encoder", root);
    const char *const folders[] = {"", "/encoder", "/encoder/1_Pooling", "/encoder/2_Dense"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(to, sizeof to, "%s%s", root, folders[i]);
        assert_ok(nf_directory_make(to, &error), &error);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(from, sizeof from, "tests/golden/%s/%s", name, files[i]);
        snprintf(to, sizeof to, "%s/%s", folder, files[i]);
        if (strcmp(files[i], changed) == 0 || !nf_file_exists(from)) continue;
        copy_file(from, to);
    }
    snprintf(to, sizeof to, "%s/%s", folder, changed);
    if (contents) write_text(to, contents);
    return folder;
}

#define MODULE(type, path)                                                                         \
    "{\"type\": \"sentence_transformers.models." type "\", \"path\": \"" path "\"}"
#define TRANSFORMER MODULE("Transformer", "")
#define POOLING MODULE("Pooling", "1_Pooling")
#define NORMALIZE MODULE("Normalize", "3_Normalize")
#define DENSE(more) "{\"in_features\": 16, \"out_features\": 12" more "}"

static const struct {
    const char *file, *contents, *expected;
} wrong[] = {
    {"modules.json", "{}", "modules.json:1: expected a list of modules"},
    {"modules.json", "[]", "lists no Transformer module"},
    {"modules.json", "[" TRANSFORMER "]", "lists no Pooling module"},
    {"modules.json", "[{\"path\": \"\"}]", "module 0 has no \"type\""},
    {"modules.json", "[" POOLING "]", "module 0 is Pooling; expected Transformer"},
    {"modules.json", "[" TRANSFORMER ", " NORMALIZE ", " POOLING "]",
     "module 1 is Normalize; expected Pooling"},
    {"modules.json", "[" TRANSFORMER ", " POOLING ", " MODULE("LSTM", "2_LSTM") "]",
     "module LSTM is not supported; known are Transformer, Pooling, Dense, Normalize, Dropout"},
    {"modules.json",
     "[" TRANSFORMER ", " POOLING ", " NORMALIZE ", " NORMALIZE ", " NORMALIZE ", " NORMALIZE
     ", " NORMALIZE ", " NORMALIZE ", " NORMALIZE ", " NORMALIZE ", " NORMALIZE "]",
     "lists more than 8 modules after Pooling"},
    {"1_Pooling/config.json", "{\"pooling_mode\": \"median\"}",
     "pooling mode \"median\" is not supported; known are: cls, max, mean, mean_sqrt_len_tokens, "
     "weightedmean, lasttoken"},
    {"1_Pooling/config.json", "{\"pooling_mode\": [\"cls\", \"cls\"]}", "has \"cls\" twice"},
    {"1_Pooling/config.json", "{\"pooling_mode\": []}", "\"pooling_mode\" names no mode"},
    {"1_Pooling/config.json", "{\"pooling_mode\": 3}", "pooling mode \"(not text)\""},
    {"1_Pooling/config.json", "{\"word_embedding_dimension\": 17}",
     "pools 17 features; the model's hidden states have 16"},
    {"1_Pooling/config.json",
     "{\"pooling_mode_cls_token\": true, \"pooling_mode_max_tokens\": true}",
     "in_features 16 does not fit the 32 features before it"},
    {"1_Pooling/config.json", NULL, "1_Pooling/config.json"},
    {"2_Dense/config.json",
     DENSE(", \"activation_function\": \"torch.nn.modules.activation.LeakyReLU\""),
     "activation_function \"torch.nn.modules.activation.LeakyReLU\" is not supported; expected "
     "torch's Tanh, Identity, ReLU, GELU or SiLU"},
    {"2_Dense/config.json", DENSE(", \"activation_function\": \"my.own.Tanh\""),
     "activation_function \"my.own.Tanh\" is not supported"},
    {"2_Dense/config.json", DENSE(", \"module_input_name\": \"token_embeddings\""),
     "\"module_input_name\": \"token_embeddings\" is not supported; expected "
     "\"sentence_embedding\""},
    {"2_Dense/config.json", DENSE(", \"use_residual\": true"), "has no tensor \"residual.weight\""},
    {"2_Dense/config.json", "{\"in_features\": 8, \"out_features\": 12}",
     "in_features 8 does not fit the 16 features before it"},
    {"2_Dense/config.json", "{\"in_features\": 16, \"out_features\": 0}",
     "out_features should be a whole number"},
    {"2_Dense/config.json", "{\"in_features\": 16, \"out_features\": 13}",
     "tensor \"linear.weight\" has shape [12, 16], expected [13, 16] from the configuration"},
    {"2_Dense/model.safetensors", NULL, "2_Dense"},
    {"config_sentence_transformers.json",
     "{\"prompts\": {\"a\": \"b\"}, \"default_prompt_name\": \"other\"}",
     "\"default_prompt_name\" is \"other\", which \"prompts\" does not have"},
};

static void test_errors(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        nf_sentence_encoder *encoder = NULL;
        const char *folder = copy_of("sentence-cls", wrong[i].file, wrong[i].contents);
        assert_int_not_equal(nf_sentence_encoder_load(&encoder, folder, be, NULL, &error),
                             NERFIT_OK);
        assert_null(encoder);
        if (!strstr(error.text, wrong[i].expected) || !strstr(error.text, folder))
            fail_msg("%s %s: error is \"%s\", expected \"%s\"", wrong[i].file, wrong[i].contents,
                     error.text, wrong[i].expected);
    }
}

/* A pickled Dense, which LaBSE's folder had for years: what to do is said. */
static void test_pickled(void **state) {
    (void)state;
    nf_sentence_encoder *encoder;
    char path[300];
    const char *folder = copy_of("sentence-cls", "2_Dense/model.safetensors", NULL);
    snprintf(path, sizeof path, "%s/2_Dense/pytorch_model.bin", folder);
    write_text(path, "pickled");
    assert_int_equal(nf_sentence_encoder_load(&encoder, folder, be, NULL, &error), NERFIT_FORMAT);
    assert_non_null(strstr(error.text, "pytorch_model.bin: is no file of torch.save"));
}

/* Ids of transformers 5.23 with truncation=True, max_length=24: which end a longer text loses. */
static void test_truncation(void **state) {
    (void)state;
    static const char letters[] =
        "a b c d e f g h i j k l m n o p q r s t u v w x y z n m l k j i h g f e d c b a";
    static const int32_t left[] = {2,  37, 38, 39, 40, 41, 42, 43, 44, 32, 31, 30,
                                   29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 6,  3},
                         right[] = {2,  6,  20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
                                    30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 3};
#define LEFT                                                                                       \
    "{\"direction\": \"Left\", \"max_length\": 9, \"strategy\": \"LongestFirst\", \"stride\": 0}"
    static const struct {
        const char *config, *truncation;
        const int32_t *expected; /* NULL: an error */
    } cases[] = {
        {"{\"model_max_length\": 24}", "null", right},
        {"{\"model_max_length\": 24, \"truncation_side\": \"left\"}", "null", left},
        {"{\"model_max_length\": 24}", LEFT, left},
        {"{\"model_max_length\": 24, \"truncation_side\": \"right\"}", LEFT, right},
        {"{\"truncation_side\": \"top\"}", "null", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[300];
        nf_file file;
        nf_sentence_encoder *encoder;
        nf_encoding encoding = {0};
        bool was_cut;
        const char *folder = copy_of("sentence-cls", "tokenizer_config.json", cases[i].config);
        snprintf(path, sizeof path, "%s/tokenizer.json", folder);
        assert_ok(nf_file_open(&file, path, &error), &error);
        const char *at = memmem(file.data, file.size, "\"truncation\": null", 18);
        assert_non_null(at);
        nf_str text = {0};
        nf_str_append(&text, file.data, (size_t)(at - file.data) + 14);
        nf_str_append_text(&text, cases[i].truncation);
        nf_str_append(&text, at + 18, file.size - (size_t)(at + 18 - file.data));
        nf_file_close(&file);
        write_text(path, nf_str_text(&text));
        nf_str_free(&text);
        nerfit_status status = nf_sentence_encoder_load(&encoder, folder, be, NULL, &error);
        if (!cases[i].expected) {
            assert_int_equal(status, NERFIT_FORMAT);
            assert_non_null(strstr(error.text, "\"truncation_side\" should be"));
            continue;
        }
        assert_ok(status, &error);
        assert_ok(nf_sentence_tokens(encoder, NULL, letters, &encoding, &was_cut, &error), &error);
        assert_true(was_cut);
        assert_int_equal(encoding.length, 24);
        assert_memory_equal(encoding.ids, cases[i].expected, 24 * sizeof(int32_t));
        nf_encoding_free(&encoding);
        nf_sentence_encoder_free(encoder);
    }
}

/* What is left out: no modules.json, older keys of Pooling that are all false, no own file. */
static void test_defaults(void **state) {
    (void)state;
    static const struct {
        const char *file, *contents;
        nf_pooling pooling;
        size_t size, max_length;
    } cases[] = {
        {"modules.json", NULL, NF_POOLING_MEAN, 16, 24},
        {"modules.json", "[" TRANSFORMER ", " MODULE("Dropout", "") ", " POOLING "]",
         NF_POOLING_CLS, 16, 24},
        {"1_Pooling/config.json", "{\"pooling_mode_cls_token\": false}", NF_POOLING_MEAN, 12, 24},
        {"1_Pooling/config.json", "{\"pooling_mode\": [\"lasttoken\"]}", NF_POOLING_LAST, 12, 24},
        /* "pooling_mode" goes before the older keys */
        {"1_Pooling/config.json", "{\"pooling_mode\": \"max\", \"pooling_mode_cls_token\": true}",
         NF_POOLING_MAX, 12, 24},
        {"sentence_bert_config.json", "{\"max_seq_length\": 7}", NF_POOLING_CLS, 12, 7},
        {"sentence_bert_config.json", "{\"max_seq_length\": null}", NF_POOLING_CLS, 12, 24},
        /* more than the model has positions */
        {"sentence_bert_config.json", "{\"max_seq_length\": 128}", NF_POOLING_CLS, 12, 32},
        {"tokenizer_config.json", "{\"tokenizer_class\": \"BertTokenizer\"}", NF_POOLING_CLS, 12,
         32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_sentence_encoder *encoder;
        const char *folder = copy_of("sentence-cls", cases[i].file, cases[i].contents);
        assert_ok(nf_sentence_encoder_load(&encoder, folder, be, NULL, &error), &error);
        if (encoder->n_poolings != 1 || encoder->poolings[0] != cases[i].pooling ||
            encoder->size != cases[i].size || encoder->max_length != cases[i].max_length)
            fail_msg("%s %s: pooling %d, size %zu, at most %zu tokens", cases[i].file,
                     cases[i].contents, encoder->poolings[0], encoder->size, encoder->max_length);
        nf_sentence_encoder_free(encoder);
    }
}

/* A prompt's length is counted without the special token at its end; the empty one is none. */
static void test_prompts(void **state) {
    (void)state;
    static const struct {
        const char *json, *prompt;
        size_t tokens;
    } cases[] = {
        {"{\"prompts\": {\"query\": \"the cat \"}, \"default_prompt_name\": \"query\"}", "the cat ",
         3},
        {"{\"prompts\": {\"query\": \"the cat \"}, \"default_prompt_name\": null}", NULL, 0},
        {"{\"prompts\": {\"a\": \"\"}, \"default_prompt_name\": \"a\"}", NULL, 0},
        {"{\"prompts\": {}, \"default_prompt_name\": \"document\"}", NULL, 0},
        {"{}", NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nf_sentence_encoder *encoder;
        const char *folder =
            copy_of("sentence-cls", "config_sentence_transformers.json", cases[i].json);
        assert_ok(nf_sentence_encoder_load(&encoder, folder, be, NULL, &error), &error);
        assert_true(encoder->include_prompt);
        if (cases[i].prompt)
            assert_string_equal(encoder->prompt, cases[i].prompt);
        else
            assert_null(encoder->prompt);
        assert_int_equal(encoder->prompt_tokens, cases[i].tokens);
        nf_sentence_encoder_free(encoder);
    }
}

/* More texts than fit a batch, together and one at a time; the long ones are counted. */
static void test_together(void **state) {
    (void)state;
    static const char *const folders[] = {"sentence-albert", "sentence-prompt",
                                          "sentence-distilbert", "sentence-xlm-roberta"};
    enum { COUNT = 40 };
    static const char *const kinds[] = {"the cat", "", "a dog ran on the road and sat",
                                        "the cat sat on the mat and the dog ran on the road and "
                                        "the cat sat on the mat and the dog ran on the road"};
    const char *texts[COUNT];
    for (size_t i = 0; i < COUNT; i++) texts[i] = kinds[i % 4];
    for (size_t f = 0; f < 4; f++) {
        nf_sentence_encoder *encoder;
        char folder[100];
        size_t n_cut, cut_alone;
        snprintf(folder, sizeof folder, "tests/golden/%s", folders[f]);
        assert_ok(nf_sentence_encoder_load(&encoder, folder, be, NULL, &error), &error);
        float *together = calloc(COUNT * encoder->size, sizeof *together);
        float *alone = calloc(encoder->size, sizeof *alone);
        assert_ok(
            nf_sentence_encoder_encode(encoder, be, texts, COUNT, true, together, &n_cut, &error),
            &error);
        assert_int_equal(n_cut, COUNT / 4);
        for (size_t i = 0; i < COUNT; i++) {
            assert_ok(nf_sentence_encoder_encode(encoder, be, &texts[i], 1, true, alone, &cut_alone,
                                                 &error),
                      &error);
            assert_int_equal(cut_alone, i % 4 == 3);
            double squares = 0.0;
            for (size_t k = 0; k < encoder->size; k++) {
                double one = (double)alone[k], all = (double)together[i * encoder->size + k];
                if (!(fabs(one - all) < 1e-5))
                    fail_msg("%s, text %zu, feature %zu: %g together, %g alone", folders[f], i, k,
                             all, one);
                squares += all * all;
            }
            assert_true(fabs(squares - 1.0) < 1e-5);
        }
        free(together);
        free(alone);
        nf_sentence_encoder_free(encoder);
    }
}

static int set_up(void **state) {
    (void)state;
    temporary_folder(root);
    return nf_backend_cpu(&be, NF_PRECISION_F32, 1, &error) == NERFIT_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    be->free(be);
    return nf_directory_remove(root, &error) == NERFIT_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),     cmocka_unit_test(test_pickled),
        cmocka_unit_test(test_truncation), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_prompts),    cmocka_unit_test(test_together)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
